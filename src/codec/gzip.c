/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/gzip.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

enum { ZLIB_WINDOW_BITS = 15, GZIP_WINDOW_BITS = ZLIB_WINDOW_BITS + 16, MEMORY_LEVEL = 8 };

struct ftri_gunzip {
    z_stream stream;
    int failure;       /* 0, or what every feed returns from now on */
    bool is_in_member; /* bytes of a member were read and its end was not */
    bool has_member;   /* at least one ended */
    bool is_single;    /* zlib: no other follows */
};

static voidpf allocate(voidpf opaque, uInt n_items, uInt size)
{
    (void)opaque;
    return ftri_alloc_array(n_items, size);
}

static void release(voidpf opaque, voidpf block)
{
    (void)opaque;
    ftri_free(block);
}

static struct ftri_gunzip *new_with(int window_bits)
{
    struct ftri_gunzip *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->stream.zalloc = allocate;
    self->stream.zfree = release;
    if (inflateInit2(&self->stream, window_bits) != Z_OK) {
        ftri_free(self);
        return NULL;
    }
    return self;
}

struct ftri_gunzip *ftri_gunzip_new(void)
{
    return new_with(GZIP_WINDOW_BITS);
}

struct ftri_gunzip *ftri_gunzip_new_zlib(void)
{
    struct ftri_gunzip *self = new_with(ZLIB_WINDOW_BITS);
    if (self)
        self->is_single = true;
    return self;
}

void ftri_gunzip_free(struct ftri_gunzip *self)
{
    if (!self)
        return;
    inflateEnd(&self->stream);
    ftri_free(self);
}

/* Points the stream at free room of out; at the limit, at one spare byte, so that an input which
 * ends exactly there is told from one that goes on. */
static int give_room(z_stream *stream, struct ftri_bytes *out, uint8_t *spare)
{
    if (out->len == out->limit) {
        stream->next_out = spare;
        stream->avail_out = 1;
        return 0;
    }
    const int r = ftri_bytes_reserve(out, 1);
    if (r < 0)
        return r;
    stream->next_out = out->data + out->len;
    stream->avail_out = (uInt)ftri_size_min(out->capacity - out->len, UINT_MAX);
    return 0;
}

/* Counts what was written since give_room. */
static int take_output(const z_stream *stream, struct ftri_bytes *out, const uint8_t *spare)
{
    if (out->len == out->limit)
        return stream->next_out == spare ? 0 : -EMSGSIZE;
    out->len = (size_t)(stream->next_out - out->data);
    return 0;
}

static int error_of(int zlib_result)
{
    return zlib_result == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

/* One call of inflate. Z_BUF_ERROR is no error: neither input nor output moved. */
static int inflate_some(struct ftri_gunzip *self, struct ftri_bytes *out, bool *ret_is_stuck)
{
    uint8_t spare;
    int r = give_room(&self->stream, out, &spare);
    if (r < 0)
        return r;
    const int result = inflate(&self->stream, Z_NO_FLUSH);
    r = take_output(&self->stream, out, &spare);
    if (r < 0)
        return r;
    *ret_is_stuck = result == Z_BUF_ERROR;
    if (result == Z_STREAM_END) {
        self->is_in_member = false;
        self->has_member = true;
        return inflateReset(&self->stream) == Z_OK ? 0 : -EBADMSG;
    }
    return result == Z_OK || result == Z_BUF_ERROR ? 0 : error_of(result);
}

/* Input of at most UINT_MAX bytes, as zlib counts. */
static int feed_chunk(struct ftri_gunzip *self, const uint8_t *data, size_t len,
                      struct ftri_bytes *out)
{
    z_stream *stream = &self->stream;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)len;
    bool is_stuck = false;
    /* A full output may hide more: go on until inflate leaves room or has nothing to do. */
    while (!is_stuck) {
        if (stream->avail_in && self->is_single && self->has_member)
            return -EBADMSG;
        if (stream->avail_in)
            self->is_in_member = true;
        else if (!self->is_in_member)
            break;
        const int r = inflate_some(self, out, &is_stuck);
        if (r < 0)
            return r;
        if (stream->avail_in == 0 && stream->avail_out)
            break;
    }
    return 0;
}

int ftri_gunzip_feed(struct ftri_gunzip *self, struct ftri_view piece, struct ftri_bytes *out)
{
    while (self->failure == 0 && piece.len) {
        const size_t len = ftri_size_min(piece.len, UINT_MAX);
        self->failure = feed_chunk(self, piece.data, len, out);
        piece = ftri_view_of(piece.data + len, piece.len - len);
    }
    return self->failure;
}

bool ftri_gunzip_is_complete(const struct ftri_gunzip *self)
{
    return self->failure == 0 && self->has_member && !self->is_in_member;
}

static int deflate_all(z_stream *stream, struct ftri_view plain, struct ftri_bytes *out)
{
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        if (stream->avail_in == 0 && plain.len) {
            const size_t len = ftri_size_min(plain.len, UINT_MAX);
            stream->next_in = (Bytef *)(uintptr_t)plain.data;
            stream->avail_in = (uInt)len;
            plain = ftri_view_of(plain.data + len, plain.len - len);
        }
        uint8_t spare;
        int r = give_room(stream, out, &spare);
        if (r < 0)
            return r;
        result = deflate(stream, plain.len ? Z_NO_FLUSH : Z_FINISH);
        r = take_output(stream, out, &spare);
        if (r < 0)
            return r;
        if (result == Z_STREAM_ERROR)
            return -EINVAL;
    }
    return 0;
}

int ftri_gzip(struct ftri_view plain, int level, struct ftri_bytes *out)
{
    z_stream stream = {.zalloc = allocate, .zfree = release};
    const int result = deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                                    Z_DEFAULT_STRATEGY);
    if (result != Z_OK)
        return result == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
    const size_t before = out->len;
    const int r = deflate_all(&stream, plain, out);
    deflateEnd(&stream);
    if (r < 0)
        out->len = before;
    return r;
}
