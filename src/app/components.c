/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace components: what graphs are made of. */
#include "app/commands.h"
#include "base/text.h"
#include "config/options.h"
#include "config/quantity.h"
#include "engine/node.h"
#include "nodes/collector/catalogue.h"
#include "nodes/collector/service.h"
#include "nodes/registry.h"

#include <stdio.h>
#include <string.h>

struct components_options {
    bool is_collector;
};

static const struct argument component_rows[] = {
    {"collector", NULL, offsetof(struct components_options, is_collector),
     "The OpenTelemetry Collector's components that files in its form may have; TYPE: such as "
     "otlp."},
};

static void format_bound(const struct option *row, uint64_t bound, char text[QUANTITY_TEXT_BYTES])
{
    if (row->type == OPTION_BYTES)
        quantity_format_bytes(bound, text);
    else if (row->type == OPTION_DURATION)
        quantity_format_duration(bound, text);
    else
        snprintf(text, QUANTITY_TEXT_BYTES, "%llu", (unsigned long long)bound);
}

static void print_range(const struct option *row)
{
    char min[QUANTITY_TEXT_BYTES], max[QUANTITY_TEXT_BYTES];
    if (row->max == 0)
        return;
    format_bound(row, row->min, min);
    format_bound(row, row->max, max);
    printf(" %s to %s.", min, max);
}

static void print_option(const struct option *row)
{
    printf("  %-25s %s", row->name, row->sentence);
    if (row->is_required)
        printf(" Required.");
    else if (row->fallback && row->fallback[0])
        printf(" Default %s.", row->fallback);
    print_range(row);
    for (size_t i = 0; row->choices && row->choices[i]; i++)
        printf("%s%s", i ? ", " : " One of: ", row->choices[i]);
    printf("\n");
}

static void print_ports(const struct node_class *class)
{
    static const char *const only_out[] = {"out", NULL};
    if (class->kind == FTR_NODE_EXPORTER || (class->ports && !class->ports[0]))
        return;
    printf("output ports:");
    if (class->configured_ports)
        printf(" as configured");
    const char *const *ports = class->configured_ports ? NULL
                               : class->ports          ? class->ports
                                                       : only_out;
    for (; ports && *ports; ports++)
        printf(" %s", *ports);
    printf("\n\n");
}

static void print_loops(const struct node_class *class)
{
    if (class->configured_state)
        printf("several loops: as configured\n\n");
    else if (class->state == STATE_OF_TRACE)
        printf("several loops: each has its traces\n\n");
    else if (class->state == STATE_OF_GRAPH)
        printf("several loops: on the first\n\n");
}

static int print_component(const char *type)
{
    const char *types[64];
    size_t n = 0;
    for (const struct node_class *const *i = nodes_registry; *i && n < FTRI_COUNT(types); i++) {
        types[n++] = (*i)->type;
        if (strcmp((*i)->type, type) != 0)
            continue;
        printf("%s\n  %s\n\n", (*i)->type, (*i)->sentence);
        print_ports(*i);
        print_loops(*i);
        printf((*i)->options.n_rows ? "options:\n" : "no options\n");
        for (size_t row = 0; row < (*i)->options.n_rows; row++)
            print_option(&(*i)->options.rows[row]);
        return 0;
    }
    const char *nearest = ftri_text_nearest(type, types, n);
    if (nearest)
        return fail(2, "unknown node type '%s'; did you mean '%s'?", type, nearest);
    return fail(2, "unknown node type '%s'; 'flowtrace components' lists them", type);
}

/* The names of a component's kind and types, as in a file. */
static void print_names(const struct collector_component *component)
{
    for (const char *const *type = component->types; *type; type++)
        printf("%s%s::%s", type == component->types ? "" : ", ",
               collector_kind_names[component->kind], *type);
    printf("\n  %s\n\n", component->sentence);
}

static void print_section(const struct collector_section *section)
{
    const char *separator = section->path[0] ? "::" : "";
    for (size_t i = 0; i < section->options.n_rows; i++) {
        struct option row = section->options.rows[i];
        char name[96];
        snprintf(name, sizeof name, "%s%s%s", section->path, separator, row.name);
        row.name = name;
        print_option(&row);
    }
    for (const struct collector_refusal *i = section->refusals; i && i->name; i++)
        printf("  %s%s%s: not supported: %s.\n", section->path, separator, i->name, i->why);
}

static void print_sections(const struct collector_section *const *sections)
{
    for (; *sections; sections++)
        print_section(*sections);
}

/* type NULL: all of them. */
static int print_collector(const char *type)
{
    const bool has_service = !type || strcmp(type, "service") == 0;
    bool has_any = has_service;
    for (const struct collector_component *const *i = collector_components; *i; i++) {
        if (type && !collector_component_is(*i, ftr_str_from(type)))
            continue;
        has_any = true;
        print_names(*i);
        print_sections((*i)->sections);
        printf("\n");
    }
    if (has_service) {
        printf("service\n  What runs.\n\n");
        print_sections(collector_service_sections);
    }
    return has_any
               ? 0
               : fail(2, "unknown component '%s'; 'flowtrace components --collector' lists them",
                      type);
}

static int components(const void *values, const char *const *operands, size_t n_operands)
{
    const struct components_options *options = values;
    if (options->is_collector)
        return print_collector(n_operands ? operands[0] : NULL);
    if (n_operands)
        return print_component(operands[0]);
    for (const struct node_class *const *i = nodes_registry; *i; i++)
        printf("%-20s %s\n", (*i)->type, (*i)->sentence);
    return 0;
}

const struct command command_components = {
    .name = "components",
    .operands = "[TYPE]",
    .sentence = "List the node types, or one type's options.",
    .rows = component_rows,
    .n_rows = FTRI_COUNT(component_rows),
    .options_size = sizeof(struct components_options),
    .n_operands_max = 1,
    .run = components,
};
