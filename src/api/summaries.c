/* SPDX-License-Identifier: Apache-2.0 */
#include "api/summaries.h"

#include "base/map.h"
#include "base/mem.h"
#include "codec/json_writer.h"
#include "otlp/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct service {
    ftr_str name;
    size_t n_spans, n_errors;
};

struct summary {
    uint64_t start_ns, end_ns;
    const struct ftri_otlp_span *root; /* the earliest without a parent; NULL: none */
    size_t n_errors, n_orphans;
    struct service *services;
    size_t n_services;
    struct ftri_map by_name; /* of services */
    struct ftri_map ids;     /* of spans */
};

static int summary_init(struct summary *self, size_t n)
{
    *self = (struct summary){.start_ns = UINT64_MAX};
    ftri_map_init(&self->by_name, n);
    ftri_map_init(&self->ids, n);
    self->services = ftri_alloc_array(n, sizeof *self->services);
    return self->services ? 0 : -ENOMEM;
}

static void summary_deinit(struct summary *self)
{
    ftri_map_deinit(&self->by_name);
    ftri_map_deinit(&self->ids);
    ftri_free(self->services);
}

static ftr_str id_key(const uint8_t *span_id)
{
    return (ftr_str){(const char *)span_id, 8};
}

static int add_service(struct summary *self, const struct ftri_otlp_span *span)
{
    const ftr_str name = ftri_otlp_service_name(span->resource);
    struct service *service = ftri_map_get(&self->by_name, name);
    if (!service) {
        service = &self->services[self->n_services];
        const int r = ftri_map_set(&self->by_name, name, service);
        if (r < 0)
            return r;
        service->name = name;
        self->n_services++;
    }
    service->n_spans++;
    service->n_errors += span->status_code == FTRI_OTLP_STATUS_ERROR;
    return 0;
}

static int add_span(struct summary *self, const struct ftri_otlp_span *span)
{
    const uint64_t end_ns =
        span->end_time_ns > span->start_time_ns ? span->end_time_ns : span->start_time_ns;
    if (span->start_time_ns < self->start_ns)
        self->start_ns = span->start_time_ns;
    if (end_ns > self->end_ns)
        self->end_ns = end_ns;
    self->n_errors += span->status_code == FTRI_OTLP_STATUS_ERROR;
    if (!span->parent_span_id) {
        if (!self->root || span->start_time_ns < self->root->start_time_ns)
            self->root = span;
    } else if (!ftri_map_get(&self->ids, id_key(span->parent_span_id))) {
        self->n_orphans++;
    }
    return add_service(self, span);
}

static int summarize(struct summary *self, const struct ftri_otlp_span *spans, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = ftri_map_set(&self->ids, id_key(spans[i].span_id), (void *)(uintptr_t)&spans[i]);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_span(self, &spans[i]);
    return r;
}

static int by_name(const void *a, const void *b)
{
    const struct service *const left = a, *const right = b;
    const size_t n = ftri_size_min(left->name.len, right->name.len);
    const int order = n ? memcmp(left->name.data, right->name.data, n) : 0;
    return order ? order : (left->name.len > right->name.len) - (left->name.len < right->name.len);
}

static void write_count(struct ftri_json_writer *json, ftr_str name, size_t n)
{
    ftri_json_name(json, name);
    ftri_json_u64(json, n);
}

static void write_services(struct ftri_json_writer *json, const struct summary *self)
{
    qsort(self->services, self->n_services, sizeof *self->services, by_name);
    ftri_json_name(json, FTR_STR("services"));
    ftri_json_begin_array(json);
    for (size_t i = 0; i < self->n_services; i++) {
        ftri_json_begin_object(json);
        ftri_json_name(json, FTR_STR("name"));
        ftri_json_str(json, self->services[i].name);
        write_count(json, FTR_STR("spanCount"), self->services[i].n_spans);
        write_count(json, FTR_STR("errorSpanCount"), self->services[i].n_errors);
        ftri_json_end_object(json);
    }
    ftri_json_end_array(json);
}

static void write_summary(struct ftri_json_writer *json, const struct summary *self,
                          const uint8_t *trace_id, size_t n)
{
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("traceId"));
    ftri_json_hex(json, ftri_view_of(trace_id, 16));
    if (self->root) {
        ftri_json_name(json, FTR_STR("rootServiceName"));
        ftri_json_str(json, ftri_otlp_service_name(self->root->resource));
        ftri_json_name(json, FTR_STR("rootOperationName"));
        ftri_json_str(json, self->root->name);
    }
    ftri_json_name(json, FTR_STR("minStartTimeUnixNano"));
    ftri_json_u64_text(json, self->start_ns);
    ftri_json_name(json, FTR_STR("maxEndTimeUnixNano"));
    ftri_json_u64_text(json, self->end_ns);
    write_count(json, FTR_STR("spanCount"), n);
    write_count(json, FTR_STR("errorSpanCount"), self->n_errors);
    write_count(json, FTR_STR("orphanSpanCount"), self->n_orphans);
    write_services(json, self);
    ftri_json_end_object(json);
}

int summary_write(struct ftri_json_writer *json, const struct ftri_otlp_span *spans, size_t n)
{
    struct summary summary;
    int r = summary_init(&summary, n);
    if (r == 0)
        r = summarize(&summary, spans, n);
    if (r == 0)
        write_summary(json, &summary, spans[0].trace_id, n);
    summary_deinit(&summary);
    return r;
}
