/* SPDX-License-Identifier: Apache-2.0
 *
 * The one thread that reads all journals and feeds the senders. It looks every millisecond while
 * there is something to do and parks otherwise; a parked worker still looks ten times a second, and
 * a recording thread wakes it when 64 KiB of its journal have filled. There is one worker, in
 * static memory. Functions but ftri_worker_wake: one thread at a time (the session's lock). */
#pragma once

#include "trace/sender.h"

struct ftri_tail_settings;

enum { FTRI_SENDERS_MAX = 2 * FTR_EXPORTERS_MAX };

/* Of both pipelines; a user span goes to one, by its routing. */
struct ftri_worker_senders {
    struct ftri_sender *const *system;
    size_t n_system;
    struct ftri_sender *const *user;
    size_t n_user;
    uint32_t user_spans_max; /* in all of them together; 0: no limit */
};

/* Senders (NULL: none) and tail are borrowed until the worker has stopped. Every pending_ns (0:
 * never) they also get the spans that have been open for that long, and at the stop all that are. 0
 * or a negated errno.
 */
int ftri_worker_start(const struct ftri_worker_senders *senders, uint64_t pending_ns,
                      const struct ftri_tail_settings *tail) FTRI_MUST_CHECK;
/* Reads all journals once more, decides all flows that wait, seals all batches, ends the thread and
 * waits for that: the worker never calls an exporter, so it cannot hang. Flows that are kept go as
 * the exporters have room, at the deadline anyhow. */
void ftri_worker_stop(uint64_t deadline_ns);

/* A ticket for a pass that begins after this call and seals everything. Any thread. */
uint64_t ftri_worker_request_pass(void);
/* False: the deadline passed first. Any thread. */
bool ftri_worker_wait_pass(uint64_t ticket, uint64_t deadline_ns);

/* Called by recording threads: wakes the worker if it is parked. */
void ftri_worker_wake(void);

/* Records read since the session's start, and copies of open spans made. */
uint64_t ftri_worker_count(void);
uint64_t ftri_worker_count_users(void);
/* User spans whose routing is no more, or never was. */
uint64_t ftri_worker_count_no_routing(void);
uint64_t ftri_worker_count_pending(void);

/* Around fork(), in the forking thread; in the child the worker is not running. The pass is locked
 * before any sender, which the worker calls; the rest after them. */
void ftri_worker_lock_pass(void);
void ftri_worker_unlock_pass(void);
void ftri_worker_lock(void);
void ftri_worker_unlock(void);
void ftri_worker_after_fork(void);
