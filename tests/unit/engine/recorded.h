/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph of lab.h whose spans are kept: RECORDED(test) begins and ends a session around it. */
#pragma once

#include "lab.h"

#include <flowtrace/flowtrace.h>

#define SECONDS_NS UINT64_C(1000000000)

static ftr_memory_spans *spans;

static inline int open_recording(void **state)
{
    spans = ftr_memory_spans_new();
    ftr_exporter *const memory = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("test");
    config.exporters = &memory;
    config.n_exporters = 1;
    return ftr_init(&config, NULL) ? -1 : lab_open(state);
}

static inline int close_recording(void **state)
{
    ftri_time_real();
    const int r = lab_close(state);
    const ftr_status status = ftr_shutdown(10 * SECONDS_NS);
    ftr_memory_spans_unref(spans);
    return r == 0 && status == FTR_OK ? 0 : -1;
}

static inline bool is_text(ftr_str a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

/* The n-th span of this name; all spans that were started have ended. */
static inline ftr_span_data span_named(const char *name, size_t n)
{
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        if (is_text(span.name, name) && n-- == 0)
            return span;
    fail_msg("no span %s", name);
    return span;
}

static inline size_t count_spans(void)
{
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    return ftr_memory_spans_count(spans);
}

static inline uint64_t open_spans(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    return statistics.open;
}

static inline const ftr_value *find(const ftr_attribute *attributes, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (is_text(attributes[i].key, key))
            return &attributes[i].value;
    return NULL;
}

static inline const ftr_value *attribute(const ftr_span_data *span, const char *key)
{
    return find(span->attributes, span->n_attributes, key);
}

static inline void assert_str(const ftr_span_data *span, const char *key, const char *expected)
{
    const ftr_value *value = attribute(span, key);
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_STR);
    if (!is_text(value->as.str, expected))
        fail_msg("%s is %.*s", key, (int)value->as.str.len, value->as.str.data);
}

static inline void assert_i64(const ftr_span_data *span, const char *key, int64_t expected)
{
    const ftr_value *value = attribute(span, key);
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_I64);
    assert_int_equal(value->as.i64, expected);
}

static inline const ftr_event_data *event(const ftr_span_data *span, const char *name)
{
    for (size_t i = 0; i < span->n_events; i++)
        if (is_text(span->events[i].name, name))
            return &span->events[i];
    return NULL;
}

static inline void assert_child(const ftr_span_data *child, const ftr_span_data *parent)
{
    assert_memory_equal(&child->context.trace_id, &parent->context.trace_id, 16);
    assert_memory_equal(&child->parent_span_id, &parent->context.span_id, 8);
}

static const char holding[] = "nodes:\n"
                              "  in: {type: receiver/test}\n"
                              "  h: {type: processor/hold}\n"
                              "  out: {type: exporter/test}\n"
                              "connections: [{from: in, to: h}, {from: h, to: out}]";

#define RECORDED(function)                                                                         \
    cmocka_unit_test_setup_teardown(function, open_recording, close_recording)
