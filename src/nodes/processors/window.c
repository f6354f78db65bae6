/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/window: gathers items by key and time; each window leaves as one merged batch whose
 * outcome settles every input that is in it.
 *
 * By event time, the latest time seen less the lateness is how far time has come: windows that end
 * by then leave, and items whose window has left are dropped (late). By arrival time the clock
 * decides. A window also leaves when it has been open for max_wait, when the node holds more than
 * it may (the one that ends first), and at a shutdown; what comes for it then opens it again.
 * Signals are kept apart. An input of which parts go to several
 * windows is split; it is settled when all of them are. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/node.h"
#include "nodes/processors/join.h"
#include "nodes/processors/window_items.h"
#include "nodes/processors/window_set.h"

#include <errno.h>

struct window_options {
    int kind;
    uint64_t size_ns;
    int time;
    int by;
    const char *attribute;
    uint64_t lateness_ns;
    uint64_t max_ahead_ns;
    uint64_t max_wait_ns;
    uint64_t max_windows;
    uint64_t max_items;
};

enum { KIND_FIXED, KIND_SESSION };
enum { TIME_EVENT, TIME_ARRIVAL };
enum { BY_NOTHING, BY_KEY, BY_ATTRIBUTE, BY_TRACE };

static const char *const kinds[] = {"fixed", "session", NULL};
static const char *const times[] = {"event", "arrival", NULL};
static const char *const keys[] = {"none", "key", "attribute", "trace", NULL};

#define AT(member) offsetof(struct window_options, member)

static const struct option rows[] = {
    {"kind", OPTION_CHOICE, AT(kind), "fixed", .choices = kinds,
     .sentence = "fixed: windows of one size, one after the other; session: as long as items come "
                 "within `size` of each other."},
    {"size", OPTION_DURATION, AT(size_ns), .is_required = true, .min = FTRI_NS_PER_MS,
     .max = 31 * 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "Length of a fixed window; gap that ends a session."},
    {"time", OPTION_CHOICE, AT(time), "event", .choices = times,
     .sentence = "What time an item has: its own (without one: of its arrival), or of its "
                 "arrival."},
    {"by", OPTION_CHOICE, AT(by), "none", .choices = keys,
     .sentence = "Windows are kept apart by: nothing; the record's key or the item's name; an "
                 "attribute; the trace of a span or log record."},
    {"attribute", OPTION_STR, AT(attribute), "",
     .sentence = "by attribute: which, of the item or else of its resource."},
    {"lateness", OPTION_DURATION, AT(lateness_ns), "0s", .max = 31 * 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "time event: how much later than others an item may come."},
    {"max_ahead", OPTION_DURATION, AT(max_ahead_ns), "10m", .max = 31 * 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "An event time further ahead of the clock is taken for the time of arrival."},
    {"max_wait", OPTION_DURATION, AT(max_wait_ns), "5m", .min = FTRI_NS_PER_MS,
     .max = 31 * 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "The longest that a window stays open by the clock."},
    {"max_windows", OPTION_U64, AT(max_windows), "1000", .min = 1, .max = 100000,
     .sentence = "Windows open at once."},
    {"max_items", OPTION_U64, AT(max_items), "1000000", .min = 1, .max = 100000000,
     .sentence = "Items held at once."},
};

struct window_state {
    struct node *node;
    struct window_set set;
    struct window_items items;
    struct window_part *parts; /* of the batch in hand */
    struct window **targets;
    size_t n_parts, capacity;
    uint64_t latest_ns;      /* event time seen */
    uint64_t passed_ns;      /* windows that end by then have left */
    uint64_t n_held;         /* items */
    uint64_t n_late, n_full; /* of the batch in hand */
    bool is_shutting_down;
};

static int window_check(const void *values, struct ftri_error *error)
{
    const struct window_options *options = values;
    if ((options->by == BY_ATTRIBUTE) != (options->attribute[0] != '\0'))
        return ftri_error_set(error, -EINVAL,
                              "attribute: expected with `by: attribute`, and only with it");
    return 0;
}

static int window_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct window_state *state = node_state(node);
    const struct window_options *options = node_options(node);
    state->node = node;
    window_set_init(&state->set, options->size_ns, options->kind == KIND_SESSION,
                    (size_t)options->max_windows);
    window_items_init(&state->items, options->by != BY_NOTHING, options->attribute);
    state->items.is_by_trace = options->by == BY_TRACE;
    return 0;
}

/* --- leaving ------------------------------------------------------------------------------- */

static void note_close(struct window_state *state, struct pdata *merged,
                       const struct window *window, const char *reason)
{
    const ftr_attribute attributes[] = {
        {FTR_STR("window.start_unix_ms"),
         ftr_value_i64((int64_t)(window->start_ns / FTRI_NS_PER_MS))},
        {FTR_STR("window.end_unix_ms"), ftr_value_i64((int64_t)(window->end_ns / FTRI_NS_PER_MS))},
        {FTR_STR("window.key"), ftr_value_str(window_items_key(window_key(window)))},
        {FTR_STR("window.reason"), ftr_value_str(ftr_str_from(reason))},
    };
    node_event(state->node, merged, "window_close", attributes, FTRI_COUNT(attributes));
}

static void close_window(struct window_state *state, struct window *window, const char *reason)
{
    static const struct result short_of = {.reason = "memory is short"};
    struct pdata **inputs = (struct pdata **)window->parts;
    const size_t n = window->n_parts;
    struct pdata *merged = NULL;
    for (size_t i = 0; i < n; i++)
        state->n_held -= inputs[i]->n_items;
    if (n)
        merged = join_merge(state->node, inputs, n);
    for (size_t i = 0; !merged && i < n; i++)
        node_nack(state->node, inputs[i], &short_of);
    if (merged)
        note_close(state, merged, window, reason);
    window_set_close(&state->set, window);
    if (merged)
        node_send(state->node, 0, merged);
}

static void close_first(struct window_state *state, const char *reason)
{
    close_window(state, window_set_first(&state->set), reason);
}

static void arm_timer(struct window_state *state, uint64_t now_ns, uint64_t wall_ns)
{
    const struct window_options *options = node_options(state->node);
    uint64_t delay_ns = UINT64_MAX;
    for (struct ftri_list *entry = state->set.windows.next; entry != &state->set.windows;
         entry = entry->next) {
        const struct window *window = FTRI_CONTAINER(entry, struct window, link);
        const uint64_t waited_ns = now_ns - window->opened_ns;
        uint64_t left_ns = waited_ns < options->max_wait_ns ? options->max_wait_ns - waited_ns : 1;
        if (options->time == TIME_ARRIVAL && window->end_ns < wall_ns + left_ns)
            left_ns = window->end_ns > wall_ns ? window->end_ns - wall_ns : 1;
        delay_ns = left_ns < delay_ns ? left_ns : delay_ns;
    }
    node_set_timer(state->node, delay_ns == UINT64_MAX ? 0 : delay_ns);
}

static void close_due(struct window_state *state)
{
    const struct window_options *options = node_options(state->node);
    const uint64_t now_ns = ftri_time_monotonic_ns(), wall_ns = ftri_time_wall_ns();
    const uint64_t lateness_ns = options->time == TIME_ARRIVAL ? 0 : options->lateness_ns;
    const uint64_t come_ns = options->time == TIME_ARRIVAL ? wall_ns : state->latest_ns;
    if (come_ns > lateness_ns && come_ns - lateness_ns > state->passed_ns)
        state->passed_ns = come_ns - lateness_ns;
    struct ftri_list *next;
    for (struct ftri_list *entry = state->set.windows.next; entry != &state->set.windows;
         entry = next) {
        next = entry->next;
        struct window *window = FTRI_CONTAINER(entry, struct window, link);
        if (state->is_shutting_down)
            close_window(state, window, "shutdown");
        else if (window->end_ns <= state->passed_ns)
            close_window(state, window, "end");
        else if (now_ns - window->opened_ns >= options->max_wait_ns)
            close_window(state, window, "max_wait");
    }
    arm_timer(state, now_ns, wall_ns);
}

/* --- coming in ----------------------------------------------------------------------------- */

/* What time the items have. */
static void set_times(struct window_state *state)
{
    const struct window_options *options = node_options(state->node);
    const uint64_t wall_ns = ftri_time_wall_ns();
    for (size_t i = 0; i < state->items.n_items; i++) {
        struct window_item *item = &state->items.items[i];
        if (options->time == TIME_ARRIVAL || item->time_ns == 0 ||
            item->time_ns > wall_ns + options->max_ahead_ns)
            item->time_ns = wall_ns;
    }
}

static bool is_late(const struct window_state *state, const struct window_item *item)
{
    return window_set_end_of(&state->set, item->time_ns) <= state->passed_ns &&
           !window_set_would_join(&state->set, item->key, item->time_ns);
}

/* Opens a window for every item that may have one. */
static int place(struct window_state *state)
{
    const uint64_t now_ns = ftri_time_monotonic_ns();
    state->n_late = state->n_full = 0;
    for (size_t i = 0; i < state->items.n_items; i++) {
        struct window_item *item = &state->items.items[i];
        item->part = 0;
        int r = 0;
        if (is_late(state, item)) {
            state->n_late++;
            item->part = WINDOW_NO_PART;
        } else {
            r = window_set_open(&state->set, item->key, item->time_ns, now_ns);
        }
        if (r == -ENOSPC) {
            state->n_full++;
            item->part = WINDOW_NO_PART;
        } else if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int add_target(struct window_state *state, struct window *window)
{
    if (state->n_parts == state->capacity) {
        const size_t capacity = state->capacity ? state->capacity * 2 : 16;
        struct window **targets = ftri_realloc(state->targets, capacity * sizeof *targets);
        if (!targets)
            return -ENOMEM;
        state->targets = targets;
        struct window_part *parts = ftri_realloc(state->parts, capacity * sizeof *parts);
        if (!parts)
            return -ENOMEM;
        state->parts = parts;
        state->capacity = capacity;
    }
    const int r = window_reserve(window);
    if (r < 0)
        return r;
    state->parts[state->n_parts] = (struct window_part){.n_items = 0};
    state->targets[state->n_parts++] = window;
    window->mark = state->n_parts;
    return 0;
}

/* Which part of the batch goes to which window, now that no window changes any more. */
static int find_targets(struct window_state *state)
{
    int r = 0;
    state->n_parts = 0;
    for (struct ftri_list *entry = state->set.windows.next; entry != &state->set.windows;
         entry = entry->next)
        FTRI_CONTAINER(entry, struct window, link)->mark = 0;
    for (size_t i = 0; r == 0 && i < state->items.n_items; i++) {
        struct window_item *item = &state->items.items[i];
        if (item->part == WINDOW_NO_PART)
            continue;
        struct window *window = window_set_find(&state->set, item->key, item->time_ns);
        if (window->mark == 0)
            r = add_target(state, window);
        item->part = (uint32_t)(window->mark - 1);
    }
    return r;
}

static void hold(struct window_state *state, size_t part, struct pdata *pdata)
{
    struct window *window = state->targets[part];
    state->n_held += pdata->n_items;
    window->parts[window->n_parts++] = pdata;
}

/* Every part but the last becomes a child. On failure those that were made are refused. */
static int derive_parts(struct window_state *state, struct pdata *pdata, struct pdata **children)
{
    static const struct result short_of = {.reason = "memory is short"};
    const uint32_t n = (uint32_t)state->n_parts;
    for (uint32_t i = 0; i + 1 < n; i++) {
        children[i] = node_derive(state->node, pdata, i, n);
        if (children[i])
            continue;
        while (i-- > 0)
            node_nack(state->node, children[i], &short_of);
        return -ENOMEM;
    }
    children[n - 1] = pdata;
    return 0;
}

static int hold_parts(struct window_state *state, struct pdata *pdata)
{
    struct pdata **children = ftri_alloc_array(state->n_parts, sizeof(struct pdata *));
    int r = children ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < state->n_parts; i++)
        r = window_items_cut(&state->items, pdata, (uint32_t)i, &state->parts[i]);
    if (r == 0 && state->n_late)
        node_drop_items(state->node, pdata, FTR_DROP_LATE, state->n_late);
    if (r == 0 && state->n_full)
        node_drop_items(state->node, pdata, FTR_DROP_BUFFER_FULL, state->n_full);
    if (r == 0)
        r = derive_parts(state, pdata, children);
    for (size_t i = 0; i < state->n_parts; i++) {
        if (r == 0) {
            window_part_give(&state->parts[i], children[i]);
            hold(state, i, children[i]);
        } else {
            window_part_deinit(&state->parts[i]);
        }
    }
    ftri_free(children);
    return r;
}

static void take_in(struct window_state *state, struct pdata *pdata)
{
    int r = window_items_list(&state->items, pdata);
    set_times(state);
    if (r == 0)
        r = place(state);
    if (r == 0)
        r = find_targets(state);
    const bool is_whole = state->n_parts == 1 && state->n_late + state->n_full == 0;
    if (r == 0 && is_whole) {
        hold(state, 0, pdata);
    } else if (r == 0 && state->n_parts == 0) {
        if (state->n_full)
            node_drop_items(state->node, pdata, FTR_DROP_BUFFER_FULL, state->n_full);
        node_drop(state->node, pdata, FTR_DROP_LATE);
    } else if (r == 0) {
        r = hold_parts(state, pdata);
    }
    if (r < 0) {
        const struct result result = {.reason = "memory is short"};
        node_nack(state->node, pdata, &result);
    }
}

static void see_times(struct window_state *state)
{
    for (size_t i = 0; i < state->items.n_items; i++)
        if (state->items.items[i].time_ns > state->latest_ns)
            state->latest_ns = state->items.items[i].time_ns;
}

static void window_consume(struct node *node, struct pdata *pdata)
{
    struct window_state *state = node_state(node);
    const struct window_options *options = node_options(node);
    while (state->set.n_windows && (state->set.n_windows >= options->max_windows ||
                                    state->n_held + pdata->n_items > options->max_items))
        close_first(state, "full");
    take_in(state, pdata);
    see_times(state);
    close_due(state);
}

static void window_control(struct node *node, const struct control *message)
{
    struct window_state *state = node_state(node);
    if (message->kind == CONTROL_SHUTDOWN)
        state->is_shutting_down = true;
    if (message->kind == CONTROL_SHUTDOWN || message->kind == CONTROL_TIMER_TICK)
        close_due(state);
}

static void window_stop(struct node *node)
{
    struct window_state *state = node_state(node);
    window_set_deinit(&state->set);
    window_items_deinit(&state->items);
    ftri_free(state->parts);
    ftri_free(state->targets);
}

/* Windows of traces close where their traces are; others have to see everything. */
static enum node_state_of state_of(const void *values)
{
    const struct window_options *options = values;
    return options->by == BY_TRACE ? STATE_OF_TRACE : STATE_OF_GRAPH;
}

const struct node_class processor_window = {
    .type = "processor/window",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Gathers items by key and time into one batch a window.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct window_options)},
    .state_size = sizeof(struct window_state),
    .is_stateful = true,
    .configured_state = state_of,
    .check = window_check,
    .start = window_start,
    .consume = window_consume,
    .control = window_control,
    .stop = window_stop,
};
