/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/metric_settings.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "metrics/bounds.h"
#include "metrics/span_metrics.h"
#include "metrics/text_name.h"
#include "trace/diagnostics.h"
#include "trace/variable.h"

#include <errno.h>
#include <flowtrace/metrics.h>
#include <flowtrace/tracing.h>
#include <string.h>

_Static_assert((int)FTR_METRICS_DIMENSIONS_MAX == (int)FTRI_SPAN_DIMENSIONS_MAX, "one limit");
_Static_assert((int)FTR_METRICS_BOUNDS_MAX == (int)FTRI_BOUNDS_MAX, "one limit");

enum { SERIES_MOST = 10000000 };

static int no_memory(struct ftri_error *error)
{
    return ftri_error_set(error, -ENOMEM, "metrics: out of memory");
}

/* A label that the series have anyway, in the text. */
static bool is_taken(ftr_str name)
{
    static const char *const names[] = {
        "service.name",    "span.name",          "span.kind",
        "status.code",     "sampling.estimated", "le",
        "otel.scope.name", "otel.scope.version", "otel.metric.overflow"};
    for (size_t i = 0; i < FTRI_COUNT(names); i++)
        if (ftri_text_same_label(name, ftr_str_from(names[i])))
            return true;
    return false;
}

static int check_dimension(const ftr_metrics_config *config, size_t i, struct ftri_error *error)
{
    const ftr_str name = config->dimensions[i];
    if (name.len == 0 || name.len > 255)
        return ftri_error_set(error, -EINVAL,
                              "metrics: dimensions[%zu] is empty or longer than 255 bytes", i);
    bool is_double = is_taken(name);
    for (size_t k = 0; k < i; k++)
        is_double |= ftri_text_same_label(name, config->dimensions[k]);
    if (is_double)
        return ftri_error_set(error, -EINVAL, "metrics: dimensions[%zu]: there is a label %.*s", i,
                              (int)name.len, name.data);
    return 0;
}

static int take_dimensions(struct ftri_metric_settings *self, const ftr_metrics_config *config,
                           struct ftri_arena *arena, struct ftri_error *error)
{
    if (config->n_dimensions > FTR_METRICS_DIMENSIONS_MAX)
        return ftri_error_set(error, -EINVAL, "metrics: n_dimensions: more than %d",
                              FTR_METRICS_DIMENSIONS_MAX);
    ftr_str *names = ftri_arena_alloc(arena, (config->n_dimensions + 1) * sizeof *names);
    if (!names)
        return no_memory(error);
    for (size_t i = 0; i < config->n_dimensions; i++) {
        const int rc = check_dimension(config, i, error);
        if (rc < 0)
            return rc;
        names[i] = ftri_arena_copy(arena, config->dimensions[i]);
        if (!names[i].data)
            return no_memory(error);
    }
    self->dimensions = names;
    self->n_dimensions = config->n_dimensions;
    return 0;
}

static int take_bounds(struct ftri_metric_settings *self, const ftr_metrics_config *config,
                       struct ftri_arena *arena, struct ftri_error *error)
{
    if (config->n_bounds == 0)
        return 0;
    if (!ftri_bounds_are_valid(config->bounds, config->n_bounds) || config->bounds[0] < 0)
        return ftri_error_set(error, -EINVAL,
                              "metrics: bounds: not finite, negative, not rising, or more than %d",
                              FTR_METRICS_BOUNDS_MAX);
    const size_t size = config->n_bounds * sizeof(double);
    double *bounds = ftri_arena_alloc(arena, size);
    if (!bounds)
        return no_memory(error);
    self->bounds = memcpy(bounds, config->bounds, size);
    self->n_bounds = config->n_bounds;
    return 0;
}

static int choose_filter(struct ftri_metric_settings *self, const ftr_metrics_config *config,
                         struct ftri_error *error)
{
    static const struct {
        const char *word;
        ftr_exemplar_filter filter;
    } rows[] = {{"trace_based", FTR_EXEMPLARS_TRACE_BASED},
                {"always_on", FTR_EXEMPLARS_ALWAYS_ON},
                {"always_off", FTR_EXEMPLARS_ALWAYS_OFF}};
    if ((unsigned)config->exemplar_filter > FTR_EXEMPLARS_ALWAYS_OFF)
        return ftri_error_set(error, -EINVAL, "metrics: exemplar_filter: %d is not known",
                              (int)config->exemplar_filter);
    self->filter = (uint8_t)config->exemplar_filter;
    if (self->filter != FTR_EXEMPLARS_BY_ENVIRONMENT)
        return 0;
    self->filter = FTR_EXEMPLARS_TRACE_BASED;
    const ftr_str text = ftri_trim(ftr_str_from(ftri_variable("OTEL_METRICS_EXEMPLAR_FILTER")));
    bool is_known = text.len == 0;
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        if (ftri_text_same_word(text, ftr_str_from(rows[i].word))) {
            self->filter = (uint8_t)rows[i].filter;
            is_known = true;
        }
    if (!is_known)
        ftri_diagnose("OTEL_METRICS_EXEMPLAR_FILTER: %.*s is ignored, expected trace_based, "
                      "always_on or always_off",
                      (int)ftri_size_min(text.len, 64), text.data);
    return 0;
}

static void choose_exporters(struct ftri_metric_settings *self)
{
    const struct ftri_exporter_wishes wishes = ftri_variable_exporters(
        "OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", FTRI_NAMES_PROMETHEUS);
    self->wants_otlp = wishes.otlp;
    self->wants_console = wishes.console;
    self->is_implied = wishes.is_implied;
    if (wishes.prometheus)
        ftri_diagnose("OTEL_METRICS_EXPORTER: prometheus opens no port: the program serves what "
                      "ftr_metrics_text writes");
}

/* An interval of 0 would never end. */
static void choose_times(struct ftri_metric_settings *self, const ftr_metrics_config *config)
{
    enum { INTERVAL_MS = 60000, TIMEOUT_MS = 30000 };
    const uint32_t interval_ms =
        ftri_variable_choose(config->interval_ms, "OTEL_METRIC_EXPORT_INTERVAL", NULL, INTERVAL_MS);
    const uint32_t timeout_ms =
        ftri_variable_choose(config->timeout_ms, "OTEL_METRIC_EXPORT_TIMEOUT", NULL, TIMEOUT_MS);
    self->interval_ns = (interval_ms ? interval_ms : INTERVAL_MS) * FTRI_NS_PER_MS;
    self->timeout_ns = (timeout_ms ? timeout_ms : TIMEOUT_MS) * FTRI_NS_PER_MS;
}

static int take(struct ftri_metric_settings *self, const ftr_metrics_config *config,
                struct ftri_arena *arena, struct ftri_error *error)
{
    self->is_off = config->is_off;
    self->is_exact = config->is_exact;
    self->is_exported = config->is_exported;
    self->is_exponential = config->is_exponential;
    self->is_in_ms = config->unit == FTR_METRICS_MILLISECONDS;
    self->series_max = config->series_max ? config->series_max : FTRI_SPAN_SERIES_STANDARD;
    if ((unsigned)config->unit > FTR_METRICS_SECONDS)
        return ftri_error_set(error, -EINVAL, "metrics: unit: %d is not known", (int)config->unit);
    if (self->series_max > SERIES_MOST)
        return ftri_error_set(error, -EINVAL, "metrics: series_max: more than %d", SERIES_MOST);
    choose_times(self, config);
    int rc = choose_filter(self, config, error);
    if (rc == 0)
        rc = take_dimensions(self, config, arena, error);
    return rc < 0 ? rc : take_bounds(self, config, arena, error);
}

int ftri_metric_settings_init(struct ftri_metric_settings *self, const struct ftr_config *config,
                              struct ftri_arena *arena, struct ftri_error *error)
{
    ftr_metrics_config complete = FTR_METRICS_CONFIG_INIT;
    *self = (struct ftri_metric_settings){.is_off = false};
    if (config->metrics && (config->metrics->size > sizeof complete ||
                            config->metrics->size < sizeof config->metrics->size))
        return ftri_error_set(error, -EINVAL, "metrics: size is not set, or of a later version");
    if (config->metrics)
        memcpy(&complete, config->metrics, config->metrics->size);
    if (config->n_exporters == 0)
        choose_exporters(self);
    return take(self, &complete, arena, error);
}
