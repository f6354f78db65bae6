/* SPDX-License-Identifier: Apache-2.0
 *
 * The flow ledger summed up (docs/loss.md): what each edge and node of a pipeline counted since a
 * time, over all processes that ran it.
 *
 * - An interval of an edge is settled when both of its ends have reported it; of one that is not,
 *   the difference is in flight, as is what lay in a queue at the last cut.
 * - A process that stays silent without having made its last cut died: what it counted since is
 *   unknown, and what it held then, too. It is never called lost.
 *
 * A process is alive for the collector for LOSS_SILENCE_S after its last cut came in. One thread.
 */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/map.h"
#include "otlp/ledger.h"

enum { LOSS_SILENCE_S = 3 * LEDGER_INTERVAL_S, LOSS_SERIES_MAX = 100 * 1000 };

/* A pipeline (node empty), node or edge (to not empty). */
struct loss_line {
    ftr_str pipeline, node, port, to;
    enum ledger_series series;          /* LEDGER_INSTANCE: the pipeline */
    uint64_t counters[LEDGER_COUNTERS]; /* levels: of processes that are alive */
    uint64_t in_flight;                 /* of an edge */
    uint64_t unknown_items;    /* queued or held by processes that died or left them behind */
    uint64_t unknown_since_ns; /* 0: no process died */
    uint64_t settled_until_ns; /* up to then everything was reported */
    uint64_t ended_ns;         /* the last end of a process that made its last cut */
    bool is_settled;
    size_t n_instances, n_dead; /* of a pipeline */
};

struct loss {
    struct ftri_arena arena;
    struct ftri_map series;    /* struct series, by all that names it and the instance */
    struct ftri_map instances; /* struct instance, by pipeline and instance */
    struct ftri_map halves;    /* struct half, by edge and start */
    ftr_str pipeline;          /* empty: all */
    struct ftri_bytes key;
    struct loss_line *lines;
    size_t n_lines;
};

void loss_init(struct loss *self, ftr_str pipeline);
void loss_deinit(struct loss *self);
/* One row of the store; ledger_each of a struct loss. 0, -ENOMEM, -ENOSPC: over LOSS_SERIES_MAX. */
int loss_add(void *loss, const struct ledger_row *row) FTRI_MUST_CHECK;
/* Fills lines: by pipeline, itself first, then its nodes and edges by name. */
int loss_finish(struct loss *self, uint64_t now_ns) FTRI_MUST_CHECK;
