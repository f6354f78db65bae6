/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions of include/flowtrace/otlp.h. */
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>

#include "base/error.h"
#include "base/mem.h"
#include "export/otlp_delivery.h"
#include "export/otlp_environment.h"
#include "export/otlp_stdout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ftr_status status_of(int result)
{
    switch (result) {
    case 0:
        return FTR_OK;
    case -ENOMEM:
        return FTR_ERR_MEMORY;
    default:
        return FTR_ERR_INVALID;
    }
}

static void report(ftr_error *error, int result, const struct ftri_error *why)
{
    if (!error)
        return;
    error->status = status_of(result);
    memcpy(error->text, why->text, sizeof error->text);
}

/* Warnings one after the other, as many as there is room for. */
static void add_warning(void *argument, const char *text)
{
    struct ftri_error *warnings = argument;
    const size_t len = strlen(warnings->text);
    snprintf(warnings->text + len, sizeof warnings->text - len, "%s%s", len ? "; " : "", text);
}

/* Of both signals. */
struct both {
    struct ftri_otlp_settings traces;
    struct ftri_otlp_settings metrics;
    bool has_metrics;
};

/* Takes over what is in the settings, which are given back empty. */
static ftr_exporter *new_exporter(struct both *settings)
{
    const ftr_exporter_class *exporter_class = ftri_otlp_delivery_class(settings->traces.protocol);
    struct ftri_otlp_delivery *instance = ftri_otlp_delivery_new(&settings->traces);
    if (!instance)
        return NULL;
    if (settings->has_metrics)
        ftri_otlp_delivery_take_metrics(instance, &settings->metrics);
    ftr_exporter *exporter = ftr_exporter_new(exporter_class, instance);
    if (!exporter)
        exporter_class->close(instance);
    return exporter;
}

static ftr_exporter *finish(struct both *settings, int result, struct ftri_error *why,
                            ftr_error *error)
{
    ftr_exporter *exporter = NULL;
    if (result == 0)
        result = ftri_otlp_settings_check_files(&settings->traces, why);
    if (result == 0 && settings->has_metrics)
        result = ftri_otlp_settings_check_files(&settings->metrics, why);
    if (result == 0) {
        exporter = new_exporter(settings);
        if (!exporter)
            result = ftri_error_set(why, -ENOMEM, "OTLP exporter: out of memory");
    }
    ftri_otlp_settings_deinit(&settings->traces);
    ftri_otlp_settings_deinit(&settings->metrics);
    report(error, result, why);
    return exporter;
}

/* Warnings stand in `why` until an error takes their place. */
static void init(struct both *settings, struct ftri_error *why)
{
    why->text[0] = '\0';
    settings->has_metrics = true;
    ftri_otlp_settings_init(&settings->traces);
    ftri_otlp_settings_init(&settings->metrics);
    settings->metrics.signal = FTRI_OTLP_METRICS;
    settings->traces.warn = add_warning;
    settings->traces.warn_argument = why;
}

/* What is said of options for both signals is said of the first. */
ftr_exporter *ftr_otlp_exporter_new(const ftr_otlp_options *options, ftr_error *error)
{
    struct ftri_error why;
    struct both settings;
    init(&settings, &why);
    int r = ftri_otlp_settings_from_options(&settings.traces, options, &why);
    settings.has_metrics = r == 0 && ftri_otlp_options_have_metrics(options);
    if (settings.has_metrics)
        r = ftri_otlp_settings_from_options(&settings.metrics, options, &why);
    return finish(&settings, r, &why, error);
}

static const char *get_variable(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

/* A warning about a variable of metrics alone is one, too; the general ones have been warned of. */
static void add_metrics_warning(void *argument, const char *text)
{
    if (strstr(text, "OTEL_EXPORTER_OTLP_METRICS_"))
        add_warning(argument, text);
}

ftr_exporter *ftr_otlp_exporter_from_environment(ftr_error *error)
{
    struct ftri_error why;
    struct both settings;
    init(&settings, &why);
    settings.metrics.warn = add_metrics_warning;
    settings.metrics.warn_argument = &why;
    int r = ftri_otlp_environment_read(get_variable, NULL, &settings.traces, &why);
    if (r == 0)
        r = ftri_otlp_environment_read(get_variable, NULL, &settings.metrics, &why);
    return finish(&settings, r, &why, error);
}

ftr_exporter *ftr_otlp_stdout_exporter_new(ftr_error *error)
{
    struct ftri_error why = {""};
    ftr_exporter *exporter = ftr_exporter_new(ftri_otlp_stdout_class(), NULL);
    report(error, exporter ? 0 : ftri_error_set(&why, -ENOMEM, "otlp/stdout: out of memory"), &why);
    return exporter;
}
