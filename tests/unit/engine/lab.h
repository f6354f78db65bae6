/* SPDX-License-Identifier: Apache-2.0
 *
 * A laboratory for graphs: nodes that do what a test says, and a loop that runs until nothing
 * moves. The tests call node_* themselves, as a node's own callbacks from sockets would. */
#pragma once

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "config/document.h"
#include "engine/frame.h"
#include "engine/graph.h"
#include "engine/records.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LAB_NODES = 2048, LAB_MESSAGES = 64, LAB_HELD = 20000, LAB_LOG = 64 };

struct lab_message {
    const char *node;
    enum control_kind kind;
    uint64_t calldata;
    struct result result;
};

static struct {
    struct loop *loop;
    struct loop_timer *watch;
    struct config_document *document;
    struct graph *graph;
    struct node *nodes[LAB_NODES]; /* started */
    size_t n_nodes;
    struct lab_message messages[LAB_MESSAGES]; /* all but timer ticks and wake-ups */
    size_t n_messages;
    size_t n_acks;                /* of all nodes */
    size_t n_answers;             /* to receivers */
    struct pdata *held[LAB_HELD]; /* by holders, in the order of arrival */
    const struct node *holders[LAB_HELD];
    size_t n_held;
    const char *started[LAB_LOG], *stopped[LAB_LOG];
    size_t n_started, n_stopped;
    size_t n_finished, n_drained, n_failed;
    bool is_freed_when_drained;
    char failed_node[64], failure[256];
    size_t n_exported;
    size_t n_messages_at_custody; /* when processor/custody last got a batch */
    uint64_t exported_items;
} lab;

struct lab_options {
    uint64_t n;
    bool is_permanent;
    bool is_failing;
};

static const struct option lab_rows[] = {
    {"n", OPTION_U64, offsetof(struct lab_options, n), "2", .min = 1, .max = 100000},
    {"permanent", OPTION_BOOL, offsetof(struct lab_options, is_permanent), "false"},
    {"failing", OPTION_BOOL, offsetof(struct lab_options, is_failing), "false"},
};

struct lab_merge_state {
    struct pdata *inputs[10000];
    size_t n;
};

static int lab_start_node(struct node *node, struct ftri_error *error)
{
    const struct lab_options *options = node_options(node);
    if (options->is_failing)
        return ftri_error_set(error, -5, "told to fail");
    if (lab.n_nodes < LAB_NODES)
        lab.nodes[lab.n_nodes++] = node;
    if (lab.n_started < LAB_LOG)
        lab.started[lab.n_started++] = node_id(node);
    return 0;
}

static void lab_stop_node(struct node *node)
{
    if (lab.n_stopped < LAB_LOG)
        lab.stopped[lab.n_stopped++] = node_id(node);
}

static void lab_log(struct node *node, const struct control *message)
{
    lab.n_acks += message->kind == CONTROL_ACK;
    if (lab.n_messages == LAB_MESSAGES)
        return;
    struct lab_message *entry = &lab.messages[lab.n_messages++];
    *entry = (struct lab_message){node_id(node), message->kind, message->calldata, {0}};
    if (message->result)
        entry->result = *message->result;
}

static void lab_receiver_control(struct node *node, const struct control *message)
{
    lab_log(node, message);
    lab.n_answers += message->result != NULL;
    if (message->kind == CONTROL_DRAIN_INGRESS)
        node_drained(node);
}

static void lab_pass(struct node *node, struct pdata *pdata)
{
    node_send(node, 0, pdata);
}

static void lab_hold(struct node *node, struct pdata *pdata)
{
    assert_true(lab.n_held < LAB_HELD);
    lab.holders[lab.n_held] = node;
    lab.held[lab.n_held++] = pdata;
}

static void lab_export(struct node *node, struct pdata *pdata)
{
    lab.n_exported++;
    lab.exported_items += pdata->n_items;
    node_event(node, pdata, "export_success", NULL, 0);
    node_ack(node, pdata);
}

static void lab_refuse(struct node *node, struct pdata *pdata)
{
    const struct lab_options *options = node_options(node);
    const struct result result = {
        .is_permanent = options->is_permanent, .cause = NACK_ROUTE_FULL, .reason = "disk full"};
    node_nack(node, pdata, &result);
}

static void lab_drop(struct node *node, struct pdata *pdata)
{
    node_drop(node, pdata, FTR_DROP_FILTERED);
}

/* To port a, then the input itself to port b. */
static void lab_split(struct node *node, struct pdata *pdata)
{
    struct pdata *child = node_derive(node, pdata, 0, 2);
    if (child)
        node_send(node, 0, child);
    node_send(node, 1, pdata);
}

static void lab_merge_all(struct node *node)
{
    struct lab_merge_state *state = node_state(node);
    if (state->n == 0)
        return;
    uint64_t n_items = 0;
    for (size_t i = 0; i < state->n; i++)
        n_items += state->inputs[i]->n_items;
    struct pdata *merged = node_merge(node, state->inputs, state->n);
    if (!merged) {
        const struct result result = {.reason = "memory is short"};
        for (size_t i = 0; i < state->n; i++)
            node_nack(node, state->inputs[i], &result);
    } else {
        merged->n_items = n_items;
        node_send(node, 0, merged);
    }
    state->n = 0;
}

static void lab_merge(struct node *node, struct pdata *pdata)
{
    struct lab_merge_state *state = node_state(node);
    const struct lab_options *options = node_options(node);
    state->inputs[state->n++] = pdata;
    if (state->n == options->n)
        lab_merge_all(node);
}

static void lab_merge_control(struct node *node, const struct control *message)
{
    if (message->kind == CONTROL_TIMER_TICK || message->kind == CONTROL_SHUTDOWN)
        lab_merge_all(node);
}

/* Takes custody: the input is settled, a watched copy goes on. */
static void lab_custody(struct node *node, struct pdata *pdata)
{
    lab.n_messages_at_custody = lab.n_messages;
    struct pdata *onward = node_derive_watched(node, pdata, 7);
    if (onward)
        node_send(node, 0, onward);
    node_ack(node, pdata);
}

/* Tries once more for each refusal that is not permanent, n times. */
static void lab_retry_attempt(struct node *node, struct pdata *pdata)
{
    struct pdata *onward = node_derive_watched(node, pdata, (uint64_t)(uintptr_t)pdata);
    const struct result result = {.reason = "memory is short"};
    if (onward)
        node_send(node, 0, onward);
    else
        node_nack(node, pdata, &result);
}

static void lab_retry_control(struct node *node, const struct control *message)
{
    struct lab_merge_state *state = node_state(node);
    const struct lab_options *options = node_options(node);
    struct pdata *input = (struct pdata *)(uintptr_t)message->calldata;
    if (message->kind == CONTROL_ACK) {
        node_ack(node, input);
    } else if (message->kind == CONTROL_NACK) {
        if (state->n++ < options->n && !message->result->is_permanent) {
            node_count_retry(node, input, (uint32_t)state->n, 0);
            lab_retry_attempt(node, input);
        } else {
            node_nack(node, input, message->result);
        }
    }
}

static void lab_twice(struct node *node, struct pdata *pdata)
{
    node_ack(node, pdata);
    node_ack(node, pdata);
}

static void lab_break(struct node *node, const struct control *message)
{
    (void)message;
    node_failed(node, "broken by a message");
}

static void lab_leak(struct node *node, struct pdata *pdata)
{
    (void)node, (void)pdata;
}

static const char *const lab_split_ports[] = {"a", "b", NULL};

#define LAB_CLASS(name, type_, kind_, ...)                                                         \
    static const struct node_class name = {                                                        \
        .type = type_,                                                                             \
        .kind = kind_,                                                                             \
        .options = {lab_rows, FTRI_COUNT(lab_rows), sizeof(struct lab_options)},                   \
        .start = lab_start_node,                                                                   \
        .stop = lab_stop_node,                                                                     \
        __VA_ARGS__}

LAB_CLASS(lab_receiver, "receiver/test", FTR_NODE_RECEIVER, .control = lab_receiver_control);
/* Never says that it has drained. */
LAB_CLASS(lab_stubborn, "receiver/stubborn", FTR_NODE_RECEIVER, .control = lab_log);
LAB_CLASS(lab_leak_class, "processor/leak", FTR_NODE_PROCESSOR, .consume = lab_leak);
LAB_CLASS(lab_pass_class, "processor/pass", FTR_NODE_PROCESSOR, .consume = lab_pass);
LAB_CLASS(lab_hold_class, "processor/hold", FTR_NODE_PROCESSOR, .consume = lab_hold,
          .control = lab_log, .is_stateful = true);
LAB_CLASS(lab_brittle_class, "processor/brittle", FTR_NODE_PROCESSOR, .consume = lab_pass,
          .control = lab_break);
LAB_CLASS(lab_split_class, "processor/split", FTR_NODE_PROCESSOR, .consume = lab_split,
          .ports = lab_split_ports);
LAB_CLASS(lab_drop_class, "processor/drop", FTR_NODE_PROCESSOR, .consume = lab_drop);
LAB_CLASS(lab_merge_class, "processor/merge", FTR_NODE_PROCESSOR, .consume = lab_merge,
          .control = lab_merge_control, .state_size = sizeof(struct lab_merge_state),
          .is_stateful = true);
LAB_CLASS(lab_custody_class, "processor/custody", FTR_NODE_PROCESSOR, .consume = lab_custody,
          .control = lab_log);
LAB_CLASS(lab_retry_class, "processor/retry", FTR_NODE_PROCESSOR, .consume = lab_retry_attempt,
          .control = lab_retry_control, .state_size = sizeof(struct lab_merge_state),
          .is_stateful = true);
LAB_CLASS(lab_twice_class, "exporter/twice", FTR_NODE_EXPORTER, .consume = lab_twice);
LAB_CLASS(lab_export_class, "exporter/test", FTR_NODE_EXPORTER, .consume = lab_export);
LAB_CLASS(lab_refuse_class, "exporter/refuse", FTR_NODE_EXPORTER, .consume = lab_refuse);
LAB_CLASS(lab_busy_class, "exporter/hold", FTR_NODE_EXPORTER, .consume = lab_hold,
          .control = lab_log);

static const struct node_class *const lab_classes[] = {
    &lab_leak_class,    &lab_stubborn,    &lab_receiver,      &lab_pass_class,
    &lab_hold_class,    &lab_split_class, &lab_drop_class,    &lab_merge_class,
    &lab_custody_class, &lab_retry_class, &lab_twice_class,   &lab_export_class,
    &lab_refuse_class,  &lab_busy_class,  &lab_brittle_class, NULL};

static void lab_on_finished(void *argument)
{
    (void)argument;
    lab.n_finished++;
}

static void lab_on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    lab.n_failed++;
    snprintf(lab.failed_node, sizeof lab.failed_node, "%s", node);
    snprintf(lab.failure, sizeof lab.failure, "%s", reason);
}

static void lab_on_drained(void *argument)
{
    (void)argument;
    lab.n_drained++;
    if (lab.is_freed_when_drained) {
        graph_free(lab.graph);
        lab.graph = NULL;
    }
}

/* Stops the loop when no turn is due and nobody is woken. */
static void lab_on_watch(void *argument)
{
    (void)argument;
    if (lab.graph && (lab.graph->is_turn_armed || atomic_load(&lab.graph->woken)))
        loop_timer_start(lab.watch, 0);
    else
        loop_stop(lab.loop);
}

FTRI_UNUSED static void lab_settle(void)
{
    loop_timer_start(lab.watch, 0);
    loop_run(lab.loop);
}

FTRI_UNUSED static void lab_check(void)
{
    struct ftri_error error = {{0}};
    if (graph_check_accounts(lab.graph, &error) < 0)
        fail_msg("%s", error.text);
}

/* Builds a graph from YAML; returns graph_new's code. */
FTRI_UNUSED static int lab_build(const char *yaml, size_t capacity, struct ftri_error *error)
{
    int r = config_parse(ftr_str_from(yaml), "g.yaml", &lab.document, error);
    if (r < 0)
        return r;
    const struct config_value *root = config_root(lab.document);
    const struct config_value *conventions = config_get(root, "conventions");
    const struct graph_options options = {
        .classes = lab_classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .pipeline = "main",
        .conventions = conventions ? config_text(conventions) : NULL,
        .channel_capacity = capacity,
        .on_finished = lab_on_finished,
        .on_failed = lab_on_failed,
        .on_drained = lab_on_drained,
    };
    return graph_new(lab.loop, &options, &lab.graph, error);
}

FTRI_UNUSED static void lab_run(const char *yaml, size_t capacity)
{
    struct ftri_error error = {{0}};
    if (lab_build(yaml, capacity, &error) < 0 || graph_start(lab.graph, &error) < 0)
        fail_msg("%s", error.text);
}

FTRI_UNUSED static int lab_open(void **state)
{
    (void)state;
    memset(&lab, 0, sizeof lab);
    lab.loop = loop_new(NULL);
    lab.watch = lab.loop ? loop_timer_new(lab.loop, lab_on_watch, NULL) : NULL;
    return lab.watch ? 0 : -1;
}

FTRI_UNUSED static int lab_close(void **state)
{
    (void)state;
    graph_free(lab.graph);
    config_free(lab.document);
    loop_timer_free(lab.watch);
    loop_free(lab.loop);
    return 0;
}

FTRI_UNUSED static struct node *lab_node(const char *id)
{
    for (size_t i = 0; i < lab.n_nodes; i++)
        if (strcmp(node_id(lab.nodes[i]), id) == 0)
            return lab.nodes[i];
    fail_msg("no node %s", id);
    return NULL;
}

FTRI_UNUSED static const struct node_account *lab_account(const char *id)
{
    return &lab_node(id)->account;
}

FTRI_UNUSED static const struct edge_account *lab_edge(const char *from, const char *to)
{
    struct graph_edge_view view;
    for (size_t i = 0; graph_edge_view(lab.graph, i, &view); i++)
        if (strcmp(view.from, from) == 0 && strcmp(view.to, to) == 0)
            return view.account;
    fail_msg("no edge");
    return NULL;
}

/* A watched batch of n items without payload out of a receiver; false: memory was short. */
FTRI_UNUSED static bool lab_ingest(const char *id, uint64_t n_items, uint64_t calldata)
{
    struct node *node = lab_node(id);
    struct pdata *pdata = node_ingest(node, FTR_SIGNAL_LOGS, NULL, true, calldata);
    if (!pdata)
        return false;
    pdata->n_items = n_items;
    node_send(node, 0, pdata);
    return true;
}

/* The only message with this calldata. */
FTRI_UNUSED static const struct lab_message *lab_answer(uint64_t calldata)
{
    const struct lab_message *found = NULL;
    for (size_t i = 0; i < lab.n_messages; i++) {
        const struct lab_message *one = &lab.messages[i];
        if (one->calldata != calldata || (one->kind != CONTROL_ACK && one->kind != CONTROL_NACK))
            continue;
        assert_null(found);
        found = one;
    }
    return found;
}

#define LAB(function) cmocka_unit_test_setup_teardown(function, lab_open, lab_close)
