/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that visits write: attribute keys, event names, span names. One table with a column for
 * each convention; the first column holds the keys of the tracing proposals' own documents and is
 * the default. docs/glossary.md says what each means. Constant, any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/flow.h>

enum ftri_convention { FTRI_CONVENTION_FLOWTRACE, FTRI_N_CONVENTIONS };

enum ftri_name {
    /* attributes of a visit's span */
    FTRI_NAME_NODE_ID,
    FTRI_NAME_NODE_TYPE,
    FTRI_NAME_PIPELINE,
    FTRI_NAME_STATEFUL,
    FTRI_NAME_SIGNAL_TYPE,
    FTRI_NAME_BATCH_SIZE,
    FTRI_NAME_BATCH_BYTES,
    FTRI_NAME_QUEUE_WAIT_MS,
    FTRI_NAME_QUEUE_DEPTH,
    FTRI_NAME_QUEUE_CAPACITY,
    FTRI_NAME_ATTEMPT,
    FTRI_NAME_HOPS,
    FTRI_NAME_OUT_PORT,
    FTRI_NAME_OUT_ITEMS,
    FTRI_NAME_OUT_BYTES,
    FTRI_NAME_OUT_COUNT,
    FTRI_NAME_DROP_REASON,
    FTRI_NAME_DROP_ITEMS,
    FTRI_NAME_BLOCKED_MS,
    FTRI_NAME_LATENCY_MS,
    FTRI_NAME_OUTCOME,
    FTRI_NAME_ERROR,
    FTRI_NAME_FAN_IN_COUNT,
    /* attributes of links */
    FTRI_NAME_RELATION,
    FTRI_NAME_INPUT_INDEX,
    FTRI_NAME_SPLIT_INDEX,
    FTRI_NAME_SPLIT_COUNT,
    /* the manifest: of its spans, and (the last) of the fan-in span */
    FTRI_NAME_MANIFEST,
    FTRI_NAME_MANIFEST_INDEX,
    FTRI_NAME_MANIFEST_COUNT,
    FTRI_NAME_MANIFEST_DROPPED,
    /* events and the manifest's span */
    FTRI_NAME_EVENT_EMIT,
    FTRI_NAME_EVENT_DROP,
    FTRI_NAME_EVENT_BACKPRESSURE,
    FTRI_NAME_SPAN_MANIFEST,
    FTRI_N_NAMES
};

/* A column: FTRI_N_NAMES names, indexed by enum ftri_name. */
const ftr_str *ftri_names(enum ftri_convention convention);
/* A visit's span kind. */
ftr_span_kind ftri_node_span_kind(ftr_node_kind kind);
