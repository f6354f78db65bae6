/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/drain.h"

#include "base/time.h"
#include "engine/action.h"
#include "engine/channel.h"
#include "engine/crossing.h"
#include "engine/custody.h"
#include "engine/frame.h"
#include "engine/instance.h"
#include "engine/scheduler.h"
#include "net/loop.h"

static bool is_receiver(const struct node *node)
{
    return node->class->kind == FTR_NODE_RECEIVER;
}

static bool all_receivers(const struct graph *graph, bool (*holds)(const struct node *node))
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (is_receiver(graph->nodes[i]) && !holds(graph->nodes[i]))
            return false;
    return true;
}

static bool is_drained(const struct node *node)
{
    return node->is_drained || node->is_finished;
}

static bool is_finished(const struct node *node)
{
    return node->is_finished;
}

/* What it still holds waits for what is below. */
static bool holds_only_watched(const struct node *node)
{
    for (const struct ftri_list *i = node->in_hand.next; i != &node->in_hand; i = i->next) {
        const struct pdata *pdata = FTRI_CONTAINER(i, struct pdata, in_hand);
        const struct frame *const owner = pdata->frame ? frame_owner(pdata->frame) : NULL;
        if (owner && (!owner->is_special || owner->n_watched == 0))
            return false;
    }
    return true;
}

/* Nothing new will come from it, but for what its own watched batches bring about. */
static bool has_emptied(const struct node *node)
{
    if (node->n_data || node->n_waiting || !ftri_list_is_empty(&node->control))
        return false;
    return is_receiver(node) || (node->is_shut_down && holds_only_watched(node));
}

static bool may_shut_down(const struct node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (!has_emptied(node->inputs[i]->from))
            return false;
    if (node->n_inlets && !crossing_all_drained(node))
        return false;
    /* One that takes nothing more in until it hears of the shutdown would never empty. */
    return node->n_data == 0 || !node->is_accepting;
}

/* True when every node has had its Shutdown. */
static bool shut_down_next(struct graph *graph)
{
    bool are_all = true;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct node *const node = graph->nodes[i];
        /* What was tried again above may come to a node that had its Shutdown: it has another. */
        if (node->is_shut_down && has_emptied(node))
            action_end_at(node, NULL);
        if (is_receiver(node) || (node->is_shut_down && !node->has_new_data))
            continue;
        if (!may_shut_down(node)) {
            are_all = false;
            continue;
        }
        node->is_shut_down = true;
        node->has_new_data = false;
        node->shutdown_ns = graph->drain_deadline_ns;
        scheduler_control(node, CONTROL_SHUTDOWN);
    }
    return are_all;
}

/* What lies in a channel may have been sent on another loop, which has its frame. */
static bool is_at_rest(const struct graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!ftri_list_is_empty(&graph->nodes[i]->control) || graph->nodes[i]->n_data)
            return false;
    return graph->n_live == 0;
}

static const struct result closed = {.cause = NACK_NODE_SHUTDOWN,
                                     .reason = "the deadline of the shutdown has passed"};

void drain_refuse(struct node *node)
{
    channel_refuse_all(node, &closed);
}

/* Recorded from here on: what there is to know of the drain of the receivers is known. */
static void begin_shutdown(struct graph *graph)
{
    const bool is_in_time = all_receivers(graph, is_drained);
    action_end(graph, CONTROL_DRAIN_INGRESS, is_in_time ? NULL : "not all receivers are done");
    action_begin(graph, CONTROL_SHUTDOWN, NULL, 0);
}

static void advance_to_nodes(struct graph *graph)
{
    graph->drain = DRAIN_NODES;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (is_receiver(graph->nodes[i]))
            action_end_at(graph->nodes[i],
                          is_drained(graph->nodes[i]) ? NULL : "not done in half of the time");
    begin_shutdown(graph);
}

static void end_actions(struct graph *graph, const char *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        action_end_at(graph->nodes[i], error);
    action_end(graph, CONTROL_SHUTDOWN, error);
}

void drain_force(struct graph *graph)
{
    if (graph->drain == DRAIN_INGRESS)
        begin_shutdown(graph);
    graph->drain = DRAIN_FORCED;
    for (size_t i = 0; i < graph->n_edges; i++)
        if (graph->edges[i]->crossing)
            crossing_refuse_waiting(graph->edges[i]->crossing, &closed);
    for (size_t i = 0; i < graph->n_nodes; i++)
        channel_refuse_all(graph->nodes[i], &closed);
    for (size_t i = 0; i < graph->n_nodes; i++)
        custody_revoke_all(graph->nodes[i], &closed);
    end_actions(graph, closed.reason);
    scheduler_arm(graph);
}

static void arm_timer(struct graph *graph)
{
    const uint64_t now_ns = ftri_time_monotonic_ns();
    const uint64_t due_ns =
        graph->drain == DRAIN_INGRESS ? graph->drain_half_ns : graph->drain_deadline_ns;
    loop_timer_start(graph->drain_timer, due_ns > now_ns ? due_ns - now_ns : 0);
}

static void on_timer(void *argument)
{
    struct graph *const graph = argument;
    const uint64_t now_ns = ftri_time_monotonic_ns();
    if (graph->drain >= DRAIN_FORCED)
        return;
    if (now_ns >= graph->drain_deadline_ns) {
        drain_force(graph);
        return;
    }
    if (graph->drain == DRAIN_INGRESS && now_ns >= graph->drain_half_ns) {
        advance_to_nodes(graph);
        scheduler_arm(graph);
    }
    arm_timer(graph);
}

void graph_drain(struct graph *self, uint64_t timeout_ns)
{
    const uint64_t now_ns = ftri_time_monotonic_ns();
    if (timeout_ns > UINT64_MAX - now_ns)
        timeout_ns = UINT64_MAX - now_ns;
    drain_begin(self, now_ns + timeout_ns / 2, now_ns + timeout_ns);
}

void drain_begin(struct graph *self, uint64_t half_ns, uint64_t deadline_ns)
{
    if (self->drain != DRAIN_NONE)
        return;
    self->drain = DRAIN_INGRESS;
    action_begin(self, CONTROL_DRAIN_INGRESS, NULL, 0);
    self->drain_half_ns = half_ns;
    self->drain_deadline_ns = deadline_ns;
    for (size_t i = 0; i < self->n_nodes; i++) {
        struct node *const node = self->nodes[i];
        if (!is_receiver(node))
            continue;
        node->shutdown_ns = self->drain_deadline_ns;
        if (node->class->control)
            scheduler_control(node, CONTROL_DRAIN_INGRESS);
        else
            node->is_drained = true;
    }
    self->drain_timer = loop_timer_new(self->loop, on_timer, self);
    if (self->drain_timer)
        arm_timer(self);
    else
        drain_force(self); /* without a clock there is no deadline to wait for */
    scheduler_arm(self);
}

/* Other loops wait for what is above their nodes here. */
static void tell_drained(const struct graph *graph)
{
    bool is_news = false;
    for (size_t i = 0; i < graph->n_edges; i++)
        if (graph->edges[i]->crossing)
            is_news |=
                crossing_set_drained(graph->edges[i]->crossing, has_emptied(graph->edges[i]->from));
    if (is_news)
        instance_wake_others(graph->instance);
}

static void finish_drain(struct graph *graph)
{
    graph->drain = DRAIN_DONE;
    end_actions(graph, NULL);
    loop_timer_free(graph->drain_timer);
    graph->drain_timer = NULL;
    if (graph->instance)
        instance_set_done(graph->instance);
}

static void drain_step(struct graph *graph)
{
    if (graph->drain == DRAIN_DONE)
        return;
    if (graph->drain == DRAIN_INGRESS && all_receivers(graph, is_drained))
        advance_to_nodes(graph);
    bool is_over =
        (graph->drain == DRAIN_FORCED || (graph->drain == DRAIN_NODES && shut_down_next(graph))) &&
        is_at_rest(graph);
    if (graph->instance && graph->drain >= DRAIN_NODES)
        tell_drained(graph);
    if (graph->instance)
        is_over = instance_rests(graph->instance, is_over ? REST_OVER : REST_NOT);
    if (is_over)
        finish_drain(graph);
}

/* True the first time that a condition holds; then there may be more to tell. */
static bool tell_once(struct graph *graph, bool condition, bool *is_told)
{
    if (!condition || *is_told)
        return false;
    *is_told = true;
    scheduler_arm(graph);
    return true;
}

static const struct graph *failed_graph(struct graph *graph)
{
    if (!graph->instance)
        return graph->failed ? graph : NULL;
    if (graph->failed)
        instance_set_failed(graph->instance);
    return instance_failed(graph->instance);
}

static bool has_drained(const struct graph *graph)
{
    return graph->instance ? instance_all_done(graph->instance) : graph->drain == DRAIN_DONE;
}

static bool has_finished(const struct graph *graph)
{
    if (graph->drain != DRAIN_NONE)
        return false;
    const bool is_finished_here = all_receivers(graph, is_finished) && is_at_rest(graph);
    return graph->instance
               ? instance_rests(graph->instance, is_finished_here ? REST_FINISHED : REST_NOT)
               : is_finished_here;
}

void drain_advance(struct graph *graph)
{
    const struct graph_options options = graph->options;
    if (graph->drain != DRAIN_NONE)
        drain_step(graph);
    const struct graph *const failed = failed_graph(graph);
    const bool is_finished_now = has_finished(graph);
    if (graph->instance && !instance_is_first(graph->instance))
        return;
    if (tell_once(graph, failed != NULL, &graph->is_told_failed)) {
        if (options.on_failed)
            options.on_failed(options.argument, failed->failed->id, failed->failure);
    } else if (tell_once(graph, has_drained(graph), &graph->is_told_drained)) {
        if (options.on_drained)
            options.on_drained(options.argument);
    } else if (tell_once(graph, is_finished_now, &graph->is_told_finished)) {
        if (options.on_finished)
            options.on_finished(options.argument);
    }
}
