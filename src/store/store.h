/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's contract: spans in, traces out; ledger rows in and out. One suite
 * (tests/contract/store_test.c) holds for every backend.
 *
 * - What was appended is visible to every read from the moment store_append returns.
 * - Each (trace id, span id) is returned once by every read path: a finished span beats an
 *   unfinished one (end time 0), then the later received (the later appended among equals).
 *   Names may be those of a version that was beaten.
 * - A fragment (otlp/view.h: events that came apart from their span) is beaten by any span of its
 *   ids, but its events stay: reading a trace gives each span with its own events and those of all
 *   its fragments, by time, each of the latter once however often it was appended. Until there is
 *   a span, its fragments are read and found as one, an unfinished span of the fragments' name,
 *   which starts with the first of them. store_names leaves that name out.
 * - Ledger rows (otlp/ledger.h) are kept beside spans, under the same retention, each once however
 *   often it was appended: what a row is known by is said there.
 * - An append is *settled* when it is durable (or, in a memory store, kept). The owner learns of it
 *   by on_settled and store_collect, and only then lets go of the write-ahead log's record: what
 *   was not settled at a crash is appended again, so appending twice is harmless.
 *
 * Threads: one owner thread appends and collects; the backend's one writer thread does the rest;
 * reads may come from any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_error;
struct ftri_otlp_span;
struct ledger_row;
struct ftri_payload;
struct store;

struct store_options {
    const char *type;                   /* "memory", "sqlite" */
    const char *directory;              /* sqlite: holds flowtrace.db; made if absent */
    uint32_t block_spans;               /* 4096: spans gathered before a block is made */
    uint64_t block_bytes;               /* 16 MiB: or this much memory for them */
    uint64_t retention_ns;              /* 7 days by received time; 0: unlimited */
    uint64_t retention_bytes;           /* 10 GiB; memory: 256 MiB; 0: unlimited */
    void (*on_settled)(void *argument); /* on the writer's thread: only wakes the owner */
    void *argument;
};

/* Fills in every default for the type. */
void store_options_default(struct store_options *ret_options, const char *type);

int store_open(const struct store_options *options, struct store **ret_store,
               struct ftri_error *error) FTRI_MUST_CHECK;
/* Writes what is gathered, waits for the writer. NULL is fine. */
void store_close(struct store *self);

/* Positive outcome of store_append. */
enum { STORE_BUSY = 1 };

/* Adds the spans of a checked OTLP TracesData. Takes its own reference to the payload. token comes
 * back through store_collect exactly once. STORE_BUSY: too much is unwritten; nothing was taken,
 * try again after the next on_settled. */
int store_append(struct store *self, struct ftri_payload *payload, uint64_t received_ns,
                 uint64_t token) FTRI_MUST_CHECK;
/* The same for a MetricsData that ledger_select made. token NULL: it does not come back. */
int store_append_ledger(struct store *self, struct ftri_payload *payload, uint64_t received_ns,
                        const uint64_t *token) FTRI_MUST_CHECK;
/* Makes the writer write what is gathered without waiting for a full block. */
void store_flush(struct store *self);

struct store_settled {
    uint64_t token;
    int error; /* 0: durable; else the negated errno: nothing of it is durable, append it again */
};
/* Takes up to n settled tokens; returns how many. */
size_t store_collect(struct store *self, struct store_settled *ret_settled, size_t n);

/* Spans that a read found; owns (or shares) all bytes they point to. */
struct store_result {
    struct ftri_otlp_span *spans; /* by start time, then span id */
    size_t n_spans;
    bool is_truncated; /* more than the limit */
    void *owner;       /* the backend's */
};
void store_result_deinit(struct store_result *self);

/* All spans of one trace; with more than the limit the earliest, and is_truncated. 0 with n_spans
 * 0: not there. */
enum { STORE_TRACE_SPANS_MAX = 100 * 1000 };
int store_get_trace(struct store *self, const uint8_t trace_id[16],
                    struct store_result *ret_result) FTRI_MUST_CHECK;

enum store_status { STORE_STATUS_ANY, STORE_STATUS_OK, STORE_STATUS_ERROR };

/* A trace matches when one of its spans meets every condition that is set. A span that ends before
 * it starts lasted 0; an unfinished one has no duration and meets no condition on it. */
struct store_query {
    ftr_str service;          /* empty: any */
    ftr_str name;             /* span name, maybe with stars (store/pattern.h); empty: any */
    enum store_status status; /* OK: not ERROR */
    uint64_t start_min_ns;    /* span start, inclusive; 0: any */
    uint64_t start_max_ns;    /* inclusive; 0: any */
    uint64_t duration_min_ns;
    uint64_t duration_max_ns; /* 0: any */
    size_t limit;             /* traces; 1 to STORE_SEARCH_LIMIT_MAX */
};

enum { STORE_SEARCH_LIMIT_MAX = 10 * 1000 };

struct store_match {
    uint8_t trace_id[16];
    uint64_t start_ns; /* of the newest matching span */
};

/* Newest first by start_ns, then by trace id; each trace once. *ret_matches is freed by the caller
 * (ftri_free), NULL when there are none. -EINVAL: the limit is out of its range. */
int store_search(struct store *self, const struct store_query *query,
                 struct store_match **ret_matches, size_t *ret_n) FTRI_MUST_CHECK;

/* Distinct names, sorted; service empty: names of services, else of the spans of that service.
 * Calls back for each; the string is borrowed for the call. */
int store_names(struct store *self, ftr_str service, void (*each)(void *argument, ftr_str name),
                void *argument) FTRI_MUST_CHECK;

/* Calls back for each ledger row that ends after since_ns, in no order; its texts are borrowed for
 * the call. Stops at the first result below 0, which is the answer. The callback calls no store. */
int store_get_ledger(struct store *self, uint64_t since_ns,
                     int (*each)(void *argument, const struct ledger_row *row),
                     void *argument) FTRI_MUST_CHECK;
enum { STORE_REFUSALS_MAX = 16 };

struct store_statistics {
    uint64_t n_appended_spans; /* since open, duplicates and fragments included */
    uint64_t n_appended_fragments;
    uint64_t n_gathered_spans; /* in the log, not yet in a block */
    uint64_t n_blocks;
    uint64_t n_block_spans;
    uint64_t n_bytes;          /* on disk, or in memory */
    uint64_t n_expired_blocks; /* removed by retention since open */
    uint64_t n_corrupt_blocks; /* readings of blocks that did not decode, since open */
    uint64_t n_errors;         /* failed writes since open */
    uint64_t n_ghosts;         /* blocks of whose spans is known that they were removed */
    uint64_t refused_manifests[STORE_REFUSALS_MAX]; /* appended since open, by enum store_refusal */
};
void store_get_statistics(struct store *self, struct store_statistics *ret_statistics);
