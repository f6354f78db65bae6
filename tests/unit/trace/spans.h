/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests share that look at recorded spans through the in-memory exporter. */
#pragma once

#include <flowtrace/flowtrace.h>

#include <setjmp.h>
#include <stdarg.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static ftr_memory_spans *spans;

static inline void start(ftr_config *config)
{
    spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    config->exporters = &exporter;
    config->n_exporters = 1;
    ftr_error error = {FTR_OK, ""};
    if (ftr_init(config, &error) != FTR_OK)
        fail_msg("%s", error.text);
}

static inline void start_standard(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    start(&config);
}

static inline void stop(void)
{
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    ftr_memory_spans_unref(spans);
}

static inline ftr_span_data flushed(size_t i)
{
    ftr_span_data span;
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_true(ftr_memory_spans_get(spans, i, &span));
    return span;
}

static inline void assert_text(ftr_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static inline const ftr_value *value_of(const ftr_span_data *span, const char *key)
{
    for (size_t i = 0; i < span->n_attributes; i++)
        if (span->attributes[i].key.len == strlen(key) &&
            memcmp(span->attributes[i].key.data, key, strlen(key)) == 0)
            return &span->attributes[i].value;
    return NULL;
}

static inline ftr_statistics counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    return statistics;
}

/* The span of that name; there is one. */
static inline ftr_span_data span_named(const char *name)
{
    ftr_span_data span;
    ftr_span_data found = {0};
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        if (span.name.len == strlen(name) && memcmp(span.name.data, name, span.name.len) == 0) {
            assert_null(found.name.data);
            found = span;
        }
    if (!found.name.data)
        fail_msg("no span %s", name);
    return found;
}

static inline void assert_is_child(const ftr_span_data *child, const ftr_span_data *parent)
{
    assert_memory_equal(&child->context.trace_id, &parent->context.trace_id, 16);
    assert_memory_equal(&child->parent_span_id, &parent->context.span_id, 8);
}

static inline void assert_text_attribute(const ftr_span_data *span, const char *key,
                                         const char *expected)
{
    const ftr_value *value = value_of(span, key);
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_STR);
    assert_text(value->as.str, expected);
}

static inline void assert_i64_attribute(const ftr_span_data *span, const char *key,
                                        int64_t expected)
{
    const ftr_value *value = value_of(span, key);
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_I64);
    assert_int_equal(value->as.i64, expected);
}
