/* SPDX-License-Identifier: Apache-2.0
 *
 * The program's own histograms (<flowtrace/metrics.h>): one list a process, whether or not a
 * session runs. Any thread. */
#pragma once

#include "base/check.h"

struct ftri_metric_sink;

/* All of them, and how many observations they dropped. */
int ftri_histograms_write(uint64_t now_ns, const struct ftri_metric_sink *sink) FTRI_MUST_CHECK;

/* Around fork(), in the forking thread; the child counts from 0. */
void ftri_histograms_lock(void);
void ftri_histograms_unlock(void);
void ftri_histograms_after_fork(void);
