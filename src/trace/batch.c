/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/batch.h"

#include "base/mem.h"
#include "otlp/encode.h"
#include "otlp/envelope.h"
#include "trace/encode.h"
#include "trace/origin.h"

#include <errno.h>
#include <flowtrace/exporter.h>

/* A batch may exceed its nominal size by one span. */
#define BATCH_LIMIT ((size_t)1 << 30)

struct ftri_batch *ftri_batch_new(void)
{
    struct ftri_batch *self = ftri_zalloc(sizeof *self);
    if (self)
        ftri_bytes_init(&self->bytes, BATCH_LIMIT);
    return self;
}

void ftri_batch_free(struct ftri_batch *self)
{
    if (!self)
        return;
    ftri_bytes_deinit(&self->bytes);
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

int ftri_batch_begin(struct ftri_batch *self, const struct ftri_origin *origin, bool is_otlp)
{
    const size_t room = is_otlp ? ftri_otlp_envelope_size(origin->resource_otlp, origin->scope_name,
                                                          origin->scope_version, BATCH_LIMIT)
                                : 0;
    ftri_bytes_reset(&self->bytes);
    if (ftri_bytes_reserve(&self->bytes, room) < 0)
        return -ENOMEM;
    self->next = NULL;
    self->is_otlp = is_otlp;
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

int ftri_batch_append(struct ftri_batch *self, const struct ftri_record *record,
                      struct ftri_bytes *reading)
{
    struct ftri_bytes *out = &self->bytes;
    if (!self->is_otlp)
        return append_record(out, record);
    const int rc = ftri_encode_record(record, out);
    return rc == FTRI_ENCODE_NOT_SIMPLE ? read_and_encode(record, reading, out) : rc;
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
