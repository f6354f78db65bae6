/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_hashes.h"

#include "base/mem.h"
#include "codec/wire.h"
#include "store/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The finishing steps of MurmurHash3 (public domain): every bit of the input reaches all bits. */
static uint64_t spread(uint64_t value)
{
    value = (value ^ value >> 33) * UINT64_C(0xff51afd7ed558ccd);
    value = (value ^ value >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

uint64_t block_hash(const uint8_t trace_id[16])
{
    return spread(spread(ftri_wire_load64(trace_id)) + ftri_wire_load64(trace_id + 8));
}

static bool is_new_trace(const struct found_span *spans, size_t i)
{
    return i == 0 || memcmp(spans[i].span.trace_id, spans[i - 1].span.trace_id, 16) != 0;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

int block_hashes_write(const struct found_span *spans, size_t n, struct ftri_bytes *out)
{
    FTRI_CLEANUP(ftri_freep) uint64_t *hashes = ftri_alloc_array(n, sizeof *hashes);
    size_t n_hashes = 0;
    if (!hashes)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (is_new_trace(spans, i))
            hashes[n_hashes++] = block_hash(spans[i].span.trace_id);
    const int r = ftri_bytes_reserve(out, n_hashes * 8);
    if (r < 0)
        return r;
    qsort(hashes, n_hashes, sizeof *hashes, compare);
    for (size_t i = 0; i < n_hashes; i++)
        for (size_t j = 0; j < 8; j++)
            out->data[out->len++] = (uint8_t)(hashes[i] >> 8 * j);
    return 0;
}

bool block_hashes_have(struct ftri_view hashes, uint64_t wanted)
{
    size_t low = 0, high = hashes.len / 8;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uint64_t hash = ftri_wire_load64(hashes.data + middle * 8);
        if (hash == wanted)
            return true;
        if (hash < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
