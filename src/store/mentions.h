/* SPDX-License-Identifier: Apache-2.0
 *
 * The mentions of a block: which other traces do its spans name as contributors, and in which rows?
 * Who contributed to a span is read from the span itself; this answers the way back. Unpacked:
 *
 *   varint n, then n varints: 40 bits of a trace id's hash, rising, each the difference to the one
 *   before; then n varints: the row of a span that names the trace.
 *
 * A trace and a row stand together once. Spans of the same trace are found without it. Sans-I/O. */
#pragma once

#include "base/bytes.h"

struct ftri_otlp_span;

/* block_hash, its lower bits left out: of a million mentions one in a million is a wrong yes. */
uint64_t mention_hash(const uint8_t trace_id[16]);

/* Gathers them, span by span, in any order. */
struct mention_builder {
    struct ftri_bytes found;
};
void mention_builder_init(struct mention_builder *self);
void mention_builder_deinit(struct mention_builder *self);
int mention_builder_add(struct mention_builder *self, const struct ftri_otlp_span *span,
                        uint32_t row) FTRI_MUST_CHECK;
/* Appends the piece. */
int mention_builder_finish(struct mention_builder *self, struct ftri_bytes *out) FTRI_MUST_CHECK;

/* Appends the hashes of a piece, each once, sorted, 8 bytes little-endian. -EBADMSG. */
int mentions_read_hashes(struct ftri_view piece, struct ftri_bytes *out) FTRI_MUST_CHECK;

struct mention {
    uint64_t hash;
    uint32_t row;
};
/* Appends all mentions of a piece, sorted by hash, then by row. -EBADMSG. */
int mentions_read(struct ftri_view piece, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* How many of n have this hash; they stand from *ret_first on. */
size_t mentions_find(const struct mention *mentions, size_t n, uint64_t hash, size_t *ret_first);
