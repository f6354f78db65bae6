/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of a block: spans with their bytes rebuilt, kept for an answer or visited one by one.
 */
#include "store/block.h"

#include "base/mem.h"
#include "store/block_prefix.h"
#include "store/varint.h"

#include <errno.h>
#include <string.h>

enum { PLAIN_LIMIT_BYTES = 1 << 30 };

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
static int add_spans(const struct block_trace *trace, struct ftri_view plain,
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
    const struct block_trace trace = block_find_trace(rows, trace_id);
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

/* --- visiting ------------------------------------------------------------------------------ */

struct visiting {
    struct ftri_view bodies;
    size_t bodies_start;
    struct ftri_bytes message; /* of one row at a time */
    block_visit *visit;
    void *argument;
};

static int begin_visiting(struct visiting *self, struct ftri_view bodies, block_visit *visit,
                          void *argument)
{
    struct origins origins;
    const int r = read_origins(bodies, &origins);
    if (r < 0)
        return r;
    ftri_free(origins.rows);
    *self = (struct visiting){bodies, origins.end, {0}, visit, argument};
    ftri_bytes_init(&self->message, PLAIN_LIMIT_BYTES);
    return 0;
}

static int visit_row(struct visiting *self, const struct block_row *row)
{
    ftri_bytes_reset(&self->message);
    const int r = rebuild(row, self->bodies, self->bodies_start, &self->message);
    return r < 0 ? r : self->visit(self->argument, row, ftri_bytes_view(&self->message));
}

int block_visit_trace(const struct block_rows *rows, struct ftri_view bodies,
                      const uint8_t *trace_id, block_visit *visit, void *argument)
{
    struct visiting visiting;
    const struct block_trace trace = trace_id ? block_find_trace(rows, trace_id)
                                              : (struct block_trace){rows->rows, rows->n_rows};
    int r = begin_visiting(&visiting, bodies, visit, argument);
    if (r < 0)
        return r;
    for (size_t i = 0; i < trace.n && r == 0; i++)
        r = visit_row(&visiting, &trace.rows[i]);
    ftri_bytes_deinit(&visiting.message);
    return r;
}

int block_visit_rows(const struct block_rows *rows, struct ftri_view bodies,
                     const uint32_t *numbers, size_t n, block_visit *visit, void *argument)
{
    struct visiting visiting;
    int r = begin_visiting(&visiting, bodies, visit, argument);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && r == 0; i++)
        r = numbers[i] < rows->n_rows ? visit_row(&visiting, &rows->rows[numbers[i]]) : -EBADMSG;
    ftri_bytes_deinit(&visiting.message);
    return r;
}
