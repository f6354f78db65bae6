/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of a graph on several loops: chance picks which of them goes on. Every span carries the
 * number of the batch that it was taken in with, so that the nodes' own books say what became of
 * each, apart from the engine. A broken rule ends the process (story.h). */
#pragma once

#include "base/check.h"

struct loops_totals {
    uint64_t n_steps, n_batches, n_crossed, n_forced;
};

/* Returns the hash of all that happened; adds to totals. */
uint64_t loops_seed(uint64_t seed, const char *program, struct loops_totals *totals);
