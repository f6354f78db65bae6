/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/collector/component.h"

#include "base/error.h"
#include "config/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 512 };

const char *const collector_signal_names[] = {"traces", "metrics", "logs", NULL};
const char *const collector_kind_names[] = {"receivers",  "processors", "exporters",
                                            "connectors", "extensions", NULL};

const struct config_value *collector_place(const struct collector_instance *instance,
                                           const struct config_value *section, const char *name)
{
    const struct config_value *value = section ? config_get(section, name) : NULL;
    return value ? value : section ? section : instance->key;
}

int collector_refuse(const struct collector_translation *translation,
                     const struct collector_instance *instance, const struct config_value *place,
                     const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return config_error(place ? place : instance->key, translation->error, -EINVAL, "%s: %s",
                        instance->path, text);
}

static const char *path_of(const struct collector_section *section,
                           const struct collector_instance *instance, char ret_text[TEXT_BYTES])
{
    snprintf(ret_text, TEXT_BYTES, "%s%s%s", instance->path, section->path[0] ? "::" : "",
             section->path);
    return ret_text;
}

static int refuse_what_we_have_not(const struct collector_translation *translation,
                                   const struct collector_section *section, const char *path,
                                   const struct config_value *value)
{
    for (const struct collector_refusal *i = section->refusals; i && i->name; i++) {
        for (size_t j = 0; j < config_size(value); j++) {
            const struct config_value *key = config_key(value, j);
            if (key && strcmp(config_text(key), i->name) == 0)
                return config_error(key, translation->error, -EINVAL,
                                    "%s: '%s' is not supported: %s", path, i->name, i->why);
        }
    }
    return 0;
}

int collector_section_read(const struct collector_translation *translation,
                           const struct collector_section *section,
                           const struct collector_instance *instance,
                           const struct config_value *value, void *ret_values)
{
    char path[TEXT_BYTES];
    path_of(section, instance, path);
    int r = value ? refuse_what_we_have_not(translation, section, path, value) : 0;
    if (r < 0)
        return r;
    struct ftri_error reason = {{0}};
    r = options_read(&section->options, value, path, ret_values, &reason);
    if (r == 0)
        return 0;
    if (config_error_has_place(instance->key, &reason))
        return ftri_error_set(translation->error, r, "%s", reason.text);
    return config_error(instance->key, translation->error, r, "%s", reason.text);
}

const char *collector_text(struct collector_translation *translation, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const struct config_value *value =
        config_make_text(&translation->maker, translation->root, "%s", text);
    return value ? config_text(value) : "";
}

struct config_value *collector_config(struct collector_translation *translation,
                                      const struct collector_instance *instance)
{
    return config_make_mapping(&translation->maker, instance->key);
}

void collector_set_text(struct collector_translation *translation, struct config_value *config,
                        const struct config_value *place, const char *name, const char *text)
{
    config_make_pair(&translation->maker, config, place, name,
                     config_make_text(&translation->maker, place, "%s", text));
}

void collector_set_number(struct collector_translation *translation, struct config_value *config,
                          const struct config_value *place, const char *name, uint64_t value,
                          const char *unit)
{
    config_make_pair(
        &translation->maker, config, place, name,
        config_make_text(&translation->maker, place, "%llu%s", (unsigned long long)value, unit));
}

void collector_connect(struct collector_translation *translation, const struct config_value *place,
                       const char *from, const char *to)
{
    struct config_maker *const maker = &translation->maker;
    struct config_value *connection = config_make_mapping(maker, place);
    config_make_pair(maker, connection, place, "from", config_make_text(maker, place, "%s", from));
    config_make_pair(maker, connection, place, "to", config_make_text(maker, place, "%s", to));
    config_make_item(maker, translation->connections, connection);
}

void collector_append(struct collector_translation *translation, struct collector_chain *chain,
                      const char *suffix, const char *type, const struct config_value *config)
{
    struct config_maker *const maker = &translation->maker;
    const char *id = collector_text(translation, "%s%s", chain->id, suffix);
    struct config_value *node = config_make_mapping(maker, chain->place);
    config_make_pair(maker, node, chain->place, "type",
                     config_make_text(maker, chain->place, "%s", type));
    if (config)
        config_make_pair(maker, node, chain->place, "config", config);
    config_make_pair(maker, translation->nodes, chain->place, id, node);
    if (chain->last)
        collector_connect(translation, chain->place, chain->last, id);
    else
        chain->first = id;
    chain->last = id;
    chain->n_nodes++;
}
