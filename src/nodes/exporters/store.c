/* SPDX-License-Identifier: Apache-2.0
 *
 * exporter/store: the durable end of telemetry. An input is settled when the store says that it is
 * durable; a failed write is tried again for as long as it takes, the input being held meanwhile
 * (and, behind processor/wal, still in the log). */
#include "nodes/exporters/exporters.h"

#include "base/log.h"
#include "base/time.h"
#include "nodes/environment.h"
#include "nodes/intake.h"
#include "nodes/place.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

enum { COLLECT_AT_ONCE = 64 };

static const uint64_t RETRY_DELAY_NS = 500 * FTRI_NS_PER_MS;

struct store_node_options {
    int type;
    const char *directory;
    uint64_t block_spans;
    uint64_t block_bytes;
    uint64_t retention_ns;
    uint64_t retention_bytes;
};

static const char *const type_names[] = {"sqlite", "memory", NULL};

static const struct option rows[] = {
    {"type", OPTION_CHOICE, offsetof(struct store_node_options, type), "sqlite",
     .choices = type_names, .sentence = "Where spans are kept."},
    {"directory", OPTION_STR, offsetof(struct store_node_options, directory), "",
     .sentence = "sqlite: where flowtrace.db is; relative to the data directory."},
    {"block_spans", OPTION_U64, offsetof(struct store_node_options, block_spans), "4096", .min = 1,
     .max = 1 << 20, .sentence = "Spans gathered before they become a block."},
    {"block_bytes", OPTION_BYTES, offsetof(struct store_node_options, block_bytes), "16MiB",
     .min = 4096, .max = UINT64_C(1) << 30, .sentence = "Or this much payload."},
    {"retention", OPTION_DURATION, offsetof(struct store_node_options, retention_ns), "7d",
     .sentence = "Older spans are removed; 0s keeps them."},
    {"retention_bytes", OPTION_BYTES, offsetof(struct store_node_options, retention_bytes), "0",
     .sentence = "Beyond this size the oldest spans are removed; 0: 10GiB (memory: 256MiB)."},
};

struct store_state {
    struct node *node;
    struct store *store;
    struct ftri_list waiting; /* pdata not yet taken by the store */
    size_t n_held;            /* taken, not yet settled */
    bool is_shutting_down;
};

static void on_settled(void *argument)
{
    node_wakeup(argument);
}

static int store_start(struct node *node, struct ftri_error *error)
{
    struct store_state *state = node_state(node);
    const struct store_node_options *options = node_options(node);
    struct nodes_environment *environment = node_environment(node);
    char path[PATH_MAX];
    int r = place_resolve(node, options->directory, path, error);
    if (r < 0)
        return r;
    state->node = node;
    ftri_list_init(&state->waiting);
    struct store_options store;
    store_options_default(&store, type_names[options->type]);
    store.directory = path;
    store.block_spans = (uint32_t)options->block_spans;
    store.block_bytes = options->block_bytes;
    store.retention_ns = options->retention_ns;
    if (options->retention_bytes)
        store.retention_bytes = options->retention_bytes;
    store.on_settled = on_settled;
    store.argument = node;
    r = store_open(&store, &state->store, error);
    if (r == 0 && environment)
        environment->store = state->store;
    return r;
}

/* False: the store takes nothing now. */
static bool try_append(struct store_state *state, struct pdata *pdata)
{
    const uint64_t token = (uint64_t)(uintptr_t)pdata;
    const int r = pdata->signal == FTR_SIGNAL_METRICS
                      ? store_append_ledger(state->store, pdata->otlp, pdata->received_ns, &token)
                      : store_append(state->store, pdata->otlp, pdata->received_ns, token);
    if (r == 0) {
        state->n_held++;
        return true;
    }
    if (r < 0) {
        log_write(LOG_LEVEL_WARNING, "exporter/store '%s': taking in %llu items: %s",
                  node_id(state->node), (unsigned long long)pdata->n_items, strerror(-r));
        node_set_timer(state->node, RETRY_DELAY_NS);
    }
    return false;
}

static void append_waiting(struct store_state *state)
{
    while (!ftri_list_is_empty(&state->waiting)) {
        struct pdata *pdata = FTRI_CONTAINER(state->waiting.next, struct pdata, link);
        ftri_list_unlink(&pdata->link);
        if (!try_append(state, pdata)) {
            ftri_list_append(state->waiting.next, &pdata->link); /* back to the front */
            break;
        }
    }
    node_set_accepting(state->node, ftri_list_is_empty(&state->waiting));
    if (state->is_shutting_down)
        store_flush(state->store);
}

static void store_consume(struct node *node, struct pdata *pdata)
{
    struct store_state *state = node_state(node);
    if (!intake_is_kept(node, pdata))
        return;
    ftri_list_append(&state->waiting, &pdata->link);
    append_waiting(state);
}

static void settle(struct store_state *state, const struct store_settled *settled)
{
    struct pdata *pdata = (struct pdata *)(uintptr_t)settled->token;
    state->n_held--;
    if (settled->error == 0) {
        node_ack(state->node, pdata);
        return;
    }
    log_write(LOG_LEVEL_ERROR, "exporter/store '%s': writing %llu items: %s; trying again",
              node_id(state->node), (unsigned long long)pdata->n_items, strerror(-settled->error));
    ftri_list_append(&state->waiting, &pdata->link);
    node_set_timer(state->node, RETRY_DELAY_NS);
}

static void collect(struct store_state *state)
{
    struct store_settled settled[COLLECT_AT_ONCE];
    bool has_failed = false;
    size_t n;
    while ((n = store_collect(state->store, settled, FTRI_COUNT(settled))) > 0) {
        for (size_t i = 0; i < n; i++) {
            has_failed |= settled[i].error != 0;
            settle(state, &settled[i]);
        }
    }
    if (!has_failed)
        append_waiting(state);
}

static void store_control(struct node *node, const struct control *message)
{
    struct store_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_WAKEUP:
        collect(state);
        break;
    case CONTROL_TIMER_TICK:
        append_waiting(state);
        break;
    case CONTROL_SHUTDOWN:
        state->is_shutting_down = true;
        append_waiting(state);
        break;
    default:
        break;
    }
}

static void store_stop(struct node *node)
{
    struct store_state *state = node_state(node);
    struct nodes_environment *environment = node_environment(node);
    if (environment)
        environment->store = NULL;
    store_close(state->store);
}

const struct node_class exporter_store = {
    .type = "exporter/store",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "Keeps spans and the flow ledger in the embedded store.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct store_node_options)},
    .state_size = sizeof(struct store_state),
    .state = STATE_OF_GRAPH,
    .is_stateful = true,
    .start = store_start,
    .consume = store_consume,
    .control = store_control,
    .stop = store_stop,
};
