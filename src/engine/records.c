/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/records.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { ITEMS_FIRST = 16, VALUE_LEVELS_MAX = 16 };

struct records *records_new(size_t limit_bytes)
{
    struct records *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    atomic_init(&self->n_refs, 1);
    ftri_arena_init(&self->arena, limit_bytes);
    return self;
}

struct records *records_ref(struct records *self)
{
    atomic_fetch_add_explicit(&self->n_refs, 1, memory_order_relaxed);
    return self;
}

void records_unref(struct records *self)
{
    if (!self || atomic_fetch_sub_explicit(&self->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    ftri_arena_deinit(&self->arena);
    ftri_free(self);
}

static int copy_str(struct ftri_arena *arena, ftr_str text, ftr_str *ret_copy)
{
    *ret_copy = ftri_arena_copy(arena, text);
    return ret_copy->data ? 0 : -ENOMEM;
}

static int copy_attributes(struct ftri_arena *arena, const ftr_attribute *from, size_t n,
                           const ftr_attribute **ret_copy, unsigned n_levels);

/* Recursion is bounded by n_levels. */
static int copy_value(struct ftri_arena *arena, const ftr_value *from, ftr_value *ret_copy,
                      unsigned n_levels)
{
    *ret_copy = *from;
    switch (from->type) {
    case FTR_VALUE_STR:
    case FTR_VALUE_BYTES:
        return copy_str(arena, from->as.str, &ret_copy->as.str);
    case FTR_VALUE_ARRAY: {
        const size_t n = from->as.array.n_items;
        ftr_value *items = n_levels ? ftri_arena_alloc(arena, n * sizeof *items) : NULL;
        if (!items)
            return -ENOMEM;
        ret_copy->as.array.items = items;
        int r = 0;
        for (size_t i = 0; r == 0 && i < n; i++)
            r = copy_value(arena, &from->as.array.items[i], &items[i], n_levels - 1);
        return r;
    }
    case FTR_VALUE_MAP:
        return n_levels ? copy_attributes(arena, from->as.map.items, from->as.map.n_items,
                                          &ret_copy->as.map.items, n_levels - 1)
                        : -ENOMEM;
    default:
        return 0;
    }
}

static int copy_attributes(struct ftri_arena *arena, const ftr_attribute *from, size_t n,
                           const ftr_attribute **ret_copy, unsigned n_levels)
{
    ftr_attribute *copy = ftri_arena_alloc(arena, n * sizeof *copy);
    if (!copy)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = copy_str(arena, from[i].key, &copy[i].key);
        if (r == 0)
            r = copy_value(arena, &from[i].value, &copy[i].value, n_levels);
    }
    *ret_copy = copy;
    return r;
}

/* The old array stays in the arena: at most as much again as the new one. */
static int make_room(struct records *self)
{
    if (self->n_items < self->capacity)
        return 0;
    const size_t capacity = self->capacity ? self->capacity * 2 : ITEMS_FIRST;
    struct record *grown = ftri_arena_alloc(&self->arena, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    if (self->n_items)
        memcpy(grown, self->items, self->n_items * sizeof *grown);
    self->items = grown;
    self->capacity = capacity;
    return 0;
}

int records_add(struct records *self, const struct record *record)
{
    assert(!self->is_sealed);
    struct record copy = {.event_time_ns = record->event_time_ns,
                          .n_attributes = record->n_attributes};
    int r = make_room(self);
    if (r == 0)
        r = copy_str(&self->arena, record->key, &copy.key);
    if (r == 0)
        r = copy_str(&self->arena, record->value, &copy.value);
    if (r == 0 && record->n_attributes)
        r = copy_attributes(&self->arena, record->attributes, record->n_attributes,
                            &copy.attributes, VALUE_LEVELS_MAX);
    if (r < 0)
        return r;
    self->items[self->n_items++] = copy;
    self->n_bytes += record->value.len;
    return 0;
}

void records_seal(struct records *self)
{
    self->is_sealed = true;
}

const ftr_value *record_attribute(const struct record *self, ftr_str key)
{
    for (size_t i = 0; i < self->n_attributes; i++)
        if (ftri_text_same(self->attributes[i].key, key))
            return &self->attributes[i].value;
    return NULL;
}
