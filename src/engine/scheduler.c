/* SPDX-License-Identifier: Apache-2.0
 *
 * node_wakeup may come from any thread: a woken node pushes itself on a lock-free stack, once until
 * it is taken off, and the first on the stack wakes the loop. */
#include "engine/scheduler.h"

#include "engine/action.h"
#include "engine/channel.h"
#include "engine/consume.h"
#include "engine/drain.h"
#include "engine/instance.h"
#include "engine/path.h"
#include "engine/pdata_pool.h"
#include "engine/visit.h"
#include "net/loop.h"

#include <errno.h>

enum { TURN_BURST = 512, DATA_BURST = 16, CONTROL_BURST = 16 };

void scheduler_arm(struct graph *graph)
{
    if (graph->is_turn_armed || graph->is_turning || !graph->turn)
        return;
    graph->is_turn_armed = true;
    loop_timer_start(graph->turn, 0);
}

void scheduler_queue(struct node *node)
{
    ftri_list_append(&node->graph->ready, &node->ready);
    scheduler_arm(node->graph);
}

void scheduler_queue_first(struct node *node)
{
    ftri_list_append(node->graph->ready.next, &node->ready);
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
    node->graph->is_fresh = false;
    node->handling = control->kind;
    node->is_handling = true;
    node->n_handled++;
    action_begin_at(node, control->kind);
    node->class->control(node, control);
    const bool has_failed = !had_failed && node->graph->failed == node;
    action_handled_at(node, control->kind, has_failed);
    node->is_handling = false;
    node->graph->active = NULL;
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
    control.result = frame_result(frame);
    call_control(node, &control);
    frame_unref(frame);
}

/* NULL: memory is short; the batch went back to its sender. */
static inline struct frame *begin_frame(struct node *node, struct pdata *pdata)
{
    struct frame *const frame = frame_new(node);
    if (FTRI_UNLIKELY(!frame)) {
        static const struct result full = {.cause = NACK_ROUTE_FULL, .reason = "memory is short"};
        channel_refuse_first(node, &full);
        return NULL;
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
    return frame;
}

/* The wait of a batch is in the buckets when the next one of its row is delivered, or the row is
 * over: the search begins with the latest reading of the clock, and the next reading would wait for
 * its end. */
static inline void count_waited(struct graph *graph)
{
    if (graph->waited)
        meter_time(&graph->waited->wait, graph->time_scale, graph->waited_ns);
}

static inline void count_received(struct node *node, const struct pdata *pdata)
{
    struct node_account *const account = &node->account;
    account_add("count_received: received", &account->received, pdata->n_items);
    account_add("count_received: held", &account->held, pdata->n_items);
    account_add("count_received: received_bytes", &account->received_bytes, pdata->n_bytes);
    account_add("count_received: n_visits", &account->n_visits, 1);
    struct graph *const graph = node->graph;
    const uint64_t waited_ns = clock_between(pdata->sent_ns, graph->now_ns);
    account_add("count_received: queue_ns", &account->queue_ns, waited_ns);
    count_waited(graph);
    graph->waited = pdata->edge->meter;
    graph->waited_ns = waited_ns;
    meter_size(&node->meter->received, pdata->n_items);
}

/* What a processor may not keep, it has forgotten. */
static void check_leak(struct node *node)
{
    if (!ftri_list_is_empty(&node->in_hand) && !node->class->is_stateful &&
        node->class->kind == FTR_NODE_PROCESSOR)
        node_failed_because(node, "consume kept a batch, and the class is not stateful (leaked?)");
}

/* The node has not given up what it was given. Returns whether it goes on working on it: an
 * exporter waits for an answer. */
static bool keep_given(struct node *node)
{
    pdata_hand_over(node->given, node);
    node->given = NULL;
    return !node->class->is_stateful;
}

/* The clock was read, and is afterwards. */
static FTRI_ALWAYS_INLINE void deliver_data(struct node *node, bool is_wanted)
{
    struct graph *const graph = node->graph;
    struct pdata *const pdata = channel_first(node);
    const size_t depth = node->n_data;
    struct frame *const frame = begin_frame(node, pdata);
    if (FTRI_UNLIKELY(!frame))
        return;
    count_received(node, pdata);
    channel_receive(node, pdata);
    if (FTRI_UNLIKELY(is_wanted | pdata->is_untraced))
        visit_arrive(frame, pdata, depth);
    else
        visit_arrive_blank(frame, pdata);
    consume_begin(frame, graph->now_ns);
    pdata_give(pdata, node);
    node->class->consume(node, pdata);
    const bool goes_on = FTRI_UNLIKELY(node->given) && keep_given(node);
    if (!frame_rest_all(graph))
        clock_read(graph);
    clock_stamp_sent(graph);
    if (FTRI_LIKELY(graph->working)) /* else it is settled, and may be gone */
        consume_end(frame, goes_on, graph->now_ns);
    if (FTRI_UNLIKELY(!ftri_list_is_empty(&node->in_hand)))
        check_leak(node);
}

static bool may_consume(const struct node *node)
{
    return node->n_data && node->is_accepting && node->n_waiting == 0 && !node->is_stopped;
}

static bool control_is_due(const struct node *node, size_t n_in_a_row, bool has_data)
{
    return !ftri_list_is_empty(&node->control) && (n_in_a_row < CONTROL_BURST || !has_data);
}

/* Whether the row goes on. */
static inline bool has_next(const struct node *node, size_t n, size_t limit)
{
    return n < limit && node->n_data && node->is_accepting && node->n_waiting == 0 &&
           ftri_list_is_empty(&node->control);
}

static FTRI_ALWAYS_INLINE size_t deliver_some(struct node *node, size_t limit, bool is_wanted)
{
    struct graph *const graph = node->graph;
    size_t n = 0;
    if (!graph->is_fresh)
        clock_read(graph);
    graph->active = node;
    graph->is_delivering = true;
    node->has_new_data = true;
    do
        deliver_data(node, is_wanted);
    while (has_next(node, ++n, limit));
    consume_end_row(node);
    count_waited(graph);
    graph->waited = NULL;
    graph->is_delivering = false;
    graph->active = NULL;
    graph->is_fresh = true;
    return n;
}

static __attribute__((noinline)) size_t deliver_recorded(struct node *node, size_t limit)
{
    return deliver_some(node, limit, true);
}

/* At most `limit` batches, one after the other, as long as no control message comes. */
static inline size_t deliver_row(struct node *node, size_t limit)
{
    return visit_is_wanted() ? deliver_recorded(node, limit) : deliver_some(node, limit, false);
}

/* Returns how many messages it served. */
static size_t run(struct node *node)
{
    if (node->is_stopped) {
        scheduler_clear(node);
        return 0;
    }
    size_t n_control = 0, n_data = 0, n_in_a_row = 0;
    while (n_data < DATA_BURST && n_control < CONTROL_BURST * DATA_BURST) {
        const bool has_data = may_consume(node);
        if (control_is_due(node, n_in_a_row, has_data)) {
            deliver_control(node);
            n_control++;
            n_in_a_row++;
        } else if (has_data) {
            n_data += deliver_row(node, DATA_BURST - n_data);
            n_in_a_row = 0;
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
    graph->is_turning = true;
    graph->is_fresh = false;
    for (size_t n = 0; n < TURN_BURST; n++) {
        struct ftri_list *entry = ftri_list_pop(&graph->ready);
        if (!entry)
            break;
        n += run(FTRI_CONTAINER(entry, struct node, ready));
    }
    graph->is_turning = false;
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
