/* SPDX-License-Identifier: Apache-2.0
 *
 * node_wakeup may come from any thread: a woken node pushes itself on a lock-free stack, once until
 * it is taken off, and the first on the stack wakes the loop. */
#include "engine/scheduler.h"

#include "base/time.h"
#include "engine/action.h"
#include "engine/channel.h"
#include "engine/count.h"
#include "engine/drain.h"
#include "engine/frame.h"
#include "engine/instance.h"
#include "engine/meter.h"
#include "engine/path.h"
#include "engine/pdata_pool.h"
#include "engine/visit.h"
#include "net/loop.h"

#include <errno.h>

enum { TURN_BURST = 512, DATA_BURST = 16, CONTROL_BURST = 16 };

void scheduler_arm(struct graph *graph)
{
    if (graph->is_turn_armed || !graph->turn)
        return;
    graph->is_turn_armed = true;
    loop_timer_start(graph->turn, 0);
}

void scheduler_ready(struct node *node)
{
    if (ftri_list_is_empty(&node->ready))
        ftri_list_append(&node->graph->ready, &node->ready);
    scheduler_arm(node->graph);
}

void scheduler_post(struct node *node, struct message *message)
{
    ftri_list_append(&node->control, &message->link);
    scheduler_ready(node);
}

void scheduler_control(struct node *node, enum control_kind kind)
{
    struct message *const message = &node->messages[kind];
    if (node->is_stopped || !ftri_list_is_empty(&message->link))
        return;
    message->kind = kind;
    scheduler_post(node, message);
}

static struct frame *frame_of(struct message *message)
{
    return FTRI_CONTAINER(message, struct frame, message);
}

static bool is_about_frame(const struct message *message)
{
    return message->kind == CONTROL_ACK || message->kind == CONTROL_NACK;
}

void scheduler_clear(struct node *node)
{
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&node->control)) != NULL) {
        struct message *const message = FTRI_CONTAINER(entry, struct message, link);
        if (is_about_frame(message))
            frame_unref(frame_of(message));
    }
}

static void call_control(struct node *node, const struct control *control)
{
    if (control->kind == CONTROL_RESUME_DATA)
        node->wants_resume = false;
    if (!node->class->control) {
        meter_add(&node->meter->controls[control->kind][METER_RESULT_IGNORED], 1);
        return;
    }
    const bool had_failed = node->graph->failed != NULL;
    node->graph->active = node;
    node->handling = control->kind;
    node->is_handling = true;
    node->n_handled++;
    action_begin_at(node, control->kind);
    node->class->control(node, control);
    action_handled_at(node, control->kind);
    node->is_handling = false;
    node->graph->active = NULL;
    const bool has_failed = !had_failed && node->graph->failed == node;
    meter_add(
        &node->meter->controls[control->kind][has_failed ? METER_RESULT_FAILED : METER_RESULT_DONE],
        1);
    frame_rest_all(node->graph);
}

static void deliver_control(struct node *node)
{
    struct message *const message =
        FTRI_CONTAINER(ftri_list_pop(&node->control), struct message, link);
    struct control control = {.kind = message->kind,
                              .deadline_ns = node->shutdown_ns,
                              .is_memory_short = node->graph->is_memory_short};
    if (!is_about_frame(message)) {
        call_control(node, &control);
        return;
    }
    struct frame *const frame = frame_of(message);
    control.calldata = frame->calldata;
    control.result = &frame->result;
    call_control(node, &control);
    frame_unref(frame);
}

/* False: memory is short; the batch went back to its sender. */
static bool begin_frame(struct node *node, struct pdata *pdata)
{
    struct frame *const frame = frame_new(node);
    if (!frame) {
        static const struct result full = {.cause = NACK_ROUTE_FULL, .reason = "memory is short"};
        channel_refuse_first(node, &full);
        return false;
    }
    frame->parent = pdata->frame;
    frame->n_pending = 1;
    frame->n_in_hand = 1;
    frame->n_items = pdata->n_items;
    account_add("begin_frame: n_held_items", &frame->n_held_items, pdata->n_items);
    frame->n_bytes = pdata->n_bytes;
    const struct frame *const sender = frame_owner(frame->parent);
    frame->path = path_next(sender->path, pdata->edge->index, pdata->edge);
    frame->born_ns = sender->born_ns;
    pdata->frame = frame;
    return true;
}

/* What a processor may not keep, it has forgotten. An exporter may be waiting for an answer. */
static void check_leak(struct node *node)
{
    if (!ftri_list_is_empty(&node->in_hand) && !node->class->is_stateful &&
        node->class->kind == FTR_NODE_PROCESSOR)
        node_failed_because(node, "consume kept a batch, and the class is not stateful (leaked?)");
}

static void deliver_data(struct node *node)
{
    struct pdata *const pdata = channel_first(node);
    const size_t depth = node->n_data;
    if (!begin_frame(node, pdata))
        return;
    account_add("deliver_data: received", &node->account.received, pdata->n_items);
    account_add("deliver_data: held", &node->account.held, pdata->n_items);
    account_add("deliver_data: received_bytes", &node->account.received_bytes, pdata->n_bytes);
    account_add("deliver_data: n_visits", &node->account.n_visits, 1);
    channel_receive(node, pdata);
    node->has_new_data = true;
    visit_arrive(pdata->frame, pdata, depth);
    frame_work(pdata->frame);
    const uint64_t waited_ns = pdata->frame->running_since_ns - pdata->sent_ns;
    account_add("deliver_data: queue_ns", &node->account.queue_ns, waited_ns);
    meter_time(&pdata->edge->meter->wait, node->graph->time_scale, waited_ns);
    meter_size(&node->meter->received, pdata->n_items);
    pdata_hand_over(pdata, node);
    node->graph->active = node;
    node->class->consume(node, pdata);
    node->graph->active = NULL;
    frame_rest_all(node->graph);
    check_leak(node);
}

static bool may_consume(const struct node *node)
{
    return node->n_data && node->is_accepting && node->n_waiting == 0 && !node->is_stopped;
}

/* Returns how many messages it served. */
static size_t run(struct node *node)
{
    if (node->is_stopped) {
        scheduler_clear(node);
        return 0;
    }
    size_t n_control = 0, n_data = 0, n_row = 0;
    while (n_data < DATA_BURST && n_control < CONTROL_BURST * DATA_BURST) {
        const bool has_data = may_consume(node);
        if (!ftri_list_is_empty(&node->control) && (n_row < CONTROL_BURST || !has_data)) {
            deliver_control(node);
            n_control++;
            n_row++;
        } else if (has_data) {
            deliver_data(node);
            n_data++;
            n_row = 0;
        } else {
            break;
        }
    }
    if (!ftri_list_is_empty(&node->control) || may_consume(node))
        scheduler_ready(node);
    return n_control + n_data;
}

static void on_turn(void *argument)
{
    struct graph *const graph = argument;
    graph->is_turn_armed = false;
    for (size_t n = 0; n < TURN_BURST; n++) {
        struct ftri_list *entry = ftri_list_pop(&graph->ready);
        if (!entry)
            break;
        n += run(FTRI_CONTAINER(entry, struct node, ready));
    }
    if (!ftri_list_is_empty(&graph->ready))
        scheduler_arm(graph);
    drain_advance(graph); /* may free the graph */
}

void node_wakeup(struct node *self)
{
    struct graph *const graph = self->graph;
    if (atomic_exchange(&self->is_woken, true))
        return;
    struct node *top = atomic_load(&graph->woken);
    do
        self->next_woken = top;
    while (!atomic_compare_exchange_weak(&graph->woken, &top, self));
    if (!top)
        loop_wake(graph->wakeup);
}

static void on_wakeup(void *argument)
{
    struct graph *const graph = argument;
    struct node *node = atomic_exchange(&graph->woken, NULL);
    while (node) {
        struct node *const next = node->next_woken;
        atomic_store(&node->is_woken, false);
        scheduler_control(node, CONTROL_WAKEUP);
        node = next;
    }
    if (graph->instance)
        instance_on_wake(graph->instance);
}

int scheduler_init(struct graph *graph)
{
    graph->turn = loop_timer_new(graph->loop, on_turn, graph);
    graph->wakeup = loop_wakeup_new(graph->loop, on_wakeup, graph);
    return graph->turn && graph->wakeup ? 0 : -ENOMEM;
}

void scheduler_deinit(struct graph *graph)
{
    loop_timer_free(graph->turn);
    loop_wakeup_free(graph->wakeup);
}
