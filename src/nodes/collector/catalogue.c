/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/collector/catalogue.h"

#include "base/error.h"
#include "base/text.h"
#include "config/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct collector_component *const collector_components[] = {
    &collector_filelog_receiver,
    &collector_otlp_receiver,
    &collector_attributes,
    &collector_batch,
    &collector_filter,
    &collector_memory_limiter,
    &collector_resource,
    &collector_debug,
    &collector_file,
    &collector_nop,
    &collector_otlp_grpc,
    &collector_otlp_http,
    &collector_forward,
    &collector_routing,
    &collector_health_check,
    NULL,
};

/* What people look for, with what there is instead. */
static const struct {
    enum collector_kind kind;
    const char *type, *instead;
} absent[] = {
    {COLLECTOR_PROCESSOR, "tail_sampling", "there is no node for it yet"},
    {COLLECTOR_PROCESSOR, "probabilistic_sampler", "sample where spans are made"},
    {COLLECTOR_PROCESSOR, "transform", "attributes, resource and filter cover a part of it"},
    {COLLECTOR_PROCESSOR, "redaction", "attributes can delete and update"},
    {COLLECTOR_PROCESSOR, "k8sattributes", "resource can set what is known when it is deployed"},
    {COLLECTOR_PROCESSOR, "resourcedetection",
     "resource can set what is known when it is deployed"},
    {COLLECTOR_EXPORTER, "logging", "it was renamed; use debug"},
    {COLLECTOR_EXPORTER, "zipkin", "use otlp or otlphttp"},
    {COLLECTOR_EXPORTER, "jaeger", "it was removed there, too; Jaeger takes otlp"},
    {COLLECTOR_CONNECTOR, "spanmetrics", "there is no node for it yet"},
    {COLLECTOR_CONNECTOR, "span_metrics", "there is no node for it yet"},
    {COLLECTOR_CONNECTOR, "servicegraph", "there is no node for it yet"},
    {COLLECTOR_CONNECTOR, "service_graph", "there is no node for it yet"},
    {COLLECTOR_EXTENSION, "healthcheckv2", "use health_check"},
    {COLLECTOR_EXTENSION, "health_check_v2", "use health_check"},
    {COLLECTOR_EXTENSION, "zpages",
     "`flowtrace loss` and `flowtrace run --accounts` show the nodes"},
    {COLLECTOR_EXTENSION, "pprof", "use a profiler such as perf"},
    {COLLECTOR_EXTENSION, "file_storage",
     "queues are in memory, positions of files in checkpoints"},
    {COLLECTOR_EXTENSION, "memory_ballast", "it was removed there, too; use memory_limiter"},
};

bool collector_component_is(const struct collector_component *component, ftr_str type)
{
    for (const char *const *i = component->types; *i; i++)
        if (ftri_text_is(type, *i))
            return true;
    return false;
}

const struct collector_component *collector_component_find(enum collector_kind kind, ftr_str type)
{
    for (const struct collector_component *const *i = collector_components; *i; i++)
        if ((*i)->kind == kind && collector_component_is(*i, type))
            return *i;
    return NULL;
}

static const char *nearest(enum collector_kind kind, const char *type)
{
    const char *names[64];
    size_t n = 0;
    for (const struct collector_component *const *i = collector_components; *i; i++)
        for (const char *const *name = (*i)->types; *name && (*i)->kind == kind; name++)
            if (n < FTRI_COUNT(names))
                names[n++] = *name;
    return ftri_text_nearest(type, names, n);
}

/* "; there are filelog, otlp" */
static void list_types(enum collector_kind kind, char *ret_text, size_t size)
{
    size_t n = (size_t)snprintf(ret_text, size, "; there are");
    const char *separator = " ";
    for (const struct collector_component *const *i = collector_components; *i; i++) {
        if ((*i)->kind != kind || n >= size)
            continue;
        n += (size_t)snprintf(ret_text + n, size - n, "%s%s", separator, (*i)->types[0]);
        separator = ", ";
    }
}

int collector_component_refuse(const struct collector_translation *translation,
                               enum collector_kind kind, const struct config_value *key,
                               ftr_str type)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)ftri_size_min(type.len, 63), type.data);
    for (size_t i = 0; i < FTRI_COUNT(absent); i++)
        if (absent[i].kind == kind && ftri_text_is(type, absent[i].type))
            return config_error(key, translation->error, -EINVAL,
                                "%s::%.100s: the component '%s' is not supported: %s",
                                collector_kind_names[kind], config_text(key), name,
                                absent[i].instead);
    const char *near = nearest(kind, name);
    char advice[128];
    if (near)
        snprintf(advice, sizeof advice, "; did you mean '%s'?", near);
    else
        list_types(kind, advice, sizeof advice);
    return config_error(key, translation->error, -EINVAL,
                        "%s::%.100s: the component '%s' is not supported%s",
                        collector_kind_names[kind], config_text(key), name, advice);
}
