/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer of the loss API as tables for people: for each pipeline what is known of it, its
 * edges, its nodes. Lines come in the API's order: a pipeline, its nodes, its edges. */
#pragma once

#include "app/table.h"

struct loss_table {
    size_t width; /* of the terminal */
    struct ftri_bytes *out;
    bool has_pipeline;
    struct table nodes, edges; /* of the pipeline that is being read */
};

void loss_table_init(struct loss_table *self, size_t width, struct ftri_bytes *out);
void loss_table_deinit(struct loss_table *self);
/* line: one JSON object. -EBADMSG: it is none of such an answer. */
int loss_table_add(struct loss_table *self, ftr_str line) FTRI_MUST_CHECK;
/* After the last line. */
int loss_table_finish(struct loss_table *self) FTRI_MUST_CHECK;
