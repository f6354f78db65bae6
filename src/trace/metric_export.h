/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics to one exporter: all of them, as of now, each time. Its sender's thread but for the
 * counts, which anybody may read. */
#pragma once

#include "base/bytes.h"

#include <stdatomic.h>

struct ftr_exporter;
struct ftri_teller;

struct ftri_metric_export {
    _Atomic uint64_t n_exported;
    _Atomic uint64_t n_failed;
    struct ftri_bytes message;
    bool has_told;   /* that the last one failed */
    bool is_implied; /* nobody asked for them: nothing is said */
};

void ftri_metric_export_init(struct ftri_metric_export *self);
void ftri_metric_export_deinit(struct ftri_metric_export *self);
bool ftri_metric_export_is_taken(const struct ftr_exporter *exporter);
/* is_busy: whether the exporter is called right now. */
void ftri_metric_export_run(struct ftri_metric_export *self, const struct ftr_exporter *exporter,
                            const struct ftri_teller *teller, uint64_t deadline_ns,
                            _Atomic bool *is_busy);
/* In the child of a fork: the message may be in the middle of anything, and is left alone. */
void ftri_metric_export_after_fork(struct ftri_metric_export *self);
