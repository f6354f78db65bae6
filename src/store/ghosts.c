/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ghosts.h"

#include "base/mem.h"
#include "codec/wire.h"
#include "codec/zstd.h"
#include "store/block.h"
#include "store/block_hashes.h"

#include <errno.h>
#include <stdlib.h>

uint64_t ghost_hash(const uint8_t trace_id[16], const uint8_t span_id[8])
{
    const uint64_t hash = block_hash(trace_id) * UINT64_C(0x9e3779b97f4a7c15);
    return (hash ^ hash >> 32) + ftri_wire_load64(span_id) * UINT64_C(0xff51afd7ed558ccd);
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static int put_hashes(const uint64_t *hashes, size_t n, struct ftri_bytes *out)
{
    const int r = ftri_bytes_reserve(out, n * 8);
    for (size_t i = 0; i < n && r == 0; i++)
        for (size_t j = 0; j < 8; j++)
            out->data[out->len++] = (uint8_t)(hashes[i] >> 8 * j);
    return r;
}

int ghost_pack(const struct block_rows *rows, struct ftri_zstd *zstd, struct ftri_bytes *out)
{
    FTRI_CLEANUP(ftri_freep) uint64_t *hashes = ftri_alloc_array(rows->n_rows, sizeof *hashes);
    if (!hashes)
        return -ENOMEM;
    for (size_t i = 0; i < rows->n_rows; i++)
        hashes[i] = ghost_hash(rows->rows[i].trace_id, rows->rows[i].span_id);
    if (rows->n_rows)
        qsort(hashes, rows->n_rows, sizeof *hashes, compare);
    struct ftri_bytes plain;
    ftri_bytes_init(&plain, SIZE_MAX / 2);
    int r = put_hashes(hashes, rows->n_rows, &plain);
    if (r == 0)
        r = ftri_zstd_compress(zstd, ftri_bytes_view(&plain), out);
    ftri_bytes_deinit(&plain);
    return r;
}
