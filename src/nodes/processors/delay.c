/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/delay: holds every batch for the same time, in order. At most max_held batches are
 * held; then the channel above fills. A shutdown waits for nobody: what is held goes on at once. */
#include "nodes/processors/processors.h"

#include "base/mem.h"
#include "base/time.h"
#include "engine/node.h"

struct delay_options {
    uint64_t delay_ns;
    uint64_t max_held;
};

static const struct option rows[] = {
    {"delay", OPTION_DURATION, offsetof(struct delay_options, delay_ns), .is_required = true,
     .min = FTRI_NS_PER_MS, .max = 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "How long a batch is held."},
    {"max_held", OPTION_U64, offsetof(struct delay_options, max_held), "1024", .min = 1,
     .max = 1000000, .sentence = "Batches held at once."},
};

struct held {
    struct ftri_list link;
    struct pdata *pdata;
    uint64_t due_ns;
};

struct delay_state {
    struct ftri_list held; /* the oldest first */
    uint64_t n_held;
    bool is_shutting_down;
};

static int delay_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct delay_state *state = node_state(node);
    ftri_list_init(&state->held);
    return 0;
}

static struct held *first(const struct delay_state *state)
{
    return ftri_list_is_empty(&state->held) ? NULL
                                            : FTRI_CONTAINER(state->held.next, struct held, link);
}

static void send_first(struct node *node, struct held *held)
{
    struct delay_state *state = node_state(node);
    const struct delay_options *options = node_options(node);
    struct pdata *pdata = held->pdata;
    ftri_list_unlink(&held->link);
    ftri_free(held);
    if (state->n_held-- == options->max_held)
        node_set_accepting(node, true);
    node_send(node, 0, pdata);
}

static void send_due(struct node *node)
{
    struct delay_state *state = node_state(node);
    const uint64_t now = ftri_time_monotonic_ns();
    struct held *held;
    while ((held = first(state)) != NULL && (state->is_shutting_down || held->due_ns <= now))
        send_first(node, held);
    if (held)
        node_set_timer(node, held->due_ns - now);
}

static void delay_consume(struct node *node, struct pdata *pdata)
{
    struct delay_state *state = node_state(node);
    const struct delay_options *options = node_options(node);
    struct held *held = ftri_alloc(sizeof *held);
    if (!held) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
        return;
    }
    *held = (struct held){.pdata = pdata, .due_ns = ftri_time_monotonic_ns() + options->delay_ns};
    ftri_list_append(&state->held, &held->link);
    if (++state->n_held == options->max_held)
        node_set_accepting(node, false);
    if (state->n_held == 1 || state->is_shutting_down)
        send_due(node);
}

static void delay_control(struct node *node, const struct control *message)
{
    struct delay_state *state = node_state(node);
    if (message->kind == CONTROL_SHUTDOWN)
        state->is_shutting_down = true;
    if (message->kind == CONTROL_SHUTDOWN || message->kind == CONTROL_TIMER_TICK)
        send_due(node);
}

static void delay_stop(struct node *node)
{
    struct delay_state *state = node_state(node);
    struct held *held;
    while ((held = first(state)) != NULL) {
        ftri_list_unlink(&held->link);
        ftri_free(held);
    }
}

const struct node_class processor_delay = {
    .type = "processor/delay",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Holds every batch for a while.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct delay_options)},
    .state_size = sizeof(struct delay_state),
    .is_stateful = true,
    .start = delay_start,
    .consume = delay_consume,
    .control = delay_control,
    .stop = delay_stop,
};
