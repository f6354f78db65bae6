/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's filter processor (opentelemetry-collector-contrib, processor/filterprocessor):
 * what one of its conditions holds for is dropped. Each comparison becomes a node. */
#include "nodes/collector/component.h"

#include "base/error.h"
#include "config/document.h"
#include "nodes/collector/condition.h"

#include <stdio.h>
#include <string.h>

static const char *const error_modes[] = {"propagate", "ignore", "silent", NULL};

struct filter_form {
    const struct config_value *signals[COLLECTOR_SIGNALS];
    union collector_unused unused;
};

#define AT(signal) offsetof(struct filter_form, signals[signal])
static const struct option filter_rows[] = {
    {"traces", OPTION_MAP, AT(COLLECTOR_TRACES), .sentence = "Conditions for traces."},
    {"metrics", OPTION_MAP, AT(COLLECTOR_METRICS), .sentence = "Conditions for metrics."},
    {"logs", OPTION_MAP, AT(COLLECTOR_LOGS), .sentence = "Conditions for logs."},
    {.name = "error_mode",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct filter_form, unused),
     .choices = error_modes,
     .sentence = "No effect: a condition that was read cannot fail."},
};
#undef AT

/* Up to two contexts a signal. */
struct conditions_form {
    const struct config_value *lists[2];
};

#define AT(i) offsetof(struct conditions_form, lists[i])
static const struct option traces_rows[] = {
    {"span", OPTION_LIST, AT(0), .sentence = "Conditions for spans."},
};
static const struct option metrics_rows[] = {
    {"metric", OPTION_LIST, AT(0), .sentence = "Conditions for metrics."},
    {"datapoint", OPTION_LIST, AT(1), .sentence = "Conditions for data points."},
};
static const struct option logs_rows[] = {
    {"log_record", OPTION_LIST, AT(0), .sentence = "Conditions for log records."},
};
#undef AT

static const char use_conditions[] = "write it as conditions";
static const struct collector_refusal filter_refusals[] = {
    {"spans", use_conditions},
    {"profiles", "there are traces, metrics and logs"},
    {"trace_conditions", "write them below traces, metrics or logs"},
    {"metric_conditions", "write them below traces, metrics or logs"},
    {"log_conditions", "write them below traces, metrics or logs"},
    {NULL, NULL},
};
static const struct collector_refusal traces_refusals[] = {
    {"spanevent", "events stay with their span"},
    {NULL, NULL},
};
static const struct collector_refusal include_refusals[] = {
    {"include", use_conditions},
    {"exclude", use_conditions},
    {NULL, NULL},
};

static const struct collector_section filter_section = {
    "", {filter_rows, FTRI_COUNT(filter_rows), sizeof(struct filter_form)}, filter_refusals};
static const struct collector_section sections[COLLECTOR_SIGNALS] = {
    {"traces",
     {traces_rows, FTRI_COUNT(traces_rows), sizeof(struct conditions_form)},
     traces_refusals},
    {"metrics",
     {metrics_rows, FTRI_COUNT(metrics_rows), sizeof(struct conditions_form)},
     include_refusals},
    {"logs", {logs_rows, FTRI_COUNT(logs_rows), sizeof(struct conditions_form)}, include_refusals},
};
static const struct collector_section *const filter_sections[] = {
    &filter_section, &sections[COLLECTOR_TRACES], &sections[COLLECTOR_METRICS],
    &sections[COLLECTOR_LOGS], NULL};

static const char *const contexts[COLLECTOR_SIGNALS][2] = {
    {"span", NULL}, {"metric", "datapoint"}, {"log", NULL}};

/* A pattern that this text alone matches. */
static void write_exact(const char *text, char *pattern)
{
    *pattern++ = '^';
    for (; *text; text++) {
        if (strchr(".[()*+?{|^$\\", *text))
            *pattern++ = '\\';
        *pattern++ = *text;
    }
    *pattern++ = '$';
    *pattern = '\0';
}

static void set_attribute(struct collector_translation *translation, struct config_value *config,
                          const struct config_value *place,
                          const struct collector_comparison *comparison)
{
    struct config_maker *const maker = &translation->maker;
    collector_set_text(translation, config, place, "attribute", comparison->key);
    collector_set_text(translation, config, place, "at",
                       comparison->subject == SUBJECT_ATTRIBUTE ? "item" : "resource");
    collector_set_text(translation, config, place, "required", "true");
    if (comparison->is_pattern) {
        collector_set_text(translation, config, place, "matches", comparison->text);
        return;
    }
    struct config_value *values = config_make_list(maker, place);
    config_make_item(maker, values, config_make_text(maker, place, "%s", comparison->text));
    config_make_pair(maker, config, place, "values", values);
}

static void append_filter(struct collector_translation *translation,
                          const struct config_value *place,
                          const struct collector_comparison *comparison,
                          struct collector_chain *chain)
{
    char pattern[2 * CONDITION_TEXT_BYTES + 3];
    struct config_value *config = config_make_mapping(&translation->maker, place);
    const bool drops_others = comparison->is_negated || comparison->subject == SUBJECT_SEVERITY;
    switch (comparison->subject) {
    case SUBJECT_ATTRIBUTE:
    case SUBJECT_RESOURCE_ATTRIBUTE:
        set_attribute(translation, config, place, comparison);
        break;
    case SUBJECT_NAME:
        write_exact(comparison->text, pattern);
        collector_set_text(translation, config, place, "name",
                           comparison->is_pattern ? comparison->text : pattern);
        break;
    case SUBJECT_STATUS:
        collector_set_text(translation, config, place, "status", comparison->text);
        break;
    case SUBJECT_SEVERITY:
        collector_set_text(translation, config, place, "min_severity", comparison->text);
        break;
    }
    collector_set_text(translation, config, place, "drop", drops_others ? "others" : "matching");
    collector_append(translation, chain,
                     chain->n_nodes ? collector_text(translation, "::%zu", chain->n_nodes + 1) : "",
                     "processor/filter", config);
}

static int translate_condition(struct collector_translation *translation,
                               const struct collector_instance *instance,
                               const struct config_value *text, const char *context,
                               struct collector_chain *chain)
{
    struct collector_condition condition = {.next = config_text(text), .context = context};
    struct collector_comparison comparison;
    struct ftri_error reason;
    if (config_kind(text) != CONFIG_SCALAR || !condition.next[strspn(condition.next, " ")])
        return collector_refuse(translation, instance, text, "expected a condition, a text");
    int r;
    while ((r = collector_condition_next(&condition, &comparison, &reason)) > 0)
        if (chain)
            append_filter(translation, text, &comparison, chain);
    return r < 0 ? collector_refuse(translation, instance, text, "%s", reason.text) : 0;
}

/* chain NULL: only checks. */
static int translate_signal(struct collector_translation *translation,
                            const struct collector_instance *instance, enum collector_signal signal,
                            const struct config_value *section, struct collector_chain *chain)
{
    struct conditions_form form = {0};
    int r = collector_section_read(translation, &sections[signal], instance, section, &form);
    for (size_t i = 0; i < FTRI_COUNT(form.lists); i++)
        for (size_t j = 0; r == 0 && form.lists[i] && j < config_size(form.lists[i]); j++)
            r = translate_condition(translation, instance, config_item(form.lists[i], j),
                                    contexts[signal][i], chain);
    return r;
}

static int translate_filter(struct collector_translation *translation,
                            const struct collector_instance *instance,
                            struct collector_chain *chain)
{
    struct filter_form form = {0};
    int r = collector_section_read(translation, &filter_section, instance, instance->value, &form);
    for (size_t i = 0; r == 0 && i < COLLECTOR_SIGNALS; i++)
        if (form.signals[i])
            r = translate_signal(translation, instance, (enum collector_signal)i, form.signals[i],
                                 i == chain->signal ? chain : NULL);
    return r;
}

const struct collector_component collector_filter = {
    .types = {"filter"},
    .kind = COLLECTOR_PROCESSOR,
    .sentence = "processor/filter, one for each comparison",
    .sections = filter_sections,
    .translate = translate_filter,
};
