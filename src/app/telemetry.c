/* SPDX-License-Identifier: Apache-2.0 */
#include "app/telemetry.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <flowtrace/jaeger.h>
#include <flowtrace/metrics.h>
#include <flowtrace/otlp.h>
#include <flowtrace/tracing.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t DELIVERY_NS = UINT64_C(5000000000);

static void log_diagnostic(void *argument, const char *text)
{
    (void)argument;
    log_write(LOG_LEVEL_WARNING, "tracing: %s", text);
}

static int start(const char *conventions, bool is_traced, struct ftri_error *error)
{
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    ftr_config config = FTR_CONFIG_INIT;
    metrics.unit = FTR_METRICS_SECONDS; /* as those of the graph */
    config.metrics = &metrics;
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    config.otlp_stdout_exporter = ftr_otlp_stdout_exporter_new;
    config.remote_sampler = ftr_jaeger_sampler_new;
    config.on_diagnostic = log_diagnostic;
    config.conventions = ftr_str_from(conventions);
    config.has_mode = !is_traced;
    config.mode = FTR_MODE_OFF;
    ftr_error reason;
    return ftr_init(&config, &reason) == FTR_OK
               ? 0
               : ftri_error_set(error, -EINVAL, "tracing: %s", reason.text);
}

int telemetry_start(const char *conventions, struct ftri_error *error)
{
    return start(conventions, true, error);
}

int telemetry_start_metrics(struct ftri_error *error)
{
    const char *const wanted = getenv("OTEL_METRICS_EXPORTER");
    return wanted && wanted[0] && strcmp(wanted, "none") != 0 ? start("", false, error) : 0;
}

bool telemetry_stop(void)
{
    const ftr_status status = ftr_shutdown(DELIVERY_NS);
    return status == FTR_OK || status == FTR_ERR_STATE; /* the latter: never started */
}
