/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's connectors: forward (opentelemetry-collector, connector/forwardconnector) and, as
 * far as one attribute of the resource decides, routing (-contrib, connector/routingconnector). */
#include "nodes/collector/component.h"

#include "base/error.h"
#include "config/document.h"
#include "nodes/collector/condition.h"

#include <stdio.h>
#include <string.h>

static const struct collector_section no_options = {.path = ""};
static const struct collector_section *const forward_sections[] = {&no_options, NULL};

static int translate_forward(struct collector_translation *translation,
                             const struct collector_instance *instance,
                             struct collector_chain *chain)
{
    const int r = collector_section_read(translation, &no_options, instance, instance->value, NULL);
    if (r == 0)
        collector_append(translation, chain, "", "processor/forward", NULL);
    return r;
}

const struct collector_component collector_forward = {
    .types = {"forward"},
    .kind = COLLECTOR_CONNECTOR,
    .sentence = "processor/forward",
    .sections = forward_sections,
    .translate = translate_forward,
};

static const char *const error_modes[] = {"propagate", "ignore", "silent", NULL};
static const char *const entry_contexts[] = {"resource", NULL};

struct routing_form {
    const struct config_value *table;
    struct option_list default_pipelines;
    bool is_matched_once;
    union collector_unused unused;
};

#define AT(member) offsetof(struct routing_form, member)
static const struct option routing_rows[] = {
    {"table", OPTION_LIST, AT(table), .is_required = true,
     .sentence =
         "List of {context, condition or statement, pipelines}; the first that fits holds."},
    {"default_pipelines", OPTION_STR_LIST, AT(default_pipelines),
     .sentence = "Where the rest goes; without it the rest is dropped."},
    {"match_once", OPTION_BOOL, AT(is_matched_once), "true", .sentence = "Only true."},
    {.name = "error_mode",
     .type = OPTION_CHOICE,
     .offset = AT(unused),
     .choices = error_modes,
     .sentence = "No effect: a condition that was read cannot fail."},
};
#undef AT

struct entry_form {
    const char *condition, *statement;
    struct option_list pipelines;
    union collector_unused unused;
};

#define AT(member) offsetof(struct entry_form, member)
static const struct option entry_rows[] = {
    {.name = "context",
     .type = OPTION_CHOICE,
     .offset = AT(unused),
     .fallback = "resource",
     .choices = entry_contexts,
     .sentence = "What the condition is about."},
    {"condition", OPTION_STR, AT(condition), "",
     .sentence = "attributes[\"key\"] == value, several joined by or; one key in all entries."},
    {"statement", OPTION_STR, AT(statement), "", .sentence = "route() where condition."},
    {"pipelines", OPTION_STR_LIST, AT(pipelines), .is_required = true,
     .sentence = "Where it goes."},
};
#undef AT

static const struct collector_refusal entry_refusals[] = {
    {"action", "what fits is moved"},
    {NULL, NULL},
};
static const struct collector_section routing_section = {
    "", {routing_rows, FTRI_COUNT(routing_rows), sizeof(struct routing_form)}, NULL};
static const struct collector_section entry_section = {
    "table", {entry_rows, FTRI_COUNT(entry_rows), sizeof(struct entry_form)}, entry_refusals};
static const struct collector_section *const routing_sections[] = {&routing_section, &entry_section,
                                                                   NULL};

struct routing {
    struct collector_translation *translation;
    const struct collector_instance *instance;
    struct config_value *routes; /* port: values */
    struct config_value *ports;  /* port: pipelines */
    char key[CONDITION_TEXT_BYTES];
};

/* "traces/a, traces/b": a port is called by what it leads to. */
static const char *port_name(const struct routing *self, const struct config_value *pipelines)
{
    char text[CONDITION_TEXT_BYTES] = "";
    size_t n = 0;
    for (size_t i = 0; i < config_size(pipelines) && n < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
                              config_text(config_item(pipelines, i)));
    return n < sizeof text - 16 ? collector_text(self->translation, "%s", text) : NULL;
}

static int refuse_names(const struct routing *self, const struct config_value *place)
{
    return collector_refuse(self->translation, self->instance, place,
                            "the names of the pipelines are longer than 240 bytes together");
}

static bool is_routed(const struct routing *self, const char *value)
{
    for (size_t i = 0; i < config_size(self->routes); i++) {
        const struct config_value *values = config_value_at(self->routes, i);
        for (size_t j = 0; j < config_size(values); j++)
            if (strcmp(config_text(config_item(values, j)), value) == 0)
                return true;
    }
    return false;
}

/* The list of a port's values, a new one if need be. */
static struct config_value *values_of(struct routing *self, const struct config_value *pipelines,
                                      const char *port)
{
    struct config_maker *const maker = &self->translation->maker;
    const struct config_value *found = config_get(self->routes, port);
    if (found)
        return (struct config_value *)(uintptr_t)found;
    struct config_value *values = config_make_list(maker, pipelines);
    config_make_pair(maker, self->routes, pipelines, port, values);
    config_make_pair(maker, self->ports, pipelines, port, pipelines);
    return values;
}

static int add_comparison(struct routing *self, const struct config_value *place,
                          const struct collector_comparison *comparison,
                          struct config_value *values)
{
    struct config_maker *const maker = &self->translation->maker;
    if (comparison->is_negated || comparison->is_pattern)
        return collector_refuse(self->translation, self->instance, place,
                                "table: only attributes[\"key\"] == value is supported");
    if (!comparison->text[0])
        return collector_refuse(self->translation, self->instance, place,
                                "table: comparing with an empty text is not supported; "
                                "default_pipelines takes what no entry does");
    if (self->key[0] && strcmp(self->key, comparison->key) != 0)
        return collector_refuse(self->translation, self->instance, place,
                                "table: one attribute decides for the whole table: '%.60s', not "
                                "'%.60s' here",
                                self->key, comparison->key);
    snprintf(self->key, sizeof self->key, "%s", comparison->key);
    if (!is_routed(self, comparison->text)) /* else an entry above takes it */
        config_make_item(maker, values, config_make_text(maker, place, "%s", comparison->text));
    return 0;
}

static int add_condition(struct routing *self, const struct config_value *place, const char *text,
                         struct config_value *values)
{
    struct collector_condition condition = {.next = text, .context = "resource"};
    struct collector_comparison comparison;
    struct ftri_error reason;
    int r, added = 0;
    while (added == 0 && (r = collector_condition_next(&condition, &comparison, &reason)) != 0) {
        if (r < 0)
            return collector_refuse(self->translation, self->instance, place, "table: %s",
                                    reason.text);
        added = add_comparison(self, place, &comparison, values);
    }
    return added;
}

/* The condition of an entry, however it is written; NULL: there is none, or a statement that is not
 * supported. */
static const char *condition_of(const struct entry_form *form)
{
    static const char route[] = "route() where ";
    if (form->condition[0])
        return form->statement[0] ? NULL : form->condition;
    return strncmp(form->statement, route, sizeof route - 1) == 0
               ? form->statement + sizeof route - 1
               : NULL;
}

static int add_entry(struct routing *self, const struct config_value *entry)
{
    struct entry_form form = {0};
    const int r =
        collector_section_read(self->translation, &entry_section, self->instance, entry, &form);
    if (r < 0)
        return r;
    const struct config_value *pipelines = config_get(entry, "pipelines");
    const char *condition = condition_of(&form);
    const char *port = port_name(self, pipelines);
    if (!condition || !condition[strspn(condition, " ")])
        return collector_refuse(self->translation, self->instance, entry,
                                "table: expected either 'condition' or 'statement', which begins "
                                "with \"route() where \"");
    if (!port)
        return refuse_names(self, pipelines);
    const struct config_value *place =
        collector_place(self->instance, entry, form.condition[0] ? "condition" : "statement");
    struct config_value *values = values_of(self, pipelines, port);
    const int added = add_condition(self, place, condition, values);
    if (added < 0 || self->translation->maker.is_short || config_size(values))
        return added;
    return collector_refuse(self->translation, self->instance, place,
                            "table: entries above take all that this one would; remove it");
}

static int set_default(struct routing *self, struct config_value *config)
{
    struct collector_translation *const translation = self->translation;
    const struct config_value *pipelines = config_get(self->instance->value, "default_pipelines");
    if (!pipelines || config_size(pipelines) == 0)
        return 0;
    const char *port = port_name(self, pipelines);
    if (!port)
        return refuse_names(self, pipelines);
    if (config_get(self->routes, port))
        port = collector_text(translation, "%s (default)", port);
    collector_set_text(translation, config, pipelines, "otherwise", port);
    config_make_pair(&translation->maker, self->ports, pipelines, port, pipelines);
    return 0;
}

static int translate_routing(struct collector_translation *translation,
                             const struct collector_instance *instance,
                             struct collector_chain *chain)
{
    struct config_maker *const maker = &translation->maker;
    struct routing_form form = {0};
    int r = collector_section_read(translation, &routing_section, instance, instance->value, &form);
    if (r < 0)
        return r;
    if (!form.is_matched_once)
        return collector_refuse(translation, instance, config_get(instance->value, "match_once"),
                                "match_once: only true is supported");
    struct routing routing = {.translation = translation,
                              .instance = instance,
                              .routes = config_make_mapping(maker, form.table),
                              .ports = config_make_mapping(maker, form.table)};
    struct config_value *config = collector_config(translation, instance);
    if (maker->is_short)
        return 0;
    for (size_t i = 0; r == 0 && i < config_size(form.table); i++)
        r = add_entry(&routing, config_item(form.table, i));
    if (r == 0)
        r = set_default(&routing, config);
    if (r < 0)
        return r;
    collector_set_text(translation, config, form.table, "attribute", routing.key);
    config_make_pair(maker, config, form.table, "routes", routing.routes);
    collector_append(translation, chain, "", "processor/route", config);
    chain->ports = routing.ports;
    return 0;
}

const struct collector_component collector_routing = {
    .types = {"routing"},
    .kind = COLLECTOR_CONNECTOR,
    .sentence = "processor/route by an attribute of the resource",
    .sections = routing_sections,
    .translate = translate_routing,
};
