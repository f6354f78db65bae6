/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/collector/service.h"

#include "base/error.h"
#include "config/document.h"

#include <errno.h>
#include <string.h>

struct service_form {
    const struct config_value *pipelines, *extensions, *telemetry;
};

#define AT(member) offsetof(struct service_form, member)
static const struct option service_rows[] = {
    {"pipelines", OPTION_MAP, AT(pipelines), .is_required = true,
     .sentence = "SIGNAL or SIGNAL/NAME: {receivers, processors, exporters}."},
    {"extensions", OPTION_LIST, AT(extensions), .sentence = "Extensions that run."},
    {"telemetry", OPTION_MAP, AT(telemetry),
     .sentence = "What the Collector tells of itself; here each batch is traced as the OTEL_* "
                 "variables say."},
};
#undef AT

struct telemetry_form {
    const struct config_value *logs, *metrics;
};

#define AT(member) offsetof(struct telemetry_form, member)
static const struct option telemetry_rows[] = {
    {"logs", OPTION_MAP, AT(logs), .sentence = "Its log."},
    {"metrics", OPTION_MAP, AT(metrics), .sentence = "Its figures."},
};
#undef AT

static const struct collector_refusal telemetry_refusals[] = {
    {"traces", "tracing follows the OTEL_* variables"},
    {"resource", "set OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES"},
    {NULL, NULL},
};

static const char *const metric_levels[] = {"none", "basic", "normal", "detailed", NULL};
static const char as_lines[] = "the log is lines on the standard error";

static const struct option logs_rows[] = {
    COLLECTOR_UNUSED("level", OPTION_STR, 0, "the log is lines on the standard error"),
    COLLECTOR_UNUSED("encoding", OPTION_STR, 0, "the log is lines on the standard error"),
    COLLECTOR_UNUSED("development", OPTION_BOOL, 0, "the log is lines on the standard error"),
    COLLECTOR_UNUSED("disable_caller", OPTION_BOOL, 0, "the log is lines on the standard error"),
    COLLECTOR_UNUSED("disable_stacktrace", OPTION_BOOL, 0,
                     "the log is lines on the standard error"),
    COLLECTOR_UNUSED("sampling", OPTION_MAP, 0, "every line is written"),
};
static const struct collector_refusal logs_refusals[] = {
    {"output_paths", as_lines},
    {"error_output_paths", as_lines},
    {"initial_fields", as_lines},
    {"processors", as_lines},
    {NULL, NULL},
};

static const struct option metrics_rows[] = {
    {.name = "level",
     .type = OPTION_CHOICE,
     .choices = metric_levels,
     .sentence = "No effect: every figure is kept, in the flow ledger."},
};
static const char no_metrics[] = "the figures of the nodes go into the flow ledger (see `flowtrace "
                                 "loss`)";
static const struct collector_refusal metrics_refusals[] = {
    {"address", no_metrics},
    {"readers", no_metrics},
    {"views", no_metrics},
    {NULL, NULL},
};

static const struct collector_section service_section = {
    "", {service_rows, FTRI_COUNT(service_rows), sizeof(struct service_form)}, NULL};
static const struct collector_section telemetry_section = {
    "telemetry",
    {telemetry_rows, FTRI_COUNT(telemetry_rows), sizeof(struct telemetry_form)},
    telemetry_refusals};
static const struct collector_section logs_section = {
    "telemetry::logs",
    {logs_rows, FTRI_COUNT(logs_rows), sizeof(union collector_unused)},
    logs_refusals};
static const struct collector_section metrics_section = {
    "telemetry::metrics",
    {metrics_rows, FTRI_COUNT(metrics_rows), sizeof(union collector_unused)},
    metrics_refusals};

const struct collector_section *const collector_service_sections[] = {
    &service_section, &telemetry_section, &logs_section, &metrics_section, NULL};

static int check_telemetry(const struct collector_translation *translation,
                           const struct collector_instance *service,
                           const struct config_value *value)
{
    struct telemetry_form form = {0};
    union collector_unused unused = {0};
    int r = collector_section_read(translation, &telemetry_section, service, value, &form);
    if (r == 0 && form.logs)
        r = collector_section_read(translation, &logs_section, service, form.logs, &unused);
    if (r == 0 && form.metrics)
        r = collector_section_read(translation, &metrics_section, service, form.metrics, &unused);
    return r;
}

static const struct config_value *find_key(const struct config_value *mapping, const char *name)
{
    for (size_t i = 0; i < config_size(mapping); i++)
        if (strcmp(config_text(config_key(mapping, i)), name) == 0)
            return config_key(mapping, i);
    return mapping;
}

int collector_service_read(const struct collector_translation *translation,
                           const struct config_value **ret_pipelines,
                           const struct config_value **ret_extensions)
{
    const struct config_value *root = translation->root;
    const struct collector_instance service = {
        .key = find_key(root, "service"), .value = config_get(root, "service"), .path = "service"};
    struct service_form form = {0};
    int r = collector_section_read(translation, &service_section, &service, service.value, &form);
    if (r == 0 && form.telemetry)
        r = check_telemetry(translation, &service, form.telemetry);
    if (r == 0 && config_size(form.pipelines) == 0)
        r = collector_refuse(translation, &service, form.pipelines,
                             "pipelines: expected at least one");
    if (r < 0)
        return r;
    *ret_pipelines = form.pipelines;
    *ret_extensions = form.extensions;
    return 0;
}
