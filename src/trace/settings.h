/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session runs with: the caller's configuration over the environment over the defaults.
 * Parse rules of the environment: an empty variable counts as unset; only "true" is true; what
 * cannot be read is ignored with a diagnosis (OpenTelemetry specification, SDK environment
 * variables). */
#pragma once

#include "base/arena.h"
#include "sampling/sampler.h"
#include "trace/metric_settings.h"
#include "trace/sender.h"
#include "trace/tail.h"

struct ftri_error;

/* The user pipeline's part. It has no environment: who is traced for whom is the program's
 * business. */
struct ftri_user_settings {
    bool is_enabled;
    uint32_t tasks;
    uint32_t queue_spans; /* of all tasks together; 0: no limit */
    struct ftri_sender_settings sender;
};

/* The sampler that ftr_config.remote_sampler is to make. */
struct ftri_remote_sampler_settings {
    bool is_wanted;
    bool is_environments;
    ftr_str argument; /* borrowed while ftr_init runs */
};

struct ftri_settings {
    struct ftri_arena arena; /* owns the resource's strings */
    ftr_attribute *resource;
    size_t n_resource;
    ftr_limits limits;
    bool has_no_text; /* string values are cut to nothing: OTEL_..._VALUE_LENGTH_LIMIT=0 */
    struct ftri_sender_settings sender;
    struct ftri_sampler sampler;
    struct ftri_metric_settings metrics;
    const struct ftr_sampler_class *sampler_class; /* NULL: sampler decides */
    void *sampler_instance;
    struct ftri_remote_sampler_settings remote;
    uint8_t convention; /* enum ftri_convention */
    struct ftri_user_settings user;
    const char *log_level; /* static: OTEL_LOG_LEVEL as it is understood */
    bool records_dropped;
    ftr_mode mode;
    struct ftri_tail_settings tail;
    size_t journal_bytes;
    uint32_t open_spans;
    bool is_disabled;       /* OTEL_SDK_DISABLED */
    bool wants_otlp;        /* by the environment */
    bool wants_otlp_stdout; /* by the environment */
    bool wants_console;     /* by the environment */
};

/* The fields mode and tail, into an initialised self. 0, -ENOMEM, -EINVAL. */
int ftri_tail_settings_init(struct ftri_settings *self, const ftr_config *config,
                            struct ftri_error *error) FTRI_MUST_CHECK;
/* The fields sampler to remote, into an initialised self. 0, -EINVAL. */
int ftri_sampler_settings_init(struct ftri_settings *self, const ftr_config *config,
                               struct ftri_error *error) FTRI_MUST_CHECK;
/* The field user, after the field sender. 0, -EINVAL, -ENOSYS. */
int ftri_user_settings_init(struct ftri_settings *self, const ftr_config *config,
                            struct ftri_error *error) FTRI_MUST_CHECK;
/* "off", "full", "tail". */
const char *ftri_mode_name(ftr_mode mode);

/* 0; -ENOMEM; -EINVAL with error saying which setting is wrong. */
int ftri_settings_init(struct ftri_settings *self, const ftr_config *config,
                       struct ftri_error *error) FTRI_MUST_CHECK;
void ftri_settings_deinit(struct ftri_settings *self);
/* service.name of the resource; empty: it has none. */
ftr_str ftri_settings_service(const struct ftri_settings *self);
