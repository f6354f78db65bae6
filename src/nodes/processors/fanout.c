/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/fanout: a reference to every input for each of several destinations.
 *
 * The input is settled when every required destination has answered: well, or with the first
 * failure among them. A best-effort destination delays nobody beyond its fallbacks and fails
 * nobody. A destination fails by a refusal, by no answer within its time-out, or, where it may be
 * passed over, by a full channel; then its next fallback has the batch. After a time-out the answer
 * that comes late changes nothing, though the batch may have arrived: delivery is at least once.
 * At most max_held inputs are under way; then the channel above fills. One timer serves the
 * earliest time-out. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/node.h"
#include "nodes/processors/fanout_plan.h"

#include <errno.h>
#include <stdio.h>

struct fanout_options {
    const struct config_value *destinations;
    uint64_t timeout_ns;
    uint64_t max_held;
};

static const struct option rows[] = {
    {"destinations", OPTION_MAP, offsetof(struct fanout_options, destinations), .is_required = true,
     .sentence = "Port name: {timeout, best_effort, fallback: list of further ports}."},
    {"timeout", OPTION_DURATION, offsetof(struct fanout_options, timeout_ns), "30s",
     .min = FTRI_NS_PER_MS, .max = 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "For the answer of a destination that names no other."},
    {"max_held", OPTION_U64, offsetof(struct fanout_options, max_held), "64", .min = 1,
     .max = 100000, .sentence = "Inputs held at once."},
};

struct attempt;

/* What one destination does with one input. */
struct delivery {
    struct attempt *attempt; /* under way; NULL: settled */
    size_t n_tried;          /* of the destination's ports */
    uint64_t due_ns;
};

struct held {
    struct ftri_list link;
    struct pdata *input; /* NULL: settled, best-effort deliveries are still under way */
    bool has_failed;
    struct result failure; /* the first */
    struct delivery deliveries[];
};

/* One batch that was sent. Lives until its answer, also when nobody waits for it any more. */
struct attempt {
    struct ftri_list link;
    struct held *held; /* NULL: timed out */
    size_t destination;
};

struct fanout_state {
    struct node *node;
    struct fanout_plan plan;
    struct ftri_list held;
    struct ftri_list attempts;
    uint64_t n_held;
};

static size_t fanout_ports(const void *values, const char **ret_names, size_t limit)
{
    const struct fanout_options *options = values;
    struct fanout_plan plan;
    struct ftri_error error;
    size_t n = 0;
    if (fanout_plan_read(options->destinations, options->timeout_ns, &plan, &error) < 0)
        return 0; /* the check says why */
    for (; n < plan.n_ports && n < limit; n++)
        ret_names[n] = plan.ports[n];
    return n;
}

static int fanout_check(const void *values, struct ftri_error *error)
{
    const struct fanout_options *options = values;
    struct fanout_plan plan;
    return fanout_plan_read(options->destinations, options->timeout_ns, &plan, error);
}

static int fanout_start(struct node *node, struct ftri_error *error)
{
    struct fanout_state *state = node_state(node);
    const struct fanout_options *options = node_options(node);
    state->node = node;
    ftri_list_init(&state->held);
    ftri_list_init(&state->attempts);
    return fanout_plan_read(options->destinations, options->timeout_ns, &state->plan, error);
}

static bool is_open(const struct held *held, size_t i)
{
    return held->deliveries[i].attempt != NULL;
}

static bool has_fallback_left(const struct fanout_state *state, const struct held *held, size_t i)
{
    return held->deliveries[i].n_tried < state->plan.destinations[i].n_ports;
}

/* One timer for whoever is due first. */
static void arm_timer(struct fanout_state *state)
{
    uint64_t earliest = UINT64_MAX;
    for (struct ftri_list *entry = state->attempts.next; entry != &state->attempts;
         entry = entry->next) {
        const struct attempt *attempt = FTRI_CONTAINER(entry, struct attempt, link);
        const uint64_t due_ns =
            attempt->held ? attempt->held->deliveries[attempt->destination].due_ns : UINT64_MAX;
        earliest = due_ns < earliest ? due_ns : earliest;
    }
    const uint64_t now = ftri_time_monotonic_ns();
    if (earliest == UINT64_MAX)
        node_set_timer(state->node, 0);
    else
        node_set_timer(state->node, earliest > now ? earliest - now : 1);
}

/* False: it could not be sent; memory is short. */
static bool send_to(struct fanout_state *state, struct held *held, size_t i, size_t port)
{
    struct attempt *attempt = ftri_alloc(sizeof *attempt);
    struct pdata *pdata =
        attempt ? node_derive_watched(state->node, held->input, (uint64_t)(uintptr_t)attempt)
                : NULL;
    if (!pdata) {
        ftri_free(attempt);
        return false;
    }
    *attempt = (struct attempt){.held = held, .destination = i};
    ftri_list_append(&state->attempts, &attempt->link);
    held->deliveries[i].attempt = attempt;
    held->deliveries[i].due_ns = ftri_time_monotonic_ns() + state->plan.destinations[i].timeout_ns;
    node_send(state->node, port, pdata);
    return true;
}

static void note(struct fanout_state *state, struct held *held, size_t i, const char *event,
                 const char *reason)
{
    const ftr_attribute attributes[] = {
        {FTR_STR("fanout.destination"),
         ftr_value_str(ftr_str_from(state->plan.destinations[i].name))},
        {FTR_STR("fanout.reason"), ftr_value_str(ftr_str_from(reason))},
    };
    if (held->input)
        node_event(state->node, held->input, event, attributes, FTRI_COUNT(attributes));
}

/* The next port of a destination that takes the batch; without one the destination has failed,
 * `why` being what the last of them said. */
static void try_next(struct fanout_state *state, struct held *held, size_t i,
                     const struct result *why)
{
    static const struct result full = {.cause = NACK_ROUTE_FULL,
                                       .reason = "the destination's channel is full"};
    static const struct result short_of = {.reason = "memory is short"};
    const struct fanout_destination *destination = &state->plan.destinations[i];
    struct result last = *why;
    while (has_fallback_left(state, held, i)) {
        const size_t n_tried = held->deliveries[i].n_tried++;
        const size_t port = destination->ports[n_tried];
        const bool may_pass = !destination->is_required || has_fallback_left(state, held, i);
        if (n_tried > 0)
            note(state, held, i, "fanout_fallback", last.reason);
        if (may_pass && !node_port_has_room(state->node, port))
            last = full;
        else if (send_to(state, held, i, port))
            return;
        else
            last = short_of;
    }
    note(state, held, i, "fanout_failed", last.reason);
    if (!destination->is_required || held->has_failed)
        return;
    held->has_failed = true;
    held->failure = last;
    snprintf(held->failure.reason, sizeof held->failure.reason, "destination '%.40s': %.60s",
             destination->name, last.reason);
}

/* Whether the input is still needed, and whether anything is under way at all. */
static void look(const struct fanout_state *state, const struct held *held, bool *ret_is_needed,
                 bool *ret_is_open)
{
    *ret_is_needed = *ret_is_open = false;
    for (size_t i = 0; i < state->plan.n_destinations; i++) {
        const bool is_awaited =
            state->plan.destinations[i].is_required || has_fallback_left(state, held, i);
        *ret_is_open |= is_open(held, i);
        *ret_is_needed |= is_open(held, i) && is_awaited;
    }
}

static void settle(struct fanout_state *state, struct held *held)
{
    const struct fanout_options *options = node_options(state->node);
    struct pdata *input = held->input;
    bool is_needed, has_open;
    look(state, held, &is_needed, &has_open);
    if (!is_needed && input) {
        held->input = NULL;
        if (held->has_failed)
            node_nack(state->node, input, &held->failure);
        else
            node_ack(state->node, input);
    }
    if (has_open)
        return;
    ftri_list_unlink(&held->link);
    ftri_free(held);
    if (state->n_held-- == options->max_held)
        node_set_accepting(state->node, true);
}

static void fanout_consume(struct node *node, struct pdata *pdata)
{
    static const struct result none = {.reason = "there is no destination"};
    struct fanout_state *state = node_state(node);
    const struct fanout_options *options = node_options(node);
    const size_t n = state->plan.n_destinations;
    struct held *held = ftri_zalloc(sizeof *held + n * sizeof held->deliveries[0]);
    if (!held) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
        return;
    }
    held->input = pdata;
    ftri_list_append(&state->held, &held->link);
    if (++state->n_held == options->max_held)
        node_set_accepting(node, false);
    for (size_t i = 0; i < n; i++)
        try_next(state, held, i, &none);
    arm_timer(state);
    settle(state, held);
}

static void take_answer(struct fanout_state *state, struct attempt *attempt,
                        const struct result *result)
{
    struct held *held = attempt->held;
    const size_t i = attempt->destination;
    ftri_list_unlink(&attempt->link);
    ftri_free(attempt);
    if (!held)
        return; /* too late */
    held->deliveries[i].attempt = NULL;
    if (!result->is_ack)
        try_next(state, held, i, result);
    arm_timer(state);
    settle(state, held);
}

static void time_out(struct fanout_state *state, struct attempt *attempt)
{
    struct held *held = attempt->held;
    const size_t i = attempt->destination;
    const struct result late = {.reason = "no answer within its time-out"};
    attempt->held = NULL;
    held->deliveries[i].attempt = NULL;
    try_next(state, held, i, &late);
    settle(state, held);
}

/* Attempts are in the order of sending; what times out may append new ones, which are not due. */
static void time_out_due(struct fanout_state *state)
{
    const uint64_t now = ftri_time_monotonic_ns();
    struct ftri_list *next;
    for (struct ftri_list *entry = state->attempts.next; entry != &state->attempts; entry = next) {
        next = entry->next;
        struct attempt *attempt = FTRI_CONTAINER(entry, struct attempt, link);
        if (attempt->held && attempt->held->deliveries[attempt->destination].due_ns <= now)
            time_out(state, attempt);
    }
    arm_timer(state);
}

static void fanout_control(struct node *node, const struct control *message)
{
    struct fanout_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_ACK:
    case CONTROL_NACK:
        take_answer(state, (struct attempt *)(uintptr_t)message->calldata, message->result);
        break;
    case CONTROL_TIMER_TICK:
        time_out_due(state);
        break;
    default:
        break;
    }
}

static void fanout_stop(struct node *node)
{
    struct fanout_state *state = node_state(node);
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&state->attempts)) != NULL)
        ftri_free(FTRI_CONTAINER(entry, struct attempt, link));
    while ((entry = ftri_list_pop(&state->held)) != NULL)
        ftri_free(FTRI_CONTAINER(entry, struct held, link));
}

const struct node_class processor_fanout = {
    .type = "processor/fanout",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Sends every batch to several destinations, with time-outs and fallbacks.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct fanout_options)},
    .configured_ports = fanout_ports,
    .state_size = sizeof(struct fanout_state),
    .is_stateful = true,
    .check = fanout_check,
    .start = fanout_start,
    .consume = fanout_consume,
    .control = fanout_control,
    .stop = fanout_stop,
};
