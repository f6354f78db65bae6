/* SPDX-License-Identifier: Apache-2.0
 *
 * Which sampler a session has: the caller's class, the configuration's name, the environment's, or
 * the default. */
#include "base/error.h"
#include "base/text.h"
#include "trace/diagnostics.h"
#include "trace/settings.h"
#include "trace/variable.h"

#include <errno.h>
#include <flowtrace/sampler.h>

#define DEFAULT "parentbased_always_on"

/* Beside a sampler that has a rate of its own the lower one holds. */
static int choose_rate(struct ftri_settings *self, const ftr_config *config,
                       struct ftri_error *error)
{
    if (config->max_traces_per_second == 0)
        return 0;
    if (!(config->max_traces_per_second > 0))
        return ftri_error_set(error, -EINVAL, "max_traces_per_second: not a number above 0");
    if (!self->sampler.is_limited || config->max_traces_per_second < self->sampler.value)
        ftri_sampler_limit(&self->sampler, config->max_traces_per_second);
    return 0;
}

static bool is_remote(const struct ftri_settings *self)
{
    return self->sampler.kind == FTRI_SAMPLER_CUSTOM && !self->sampler_class;
}

static void use_default(struct ftri_settings *self)
{
    (void)ftri_sampler_find(FTR_STR(DEFAULT), &self->sampler);
}

/* The specification's other sampler that fetches its rules from elsewhere. */
static bool asks_a_service(const char *name)
{
    return ftri_text_same_word(ftri_trim(ftr_str_from(name)), FTR_STR("xray"));
}

static void read_argument(struct ftri_settings *self, const char *argument)
{
    if (!argument)
        return;
    self->remote.argument = ftr_str_from(argument);
    if (!ftri_sampler_set_argument(&self->sampler, ftr_str_from(argument)))
        ftri_diagnose("OTEL_TRACES_SAMPLER_ARG: '%.100s' is not %s; %s is used", argument,
                      ftri_sampler_argument(&self->sampler), ftri_sampler_standard(&self->sampler));
}

static void diagnose_name(const char *name)
{
    ftri_diagnose(
        asks_a_service(name)
            ? "OTEL_TRACES_SAMPLER: '%.100s' asks a service, which is not supported; " DEFAULT
              " is used"
            : "OTEL_TRACES_SAMPLER: no sampler is called '%.100s'; " DEFAULT " is used",
        name);
}

/* What the environment says wrongly is passed over. */
static void read_sampler(struct ftri_settings *self, const ftr_config *config)
{
    const char *name = ftri_variable("OTEL_TRACES_SAMPLER");
    const char *argument = ftri_variable("OTEL_TRACES_SAMPLER_ARG");
    if (!name) {
        if (argument)
            ftri_diagnose("OTEL_TRACES_SAMPLER_ARG: ignored, OTEL_TRACES_SAMPLER is not set");
        return;
    }
    if (!ftri_sampler_find(ftri_trim(ftr_str_from(name)), &self->sampler)) {
        diagnose_name(name);
        return;
    }
    self->remote.is_environments = true;
    if (!is_remote(self) || config->remote_sampler) {
        read_argument(self, argument);
        return;
    }
    ftri_diagnose("OTEL_TRACES_SAMPLER: '%s' asks a server: set remote_sampler to "
                  "ftr_jaeger_sampler_new (library flowtrace-export); " DEFAULT " is used",
                  self->sampler.name);
    use_default(self);
}

static int name_sampler(struct ftri_settings *self, const ftr_config *config,
                        struct ftri_error *error)
{
    const ftr_str name = config->sampler;
    const ftr_str argument = config->sampler_argument;
    if (!ftri_sampler_find(name, &self->sampler))
        return ftri_error_set(error, -EINVAL, "sampler: no sampler is called '%.*s'",
                              (int)ftri_size_min(name.len, 100), name.data);
    if (is_remote(self) && !config->remote_sampler)
        return ftri_error_set(error, -EINVAL,
                              "sampler: '%s' asks a server: set remote_sampler to "
                              "ftr_jaeger_sampler_new (library flowtrace-export)",
                              self->sampler.name);
    self->remote.argument = argument;
    if (argument.len > 0 && !ftri_sampler_set_argument(&self->sampler, argument))
        return ftri_error_set(error, -EINVAL, "sampler_argument: '%.*s' is not %s",
                              (int)ftri_size_min(argument.len, 100), argument.data,
                              ftri_sampler_argument(&self->sampler));
    return 0;
}

static int take_class(struct ftri_settings *self, const ftr_config *config,
                      struct ftri_error *error)
{
    self->sampler.kind = FTRI_SAMPLER_CUSTOM;
    self->sampler.is_parent_based = false;
    self->sampler_class = config->sampler_class;
    self->sampler_instance = config->sampler_instance;
    if (config->sampler.len > 0)
        return ftri_error_set(error, -EINVAL, "sampler: set beside sampler_class");
    if (!config->sampler_class->decide)
        return ftri_error_set(error, -EINVAL, "sampler_class: decide is NULL");
    return 0;
}

int ftri_sampler_settings_init(struct ftri_settings *self, const ftr_config *config,
                               struct ftri_error *error)
{
    int rc = 0;
    use_default(self);
    if (config->sampler_argument.len > 0 && config->sampler.len == 0)
        return ftri_error_set(error, -EINVAL, "sampler_argument: set without sampler");
    if (config->sampler_class)
        rc = take_class(self, config, error);
    else if (config->sampler.len > 0)
        rc = name_sampler(self, config, error);
    else
        read_sampler(self, config);
    self->remote.is_wanted = is_remote(self);
    return rc < 0 ? rc : choose_rate(self, config, error);
}
