/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's processors (opentelemetry-collector, processor/; -contrib, processor/) but for
 * filter: batch, memory_limiter, attributes, resource. */
#include "nodes/collector/component.h"

#include "nodes/collector/machine.h"
#include "base/time.h"
#include "config/document.h"

#include <string.h>

#define HOUR_NS (3600 * FTRI_NS_PER_S)
#define MIB (UINT64_C(1) << 20)

struct batch_form {
    uint64_t send_batch_size, send_batch_max_size;
    uint64_t timeout_ns;
    union collector_unused unused;
};

#define AT(member) offsetof(struct batch_form, member)
static const struct option batch_rows[] = {
    {"send_batch_size", OPTION_U64, AT(send_batch_size), "8192", .max = 10000000,
     .sentence = "A batch with this many items is sent; 0: every batch at once."},
    {"timeout", OPTION_DURATION, AT(timeout_ns), "200ms", .max = HOUR_NS,
     .sentence = "The longest that an item waits; 0s: every batch is sent at once."},
    {"send_batch_max_size", OPTION_U64, AT(send_batch_max_size), "0", .max = 10000000,
     .sentence = "Larger batches are split; 0: none is."},
    COLLECTOR_UNUSED("metadata_cardinality_limit", OPTION_U64, AT(unused),
                     "it bounds metadata_keys, which are refused"),
};
#undef AT

static const struct collector_refusal batch_refusals[] = {
    {"metadata_keys", "metadata of requests is not taken in"},
    {NULL, NULL},
};
static const struct collector_section batch_section = {
    "", {batch_rows, FTRI_COUNT(batch_rows), sizeof(struct batch_form)}, batch_refusals};
static const struct collector_section *const batch_sections[] = {&batch_section, NULL};

static int translate_batch(struct collector_translation *translation,
                           const struct collector_instance *instance, struct collector_chain *chain)
{
    struct batch_form form = {0};
    const struct config_value *section = instance->value;
    const int r = collector_section_read(translation, &batch_section, instance, section, &form);
    if (r < 0)
        return r;
    if (form.send_batch_max_size && form.send_batch_max_size < form.send_batch_size)
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "send_batch_max_size"),
                                "send_batch_max_size is less than send_batch_size");
    const bool is_at_once = form.timeout_ns == 0 || form.send_batch_size == 0;
    struct config_value *config = collector_config(translation, instance);
    collector_set_number(translation, config, collector_place(instance, section, "send_batch_size"),
                         "max_items", is_at_once ? 1 : form.send_batch_size, "");
    collector_set_number(translation, config, collector_place(instance, section, "timeout"),
                         "max_delay", is_at_once ? FTRI_NS_PER_MS : form.timeout_ns, "ns");
    if (form.send_batch_max_size)
        collector_set_number(translation, config,
                             collector_place(instance, section, "send_batch_max_size"), "split",
                             form.send_batch_max_size, "");
    collector_append(translation, chain, "", "processor/batch", config);
    return 0;
}

const struct collector_component collector_batch = {
    .types = {"batch"},
    .kind = COLLECTOR_PROCESSOR,
    .sentence = "processor/batch",
    .sections = batch_sections,
    .has_records = true,
    .translate = translate_batch,
};

struct memory_form {
    uint64_t check_interval_ns;
    uint64_t limit_mib, spike_limit_mib;
    uint64_t limit_percentage, spike_limit_percentage;
    union collector_unused unused;
};

#define AT(member) offsetof(struct memory_form, member)
static const char no_collection[] = "memory is not garbage-collected";
static const struct option memory_rows[] = {
    {"check_interval", OPTION_DURATION, AT(check_interval_ns), .is_required = true,
     .min = FTRI_NS_PER_MS, .max = HOUR_NS / 60,
     .sentence = "Time between two looks at the memory in use."},
    {"limit_mib", OPTION_U64, AT(limit_mib), "0", .max = UINT64_C(1) << 32,
     .sentence = "What the process may use; 0: limit_percentage holds."},
    {"spike_limit_mib", OPTION_U64, AT(spike_limit_mib), "0", .max = UINT64_C(1) << 32,
     .sentence = "Below the limit by this much, batches are refused; 0: a fifth of the limit."},
    {"limit_percentage", OPTION_U64, AT(limit_percentage), "0", .max = 100,
     .sentence = "The limit as a share of the machine's memory, or of the control group's."},
    {"spike_limit_percentage", OPTION_U64, AT(spike_limit_percentage), "0", .max = 100,
     .sentence = "The same of spike_limit_mib."},
    COLLECTOR_UNUSED("min_gc_interval_when_soft_limited", OPTION_DURATION, AT(unused),
                     "memory is not garbage-collected"),
    COLLECTOR_UNUSED("min_gc_interval_when_hard_limited", OPTION_DURATION, AT(unused),
                     "memory is not garbage-collected"),
    COLLECTOR_UNUSED("max_gc_interval_when_soft_limited", OPTION_DURATION, AT(unused),
                     "memory is not garbage-collected"),
    COLLECTOR_UNUSED("max_gc_interval_when_hard_limited", OPTION_DURATION, AT(unused),
                     "memory is not garbage-collected"),
};
#undef AT

static const struct collector_refusal memory_refusals[] = {
    {"ballast_size_mib", no_collection},
    {NULL, NULL},
};
static const struct collector_section memory_section = {
    "", {memory_rows, FTRI_COUNT(memory_rows), sizeof(struct memory_form)}, memory_refusals};
static const struct collector_section *const memory_sections[] = {&memory_section, NULL};

static int check_memory(const struct collector_translation *translation,
                        const struct collector_instance *instance, const struct memory_form *form)
{
    const struct config_value *section = instance->value;
    if (form->limit_mib == 0 && form->limit_percentage == 0)
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "limit_mib"),
                                "'limit_mib' or 'limit_percentage' is required");
    if (form->limit_mib && form->spike_limit_mib >= form->limit_mib)
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "spike_limit_mib"),
                                "spike_limit_mib is not less than limit_mib");
    if (form->limit_percentage && form->spike_limit_percentage >= form->limit_percentage)
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "spike_limit_percentage"),
                                "spike_limit_percentage is not less than limit_percentage");
    return 0;
}

static int translate_memory(struct collector_translation *translation,
                            const struct collector_instance *instance,
                            struct collector_chain *chain)
{
    struct memory_form form = {0};
    const struct config_value *section = instance->value;
    int r = collector_section_read(translation, &memory_section, instance, section, &form);
    if (r == 0)
        r = check_memory(translation, instance, &form);
    if (r < 0)
        return r;
    const bool is_share = form.limit_mib == 0;
    const uint64_t percent = collector_memory_bytes() / 100;
    const uint64_t limit = is_share ? form.limit_percentage * percent : form.limit_mib * MIB;
    const uint64_t spike =
        is_share ? form.spike_limit_percentage * percent : form.spike_limit_mib * MIB;
    struct config_value *config = collector_config(translation, instance);
    collector_set_number(
        translation, config,
        collector_place(instance, section, is_share ? "limit_percentage" : "limit_mib"), "limit",
        limit, "");
    collector_set_number(
        translation, config,
        collector_place(instance, section, is_share ? "spike_limit_percentage" : "spike_limit_mib"),
        "spike", spike, "");
    collector_set_number(translation, config, collector_place(instance, section, "check_interval"),
                         "interval", form.check_interval_ns, "ns");
    collector_append(translation, chain, "", "processor/memory_limiter", config);
    return 0;
}

const struct collector_component collector_memory_limiter = {
    .types = {"memory_limiter"},
    .kind = COLLECTOR_PROCESSOR,
    .sentence = "processor/memory_limiter",
    .sections = memory_sections,
    .has_records = true,
    .translate = translate_memory,
};

struct actions_form {
    const struct config_value *actions;
};

static const struct option attributes_rows[] = {
    {"actions", OPTION_LIST, offsetof(struct actions_form, actions), .is_required = true,
     .sentence = "List of {action, key, value}, in order; action: insert, update, upsert, delete."},
};
static const struct option resource_rows[] = {
    {"attributes", OPTION_LIST, offsetof(struct actions_form, actions), .is_required = true,
     .sentence = "As the actions of attributes, for those of the resource."},
};

static const struct collector_refusal attributes_refusals[] = {
    {"include", "actions are for every item; put a filter into a pipeline of its own"},
    {"exclude", "actions are for every item; put a filter into a pipeline of its own"},
    {NULL, NULL},
};
static const struct collector_section attributes_section = {
    "",
    {attributes_rows, FTRI_COUNT(attributes_rows), sizeof(struct actions_form)},
    attributes_refusals};
static const struct collector_section resource_section = {
    "", {resource_rows, FTRI_COUNT(resource_rows), sizeof(struct actions_form)}, NULL};
static const struct collector_section *const attributes_sections[] = {&attributes_section, NULL};
static const struct collector_section *const resource_sections[] = {&resource_section, NULL};

static const struct option action_rows[] = {
    {"key", OPTION_STR, 0, .is_required = true},
    {"action", OPTION_STR, 0, .is_required = true},
    {"value", OPTION_STR, 0},
};
static const struct collector_refusal action_refusals[] = {
    {"from_attribute", "a value is given in the configuration"},
    {"from_context", "metadata of requests is not taken in"},
    {"pattern", "there are insert, update, upsert and delete"},
    {"converted_type", "there are insert, update, upsert and delete"},
    {"default_value", "a value is given in the configuration"},
    {NULL, NULL},
};
static const char *const our_actions[] = {"insert", "update", "upsert", "delete", NULL};
static const char *const no_actions[] = {"hash", "extract", "convert", NULL};

static bool is_among(const char *text, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

/* Its keys alone: what the values must be is processor/attributes' to say. */
static int check_action(const struct collector_translation *translation,
                        const struct collector_section *list,
                        const struct collector_instance *instance, const struct config_value *entry)
{
    const char *texts[1] = {NULL};
    const struct collector_section section = {list->options.rows[0].name,
                                              {action_rows, FTRI_COUNT(action_rows), sizeof texts},
                                              action_refusals};
    int r = collector_section_read(translation, &section, instance, entry, texts);
    const struct config_value *action = r == 0 ? config_get(entry, "action") : NULL;
    if (r == 0 && is_among(config_text(action), no_actions))
        r = collector_refuse(translation, instance, action,
                             "%s: action '%s' is not supported: there are insert, update, upsert "
                             "and delete",
                             section.path, config_text(action));
    else if (r == 0 && !is_among(config_text(action), our_actions))
        r = collector_refuse(translation, instance, action,
                             "%s: action: '%.60s' is not one of insert, update, upsert, delete",
                             section.path, config_text(action));
    return r;
}

static void add_action(struct collector_translation *translation, struct config_value *list,
                       const struct config_value *entry, const char *at)
{
    struct config_maker *const maker = &translation->maker;
    struct config_value *action = config_make_mapping(maker, entry);
    for (size_t i = 0; i < config_size(entry); i++)
        config_make_pair(maker, action, config_key(entry, i), config_text(config_key(entry, i)),
                         config_value_at(entry, i));
    config_make_pair(maker, action, entry, "at", config_make_text(maker, entry, "%s", at));
    config_make_item(maker, list, action);
}

static int translate_actions(struct collector_translation *translation,
                             const struct collector_instance *instance,
                             struct collector_chain *chain)
{
    struct actions_form form = {0};
    const struct collector_section *section = instance->component->sections[0];
    const char *at = section == &resource_section ? "resource" : "item";
    int r = collector_section_read(translation, section, instance, instance->value, &form);
    if (r < 0)
        return r;
    struct config_value *list = config_make_list(&translation->maker, form.actions);
    for (size_t i = 0; r == 0 && i < config_size(form.actions); i++) {
        r = check_action(translation, section, instance, config_item(form.actions, i));
        if (r == 0)
            add_action(translation, list, config_item(form.actions, i), at);
    }
    if (r < 0)
        return r;
    struct config_value *config = collector_config(translation, instance);
    config_make_pair(&translation->maker, config, form.actions, "actions", list);
    collector_append(translation, chain, "", "processor/attributes", config);
    return 0;
}

const struct collector_component collector_attributes = {
    .types = {"attributes"},
    .kind = COLLECTOR_PROCESSOR,
    .sentence = "processor/attributes, for the attributes of spans, data points and log records",
    .sections = attributes_sections,
    .has_records = true,
    .translate = translate_actions,
};

const struct collector_component collector_resource = {
    .types = {"resource"},
    .kind = COLLECTOR_PROCESSOR,
    .sentence = "processor/attributes, for those of the resource",
    .sections = resource_sections,
    .translate = translate_actions,
};
