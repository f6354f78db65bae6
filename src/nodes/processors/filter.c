/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/filter: drops records whose integer attribute lies outside a range (reason: filtered).
 * A record without the attribute passes. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "engine/records.h"
#include "nodes/intake.h"

#include <errno.h>

struct filter_options {
    const char *attribute;
    uint64_t min;
    uint64_t max;
};

static const struct option rows[] = {
    {"attribute", OPTION_STR, offsetof(struct filter_options, attribute), .is_required = true,
     .sentence = "The integer attribute to look at."},
    {"min", OPTION_U64, offsetof(struct filter_options, min), "0", .max = INT64_MAX,
     .sentence = "Smallest value that passes."},
    {"max", OPTION_U64, offsetof(struct filter_options, max), "9223372036854775807",
     .max = INT64_MAX, .sentence = "Largest value that passes."},
};

static int filter_check(const void *values, struct ftri_error *error)
{
    const struct filter_options *options = values;
    if (options->min > options->max)
        return ftri_error_set(error, -EINVAL, "min is greater than max: nothing would pass");
    return 0;
}

static bool passes(const struct filter_options *options, const struct record *record)
{
    const ftr_value *value = record_attribute(record, ftr_str_from(options->attribute));
    if (!value || value->type != FTR_VALUE_I64)
        return true;
    return value->as.i64 >= (int64_t)options->min && value->as.i64 <= (int64_t)options->max;
}

static struct records *select_passing(const struct filter_options *options,
                                      const struct records *input)
{
    struct records *out = records_new(SIZE_MAX / 2);
    for (size_t i = 0; out && i < input->n_items; i++) {
        if (passes(options, &input->items[i]) && records_add(out, &input->items[i]) < 0) {
            records_unref(out);
            return NULL;
        }
    }
    return out;
}

static void filter_consume(struct node *node, struct pdata *pdata)
{
    if (!intake_is_records(node, pdata))
        return;
    struct records *passing = select_passing(node_options(node), pdata->records);
    if (!passing) {
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
        return;
    }
    const uint64_t n_dropped = pdata->n_items - passing->n_items;
    if (passing->n_items == 0) {
        records_unref(passing);
        node_drop(node, pdata, FTR_DROP_FILTERED);
        return;
    }
    if (n_dropped)
        node_drop_items(node, pdata, FTR_DROP_FILTERED, n_dropped);
    records_seal(passing);
    pdata_set_records(pdata, passing);
    node_send(node, 0, pdata);
}

const struct node_class processor_filter = {
    .type = "processor/filter",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Drops records whose attribute lies outside a range.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct filter_options)},
    .check = filter_check,
    .consume = filter_consume,
};
