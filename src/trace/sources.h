/* SPDX-License-Identifier: Apache-2.0
 *
 * What the program counts itself and writes when metrics are read (<flowtrace/metrics.h>): one list
 * a process, whether or not a session runs. Any thread. */
#pragma once

#include "base/check.h"

struct ftri_metric_sink;

/* What all of them say. Lasts as long as each of them takes. */
int ftri_sources_write(uint64_t now_ns, const struct ftri_metric_sink *sink) FTRI_MUST_CHECK;

/* Around fork(), in the forking thread; the child's list is empty. */
void ftri_sources_lock(void);
void ftri_sources_unlock(void);
void ftri_sources_after_fork(void);
