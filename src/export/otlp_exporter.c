/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions of include/flowtrace/otlp.h. */
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>

#include "base/error.h"
#include "base/mem.h"
#include "export/otlp_environment.h"
#include "export/otlp_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ftr_status status_of(int result)
{
    switch (result) {
    case 0:
        return FTR_OK;
    case -ENOMEM:
        return FTR_ERR_MEMORY;
    case -ENOTSUP:
        return FTR_ERR_UNAVAILABLE;
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

/* Takes over what is in the settings, which are given back empty. */
static ftr_exporter *new_exporter(struct ftri_otlp_settings *settings)
{
    struct ftri_otlp_http *instance = ftri_otlp_http_new(settings);
    if (!instance)
        return NULL;
    ftr_exporter *exporter = ftr_exporter_new(&ftri_otlp_http_class, instance);
    if (!exporter)
        ftri_otlp_http_class.close(instance);
    return exporter;
}

static ftr_exporter *finish(struct ftri_otlp_settings *settings, int result, struct ftri_error *why,
                            ftr_error *error)
{
    ftr_exporter *exporter = NULL;
    if (result == 0) {
        *why = settings->warning;
        exporter = new_exporter(settings);
        if (!exporter)
            result = ftri_error_set(why, -ENOMEM, "OTLP exporter: out of memory");
    }
    ftri_otlp_settings_deinit(settings);
    report(error, result, why);
    return exporter;
}

ftr_exporter *ftr_otlp_exporter_new(const ftr_otlp_options *options, ftr_error *error)
{
    struct ftri_error why = {""};
    struct ftri_otlp_settings settings;
    ftri_otlp_settings_init(&settings);
    const int r = ftri_otlp_settings_from_options(&settings, options, &why);
    return finish(&settings, r, &why, error);
}

static const char *get_variable(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

ftr_exporter *ftr_otlp_exporter_from_environment(ftr_error *error)
{
    struct ftri_error why = {""};
    struct ftri_otlp_settings settings;
    ftri_otlp_settings_init(&settings);
    const int r = ftri_otlp_environment_read(get_variable, NULL, &settings, &why);
    return finish(&settings, r, &why, error);
}
