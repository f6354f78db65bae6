/* SPDX-License-Identifier: Apache-2.0
 *
 * One exporter's bounded queue and the thread that empties it.
 *
 * The worker fills the open batch and seals it when it is large or old enough; the sender's thread
 * exports sealed batches in order. Two references: the session's and the thread's, so an exporter
 * that hangs can be left behind. Functions are the worker's unless marked (any). */
#pragma once

#include "base/check.h"
#include "trace/diagnostics.h"

#include <flowtrace/tracing.h>

struct ftri_sender_settings {
    size_t queue_bytes;
    size_t batch_bytes;
    uint32_t queue_spans; /* 0: no limit */
    uint32_t batch_spans; /* 0: no limit */
    bool is_routed;       /* user spans, exported a routing at a time */
    uint64_t delay_ns;
    uint64_t timeout_ns; /* for one export */
    struct ftri_teller teller;
    uint64_t metrics_interval_ns;
    uint64_t metrics_timeout_ns; /* for one export of metrics */
};

/* A batch fits its queue: else spans would be lost while the exporter has nothing to do. */
void ftri_sender_settings_fit(struct ftri_sender_settings *self);

struct ftri_origin;
struct ftri_record;
struct ftri_sender;

/* Takes the exporter over; the caller keeps it when the result is NULL (memory is short). Takes a
 * reference to origin. */
struct ftri_sender *ftri_sender_new(ftr_exporter *exporter,
                                    const struct ftri_sender_settings *settings,
                                    struct ftri_origin *origin) FTRI_MUST_CHECK;
/* Before its start: it also exports metrics, if its exporter takes any: at each interval, when it
 * is waited for, and last of all. Nothing is said of failures that are implied: nobody asked. */
void ftri_sender_take_metrics(struct ftri_sender *self, bool is_implied);
/* Gives up a sender that was given nothing yet; the exporter is the caller's again. */
void ftri_sender_discard(struct ftri_sender *self);
/* Starts its thread: 0 or a negated errno. */
int ftri_sender_start(struct ftri_sender *self) FTRI_MUST_CHECK;
struct ftri_sender *ftri_sender_ref(struct ftri_sender *self); /* (any) */
void ftri_sender_unref(struct ftri_sender *self);              /* (any) */

/* Queues one record, or counts it as lost. routing: 0, or what a user span holds (routing.h); it is
 * let go with the span's outcome. */
void ftri_sender_accept(struct ftri_sender *self, const struct ftri_record *record,
                        uint32_t routing);
/* Spans without an outcome. */
uint64_t ftri_sender_n_queued(const struct ftri_sender *self); /* (any) */
/* Whether a span may find a place; false: it would be lost. */
bool ftri_sender_has_room(struct ftri_sender *self);
/* So many records were not even looked at: there is no room. */
void ftri_sender_lose(struct ftri_sender *self, uint64_t n);
/* Whether less than half of the queue is in use, or filling it does not matter. */
bool ftri_sender_has_slack(const struct ftri_sender *self);
/* Seals the open batch if it is old enough; returns when it will be (UINT64_MAX: it is empty). */
uint64_t ftri_sender_tick(struct ftri_sender *self, uint64_t now_ns);
void ftri_sender_seal(struct ftri_sender *self);

/* (any) Waits until all batches sealed so far have an outcome, and the metrics of now; false: the
 * deadline passed. */
bool ftri_sender_wait(struct ftri_sender *self, uint64_t deadline_ns);
/* (any) No batch comes any more: what is queued is exported until the deadline, then the exporter
 * is closed. */
void ftri_sender_stop(struct ftri_sender *self, uint64_t deadline_ns);
/* (any) False: still busy at the deadline. */
bool ftri_sender_wait_stopped(struct ftri_sender *self, uint64_t deadline_ns);
void ftri_sender_count(struct ftri_sender *self, ftr_exporter_statistics *ret_counts); /* (any) */
/* (any) Adds its exports of metrics. */
void ftri_sender_count_metrics(struct ftri_sender *self, ftr_statistics *counts);

/* Around fork(), in the forking thread. The child's sender is empty and not started. */
void ftri_sender_lock(struct ftri_sender *self);
void ftri_sender_unlock(struct ftri_sender *self);
void ftri_sender_after_fork(struct ftri_sender *self);
