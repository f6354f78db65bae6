/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/wal: takes custody. An input is settled (and so acknowledged to its sender) when it is
 * durable in the write-ahead log; what goes on from here has its own outcome, and only that
 * releases the log's record. What was not released at the last stop is sent on first.
 *
 * Inputs wait for the group commit in the order of their positions. While the log replays, inputs
 * are refused retryably, so that memory stays bounded by the channel below. They are, too, while
 * the log is full: then the store writes what it gathered, however little it is, as nothing else
 * makes room. */
#include "nodes/processors/processors.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "nodes/environment.h"
#include "nodes/intake.h"
#include "nodes/place.h"
#include "nodes/processors/wal_record.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct wal_node_options {
    const char *directory;
    int sync;
    uint64_t commit_delay_ns;
    uint64_t interval_ns;
    uint64_t limit_bytes;
    uint64_t segment_bytes;
};

static const char *const sync_names[] = {"always", "interval", "none", NULL};

static const struct option rows[] = {
    {"directory", OPTION_STR, offsetof(struct wal_node_options, directory), "wal",
     .sentence = "Where the log is kept; relative to the data directory."},
    {"sync", OPTION_CHOICE, offsetof(struct wal_node_options, sync), "always",
     .choices = sync_names,
     .sentence = "always: acknowledged means on disk; interval: a crash of the machine may lose up "
                 "to `interval`; none: what the kernel had not written."},
    {"commit_delay", OPTION_DURATION, offsetof(struct wal_node_options, commit_delay_ns), "5ms",
     .max = FTRI_NS_PER_S, .sentence = "How long a group commit gathers requests."},
    {"interval", OPTION_DURATION, offsetof(struct wal_node_options, interval_ns), "1s",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S,
     .sentence = "Time between syncs with `sync: interval`."},
    {"limit", OPTION_BYTES, offsetof(struct wal_node_options, limit_bytes), "4GiB", .min = 1 << 20,
     .sentence = "Largest size of the log; beyond it requests are refused."},
    {"segment", OPTION_BYTES, offsetof(struct wal_node_options, segment_bytes), "64MiB",
     .min = 1 << 16, .max = UINT64_C(1) << 32, .sentence = "Size of one file of the log."},
};

struct wal_state {
    struct node *node;
    struct wal *wal;
    struct ftri_list waiting; /* struct pending, by position: appended, not yet durable */
    bool is_replaying;
    bool is_settling;          /* replayed, but the store has not taken all of it yet */
    struct ftri_list replayed; /* until then: what has no outcome */
    uint64_t n_replayed_spans; /* but for those that were refused below */
    uint64_t flushed_ns;       /* when the store was last told to write, monotonic */
};

struct replayed {
    struct ftri_list link;
    uint64_t position;
    uint64_t n_spans;
};

struct pending {
    struct ftri_list link;
    struct pdata *pdata;
    uint64_t position;
};

static void on_synced(void *argument)
{
    node_wakeup(argument);
}

static int wal_start(struct node *node, struct ftri_error *error)
{
    struct wal_state *state = node_state(node);
    const struct wal_node_options *options = node_options(node);
    struct nodes_environment *environment = node_environment(node);
    char path[PATH_MAX];
    int r = place_resolve(node, options->directory, path, error);
    if (r < 0)
        return r;
    state->node = node;
    ftri_list_init(&state->waiting);
    ftri_list_init(&state->replayed);
    const struct wal_options wal = {
        .directory = path,
        .sync = (enum wal_sync)options->sync,
        .commit_delay_ms = (uint32_t)(options->commit_delay_ns / FTRI_NS_PER_MS),
        .interval_ms = (uint32_t)(options->interval_ns / FTRI_NS_PER_MS),
        .limit_bytes = options->limit_bytes,
        .segment_bytes = options->segment_bytes,
        .on_synced = on_synced,
        .argument = node,
    };
    r = wal_open(&wal, &state->wal, error);
    if (r < 0)
        return r;
    if (environment)
        environment->wal = state->wal;
    state->is_replaying = true;
    if (environment)
        environment->n_starting++;
    node_wakeup(node);
    return 0;
}

static void refuse(struct node *node, struct pdata *pdata, const char *reason, bool is_permanent)
{
    struct result result = {.cause = is_permanent ? NACK_UNSPECIFIED : NACK_ROUTE_FULL,
                            .is_permanent = is_permanent};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    node_nack(node, pdata, &result);
}

static void refuse_errno(struct node *node, struct pdata *pdata, int r)
{
    char reason[96];
    char text[128];
    snprintf(reason, sizeof reason, "the write-ahead log: %s", strerror_r(-r, text, sizeof text));
    log_write(LOG_LEVEL_ERROR, "processor/wal '%s': appending: %s", node_id(node), reason);
    refuse(node, pdata, reason, r == -EMSGSIZE); /* no later append of it will succeed */
}

/* Once a second at most, so that a store that fails keeps its pauses. */
static void refuse_full(struct wal_state *state, struct pdata *pdata)
{
    struct nodes_environment *environment = node_environment(state->node);
    const uint64_t now = ftri_time_monotonic_ns();
    if (environment && environment->store && now - state->flushed_ns >= FTRI_NS_PER_S) {
        state->flushed_ns = now;
        store_flush(environment->store);
    }
    refuse(state->node, pdata, "the write-ahead log is full", false);
}

static void wal_consume(struct node *node, struct pdata *pdata)
{
    struct wal_state *state = node_state(node);
    if (!intake_is_kept(node, pdata))
        return;
    if (state->is_replaying) {
        refuse(node, pdata, "the write-ahead log is being replayed", false);
        return;
    }
    struct pending *pending = ftri_alloc(sizeof *pending);
    if (!pending) {
        refuse(node, pdata, "memory is short", false);
        return;
    }
    uint64_t position = 0;
    const int r = wal_record_append(state->wal, pdata, &position);
    if (r != 0) {
        ftri_free(pending);
        if (r == WAL_FULL)
            refuse_full(state, pdata);
        else
            refuse_errno(node, pdata, r);
        return;
    }
    *pending = (struct pending){.pdata = pdata, .position = position};
    ftri_list_append(&state->waiting, &pending->link);
}

/* Custody is ours: the copy goes on with its own outcome, the sender gets its answer. */
static void commit(struct wal_state *state, const struct pending *pending)
{
    struct pdata *onward = node_derive_watched(state->node, pending->pdata, pending->position);
    if (onward)
        node_send(state->node, 0, onward);
    else
        log_write(
            LOG_LEVEL_WARNING,
            "processor/wal '%s': record %llu could not be sent on; it will be after a restart",
            node_id(state->node), (unsigned long long)pending->position);
    node_ack(state->node, pending->pdata);
}

static struct pending *first_waiting(const struct wal_state *state)
{
    return ftri_list_is_empty(&state->waiting)
               ? NULL
               : FTRI_CONTAINER(state->waiting.next, struct pending, link);
}

static void pending_free(struct pending *self)
{
    ftri_list_unlink(&self->link);
    ftri_free(self);
}

/* What became durable goes on; what never will be is refused. */
static void collect(struct wal_state *state)
{
    int error = 0;
    const uint64_t synced = wal_synced(state->wal, &error);
    struct pending *pending;
    while ((pending = first_waiting(state)) && pending->position < synced) {
        commit(state, pending);
        pending_free(pending);
    }
    while (error < 0 && (pending = first_waiting(state))) {
        refuse_errno(state->node, pending->pdata, error);
        pending_free(pending);
    }
}

static bool send_content(struct wal_state *state, const struct wal_record *record,
                         const struct wal_content *content)
{
    struct replayed *entry = ftri_alloc(sizeof *entry);
    struct pdata *pdata =
        entry ? node_ingest(state->node, content->signal, NULL, true, record->position) : NULL;
    if (!pdata) {
        ftri_free(entry);
        return false;
    }
    *entry = (struct replayed){.position = record->position, .n_spans = content->n_spans};
    ftri_list_append(&state->replayed, &entry->link);
    state->n_replayed_spans += content->n_spans;
    pdata_set_otlp(pdata, content->payload, content->n_items);
    pdata_set_metadata(pdata, content->metadata);
    pdata->received_ns = record->received_ns;
    pdata->is_untraced = content->signal == FTR_SIGNAL_METRICS;
    node_send(state->node, 0, pdata);
    return true;
}

static bool send_replayed(struct wal_state *state, const struct wal_record *record)
{
    struct wal_content content;
    if (wal_record_read(record, &content) < 0)
        return false;
    if (send_content(state, record, &content))
        return true;
    ftri_payload_unref(content.payload);
    ftri_payload_unref(content.metadata);
    return false;
}

/* The store will not have it before the next start: nobody waits for it. Outcomes come about in the
 * order of the positions. */
static void forget_replayed(struct wal_state *state, uint64_t position, bool is_refused)
{
    for (struct ftri_list *i = state->replayed.next; i != &state->replayed; i = i->next) {
        struct replayed *entry = FTRI_CONTAINER(i, struct replayed, link);
        if (entry->position != position)
            continue;
        state->n_replayed_spans -= is_refused ? entry->n_spans : 0;
        ftri_list_unlink(i);
        ftri_free(entry);
        return;
    }
}

static void forget_all_replayed(struct wal_state *state)
{
    struct ftri_list *link;
    while ((link = ftri_list_pop(&state->replayed)))
        ftri_free(FTRI_CONTAINER(link, struct replayed, link));
}

/* A reader that comes after the start finds all that was acknowledged before it. */
static void settle_replay(struct wal_state *state)
{
    struct nodes_environment *environment = node_environment(state->node);
    struct store_statistics statistics = {0};
    if (environment && environment->store)
        store_get_statistics(environment->store, &statistics);
    if (environment && environment->store &&
        statistics.n_appended_spans < state->n_replayed_spans) {
        node_set_timer(state->node, FTRI_NS_PER_MS);
        return;
    }
    state->is_settling = false;
    forget_all_replayed(state);
    if (environment && --environment->n_starting == 0 && environment->on_started)
        environment->on_started(environment->argument);
}

static void replay(struct wal_state *state)
{
    while (node_can_send(state->node)) {
        struct wal_record record;
        const int r = wal_replay(state->wal, &record);
        if (r != 0) {
            if (r < 0)
                log_write(LOG_LEVEL_ERROR, "processor/wal '%s': replaying stopped: %s",
                          node_id(state->node), strerror(-r));
            state->is_replaying = false;
            state->is_settling = true;
            settle_replay(state);
            return;
        }
        if (!send_replayed(state, &record))
            log_write(LOG_LEVEL_ERROR,
                      "processor/wal '%s': record %llu could not be replayed and is kept",
                      node_id(state->node), (unsigned long long)record.position);
    }
}

/* What may be tried again stays in the log and is replayed at the next start. */
static void settle_refused(struct wal_state *state, const struct control *message)
{
    const struct result *result = message->result;
    if (result->is_permanent)
        wal_release(state->wal, message->calldata);
    if (result->cause != NACK_NODE_SHUTDOWN)
        log_write(LOG_LEVEL_WARNING,
                  "processor/wal '%s': record %llu was refused below (%s) and %s",
                  node_id(state->node), (unsigned long long)message->calldata, result->reason,
                  result->is_permanent ? "is given up" : "is kept until the next start");
}

static void wal_control(struct node *node, const struct control *message)
{
    struct wal_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_ACK:
        forget_replayed(state, message->calldata, false);
        wal_release(state->wal, message->calldata);
        break;
    case CONTROL_NACK:
        forget_replayed(state, message->calldata, true);
        settle_refused(state, message);
        break;
    case CONTROL_TIMER_TICK:
        if (state->is_settling)
            settle_replay(state);
        break;
    case CONTROL_WAKEUP:
    case CONTROL_RESUME_DATA:
        if (state->is_replaying)
            replay(state);
        collect(state);
        break;
    default:
        break;
    }
}

static void wal_stop(struct node *node)
{
    struct wal_state *state = node_state(node);
    struct nodes_environment *environment = node_environment(node);
    struct pending *pending;
    while ((pending = first_waiting(state)))
        pending_free(pending);
    forget_all_replayed(state);
    if (environment)
        environment->wal = NULL;
    wal_close(state->wal);
}

const struct node_class processor_wal = {
    .type = "processor/wal",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Takes custody of telemetry in a write-ahead log before it is acknowledged.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct wal_node_options)},
    .state_size = sizeof(struct wal_state),
    .state = STATE_OF_GRAPH,
    .is_stateful = true,
    .start = wal_start,
    .consume = wal_consume,
    .control = wal_control,
    .stop = wal_stop,
};
