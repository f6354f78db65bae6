/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/actions.h"

#include "base/mem.h"
#include "base/text.h"
#include "config/document.h"
#include "config/scalar.h"

#include <errno.h>
#include <string.h>

static const char *const kinds[] = {"insert", "update", "upsert", "delete"};
static const char *const places[] = {"resource", "scope", "item"};

/* SIZE_MAX: none of them. */
static size_t index_of(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return SIZE_MAX;
}

static int check_keys(const struct config_value *entry, struct ftri_error *error)
{
    static const char *const keys[] = {"action", "key", "value", "at"};
    if (config_kind(entry) != CONFIG_MAPPING)
        return config_error(entry, error, -EINVAL,
                            "actions: expected entries such as {action: upsert, key: env, value: "
                            "prod}");
    for (size_t i = 0; i < config_size(entry); i++)
        if (index_of(config_text(config_key(entry, i)), keys, FTRI_COUNT(keys)) == SIZE_MAX)
            return config_error(config_key(entry, i), error, -EINVAL,
                                "actions: unknown key '%s'; there are action, key, value and at",
                                config_text(config_key(entry, i)));
    return 0;
}

static int read_action(const struct config_value *entry, struct action *action,
                       struct ftri_error *error)
{
    int r = check_keys(entry, error);
    if (r < 0)
        return r;
    const struct config_value *kind = config_get(entry, "action"), *key = config_get(entry, "key"),
                              *value = config_get(entry, "value"), *at = config_get(entry, "at");
    const size_t i_kind = kind ? index_of(config_text(kind), kinds, FTRI_COUNT(kinds)) : SIZE_MAX;
    const size_t i_place = at ? index_of(config_text(at), places, FTRI_COUNT(places)) : ACTION_ITEM;
    if (i_kind == SIZE_MAX)
        return config_error(kind ? kind : entry, error, -EINVAL,
                            "actions: action: expected insert, update, upsert or delete");
    if (i_place == SIZE_MAX)
        return config_error(at, error, -EINVAL, "actions: at: expected item, scope or resource");
    if (!key || config_text(key)[0] == '\0')
        return config_error(key ? key : entry, error, -EINVAL, "actions: key: expected a name");
    const bool has_value = value && config_kind(value) == CONFIG_SCALAR;
    if (has_value == (i_kind == ACTION_DELETE))
        return config_error(value ? value : entry, error, -EINVAL,
                            has_value ? "actions: value: a deletion has none"
                                      : "actions: value: expected a text, number, true or false");
    *action = (struct action){.kind = (enum action_kind)i_kind,
                              .place = (enum action_place)i_place,
                              .key = ftr_str_from(config_text(key))};
    if (has_value)
        action->value = config_scalar_value(value);
    return 0;
}

int actions_read(const struct config_value *list, struct actions *ret_actions,
                 struct ftri_error *error)
{
    struct actions self = {.n_items = config_size(list)};
    if (config_kind(list) != CONFIG_SEQUENCE || self.n_items == 0)
        return config_error(list, error, -EINVAL, "actions: expected a list of actions");
    self.items = ftri_alloc_array(self.n_items, sizeof *self.items);
    if (!self.items)
        return config_error(list, error, -ENOMEM, "actions: memory is short");
    for (size_t i = 0; i < self.n_items; i++) {
        const int r = read_action(config_item(list, i), &self.items[i], error);
        if (r < 0) {
            actions_deinit(&self);
            return r;
        }
        self.has_place[self.items[i].place] = true;
    }
    *ret_actions = self;
    return 0;
}

void actions_deinit(struct actions *self)
{
    ftri_free(self->items);
}

void slots_deinit(struct slots *self)
{
    ftri_free(self->items);
}

int slots_add(struct slots *self, const struct slot *slot)
{
    if (self->n_items == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 32;
        struct slot *grown = ftri_realloc(self->items, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        self->items = grown;
        self->capacity = capacity;
    }
    self->items[self->n_items++] = *slot;
    return 0;
}

static int apply(const struct action *action, struct slots *slots)
{
    bool is_there = false;
    for (size_t i = 0; i < slots->n_items; i++) {
        struct slot *slot = &slots->items[i];
        if (slot->is_deleted || !ftri_text_same(slot->key, action->key))
            continue;
        is_there = true;
        slot->is_deleted = action->kind == ACTION_DELETE;
        if (action->kind == ACTION_UPDATE || action->kind == ACTION_UPSERT)
            slot->value = &action->value;
    }
    const bool is_added =
        !is_there && (action->kind == ACTION_INSERT || action->kind == ACTION_UPSERT);
    const struct slot added = {.key = action->key, .origin = SIZE_MAX, .value = &action->value};
    return is_added ? slots_add(slots, &added) : 0;
}

int actions_apply(const struct actions *self, enum action_place place, struct slots *slots)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < self->n_items; i++)
        if (self->items[i].place == place)
            r = apply(&self->items[i], slots);
    return r;
}
