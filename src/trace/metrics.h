/* SPDX-License-Identifier: Apache-2.0
 *
 * The session's metrics of spans: the worker counts, readers write what stands. The counts of the
 * last session stay readable until the next one starts; so does the resource. */
#pragma once

#include "base/check.h"

struct ftri_bytes;
struct ftri_metric_sink;
struct ftri_origin;
struct ftri_record;
struct ftri_settings;
struct ftr_statistics;

/* (session's lock) Takes a reference to origin, which owns the settings. 0 or -ENOMEM; on failure
 * nothing is counted. */
int ftri_metrics_start(const struct ftri_settings *settings,
                       struct ftri_origin *origin) FTRI_MUST_CHECK;

/* (worker) Around everything it reads in one go: readers wait for the end. */
void ftri_metrics_begin_pass(void);
void ftri_metrics_end_pass(void);
bool ftri_metrics_are_counted(void);
/* (worker) Every span that was recorded, before anybody decides about it; records that are no spans
 * are left out. Inside a pass. They stay where they are until the next ones, or the pass ends. */
enum { FTRI_METRICS_BATCH = 32 };
void ftri_metrics_observe(const struct ftri_record *const *records, size_t n);
/* (worker) A span that was observed, now or earlier, and is kept. */
void ftri_metrics_offer(const struct ftri_record *record);

/* (any) Appends what an exporter sends: a MetricsData, or text. 0, -ENOMEM, -EMSGSIZE. */
int ftri_metrics_encode(struct ftri_bytes *out, size_t *ret_n_points) FTRI_MUST_CHECK;
int ftri_metrics_print(struct ftri_bytes *out, size_t *ret_n_points) FTRI_MUST_CHECK;
/* (any) The fields of series and spans. */
void ftri_metrics_count(struct ftr_statistics *ret_statistics);

/* Around fork(), in the forking thread; the child's spans and observations count from 0,
 * by its own resource. */
void ftri_metrics_lock(void);
void ftri_metrics_unlock(void);
void ftri_metrics_after_fork(void);
