/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the worker and the exporters: what is kept at once, what waits for its flow to be decided
 * (FTR_MODE_TAIL), what is not exported at all. Memory exists only in FTR_MODE_TAIL and for as long
 * afterwards as its verdicts hold.
 * Functions are the worker's unless marked (any) or (one at a time: any thread, under the session's
 * lock); around fork() nobody is inside. */
#pragma once

#include "sampling/policy.h"

#include <flowtrace/tracing.h>

struct ftr_span_context;
struct ftri_record;

struct ftri_tail_settings {
    struct ftri_policy policy;
    uint64_t max_age_ns;
    size_t budget_bytes;
};

/* How spans go to the exporters. */
struct ftri_tail_exit {
    void (*keep)(const struct ftri_record *record);
    /* Whether many spans at once would find room. */
    bool (*has_slack)(void);
};

/* Before the worker runs; settings and exit are borrowed until ftri_tail_stop. */
void ftri_tail_start(const struct ftri_tail_settings *settings, const struct ftri_tail_exit *exit);
/* When it has ended. Gives all memory back. */
void ftri_tail_stop(void);
/* What counts from the worker's next pass on. (any) */
void ftri_tail_set_mode(ftr_mode mode);

/* The marks of a flow that begins now and is to wait: FTRI_TRACE_WAITS and the period. (any) */
uint8_t ftri_tail_marks(void);
/* How many hold spans back though the mode may be another one. (one at a time) */
void ftri_tail_set_holders(uint32_t n_holders);

/* Whether all sampled spans are kept at once. */
bool ftri_tail_passes_all(void);
/* A pass begins, before journals are read. */
void ftri_tail_begin(void);
/* One span that has ended, or will not end any more. It stays where it is, and so does the block it
 * refers to, until ftri_tail_settle. */
void ftri_tail_accept(const struct ftri_record *record);
/* The same for a record that is none: FTRI_RECORD_CROSSES. */
void ftri_tail_note(const struct ftri_record *record);
/* All that was accepted has gone where it goes. */
void ftri_tail_settle(void);
/* Whether a copy of this open span may be exported already. */
bool ftri_tail_shows_open(const struct ftri_record *record);
/* The journals were read: decides what is due. Returns in how many ns to come again at the latest
 * (UINT64_MAX: it does not matter). */
uint64_t ftri_tail_end(void);
/* The session's end: decides one more flow as long as there is slack, or (is_last) all. True:
 * nothing waits any more. */
bool ftri_tail_finish(bool is_last);

/* Tells the worker that a context is written for another process: a note in the thread's journal.
 * (any) */
void ftri_tail_mark(const struct ftr_span_context *span);

/* sampled_out to tail_forgotten. (any) */
void ftri_tail_count(ftr_statistics *ret_statistics);
/* In the child of a fork: what waited is the parent's. */
void ftri_tail_after_fork(void);
