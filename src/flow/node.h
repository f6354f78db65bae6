/* SPDX-License-Identifier: Apache-2.0
 *
 * A node as its visits see it: everything about a visit's span that does not change from batch to
 * batch, put together once. Immutable after ftr_node_new; any thread. */
#pragma once

#include "flow/names.h"

struct ftr_node {
    const ftr_str *names; /* the convention's column */
    ftr_str id;
    ftr_str type;
    ftr_str pipeline;
    ftr_str span_name; /* "processor/batch/proc-2" */
    ftr_span_kind span_kind;
    bool is_stateful;
    ftr_lineage lineage;
    char text[]; /* span_name and pipeline; type and id lie inside span_name */
};
