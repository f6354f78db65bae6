/* SPDX-License-Identifier: Apache-2.0
 *
 * A node as its visits see it: everything about a visit's span that does not change from batch to
 * batch, put together once. Immutable after ftr_node_new but for the mode, and for the forms that
 * its attributes have in a span, which are made at their first use; any thread. */
#pragma once

#include "flow/names.h"
#include "trace/template.h"

#include <stdatomic.h>

/* The attributes that visits set together, in these orders; each list is entered in the library's
 * table at its first use. */
enum ftri_arrival_value {
    FTRI_ARRIVAL_NODE_ID,
    FTRI_ARRIVAL_NODE_TYPE,
    FTRI_ARRIVAL_STATEFUL,
    FTRI_ARRIVAL_SIGNAL,
    FTRI_ARRIVAL_ITEMS,
    FTRI_ARRIVAL_BYTES,
    FTRI_N_COMMON_VALUES,
    FTRI_ARRIVAL_WAIT = FTRI_N_COMMON_VALUES,
    FTRI_ARRIVAL_DEPTH,
    FTRI_ARRIVAL_CAPACITY,
    FTRI_ARRIVAL_HOPS,
    FTRI_ARRIVAL_PIPELINE, /* of nodes that have one */
    FTRI_N_ARRIVAL_VALUES
};
enum { FTRI_N_SOURCE_VALUES = FTRI_N_COMMON_VALUES + 1 }; /* and the pipeline */
enum { FTRI_N_SIGNALS = FTR_SIGNAL_RECORDS + 1 };
enum { FTRI_N_EMIT_VALUES = 5 };  /* port, items, bytes; through a channel its depth, capacity */
enum { FTRI_N_EMIT_CHANNEL = 2 }; /* of them: those of a channel */
enum { FTRI_N_END_VALUES = 2 };   /* latency, outcome */

struct ftri_node_site {
    ftr_call_site site;
    ftr_keys arrival, source, end;
    ftr_keys emit[2];  /* whether through a channel */
    ftr_keys constant; /* most have none */
    ftr_str arrival_names[FTRI_N_ARRIVAL_VALUES];
    ftr_str source_names[FTRI_N_SOURCE_VALUES];
    ftr_str emit_names[FTRI_N_EMIT_VALUES];
    ftr_str end_names[FTRI_N_END_VALUES];
    ftr_str constant_names[FTRI_CONSTANTS_MAX + 2]; /* and the loop, the generation */
    ftr_value constants[FTRI_CONSTANTS_MAX + 2];
    ftr_str names[FTRI_N_VISIT_NAMES];               /* by the node's convention */
    struct ftri_template arrival_of[FTRI_N_SIGNALS]; /* by ftr_signal */
    struct ftri_template source_of[FTRI_N_SIGNALS];
    struct ftri_template first_emit[2]; /* by the port that was the first to be used */
    struct ftri_template success;
};

enum { FTRI_MODE_OF_PROCESS = 255 };

struct ftr_node {
    _Atomic uint8_t mode; /* ftr_mode, or that of the process */
    const ftr_str *names; /* those of the site */
    struct ftri_node_site *site;
    ftr_str id;
    ftr_str type; /* as the convention has it */
    ftr_str pipeline;
    uint64_t generation; /* 0: none */
    ftr_str span_name;   /* "processor/batch/proc-2" */
    ftr_str failed_name; /* of the span once the visit has failed; empty: the same */
    ftr_str outcomes[FTRI_N_OUTCOMES];
    ftr_span_kind span_kind;
    bool is_stateful, has_loop;
    uint32_t loop; /* of those that have one */
    ftr_lineage lineage;
    enum ftri_convention convention;
    char text[]; /* what the names point to; behind it the site */
};
