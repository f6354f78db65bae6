/* SPDX-License-Identifier: Apache-2.0
 *
 * What processor/attributes does to one list of attributes, whatever they are stored as: the list
 * comes as slots, the actions change them in order, and the caller writes what the slots say. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct config_value;
struct ftri_error;

enum action_kind { ACTION_INSERT, ACTION_UPDATE, ACTION_UPSERT, ACTION_DELETE };
enum action_place { ACTION_RESOURCE, ACTION_SCOPE, ACTION_ITEM, ACTION_PLACES };

struct action {
    enum action_kind kind;
    enum action_place place;
    ftr_str key;
    ftr_value value; /* of what is not deleted */
};

struct actions {
    struct action *items;
    size_t n_items;
    bool has_place[ACTION_PLACES];
};

/* -EINVAL with place and reason. Texts belong to the configuration. */
int actions_read(const struct config_value *list, struct actions *ret_actions,
                 struct ftri_error *error) FTRI_MUST_CHECK;
void actions_deinit(struct actions *self);

struct slot {
    ftr_str key;
    size_t origin;          /* which attribute it was; SIZE_MAX: it is new */
    const ftr_value *value; /* NULL: as it was */
    bool is_deleted;
};

/* Kept from call to call. */
struct slots {
    struct slot *items;
    size_t n_items;
    size_t capacity;
};

void slots_deinit(struct slots *self);
/* -ENOMEM. */
int slots_add(struct slots *self, const struct slot *slot) FTRI_MUST_CHECK;
/* The actions of one place; -ENOMEM. */
int actions_apply(const struct actions *self, enum action_place place,
                  struct slots *slots) FTRI_MUST_CHECK;
