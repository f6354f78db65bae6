/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of user tracing share: two sinks, one for each pipeline. */
#pragma once

#include "spans.h"

#include <flowtrace/user_scope.h>

static ftr_memory_spans *user_spans;

static inline void start_users(ftr_config *config, ftr_user_config *user)
{
    user_spans = ftr_memory_spans_new();
    user->is_enabled = true;
    user->exporter = ftr_memory_exporter_new(user_spans);
    config->user = user;
    start(config);
}

static inline void start_both(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    start_users(&config, &user);
}

static inline void stop_both(void)
{
    stop();
    ftr_memory_spans_unref(user_spans);
}

static inline ftr_statistics user_counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_user_statistics(&statistics);
    return statistics;
}

static inline size_t n_user_spans(void)
{
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    return ftr_memory_spans_count(user_spans);
}

static inline size_t n_system_spans(void)
{
    assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    return ftr_memory_spans_count(spans);
}

/* The user span of that name; there is one. */
static inline ftr_span_data user_span_named(const char *name)
{
    ftr_memory_spans *systems = spans;
    spans = user_spans;
    const ftr_span_data found = span_named(name);
    spans = systems;
    return found;
}

static inline ftr_span root_of(const char *name, const char *customer)
{
    const ftr_str text = ftr_str_from(customer);
    const ftr_routing routing = ftr_text_routing_of(&text);
    return ftr_user_trace_start(ftr_str_from(name), &routing, NULL);
}
