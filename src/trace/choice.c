/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/choice.h"

#include "base/error.h"
#include "trace/diagnostics.h"
#include "trace/settings.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <flowtrace/sampler.h>
#include <flowtrace/user.h>

void ftri_choice_undo(struct ftri_choice *self)
{
    for (size_t i = 0; self->is_ours && i < self->n; i++)
        ftr_exporter_free(self->exporters[i]);
    for (size_t i = 0; self->are_users_ours && i < self->n_user; i++)
        ftr_exporter_free(self->user_exporters[i]);
    ftr_sampler_free(self->sampler);
}

static int add_own(struct ftri_choice *self, ftr_exporter *exporter, bool takes_metrics,
                   struct ftri_error *error)
{
    if (!exporter)
        return ftri_error_set(error, -ENOMEM, "out of memory");
    self->takes_metrics[self->n] = takes_metrics;
    self->exporters[self->n++] = exporter;
    return 0;
}

/* A function of flowtrace-export, which the program passes in `field`. */
struct maker {
    ftr_exporter *(*make)(ftr_error *error);
    const char *field;
    const char *function;
};

static int add_otlp(struct ftri_choice *self, const struct maker *maker, bool takes_metrics,
                    struct ftri_error *error)
{
    if (!maker->make)
        return ftri_error_set(error, -ENOSYS,
                              "the environment asks for OTLP export: set %s to %s (library "
                              "flowtrace-export)",
                              maker->field, maker->function);
    ftr_error why = {FTR_OK, ""};
    ftr_exporter *exporter = maker->make(&why);
    if (!exporter)
        return ftri_error_set(error, why.status == FTR_ERR_MEMORY ? -ENOMEM : -EINVAL, "%s",
                              why.text);
    if (why.text[0])
        ftri_diagnose("%s", why.text);
    return add_own(self, exporter, takes_metrics, error);
}

/* Those of spans first; an exporter that is wanted for both signals is one. */
static int choose_own(struct ftri_choice *self, const ftr_config *config,
                      const struct ftri_settings *settings, struct ftri_error *error)
{
    const struct ftri_metric_settings *metrics = &settings->metrics;
    const struct maker otlp = {config->otlp_exporter, "otlp_exporter",
                               "ftr_otlp_exporter_from_environment"};
    const struct maker otlp_stdout = {config->otlp_stdout_exporter, "otlp_stdout_exporter",
                                      "ftr_otlp_stdout_exporter_new"};
    int rc = 0;
    if (settings->wants_console)
        rc = add_own(self, ftr_stdio_exporter_new(), metrics->wants_console, error);
    if (rc == 0 && settings->wants_otlp)
        rc = add_otlp(self, &otlp, metrics->wants_otlp, error);
    if (rc == 0 && settings->wants_otlp_stdout)
        rc = add_otlp(self, &otlp_stdout, false, error);
    self->n_of_spans = self->n;
    if (rc == 0 && metrics->wants_console && !settings->wants_console)
        rc = add_own(self, ftr_stdio_exporter_new(), true, error);
    const bool can_otlp = config->otlp_exporter || !metrics->is_implied;
    if (rc == 0 && metrics->wants_otlp && !settings->wants_otlp && can_otlp)
        rc = add_otlp(self, &otlp, true, error);
    return rc;
}

static bool has_own_user_exporter(const ftr_user_config *user)
{
    return user->size >= offsetof(ftr_user_config, exporter) + sizeof user->exporter &&
           user->exporter;
}

static int choose_user(struct ftri_choice *self, const ftr_user_config *user,
                       const struct ftri_settings *settings, struct ftri_error *error)
{
    if (!settings->user.is_enabled)
        return 0;
    if (has_own_user_exporter(user)) {
        self->user_exporters[self->n_user++] = user->exporter;
        return 0;
    }
    self->are_users_ours = true;
    while (!settings->is_disabled && self->n_user < settings->user.tasks) {
        ftr_error why = {FTR_OK, ""};
        ftr_exporter *exporter = user->otlp_exporter(user, &why);
        if (!exporter)
            return ftri_error_set(error, why.status == FTR_ERR_MEMORY ? -ENOMEM : -EINVAL,
                                  "user.%s", why.text);
        self->user_exporters[self->n_user++] = exporter;
    }
    return 0;
}

static int choose_system(struct ftri_choice *self, const ftr_config *config,
                         const struct ftri_settings *settings, struct ftri_error *error)
{
    if (config->n_exporters > FTR_EXPORTERS_MAX)
        return ftri_error_set(error, -EINVAL, "n_exporters: more than %d", FTR_EXPORTERS_MAX);
    for (; self->n < config->n_exporters; self->n++) {
        if (!config->exporters[self->n])
            return ftri_error_set(error, -EINVAL, "exporters[%zu] is NULL", self->n);
        self->exporters[self->n] = config->exporters[self->n];
        self->takes_metrics[self->n] = settings->metrics.is_exported && !settings->is_disabled;
    }
    self->n_of_spans = self->n;
    if (settings->is_disabled || config->n_exporters > 0)
        return 0;
    return choose_own(self, config, settings, error);
}

static void warn(void *teller, const char *text)
{
    ftri_warn(teller, "%s", text);
}

/* What the environment says wrongly counts as if it had not said it. */
static int make_sampler(struct ftri_choice *self, const ftr_config *config,
                        const struct ftri_settings *settings, struct ftri_error *error)
{
    ftr_remote_sampler_options options = {
        .size = sizeof options,
        .service_name = ftri_settings_service(settings),
        .argument = settings->remote.argument,
        .on_diagnostic = warn,
        .diagnostic_argument = (void *)&settings->sender.teller,
    };
    ftr_error why = {FTR_OK, ""};
    if (!settings->remote.is_wanted || settings->is_disabled)
        return 0;
    self->sampler = config->remote_sampler(&options, &why);
    if (!self->sampler && why.status == FTR_ERR_INVALID && settings->remote.is_environments) {
        ftri_diagnose("OTEL_TRACES_SAMPLER_ARG: ignored: %s", why.text);
        options.argument = FTR_STR("");
        self->sampler = config->remote_sampler(&options, &why);
    }
    if (self->sampler)
        return 0;
    return ftri_error_set(error, why.status == FTR_ERR_MEMORY ? -ENOMEM : -EINVAL,
                          "sampler_argument: %s", why.text);
}

int ftri_choice_make(struct ftri_choice *self, const ftr_config *config,
                     const struct ftri_settings *settings, struct ftri_error *error)
{
    *self = (struct ftri_choice){.is_ours = config->n_exporters == 0};
    int rc = choose_system(self, config, settings, error);
    if (rc == 0)
        rc = choose_user(self, config->user, settings, error);
    if (rc == 0)
        rc = make_sampler(self, config, settings, error);
    if (rc < 0)
        ftri_choice_undo(self);
    return rc;
}
