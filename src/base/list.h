/* SPDX-License-Identifier: Apache-2.0
 *
 * Intrusive doubly linked list. The head is a struct ftri_list of its own; an entry embeds one.
 * Never allocates. An unlinked entry points to itself. */
#pragma once

#include "base/check.h"

struct ftri_list {
    struct ftri_list *next;
    struct ftri_list *previous;
};

static inline void ftri_list_init(struct ftri_list *self)
{
    self->next = self->previous = self;
}

static inline bool ftri_list_is_empty(const struct ftri_list *self)
{
    return self->next == self;
}

static inline void ftri_list_append(struct ftri_list *head, struct ftri_list *entry)
{
    entry->previous = head->previous;
    entry->next = head;
    head->previous->next = entry;
    head->previous = entry;
}

static inline void ftri_list_unlink(struct ftri_list *entry)
{
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    ftri_list_init(entry);
}

/* NULL when empty. */
static inline struct ftri_list *ftri_list_pop(struct ftri_list *head)
{
    struct ftri_list *first = head->next;
    if (first == head)
        return NULL;
    ftri_list_unlink(first);
    return first;
}
