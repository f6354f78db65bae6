/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that visits write: attribute keys, event names, span names. One table with a row for
 * each name: our own, which is that of the tracing proposals' documents, and what other conventions
 * call the same; where they have no word ours stands. docs/glossary.md says what each means,
 * docs/conventions.md is this table for readers. Constant, any thread. */
#pragma once

#include "trace/convention.h"

#include <flowtrace/flow.h>

/* Attributes that are the same on every visit; outcomes, from 0. */
enum { FTRI_CONSTANTS_MAX = 3, FTRI_N_OUTCOMES = FTR_OUTCOME_REFUSED + 1 };

enum ftri_name {
    /* attributes of a visit's span */
    FTRI_NAME_NODE_ID,
    FTRI_NAME_NODE_TYPE,
    FTRI_NAME_PIPELINE,
    FTRI_NAME_LOOP,
    FTRI_NAME_GENERATION,
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
    FTRI_NAME_OUT_QUEUE_DEPTH,
    FTRI_NAME_OUT_QUEUE_CAPACITY,
    FTRI_NAME_OUT_COUNT,
    FTRI_NAME_DROP_REASON,
    FTRI_NAME_DROP_ITEMS,
    FTRI_NAME_BLOCKED_MS,
    FTRI_NAME_LATENCY_MS,
    FTRI_NAME_OUTCOME,
    FTRI_NAME_ERROR,
    FTRI_NAME_FAN_IN_COUNT,
    FTRI_NAME_TOUCHED, /* of an action's span */
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
    FTRI_N_VISIT_NAMES,
    /* events that an engine adds */
    FTRI_NAME_ACK = FTRI_N_VISIT_NAMES,
    FTRI_NAME_NACK,
    FTRI_NAME_CONFIG,
    FTRI_NAME_TIMER_TICK,
    FTRI_NAME_COLLECT_TELEMETRY,
    FTRI_NAME_WAKEUP,
    FTRI_NAME_RESUME_DATA,
    FTRI_NAME_MEMORY_PRESSURE,
    FTRI_NAME_DRAIN_INGRESS,
    FTRI_NAME_SHUTDOWN,
    FTRI_NAME_RETRY,
    FTRI_NAME_BATCH_FLUSH,
    FTRI_NAME_WINDOW_CLOSE,
    FTRI_NAME_EXPORT_SUCCESS,
    FTRI_NAME_EXPORT_PARTIAL_SUCCESS,
    FTRI_NAME_FANOUT_FALLBACK,
    FTRI_NAME_FANOUT_FAILED,
    FTRI_N_NAMES
};

/* Static, NUL-terminated. */
ftr_str ftri_name(enum ftri_convention convention, enum ftri_name name);
/* The same for one of our own names; itself when it is none, or has no other. */
ftr_str ftri_name_of(enum ftri_convention convention, ftr_str name);
/* A drop's reason. Static. */
ftr_str ftri_drop_reason_word(enum ftri_convention convention, ftr_drop_reason reason);
