/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/payload.h"
#include "config/document.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "engine/node.h"
#include "net/loop.h"
#include "nodes/environment.h"
#include "nodes/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES_MAX = 64, TEXT_MAX = 4096, ITEMS = 512 };

struct chain {
    struct config_document *document;
    struct loop *loop;
    struct graph *graph;
    struct nodes_environment environment;
    const struct node_class *classes[CLASSES_MAX];
    struct node *source;
    struct ftri_payload *payload;
    ftr_context origin;
    uint64_t n_wanted, n_sent, n_settled;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-hop: %s\n", what);
    exit(1);
}

static struct chain *chain_of(const struct node *node)
{
    struct nodes_environment *environment = node_environment(node);
    return FTRI_CONTAINER(environment, struct chain, environment);
}

static void send_what_fits(struct chain *self)
{
    while (self->n_sent < self->n_wanted && node_can_send(self->source)) {
        struct pdata *pdata =
            node_ingest(self->source, FTR_SIGNAL_TRACES, &self->origin, true, self->n_sent++);
        if (!pdata)
            fail("memory is short");
        pdata_set_otlp(pdata, ftri_payload_ref(self->payload), ITEMS);
        node_send(self->source, 0, pdata);
    }
}

static void settled(struct chain *self, const struct control *message)
{
    if (message->kind == CONTROL_NACK)
        fail(message->result->reason);
    if (message->calldata != self->n_settled)
        fail("batches changed their order");
    if (++self->n_settled == self->n_wanted)
        loop_stop(self->loop);
}

static void repeat_control(struct node *node, const struct control *message)
{
    struct chain *self = chain_of(node);
    switch (message->kind) {
    case CONTROL_ACK:
    case CONTROL_NACK:
        settled(self, message);
        break;
    case CONTROL_WAKEUP:
    case CONTROL_RESUME_DATA:
        send_what_fits(self);
        break;
    case CONTROL_DRAIN_INGRESS:
        node_drained(node);
        break;
    default:
        break;
    }
}

static int repeat_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    chain_of(node)->source = node;
    return 0;
}

static const struct node_class receiver_repeat = {
    .type = "receiver/repeat",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Sends one payload over and over.",
    .start = repeat_start,
    .control = repeat_control,
};

static void list_classes(struct chain *self)
{
    size_t n = 0;
    self->classes[n++] = &receiver_repeat;
    for (const struct node_class *const *i = nodes_registry; *i; i++) {
        if (n + 1 == CLASSES_MAX)
            fail("too many classes");
        self->classes[n++] = *i;
    }
}

static void write_yaml(size_t n_processors, char text[TEXT_MAX])
{
    size_t at = (size_t)snprintf(text, TEXT_MAX, "nodes:\n  in: {type: receiver/repeat}\n");
    for (size_t i = 0; i < n_processors; i++)
        at += (size_t)snprintf(text + at, TEXT_MAX - at,
                               "  p%zu: {type: processor/memory_limiter}\n", i);
    at += (size_t)snprintf(text + at, TEXT_MAX - at,
                           "  out: {type: exporter/noop}\nconnections:\n  - {from: in, to: p0}\n");
    for (size_t i = 0; i + 1 < n_processors; i++)
        at += (size_t)snprintf(text + at, TEXT_MAX - at, "  - {from: p%zu, to: p%zu}\n", i, i + 1);
    snprintf(text + at, TEXT_MAX - at, "  - {from: p%zu, to: out}\n", n_processors - 1);
}

static void on_drained(void *argument)
{
    struct chain *self = argument;
    loop_stop(self->loop);
}

static void on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    fprintf(stderr, "node %s: ", node);
    fail(reason);
}

static void on_finished(void *argument)
{
    (void)argument;
}

static void start(struct chain *self, struct ftri_error *error)
{
    const struct config_value *root = config_root(self->document);
    const struct graph_options options = {
        .classes = self->classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .pipeline = "bench",
        .environment = &self->environment,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
        .argument = self,
    };
    if (graph_new(self->loop, &options, &self->graph, error) < 0 ||
        graph_start(self->graph, error) < 0)
        fail(error->text);
}

struct chain *chain_new(size_t n_processors)
{
    struct chain *self = ftri_zalloc(sizeof *self);
    char text[TEXT_MAX];
    struct ftri_error error = {.text = "memory is short"};
    if (!self)
        fail(error.text);
    list_classes(self);
    write_yaml(n_processors, text);
    self->payload = ftri_payload_copy((struct ftri_view){(const uint8_t *)text, sizeof text});
    self->loop = loop_new(&error);
    if (!self->payload || !self->loop ||
        config_parse(ftr_str_from(text), "chain", &self->document, &error) < 0)
        fail(error.text);
    start(self, &error);
    return self;
}

void chain_run(struct chain *self, size_t n, enum chain_origin origin)
{
    self->origin = (ftr_context){.span = {.trace_id = {{1}}, .span_id = {{1}}}};
    self->origin.span.trace_flags = origin == CHAIN_SAMPLED ? FTR_TRACE_FLAG_SAMPLED : 0;
    self->n_wanted += n;
    node_wakeup(self->source);
    loop_run(self->loop);
}

void chain_check(struct chain *self)
{
    struct ftri_error error;
    struct graph_node_view view;
    graph_drain(self->graph, UINT64_C(5000000000));
    loop_run(self->loop);
    if (graph_check_accounts(self->graph, &error) < 0)
        fail(error.text);
    for (size_t i = 0; graph_node_view(self->graph, i, &view); i++)
        if (strcmp(view.id, "in") != 0 && view.account->received != self->n_wanted * ITEMS)
            fail("items were lost");
}

void chain_free(struct chain *self)
{
    graph_free(self->graph);
    loop_free(self->loop);
    config_free(self->document);
    ftri_payload_unref(self->payload);
    ftri_free(self);
}
