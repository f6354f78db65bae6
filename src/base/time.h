/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks in nanoseconds. A test may replace both by a fake one. Thread-safe. */
#pragma once

#include "base/check.h"

#define FTRI_NS_PER_S UINT64_C(1000000000)
#define FTRI_NS_PER_MS UINT64_C(1000000)
#define FTRI_NS_PER_US UINT64_C(1000)

/* CLOCK_MONOTONIC: for intervals and deadlines. */
uint64_t ftri_time_monotonic_ns(void);
/* CLOCK_REALTIME: Unix epoch, for what people and peers see. */
uint64_t ftri_time_wall_ns(void);

/* Tests: both clocks stand at these values until changed again; ftri_time_real() undoes it. */
void ftri_time_fake(uint64_t monotonic_ns, uint64_t wall_ns);
void ftri_time_real(void);
/* Calls changed now and at every change between real and fake clocks; one watcher. For clocks that
 * read the hardware themselves. */
void ftri_time_watch(void (*changed)(bool is_fake));
