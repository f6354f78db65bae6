/* SPDX-License-Identifier: Apache-2.0 */
#include "api/jaeger_model.h"

#include "api/jaeger_tags.h"
#include "api/processes.h"
#include "codec/json_writer.h"
#include "otlp/view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NS_PER_US = 1000 };

static void write_reference(struct ftri_json_writer *json, ftr_str type, const uint8_t *trace_id,
                            const uint8_t *span_id)
{
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("refType"));
    ftri_json_str(json, type);
    ftri_json_name(json, FTR_STR("traceID"));
    ftri_json_hex(json, ftri_view_of(trace_id, 16));
    ftri_json_name(json, FTR_STR("spanID"));
    ftri_json_hex(json, ftri_view_of(span_id, 8));
    ftri_json_end_object(json);
}

/* OpenTelemetry's OpenTracing shim keeps the kind of a reference in an attribute of the link. */
static bool is_child_of(const struct ftri_otlp_link *link)
{
    struct ftri_view value;
    if (!ftri_otlp_attribute_find(FTRI_OTLP_LINK, link->bytes, FTR_STR("opentracing.ref_type"),
                                  &value))
        return false;
    const ftr_value type = ftri_otlp_value_read(value);
    return type.type == FTR_VALUE_STR && type.as.str.len == 8 &&
           memcmp(type.as.str.data, "child_of", 8) == 0;
}

static void write_references(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    static const uint8_t none[16];
    struct ftri_otlp_link link;
    ftri_json_name(json, FTR_STR("references"));
    ftri_json_begin_array(json);
    if (span->parent_span_id)
        write_reference(json, FTR_STR("CHILD_OF"), span->trace_id, span->parent_span_id);
    for (size_t next = 0; ftri_otlp_link_next(span->bytes, &next, &link);)
        if (memcmp(link.trace_id, none, sizeof none) != 0)
            write_reference(json,
                            is_child_of(&link) ? FTR_STR("CHILD_OF") : FTR_STR("FOLLOWS_FROM"),
                            link.trace_id, link.span_id);
    ftri_json_end_array(json);
}

static void write_log(struct ftri_json_writer *json, const struct ftri_otlp_event *event)
{
    struct ftri_view own;
    struct ftri_otlp_attribute field;
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("timestamp"));
    ftri_json_u64(json, event->time_ns / NS_PER_US);
    ftri_json_name(json, FTR_STR("fields"));
    ftri_json_begin_array(json);
    if (event->name.len &&
        !ftri_otlp_attribute_find(FTRI_OTLP_EVENT, event->bytes, FTR_STR("event"), &own))
        jaeger_tag_str(json, FTR_STR("event"), event->name);
    for (size_t next = 0; ftri_otlp_attribute_next(FTRI_OTLP_EVENT, event->bytes, &next, &field);)
        jaeger_tag_value(json, field.key, field.value);
    ftri_json_end_array(json);
    ftri_json_end_object(json);
}

static void write_logs(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    struct ftri_otlp_event event;
    ftri_json_name(json, FTR_STR("logs"));
    ftri_json_begin_array(json);
    for (size_t next = 0; ftri_otlp_event_next(span->bytes, &next, &event);)
        write_log(json, &event);
    ftri_json_end_array(json);
}

static void write_dropped(struct ftri_json_writer *json, uint32_t n, const char *what)
{
    char text[64];
    if (n == 0)
        return;
    snprintf(text, sizeof text, "%" PRIu32 " %s were dropped by the sender", n, what);
    ftri_json_str(json, ftr_str_from(text));
}

/* null where there is nothing to warn of. */
static void write_warnings(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    const bool is_unfinished = span->end_time_ns == 0;
    const bool is_reversed = !is_unfinished && span->end_time_ns < span->start_time_ns;
    ftri_json_name(json, FTR_STR("warnings"));
    if (!is_unfinished && !is_reversed && span->n_dropped_attributes == 0 &&
        span->n_dropped_events == 0 && span->n_dropped_links == 0) {
        ftri_json_null(json);
        return;
    }
    ftri_json_begin_array(json);
    if (is_unfinished)
        ftri_json_str(json, FTR_STR("the span has not ended"));
    if (is_reversed)
        ftri_json_str(json, FTR_STR("the span ends before it starts"));
    write_dropped(json, span->n_dropped_attributes, "attributes");
    write_dropped(json, span->n_dropped_events, "events");
    write_dropped(json, span->n_dropped_links, "links");
    ftri_json_end_array(json);
}

static void write_process_id(struct ftri_json_writer *json, size_t number,
                             void (*write)(struct ftri_json_writer *json, ftr_str text))
{
    char text[32];
    snprintf(text, sizeof text, "p%zu", number);
    write(json, ftr_str_from(text));
}

static void write_times(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    const uint64_t duration_ns =
        span->end_time_ns > span->start_time_ns ? span->end_time_ns - span->start_time_ns : 0;
    ftri_json_name(json, FTR_STR("startTime"));
    ftri_json_u64(json, span->start_time_ns / NS_PER_US);
    ftri_json_name(json, FTR_STR("duration"));
    ftri_json_u64(json, duration_ns / NS_PER_US);
}

static void write_span(struct ftri_json_writer *json, const struct ftri_otlp_span *span,
                       size_t process)
{
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("traceID"));
    ftri_json_hex(json, ftri_view_of(span->trace_id, 16));
    ftri_json_name(json, FTR_STR("spanID"));
    ftri_json_hex(json, ftri_view_of(span->span_id, 8));
    if (span->flags & 1) {
        ftri_json_name(json, FTR_STR("flags"));
        ftri_json_u64(json, 1);
    }
    ftri_json_name(json, FTR_STR("operationName"));
    ftri_json_str(json, span->name);
    write_references(json, span);
    write_times(json, span);
    ftri_json_name(json, FTR_STR("tags"));
    jaeger_tags_of_span(json, span);
    write_logs(json, span);
    ftri_json_name(json, FTR_STR("processID"));
    write_process_id(json, process, ftri_json_str);
    write_warnings(json, span);
    ftri_json_end_object(json);
}

static void write_process(struct ftri_json_writer *json, struct ftri_view resource)
{
    struct ftri_otlp_attribute attribute;
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("serviceName"));
    ftri_json_str(json, ftri_otlp_service_name(resource));
    ftri_json_name(json, FTR_STR("tags"));
    ftri_json_begin_array(json);
    for (size_t next = 0;
         ftri_otlp_attribute_next(FTRI_OTLP_RESOURCE, resource, &next, &attribute);) {
        const bool is_service =
            attribute.key.len == 12 && memcmp(attribute.key.data, "service.name", 12) == 0;
        if (!is_service)
            jaeger_tag_value(json, attribute.key, attribute.value);
    }
    ftri_json_end_array(json);
    ftri_json_end_object(json);
}

static void write_processes(struct ftri_json_writer *json, const struct processes *processes)
{
    ftri_json_name(json, FTR_STR("processes"));
    ftri_json_begin_object(json);
    for (size_t number = 1; number <= processes_count(processes); number++) {
        write_process_id(json, number, ftri_json_name);
        write_process(json, processes_resource(processes, number));
    }
    ftri_json_end_object(json);
}

static int write_spans(struct ftri_json_writer *json, const struct ftri_otlp_span *spans, size_t n,
                       struct processes *processes)
{
    int r = 0;
    ftri_json_name(json, FTR_STR("spans"));
    ftri_json_begin_array(json);
    for (size_t i = 0; r == 0 && i < n; i++) {
        size_t number = 0;
        r = processes_number(processes, spans[i].resource, &number);
        if (r == 0)
            write_span(json, &spans[i], number);
    }
    ftri_json_end_array(json);
    return r;
}

static void write_trace_warning(struct ftri_json_writer *json, const char *warning)
{
    ftri_json_name(json, FTR_STR("warnings"));
    if (!warning) {
        ftri_json_null(json);
        return;
    }
    ftri_json_begin_array(json);
    ftri_json_str(json, ftr_str_from(warning));
    ftri_json_end_array(json);
}

int jaeger_write_trace(struct ftri_json_writer *json, const struct ftri_otlp_span *spans, size_t n,
                       const char *warning)
{
    struct processes *const processes = processes_new(n);
    if (!processes)
        return -ENOMEM;
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("traceID"));
    ftri_json_hex(json, ftri_view_of(spans[0].trace_id, 16));
    const int r = write_spans(json, spans, n, processes);
    write_processes(json, processes);
    write_trace_warning(json, warning);
    ftri_json_end_object(json);
    processes_free(processes);
    return r;
}
