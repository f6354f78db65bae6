/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/zstd.h"

#include "base/mem.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

/* 8 MiB, what RFC 8878 asks every decoder to support; a frame may not claim more. */
enum { LEVEL_MIN = 1, LEVEL_MAX = 19, WINDOW_LOG_MAX = 23 };

struct ftri_zstd {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
};

static bool limit_window(ZSTD_DCtx *decompressor)
{
    return !ZSTD_isError(ZSTD_DCtx_setParameter(decompressor, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
}

static bool configure(struct ftri_zstd *self, int level)
{
    if (!self->compressor || !self->decompressor)
        return false;
    return !ZSTD_isError(
               ZSTD_CCtx_setParameter(self->compressor, ZSTD_c_compressionLevel, level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(self->compressor, ZSTD_c_checksumFlag, 1)) &&
           limit_window(self->decompressor);
}

struct ftri_zstd *ftri_zstd_new(int level)
{
    if (level < LEVEL_MIN || level > LEVEL_MAX)
        return NULL;
    struct ftri_zstd *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->compressor = ZSTD_createCCtx();
    self->decompressor = ZSTD_createDCtx();
    if (!configure(self, level)) {
        ftri_zstd_free(self);
        return NULL;
    }
    return self;
}

void ftri_zstd_free(struct ftri_zstd *self)
{
    if (!self)
        return;
    ZSTD_freeCCtx(self->compressor);
    ZSTD_freeDCtx(self->decompressor);
    ftri_free(self);
}

static int error_of(size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    case ZSTD_error_dstSize_tooSmall:
        return -EMSGSIZE;
    default:
        return -EBADMSG;
    }
}

int ftri_zstd_compress(struct ftri_zstd *self, struct ftri_view plain, struct ftri_bytes *out)
{
    /* The bound is slightly above the plain size; a lower limit of out may still be enough. */
    const size_t bound = ZSTD_compressBound(plain.len);
    const size_t room = out->limit - out->len;
    const int r = ftri_bytes_reserve(out, ftri_size_min(bound, room));
    if (r < 0)
        return r;
    const size_t n = ZSTD_compress2(self->compressor, out->data + out->len,
                                    out->capacity - out->len, plain.data, plain.len);
    if (ZSTD_isError(n))
        return error_of(n);
    out->len += n;
    return 0;
}

/* Room for the size that the frame claims, if it claims one within the limit: libzstd then decodes
 * in one pass, without a window of its own. */
static int reserve_claimed(struct ftri_view packed, struct ftri_bytes *out)
{
    const unsigned long long claimed = ZSTD_getFrameContentSize(packed.data, packed.len);
    if (claimed == ZSTD_CONTENTSIZE_ERROR || claimed == ZSTD_CONTENTSIZE_UNKNOWN)
        return 0;
    if (claimed > out->limit - out->len)
        return -EMSGSIZE;
    return ftri_bytes_reserve(out, (size_t)claimed);
}

/* The first four bytes of a frame, as they come. */
struct magic {
    unsigned n_seen;
    uint8_t first;
};

enum { MAGIC_BYTES = 4 };

/* A libzstd may be built to read the formats of before 1.0 as well, whose windows it does not
 * limit: only frames of today, and those to be skipped, get that far (RFC 8878 3.1.1, 3.1.2). */
static bool check_magic(struct magic *self, const ZSTD_inBuffer *input)
{
    static const uint8_t frame[MAGIC_BYTES] = {0x28, 0xb5, 0x2f, 0xfd};
    static const uint8_t skippable[MAGIC_BYTES] = {0x50, 0x2a, 0x4d, 0x18};
    const uint8_t *next = (const uint8_t *)input->src + input->pos;
    const uint8_t *end = (const uint8_t *)input->src + input->size;
    for (; next < end && self->n_seen < MAGIC_BYTES; self->n_seen++, next++) {
        if (self->n_seen == 0)
            self->first = *next;
        const bool is_frame = self->first == frame[0];
        const bool is_skippable = (self->first & 0xf0) == skippable[0];
        if (self->n_seen == 0 ? !is_frame && !is_skippable
                              : *next != (is_frame ? frame : skippable)[self->n_seen])
            return false;
    }
    return true;
}

/* Bytes of out that one call may fill: its free room, or at the limit one spare byte, which tells
 * an input that ends exactly there from one that goes on. *ret_has_more: the room was filled, and
 * there may be more to come without further input. */
static int decompress_some(ZSTD_DCtx *decompressor, ZSTD_inBuffer *input, struct ftri_bytes *out,
                           size_t *ret_hint, bool *ret_has_more)
{
    uint8_t spare;
    const bool is_full = out->len == out->limit;
    const int r = is_full ? 0 : ftri_bytes_reserve(out, 1);
    if (r < 0)
        return r;
    ZSTD_outBuffer output = {.dst = is_full ? &spare : out->data + out->len,
                             .size = is_full ? 1 : out->capacity - out->len};
    const size_t hint = ZSTD_decompressStream(decompressor, &output, input);
    if (ZSTD_isError(hint))
        return error_of(hint);
    if (is_full && output.pos)
        return -EMSGSIZE;
    out->len += output.pos;
    *ret_hint = hint;
    *ret_has_more = hint && output.pos == output.size;
    return 0;
}

static int decompress_all(struct ftri_zstd *self, struct ftri_view packed, struct ftri_bytes *out)
{
    int r = reserve_claimed(packed, out);
    ZSTD_inBuffer input = {.src = packed.data, .size = packed.len};
    size_t hint = packed.len ? 0 : 1;
    if (r == 0 && hint)
        return -EBADMSG;
    bool has_more = true;
    while (r == 0 && (input.pos < input.size || (hint && has_more))) {
        if (hint == 0 && !check_magic(&(struct magic){0}, &input))
            return -EBADMSG;
        r = decompress_some(self->decompressor, &input, out, &hint, &has_more);
    }
    return r == 0 && hint ? -EBADMSG : r; /* cut off */
}

int ftri_zstd_decompress(struct ftri_zstd *self, struct ftri_view packed, struct ftri_bytes *out)
{
    if (ZSTD_isError(ZSTD_DCtx_reset(self->decompressor, ZSTD_reset_session_only)))
        return -ENOMEM;
    const size_t before = out->len;
    const int r = decompress_all(self, packed, out);
    if (r < 0)
        out->len = before;
    return r;
}

struct ftri_unzstd {
    ZSTD_DCtx *decompressor;
    int failure; /* 0, or what every feed returns from now on */
    size_t hint; /* 0: between frames */
    struct magic magic;
    bool has_frame;
};

struct ftri_unzstd *ftri_unzstd_new(void)
{
    struct ftri_unzstd *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->decompressor = ZSTD_createDCtx();
    if (!self->decompressor || !limit_window(self->decompressor)) {
        ftri_unzstd_free(self);
        return NULL;
    }
    return self;
}

void ftri_unzstd_free(struct ftri_unzstd *self)
{
    if (!self)
        return;
    ZSTD_freeDCtx(self->decompressor);
    ftri_free(self);
}

int ftri_unzstd_feed(struct ftri_unzstd *self, struct ftri_view piece, struct ftri_bytes *out)
{
    ZSTD_inBuffer input = {.src = piece.data, .size = piece.len};
    bool has_more = false;
    while (self->failure == 0 && (input.pos < input.size || has_more)) {
        if (self->hint == 0)
            self->magic = (struct magic){0};
        if (!check_magic(&self->magic, &input)) {
            self->failure = -EBADMSG;
            break;
        }
        self->failure = decompress_some(self->decompressor, &input, out, &self->hint, &has_more);
        self->has_frame = true;
    }
    return self->failure;
}

bool ftri_unzstd_is_complete(const struct ftri_unzstd *self)
{
    return self->failure == 0 && self->has_frame && self->hint == 0;
}

size_t ftri_unzstd_bytes(const struct ftri_unzstd *self)
{
    return sizeof *self + ZSTD_sizeof_DCtx(self->decompressor);
}
