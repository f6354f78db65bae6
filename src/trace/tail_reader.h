/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as tail sampling judges them. Most have nothing that a policy looks for, which is seen
 * from one bit of each key (intern.h); only the others are read. The worker's. */
#pragma once

#include "base/bytes.h"

struct ftri_flow_arrival;
struct ftri_policy;
struct ftri_record;

struct ftri_tail_reader {
    const struct ftri_policy *policy;
    uint64_t key_bits; /* of all that it looks for */
    struct ftri_bytes scratch;
};

/* The policy is borrowed. */
void ftri_tail_reader_init(struct ftri_tail_reader *self, const struct ftri_policy *policy);
void ftri_tail_reader_deinit(struct ftri_tail_reader *self);

/* Its times, its reasons beside those that arrival has, and whether it is a local root. A span that
 * started before since_ns has FTR_TAIL_MODE. Without memory only the head is looked at. */
void ftri_tail_judge(struct ftri_tail_reader *self, const struct ftri_record *record,
                     uint64_t since_ns, struct ftri_flow_arrival *arrival);
/* Whether the span has no parent in this process. */
bool ftri_tail_is_root(const struct ftri_record *record);
