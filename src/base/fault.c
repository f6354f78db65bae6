/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#ifdef FTR_FAULTS
#include "base/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order in which a request passes them. */
static const char *const points[] = {
    "wal.before_append",      "wal.after_append",      "wal.after_sync",
    "receiver.before_answer", "receiver.after_answer", "store.before_block",
    "store.after_block",      "wal.before_truncate",   "wal.after_truncate",
};

/* The counting of the engine, by file and place in it. */
static const char *const statements[] = {
    "channel_put: queue_depth_max",
    "channel_lose: sent",
    "channel_lose: n_sent_batches",
    "channel_lose: lost",
    "channel_count_sent: sent",
    "channel_count_redelivered: redelivered",
    "channel_count_sent: n_sent_batches",
    "channel_count_sent: queued",
    "hand_over: queued",
    "hand_over: handed",
    "take: taken",
    "take: queued",
    "channel_stop_waiting: blocked_ns",
    "count_refused: queued",
    "count_refused: lost",
    "channel_receive: queued",
    "channel_receive: received",
    "custody_take_items: n_held_items",
    "custody_take_items: held",
    "custody_drop_items: dropped",
    "revoke: received",
    "revoke: n_returned_items",
    "consume_count: work_ns",
    "node_ingest: n_visits",
    "absorb_input: n_held_items",
    "absorb_input: merged",
    "node_merge: n_visits",
    "count_emitted: forwarded",
    "count_emitted: created",
    "count_emitted: emitted",
    "count_emitted: emitted_bytes",
    "absorb: absorbed",
    "settled_items: received",
    "settled_items: n_returned_items",
    "node_ack: absorbed",
    "node_nack: failed",
    "node_drop_items: received",
    "node_drop_items: n_returned_items",
    "node_count_retry: retried",
    "begin_frame: n_held_items",
    "count_received: received",
    "count_received: held",
    "count_received: received_bytes",
    "count_received: n_visits",
    "count_received: queue_ns",
};

static const char *_Atomic skipped; /* NULL: none */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char chosen[64];
static _Atomic long countdown; /* 0: no fault is armed */

static void read_environment(void)
{
    atomic_store(&skipped, getenv("FTR_FAULT_SKIP"));
    const char *setting = getenv("FTR_FAULT");
    const char *colon = setting ? strchr(setting, ':') : NULL;
    if (!colon || (size_t)(colon - setting) >= sizeof chosen)
        return;
    memcpy(chosen, setting, (size_t)(colon - setting));
    atomic_store(&countdown, strtol(colon + 1, NULL, 10));
}

static void check_listed(const char *name, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    assert(i < n);
}

void ftri_fault_point(const char *name)
{
    check_listed(name, points, FTRI_COUNT(points));
    pthread_once(&once, read_environment);
    if (atomic_load(&countdown) == 0 || strcmp(name, chosen) != 0)
        return;
    if (atomic_fetch_sub(&countdown, 1) == 1)
        kill(getpid(), SIGKILL);
}

void ftri_fault_skip(const char *statement)
{
    if (statement)
        check_listed(statement, statements, FTRI_COUNT(statements));
    pthread_once(&once, read_environment);
    atomic_store(&skipped, statement);
}

bool ftri_fault_skips(const char *statement)
{
    pthread_once(&once, read_environment);
    const char *const name = atomic_load_explicit(&skipped, memory_order_relaxed);
    if (!name)
        return false;
    check_listed(statement, statements, FTRI_COUNT(statements));
    return strcmp(name, statement) == 0;
}

const char *ftri_fault_statement(size_t i)
{
    return i < FTRI_COUNT(statements) ? statements[i] : NULL;
}
#else
/* An empty translation unit is not ISO C. */
typedef int ftri_fault_unused;
#endif
