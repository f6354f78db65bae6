/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/retry: sends an input again when what is below refuses it retryably.
 *
 * The input is held until an attempt succeeds, a permanent refusal comes back, or max_elapsed has
 * passed; the delay grows each time, up to max_delay, with some jitter, and is never shorter than
 * the destination asked for. At most max_held inputs are held; then the channel above fills. One
 * timer serves the earliest.
 *
 * `acknowledge: held` takes custody in memory: the senders see success as soon as an input is held;
 * what is then given up is dropped, counted as retries_exhausted, and logged. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/time.h"
#include "engine/node.h"

#include <errno.h>
#include <stdio.h>

struct retry_options {
    uint64_t initial_delay_ns;
    uint64_t max_delay_ns;
    uint64_t max_elapsed_ns;
    uint64_t max_held;
    double multiplier, jitter;
    int acknowledge;
};

enum { ACKNOWLEDGE_DELIVERED, ACKNOWLEDGE_HELD };
enum { OURS = 0 }; /* calldata of what is held in custody; else a struct held * */
static const char *const acknowledgements[] = {"delivered", "held", NULL};

static const struct option rows[] = {
    {"initial_delay", OPTION_DURATION, offsetof(struct retry_options, initial_delay_ns), "1s",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S,
     .sentence = "Delay before the second attempt."},
    {"max_delay", OPTION_DURATION, offsetof(struct retry_options, max_delay_ns), "30s",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S, .sentence = "Longest delay."},
    {"max_elapsed", OPTION_DURATION, offsetof(struct retry_options, max_elapsed_ns), "5m",
     .sentence = "After this long the input is refused upwards (retries_exhausted); 0s: nothing is "
                 "sent again."},
    {"max_held", OPTION_U64, offsetof(struct retry_options, max_held), "64", .min = 1,
     .max = 100000, .sentence = "Inputs held at once."},
    {"multiplier", OPTION_F64, offsetof(struct retry_options, multiplier), "1.5",
     .sentence = "What the delay grows by each time, from 1 to 100."},
    {"jitter", OPTION_F64, offsetof(struct retry_options, jitter), "0.2",
     .sentence = "Share of the delay that it may be shorter or longer by, from 0 to 1."},
    {"acknowledge", OPTION_CHOICE, offsetof(struct retry_options, acknowledge), "delivered",
     .choices = acknowledgements,
     .sentence = "When the senders see success: when the input was taken below, or already when it "
                 "is held; what is then given up is dropped (retries_exhausted)."},
};

struct held {
    struct ftri_list link;
    struct pdata *input; /* or, once that is acknowledged, what was derived of it */
    uint64_t since_ns;
    uint64_t delay_ns;
    uint64_t due_ns; /* 0: an attempt is under way */
    uint32_t n_attempts;
};

struct retry_state {
    struct node *node;
    struct ftri_list held;
    uint64_t n_held;
    bool is_shutting_down;
};

static int retry_check(const void *values, struct ftri_error *error)
{
    const struct retry_options *options = values;
    if (options->initial_delay_ns > options->max_delay_ns)
        return ftri_error_set(error, -EINVAL, "initial_delay is greater than max_delay");
    if (!(options->multiplier >= 1 && options->multiplier <= 100))
        return ftri_error_set(error, -EINVAL, "multiplier is out of range: 1 to 100");
    if (!(options->jitter >= 0 && options->jitter <= 1))
        return ftri_error_set(error, -EINVAL, "jitter is out of range: 0 to 1");
    return 0;
}

static int retry_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct retry_state *state = node_state(node);
    state->node = node;
    ftri_list_init(&state->held);
    return 0;
}

static void held_free(struct retry_state *state, struct held *held)
{
    const struct retry_options *options = node_options(state->node);
    ftri_list_unlink(&held->link);
    ftri_free(held);
    state->n_held--;
    if (state->n_held + 1 == options->max_held)
        node_set_accepting(state->node, true);
}

/* The senders were told of a success, and the visit has ended: what was forwarded came back, and
 * ends here, in a visit of its own. */
static void drop_held(struct retry_state *state, const struct held *held,
                      const struct result *result)
{
    const uint64_t n_items = held->input->n_items;
    log_write(LOG_LEVEL_WARNING, "processor/retry '%s': %llu items are lost: %s",
              node_id(state->node), (unsigned long long)n_items, result->reason);
    ftr_context flow = node_flow_of(held->input);
    struct pdata *lost = node_ingest(state->node, held->input->signal, &flow, false, 0);
    ftr_context_release(&flow);
    if (lost) {
        lost->is_untraced = held->input->is_untraced;
        lost->n_items = n_items;
        node_drop(state->node, lost,
                  result->is_permanent ? FTR_DROP_REJECTED : FTR_DROP_RETRIES_EXHAUSTED);
    }
    node_ack(state->node, held->input);
}

static void give_up(struct retry_state *state, struct held *held, const struct result *result)
{
    const struct retry_options *options = node_options(state->node);
    struct result final = *result;
    if (!result->is_permanent)
        snprintf(final.reason, sizeof final.reason, "retries exhausted after %u attempts: %.80s",
                 held->n_attempts, result->reason);
    if (options->acknowledge == ACKNOWLEDGE_HELD)
        drop_held(state, held, &final);
    else
        node_nack(state->node, held->input, &final);
    held_free(state, held);
}

static uint64_t with_jitter(uint64_t delay_ns, double jitter)
{
    const uint64_t share = (uint64_t)((double)delay_ns * jitter);
    return delay_ns - share + (share ? ftri_random_u64() % (2 * share) : 0);
}

/* One timer for whoever is due first. */
static void arm_timer(struct retry_state *state)
{
    uint64_t earliest = UINT64_MAX;
    for (struct ftri_list *i = state->held.next; i != &state->held; i = i->next) {
        const struct held *held = FTRI_CONTAINER(i, struct held, link);
        if (held->due_ns && held->due_ns < earliest)
            earliest = held->due_ns;
    }
    if (earliest == UINT64_MAX)
        return;
    const uint64_t now = ftri_time_monotonic_ns();
    node_set_timer(state->node, earliest > now ? earliest - now : 1);
}

static void retry_later(struct retry_state *state, struct held *held, const struct result *result)
{
    const struct retry_options *options = node_options(state->node);
    const uint64_t now = ftri_time_monotonic_ns();
    if (result->is_permanent || state->is_shutting_down ||
        now - held->since_ns >= options->max_elapsed_ns) {
        give_up(state, held, result);
        return;
    }
    uint64_t delay_ns = with_jitter(held->delay_ns, options->jitter);
    if (delay_ns < result->retry_after_ns)
        delay_ns = result->retry_after_ns;
    held->due_ns = now + delay_ns;
    const double grown = (double)held->delay_ns * options->multiplier;
    held->delay_ns =
        grown > (double)options->max_delay_ns ? options->max_delay_ns : (uint64_t)grown;
    node_count_retry(state->node, held->input, held->n_attempts, delay_ns);
    arm_timer(state);
}

/* An attempt that cannot be made counts as one that failed. */
static void attempt(struct retry_state *state, struct held *held)
{
    held->due_ns = 0;
    struct pdata *pdata = node_derive_watched(state->node, held->input, (uint64_t)(uintptr_t)held);
    if (!pdata) {
        const struct result result = {.reason = "memory is short"};
        held->n_attempts++;
        retry_later(state, held, &result);
        return;
    }
    pdata->n_attempt = held->n_attempts++;
    node_send(state->node, 0, pdata);
}

static void retry_consume(struct node *node, struct pdata *pdata)
{
    struct retry_state *state = node_state(node);
    const struct retry_options *options = node_options(node);
    const bool is_ours = options->acknowledge == ACKNOWLEDGE_HELD;
    struct pdata *input = is_ours ? node_derive_watched(node, pdata, OURS) : pdata;
    struct held *held = input ? ftri_alloc(sizeof *held) : NULL;
    if (!held) {
        const struct result result = {.reason = "memory is short"};
        if (input && is_ours)
            node_ack(node, input);
        node_nack(node, pdata, &result);
        return;
    }
    *held = (struct held){.input = input,
                          .since_ns = ftri_time_monotonic_ns(),
                          .delay_ns = options->initial_delay_ns};
    ftri_list_append(&state->held, &held->link);
    if (++state->n_held >= options->max_held)
        node_set_accepting(node, false);
    attempt(state, held);
    if (is_ours)
        node_ack(node, pdata);
}

static void attempt_due(struct retry_state *state)
{
    const uint64_t now = ftri_time_monotonic_ns();
    struct ftri_list *next;
    for (struct ftri_list *i = state->held.next; i != &state->held; i = next) {
        next = i->next;
        struct held *held = FTRI_CONTAINER(i, struct held, link);
        if (held->due_ns && held->due_ns <= now)
            attempt(state, held);
    }
    arm_timer(state);
}

/* What waits for its turn is tried once more, at once. */
static void hurry(struct retry_state *state)
{
    state->is_shutting_down = true;
    struct ftri_list *next;
    for (struct ftri_list *i = state->held.next; i != &state->held; i = next) {
        next = i->next;
        struct held *held = FTRI_CONTAINER(i, struct held, link);
        if (held->due_ns)
            attempt(state, held);
    }
}

static void retry_control(struct node *node, const struct control *message)
{
    struct retry_state *state = node_state(node);
    struct held *held;
    if ((message->kind == CONTROL_ACK || message->kind == CONTROL_NACK) &&
        message->calldata == OURS)
        return; /* what we held, given up by ourselves */
    switch (message->kind) {
    case CONTROL_ACK:
        held = (struct held *)(uintptr_t)message->calldata;
        node_ack(node, held->input);
        held_free(state, held);
        break;
    case CONTROL_NACK:
        retry_later(state, (struct held *)(uintptr_t)message->calldata, message->result);
        break;
    case CONTROL_TIMER_TICK:
        attempt_due(state);
        break;
    case CONTROL_SHUTDOWN:
        hurry(state);
        break;
    default:
        break;
    }
}

static void retry_stop(struct node *node)
{
    struct retry_state *state = node_state(node);
    while (!ftri_list_is_empty(&state->held)) {
        struct held *held = FTRI_CONTAINER(state->held.next, struct held, link);
        ftri_list_unlink(&held->link);
        ftri_free(held);
    }
}

const struct node_class processor_retry = {
    .type = "processor/retry",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Sends again what is refused retryably below, with growing delays.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct retry_options)},
    .state_size = sizeof(struct retry_state),
    .is_stateful = true,
    .check = retry_check,
    .start = retry_start,
    .consume = retry_consume,
    .control = retry_control,
    .stop = retry_stop,
};
