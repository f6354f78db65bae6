/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/filter: lets items pass or drops them (reason: filtered) by their attributes, name,
 * status or severity: records, spans, data points and log records alike. An attribute is looked
 * for on the item, then on its resource; an item without it passes, unless `required` says that it
 * does not match. Items that stay keep their bytes. */
#include "nodes/processors/processors.h"

#include "base/payload.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "nodes/processors/criteria.h"
#include "otlp/item.h"
#include "otlp/view.h"

#include <errno.h>

enum filter_place { PLACE_ANY, PLACE_ITEM, PLACE_RESOURCE };
enum filter_drop { DROP_OTHERS, DROP_MATCHING };

struct filter_options {
    struct criteria_options criteria;
    int at, drop;
};

static const char *const places[] = {"any", "item", "resource", NULL};
static const char *const drops[] = {"others", "matching", NULL};
static const char *const statuses[] = {"any", "unset", "ok", "error", NULL};
static const char *const severities[] = {"any",  "trace", "debug", "info",
                                         "warn", "error", "fatal", NULL};

#define CONDITION(member) offsetof(struct filter_options, criteria.member)

static const struct option rows[] = {
    {"attribute", OPTION_STR, CONDITION(attribute), "",
     .sentence = "The attribute to look at, of the item or else of its resource."},
    {"at", OPTION_CHOICE, offsetof(struct filter_options, at), "any", .choices = places,
     .sentence = "Where it is looked for: both, or one of them alone."},
    {"min", OPTION_U64, CONDITION(min), "0", .max = INT64_MAX,
     .sentence = "Smallest integer that matches."},
    {"max", OPTION_U64, CONDITION(max), "9223372036854775807", .max = INT64_MAX,
     .sentence = "Largest integer that matches."},
    {"values", OPTION_LIST, CONDITION(values), .sentence = "Values one of which matches."},
    {"matches", OPTION_STR, CONDITION(matches), "",
     .sentence = "POSIX extended regular expression for the attribute's value."},
    {"required", OPTION_BOOL, CONDITION(is_required), "false",
     .sentence = "An item without the attribute does not match; else it passes either way."},
    {"name", OPTION_STR, CONDITION(name), "",
     .sentence = "POSIX extended regular expression for a span's name, a log record's event name, "
                 "a data point's metric or a record's key."},
    {"status", OPTION_CHOICE, CONDITION(status), "any", .choices = statuses,
     .sentence = "Of spans; other items match any."},
    {"min_severity", OPTION_CHOICE, CONDITION(min_severity), "any", .choices = severities,
     .sentence = "Of log records; other items match any."},
    {"drop", OPTION_CHOICE, offsetof(struct filter_options, drop), "others", .choices = drops,
     .sentence = "What is dropped: what does not match all of it, or what does."},
};

struct filter_state {
    struct criteria criteria;
    int at, drop;
};

static int filter_check(const void *values, struct ftri_error *error)
{
    const struct filter_options *options = values;
    struct criteria criteria;
    const int r = criteria_init(&criteria, &options->criteria, error);
    if (r == 0)
        criteria_deinit(&criteria);
    return r;
}

static int filter_start(struct node *node, struct ftri_error *error)
{
    struct filter_state *state = node_state(node);
    const struct filter_options *options = node_options(node);
    state->at = options->at;
    state->drop = options->drop;
    return criteria_init(&state->criteria, &options->criteria, error);
}

static bool passes(const struct filter_state *state, const struct condition_subject *subject)
{
    const enum condition_result result = criteria_test(&state->criteria, subject);
    return result == CONDITION_UNKNOWN ||
           (result == CONDITION_TRUE) == (state->drop == DROP_OTHERS);
}

static bool record_passes(const struct filter_state *state, const struct record *record)
{
    const struct condition_subject subject = {
        .attribute =
            state->at == PLACE_RESOURCE
                ? NULL
                : record_attribute(record, ftr_str_from(state->criteria.options->attribute)),
        .name = record->key,
    };
    return passes(state, &subject);
}

static int filter_records(const struct filter_state *state, struct pdata *pdata)
{
    const struct records *input = pdata->records;
    struct records *out = records_new(SIZE_MAX / 2);
    int r = out ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < input->n_items; i++)
        if (record_passes(state, &input->items[i]))
            r = records_add(out, &input->items[i]);
    if (r < 0) {
        records_unref(out);
        return r;
    }
    records_seal(out);
    pdata_set_records(pdata, out);
    return 0;
}

static bool find_attribute(const struct filter_state *state, const struct ftri_otlp_item *item,
                           struct ftri_view *ret_value)
{
    const ftr_str key = ftr_str_from(state->criteria.options->attribute);
    if (key.len == 0)
        return false;
    if (state->at == PLACE_ITEM)
        return ftri_otlp_item_own_attribute(item, key, ret_value);
    if (state->at == PLACE_RESOURCE)
        return ftri_otlp_item_resource_attribute(item, key, ret_value);
    return ftri_otlp_item_attribute(item, key, ret_value);
}

static bool item_passes(void *argument, const struct ftri_otlp_item *item)
{
    const struct filter_state *state = argument;
    const enum ftri_otlp_item_kind kind = ftri_otlp_item_kind(item);
    struct ftri_view found;
    ftr_value value;
    struct condition_subject subject = {
        .name = ftri_otlp_item_name(item),
        .status = ftri_otlp_item_status(item),
        .severity = ftri_otlp_item_severity(item),
        .is_span = kind == FTRI_OTLP_ITEM_SPAN,
        .is_log = kind == FTRI_OTLP_ITEM_LOG,
    };
    if (find_attribute(state, item, &found)) {
        value = ftri_otlp_value_read(found);
        subject.attribute = &value;
    }
    return passes(state, &subject);
}

static int filter_telemetry(struct filter_state *state, struct pdata *pdata)
{
    const struct ftri_otlp_edit edit = {.argument = state, .keeps = item_passes};
    struct ftri_bytes out FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&out, UINT32_MAX);
    size_t n_kept = 0;
    const int r =
        ftri_otlp_edit(intake_request(pdata), ftri_payload_view(pdata->otlp), &edit, &out, &n_kept);
    struct ftri_payload *kept = r == 0 ? ftri_payload_new(&out) : NULL;
    if (!kept)
        return -ENOMEM;
    pdata_set_otlp(pdata, kept, n_kept);
    return 0;
}

static void filter_consume(struct node *node, struct pdata *pdata)
{
    struct filter_state *state = node_state(node);
    const uint64_t n_items = pdata->n_items;
    int r = 0;
    if (pdata->otlp)
        r = filter_telemetry(state, pdata);
    else if (pdata->records)
        r = filter_records(state, pdata);
    if (r < 0) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
        return;
    }
    const uint64_t n_dropped = n_items > pdata->n_items ? n_items - pdata->n_items : 0;
    if (pdata->n_items == 0 && n_dropped) {
        pdata->n_items = n_dropped;
        node_drop(node, pdata, FTR_DROP_FILTERED);
        return;
    }
    if (n_dropped)
        node_drop_items(node, pdata, FTR_DROP_FILTERED, n_dropped);
    node_send(node, 0, pdata);
}

static void filter_stop(struct node *node)
{
    struct filter_state *state = node_state(node);
    criteria_deinit(&state->criteria);
}

const struct node_class processor_filter = {
    .type = "processor/filter",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Drops items by attribute, name, status or severity.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct filter_options)},
    .state_size = sizeof(struct filter_state),
    .check = filter_check,
    .start = filter_start,
    .consume = filter_consume,
    .stop = filter_stop,
};
