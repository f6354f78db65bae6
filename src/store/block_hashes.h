/* SPDX-License-Identifier: Apache-2.0
 *
 * The hashes of a block: is a trace here? block.h draws them. Sans-I/O. */
#pragma once

#include "base/bytes.h"

struct found_span;

/* Of all 16 bytes: ids of 64 bits come with one half of zeros. */
uint64_t block_hash(const uint8_t trace_id[16]);
/* Appends the hashes of the traces of spans, which stand sorted by trace id. */
int block_hashes_write(const struct found_span *spans, size_t n,
                       struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Sorted, 8 bytes little-endian each. */
bool block_hashes_have(struct ftri_view hashes, uint64_t hash);
