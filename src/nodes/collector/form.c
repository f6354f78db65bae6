/* SPDX-License-Identifier: Apache-2.0
 *
 * First the components, each by itself, then the pipelines, which say who uses them; then the
 * components become nodes, and last the pipelines make the processors and connect everything. */
#include "nodes/collector/form.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/document.h"
#include "nodes/collector/catalogue.h"
#include "nodes/collector/pipelines.h"
#include "nodes/collector/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { COMPONENTS_MAX = 1000, PIPELINES_MAX = 256, ID_BYTES_MAX = 128, PARTS = 6 };

static const char *const parts[PARTS] = {"receivers",  "processors", "exporters",
                                         "connectors", "extensions", "service"};

struct form {
    const struct collector_form *options;
    struct collector_translation translation;
    struct collector_components components[COLLECTOR_KINDS];
    struct collector_pipelines pipelines;
    const struct config_value *extensions;
};

bool collector_form_is(const struct config_document *document)
{
    const struct config_value *root = config_root(document);
    return (config_get(root, "service") || config_get(root, "receivers") ||
            config_get(root, "exporters")) &&
           !config_get(root, "nodes") && !config_get(root, "connections");
}

static int short_of_memory(const struct form *self)
{
    return ftri_error_set(self->translation.error, -ENOMEM,
                          "turning the Collector's form into a graph: memory is short");
}

static int check_parts(const struct form *self)
{
    const struct config_value *root = self->translation.root;
    for (size_t i = 0; i < config_size(root); i++) {
        const struct config_value *key = config_key(root, i);
        size_t which = 0;
        while (which < PARTS && strcmp(config_text(key), parts[which]) != 0)
            which++;
        if (which < PARTS)
            continue;
        const char *near = ftri_text_nearest(config_text(key), parts, PARTS);
        return config_error(key, self->translation.error, -EINVAL,
                            "the Collector's form has no '%.100s'%s%s%s", config_text(key),
                            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return 0;
}

/* "type" or "type/name". */
static int read_component(struct form *self, enum collector_kind kind,
                          const struct config_value *key, struct collector_instance *instance)
{
    const char *id = config_text(key);
    const char *slash = strchr(id, '/');
    const ftr_str type = {id, slash ? (size_t)(slash - id) : strlen(id)};
    if (strlen(id) > ID_BYTES_MAX || strpbrk(id, "[]\"") || (slash && !slash[1]) || !type.len)
        return config_error(key, self->translation.error, -EINVAL,
                            "%s: '%.100s' is not a component's id: expected type or type/name, at "
                            "most %d bytes, without brackets and quotes",
                            collector_kind_names[kind], id, ID_BYTES_MAX);
    instance->key = key;
    instance->component = collector_component_find(kind, type);
    instance->path = collector_text(&self->translation, "%s::%s", collector_kind_names[kind], id);
    return instance->component ? 0
                               : collector_component_refuse(&self->translation, kind, key, type);
}

static int read_components(struct form *self, enum collector_kind kind)
{
    struct collector_components *const components = &self->components[kind];
    const struct config_value *section = config_get(self->translation.root, parts[kind]);
    if (!section || config_kind(section) == CONFIG_NULL)
        return 0;
    if (config_kind(section) != CONFIG_MAPPING)
        return config_error(section, self->translation.error, -EINVAL,
                            "%s: expected a mapping of ids to configurations", parts[kind]);
    if (config_size(section) > COMPONENTS_MAX)
        return config_error(section, self->translation.error, -EINVAL,
                            "%s: more than %d components", parts[kind], COMPONENTS_MAX);
    components->n_items = config_size(section);
    components->items = ftri_alloc_array(components->n_items + 1, sizeof *components->items);
    components->chains = ftri_alloc_array(components->n_items + 1, sizeof *components->chains);
    if (!components->items || !components->chains)
        return short_of_memory(self);
    memset(components->items, 0, components->n_items * sizeof *components->items);
    memset(components->chains, 0, components->n_items * sizeof *components->chains);
    for (size_t i = 0; i < components->n_items; i++) {
        components->items[i].value = config_value_at(section, i);
        const int r = read_component(self, kind, config_key(section, i), &components->items[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int use_extension(struct form *self, const struct config_value *reference)
{
    struct collector_instance *extension =
        collector_instance_find(&self->components[COLLECTOR_EXTENSION], config_text(reference));
    if (!extension)
        return config_error(reference, self->translation.error, -EINVAL,
                            "service::extensions: '%.100s' is not below 'extensions' of this file",
                            config_text(reference));
    if (extension->n_uses++)
        return config_error(reference, self->translation.error, -EINVAL,
                            "service::extensions: '%.100s' is there twice", config_text(reference));
    return 0;
}

static int read_service(struct form *self)
{
    struct collector_translation *const translation = &self->translation;
    if (!config_get(translation->root, "service"))
        return config_error(translation->root, translation->error, -EINVAL,
                            "'service' is required: nothing says which pipelines run");
    int r = collector_service_read(translation, &self->pipelines.pipelines, &self->extensions);
    if (r == 0 && config_size(self->pipelines.pipelines) > PIPELINES_MAX)
        r = config_error(self->pipelines.pipelines, translation->error, -EINVAL,
                         "service::pipelines: more than %d pipelines", PIPELINES_MAX);
    for (size_t i = 0; r == 0 && self->extensions && i < config_size(self->extensions); i++)
        r = use_extension(self, config_item(self->extensions, i));
    return r;
}

static void warn_of_unused(const struct form *self, const struct collector_components *components)
{
    struct ftri_error warning;
    for (size_t i = 0; self->options->warn && i < components->n_items; i++) {
        const struct collector_instance *instance = &components->items[i];
        if (instance->n_uses)
            continue;
        (void)config_error(instance->key, &warning, 0, "%s is %s", instance->path,
                           instance->component->kind == COLLECTOR_EXTENSION
                               ? "not in service::extensions"
                               : "in no pipeline");
        self->options->warn(self->options->argument, warning.text);
    }
}

/* Checks it, and makes nothing of it. */
static int translate_unused(const struct form *self, const struct collector_instance *instance)
{
    struct collector_translation scratch = self->translation;
    struct collector_chain chain = {.id = instance->path, .place = instance->key};
    scratch.nodes = config_make_mapping(&scratch.maker, instance->key);
    scratch.connections = config_make_list(&scratch.maker, instance->key);
    if (scratch.maker.is_short)
        return short_of_memory(self);
    const int r = instance->component->translate(&scratch, instance, &chain);
    return scratch.maker.is_short ? short_of_memory(self) : r;
}

static int translate_components(struct form *self, enum collector_kind kind)
{
    struct collector_components *const components = &self->components[kind];
    int r = 0;
    for (size_t i = 0; r == 0 && i < components->n_items; i++) {
        const struct collector_instance *instance = &components->items[i];
        struct collector_chain *chain = &components->chains[i];
        *chain = (struct collector_chain){.id = instance->path, .place = instance->key};
        if (instance->n_uses == 0)
            r = translate_unused(self, instance);
        else if (kind != COLLECTOR_PROCESSOR)
            r = instance->component->translate(&self->translation, instance, chain);
    }
    return r;
}

static int read_all(struct form *self)
{
    int r = check_parts(self);
    for (size_t kind = 0; r == 0 && kind < COLLECTOR_KINDS; kind++)
        r = read_components(self, (enum collector_kind)kind);
    if (r == 0)
        r = read_service(self);
    if (r == 0)
        r = collector_pipelines_check(&self->pipelines);
    for (size_t kind = 0; r == 0 && kind < COLLECTOR_KINDS; kind++)
        r = translate_components(self, (enum collector_kind)kind);
    return r == 0 ? collector_pipelines_connect(&self->pipelines) : r;
}

static void deinit(struct form *self)
{
    for (size_t kind = 0; kind < COLLECTOR_KINDS; kind++) {
        ftri_free(self->components[kind].items);
        ftri_free(self->components[kind].chains);
    }
}

int collector_form_read(const struct collector_form *options, const struct config_value **ret_root,
                        struct ftri_error *error)
{
    const struct config_value *root = config_root(options->document);
    struct form self = {
        .options = options,
        .translation = {.maker = {.document = options->document}, .root = root, .error = error},
    };
    struct config_maker *const maker = &self.translation.maker;
    struct config_value *made = config_make_mapping(maker, root);
    self.translation.nodes = config_make_mapping(maker, root);
    self.translation.connections = config_make_list(maker, root);
    self.pipelines.translation = &self.translation;
    self.pipelines.components = self.components;
    int r = maker->is_short ? short_of_memory(&self) : read_all(&self);
    config_make_pair(maker, made, root, "nodes", self.translation.nodes);
    config_make_pair(maker, made, root, "connections", self.translation.connections);
    if (maker->is_short) /* whatever was said of values that are missing */
        r = short_of_memory(&self);
    for (size_t kind = 0; r == 0 && kind < COLLECTOR_KINDS; kind++)
        warn_of_unused(&self, &self.components[kind]);
    deinit(&self);
    if (r == 0)
        *ret_root = made;
    return r;
}
