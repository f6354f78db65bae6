/* SPDX-License-Identifier: Apache-2.0
 *
 * The exporters of a session to be, and its sampler if that has an owner: the caller's or, by the
 * environment, our own. */
#pragma once

#include "base/check.h"

#include <flowtrace/tracing.h>

typedef struct ftr_sampler ftr_sampler;
struct ftri_error;
struct ftri_settings;

struct ftri_choice {
    ftr_exporter *exporters[FTR_EXPORTERS_MAX];
    bool takes_metrics[FTR_EXPORTERS_MAX];
    size_t n;
    size_t n_of_spans; /* the first ones */
    bool is_ours;
    ftr_exporter *user_exporters[FTR_EXPORTERS_MAX]; /* one a task */
    size_t n_user;
    bool are_users_ours;
    ftr_sampler *sampler; /* NULL: the settings say all */
};

/* 0, or below 0 with error and nothing to free. */
int ftri_choice_make(struct ftri_choice *self, const ftr_config *config,
                     const struct ftri_settings *settings,
                     struct ftri_error *error) FTRI_MUST_CHECK;
/* Nobody took them: frees those that are ours. */
void ftri_choice_undo(struct ftri_choice *self);
