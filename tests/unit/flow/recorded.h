/* SPDX-License-Identifier: Apache-2.0
 *
 * What the suites of visits share: the library with an in-memory exporter, three nodes, hops from
 * elsewhere, and looking at recorded spans. */
#pragma once

#include <flowtrace/flowtrace.h>

#include "base/mem.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS_NS UINT64_C(1000000000)

static ftr_memory_spans *spans;
static ftr_node *receiver, *processor, *exporter;

FTRI_UNUSED static ftr_node *new_node(ftr_str type, ftr_str id, ftr_node_kind kind,
                                      ftr_lineage lineage)
{
    const ftr_node_options options = {
        .size = sizeof options,
        .id = id,
        .type = type,
        .kind = kind,
        .pipeline = FTR_STR("main"),
        .is_stateful = kind == FTR_NODE_PROCESSOR,
        .lineage = lineage,
    };
    ftr_node *const node = ftr_node_new(&options);
    assert_non_null(node);
    return node;
}

FTRI_UNUSED static int set_up(void **state)
{
    (void)state;
    spans = ftr_memory_spans_new();
    ftr_exporter *const memory = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("test");
    config.exporters = &memory;
    config.n_exporters = 1;
    if (ftr_init(&config, NULL))
        return -1;
    receiver =
        new_node(FTR_STR("receiver/otlp"), FTR_STR("rcv-1"), FTR_NODE_RECEIVER, FTR_LINEAGE_FULL);
    processor = new_node(FTR_STR("processor/batch"), FTR_STR("proc-2"), FTR_NODE_PROCESSOR,
                         FTR_LINEAGE_FULL);
    exporter =
        new_node(FTR_STR("exporter/http"), FTR_STR("exp-1"), FTR_NODE_EXPORTER, FTR_LINEAGE_FULL);
    return 0;
}

FTRI_UNUSED static int tear_down(void **state)
{
    (void)state;
    const ftr_status status = ftr_shutdown(10 * SECONDS_NS);
    ftr_node_free(receiver);
    ftr_node_free(processor);
    ftr_node_free(exporter);
    ftr_memory_spans_unref(spans);
    return status == FTR_OK ? 0 : -1;
}

FTRI_UNUSED static bool is_text(ftr_str a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

/* The only span of this name. */
FTRI_UNUSED static ftr_span_data span_named(const char *name)
{
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    ftr_span_data span, found = {0};
    size_t n = 0;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        if (is_text(span.name, name)) {
            found = span;
            n++;
        }
    }
    assert_int_equal(n, 1);
    return found;
}

FTRI_UNUSED static const ftr_value *find(const ftr_attribute *attributes, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (is_text(attributes[i].key, key))
            return &attributes[i].value;
    return NULL;
}

FTRI_UNUSED static const ftr_value *attribute(const ftr_span_data *span, const char *key)
{
    return find(span->attributes, span->n_attributes, key);
}

FTRI_UNUSED static void assert_i64(const ftr_value *value, int64_t expected)
{
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_I64);
    assert_int_equal(value->as.i64, expected);
}

FTRI_UNUSED static void assert_str(const ftr_value *value, const char *expected)
{
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_STR);
    assert_true(is_text(value->as.str, expected));
}

/* How far the visits' clock may be from CLOCK_MONOTONIC, see trace/clock.h. */
#define CLOCK_MS 0.01

FTRI_UNUSED static double f64(const ftr_value *value)
{
    assert_non_null(value);
    assert_int_equal(value->type, FTR_VALUE_F64);
    return value->as.f64;
}

FTRI_UNUSED static void assert_same_span(const ftr_span_context *a, const ftr_span_context *b)
{
    assert_memory_equal(&a->trace_id, &b->trace_id, sizeof a->trace_id);
    assert_memory_equal(&a->span_id, &b->span_id, sizeof a->span_id);
}

/* A hop from somewhere else: ids made of its number. */
FTRI_UNUSED static ftr_hop hop_from(uint32_t number, bool is_sampled)
{
    ftr_hop hop = {.context.span.trace_flags = is_sampled ? FTR_TRACE_FLAG_SAMPLED : 0};
    for (size_t i = 0; i < 4; i++) {
        hop.context.span.trace_id.bytes[12 + i] = (uint8_t)(number >> (24 - 8 * i));
        hop.context.span.span_id.bytes[4 + i] = (uint8_t)(number >> (24 - 8 * i));
    }
    hop.context.span.trace_id.bytes[0] = 0x5A;
    hop.context.span.span_id.bytes[0] = 0xA5;
    return hop;
}

FTRI_UNUSED static ftr_arrival arrival_of(uint64_t n_items)
{
    return (ftr_arrival){.size = sizeof(ftr_arrival),
                         .signal = FTR_SIGNAL_LOGS,
                         .n_items = n_items,
                         .n_bytes = 100 * n_items,
                         .queue_depth = 2,
                         .queue_capacity = 64};
}

/* One visit without outputs over these inputs. */
FTRI_UNUSED static void visit_once(const ftr_node *node, const ftr_hop *inputs, size_t n_inputs)
{
    ftr_visit visit;
    const ftr_arrival arrival = arrival_of(1);
    ftr_visit_start(&visit, node, inputs, n_inputs, &arrival);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, (ftr_str){0});
}

FTRI_UNUSED static void spin(uint64_t ns)
{
    const uint64_t start_ns = ftri_time_monotonic_ns();
    while (ftri_time_monotonic_ns() - start_ns < ns)
        ;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
