/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's components that we have: their options, in tables as those of nodes, and what
 * nodes they become. */
#pragma once

#include "config/make.h"
#include "config/options.h"

struct collector_chain;
struct collector_component;

enum collector_signal { COLLECTOR_TRACES, COLLECTOR_METRICS, COLLECTOR_LOGS, COLLECTOR_SIGNALS };
extern const char *const collector_signal_names[]; /* NULL-terminated */

enum collector_kind {
    COLLECTOR_RECEIVER,
    COLLECTOR_PROCESSOR,
    COLLECTOR_EXPORTER,
    COLLECTOR_CONNECTOR,
    COLLECTOR_EXTENSION,
    COLLECTOR_KINDS
};
extern const char *const collector_kind_names[]; /* "receivers", ... */

/* An option of the Collector's that we do not have. */
struct collector_refusal {
    const char *name; /* NULL ends the list */
    const char *why;
};

/* One mapping of a component's configuration. */
struct collector_section {
    const char *path; /* below the component, such as "protocols::grpc"; "": itself */
    struct option_table options;
    const struct collector_refusal *refusals; /* may be NULL */
};

/* A component as the document has it. */
struct collector_instance {
    const struct collector_component *component;
    const struct config_value *key, *value;
    const char *path; /* "exporters::otlp/2" */
    bool has_signal[COLLECTOR_SIGNALS];
    size_t n_uses;
    bool is_source, is_target; /* of a connector: receiver, exporter of a pipeline */
};

/* What turns a document into nodes and connections. */
struct collector_translation {
    struct config_maker maker;
    struct config_value *nodes, *connections;
    const struct config_value *root;
    struct ftri_error *error;
};

struct collector_component {
    const char *types[3]; /* the Collector's name, and others that it had; NULL-terminated */
    enum collector_kind kind;
    const char *sentence;
    const struct collector_section *const *sections; /* NULL-terminated; the component's first */
    bool has_records; /* makes records, which are no telemetry (receivers), or takes them, too */
    /* Appends the nodes that it becomes to the chain. */
    int (*translate)(struct collector_translation *translation,
                     const struct collector_instance *instance, struct collector_chain *chain);
};

/* A row of nodes that stand for one component. */
struct collector_chain {
    const char *id;                   /* of the last that is appended, and base of the others' */
    const struct config_value *place; /* what the nodes are said to stand at */
    enum collector_signal signal;     /* of a processor's pipeline */
    const char *first, *last;         /* NULL: empty */
    size_t n_nodes;
    const struct config_value *ports; /* of a connector: name: list of pipelines; NULL: one */
};

/* Reads a section of a component: of the component itself (value) or below it. The options that we
 * do not have, unknown ones, wrong types and ranges: -EINVAL with the place and the path. */
int collector_section_read(const struct collector_translation *translation,
                           const struct collector_section *section,
                           const struct collector_instance *instance,
                           const struct config_value *value, void *ret_values) FTRI_MUST_CHECK;
/* "file:line:col: receivers::otlp: " and the text; -EINVAL. place NULL: the instance's. */
int collector_refuse(const struct collector_translation *translation,
                     const struct collector_instance *instance, const struct config_value *place,
                     const char *format, ...) FTRI_PRINTF(4, 5);

/* A node's configuration, to be filled. */
struct config_value *collector_config(struct collector_translation *translation,
                                      const struct collector_instance *instance);
/* Add an option of the node's at the place of what it was made of. unit: of the number, such as
 * "ns", or "". */
void collector_set_text(struct collector_translation *translation, struct config_value *config,
                        const struct config_value *place, const char *name, const char *text);
void collector_set_number(struct collector_translation *translation, struct config_value *config,
                          const struct config_value *place, const char *name, uint64_t value,
                          const char *unit);
/* Appends a node and connects it with the one before. suffix: what is added to the chain's id, or
 * "". */
void collector_append(struct collector_translation *translation, struct collector_chain *chain,
                      const char *suffix, const char *type, const struct config_value *config);
void collector_connect(struct collector_translation *translation, const struct config_value *place,
                       const char *from, const char *to);
/* Formatted text that lives as long as the document; NULL when memory was short. */
const char *collector_text(struct collector_translation *translation, const char *format, ...)
    FTRI_PRINTF(2, 3);
/* The value of an option if it is given, else of the whole, else the instance's key. */
const struct config_value *collector_place(const struct collector_instance *instance,
                                           const struct config_value *section, const char *name);

/* Where the value of an option goes that is checked, and needs nothing here. */
union collector_unused {
    uint64_t number;
    double real;
    bool flag;
    int choice;
    const char *text;
    struct option_list list;
    const struct config_value *tree;
};

#define COLLECTOR_UNUSED(option_name, option_type, place, why)                                     \
    {                                                                                              \
        .name = option_name, .type = option_type, .offset = place,                                 \
        .sentence = "No effect: " why "."                                                          \
    }

extern const struct collector_component collector_otlp_receiver, collector_filelog_receiver;
extern const struct collector_component collector_attributes, collector_batch, collector_filter,
    collector_memory_limiter, collector_resource;
extern const struct collector_component collector_debug, collector_file, collector_nop,
    collector_otlp_grpc, collector_otlp_http;
extern const struct collector_component collector_forward, collector_routing;
extern const struct collector_component collector_health_check;
