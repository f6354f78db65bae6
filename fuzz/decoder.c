/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: compressed bodies. The first byte chooses the coding and where the rest is cut.
 * However it is cut, the same comes out, never more than the limit. */
#include "base/mem.h"
#include "codec/decoder.h"
#include "codec/zstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_BYTES = 256 * 1024, SINGLE_BYTES_MOST = 4096 };

struct outcome {
    struct ftri_bytes out;
    int r;
    bool is_complete;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void decode(struct outcome *self, enum ftri_coding coding, struct ftri_view packed,
                   size_t piece)
{
    struct ftri_decoder *decoder = ftri_decoder_new(coding);
    demand(decoder != NULL);
    *self = (struct outcome){0};
    ftri_bytes_init(&self->out, OUT_BYTES);
    for (size_t i = 0; i < packed.len && self->r == 0; i += piece) {
        const size_t n = ftri_size_min(piece, packed.len - i);
        self->r = ftri_decoder_feed(decoder, ftri_view_of(packed.data + i, n), &self->out);
    }
    demand(self->r == 0 || self->r == -EBADMSG || self->r == -EMSGSIZE);
    demand(self->out.len <= OUT_BYTES && ftri_decoder_bytes(decoder) < (size_t)32 << 20);
    self->is_complete = ftri_decoder_is_complete(decoder);
    ftri_decoder_free(decoder);
}

/* Corruption may be found before or after the bytes in front of it were handed out; what is sound
 * comes out the same. */
static void demand_same(const struct outcome *a, const struct outcome *b)
{
    demand((a->r == 0) == (b->r == 0) && a->is_complete == b->is_complete);
    const size_t n = ftri_size_min(a->out.len, b->out.len);
    demand(n == 0 || memcmp(a->out.data, b->out.data, n) == 0);
    demand(a->r != 0 || a->out.len == b->out.len);
}

/* The store's reader agrees about what is sound. */
static void check_one_shot(const struct outcome *streamed, struct ftri_view packed)
{
    struct ftri_zstd *zstd = ftri_zstd_new(1);
    struct ftri_bytes out;
    demand(zstd != NULL);
    ftri_bytes_init(&out, OUT_BYTES);
    const int r = ftri_zstd_decompress(zstd, packed, &out);
    if (streamed->is_complete)
        demand(r == 0 && out.len == streamed->out.len &&
               (out.len == 0 || memcmp(out.data, streamed->out.data, out.len) == 0));
    ftri_zstd_free(zstd);
    ftri_bytes_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum ftri_coding codings[] = {FTRI_CODING_GZIP, FTRI_CODING_DEFLATE,
                                               FTRI_CODING_ZSTD};
    if (size == 0)
        return 0;
    const enum ftri_coding coding = codings[data[0] % FTRI_COUNT(codings)];
    const struct ftri_view packed = ftri_view_of(data + 1, size - 1);
    struct outcome whole, cut;
    decode(&whole, coding, packed, packed.len + 1);
    const bool is_small = packed.len <= SINGLE_BYTES_MOST;
    decode(&cut, coding, packed, is_small ? 1 : 1 + (size_t)data[0] * 16);
    demand_same(&whole, &cut);
    if (coding == FTRI_CODING_ZSTD)
        check_one_shot(&whole, packed);
    ftri_bytes_deinit(&whole.out);
    ftri_bytes_deinit(&cut.out);
    return 0;
}
