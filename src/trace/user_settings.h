/* SPDX-License-Identifier: Apache-2.0
 *
 * The user pipeline's part of a session's settings. It has no environment: who may be traced for
 * whom is the program's business. */
#pragma once

#include "base/check.h"
#include "trace/sender.h"

struct ftri_error;

struct ftri_user_settings {
    bool is_enabled;
    uint32_t tasks;
    uint32_t queue_spans; /* of all tasks together; 0: no limit */
    struct ftri_sender_settings sender;
};

/* common: what senders of both pipelines share. 0; -EINVAL or -ENOSYS with error. */
int ftri_user_settings_init(struct ftri_user_settings *self, const ftr_config *config,
                            const struct ftri_sender_settings *common,
                            struct ftri_error *error) FTRI_MUST_CHECK;
