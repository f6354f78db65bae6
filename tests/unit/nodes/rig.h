/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes in a real graph: `source` feeds it, nodes of type exporter/rig keep what reaches them and
 * answer as told. Time is real and delays are short; waiting is for a condition, never for a while.
 */
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "config/document.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "engine/node.h"
#include "engine/records.h"
#include "net/loop.h"
#include "nodes/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { RIG_ARRIVALS = 64, RIG_CLASSES = 32 };

/* `it` between source and sink. */
#define RIG_CHAIN(type, config)                                                                    \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  it: {type: " type ", config: " config "}\n"                                                 \
    "  sink: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: source, to: it}\n"                                                                 \
    "  - {from: it, to: sink}\n"

static const uint64_t RIG_DEADLINE_NS = 20 * FTRI_NS_PER_S;

struct rig_arrival {
    const char *node;
    struct records *records; /* referenced; NULL: telemetry */
    struct ftri_payload *otlp;
    struct ftri_payload *metadata;
    uint64_t n_items;
    uint32_t n_attempt;
    uint64_t at_ns;
};

static size_t rig_capacity; /* of channels; 0: as usual */

static struct {
    struct loop *loop;
    struct loop_timer *watch;
    struct config_document *document;
    struct graph *graph;
    struct node *source;
    struct rig_arrival arrivals[RIG_ARRIVALS];
    size_t n_arrivals;
    struct ftri_payload *metadata; /* of what is fed from now on */
    struct pdata *held;            /* by a sink told to hold */
    struct node *holder;
    size_t n_fed, n_acks, n_nacks;
    struct result refusal; /* the last */
    bool is_finished, is_drained, has_failed;
    bool (*condition)(void);
    uint64_t deadline_ns;
} rig;

struct rig_options {
    uint64_t refuse; /* so many batches, then they are accepted */
    bool is_permanent;
    bool is_holding;
    uint64_t retry_after_ns;
};

static const struct option rig_rows[] = {
    {"refuse", OPTION_U64, offsetof(struct rig_options, refuse), "0"},
    {"permanent", OPTION_BOOL, offsetof(struct rig_options, is_permanent), "false"},
    {"retry_after", OPTION_DURATION, offsetof(struct rig_options, retry_after_ns), "0s"},
    {"hold", OPTION_BOOL, offsetof(struct rig_options, is_holding), "false"},
};

static void rig_sink(struct node *node, struct pdata *pdata)
{
    const struct rig_options *options = node_options(node);
    uint64_t *n_seen = node_state(node);
    assert_true(rig.n_arrivals < RIG_ARRIVALS);
    rig.arrivals[rig.n_arrivals++] = (struct rig_arrival){
        .node = node_id(node),
        .records = pdata->records ? records_ref(pdata->records) : NULL,
        .otlp = pdata->otlp ? ftri_payload_ref(pdata->otlp) : NULL,
        .metadata = pdata->metadata ? ftri_payload_ref(pdata->metadata) : NULL,
        .n_items = pdata->n_items,
        .n_attempt = pdata->n_attempt,
        .at_ns = ftri_time_monotonic_ns(),
    };
    const struct result refusal = {.is_permanent = options->is_permanent,
                                   .retry_after_ns = options->retry_after_ns,
                                   .reason = "told to"};
    if (options->is_holding) {
        rig.held = pdata;
        rig.holder = node;
        node_set_accepting(node, false);
    } else if ((*n_seen)++ < options->refuse) {
        node_nack(node, pdata, &refusal);
    } else {
        node_ack(node, pdata);
    }
}

static int rig_start_source(struct node *node, struct ftri_error *error)
{
    (void)error;
    rig.source = node;
    return 0;
}

static void rig_control_source(struct node *node, const struct control *message)
{
    if (message->kind == CONTROL_DRAIN_INGRESS)
        node_drained(node);
    rig.n_acks += message->kind == CONTROL_ACK;
    rig.n_nacks += message->kind == CONTROL_NACK;
    if (message->kind == CONTROL_NACK)
        rig.refusal = *message->result;
}

static const struct node_class rig_source_class = {
    .type = "receiver/rig",
    .kind = FTR_NODE_RECEIVER,
    .options = {rig_rows, FTRI_COUNT(rig_rows), sizeof(struct rig_options)},
    .start = rig_start_source,
    .control = rig_control_source,
};

static const struct node_class rig_sink_class = {
    .type = "exporter/rig",
    .kind = FTR_NODE_EXPORTER,
    .options = {rig_rows, FTRI_COUNT(rig_rows), sizeof(struct rig_options)},
    .state_size = sizeof(uint64_t),
    .consume = rig_sink,
};

static void rig_on_finished(void *argument)
{
    (void)argument;
    rig.is_finished = true;
}

static void rig_on_drained(void *argument)
{
    (void)argument;
    rig.is_drained = true;
}

static void rig_on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    print_error("node %s failed: %s\n", node, reason);
    rig.has_failed = true;
}

static void rig_look(void *argument)
{
    (void)argument;
    if (rig.condition() || ftri_time_monotonic_ns() > rig.deadline_ns)
        loop_stop(rig.loop);
    else
        loop_timer_start(rig.watch, FTRI_NS_PER_MS);
}

/* Runs the loop until the condition holds. */
static void rig_wait(bool (*condition)(void))
{
    rig.condition = condition;
    rig.deadline_ns = ftri_time_monotonic_ns() + RIG_DEADLINE_NS;
    loop_timer_start(rig.watch, 0);
    loop_run(rig.loop);
    assert_true(condition());
}

static int rig_build(const char *text, struct ftri_error *error)
{
    static const struct node_class *classes[RIG_CLASSES] = {&rig_source_class, &rig_sink_class};
    for (size_t i = 0; nodes_registry[i]; i++)
        classes[i + 2] = nodes_registry[i];
    memset(&rig, 0, sizeof rig);
    rig.loop = loop_new(error);
    assert_non_null(rig.loop);
    rig.watch = loop_timer_new(rig.loop, rig_look, NULL);
    assert_non_null(rig.watch);
    assert_int_equal(config_parse(ftr_str_from(text), "graph", &rig.document, error), 0);
    const struct graph_options options = {
        .classes = classes,
        .nodes = config_get(config_root(rig.document), "nodes"),
        .connections = config_get(config_root(rig.document), "connections"),
        .channel_capacity = rig_capacity,
        .on_finished = rig_on_finished,
        .on_drained = rig_on_drained,
        .on_failed = rig_on_failed,
    };
    return graph_new(rig.loop, &options, &rig.graph, error);
}

static void rig_close(void)
{
    struct ftri_error error;
    if (rig.graph && graph_check_accounts(rig.graph, &error) < 0)
        fail_msg("%s", error.text);
    assert_false(rig.has_failed);
    graph_free(rig.graph);
    loop_timer_free(rig.watch);
    loop_free(rig.loop);
    config_free(rig.document);
    for (size_t i = 0; i < rig.n_arrivals; i++) {
        records_unref(rig.arrivals[i].records);
        ftri_payload_unref(rig.arrivals[i].otlp);
        ftri_payload_unref(rig.arrivals[i].metadata);
    }
    ftri_payload_unref(rig.metadata);
}

static FTRI_UNUSED void rig_open(const char *text)
{
    struct ftri_error error = {{0}};
    if (rig_build(text, &error) < 0 || graph_start(rig.graph, &error) < 0)
        fail_msg("%s", error.text);
}

/* The description is refused, and the error names place and reason. */
static FTRI_UNUSED void rig_refuse(const char *text, const char *place, const char *reason)
{
    struct ftri_error error = {{0}};
    assert_int_equal(rig_build(text, &error), -EINVAL);
    if (!strstr(error.text, place) || !strstr(error.text, reason))
        fail_msg("expected '%s' and '%s' in: %s", place, reason, error.text);
    rig.graph = NULL;
    rig_close();
}

static struct records *rig_records(const struct record *items, size_t n)
{
    struct records *records = records_new(SIZE_MAX / 2);
    assert_non_null(records);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(records_add(records, &items[i]), 0);
    records_seal(records);
    return records;
}

static FTRI_UNUSED void rig_send(struct pdata *pdata)
{
    pdata_set_metadata(pdata, rig.metadata ? ftri_payload_ref(rig.metadata) : NULL);
    rig.n_fed++;
    node_send(rig.source, 0, pdata);
}

static FTRI_UNUSED void rig_feed(const struct record *items, size_t n)
{
    struct pdata *pdata = node_ingest(rig.source, FTR_SIGNAL_RECORDS, NULL, true, 0);
    assert_non_null(pdata);
    pdata_set_records(pdata, rig_records(items, n));
    rig_send(pdata);
}

static FTRI_UNUSED void rig_feed_key(const char *key)
{
    const struct record record = {.key = ftr_str_from(key)};
    rig_feed(&record, 1);
}

/* Any bytes will do where nothing looks into them. */
static FTRI_UNUSED void rig_feed_telemetry(const char *bytes, uint64_t n_items)
{
    struct ftri_payload *payload = ftri_payload_copy(ftri_view_of(bytes, strlen(bytes)));
    struct pdata *pdata = node_ingest(rig.source, FTR_SIGNAL_TRACES, NULL, true, 0);
    assert_non_null(payload);
    assert_non_null(pdata);
    pdata_set_otlp(pdata, payload, n_items);
    rig_send(pdata);
}

static FTRI_UNUSED bool rig_is_settled(void)
{
    return rig.n_acks + rig.n_nacks == rig.n_fed;
}

static FTRI_UNUSED bool rig_is_drained(void)
{
    return rig.is_drained;
}

/* With more time than it takes. */
static FTRI_UNUSED void rig_drain(void)
{
    graph_drain(rig.graph, RIG_DEADLINE_NS / 2);
    rig_wait(rig_is_drained);
}

static FTRI_UNUSED bool rig_is_finished(void)
{
    return rig.is_finished;
}

static FTRI_UNUSED bool rig_is_held(void)
{
    return rig.held != NULL;
}

/* The i-th batch that reached a node; NULL: there is none. */
static FTRI_UNUSED const struct rig_arrival *rig_arrival(const char *node, size_t i)
{
    for (size_t j = 0; j < rig.n_arrivals; j++)
        if (strcmp(rig.arrivals[j].node, node) == 0 && i-- == 0)
            return &rig.arrivals[j];
    return NULL;
}

/* "a.log d.log": the keys of the i-th batch that reached a node; "-": there was none. */
static FTRI_UNUSED void rig_check_keys(const char *node, size_t i, const char *expected)
{
    char keys[512] = "-";
    size_t len = 0;
    const struct rig_arrival *arrival = rig_arrival(node, i);
    for (size_t j = 0; arrival && j < arrival->records->n_items; j++)
        len += (size_t)snprintf(keys + len, sizeof keys - len, "%s%.*s", j ? " " : "",
                                (int)arrival->records->items[j].key.len,
                                arrival->records->items[j].key.data);
    assert_string_equal(keys, expected);
}

static FTRI_UNUSED const struct node_account *rig_account(const char *node)
{
    struct graph_node_view view;
    for (size_t i = 0; graph_node_view(rig.graph, i, &view); i++)
        if (strcmp(view.id, node) == 0)
            return view.account;
    fail_msg("no node %s", node);
    return NULL;
}
