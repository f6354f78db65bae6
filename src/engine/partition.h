/* SPDX-License-Identifier: Apache-2.0
 *
 * Which loop has which trace, and how a batch of several loops' traces is split. Spans and log
 * records go by their trace id; what has none stays where it is. Any thread. */
#pragma once

#include "base/check.h"

struct ftri_payload;
struct pdata;

enum { PARTITION_LOOPS_MAX = 64 };

struct partition_part {
    size_t loop;
    struct ftri_payload *otlp; /* NULL: all of the batch, whatever it is */
    uint64_t n_items;          /* of otlp */
};

struct partition {
    size_t n_parts;
    struct partition_part parts[PARTITION_LOOPS_MAX]; /* by loop */
};

/* The same trace, the same loop, in every process. n_loops > 0. */
size_t partition_loop(const uint8_t trace_id[16], size_t n_loops);
/* own: the loop that the batch is on. One part or more; the caller drops their references. 0 or
 * -ENOMEM: nothing is left. */
int partition_split(const struct pdata *pdata, size_t own, size_t n_loops,
                    struct partition *ret_partition) FTRI_MUST_CHECK;
void partition_deinit(struct partition *self);
