/* SPDX-License-Identifier: Apache-2.0
 *
 * The exporters of tests. exporter/error refuses batches as told and takes the others, so that
 * retries, fallbacks and accounts can be tried out; the same seed refuses the same batches.
 * exporter/noop takes everything and keeps nothing. */
#include "base/error.h"
#include "base/time.h"
#include "engine/node.h"
#include "nodes/draw.h"
#include "nodes/exporters/exporters.h"

#include <errno.h>
#include <stdio.h>

struct error_options {
    bool is_permanent;
    double share;
    uint64_t after;
    uint64_t retry_after_ns;
    uint64_t seed;
    const char *reason;
};

static const struct option rows[] = {
    {"permanent", OPTION_BOOL, offsetof(struct error_options, is_permanent), "false",
     .sentence = "Refuse for good; else trying again may help."},
    {"share", OPTION_F64, offsetof(struct error_options, share), "1",
     .sentence = "Of the batches, from 0 to 1: how many are refused."},
    {"after", OPTION_U64, offsetof(struct error_options, after), "0",
     .sentence = "So many batches are taken first."},
    {"retry_after", OPTION_DURATION, offsetof(struct error_options, retry_after_ns), "0s",
     .max = 3600 * FTRI_NS_PER_S, .sentence = "Delay to ask for; 0s: none."},
    {"seed", OPTION_U64, offsetof(struct error_options, seed), "1",
     .sentence = "Which batches are refused when share is between 0 and 1."},
    {"reason", OPTION_STR, offsetof(struct error_options, reason), "told to refuse",
     .sentence = "What the refusal says."},
};

struct error_state {
    uint64_t n_seen;
    uint64_t drawn;
};

static int error_check(const void *values, struct ftri_error *error)
{
    const struct error_options *options = values;
    if (!(options->share >= 0 && options->share <= 1))
        return ftri_error_set(error, -EINVAL, "share: expected a number from 0 to 1");
    return 0;
}

static int error_start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct error_state *state = node_state(node);
    const struct error_options *options = node_options(node);
    state->drawn = options->seed;
    return 0;
}

static bool is_refused(struct node *node)
{
    struct error_state *state = node_state(node);
    const struct error_options *options = node_options(node);
    return state->n_seen++ >= options->after && draw_f64(&state->drawn) < options->share;
}

static void error_consume(struct node *node, struct pdata *pdata)
{
    const struct error_options *options = node_options(node);
    if (!is_refused(node)) {
        node_ack(node, pdata);
        return;
    }
    struct result result = {.is_permanent = options->is_permanent,
                            .retry_after_ns = options->retry_after_ns};
    snprintf(result.reason, sizeof result.reason, "%s", options->reason);
    node_nack(node, pdata, &result);
}

const struct node_class exporter_error = {
    .type = "exporter/error",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "Refuses batches as told, for tests.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct error_options)},
    .state_size = sizeof(struct error_state),
    .check = error_check,
    .start = error_start,
    .consume = error_consume,
};

static void noop_consume(struct node *node, struct pdata *pdata)
{
    node_ack(node, pdata);
}

const struct node_class exporter_noop = {
    .type = "exporter/noop",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "Takes everything and keeps nothing, for tests.",
    .consume = noop_consume,
};
