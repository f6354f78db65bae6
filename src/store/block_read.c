/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a block. Streams stick at the first thing that is wrong; what a row refers to is checked
 * before it is used. */
#include "store/block.h"

#include "base/mem.h"
#include "codec/zstd.h"
#include "store/block_prefix.h"
#include "store/varint.h"

#include <errno.h>
#include <string.h>

enum { PLAIN_LIMIT_BYTES = 1 << 30 };

/* In the order in which they stand. */
struct columns {
    struct stream traces, span_ids, parents, starts, durations, flags, pairs, origins, appends,
        lengths;
    bool is_bad;
};

static struct columns open_columns(struct ftri_view plain)
{
    struct stream all = stream_of(plain);
    struct columns columns;
    struct stream *const streams[] = {
        &columns.traces, &columns.span_ids, &columns.parents, &columns.starts,  &columns.durations,
        &columns.flags,  &columns.pairs,    &columns.origins, &columns.appends, &columns.lengths};
    for (size_t i = 0; i < FTRI_COUNT(streams); i++)
        *streams[i] = stream_of(stream_text(&all));
    columns.is_bad = all.is_bad;
    return columns;
}

static bool has_bad_stream(const struct columns *columns)
{
    return columns->is_bad || columns->traces.is_bad || columns->span_ids.is_bad ||
           columns->parents.is_bad || columns->starts.is_bad || columns->durations.is_bad ||
           columns->flags.is_bad || columns->pairs.is_bad || columns->origins.is_bad ||
           columns->appends.is_bad || columns->lengths.is_bad;
}

struct pair {
    ftr_str service, name;
};

struct append {
    uint64_t received_ns, order;
};

struct reading {
    struct columns columns;
    struct pair *pairs;
    struct append *appends;
    size_t n_pairs, n_appends;
    uint64_t last_start;
    size_t body_offset;
};

static void reading_deinit(struct reading *self)
{
    ftri_free(self->pairs);
    ftri_free(self->appends);
}

static int read_pairs(struct reading *self, struct ftri_view names)
{
    struct stream stream = stream_of(names);
    const uint64_t n = stream_varint(&stream);
    if (stream.is_bad || n > names.len / 2)
        return -EBADMSG;
    self->n_pairs = (size_t)n;
    self->pairs = ftri_alloc_array(self->n_pairs, sizeof *self->pairs);
    if (!self->pairs)
        return -ENOMEM;
    for (size_t i = 0; i < self->n_pairs; i++) {
        self->pairs[i].service = ftri_view_str(stream_text(&stream));
        self->pairs[i].name = ftri_view_str(stream_text(&stream));
    }
    return stream.is_bad ? -EBADMSG : 0;
}

static int read_appends(struct reading *self)
{
    struct stream *stream = &self->columns.appends;
    const uint64_t n = stream_varint(stream);
    if (stream->is_bad || n > (uint64_t)(stream->end - stream->next) / 2)
        return -EBADMSG;
    self->n_appends = (size_t)n;
    self->appends = ftri_alloc_array(self->n_appends, sizeof *self->appends);
    if (!self->appends)
        return -ENOMEM;
    struct append last = {0};
    for (size_t i = 0; i < self->n_appends; i++) {
        last.received_ns += unzigzag(stream_varint(stream));
        last.order += unzigzag(stream_varint(stream));
        self->appends[i] = last;
    }
    return stream->is_bad ? -EBADMSG : 0;
}

static bool read_parent(struct reading *self, struct block_row *row, const struct block_row *trace,
                        size_t n_trace)
{
    const uint64_t code = stream_varint(&self->columns.parents);
    if (code == 1)
        row->parent_span_id = stream_take(&self->columns.parents, 8);
    else if (code >= 2 && code - 2 < n_trace)
        row->parent_span_id = trace[code - 2].span_id;
    else
        return code == 0;
    return row->parent_span_id != NULL;
}

static bool read_row(struct reading *self, struct block_row *row)
{
    struct columns *columns = &self->columns;
    self->last_start += unzigzag(stream_varint(&columns->starts));
    const uint64_t duration = unzigzag(stream_varint(&columns->durations));
    const uint8_t *flags = stream_take(&columns->flags, 1);
    const uint64_t pair = stream_varint(&columns->pairs);
    const uint64_t append = stream_varint(&columns->appends);
    if (!flags || pair >= self->n_pairs || append >= self->n_appends)
        return false;
    row->received_ns = self->appends[append].received_ns;
    row->order = self->appends[append].order;
    row->is_cut = (*flags & 2) != 0;
    row->kind = *flags >> 2 & 7;
    row->fields = (struct match_fields){
        .service = self->pairs[pair].service,
        .name = self->pairs[pair].name,
        .start_ns = self->last_start,
        .end_ns = *flags & 1 ? self->last_start + duration : 0,
        .is_error = (*flags & 0x80) != 0,
    };
    row->origin = (size_t)stream_varint(&columns->origins);
    row->body_offset = self->body_offset;
    row->body_len = (size_t)stream_varint(&columns->lengths);
    if (row->body_len > PLAIN_LIMIT_BYTES)
        return false;
    self->body_offset += row->body_len;
    return self->body_offset <= PLAIN_LIMIT_BYTES;
}

/* Span ids first: a parent may be a later row of its trace. */
static bool read_trace_rows(struct reading *self, struct block_row *trace, size_t n,
                            const uint8_t *trace_id)
{
    for (size_t i = 0; i < n; i++) {
        trace[i] = (struct block_row){.trace_id = trace_id};
        trace[i].span_id = stream_take(&self->columns.span_ids, 8);
        if (!trace[i].span_id)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!read_parent(self, &trace[i], trace, n) || !read_row(self, &trace[i]))
            return false;
    return true;
}

static bool read_all(struct reading *self, struct block_rows *rows)
{
    size_t row = 0;
    while (row < rows->n_rows) {
        const uint8_t *trace_id = stream_take(&self->columns.traces, 16);
        const uint64_t n = stream_varint(&self->columns.traces);
        if (!trace_id || n == 0 || n > rows->n_rows - row ||
            !read_trace_rows(self, &rows->rows[row], (size_t)n, trace_id))
            return false;
        row += (size_t)n;
    }
    return !has_bad_stream(&self->columns);
}

int block_read_rows(struct ftri_view names, struct ftri_view columns, struct block_rows *ret_rows)
{
    struct reading reading = {.columns = open_columns(columns)};
    const struct stream *ids = &reading.columns.span_ids, *flags = &reading.columns.flags;
    const size_t n = (size_t)(flags->end - flags->next);
    if (has_bad_stream(&reading.columns) || (size_t)(ids->end - ids->next) != n * 8)
        return -EBADMSG;
    struct block_rows rows = {.rows = ftri_alloc_array(n, sizeof *rows.rows), .n_rows = n};
    int r = rows.rows ? read_pairs(&reading, names) : -ENOMEM;
    if (r == 0)
        r = read_appends(&reading);
    if (r == 0 && !read_all(&reading, &rows))
        r = -EBADMSG;
    reading_deinit(&reading);
    if (r < 0)
        block_rows_deinit(&rows);
    else
        *ret_rows = rows;
    return r;
}

int block_unpack(struct ftri_view packed, struct ftri_zstd *zstd, struct ftri_bytes *ret_plain)
{
    ftri_bytes_init(ret_plain, PLAIN_LIMIT_BYTES);
    const int r = ftri_zstd_decompress(zstd, packed, ret_plain);
    /* More than a block's limit is not a block. */
    return r == -EMSGSIZE ? -EBADMSG : r;
}

void block_rows_deinit(struct block_rows *self)
{
    ftri_free(self->rows);
    *self = (struct block_rows){0};
}

struct origin {
    struct ftri_view resource, scope, resource_url, scope_url;
};

struct origins {
    struct origin *rows;
    size_t n_rows;
    size_t end; /* where the bodies begin */
};

static int read_origins(struct ftri_view bodies, struct origins *ret_origins)
{
    struct stream stream = stream_of(bodies);
    const uint64_t n = stream_varint(&stream);
    if (stream.is_bad || n > bodies.len / 4)
        return -EBADMSG;
    struct origin *rows = ftri_alloc_array((size_t)n, sizeof *rows);
    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        rows[i].resource = stream_text(&stream);
        rows[i].scope = stream_text(&stream);
        rows[i].resource_url = stream_text(&stream);
        rows[i].scope_url = stream_text(&stream);
    }
    if (stream.is_bad) {
        ftri_free(rows);
        return -EBADMSG;
    }
    *ret_origins = (struct origins){rows, (size_t)n, (size_t)(stream.next - bodies.data)};
    return 0;
}

/* Appends the whole Span message of a row. */
static int rebuild(const struct block_row *row, struct ftri_view bodies, size_t bodies_start,
                   struct ftri_bytes *out)
{
    const size_t room = bodies.len - bodies_start;
    if (row->body_offset > room || row->body_len > room - row->body_offset)
        return -EBADMSG;
    int r = row->is_cut ? block_prefix_write(row, out) : 0;
    if (r == 0)
        r = ftri_bytes_append(out, bodies.data + bodies_start + row->body_offset, row->body_len);
    return r;
}

struct trace_rows {
    const struct block_row *rows;
    size_t n;
};

static struct trace_rows find_rows(const struct block_rows *rows, const uint8_t trace_id[16])
{
    size_t low = 0, high = rows->n_rows;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (memcmp(rows->rows[middle].trace_id, trace_id, 16) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < rows->n_rows && memcmp(rows->rows[end].trace_id, trace_id, 16) == 0)
        end++;
    return (struct trace_rows){rows->rows + low, end - low};
}

static int add_span(const struct block_row *row, const struct origins *origins,
                    struct ftri_view message, struct result_builder *builder)
{
    if (row->origin >= origins->n_rows)
        return -EBADMSG;
    const struct origin *origin = &origins->rows[row->origin];
    struct found_span found = {.received_ns = row->received_ns,
                               .order = row->order,
                               .is_fragment = match_is_fragment(&row->fields)};
    struct ftri_otlp_span *span = &found.span;
    ftri_otlp_span_read(message, span);
    if (!span->trace_id || !span->span_id)
        return -EBADMSG;
    span->resource = origin->resource;
    span->scope = origin->scope;
    span->resource_schema_url = ftri_view_str(origin->resource_url);
    span->scope_schema_url = ftri_view_str(origin->scope_url);
    return result_add(builder, &found);
}

/* Rebuilds all before reading any: growing bytes move. */
static int add_spans(const struct trace_rows *trace, struct ftri_view plain,
                     const struct origins *origins, struct result_builder *builder)
{
    struct ftri_bytes messages;
    ftri_bytes_init(&messages, PLAIN_LIMIT_BYTES);
    int r = 0;
    for (size_t i = 0; i < trace->n && r == 0; i++)
        r = rebuild(&trace->rows[i], plain, origins->end, &messages);
    const uint8_t *next = messages.data;
    if (r == 0)
        r = result_keep_bytes(builder, &messages);
    for (size_t i = 0; i < trace->n && r == 0; i++) {
        const struct block_row *row = &trace->rows[i];
        const size_t len = row->body_len + (row->is_cut ? block_prefix_size(row) : 0);
        r = add_span(row, origins, ftri_view_of(next, len), builder);
        next += len;
    }
    ftri_bytes_deinit(&messages);
    return r;
}

int block_read_trace(const struct block_rows *rows, struct ftri_bytes *bodies,
                     const uint8_t trace_id[16], struct result_builder *builder)
{
    const struct trace_rows trace = find_rows(rows, trace_id);
    if (trace.n == 0)
        return 0;
    const struct ftri_view plain = ftri_bytes_view(bodies);
    struct origins origins = {0};
    int r = result_keep_bytes(builder, bodies);
    if (r == 0)
        r = read_origins(plain, &origins);
    if (r == 0)
        r = add_spans(&trace, plain, &origins, builder);
    ftri_free(origins.rows);
    return r;
}

int block_judge_trace(const struct block_rows *rows, struct ftri_bytes *columns,
                      const uint8_t trace_id[16], struct result_builder *builder)
{
    const struct trace_rows trace = find_rows(rows, trace_id);
    int r = trace.n ? result_keep_bytes(builder, columns) : 0;
    for (size_t i = 0; i < trace.n && r == 0; i++) {
        const struct block_row *row = &trace.rows[i];
        const struct found_span found = {
            .span = {.trace_id = row->trace_id,
                     .span_id = row->span_id,
                     .start_time_ns = row->fields.start_ns,
                     .end_time_ns = row->fields.end_ns},
            .received_ns = row->received_ns,
            .order = row->order,
            .is_fragment = match_is_fragment(&row->fields),
            .is_match = match_span(builder->query, &row->fields),
        };
        r = result_add(builder, &found);
    }
    return r;
}

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

bool block_has_hash(struct ftri_view hashes, const uint8_t trace_id[16])
{
    const uint64_t wanted = block_hash(trace_id);
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

int block_read_names(struct ftri_view names,
                     int (*each)(void *argument, ftr_str service, ftr_str name), void *argument)
{
    struct stream stream = stream_of(names);
    const uint64_t n = stream_varint(&stream);
    for (uint64_t i = 0; i < n && !stream.is_bad; i++) {
        const struct ftri_view service = stream_text(&stream);
        const struct ftri_view name = stream_text(&stream);
        const int r =
            stream.is_bad ? -EBADMSG : each(argument, ftri_view_str(service), ftri_view_str(name));
        if (r < 0)
            return r;
    }
    return stream.is_bad ? -EBADMSG : 0;
}
