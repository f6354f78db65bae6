/* SPDX-License-Identifier: Apache-2.0 */
#include "export/environment.h"

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "codec/json_writer.h"
#include "export/jaeger_settings.h"
#include "export/otlp_environment.h"
#include "sampling/threshold.h"
#include "trace/convention.h"
#include "trace/settings.h"

#include <errno.h>
#include <flowtrace/jaeger.h>
#include <flowtrace/metrics.h>
#include <flowtrace/propagation.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARNINGS_BYTES = 256 * 1024 };
#define MASK FTR_STR("***")

/* Every variable of OpenTelemetry's, and every one of its own, that the library reads. */
#define OTLP(suffix)                                                                               \
    "OTEL_EXPORTER_OTLP_" suffix, "OTEL_EXPORTER_OTLP_TRACES_" suffix,                             \
        "OTEL_EXPORTER_OTLP_METRICS_" suffix
static const char *const known[] = {
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_PROPAGATORS",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    OTLP("ENDPOINT"),
    OTLP("PROTOCOL"),
    OTLP("INSECURE"),
    OTLP("HEADERS"),
    OTLP("COMPRESSION"),
    OTLP("TIMEOUT"),
    OTLP("CERTIFICATE"),
    OTLP("CLIENT_KEY"),
    OTLP("CLIENT_CERTIFICATE"),
    "OTEL_LOG_LEVEL",
    "OTEL_CONFIG_FILE", /* the settings say that it is not read */
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "FLOWTRACE_MODE",
    "FLOWTRACE_TAIL_ERRORS",
    "FLOWTRACE_TAIL_DROPS",
    "FLOWTRACE_TAIL_LATENCY_MS",
    "FLOWTRACE_TAIL_ATTRIBUTES",
    "FLOWTRACE_TAIL_SHARE",
    "FLOWTRACE_TAIL_MAX_AGE_MS",
    "FLOWTRACE_TAIL_BUDGET_BYTES",
};

/* These are right, and nothing of the library depends on them. */
static const char *const without_effect[] = {"OTEL_SEMCONV_STABILITY_OPT_IN", "OTEL_LOGS_EXPORTER"};

static void add_warning(void *argument, const char *text)
{
    ftri_json_str(argument, ftr_str_from(text));
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
    while (n > 0)
        if (strcmp(name, names[--n]) == 0)
            return true;
    return false;
}

/* Of the general variables the traces' reading has warned. */
static void add_metrics_warning(void *argument, const char *text)
{
    if (strstr(text, "OTEL_EXPORTER_OTLP_METRICS_"))
        add_warning(argument, text);
}

/* Other variables of ours are the program's. */
static bool is_for_library(const char *entry)
{
    return strncmp(entry, "OTEL_", 5) == 0 || strncmp(entry, "FLOWTRACE_TAIL", 14) == 0;
}

/* One entry of the environment, when it is for the library and not empty. */
static void check_name(const char *entry, struct ftri_json_writer *warnings)
{
    const char *equals = strchr(entry, '=');
    char name[128];
    if (!is_for_library(entry) || !equals || equals[1] == '\0')
        return;
    snprintf(name, sizeof name, "%.*s", (int)ftri_size_min((size_t)(equals - entry), 127), entry);
    if (is_among(name, known, FTRI_COUNT(known)) ||
        is_among(name, without_effect, FTRI_COUNT(without_effect)))
        return;
    char text[384];
    const char *nearest = ftri_text_nearest(name, known, FTRI_COUNT(known));
    if (nearest)
        snprintf(text, sizeof text, "%s: is not read; did you mean %s?", name, nearest);
    else
        snprintf(text, sizeof text, "%s: is not read", name);
    add_warning(warnings, text);
}

static void put_name(struct ftri_json_writer *json, const char *name)
{
    ftri_json_name(json, ftr_str_from(name));
}

static void put_text(struct ftri_json_writer *json, const char *name, const char *text)
{
    put_name(json, name);
    if (text)
        ftri_json_str(json, ftr_str_from(text));
    else
        ftri_json_null(json);
}

static void put_number(struct ftri_json_writer *json, const char *name, uint64_t number)
{
    put_name(json, name);
    ftri_json_u64(json, number);
}

/* none: the value that stands for no limit. */
static void put_limit(struct ftri_json_writer *json, const char *name, uint64_t limit,
                      uint64_t none)
{
    if (limit != none) {
        put_number(json, name, limit);
        return;
    }
    put_name(json, name);
    ftri_json_null(json);
}

static void put_resource(struct ftri_json_writer *json, const struct ftri_settings *settings)
{
    put_name(json, "resource");
    ftri_json_begin_object(json);
    for (size_t i = 0; i < settings->n_resource; i++) {
        const ftr_attribute *attribute = &settings->resource[i];
        ftri_json_name(json, attribute->key);
        if (attribute->value.type == FTR_VALUE_STR)
            ftri_json_str(json, attribute->value.as.str);
        else
            ftri_json_i64(json, attribute->value.as.i64);
    }
    ftri_json_end_object(json);
}

static void put_sampler(struct ftri_json_writer *json, const struct ftri_sampler *sampler)
{
    put_text(json, "sampler", sampler->name);
    put_name(json, "samplerArgument");
    if (sampler->value >= 0)
        ftri_json_f64(json, sampler->value, FTRI_JSON_NONFINITE_NULL);
    else
        ftri_json_null(json);
}

/* As choosing the sampler: with a part that is wrong all are the defaults. */
static void put_remote_sampler(struct ftri_json_writer *json, const struct ftri_settings *settings,
                               struct ftri_json_writer *warnings)
{
    struct ftri_jaeger_settings jaeger;
    struct ftri_error why = {""};
    if (!settings->remote.is_wanted)
        return;
    if (ftri_jaeger_settings_read(settings->remote.argument, &jaeger, &why) < 0) {
        (void)ftri_error_prefix(&why, 0, "OTEL_TRACES_SAMPLER_ARG: ignored");
        add_warning(warnings, why.text);
    }
    put_name(json, "remoteSampler");
    ftri_json_begin_object(json);
    put_text(json, "endpoint", jaeger.endpoint);
    put_number(json, "pollingIntervalMs", jaeger.interval_ms);
    put_name(json, "initialSamplingRate");
    ftri_json_f64(json, jaeger.initial_rate, FTRI_JSON_NONFINITE_NULL);
    ftri_json_end_object(json);
}

static void put_wanted(struct ftri_json_writer *json, const struct ftri_policy *policy)
{
    put_name(json, "attributes");
    ftri_json_begin_array(json);
    for (size_t i = 0; i < policy->n_attributes; i++) {
        const ftr_tail_attribute *wanted = &policy->attributes[i];
        ftri_json_begin_object(json);
        put_name(json, "key");
        ftri_json_str(json, wanted->key);
        put_name(json, "value");
        if (wanted->value.data)
            ftri_json_str(json, wanted->value);
        else
            ftri_json_null(json);
        ftri_json_end_object(json);
    }
    ftri_json_end_array(json);
}

static void put_tail(struct ftri_json_writer *json, const struct ftri_tail_settings *tail)
{
    const struct ftri_policy *policy = &tail->policy;
    const double all = (double)FTRI_THRESHOLD_NEVER;
    put_name(json, "tail");
    ftri_json_begin_object(json);
    put_name(json, "errors");
    ftri_json_bool(json, policy->keeps_errors);
    put_name(json, "drops");
    ftri_json_bool(json, policy->keeps_drops);
    put_limit(json, "latencyMs", policy->latency_ns / FTRI_NS_PER_MS, 0);
    put_wanted(json, policy);
    put_name(json, "share"); /* as it is used: rounded to the threshold's digits */
    ftri_json_f64(json, (all - (double)policy->threshold) / all, FTRI_JSON_NONFINITE_NULL);
    put_name(json, "maxAgeMs");
    ftri_json_u64(json, tail->max_age_ns / FTRI_NS_PER_MS);
    put_name(json, "budgetBytes");
    ftri_json_u64(json, tail->budget_bytes);
    ftri_json_end_object(json);
}

static void put_propagators(struct ftri_json_writer *json)
{
    static const char *const names[] = {
        [FTR_PROPAGATOR_TRACECONTEXT] = "tracecontext",
        [FTR_PROPAGATOR_BAGGAGE] = "baggage",
        [FTR_PROPAGATOR_B3] = "b3",
        [FTR_PROPAGATOR_B3_MULTI] = "b3multi",
        [FTR_PROPAGATOR_JAEGER] = "jaeger",
        [FTR_PROPAGATOR_XRAY] = "xray",
        [FTR_PROPAGATOR_OT_TRACE] = "ottrace",
    };
    ftr_propagator propagators[16];
    const size_t n = ftr_get_propagators(propagators, FTRI_COUNT(propagators));
    put_name(json, "propagators");
    ftri_json_begin_array(json);
    for (size_t i = 0; i < n && i < FTRI_COUNT(propagators); i++)
        if ((size_t)propagators[i] < FTRI_COUNT(names) && names[propagators[i]])
            ftri_json_str(json, ftr_str_from(names[propagators[i]]));
    ftri_json_end_array(json);
}

static void put_limits(struct ftri_json_writer *json, const struct ftri_settings *settings)
{
    const ftr_limits *limits = &settings->limits;
    put_name(json, "limits");
    ftri_json_begin_object(json);
    put_number(json, "attributes", limits->attributes);
    put_number(json, "events", limits->events);
    put_number(json, "links", limits->links);
    put_number(json, "attributesPerEvent", limits->attributes_per_event);
    put_number(json, "attributesPerLink", limits->attributes_per_link);
    if (settings->has_no_text)
        put_number(json, "valueLength", 0);
    else
        put_limit(json, "valueLength", limits->value_length, 0);
    ftri_json_end_object(json);
}

static void put_queue(struct ftri_json_writer *json, const struct ftri_sender_settings *sender)
{
    put_name(json, "queue");
    ftri_json_begin_object(json);
    put_number(json, "bytes", sender->queue_bytes);
    put_limit(json, "spans", sender->queue_spans, 0);
    put_number(json, "batchBytes", sender->batch_bytes);
    put_limit(json, "batchSpans", sender->batch_spans, 0);
    put_number(json, "delayMs", sender->delay_ns / FTRI_NS_PER_MS);
    put_limit(json, "exportTimeoutMs", sender->timeout_ns / FTRI_NS_PER_MS, UINT32_MAX);
    ftri_json_end_object(json);
}

/* Which of the exporters that a list may name. */
struct wanted {
    bool console, otlp, otlp_stdout;
};

static void put_exporters(struct ftri_json_writer *json, struct wanted wanted)
{
    put_name(json, "exporters");
    ftri_json_begin_array(json);
    if (wanted.console)
        ftri_json_str(json, FTR_STR("console"));
    if (wanted.otlp)
        ftri_json_str(json, FTR_STR("otlp"));
    if (wanted.otlp_stdout)
        ftri_json_str(json, FTR_STR("otlp/stdout"));
    ftri_json_end_array(json);
}

static void put_without_effect(struct ftri_json_writer *json)
{
    put_name(json, "withoutEffect");
    ftri_json_begin_array(json);
    for (size_t i = 0; i < FTRI_COUNT(without_effect); i++) {
        const char *value = getenv(without_effect[i]);
        if (value && *value)
            ftri_json_str(json, ftr_str_from(without_effect[i]));
    }
    ftri_json_end_array(json);
}

static void put_metrics(struct ftri_json_writer *json, const struct ftri_settings *settings)
{
    static const char *const filters[] = {
        [FTR_EXEMPLARS_TRACE_BASED] = "trace_based",
        [FTR_EXEMPLARS_ALWAYS_ON] = "always_on",
        [FTR_EXEMPLARS_ALWAYS_OFF] = "always_off",
    };
    const struct ftri_metric_settings *metrics = &settings->metrics;
    const bool is_on = !settings->is_disabled;
    put_name(json, "metrics");
    ftri_json_begin_object(json);
    put_exporters(json, (struct wanted){.console = is_on && metrics->wants_console,
                                        .otlp = is_on && metrics->wants_otlp});
    put_text(json, "exemplarFilter", filters[metrics->filter]);
    put_limit(json, "series", metrics->series_max, 0);
    put_name(json, "intervalMs");
    ftri_json_u64(json, metrics->interval_ns / FTRI_NS_PER_MS);
    put_name(json, "exportTimeoutMs");
    ftri_json_u64(json, metrics->timeout_ns / FTRI_NS_PER_MS);
    ftri_json_end_object(json);
}

/* What stands before an @ of the host, and the query, may be secrets. */
static void put_endpoint(struct ftri_json_writer *json, const char *url)
{
    const char *host = strstr(url, "://") + 3;
    const size_t host_len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', host_len);
    const size_t shown_len = strcspn(at ? at : host, "?#");
    char text[2048];
    snprintf(text, sizeof text, "%.*s%s%.*s%s", (int)(host - url), url, at ? "***" : "",
             (int)ftri_size_min(shown_len, 1500), at ? at : host,
             (at ? at : host)[shown_len] ? "?***" : "");
    put_text(json, "endpoint", text);
}

static void put_headers(struct ftri_json_writer *json, const struct ftri_otlp_settings *otlp)
{
    put_name(json, "headers");
    ftri_json_begin_object(json);
    for (size_t i = 0; i < otlp->n_headers; i++) {
        ftri_json_name(json, (ftr_str){otlp->headers[i], strcspn(otlp->headers[i], ":")});
        ftri_json_str(json, MASK);
    }
    ftri_json_end_object(json);
}

static void put_otlp(struct ftri_json_writer *json, const struct ftri_otlp_settings *otlp)
{
    const bool is_metrics = otlp->signal == FTRI_OTLP_METRICS;
    static const char *const protocols[] = {"http/protobuf", "http/json", "grpc"};
    static const char *const compressions[] = {"none", "gzip", "zstd"};
    put_name(json, is_metrics ? "otlpMetrics" : "otlp");
    ftri_json_begin_object(json);
    put_text(json, "protocol", protocols[otlp->protocol]);
    put_endpoint(json, otlp->url);
    put_text(json, "unixSocket", otlp->unix_socket);
    put_headers(json, otlp);
    put_text(json, "compression", compressions[otlp->compression]);
    put_limit(json, "timeoutMs", otlp->timeout_ms, FTRI_OTLP_NO_TIMEOUT);
    put_text(json, "certificate", otlp->files[FTRI_OTLP_CERTIFICATE].path);
    put_text(json, "clientCertificate", otlp->files[FTRI_OTLP_CLIENT_CERTIFICATE].path);
    put_text(json, "clientKey", otlp->files[FTRI_OTLP_CLIENT_KEY].path);
    ftri_json_end_object(json);
}

static const char *get_variable(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

static int write_otlp(struct ftri_json_writer *json, enum ftri_otlp_signal signal,
                      struct ftri_json_writer *warnings, struct ftri_error *error)
{
    struct ftri_otlp_settings otlp;
    ftri_otlp_settings_init(&otlp);
    otlp.signal = signal;
    otlp.warn = signal == FTRI_OTLP_METRICS ? add_metrics_warning : add_warning;
    otlp.warn_argument = warnings;
    int r = ftri_otlp_environment_read(get_variable, NULL, &otlp, error);
    if (r == 0) {
        put_otlp(json, &otlp);
        r = ftri_otlp_settings_check_files(&otlp, error);
    }
    ftri_otlp_settings_deinit(&otlp);
    return r;
}

static int write_settings(struct ftri_json_writer *json, struct ftri_json_writer *warnings,
                          struct ftri_error *error)
{
    struct ftri_settings settings;
    ftr_config config = FTR_CONFIG_INIT;
    config.remote_sampler = ftr_jaeger_sampler_new;
    config.on_diagnostic = add_warning;
    config.diagnostic_argument = warnings;
    int r = ftri_settings_init(&settings, &config, error);
    if (r < 0)
        return r;
    put_name(json, "disabled");
    ftri_json_bool(json, settings.is_disabled);
    put_resource(json, &settings);
    put_sampler(json, &settings.sampler);
    put_remote_sampler(json, &settings, warnings);
    put_text(json, "mode", ftri_mode_name(settings.mode));
    put_tail(json, &settings.tail);
    put_propagators(json);
    put_text(json, "conventions", ftri_convention_name(settings.convention));
    put_text(json, "logLevel", settings.log_level);
    put_limits(json, &settings);
    put_queue(json, &settings.sender);
    const bool is_on = !settings.is_disabled;
    put_exporters(json,
                  (struct wanted){is_on && settings.wants_console, is_on && settings.wants_otlp,
                                  is_on && settings.wants_otlp_stdout});
    put_without_effect(json);
    put_metrics(json, &settings);
    const bool has_metrics = settings.metrics.wants_otlp && !settings.is_disabled;
    if ((settings.wants_otlp || has_metrics) && !settings.is_disabled)
        r = write_otlp(json, FTRI_OTLP_TRACES, warnings, error);
    if (r == 0 && has_metrics)
        r = write_otlp(json, FTRI_OTLP_METRICS, warnings, error);
    ftri_settings_deinit(&settings);
    return r;
}

int ftri_environment_write(struct ftri_bytes *out, bool *ret_is_usable)
{
    struct ftri_bytes list;
    struct ftri_json_writer json, warnings;
    struct ftri_error error = {""};
    ftri_bytes_init(&list, WARNINGS_BYTES);
    ftri_json_writer_init(&json, out);
    ftri_json_writer_init(&warnings, &list);
    ftri_json_begin_object(&json);
    ftri_json_begin_array(&warnings);
    for (char **entry = environ; *entry; entry++)
        check_name(*entry, &warnings);
    *ret_is_usable = write_settings(&json, &warnings, &error) == 0;
    ftri_json_end_array(&warnings);
    int r = ftri_json_writer_status(&warnings);
    put_name(&json, "warnings");
    ftri_json_raw(&json, ftri_view_str(ftri_bytes_view(&list)));
    if (!*ret_is_usable)
        put_text(&json, "error", error.text);
    ftri_json_end_object(&json);
    ftri_bytes_deinit(&list);
    return r < 0 ? r : ftri_json_writer_status(&json);
}
