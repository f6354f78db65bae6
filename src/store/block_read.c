/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a block. Streams stick at the first thing that is wrong; what a row refers to is checked
 * before it is used. */
#include "store/block.h"

#include "base/mem.h"
#include "codec/zstd.h"
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

/* The rows of one trace in a block. */
struct trace_place {
    const uint8_t *id; /* NULL: it is not there */
    size_t n_before, n_rows;
};

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

/* Passes over the first n rows. Only what later rows build on is read. */
static void skip_rows(struct reading *self, size_t n)
{
    struct columns *columns = &self->columns;
    (void)stream_take(&columns->span_ids, (uint64_t)n * 8);
    (void)stream_take(&columns->flags, n);
    stream_skip_varints(&columns->durations, n);
    stream_skip_varints(&columns->pairs, n);
    stream_skip_varints(&columns->origins, n);
    stream_skip_varints(&columns->appends, n);
    for (size_t i = 0; i < n; i++)
        if (stream_varint(&columns->parents) == 1)
            (void)stream_take(&columns->parents, 8);
    for (size_t i = 0; i < n; i++)
        self->last_start += unzigzag(stream_varint(&columns->starts));
    for (size_t i = 0; i < n && self->body_offset <= PLAIN_LIMIT_BYTES; i++)
        self->body_offset += (size_t)stream_varint(&columns->lengths);
}

/* Where the rows of a trace are, those before it, of n_rows in all. False: something is wrong. */
static bool find_trace(struct reading *self, const uint8_t trace_id[16], size_t n_rows,
                       struct trace_place *ret_place)
{
    struct stream *traces = &self->columns.traces;
    *ret_place = (struct trace_place){.n_before = 0};
    while (traces->next < traces->end) {
        const uint8_t *id = stream_take(traces, 16);
        const uint64_t n = stream_varint(traces);
        if (!id || traces->is_bad || n > n_rows - ret_place->n_before)
            return false;
        if (memcmp(id, trace_id, 16) == 0) {
            ret_place->id = id;
            ret_place->n_rows = (size_t)n;
            return true;
        }
        ret_place->n_before += (size_t)n;
    }
    return true;
}

static int read_one(struct reading *self, const uint8_t trace_id[16], size_t n_rows,
                    struct block_rows *rows)
{
    struct trace_place place;
    if (!find_trace(self, trace_id, n_rows, &place))
        return -EBADMSG;
    if (place.n_rows == 0)
        return 0;
    rows->rows = ftri_alloc_array(place.n_rows, sizeof *rows->rows);
    if (!rows->rows)
        return -ENOMEM;
    rows->n_rows = place.n_rows;
    skip_rows(self, place.n_before);
    const bool is_good = self->body_offset <= PLAIN_LIMIT_BYTES &&
                         read_trace_rows(self, rows->rows, rows->n_rows, place.id);
    return is_good && !has_bad_stream(&self->columns) ? 0 : -EBADMSG;
}

static int read_every(struct reading *self, size_t n_rows, struct block_rows *rows)
{
    rows->rows = ftri_alloc_array(n_rows, sizeof *rows->rows);
    if (!rows->rows)
        return -ENOMEM;
    rows->n_rows = n_rows;
    return read_all(self, rows) ? 0 : -EBADMSG;
}

int block_read_rows(struct ftri_view names, struct ftri_view columns, const uint8_t *trace_id,
                    struct block_rows *ret_rows)
{
    struct reading reading = {.columns = open_columns(columns)};
    const struct stream *ids = &reading.columns.span_ids, *flags = &reading.columns.flags;
    const size_t n = (size_t)(flags->end - flags->next);
    if (has_bad_stream(&reading.columns) || (size_t)(ids->end - ids->next) != n * 8)
        return -EBADMSG;
    struct block_rows rows = {0};
    int r = read_pairs(&reading, names);
    if (r == 0)
        r = read_appends(&reading);
    if (r == 0)
        r = trace_id ? read_one(&reading, trace_id, n, &rows) : read_every(&reading, n, &rows);
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

struct block_trace block_find_trace(const struct block_rows *rows, const uint8_t trace_id[16])
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
    return (struct block_trace){rows->rows + low, end - low};
}

int block_judge_trace(const struct block_rows *rows, struct ftri_bytes *columns,
                      const uint8_t trace_id[16], struct result_builder *builder)
{
    const struct block_trace trace = block_find_trace(rows, trace_id);
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
