/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays double in the arena: their room is the smallest power of two that holds them. */
#include "config/make.h"

#include "config/owned.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 64 * 1024 };

static void *take(struct config_maker *self, size_t size)
{
    void *room = self->is_short ? NULL : ftri_arena_alloc(&self->document->arena, size);
    self->is_short = !room;
    return room;
}

static struct config_value *new_value(struct config_maker *self, const struct config_value *place,
                                      enum config_kind kind)
{
    struct config_value *value = take(self, sizeof *value);
    if (value)
        *value = (struct config_value){
            .document = self->document,
            .kind = kind,
            .line = place->line,
            .column = place->column,
            .text = "",
        };
    return value;
}

const struct config_value *config_make_text(struct config_maker *self,
                                            const struct config_value *place, const char *format,
                                            ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    struct config_value *value = new_value(self, place, CONFIG_SCALAR);
    char *text = len < 0 || len > TEXT_BYTES_MAX ? NULL : take(self, (size_t)len + 1);
    if (!value || !text) {
        self->is_short = true;
        return NULL;
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)len + 1, format, arguments);
    va_end(arguments);
    value->text = text;
    return value;
}

struct config_value *config_make_mapping(struct config_maker *self,
                                         const struct config_value *place)
{
    return new_value(self, place, CONFIG_MAPPING);
}

struct config_value *config_make_list(struct config_maker *self, const struct config_value *place)
{
    return new_value(self, place, CONFIG_SEQUENCE);
}

/* The array with room for one more than n; NULL: memory is short. */
static void *make_room(struct config_maker *self, const void *array, size_t n)
{
    const bool is_full = (n & (n - 1)) == 0;
    if (!is_full)
        return (void *)(uintptr_t)array;
    void *grown = take(self, (n ? 2 * n : 1) * sizeof(void *));
    if (grown && n)
        memcpy(grown, array, n * sizeof(void *));
    return grown;
}

void config_make_pair(struct config_maker *self, struct config_value *mapping,
                      const struct config_value *place, const char *key,
                      const struct config_value *value)
{
    const struct config_value *name = config_make_text(self, place, "%s", key);
    if (!mapping || !name || !value)
        return;
    const struct config_value **keys = make_room(self, mapping->keys, mapping->n);
    const struct config_value **items = make_room(self, mapping->items, mapping->n);
    if (!keys || !items)
        return;
    keys[mapping->n] = name;
    items[mapping->n] = value;
    mapping->keys = keys;
    mapping->items = items;
    mapping->n++;
}

void config_make_item(struct config_maker *self, struct config_value *list,
                      const struct config_value *value)
{
    if (!list || !value)
        return;
    const struct config_value **items = make_room(self, list->items, list->n);
    const char **texts = make_room(self, list->texts, list->n);
    if (!items || !texts)
        return;
    items[list->n] = value;
    texts[list->n] = value->text;
    list->items = items;
    list->texts = texts;
    list->n++;
}
