/* SPDX-License-Identifier: Apache-2.0
 *
 * The open windows of processor/window, each of one key and a stretch of time [start, end). Fixed
 * windows begin at multiples of their size; a session ends when nothing has come for its gap, and
 * an item between two sessions makes them one. What a window gathers are pointers of the caller's.
 * Bounded by the number of windows; one thread. */
#pragma once

#include "base/list.h"
#include "base/map.h"

struct window_group;

struct window {
    struct ftri_list link; /* of window_set.windows */
    struct ftri_list in_group;
    struct window_group *group;
    uint64_t start_ns, end_ns;
    uint64_t opened_ns; /* the caller's clock */
    void **parts;
    size_t n_parts;
    size_t capacity;
    size_t mark; /* the caller's */
};

struct window_set {
    struct ftri_map groups; /* by key */
    struct ftri_list windows;
    size_t n_windows;
    size_t limit;
    uint64_t size_ns; /* or gap */
    bool is_session;
};

void window_set_init(struct window_set *self, uint64_t size_ns, bool is_session, size_t limit);
/* Frees all windows; what they gathered is the caller's. */
void window_set_deinit(struct window_set *self);
/* Opens or extends the window for an item. 0; -ENOSPC at the limit; -ENOMEM. A window that was
 * found before may become part of another. */
int window_set_open(struct window_set *self, ftr_str key, uint64_t time_ns,
                    uint64_t now_ns) FTRI_MUST_CHECK;
/* The window of an item for which there is one; NULL. */
struct window *window_set_find(const struct window_set *self, ftr_str key, uint64_t time_ns);
/* Whether window_set_open would find one. */
bool window_set_would_join(const struct window_set *self, ftr_str key, uint64_t time_ns);
/* When the window ends that an item of this time would have for itself. */
uint64_t window_set_end_of(const struct window_set *self, uint64_t time_ns);
ftr_str window_key(const struct window *self);
/* The window that ends first; NULL: there is none. */
struct window *window_set_first(const struct window_set *self);
/* Room for one more part. -ENOMEM. */
int window_reserve(struct window *self) FTRI_MUST_CHECK;
/* Takes the window out and frees it. */
void window_set_close(struct window_set *self, struct window *window);
