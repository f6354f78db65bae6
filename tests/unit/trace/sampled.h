/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of sampling share: sessions with a sampler, roots, remote parents, what was told.
 */
#pragma once

#include "probe.h"

#include <stdio.h>

static ftr_memory_spans *spans;
static char told[1024];

static inline void remember(void *argument, const char *text)
{
    (void)argument;
    const size_t len = strlen(told);
    snprintf(told + len, sizeof told - len, "%s\n", text);
}

static inline ftr_config config_of(const char *sampler, const char *argument)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.sampler = ftr_str_from(sampler);
    config.sampler_argument = ftr_str_from(argument);
    config.on_diagnostic = remember;
    return config;
}

static inline void start(ftr_config *config)
{
    spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    config->exporters = &exporter;
    config->n_exporters = 1;
    told[0] = '\0';
    ftr_error error = {FTR_OK, ""};
    if (ftr_init(config, &error) != FTR_OK)
        fail_msg("%s", error.text);
}

static inline void start_named(const char *sampler, const char *argument)
{
    ftr_config config = config_of(sampler, argument);
    start(&config);
}

static inline void stop(void)
{
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    ftr_memory_spans_unref(spans);
}

static inline size_t n_recorded(void)
{
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    return ftr_memory_spans_count(spans);
}

static inline ftr_span start_root(void)
{
    return ftr_span_start(FTR_STR("root"), FTR_KIND_SERVER, NULL);
}

static inline bool is_root_taken(void)
{
    const ftr_span span = start_root();
    const bool is_taken = ftr_span_is_recording(span);
    ftr_span_end(span);
    return is_taken;
}

static inline bool is_taken_below(const ftr_context *parent)
{
    const ftr_span span = ftr_span_start(FTR_STR("below"), FTR_KIND_SERVER, parent);
    const bool is_taken = ftr_span_is_recording(span);
    ftr_span_end(span);
    return is_taken;
}

/* As a carrier would have brought it. Release it. */
static inline ftr_context remote(const char *traceparent, const char *tracestate)
{
    ftr_field room[2] = {{FTR_STR("traceparent"), ftr_str_from(traceparent)},
                         {FTR_STR("tracestate"), ftr_str_from(tracestate)}};
    ftr_field_list list = {.fields = room, .n_fields = 2};
    return ftr_extract(&ftr_map_carrier, &list);
}

/* The last 8 bytes: half of all. */
#define SAMPLED "00-0102030405060708fe80000000000000-00f067aa0ba902b7-03"
#define UNSAMPLED "00-0102030405060708fe80000000000000-00f067aa0ba902b7-02"

static inline void assert_text(ftr_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static inline ftr_span_data recorded(size_t i)
{
    ftr_span_data span;
    assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
    assert_true(ftr_memory_spans_get(spans, i, &span));
    return span;
}

static inline ftr_span start_override(double ratio, const ftr_context *parent)
{
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("forced"),
                                      .parent = parent,
                                      .has_sampling_ratio = true,
                                      .sampling_ratio = ratio};
    return ftr_span_start_with(&options);
}

static inline bool is_override_taken(double ratio, const ftr_context *parent)
{
    const ftr_span span = start_override(ratio, parent);
    const bool is_taken = ftr_span_is_recording(span);
    ftr_span_end(span);
    return is_taken;
}
