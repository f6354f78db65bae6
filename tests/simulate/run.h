/* SPDX-License-Identifier: Apache-2.0
 *
 * One run: a seed's graph is built, lives, and ends; every rule is looked at after every step. A
 * broken one ends the process (story.h). */
#pragma once

#include "base/check.h"

struct run_totals {
    uint64_t n_steps, n_visits, n_forced, n_failed, n_lost, n_spans;
};

/* Returns the hash of all that happened; adds to totals. program: for the command to repeat it. */
uint64_t run_seed(uint64_t seed, const char *program, struct run_totals *totals);
