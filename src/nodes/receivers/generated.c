/* SPDX-License-Identifier: Apache-2.0
 *
 * All three requests have one shape, so one function writes them:
 *
 *   request { 1: Resource... { 1: resource, 2: Scope... { 1: scope, 2: items } } }
 *   items: Span; LogRecord; Metric { 1: name, 3: unit, 5: Gauge { 1: NumberDataPoint } } */
#include "nodes/receivers/generated.h"

#include "base/time.h"
#include "codec/wire.h"
#include "engine/records.h"
#include "nodes/draw.h"
#include "otlp/encode.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <stdio.h>

enum { ATTRIBUTES = 4, KEYS = 16, SEVERITY_INFO = 9 };

/* What one item is made of. */
struct item {
    ftr_attribute attributes[ATTRIBUTES];
    uint64_t duration_ns;
    int64_t size;
    bool is_ok;
};

static struct item draw_item(struct generated *self)
{
    static const ftr_str tenants[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
    struct item item = {.size = (int64_t)(draw_u64(&self->drawn) % 1000)};
    const ftr_str tenant = tenants[draw_u64(&self->drawn) % FTRI_COUNT(tenants)];
    item.is_ok = draw_u64(&self->drawn) % 10 != 0;
    item.duration_ns = draw_u64(&self->drawn) % (100 * FTRI_NS_PER_MS);
    item.attributes[0] =
        (ftr_attribute){FTR_STR("sequence"), ftr_value_i64((int64_t)self->n_items++)};
    item.attributes[1] = (ftr_attribute){FTR_STR("tenant"), ftr_value_str(tenant)};
    item.attributes[2] = (ftr_attribute){FTR_STR("size"), ftr_value_i64(item.size)};
    item.attributes[3] = (ftr_attribute){FTR_STR("ok"), ftr_value_bool(item.is_ok)};
    return item;
}

int generated_records(struct generated *self, size_t n, uint64_t now_ns, struct records *records)
{
    for (size_t i = 0; i < n; i++) {
        const struct item item = draw_item(self);
        char key[32];
        const int len = snprintf(key, sizeof key, "key-%llu",
                                 (unsigned long long)(draw_u64(&self->drawn) % KEYS));
        const struct record record = {.key = {key, (size_t)len},
                                      .value = {"", 0},
                                      .event_time_ns = now_ns,
                                      .attributes = item.attributes,
                                      .n_attributes = ATTRIBUTES};
        if (records_add(records, &record) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void draw_id(struct generated *self, uint8_t *id, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        const uint64_t bits = draw_u64(&self->drawn) | 1; /* never all zero */
        memcpy(id + i, &bits, 8);
    }
}

static int put_span(struct generated *self, uint64_t now_ns, struct ftri_bytes *out)
{
    const struct item item = draw_item(self);
    ftr_span_data span = {.size = sizeof span,
                          .name = FTR_STR("generated"),
                          .kind = FTR_KIND_INTERNAL,
                          .start_time_ns = now_ns - item.duration_ns,
                          .end_time_ns = now_ns,
                          .attributes = item.attributes,
                          .n_attributes = ATTRIBUTES,
                          .status = item.is_ok ? FTR_SPAN_UNSET : FTR_SPAN_ERROR};
    draw_id(self, span.context.trace_id.bytes, sizeof span.context.trace_id.bytes);
    draw_id(self, span.context.span_id.bytes, sizeof span.context.span_id.bytes);
    return ftri_otlp_encode_span(&span, out);
}

/* Time 1, severity 2, severity text 3, body 5, attributes 6, observed time 11. */
static int put_log(struct generated *self, uint64_t now_ns, struct ftri_bytes *out)
{
    const struct item item = draw_item(self);
    const ftr_str severity = item.is_ok ? FTR_STR("INFO") : FTR_STR("ERROR");
    size_t mark = 0, body = 0;
    int r = ftri_wire_begin(out, 2, &mark);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 1, now_ns);
    if (r == 0)
        r = ftri_wire_put_varint(out, 2, item.is_ok ? SEVERITY_INFO : 2 * SEVERITY_INFO - 1);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 3, ftri_view_of(severity.data, severity.len));
    if (r == 0)
        r = ftri_wire_begin(out, 5, &body);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 1, ftri_view_of("generated", 9));
    if (r == 0)
        r = ftri_wire_end(out, body);
    if (r == 0)
        r = ftri_otlp_encode_attributes(item.attributes, ATTRIBUTES, 6, out);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 11, now_ns);
    return r == 0 ? ftri_wire_end(out, mark) : r;
}

/* Time 3, as_int 6, attributes 7. */
static int put_point(struct generated *self, uint64_t now_ns, struct ftri_bytes *out)
{
    const struct item item = draw_item(self);
    size_t mark = 0;
    int r = ftri_wire_begin(out, 1, &mark);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 3, now_ns);
    if (r == 0)
        r = ftri_wire_put_fixed64(out, 6, (uint64_t)item.size);
    if (r == 0)
        r = ftri_otlp_encode_attributes(item.attributes, ATTRIBUTES, 7, out);
    return r == 0 ? ftri_wire_end(out, mark) : r;
}

static int put_metric(struct generated *self, size_t n, uint64_t now_ns, struct ftri_bytes *out)
{
    size_t metric = 0, gauge = 0;
    int r = ftri_wire_begin(out, 2, &metric);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 1, ftri_view_of("generated.size", 14));
    if (r == 0)
        r = ftri_wire_put_bytes(out, 3, ftri_view_of("By", 2));
    if (r == 0)
        r = ftri_wire_begin(out, 5, &gauge);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = put_point(self, now_ns, out);
    if (r == 0)
        r = ftri_wire_end(out, gauge);
    return r == 0 ? ftri_wire_end(out, metric) : r;
}

static int put_items(struct generated *self, ftr_signal signal, size_t n, uint64_t now_ns,
                     struct ftri_bytes *out)
{
    if (signal == FTR_SIGNAL_METRICS)
        return put_metric(self, n, now_ns, out);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = signal == FTR_SIGNAL_LOGS ? put_log(self, now_ns, out) : put_span(self, now_ns, out);
    return r;
}

static int put_origin(const struct generated *self, struct ftri_bytes *out)
{
    const ftr_attribute service = {FTR_STR("service.name"),
                                   ftr_value_str(ftr_str_from(self->service))};
    size_t mark = 0;
    int r = ftri_wire_begin(out, 1, &mark);
    if (r == 0)
        r = ftri_otlp_encode_resource(&service, 1, out);
    return r == 0 ? ftri_wire_end(out, mark) : r;
}

int generated_telemetry(struct generated *self, ftr_signal signal, size_t n, uint64_t now_ns,
                        struct ftri_bytes *out)
{
    size_t group = 0, scope = 0;
    int r = ftri_wire_begin(out, 1, &group);
    if (r == 0)
        r = put_origin(self, out);
    if (r == 0)
        r = ftri_wire_begin(out, 2, &scope);
    if (r == 0)
        r = put_items(self, signal, n, now_ns, out);
    if (r == 0)
        r = ftri_wire_end(out, scope);
    return r == 0 ? ftri_wire_end(out, group) : r;
}
