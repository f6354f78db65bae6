/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/collector/pipelines.h"

#include "base/text.h"
#include "config/document.h"

#include <errno.h>
#include <string.h>

enum { REFERENCES_MAX = 256, CONNECTIONS_MAX = 16384, PATH_BYTES = 256 };

static const char *const list_names[] = {"receivers", "processors", "exporters"};
static const char *const pipeline_keys[] = {"receivers", "processors", "exporters", NULL};

struct pipeline {
    const struct config_value *key;
    const struct config_value *lists[3]; /* NULL: none */
    enum collector_signal signal;
    const char *id;
};

struct collector_instance *collector_instance_find(const struct collector_components *components,
                                                   const char *id)
{
    for (size_t i = 0; i < components->n_items; i++)
        if (strcmp(config_text(components->items[i].key), id) == 0)
            return &components->items[i];
    return NULL;
}

static int refuse(const struct collector_pipelines *self, const struct pipeline *pipeline,
                  const struct config_value *place, const char *text)
{
    return config_error(place, self->translation->error, -EINVAL, "service::pipelines::%.100s: %s",
                        pipeline->id, text);
}

/* "traces" or "traces/name". */
static int read_signal(const struct collector_pipelines *self, struct pipeline *pipeline)
{
    const char *slash = strchr(pipeline->id, '/');
    const ftr_str type = {pipeline->id,
                          slash ? (size_t)(slash - pipeline->id) : strlen(pipeline->id)};
    for (size_t i = 0; i < COLLECTOR_SIGNALS; i++) {
        if (!ftri_text_is(type, collector_signal_names[i]))
            continue;
        pipeline->signal = (enum collector_signal)i;
        return !slash || slash[1] ? 0 : refuse(self, pipeline, pipeline->key, "a name is missing");
    }
    const char *word =
        collector_text(self->translation, "%.*s", (int)ftri_size_min(type.len, 100), type.data);
    const char *near = ftri_text_nearest(word, collector_signal_names, COLLECTOR_SIGNALS);
    return refuse(self, pipeline, pipeline->key,
                  collector_text(self->translation,
                                 "'%s' is not a signal: there are traces, metrics and logs%s%s%s",
                                 word, near ? "; did you mean '" : "", near ? near : "",
                                 near ? "'?" : ""));
}

static int read_list(const struct collector_pipelines *self, struct pipeline *pipeline, size_t i,
                     const struct config_value *list)
{
    if (config_kind(list) == CONFIG_NULL)
        return 0;
    if (config_kind(list) != CONFIG_SEQUENCE)
        return refuse(
            self, pipeline, list,
            collector_text(self->translation, "%s: expected a list of components", list_names[i]));
    if (config_size(list) > REFERENCES_MAX)
        return refuse(self, pipeline, list,
                      collector_text(self->translation, "%s: more than %d components",
                                     list_names[i], REFERENCES_MAX));
    pipeline->lists[i] = config_size(list) ? list : NULL;
    return 0;
}

static int read_lists(const struct collector_pipelines *self, struct pipeline *pipeline,
                      const struct config_value *value)
{
    for (size_t i = 0; i < config_size(value); i++) {
        const struct config_value *key = config_key(value, i);
        size_t which = 0;
        while (which < 3 && strcmp(config_text(key), list_names[which]) != 0)
            which++;
        const char *near = ftri_text_nearest(config_text(key), pipeline_keys, 3);
        if (which == 3)
            return refuse(self, pipeline, key,
                          collector_text(self->translation, "there is no option '%.100s'%s%s%s",
                                         config_text(key), near ? "; did you mean '" : "",
                                         near ? near : "", near ? "'?" : ""));
        const int r = read_list(self, pipeline, which, config_value_at(value, i));
        if (r < 0)
            return r;
    }
    if (!pipeline->lists[COLLECTOR_RECEIVER])
        return refuse(self, pipeline, pipeline->key, "at least one receiver is required");
    if (!pipeline->lists[COLLECTOR_EXPORTER])
        return refuse(self, pipeline, pipeline->key, "at least one exporter is required");
    return 0;
}

static int read_pipeline(const struct collector_pipelines *self, size_t i,
                         struct pipeline *ret_pipeline)
{
    const struct config_value *key = config_key(self->pipelines, i);
    const struct config_value *value = config_value_at(self->pipelines, i);
    *ret_pipeline = (struct pipeline){.key = key, .id = config_text(key)};
    if (strlen(config_text(key)) > PATH_BYTES - 1)
        return config_error(key, self->translation->error, -EINVAL,
                            "service::pipelines: a name is longer than %d bytes", PATH_BYTES - 1);
    const int r = read_signal(self, ret_pipeline);
    if (r < 0)
        return r;
    if (config_kind(value) != CONFIG_MAPPING)
        return refuse(self, ret_pipeline, value, "expected {receivers, processors, exporters}");
    return read_lists(self, ret_pipeline, value);
}

/* A receiver or exporter may be a connector. */
static struct collector_instance *find_instance(const struct collector_pipelines *self, size_t kind,
                                                const struct config_value *reference)
{
    const char *id = config_text(reference);
    struct collector_instance *found = collector_instance_find(&self->components[kind], id);
    if (found || kind == COLLECTOR_PROCESSOR)
        return found;
    return collector_instance_find(&self->components[COLLECTOR_CONNECTOR], id);
}

static int refuse_reference(const struct collector_pipelines *self, const struct pipeline *pipeline,
                            size_t kind, const struct config_value *reference)
{
    const char *names[REFERENCES_MAX];
    const struct collector_components *components = &self->components[kind];
    const size_t n = ftri_size_min(components->n_items, REFERENCES_MAX);
    for (size_t i = 0; i < n; i++)
        names[i] = config_text(components->items[i].key);
    const char *near = ftri_text_nearest(config_text(reference), names, n);
    return refuse(
        self, pipeline, reference,
        collector_text(self->translation, "%s: '%.100s' is not below '%s'%s of this file%s%.100s%s",
                       list_names[kind], config_text(reference), list_names[kind],
                       kind == COLLECTOR_PROCESSOR ? "" : " or 'connectors'",
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ""));
}

static bool is_named_above(const struct config_value *list, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(config_text(config_item(list, j)), config_text(config_item(list, i))) == 0)
            return true;
    return false;
}

static int check_list(const struct collector_pipelines *self, const struct pipeline *pipeline,
                      size_t kind)
{
    const struct config_value *list = pipeline->lists[kind];
    for (size_t i = 0; list && i < config_size(list); i++) {
        const struct config_value *reference = config_item(list, i);
        struct collector_instance *instance = find_instance(self, kind, reference);
        if (config_kind(reference) != CONFIG_SCALAR)
            return refuse(self, pipeline, reference,
                          collector_text(self->translation, "%s: expected the id of a component",
                                         list_names[kind]));
        if (!instance)
            return refuse_reference(self, pipeline, kind, reference);
        if (is_named_above(list, i))
            return refuse(self, pipeline, reference,
                          collector_text(self->translation, "%s: '%.100s' is there twice",
                                         list_names[kind], config_text(reference)));
        instance->has_signal[pipeline->signal] = true;
        instance->n_uses++;
        instance->is_source = instance->is_source || kind == COLLECTOR_RECEIVER;
        instance->is_target = instance->is_target || kind == COLLECTOR_EXPORTER;
    }
    return 0;
}

/* Records, which are no telemetry, pass through some components only. */
static int check_records(const struct collector_pipelines *self, const struct pipeline *pipeline,
                         const struct collector_instance *source)
{
    if (pipeline->signal != COLLECTOR_LOGS)
        return refuse(self, pipeline, pipeline->key,
                      collector_text(self->translation, "%s makes logs only", source->path));
    for (size_t kind = COLLECTOR_PROCESSOR; kind <= COLLECTOR_EXPORTER; kind++) {
        const struct config_value *list = pipeline->lists[kind];
        for (size_t i = 0; list && i < config_size(list); i++) {
            const struct config_value *reference = config_item(list, i);
            const struct collector_instance *instance = find_instance(self, kind, reference);
            if (instance->component->has_records)
                continue;
            return refuse(self, pipeline, reference,
                          collector_text(self->translation,
                                         "%s takes OTLP only, and the lines of %s are none",
                                         instance->path, source->path));
        }
    }
    return 0;
}

static int check_pipeline(const struct collector_pipelines *self, size_t i)
{
    struct pipeline pipeline;
    int r = read_pipeline(self, i, &pipeline);
    for (size_t kind = 0; r == 0 && kind < 3; kind++)
        r = check_list(self, &pipeline, kind);
    const struct config_value *sources = pipeline.lists[COLLECTOR_RECEIVER];
    for (size_t j = 0; r == 0 && j < config_size(sources); j++) {
        const struct collector_instance *source =
            find_instance(self, COLLECTOR_RECEIVER, config_item(sources, j));
        if (source->component->kind == COLLECTOR_RECEIVER && source->component->has_records)
            r = check_records(self, &pipeline, source);
    }
    return r;
}

static int check_connectors(const struct collector_pipelines *self)
{
    const struct collector_components *connectors = &self->components[COLLECTOR_CONNECTOR];
    for (size_t i = 0; i < connectors->n_items; i++) {
        const struct collector_instance *one = &connectors->items[i];
        const int n_signals = one->has_signal[0] + one->has_signal[1] + one->has_signal[2];
        if (one->n_uses == 0)
            continue;
        if (!one->is_source || !one->is_target)
            return collector_refuse(self->translation, one, NULL,
                                    "a connector is an exporter of one pipeline and a receiver of "
                                    "another; this one is no %s",
                                    one->is_source ? "exporter" : "receiver");
        if (n_signals > 1)
            return collector_refuse(self->translation, one, NULL,
                                    "it connects pipelines of several signals; define one for each "
                                    "signal");
    }
    return 0;
}

int collector_pipelines_check(const struct collector_pipelines *self)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < config_size(self->pipelines); i++)
        r = check_pipeline(self, i);
    return r == 0 ? check_connectors(self) : r;
}

static const struct collector_chain *chain_of(const struct collector_pipelines *self,
                                              const struct collector_instance *instance)
{
    const struct collector_components *components = &self->components[instance->component->kind];
    return &components->chains[instance - components->items];
}

/* What one receiver of a pipeline leads to: its first processor or, without any, its exporters. */
static void connect_source(const struct collector_pipelines *self, const struct pipeline *pipeline,
                           const struct config_value *place, const char *from, const char *first)
{
    struct collector_translation *const translation = self->translation;
    const struct config_value *targets = pipeline->lists[COLLECTOR_EXPORTER];
    if (first) {
        collector_connect(translation, place, from, first);
        return;
    }
    for (size_t i = 0; i < config_size(targets); i++) {
        const struct config_value *target = config_item(targets, i);
        const struct collector_instance *instance = find_instance(self, COLLECTOR_EXPORTER, target);
        collector_connect(translation, target, from, chain_of(self, instance)->first);
    }
}

static bool has_item(const struct config_value *list, const char *text)
{
    for (size_t i = 0; i < config_size(list); i++)
        if (strcmp(config_text(config_item(list, i)), text) == 0)
            return true;
    return false;
}

static int connect_ports(const struct collector_pipelines *self, const struct pipeline *pipeline,
                         const struct config_value *place, const struct collector_chain *chain,
                         const char *first)
{
    size_t n = 0;
    for (size_t i = 0; i < config_size(chain->ports); i++) {
        if (!has_item(config_value_at(chain->ports, i), pipeline->id))
            continue;
        connect_source(self, pipeline, place,
                       collector_text(self->translation, "%s[\"%s\"]", chain->last,
                                      config_text(config_key(chain->ports, i))),
                       first);
        n++;
    }
    return n ? 0
             : refuse(self, pipeline, place,
                      collector_text(self->translation,
                                     "receivers: '%.100s' routes nothing to this pipeline",
                                     config_text(place)));
}

static int connect_receiver(const struct collector_pipelines *self, const struct pipeline *pipeline,
                            const struct config_value *reference, const char *first)
{
    const struct collector_instance *instance = find_instance(self, COLLECTOR_RECEIVER, reference);
    const struct collector_chain *chain = chain_of(self, instance);
    if (chain->ports)
        return connect_ports(self, pipeline, reference, chain, first);
    const bool has_signals =
        instance->component->kind == COLLECTOR_RECEIVER && !instance->component->has_records;
    connect_source(self, pipeline, reference,
                   has_signals ? collector_text(self->translation, "%s[\"%s\"]", chain->last,
                                                collector_signal_names[pipeline->signal])
                               : chain->last,
                   first);
    return 0;
}

static int make_processors(const struct collector_pipelines *self, const struct pipeline *pipeline,
                           const char **ret_first, const char **ret_last)
{
    const struct config_value *list = pipeline->lists[COLLECTOR_PROCESSOR];
    *ret_first = *ret_last = NULL;
    for (size_t i = 0; list && i < config_size(list); i++) {
        const struct config_value *reference = config_item(list, i);
        const struct collector_instance *instance =
            find_instance(self, COLLECTOR_PROCESSOR, reference);
        struct collector_chain chain = {
            .id = collector_text(self->translation, "%s::%s", pipeline->id, config_text(reference)),
            .place = reference,
            .signal = pipeline->signal,
            .last = *ret_last,
        };
        const int r = instance->component->translate(self->translation, instance, &chain);
        if (r < 0)
            return r;
        *ret_last = chain.last;
        *ret_first = *ret_first ? *ret_first : chain.first;
    }
    return 0;
}

static int connect_pipeline(const struct collector_pipelines *self, const struct pipeline *pipeline)
{
    const char *first, *last;
    const struct config_value *sources = pipeline->lists[COLLECTOR_RECEIVER];
    int r = make_processors(self, pipeline, &first, &last);
    for (size_t i = 0; r == 0 && i < config_size(sources); i++)
        r = connect_receiver(self, pipeline, config_item(sources, i), first);
    if (r == 0 && last)
        connect_source(self, pipeline, pipeline->key, last, NULL);
    return r;
}

/* The pipelines that a connector leads to are receiving ones. */
static int check_ports(const struct collector_pipelines *self,
                       const struct collector_instance *instance,
                       const struct config_value *pipelines)
{
    for (size_t i = 0; i < config_size(pipelines); i++) {
        const struct config_value *name = config_item(pipelines, i);
        const struct config_value *pipeline = config_get(self->pipelines, config_text(name));
        const struct config_value *receivers = pipeline ? config_get(pipeline, "receivers") : NULL;
        if (receivers && has_item(receivers, config_text(instance->key)))
            continue;
        return collector_refuse(self->translation, instance, name,
                                pipeline ? "the pipeline '%.100s' does not have it as receiver"
                                         : "there is no pipeline '%.100s'",
                                config_text(name));
    }
    return 0;
}

static int check_routes(const struct collector_pipelines *self)
{
    const struct collector_components *connectors = &self->components[COLLECTOR_CONNECTOR];
    int r = 0;
    for (size_t i = 0; i < connectors->n_items; i++) {
        const struct config_value *ports = connectors->chains[i].ports;
        for (size_t j = 0; r == 0 && ports && j < config_size(ports); j++)
            r = check_ports(self, &connectors->items[i], config_value_at(ports, j));
    }
    return r;
}

int collector_pipelines_connect(const struct collector_pipelines *self)
{
    const struct collector_translation *translation = self->translation;
    struct pipeline pipeline;
    int r = translation->maker.is_short ? 0 : check_routes(self);
    for (size_t i = 0; r == 0 && i < config_size(self->pipelines); i++) {
        r = read_pipeline(self, i, &pipeline);
        if (translation->maker.is_short)
            return 0;
        if (r == 0)
            r = connect_pipeline(self, &pipeline);
        if (r == 0 && config_size(translation->connections) > CONNECTIONS_MAX)
            r = refuse(self, &pipeline, pipeline.key, "there are more than 16384 connections");
    }
    return r;
}
