/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/batch.h"

#include "base/mem.h"
#include "otlp/encode.h"
#include "otlp/envelope.h"
#include "trace/encode.h"
#include "trace/origin.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <string.h>

/* A batch may exceed its nominal size by one span. */
#define BATCH_LIMIT ((size_t)1 << 30)

/* Before each span of a routed batch; 16 bytes, as records are aligned. */
struct mark {
    uint32_t routing; /* 0: the span was taken */
    uint32_t reserved;
    uint64_t size;
};
_Static_assert(sizeof(struct mark) == 16, "records stay aligned");

void ftri_batch_init(struct ftri_batch *self)
{
    *self = (struct ftri_batch){.next = NULL};
    ftri_bytes_init(&self->bytes, BATCH_LIMIT);
}

void ftri_batch_deinit(struct ftri_batch *self)
{
    ftri_bytes_deinit(&self->bytes);
}

struct ftri_batch *ftri_batch_new(void)
{
    struct ftri_batch *self = ftri_alloc(sizeof *self);
    if (self)
        ftri_batch_init(self);
    return self;
}

void ftri_batch_free(struct ftri_batch *self)
{
    if (!self)
        return;
    ftri_batch_deinit(self);
    ftri_free(self);
}

void ftri_batches_free(struct ftri_batch *first)
{
    while (first) {
        struct ftri_batch *next = first->next;
        ftri_batch_free(first);
        first = next;
    }
}

int ftri_batch_begin(struct ftri_batch *self, const struct ftri_origin *origin, bool is_otlp,
                     bool is_routed)
{
    const size_t room = is_otlp && !is_routed
                            ? ftri_otlp_envelope_size(origin->resource_otlp, origin->scope_name,
                                                      origin->scope_version, BATCH_LIMIT)
                            : 0;
    ftri_bytes_reset(&self->bytes);
    if (ftri_bytes_reserve(&self->bytes, room) < 0)
        return -ENOMEM;
    self->next = NULL;
    self->is_otlp = is_otlp;
    self->is_routed = is_routed;
    self->n_spans = 0;
    self->since_ns = 0;
    self->room = self->bytes.len = room;
    return 0;
}

/* ---- in ---- */

static int append_record(struct ftri_bytes *out, const struct ftri_record *record)
{
    const size_t size = ftri_record_copy_size(record);
    const int rc = ftri_bytes_reserve(out, size);
    if (rc < 0)
        return rc;
    ftri_record_copy(record, out->data + out->len);
    out->len += size;
    return 0;
}

static int read_and_encode(const struct ftri_record *record, struct ftri_bytes *reading,
                           struct ftri_bytes *out)
{
    ftri_bytes_reset(reading);
    const int rc = ftri_bytes_reserve(reading, ftri_record_scratch(record->stream_len));
    if (rc < 0)
        return rc;
    ftr_span_data span;
    (void)ftri_record_read(record, reading->data, &span);
    return ftri_otlp_encode_span(&span, out);
}

static FTRI_ALWAYS_INLINE int append_span(struct ftri_batch *self, const struct ftri_record *record,
                                          struct ftri_bytes *reading)
{
    struct ftri_bytes *out = &self->bytes;
    if (!self->is_otlp)
        return append_record(out, record);
    const int rc = ftri_encode_record(record, out);
    return rc == FTRI_ENCODE_NOT_SIMPLE ? read_and_encode(record, reading, out) : rc;
}

static int append_marked(struct ftri_batch *self, const struct ftri_record *record,
                         uint32_t routing, struct ftri_bytes *reading)
{
    struct ftri_bytes *out = &self->bytes;
    struct mark mark = {.routing = routing};
    const size_t at = out->len;
    int rc = ftri_bytes_append(out, &mark, sizeof mark);
    if (rc == 0)
        rc = append_span(self, record, reading);
    if (rc < 0) {
        out->len = at;
        return rc;
    }
    mark.size = out->len - at - sizeof mark;
    memcpy(out->data + at, &mark, sizeof mark);
    return 0;
}

int ftri_batch_append(struct ftri_batch *self, const struct ftri_record *record, uint32_t routing,
                      struct ftri_bytes *reading)
{
    return FTRI_UNLIKELY(self->is_routed) ? append_marked(self, record, routing, reading)
                                          : append_span(self, record, reading);
}

/* ---- in parts ---- */

/* The next span with its mark at *at, which moves behind it; NULL: there are no more. */
static uint8_t *next_marked(const struct ftri_batch *self, size_t *at, struct mark *ret_mark)
{
    if (*at == self->bytes.len)
        return NULL;
    uint8_t *marked = self->bytes.data + *at;
    memcpy(ret_mark, marked, sizeof *ret_mark);
    *at += sizeof *ret_mark + ret_mark->size;
    return marked;
}

/* *rc: of the bytes so far; once they fail, spans are only counted. */
static void move_span(uint8_t *marked, struct mark mark, struct ftri_batch *part, int *rc)
{
    if (*rc == 0)
        *rc = ftri_bytes_append(&part->bytes, marked + sizeof mark, mark.size);
    part->n_spans++;
    mark.routing = 0;
    memcpy(marked, &mark, sizeof mark);
}

int ftri_batch_split(struct ftri_batch *self, const struct ftri_origin *origin,
                     struct ftri_batch *part, uint32_t *ret_routing)
{
    struct mark mark;
    size_t at = 0;
    uint32_t routing = 0;
    int rc = ftri_batch_begin(part, origin, self->is_otlp, false);
    part->n_spans = 0;
    for (uint8_t *marked; (marked = next_marked(self, &at, &mark));) {
        if (routing == 0)
            routing = mark.routing;
        if (routing != 0 && mark.routing == routing)
            move_span(marked, mark, part, &rc);
    }
    *ret_routing = routing;
    return rc;
}

/* ---- out ---- */

/* The records in the exporters' form. */
static int read_spans(const struct ftri_batch *self, struct ftri_bytes *scratch,
                      ftr_export_batch *ret_batch)
{
    const size_t table = self->n_spans * sizeof(ftr_span_data);
    const size_t size = ftri_record_scratch(self->bytes.len) + self->n_spans * 64;
    ftri_bytes_reset(scratch);
    const int rc = ftri_bytes_reserve(scratch, table + size);
    if (rc < 0)
        return rc;
    ftr_span_data *spans = (ftr_span_data *)(void *)scratch->data;
    uint8_t *room = scratch->data + table;
    const uint8_t *at = self->bytes.data;
    for (size_t i = 0; i < self->n_spans; i++) {
        const struct ftri_record *record = (const struct ftri_record *)(const void *)at;
        room += ftri_record_read(record, room, &spans[i]);
        at += record->size;
    }
    ret_batch->spans = spans;
    return 0;
}

static void wrap_spans(struct ftri_batch *self, const struct ftri_origin *origin,
                       ftr_export_batch *ret_batch)
{
    uint8_t *spans = self->bytes.data + self->room;
    uint8_t *first = ftri_otlp_envelope_write(origin->resource_otlp, origin->scope_name,
                                              origin->scope_version, spans, ftri_batch_len(self));
    ret_batch->otlp = first;
    ret_batch->otlp_len = self->bytes.len - (size_t)(first - self->bytes.data);
}

int ftri_batch_present(struct ftri_batch *self, const struct ftri_origin *origin,
                       struct ftri_bytes *scratch, ftr_export_batch *ret_batch)
{
    *ret_batch = (ftr_export_batch){
        .size = sizeof *ret_batch,
        .n_spans = self->n_spans,
        .resource = origin->resource,
        .n_resource = origin->n_resource,
    };
    if (!self->is_otlp)
        return read_spans(self, scratch, ret_batch);
    wrap_spans(self, origin, ret_batch);
    return 0;
}
