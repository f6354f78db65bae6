/* SPDX-License-Identifier: Apache-2.0
 *
 * The event loops of a pipeline: the first runs on the calling thread, each other one on a thread
 * of its own. */
#pragma once

#include "base/check.h"

struct ftri_error;
struct loop;
struct loops;

/* n: 1 to INSTANCES_MAX. 0 or -ENOMEM, -EIO. */
int loops_new(size_t n, struct loops **ret_loops, struct ftri_error *error) FTRI_MUST_CHECK;
/* None of them runs. NULL is fine. */
void loops_free(struct loops *self);
struct loop *const *loops_list(const struct loops *self);
/* All but the first run from now on. -EAGAIN: there are not so many threads; none runs. */
int loops_start(struct loops *self, struct ftri_error *error) FTRI_MUST_CHECK;
/* Runs the first until loop_stop of it. */
void loops_run(struct loops *self);
/* The others have stopped. NULL is fine. */
void loops_stop(struct loops *self);
