/* SPDX-License-Identifier: Apache-2.0
 *
 * A histogram with one label, recorded on many threads at once: a series for each value of the
 * label, its counts atomic, found without a lock. A new series is added under the lock. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>
#include <pthread.h>

struct ftri_metric_sink;
struct ftri_labelled;

struct ftri_labelled_settings {
    ftr_str name;
    ftr_str help;
    ftr_str unit;
    ftr_str label; /* its key; empty: one series */
    const double *bounds;
    size_t n_bounds;
    uint32_t series_max; /* with that of the overflow */
    pthread_mutex_t *lock;
    uint64_t start_ns;
    uint64_t seed; /* of the hashes: random, so that nobody chooses collisions */
};

/* Texts are copied, the lock is borrowed. NULL: memory is short. */
struct ftri_labelled *
ftri_labelled_new(const struct ftri_labelled_settings *settings) FTRI_MUST_CHECK;
void ftri_labelled_free(struct ftri_labelled *self);
ftr_str ftri_labelled_name(const struct ftri_labelled *self);
ftr_str ftri_labelled_unit(const struct ftri_labelled *self);
uint64_t ftri_labelled_start_ns(const struct ftri_labelled *self);

/* Any thread. What is negative or not finite is dropped and counted. */
void ftri_labelled_record(struct ftri_labelled *self, ftr_str label, double value);
/* Any thread. */
uint64_t ftri_labelled_n_dropped(struct ftri_labelled *self);

/* Those below: with the lock held. */
int ftri_labelled_write(struct ftri_labelled *self, uint64_t now_ns,
                        const struct ftri_metric_sink *sink) FTRI_MUST_CHECK;
/* In a forked child: counts from 0 again. */
void ftri_labelled_restart(struct ftri_labelled *self, uint64_t now_ns);
