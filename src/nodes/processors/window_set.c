/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/window_set.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

struct window_group {
    struct ftri_list windows; /* struct window.in_group */
    size_t key_len;
    char key[];
};

void window_set_init(struct window_set *self, uint64_t size_ns, bool is_session, size_t limit)
{
    *self = (struct window_set){.limit = limit, .size_ns = size_ns, .is_session = is_session};
    ftri_map_init(&self->groups, limit);
    ftri_list_init(&self->windows);
}

void window_set_deinit(struct window_set *self)
{
    while (!ftri_list_is_empty(&self->windows))
        window_set_close(self, FTRI_CONTAINER(self->windows.next, struct window, link));
    ftri_map_deinit(&self->groups);
}

ftr_str window_key(const struct window *self)
{
    return (ftr_str){self->group->key, self->group->key_len};
}

static struct window_group *group_of(struct window_set *self, ftr_str key, int *ret_result)
{
    struct window_group *group = ftri_map_get(&self->groups, key);
    if (group)
        return group;
    group = ftri_alloc(sizeof *group + key.len);
    *ret_result = group ? ftri_map_set(&self->groups, key, group) : -ENOMEM;
    if (*ret_result < 0) {
        ftri_free(group);
        return NULL;
    }
    ftri_list_init(&group->windows);
    group->key_len = key.len;
    if (key.len)
        memcpy(group->key, key.data, key.len);
    return group;
}

static void free_if_empty(struct window_set *self, struct window_group *group)
{
    if (!ftri_list_is_empty(&group->windows))
        return;
    (void)ftri_map_remove(&self->groups, (ftr_str){group->key, group->key_len});
    ftri_free(group);
}

void window_set_close(struct window_set *self, struct window *window)
{
    struct window_group *group = window->group;
    ftri_list_unlink(&window->link);
    ftri_list_unlink(&window->in_group);
    self->n_windows--;
    ftri_free(window->parts);
    ftri_free(window);
    free_if_empty(self, group);
}

static uint64_t add_time(uint64_t time_ns, uint64_t more_ns)
{
    return time_ns > UINT64_MAX - more_ns ? UINT64_MAX : time_ns + more_ns;
}

static uint64_t start_of(const struct window_set *self, uint64_t time_ns)
{
    return self->is_session ? time_ns : time_ns - time_ns % self->size_ns;
}

uint64_t window_set_end_of(const struct window_set *self, uint64_t time_ns)
{
    return add_time(start_of(self, time_ns), self->size_ns);
}

/* The next window of a group that overlaps [start, end), from an entry of its list on. Sessions
 * that touch are one: an item exactly a gap after the last comes too late. */
static struct window *overlapping(const struct window_group *group, const struct ftri_list *from,
                                  uint64_t start_ns, uint64_t end_ns)
{
    for (const struct ftri_list *entry = from; entry != &group->windows; entry = entry->next) {
        struct window *window = FTRI_CONTAINER(entry, struct window, in_group);
        if (window->start_ns < end_ns && start_ns < window->end_ns)
            return window;
    }
    return NULL;
}

int window_reserve(struct window *self)
{
    if (self->n_parts < self->capacity)
        return 0;
    const size_t capacity = self->capacity ? self->capacity * 2 : 4;
    void **grown = ftri_realloc(self->parts, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    self->parts = grown;
    self->capacity = capacity;
    return 0;
}

/* All of `other` becomes part of `self`. */
static int absorb(struct window_set *set, struct window *self, struct window *other)
{
    for (size_t i = self->n_parts; i < self->n_parts + other->n_parts; i++) {
        struct window probe = *self;
        probe.n_parts = i;
        const int r = window_reserve(&probe);
        self->parts = probe.parts;
        self->capacity = probe.capacity;
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < other->n_parts; i++)
        self->parts[self->n_parts++] = other->parts[i];
    self->start_ns = other->start_ns < self->start_ns ? other->start_ns : self->start_ns;
    self->end_ns = other->end_ns > self->end_ns ? other->end_ns : self->end_ns;
    self->opened_ns = other->opened_ns < self->opened_ns ? other->opened_ns : self->opened_ns;
    window_set_close(set, other);
    return 0;
}

static int extend(struct window_set *self, struct window *window, uint64_t start_ns,
                  uint64_t end_ns)
{
    window->start_ns = start_ns < window->start_ns ? start_ns : window->start_ns;
    window->end_ns = end_ns > window->end_ns ? end_ns : window->end_ns;
    int r = 0;
    struct window *other;
    while (r == 0 &&
           (other = overlapping(window->group, window->in_group.next, start_ns, end_ns)) != NULL)
        r = absorb(self, window, other);
    return r;
}

static int open_new(struct window_set *self, struct window_group *group, uint64_t start_ns,
                    uint64_t end_ns, uint64_t now_ns)
{
    struct window *window = self->n_windows < self->limit ? ftri_zalloc(sizeof *window) : NULL;
    if (!window) {
        free_if_empty(self, group);
        return self->n_windows < self->limit ? -ENOMEM : -ENOSPC;
    }
    window->group = group;
    window->start_ns = start_ns;
    window->end_ns = end_ns;
    window->opened_ns = now_ns;
    ftri_list_append(&self->windows, &window->link);
    ftri_list_append(&group->windows, &window->in_group);
    self->n_windows++;
    return 0;
}

int window_set_open(struct window_set *self, ftr_str key, uint64_t time_ns, uint64_t now_ns)
{
    const uint64_t start_ns = start_of(self, time_ns), end_ns = window_set_end_of(self, time_ns);
    int r = 0;
    struct window_group *group = group_of(self, key, &r);
    if (!group)
        return r;
    struct window *window = overlapping(group, group->windows.next, start_ns, end_ns);
    return window ? extend(self, window, start_ns, end_ns)
                  : open_new(self, group, start_ns, end_ns, now_ns);
}

struct window *window_set_find(const struct window_set *self, ftr_str key, uint64_t time_ns)
{
    const struct window_group *group = ftri_map_get(&self->groups, key);
    if (!group || time_ns == UINT64_MAX)
        return NULL;
    return overlapping(group, group->windows.next, time_ns, time_ns + 1);
}

bool window_set_would_join(const struct window_set *self, ftr_str key, uint64_t time_ns)
{
    const struct window_group *group = ftri_map_get(&self->groups, key);
    return group && overlapping(group, group->windows.next, start_of(self, time_ns),
                                window_set_end_of(self, time_ns)) != NULL;
}

struct window *window_set_first(const struct window_set *self)
{
    struct window *first = NULL;
    for (const struct ftri_list *entry = self->windows.next; entry != &self->windows;
         entry = entry->next) {
        struct window *window = FTRI_CONTAINER(entry, struct window, link);
        if (!first || window->end_ns < first->end_ns)
            first = window;
    }
    return first;
}
