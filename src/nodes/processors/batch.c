/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/batch: gathers small batches into larger ones (fan-in).
 *
 * Inputs are held until max_items are gathered or the oldest has waited max_delay; then one merged
 * batch leaves, and its outcome settles every input in it; with `split`, in parts. Only inputs of
 * one signal and one metadata are merged: each such kind is gathered in a group of its own. Groups
 * are in the order of their oldest inputs, so that the first one's time is up first. */
#include "nodes/processors/processors.h"

#include "base/mem.h"
#include "base/time.h"
#include "engine/metadata.h"
#include "engine/node.h"
#include "nodes/processors/join.h"
#include "nodes/processors/parts.h"

struct batch_options {
    uint64_t max_items;
    uint64_t max_delay_ns;
    uint64_t max_inputs;
    uint64_t split;
    uint64_t max_groups;
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
    {"max_groups", OPTION_U64, offsetof(struct batch_options, max_groups), "1000", .min = 1,
     .max = 1 << 20,
     .sentence = "Batches that are gathered at once, one for each signal and metadata; for one "
                 "more the oldest is sent."},
};

struct group {
    struct ftri_list link;
    struct pdata **inputs;
    size_t n_inputs;
    size_t capacity;
    uint64_t n_items;
    uint64_t due_ns; /* monotonic */
};

struct batch_state {
    struct node *node;
    struct ftri_list groups; /* none is empty; the first is due first */
    size_t n_groups;
    uint64_t timer_ns; /* when the timer runs out, monotonic; 0: none is set */
};

static int batch_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct batch_state *state = node_state(node);
    state->node = node;
    ftri_list_init(&state->groups);
    return 0;
}

static struct group *first_group(const struct batch_state *state)
{
    return ftri_list_is_empty(&state->groups)
               ? NULL
               : FTRI_CONTAINER(state->groups.next, struct group, link);
}

static void group_free(struct batch_state *state, struct group *group)
{
    ftri_list_unlink(&group->link);
    state->n_groups--;
    ftri_free(group->inputs);
    ftri_free(group);
}

static void refuse(struct node *node, struct pdata *pdata)
{
    const struct result result = {.reason = "memory is short"};
    node_nack(node, pdata, &result);
}

static void send_parts(struct node *node, struct pdata *merged, uint64_t max_items)
{
    struct part *parts = NULL;
    size_t n = 0;
    if (parts_cut(merged, max_items, &parts, &n) < 0) {
        refuse(node, merged);
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

/* The group is gone. */
static void flush(struct batch_state *state, struct group *group, const char *reason)
{
    struct pdata *merged = join_merge(state->node, group->inputs, group->n_inputs);
    for (size_t i = 0; !merged && i < group->n_inputs; i++)
        refuse(state->node, group->inputs[i]);
    group_free(state, group);
    if (!merged)
        return;
    const ftr_attribute attribute = {FTR_STR("flush.reason"), ftr_value_str(ftr_str_from(reason))};
    node_event(state->node, merged, "batch_flush", &attribute, 1);
    send_merged(state->node, merged);
}

/* For the first group. */
static void set_timer(struct batch_state *state)
{
    const struct group *first = first_group(state);
    const uint64_t due_ns = first ? first->due_ns : 0;
    if (due_ns == state->timer_ns)
        return;
    const uint64_t now = ftri_time_monotonic_ns();
    state->timer_ns = due_ns;
    node_set_timer(state->node, !first ? 0 : due_ns > now ? due_ns - now : 1);
}

static bool belongs(const struct group *group, const struct pdata *pdata)
{
    return group->inputs[0]->signal == pdata->signal &&
           metadata_is_same(group->inputs[0]->metadata, pdata->metadata);
}

/* NULL: there is none yet. */
static struct group *find_group(const struct batch_state *state, const struct pdata *pdata)
{
    for (struct ftri_list *i = state->groups.next; i != &state->groups; i = i->next)
        if (belongs(FTRI_CONTAINER(i, struct group, link), pdata))
            return FTRI_CONTAINER(i, struct group, link);
    return NULL;
}

static struct group *new_group(struct batch_state *state)
{
    const struct batch_options *options = node_options(state->node);
    if (state->n_groups >= options->max_groups)
        flush(state, first_group(state), "groups");
    struct group *group = ftri_alloc(sizeof *group);
    if (!group)
        return NULL;
    *group = (struct group){.due_ns = ftri_time_monotonic_ns() + options->max_delay_ns};
    ftri_list_append(&state->groups, &group->link);
    state->n_groups++;
    return group;
}

static bool add_input(struct group *group, struct pdata *pdata)
{
    if (group->n_inputs == group->capacity) {
        const size_t capacity = group->capacity ? group->capacity * 2 : 64;
        struct pdata **grown = ftri_realloc(group->inputs, capacity * sizeof *grown);
        if (!grown)
            return false;
        group->inputs = grown;
        group->capacity = capacity;
    }
    group->inputs[group->n_inputs++] = pdata;
    group->n_items += pdata->n_items;
    return true;
}

static void batch_consume(struct node *node, struct pdata *pdata)
{
    struct batch_state *state = node_state(node);
    const struct batch_options *options = node_options(node);
    struct group *group = find_group(state, pdata);
    if (!group)
        group = new_group(state);
    if (!group || !add_input(group, pdata)) {
        if (group && group->n_inputs == 0)
            group_free(state, group);
        refuse(node, pdata);
    } else if (group->n_items >= options->max_items || group->n_inputs >= options->max_inputs) {
        flush(state, group, "full");
    }
    set_timer(state);
}

static void flush_due(struct batch_state *state)
{
    const uint64_t now = ftri_time_monotonic_ns();
    struct group *group;
    state->timer_ns = 0;
    while ((group = first_group(state)) && group->due_ns <= now)
        flush(state, group, "timeout");
    set_timer(state);
}

static void batch_control(struct node *node, const struct control *message)
{
    struct batch_state *state = node_state(node);
    struct group *group;
    if (message->kind == CONTROL_TIMER_TICK)
        flush_due(state);
    while (message->kind == CONTROL_SHUTDOWN && (group = first_group(state)))
        flush(state, group, "shutdown");
}

static void batch_stop(struct node *node)
{
    struct batch_state *state = node_state(node);
    struct group *group;
    while ((group = first_group(state)))
        group_free(state, group);
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
