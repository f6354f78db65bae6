/* SPDX-License-Identifier: Apache-2.0
 *
 * What is still known of spans that retention removed: that they were there. Hashes of their ids
 * only, the newest of them within a bound of bytes; once the bound has made any go, nobody can say
 * of a span that is not there whether it ever was.
 *
 * A ghost is what is left of one block: the hashes of its spans, sorted, 8 bytes little-endian
 * each, as a zstd frame. A backend without blocks keeps a removed_set. */
#pragma once

#include "base/bytes.h"

struct block_rows;
struct ftri_zstd;

/* Of (trace id, span id). */
uint64_t ghost_hash(const uint8_t trace_id[16], const uint8_t span_id[8]);
/* Appends a packed ghost of all rows. */
int ghost_pack(const struct block_rows *rows, struct ftri_zstd *zstd,
               struct ftri_bytes *out) FTRI_MUST_CHECK;
