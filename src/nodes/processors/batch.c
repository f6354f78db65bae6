/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/batch: gathers small batches into larger ones (fan-in).
 *
 * Inputs are held until max_items are gathered or the oldest has waited max_delay; then one merged
 * batch leaves, and its outcome settles every input in it; with `split`, in parts. Only inputs of
 * one signal are merged: another signal flushes first. */
#include "nodes/processors/processors.h"

#include "base/mem.h"
#include "base/time.h"
#include "engine/node.h"
#include "nodes/processors/join.h"
#include "nodes/processors/parts.h"

struct batch_options {
    uint64_t max_items;
    uint64_t max_delay_ns;
    uint64_t max_inputs;
    uint64_t split;
};

static const struct option rows[] = {
    {"max_items", OPTION_U64, offsetof(struct batch_options, max_items), "8192", .min = 1,
     .max = 10000000, .sentence = "A batch with this many items is sent."},
    {"max_delay", OPTION_DURATION, offsetof(struct batch_options, max_delay_ns), "200ms",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S,
     .sentence = "The longest that an item waits here."},
    {"max_inputs", OPTION_U64, offsetof(struct batch_options, max_inputs), "16384", .min = 1,
     .max = 1 << 20, .sentence = "A batch of this many inputs is sent."},
    {"split", OPTION_U64, offsetof(struct batch_options, split), "0", .max = 10000000,
     .sentence = "A batch with more items is cut into parts of at most so many; 0: it is not."},
};

struct batch_state {
    struct node *node;
    struct pdata **inputs;
    size_t n_inputs;
    size_t capacity;
    uint64_t n_items;
    ftr_signal signal;
};

static int batch_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct batch_state *state = node_state(node);
    state->node = node;
    return 0;
}

static void refuse_all(struct batch_state *state)
{
    const struct result result = {.reason = "memory is short"};
    for (size_t i = 0; i < state->n_inputs; i++)
        node_nack(state->node, state->inputs[i], &result);
}

static void send_parts(struct node *node, struct pdata *merged, uint64_t max_items)
{
    struct part *parts = NULL;
    size_t n = 0;
    if (parts_cut(merged, max_items, &parts, &n) < 0) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, merged, &result);
        return;
    }
    parts_send(node, merged, parts, n);
    parts_deinit(parts, n);
    ftri_free(parts);
}

static void send_merged(struct node *node, struct pdata *merged)
{
    const struct batch_options *options = node_options(node);
    if (options->split && merged->n_items > options->split)
        send_parts(node, merged, options->split);
    else
        node_send(node, 0, merged);
}

static void flush(struct batch_state *state, const char *reason)
{
    if (state->n_inputs == 0)
        return;
    node_set_timer(state->node, 0);
    struct pdata *merged = join_merge(state->node, state->inputs, state->n_inputs);
    if (merged) {
        const ftr_attribute attribute = {FTR_STR("flush.reason"),
                                         ftr_value_str(ftr_str_from(reason))};
        node_event(state->node, merged, "batch_flush", &attribute, 1);
        send_merged(state->node, merged);
    } else {
        refuse_all(state);
    }
    state->n_inputs = 0;
    state->n_items = 0;
}

static bool make_room(struct batch_state *state)
{
    if (state->n_inputs < state->capacity)
        return true;
    const size_t capacity = state->capacity ? state->capacity * 2 : 64;
    struct pdata **grown = ftri_realloc(state->inputs, capacity * sizeof *grown);
    if (!grown)
        return false;
    state->inputs = grown;
    state->capacity = capacity;
    return true;
}

static void batch_consume(struct node *node, struct pdata *pdata)
{
    struct batch_state *state = node_state(node);
    const struct batch_options *options = node_options(node);
    if (state->n_inputs && state->signal != pdata->signal)
        flush(state, "signal");
    if (!make_room(state)) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
        return;
    }
    if (state->n_inputs == 0)
        node_set_timer(node, options->max_delay_ns);
    state->signal = pdata->signal;
    state->inputs[state->n_inputs++] = pdata;
    state->n_items += pdata->n_items;
    if (state->n_items >= options->max_items || state->n_inputs >= options->max_inputs)
        flush(state, "full");
}

static void batch_control(struct node *node, const struct control *message)
{
    if (message->kind == CONTROL_TIMER_TICK)
        flush(node_state(node), "timeout");
    else if (message->kind == CONTROL_SHUTDOWN)
        flush(node_state(node), "shutdown");
}

static void batch_stop(struct node *node)
{
    struct batch_state *state = node_state(node);
    ftri_free(state->inputs);
}

const struct node_class processor_batch = {
    .type = "processor/batch",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Gathers small batches into larger ones.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct batch_options)},
    .state_size = sizeof(struct batch_state),
    .is_stateful = true,
    .start = batch_start,
    .consume = batch_consume,
    .control = batch_control,
    .stop = batch_stop,
};
