/* SPDX-License-Identifier: Apache-2.0
 *
 * Taps, seen from the worker and from fork(). */
#pragma once

#include "base/check.h"

#include <stdatomic.h>

struct ftri_record;

/* How many there are; the worker looks at it for every record. */
extern _Atomic uint32_t ftri_n_taps;

/* Hands a record to every tap. The worker. */
void ftri_taps_offer(const struct ftri_record *record);

/* Around fork(), in the forking thread; a child's taps are empty. */
void ftri_taps_lock(void);
void ftri_taps_unlock(void);
void ftri_taps_after_fork(void);
