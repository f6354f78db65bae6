/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/generator: makes batches up, for tests and demonstrations. Items are due by the rate
 * since the start; what the channels below have no room for waits, at most one second's worth. */
#include "base/error.h"
#include "base/payload.h"
#include "base/time.h"
#include "engine/node.h"
#include "engine/records.h"
#include "nodes/receivers/generated.h"
#include "nodes/receivers/receivers.h"

#include <errno.h>

struct generator_options {
    int signal;
    uint64_t rate;
    uint64_t count;
    uint64_t batch;
    uint64_t seed;
    const char *service;
};

static const char *const signal_names[] = {"records", "traces", "metrics", "logs", NULL};

static const struct option rows[] = {
    {"signal", OPTION_CHOICE, offsetof(struct generator_options, signal), "traces",
     .choices = signal_names, .sentence = "What is made."},
    {"rate", OPTION_U64, offsetof(struct generator_options, rate), "100", .max = 100000000,
     .sentence = "Items a second; 0: as many as there is room for."},
    {"count", OPTION_U64, offsetof(struct generator_options, count), "0",
     .sentence = "Items in all; then the work is done. 0: without end."},
    {"batch", OPTION_U64, offsetof(struct generator_options, batch), "10", .min = 1, .max = 100000,
     .sentence = "Items in one batch."},
    {"seed", OPTION_U64, offsetof(struct generator_options, seed), "1",
     .sentence = "Decides ids and attributes."},
    {"service", OPTION_STR, offsetof(struct generator_options, service), "generator",
     .sentence = "service.name of the resource."},
};

enum { BATCHES_PER_TURN = 64 };

struct generator_state {
    struct node *node;
    struct generated made;
    uint64_t counted_ns; /* until when items were added to n_due */
    uint64_t n_due;
    bool is_over;
};

static int generator_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct generator_state *state = node_state(node);
    const struct generator_options *options = node_options(node);
    state->node = node;
    state->made = (struct generated){.drawn = options->seed, .service = options->service};
    state->counted_ns = ftri_time_monotonic_ns();
    state->n_due = options->rate ? options->batch : 0; /* the first leaves at once */
    node_wakeup(node);
    return 0;
}

static ftr_signal signal_of(const struct generator_options *options)
{
    static const ftr_signal signals[] = {FTR_SIGNAL_RECORDS, FTR_SIGNAL_TRACES, FTR_SIGNAL_METRICS,
                                         FTR_SIGNAL_LOGS};
    return signals[options->signal];
}

static int fill_records(struct generator_state *state, struct pdata *pdata, size_t n)
{
    struct records *records = records_new(SIZE_MAX / 2);
    if (!records)
        return -ENOMEM;
    const int r = generated_records(&state->made, n, pdata->received_ns, records);
    if (r < 0) {
        records_unref(records);
        return r;
    }
    records_seal(records);
    pdata_set_records(pdata, records);
    return 0;
}

static int fill_telemetry(struct generator_state *state, struct pdata *pdata, size_t n)
{
    struct ftri_bytes bytes FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&bytes, UINT32_MAX);
    const int r = generated_telemetry(&state->made, pdata->signal, n, pdata->received_ns, &bytes);
    struct ftri_payload *payload = r == 0 ? ftri_payload_new(&bytes) : NULL;
    if (!payload)
        return -ENOMEM;
    pdata_set_otlp(pdata, payload, n);
    return 0;
}

/* False: memory is short; the same batch is made at the next try. */
static bool send_batch(struct generator_state *state, size_t n)
{
    const struct generator_options *options = node_options(state->node);
    const struct generated before = state->made;
    struct pdata *pdata = node_ingest(state->node, signal_of(options), NULL, false, 0);
    if (!pdata)
        return false;
    pdata->received_ns = ftri_time_wall_ns();
    const int r = pdata->signal == FTR_SIGNAL_RECORDS ? fill_records(state, pdata, n)
                                                      : fill_telemetry(state, pdata, n);
    if (r == 0) {
        node_send(state->node, 0, pdata);
        return true;
    }
    state->made = before;
    node_ack(state->node, pdata); /* of nothing */
    return false;
}

static void count_due(struct generator_state *state)
{
    const struct generator_options *options = node_options(state->node);
    const uint64_t now_ns = ftri_time_monotonic_ns();
    const uint64_t most = options->rate > options->batch ? options->rate : options->batch;
    uint64_t elapsed_ns = now_ns - state->counted_ns;
    if (elapsed_ns > FTRI_NS_PER_S)
        elapsed_ns = FTRI_NS_PER_S;
    const uint64_t n = elapsed_ns * options->rate / FTRI_NS_PER_S;
    if (n == 0)
        return;
    state->counted_ns = elapsed_ns == FTRI_NS_PER_S
                            ? now_ns
                            : state->counted_ns + n * FTRI_NS_PER_S / options->rate;
    state->n_due = state->n_due + n < most ? state->n_due + n : most;
}

/* Of the next batch; 0: nothing is left to make. */
static uint64_t next_size(const struct generator_state *state)
{
    const struct generator_options *options = node_options(state->node);
    if (options->count && options->count - state->made.n_items < options->batch)
        return options->count - state->made.n_items;
    return options->batch;
}

static void wait_for_due(struct generator_state *state, uint64_t n)
{
    const struct generator_options *options = node_options(state->node);
    const uint64_t delay_ns = (n - state->n_due) * FTRI_NS_PER_S / options->rate;
    node_set_timer(state->node, delay_ns > FTRI_NS_PER_MS ? delay_ns : FTRI_NS_PER_MS);
}

static void work(struct generator_state *state)
{
    const struct generator_options *options = node_options(state->node);
    if (options->rate)
        count_due(state);
    for (size_t i = 0; i < BATCHES_PER_TURN && node_can_send(state->node); i++) {
        const uint64_t n = next_size(state);
        if (n == 0) {
            state->is_over = true;
            node_finished(state->node);
            return;
        }
        if (options->rate && state->n_due < n) {
            wait_for_due(state, n);
            return;
        }
        if (!send_batch(state, (size_t)n))
            break;
        state->n_due -= options->rate ? n : 0;
    }
    if (node_can_send(state->node))
        node_wakeup(state->node);
}

static void generator_control(struct node *node, const struct control *message)
{
    struct generator_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_WAKEUP:
    case CONTROL_RESUME_DATA:
    case CONTROL_TIMER_TICK:
        if (!state->is_over)
            work(state);
        break;
    case CONTROL_DRAIN_INGRESS:
        state->is_over = true;
        node_drained(node);
        break;
    default:
        break;
    }
}

const struct node_class receiver_generator = {
    .type = "receiver/generator",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Makes up spans, data points, log records or records.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct generator_options)},
    .state_size = sizeof(struct generator_state),
    .state = STATE_OF_GRAPH,
    .start = generator_start,
    .control = generator_control,
};
