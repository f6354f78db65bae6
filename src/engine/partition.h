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
    bool is_whole;             /* all of the batch, whatever it is */
    struct ftri_payload *otlp; /* of a part; NULL: memory is short */
    uint64_t n_items;          /* of a part */
};

struct partition {
    size_t n_parts;
    struct partition_part parts[PARTITION_LOOPS_MAX]; /* by loop */
};

/* The same trace, the same loop, in every process. n_loops > 0. */
size_t partition_loop(const uint8_t trace_id[16], size_t n_loops);
/* own: the loop that the batch is on. The whole, or two parts or more, with references. */
void partition_split(const struct pdata *pdata, size_t own, size_t n_loops,
                     struct partition *ret_partition);
void partition_deinit(struct partition *self);
