/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing a block: the dictionaries first, then the columns, row by row. */
#include "store/block.h"

#include "base/mem.h"
#include "codec/zstd.h"
#include "store/block_dictionary.h"
#include "store/block_hashes.h"
#include "store/block_prefix.h"
#include "store/mentions.h"
#include "store/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS_MAX = 8, PIECE_LIMIT_BYTES = 1 << 30 };

enum column {
    COLUMN_TRACES,
    COLUMN_SPAN_IDS,
    COLUMN_PARENTS,
    COLUMN_STARTS,
    COLUMN_DURATIONS,
    COLUMN_FLAGS,
    COLUMN_PAIRS,
    COLUMN_ORIGINS,
    COLUMN_APPENDS,
    COLUMN_LENGTHS,
    N_COLUMNS
};

/* Of a span: its place in spans, and what the order goes by. */
struct ordered {
    uint64_t start_ns;
    uint32_t place;
};

struct builder {
    const struct found_span *spans;
    size_t n;
    struct block_dictionary dictionary;
    struct ordered *order; /* the rows: within a trace by start */
    uint32_t *rows;        /* of a span, by its place in spans */
    struct ftri_bytes columns[N_COLUMNS];
    struct ftri_bytes bodies, scratch;
    struct mention_builder mentions;
    size_t trace_start, trace_end; /* places, and rows, of the current trace */
    uint64_t last_start;
};

void block_init(struct block *self)
{
    *self = (struct block){0};
    for (size_t i = 0; i < N_BLOCK_PIECES; i++)
        ftri_bytes_init(&self->packed[i], PIECE_LIMIT_BYTES);
    ftri_bytes_init(&self->hashes, PIECE_LIMIT_BYTES);
    ftri_bytes_init(&self->mentions, PIECE_LIMIT_BYTES);
    ftri_bytes_init(&self->names, PIECE_LIMIT_BYTES);
}

void block_deinit(struct block *self)
{
    for (size_t i = 0; i < N_BLOCK_PIECES; i++)
        ftri_bytes_deinit(&self->packed[i]);
    ftri_bytes_deinit(&self->hashes);
    ftri_bytes_deinit(&self->mentions);
    ftri_bytes_deinit(&self->names);
}

static void builder_init(struct builder *self, const struct found_span *spans, size_t n)
{
    *self = (struct builder){.spans = spans, .n = n};
    block_dictionary_init(&self->dictionary, PIECE_LIMIT_BYTES);
    for (size_t i = 0; i < N_COLUMNS; i++)
        ftri_bytes_init(&self->columns[i], PIECE_LIMIT_BYTES);
    ftri_bytes_init(&self->bodies, PIECE_LIMIT_BYTES);
    ftri_bytes_init(&self->scratch, PIECE_LIMIT_BYTES);
    mention_builder_init(&self->mentions);
}

static void builder_deinit(struct builder *self)
{
    block_dictionary_deinit(&self->dictionary);
    for (size_t i = 0; i < N_COLUMNS; i++)
        ftri_bytes_deinit(&self->columns[i]);
    ftri_bytes_deinit(&self->bodies);
    ftri_bytes_deinit(&self->scratch);
    mention_builder_deinit(&self->mentions);
    ftri_free(self->order);
    ftri_free(self->rows);
}

/* Behind the last place of the trace that begins at first. */
static size_t trace_end(const struct builder *self, size_t first)
{
    const uint8_t *trace_id = self->spans[first].span.trace_id;
    size_t end = first + 1;
    while (end < self->n && memcmp(self->spans[end].span.trace_id, trace_id, 16) == 0)
        end++;
    return end;
}

/* The place of a span of the current trace, by its id: they are sorted. n: it is not there. */
static size_t find_place(const struct builder *self, const uint8_t *span_id)
{
    size_t low = self->trace_start, high = self->trace_end;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = memcmp(self->spans[middle].span.span_id, span_id, 8);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return self->n;
}

static int write_parent(struct builder *self, size_t i)
{
    struct ftri_bytes *out = &self->columns[COLUMN_PARENTS];
    const uint8_t *parent = self->spans[i].span.parent_span_id;
    if (!parent)
        return varint_put(out, 0);
    const size_t place = find_place(self, parent);
    if (place < self->n)
        return varint_put(out, self->rows[place] - self->trace_start + 2);
    const int r = varint_put(out, 1);
    return r < 0 ? r : ftri_bytes_append(out, parent, 8);
}

static int write_body(struct builder *self, const struct block_row *row,
                      const struct ftri_otlp_span *span, bool *ret_is_cut)
{
    ftri_bytes_reset(&self->scratch);
    int r = row->kind < KINDS_MAX ? block_prefix_write(row, &self->scratch) : 0;
    if (r < 0)
        return r;
    const size_t len = self->scratch.len;
    const bool is_cut =
        len && len <= span->bytes.len && memcmp(self->scratch.data, span->bytes.data, len) == 0;
    const size_t skipped = is_cut ? len : 0;
    *ret_is_cut = is_cut;
    r = varint_put(&self->columns[COLUMN_LENGTHS], span->bytes.len - skipped);
    return r < 0 ? r
                 : ftri_bytes_append(&self->bodies, span->bytes.data + skipped,
                                     span->bytes.len - skipped);
}

static int write_times(struct builder *self, const struct found_span *found)
{
    const struct ftri_otlp_span *span = &found->span;
    int r =
        varint_put(&self->columns[COLUMN_STARTS], zigzag(span->start_time_ns - self->last_start));
    if (r == 0)
        r = varint_put(&self->columns[COLUMN_DURATIONS],
                       span->end_time_ns ? zigzag(span->end_time_ns - span->start_time_ns) : 0);
    self->last_start = span->start_time_ns;
    return r;
}

static int write_references(struct builder *self, size_t i)
{
    const struct block_reference *reference = &self->dictionary.references[i];
    int r = varint_put(&self->columns[COLUMN_PAIRS], reference->pair);
    if (r == 0)
        r = varint_put(&self->columns[COLUMN_ORIGINS], reference->origin);
    if (r == 0)
        r = varint_put(&self->columns[COLUMN_APPENDS], reference->append);
    return r == 0 ? write_parent(self, i) : r;
}

static int write_span(struct builder *self, size_t i)
{
    const struct ftri_otlp_span *span = &self->spans[i].span;
    struct block_row row = {
        .trace_id = span->trace_id,
        .span_id = span->span_id,
        .parent_span_id = span->parent_span_id,
        .fields = {.name = span->name,
                   .start_ns = span->start_time_ns,
                   .end_ns = span->end_time_ns},
        .kind = (uint32_t)span->kind,
    };
    bool is_cut = false;
    int r = ftri_bytes_append(&self->columns[COLUMN_SPAN_IDS], span->span_id, 8);
    if (r == 0)
        r = write_times(self, &self->spans[i]);
    if (r == 0)
        r = write_references(self, i);
    if (r == 0)
        r = write_body(self, &row, span, &is_cut);
    if (r == 0)
        r = mention_builder_add(&self->mentions, span, self->rows[i]);
    const bool is_error = span->status_code == FTRI_OTLP_STATUS_ERROR;
    const uint8_t flags = (uint8_t)((span->end_time_ns != 0) | is_cut << 1 |
                                    (is_cut ? row.kind << 2 : 0) | is_error << 7);
    return r == 0 ? ftri_bytes_append(&self->columns[COLUMN_FLAGS], &flags, 1) : r;
}

static int compare_starts(const void *left, const void *right)
{
    const struct ordered *a = left, *b = right;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* By start, what belongs together looks alike from trace to trace. */
static int order_rows(struct builder *self)
{
    self->order = ftri_alloc_array(self->n, sizeof *self->order);
    self->rows = ftri_alloc_array(self->n, sizeof *self->rows);
    if (!self->order || !self->rows)
        return -ENOMEM;
    for (size_t i = 0; i < self->n; i++)
        self->order[i] = (struct ordered){self->spans[i].span.start_time_ns, (uint32_t)i};
    for (size_t first = 0, end; first < self->n; first = end) {
        end = trace_end(self, first);
        qsort(self->order + first, end - first, sizeof *self->order, compare_starts);
    }
    for (size_t row = 0; row < self->n; row++)
        self->rows[self->order[row].place] = (uint32_t)row;
    return 0;
}

static int write_trace(struct builder *self, size_t first, size_t end)
{
    const uint8_t *trace_id = self->spans[first].span.trace_id;
    self->trace_start = first;
    self->trace_end = end;
    int r = ftri_bytes_append(&self->columns[COLUMN_TRACES], trace_id, 16);
    if (r == 0)
        r = varint_put(&self->columns[COLUMN_TRACES], end - first);
    for (size_t row = first; row < end && r == 0; row++)
        r = write_span(self, self->order[row].place);
    return r;
}

static int write_traces(struct builder *self, struct block *block)
{
    int r = 0;
    for (size_t first = 0, end; first < self->n && r == 0; first = end) {
        end = trace_end(self, first);
        r = write_trace(self, first, end);
        block->summary.n_traces++;
    }
    return r;
}

static void summarize(struct block_summary *summary, const struct found_span *spans, size_t n)
{
    *summary = (struct block_summary){.n_spans = n, .start_min_ns = UINT64_MAX};
    for (size_t i = 0; i < n; i++) {
        const struct ftri_otlp_span *span = &spans[i].span;
        const uint64_t start = span->start_time_ns;
        const uint64_t duration = span->end_time_ns > start ? span->end_time_ns - start : 0;
        summary->start_min_ns = start < summary->start_min_ns ? start : summary->start_min_ns;
        summary->start_max_ns = start > summary->start_max_ns ? start : summary->start_max_ns;
        summary->duration_max_ns =
            duration > summary->duration_max_ns ? duration : summary->duration_max_ns;
        summary->order_max =
            spans[i].order > summary->order_max ? spans[i].order : summary->order_max;
        summary->has_error |= span->status_code == FTRI_OTLP_STATUS_ERROR;
        summary->has_ok |= span->status_code != FTRI_OTLP_STATUS_ERROR;
    }
}

/* In front of the spans' rows stands the dictionary that they refer to. */
static int write_appends(struct builder *self)
{
    struct ftri_bytes *column = &self->columns[COLUMN_APPENDS];
    const int r = varint_put(column, self->dictionary.n_appends);
    return r < 0 ? r
                 : ftri_bytes_append(column, self->dictionary.appends.data,
                                     self->dictionary.appends.len);
}

static int pack_columns(struct builder *self, struct block *block, struct ftri_zstd *zstd)
{
    struct ftri_bytes *plain = &self->scratch;
    int r = 0;
    ftri_bytes_reset(plain);
    for (size_t i = 0; i < N_COLUMNS && r == 0; i++)
        r = text_put(plain, self->columns[i].data, self->columns[i].len);
    return r == 0 ? ftri_zstd_compress(zstd, ftri_bytes_view(plain), &block->packed[BLOCK_COLUMNS])
                  : r;
}

static int pack_bodies(struct builder *self, struct block *block, struct ftri_zstd *zstd)
{
    struct ftri_bytes *plain = &self->scratch;
    ftri_bytes_reset(plain);
    int r = varint_put(plain, self->dictionary.n_origins);
    if (r == 0)
        r = ftri_bytes_append(plain, self->dictionary.origins.data, self->dictionary.origins.len);
    if (r == 0)
        r = ftri_bytes_append(plain, self->bodies.data, self->bodies.len);
    return r == 0 ? ftri_zstd_compress(zstd, ftri_bytes_view(plain), &block->packed[BLOCK_BODIES])
                  : r;
}

static int pack(struct builder *self, struct block *block, struct ftri_zstd *zstd)
{
    int r = ftri_zstd_compress(zstd, ftri_bytes_view(&block->hashes), &block->packed[BLOCK_HASHES]);
    if (r == 0)
        r = ftri_zstd_compress(zstd, ftri_bytes_view(&block->mentions),
                               &block->packed[BLOCK_MENTIONS]);
    if (r == 0)
        r = ftri_zstd_compress(zstd, ftri_bytes_view(&block->names), &block->packed[BLOCK_NAMES]);
    if (r == 0)
        r = pack_columns(self, block, zstd);
    return r == 0 ? pack_bodies(self, block, zstd) : r;
}

int block_build(struct block *self, const struct found_span *spans, size_t n,
                struct ftri_zstd *zstd)
{
    struct builder builder;
    builder_init(&builder, spans, n);
    summarize(&self->summary, spans, n);
    int r = block_dictionary_make(&builder.dictionary, spans, n);
    if (r == 0)
        r = ftri_bytes_append(&self->names, builder.dictionary.names.data,
                              builder.dictionary.names.len);
    if (r == 0)
        r = write_appends(&builder);
    if (r == 0)
        r = order_rows(&builder);
    if (r == 0)
        r = write_traces(&builder, self);
    if (r == 0)
        r = block_hashes_write(spans, n, &self->hashes);
    if (r == 0)
        r = mention_builder_finish(&builder.mentions, &self->mentions);
    if (r == 0)
        r = pack(&builder, self, zstd);
    builder_deinit(&builder);
    return r;
}
