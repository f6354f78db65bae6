/* SPDX-License-Identifier: Apache-2.0
 *
 * A block: some thousand spans, each once (its fragments beside it), those of a trace adjacent and
 * by start, in five pieces of bytes. Sans-I/O. Each piece is kept as a zstd frame with a checksum;
 * unpacked it is
 *
 *   hashes   block_hash of every trace id in the block, sorted, 8 bytes little-endian: is a trace
 *            here?
 *   mentions which other traces its spans name as contributors (store/mentions.h): what was made of
 *            a trace?
 *   names    varint n, then n pairs {varint length, service} {varint length, span name}, sorted:
 *            can a search match here?
 *   columns  a stream a column, each with its length in front (varint):
 *              traces     for each trace: 16 bytes id, varint number of its spans
 *              span_ids   8 bytes a span
 *              parents    a varint a span: 0 none, 1 explicit (8 bytes follow in the stream),
 *                         k + 2: the span of row k of this trace
 *              starts     zigzag varint, difference to the span before
 *              durations  zigzag varint, end minus start; 0 for an unfinished span
 *              flags      a byte: 1 finished, 2 cut (see below), kind << 2, error << 7
 *              pairs      varint, row of `names`
 *              origins    varint, row of the origins in `bodies`
 *              appends    varint n, then n times two zigzag varints, received_ns and order of an
 *                         append, differences to the one before; then a varint a span: its row
 *              lengths    varint, bytes in `bodies`
 *   bodies   varint number of origins, each {resource, scope, resource schema URL, scope schema
 *            URL} as varint length and bytes; then every span's body in order.
 *
 * A body is the Span message as it was received. If it begins as encoders write it (trace id, span
 * id, parent, name, kind, start, end in this order, those that are set) that beginning is cut off,
 * since the columns hold it: reading puts it back, so that the bytes are the same again.
 * A block that does not decode is -EBADMSG, never a crash. */
#pragma once

#include "store/match.h"
#include "store/result.h"

struct ftri_zstd;

enum block_piece {
    BLOCK_HASHES,
    BLOCK_MENTIONS,
    BLOCK_NAMES,
    BLOCK_COLUMNS,
    BLOCK_BODIES,
    N_BLOCK_PIECES
};

struct block_summary {
    uint64_t n_spans, n_traces;
    uint64_t start_min_ns, start_max_ns;
    uint64_t duration_max_ns;
    uint64_t order_max;
    bool has_error, has_ok;
};

struct block {
    struct ftri_bytes packed[N_BLOCK_PIECES];
    struct ftri_bytes hashes, mentions, names; /* unpacked: who keeps a directory wants them */
    struct block_summary summary;
};

void block_init(struct block *self);
void block_deinit(struct block *self);
/* spans: as result_deduplicate leaves them; one or more. */
int block_build(struct block *self, const struct found_span *spans, size_t n,
                struct ftri_zstd *zstd) FTRI_MUST_CHECK;

/* What a packed piece holds; the caller's to deinit, also on failure. */
int block_unpack(struct ftri_view packed, struct ftri_zstd *zstd,
                 struct ftri_bytes *ret_plain) FTRI_MUST_CHECK;

/* One row, its columns only. Ids point into the columns, names into the names. */
struct block_row {
    const uint8_t *trace_id;
    const uint8_t *span_id;
    const uint8_t *parent_span_id; /* NULL: none */
    struct match_fields fields;
    uint64_t received_ns;
    uint64_t order;
    uint32_t kind;
    bool is_cut;
    size_t origin;
    size_t body_offset, body_len; /* behind the origins */
};

struct block_rows {
    struct block_row *rows;
    size_t n_rows;
};

/* All that follows takes unpacked pieces; names and columns must stay while the rows are used.
 * trace_id: of the rows that are wanted (none: it is not there); NULL: all. */
int block_read_rows(struct ftri_view names, struct ftri_view columns, const uint8_t *trace_id,
                    struct block_rows *ret_rows) FTRI_MUST_CHECK;
void block_rows_deinit(struct block_rows *self);
/* Where a trace is among all rows; n 0: it is not there. */
struct block_trace {
    const struct block_row *rows;
    size_t n;
};
struct block_trace block_find_trace(const struct block_rows *rows, const uint8_t trace_id[16]);
/* Adds the spans of one trace to a result, their bytes rebuilt; it takes the bodies over. */
int block_read_trace(const struct block_rows *rows, struct ftri_bytes *bodies,
                     const uint8_t trace_id[16], struct result_builder *builder) FTRI_MUST_CHECK;

/* One span of a block with its bytes rebuilt; all borrowed for the call. A result other than 0 ends
 * the walk. */
typedef int block_visit(void *argument, const struct block_row *row, struct ftri_view message);
/* The rows of one trace (NULL: all). */
int block_visit_trace(const struct block_rows *rows, struct ftri_view bodies,
                      const uint8_t *trace_id, block_visit *visit, void *argument) FTRI_MUST_CHECK;
/* Some rows by their numbers; all were read. */
int block_visit_rows(const struct block_rows *rows, struct ftri_view bodies,
                     const uint32_t *numbers, size_t n, block_visit *visit,
                     void *argument) FTRI_MUST_CHECK;

/* The same with the builder's verdicts, from the columns, which it takes over. */
int block_judge_trace(const struct block_rows *rows, struct ftri_bytes *columns,
                      const uint8_t trace_id[16], struct result_builder *builder) FTRI_MUST_CHECK;

/* Calls back for every pair until a result below 0. */
int block_read_names(struct ftri_view names,
                     int (*each)(void *argument, ftr_str service, ftr_str name),
                     void *argument) FTRI_MUST_CHECK;
