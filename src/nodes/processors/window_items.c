/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/window_items.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/payload.h"
#include "engine/records.h"
#include "nodes/intake.h"
#include "otlp/item.h"
#include "otlp/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEYS_LIMIT_BYTES = 256 << 20, NUMBER_BYTES = 32, TRACE_ID_BYTES = 16 };

void window_items_init(struct window_items *self, bool has_key, const char *attribute)
{
    *self = (struct window_items){.attribute = attribute, .has_key = has_key};
    ftri_arena_init(&self->keys, KEYS_LIMIT_BYTES);
}

void window_items_deinit(struct window_items *self)
{
    ftri_arena_deinit(&self->keys);
    ftri_free(self->items);
}

ftr_str window_items_key(ftr_str key)
{
    return (ftr_str){key.data + 1, key.len - 1};
}

/* Batches of different signals are never merged. */
static char *copy_key(struct window_items *self, ftr_str key)
{
    char *copy = ftri_arena_alloc(&self->keys, key.len + 1);
    if (!copy)
        return NULL;
    copy[0] = self->signal;
    if (key.len)
        memcpy(copy + 1, key.data, key.len);
    return copy;
}

static int add(struct window_items *self, ftr_str key, uint64_t time_ns)
{
    const char *copy = copy_key(self, key);
    if (!copy)
        return -ENOMEM;
    if (self->n_items == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 256;
        struct window_item *grown = ftri_realloc(self->items, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        self->items = grown;
        self->capacity = capacity;
    }
    self->items[self->n_items++] = (struct window_item){
        .key = {copy, key.len + 1}, .time_ns = time_ns, .part = WINDOW_NO_PART};
    return 0;
}

/* A text as it is, an integer or truth value as people write it; anything else is no key. */
static int key_of(struct window_items *self, const ftr_value *value, ftr_str *ret_key)
{
    char text[NUMBER_BYTES];
    *ret_key = (ftr_str){"", 0};
    if (value->type == FTR_VALUE_STR)
        *ret_key = value->as.str;
    else if (value->type == FTR_VALUE_BOOL)
        *ret_key = value->as.boolean ? FTR_STR("true") : FTR_STR("false");
    else if (value->type == FTR_VALUE_I64) {
        const int len = snprintf(text, sizeof text, "%lld", (long long)value->as.i64);
        *ret_key = ftri_arena_copy(&self->keys, (ftr_str){text, (size_t)len});
        return ret_key->data ? 0 : -ENOMEM;
    }
    return 0;
}

static int list_records(struct window_items *self, const struct records *records)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < records->n_items; i++) {
        const struct record *record = &records->items[i];
        ftr_str key = self->has_key && !self->is_by_trace ? record->key : (ftr_str){"", 0};
        const ftr_value *value = self->has_key && self->attribute[0]
                                     ? record_attribute(record, ftr_str_from(self->attribute))
                                     : NULL;
        if (self->has_key && self->attribute[0])
            key = (ftr_str){"", 0};
        if (value)
            r = key_of(self, value, &key);
        if (r == 0)
            r = add(self, key, record->event_time_ns);
    }
    return r;
}

/* None for what has no trace. */
static int trace_key(struct window_items *self, const struct ftri_otlp_item *item, ftr_str *ret_key)
{
    const struct ftri_view trace_id = ftri_otlp_item_trace_id(item);
    char text[2 * TRACE_ID_BYTES + 1];
    if (trace_id.len == 0)
        return 0;
    ftri_hex_encode(trace_id.data, TRACE_ID_BYTES, text);
    *ret_key = ftri_arena_copy(&self->keys, (ftr_str){text, sizeof text - 1});
    return ret_key->data ? 0 : -ENOMEM;
}

/* For ftri_otlp_visit: it keeps nothing, as nothing is written. */
static bool list_item(void *argument, const struct ftri_otlp_item *item)
{
    struct window_items *self = argument;
    ftr_str key = {"", 0};
    struct ftri_view found;
    if (self->failure < 0)
        return false;
    if (self->is_by_trace)
        self->failure = trace_key(self, item, &key);
    else if (self->has_key && !self->attribute[0])
        key = ftri_otlp_item_name(item);
    else if (self->has_key &&
             ftri_otlp_item_attribute(item, ftr_str_from(self->attribute), &found)) {
        const ftr_value value = ftri_otlp_value_read(found);
        self->failure = key_of(self, &value, &key);
    }
    if (self->failure == 0)
        self->failure = add(self, key, ftri_otlp_item_time_ns(item));
    return false;
}

int window_items_list(struct window_items *self, const struct pdata *pdata)
{
    ftri_arena_reset(&self->keys);
    self->n_items = 0;
    self->failure = 0;
    self->signal = (char)('0' + pdata->signal);
    if (pdata->records)
        return list_records(self, pdata->records);
    const struct ftri_otlp_edit edit = {.argument = self, .keeps = list_item};
    if (pdata->otlp)
        ftri_otlp_visit(intake_request(pdata), ftri_payload_view(pdata->otlp), &edit);
    return self->failure;
}

static int cut_records(const struct window_items *self, const struct records *records,
                       uint32_t part, struct window_part *ret_part)
{
    struct records *out = records_new(SIZE_MAX / 2);
    int r = out ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < self->n_items; i++)
        if (self->items[i].part == part)
            r = records_add(out, &records->items[i]);
    if (r < 0) {
        records_unref(out);
        return r;
    }
    records_seal(out);
    *ret_part = (struct window_part){.records = out, .n_items = out->n_items};
    return 0;
}

struct cut {
    const struct window_items *items;
    size_t next;
    uint32_t part;
};

static bool is_in_part(void *argument, const struct ftri_otlp_item *item)
{
    struct cut *cut = argument;
    (void)item;
    return cut->items->items[cut->next++].part == cut->part;
}

int window_items_cut(const struct window_items *self, const struct pdata *pdata, uint32_t part,
                     struct window_part *ret_part)
{
    if (pdata->records)
        return cut_records(self, pdata->records, part, ret_part);
    struct cut cut = {.items = self, .part = part};
    const struct ftri_otlp_edit edit = {.argument = &cut, .keeps = is_in_part};
    struct ftri_bytes out FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&out, UINT32_MAX);
    size_t n_items = 0;
    const int r = ftri_otlp_edit(intake_request(pdata), ftri_payload_view(pdata->otlp), &edit, &out,
                                 &n_items);
    struct ftri_payload *otlp = r == 0 ? ftri_payload_new(&out) : NULL;
    if (!otlp)
        return -ENOMEM;
    *ret_part = (struct window_part){.otlp = otlp, .n_items = n_items};
    return 0;
}

void window_part_give(struct window_part *self, struct pdata *pdata)
{
    if (self->records)
        pdata_set_records(pdata, self->records);
    else
        pdata_set_otlp(pdata, self->otlp, self->n_items);
    *self = (struct window_part){.n_items = 0};
}

void window_part_deinit(struct window_part *self)
{
    records_unref(self->records);
    ftri_payload_unref(self->otlp);
}
