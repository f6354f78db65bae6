/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of an exporter's spans since the user was last told: sums, said at most once a
 * second, and only if something went wrong. One thread's. */
#pragma once

#include "base/check.h"

#include <flowtrace/exporter.h>

struct ftri_teller;

struct ftri_untold {
    uint64_t next_ns; /* not before */
    uint64_t n_delivered;
    uint64_t n_rejected;
    uint64_t n_lost;
    uint64_t n_queue_full_told; /* of all that a full queue has cost */
    char text[FTR_EXPORT_TEXT_BYTES];
};

/* The outcome of one batch; of several texts the last one is kept. */
void ftri_untold_note(struct ftri_untold *self, const ftr_export_result *result);
/* n_queue_full: spans that a full queue has cost so far. */
bool ftri_untold_has_any(const struct ftri_untold *self, uint64_t n_queue_full);
void ftri_untold_say(struct ftri_untold *self, const struct ftri_teller *teller, const char *name,
                     uint64_t n_queue_full, uint64_t now_ns);
