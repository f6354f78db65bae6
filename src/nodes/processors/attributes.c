/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/attributes: inserts, updates and deletes attributes of records, and of the resources,
 * scopes, spans, log records and data points of telemetry. No item comes or goes. What no action
 * touches keeps its bytes. */
#include "nodes/processors/processors.h"

#include "base/mem.h"
#include "base/payload.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "nodes/processors/actions.h"
#include "nodes/processors/attribute_fields.h"
#include "otlp/edit.h"
#include "otlp/item.h"

#include <errno.h>

struct attributes_options {
    const struct config_value *actions;
};

static const struct option rows[] = {
    {"actions", OPTION_LIST, offsetof(struct attributes_options, actions), .is_required = true,
     .sentence = "List of {action: insert, update, upsert or delete; key; value; at: item, scope "
                 "or resource (default item)}, in order. insert leaves what is there, update adds "
                 "nothing, upsert does both."},
};

struct attributes_state {
    struct actions actions;
    struct slots slots;
};

static int attributes_check(const void *values, struct ftri_error *error)
{
    const struct attributes_options *options = values;
    struct actions actions;
    const int r = actions_read(options->actions, &actions, error);
    if (r == 0)
        actions_deinit(&actions);
    return r;
}

static int attributes_start(struct node *node, struct ftri_error *error)
{
    struct attributes_state *state = node_state(node);
    const struct attributes_options *options = node_options(node);
    return actions_read(options->actions, &state->actions, error);
}

static int rewrite(void *argument, enum ftri_otlp_part part,
                   const struct ftri_otlp_message *message, struct ftri_view bytes,
                   struct ftri_bytes *out)
{
    static const enum action_place places[FTRI_OTLP_PARTS] = {[FTRI_OTLP_PART_RESOURCE] =
                                                                  ACTION_RESOURCE,
                                                              [FTRI_OTLP_PART_SCOPE] = ACTION_SCOPE,
                                                              [FTRI_OTLP_PART_ITEM] = ACTION_ITEM};
    struct attributes_state *state = argument;
    const uint32_t number = ftri_otlp_attributes_number(message);
    if (!state->actions.has_place[places[part]])
        return ftri_bytes_append(out, bytes.data, bytes.len);
    int r = attribute_fields_list(&state->slots, number, bytes);
    if (r == 0)
        r = actions_apply(&state->actions, places[part], &state->slots);
    return r == 0 ? attribute_fields_write(&state->slots, number, bytes, out) : r;
}

static int edit_telemetry(struct attributes_state *state, struct pdata *pdata)
{
    const struct ftri_otlp_edit edit = {.argument = state, .rewrite = rewrite};
    struct ftri_bytes out FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&out, UINT32_MAX);
    size_t n_items;
    const int r = ftri_otlp_edit(intake_request(pdata), ftri_payload_view(pdata->otlp), &edit, &out,
                                 &n_items);
    struct ftri_payload *edited = r == 0 ? ftri_payload_new(&out) : NULL;
    if (!edited)
        return r < 0 ? r : -ENOMEM;
    pdata_set_otlp(pdata, edited, pdata->n_items);
    return 0;
}

/* The record's attributes as the slots say, in an array of their own. */
static int add_edited(struct attributes_state *state, const struct record *record,
                      struct records *out)
{
    int r = 0;
    state->slots.n_items = 0;
    for (size_t i = 0; r == 0 && i < record->n_attributes; i++) {
        const struct slot slot = {.key = record->attributes[i].key, .origin = i};
        r = slots_add(&state->slots, &slot);
    }
    if (r == 0)
        r = actions_apply(&state->actions, ACTION_ITEM, &state->slots);
    ftr_attribute *edited = r == 0 ? ftri_alloc_array(state->slots.n_items, sizeof *edited) : NULL;
    if (!edited)
        return -ENOMEM;
    struct record changed = *record;
    changed.attributes = edited;
    changed.n_attributes = 0;
    for (size_t i = 0; i < state->slots.n_items; i++) {
        const struct slot *slot = &state->slots.items[i];
        if (!slot->is_deleted)
            edited[changed.n_attributes++] = (ftr_attribute){
                slot->key, slot->value ? *slot->value : record->attributes[slot->origin].value};
    }
    r = records_add(out, &changed);
    ftri_free(edited);
    return r;
}

static int edit_records(struct attributes_state *state, struct pdata *pdata)
{
    struct records *out = records_new(SIZE_MAX / 2);
    int r = out ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < pdata->records->n_items; i++)
        r = add_edited(state, &pdata->records->items[i], out);
    if (r < 0) {
        records_unref(out);
        return r;
    }
    records_seal(out);
    pdata_set_records(pdata, out);
    return 0;
}

static void attributes_consume(struct node *node, struct pdata *pdata)
{
    struct attributes_state *state = node_state(node);
    int r = 0;
    if (pdata->otlp)
        r = edit_telemetry(state, pdata);
    else if (pdata->records)
        r = edit_records(state, pdata);
    if (r == 0) {
        node_send(node, 0, pdata);
        return;
    }
    const struct result result = {.is_permanent = r == -EMSGSIZE, .reason = "memory is short"};
    node_nack(node, pdata, &result);
}

static void attributes_stop(struct node *node)
{
    struct attributes_state *state = node_state(node);
    actions_deinit(&state->actions);
    slots_deinit(&state->slots);
}

const struct node_class processor_attributes = {
    .type = "processor/attributes",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Inserts, updates and deletes attributes.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct attributes_options)},
    .state_size = sizeof(struct attributes_state),
    .check = attributes_check,
    .start = attributes_start,
    .consume = attributes_consume,
    .stop = attributes_stop,
};
