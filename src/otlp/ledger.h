/* SPDX-License-Identifier: Apache-2.0
 *
 * The flow ledger (docs/loss.md): what edges and nodes counted between two cuts, as rows, and as
 * OTLP sums on the wire. One MetricsData speaks for one process:
 *
 *   resource    service.instance.id: of this run of the process; service.name
 *   ftr.edge.*  attributes ftr.pipeline, ftr.from, ftr.port, ftr.to
 *   ftr.node.*  attributes ftr.pipeline, ftr.node; of ftr.node.dropped also ftr.reason
 *   ftr.instance.cuts   ftr.pipeline; ftr.last: true on the cut after which none comes
 *
 * Counters are monotonic delta sums from the last cut to this one. What lies somewhere at the cut
 * (queued, held) is a sum that is neither: cumulative, as OpenTelemetry has it for up-down counters
 * also where deltas are preferred. An edge or node of which nothing was counted and nothing lies
 * anywhere has no row; ftr.instance.cuts is in every cut.
 *
 * (instance, pipeline, series, start, mask) names a row: what comes again is known by it. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_bytes;
struct ftri_view;

enum { LEDGER_DROP_REASONS = 10 }; /* index: ftr_drop_reason */

enum ledger_counter {
    LEDGER_EDGE_SENT,        /* counted by the sending end; the other three by the receiving one */
    LEDGER_EDGE_REDELIVERED, /* of the sent: deliveries after the first */
    LEDGER_EDGE_RECEIVED,
    LEDGER_EDGE_LOST,
    LEDGER_EDGE_QUEUED, /* a level */
    LEDGER_NODE_RECEIVED,
    LEDGER_NODE_FORWARDED,
    LEDGER_NODE_ABSORBED,
    LEDGER_NODE_CREATED,
    LEDGER_NODE_EMITTED,
    LEDGER_NODE_FAILED,
    LEDGER_NODE_RETRIED, /* batches */
    LEDGER_NODE_HELD,    /* a level */
    LEDGER_NODE_DROPPED, /* + ftr_drop_reason */
    LEDGER_COUNTERS = LEDGER_NODE_DROPPED + LEDGER_DROP_REASONS
};

#define LEDGER_BIT(counter) (UINT32_C(1) << (counter))
#define LEDGER_LEVELS (LEDGER_BIT(LEDGER_EDGE_QUEUED) | LEDGER_BIT(LEDGER_NODE_HELD))

enum { LEDGER_TEXT_BYTES = 255, LEDGER_INTERVAL_S = 10 }; /* of each name; between cuts */

enum ledger_series { LEDGER_INSTANCE, LEDGER_NODE, LEDGER_EDGE };

struct ledger_row {
    ftr_str instance, pipeline;
    enum ledger_series series;
    ftr_str node;     /* of an edge: from; of LEDGER_INSTANCE: empty, as are the next two */
    ftr_str port, to; /* of an edge */
    uint64_t start_ns, end_ns;
    uint64_t received_ns; /* by the collector */
    bool is_last;         /* of LEDGER_INSTANCE */
    uint32_t mask;        /* LEDGER_BIT of what was reported, zeros included */
    uint64_t counters[LEDGER_COUNTERS];
};

/* The name of a counter in answers: "sent"; of a reason: as ftr_drop_reason_name. */
const char *ledger_counter_name(enum ledger_counter counter);

/* Appends a MetricsData of rows, all of one instance. 0, -ENOMEM, -EMSGSIZE. */
int ledger_encode(const struct ledger_row *rows, size_t n_rows, ftr_str service,
                  struct ftri_bytes *out, size_t *ret_n_points) FTRI_MUST_CHECK;

/* Appends what of a checked MetricsData is a ledger's: metrics of the names above, of the right
 * kind, all of whose points have the attributes they need, under a resource that has its instance.
 * Counts the points of these and of all others. 0, -ENOMEM, -EMSGSIZE. */
int ledger_select(struct ftri_view metrics, struct ftri_bytes *out, size_t *ret_n_points,
                  size_t *ret_n_others) FTRI_MUST_CHECK;

/* Calls back for each row of a selected MetricsData, in no order; texts are borrowed from it.
 * received_ns is left 0. Stops at the first result below 0, which is the answer. -ENOMEM. */
typedef int ledger_each(void *argument, const struct ledger_row *row);
int ledger_read(struct ftri_view metrics, ledger_each *each, void *argument) FTRI_MUST_CHECK;

/* By what a row is the same as another one, but for received_ns and what it counts: bytes, and what
 * it says: bytes. For stores. The texts of the row that is read are borrowed from the key. */
int ledger_write_key(const struct ledger_row *row, struct ftri_bytes *out) FTRI_MUST_CHECK;
int ledger_write_value(const struct ledger_row *row, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* -EBADMSG: not such bytes. */
int ledger_read_pair(struct ftri_view key, struct ftri_view value,
                     struct ledger_row *ret_row) FTRI_MUST_CHECK;
