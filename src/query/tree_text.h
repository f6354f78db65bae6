/* SPDX-License-Identifier: Apache-2.0
 *
 * A trace as text for a terminal, in the manner of the dataflow-tracing proposal:
 *
 *     └─ [Span] processor/batch/gather               201 ms  1.10 ms   300 us
 *        Events: batch_flush(full), control/ack (x2)
 *        out.port=out, flow.items=64
 *
 * `took` is from start to end; `worked` and `waited` are the node's own work and the time in its
 * input channel (flows only). No line has more than `columns` characters: names and values are cut
 * to what fits, deep spans are drawn at the deepest level that fits. Control characters are shown
 * as \xNN. */
#pragma once

#include "query/tree.h"

struct tree_text_options {
    size_t columns;   /* fewer than 60 count as 60 */
    size_t max_spans; /* 0: all; the rest is counted in a last line */
};

int tree_text_write(const struct tree *tree, const struct tree_text_options *options,
                    struct ftri_bytes *out) FTRI_MUST_CHECK;
