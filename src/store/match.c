/* SPDX-License-Identifier: Apache-2.0 */
#include "store/match.h"

#include "base/mem.h"
#include "otlp/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_equal(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

void candidates_deinit(struct candidates *self)
{
    ftri_free(self->items);
    *self = (struct candidates){0};
}

/* The array with room for one more; NULL: memory is short, and it is as it was. */
static void *make_room(void *items, size_t item_size, size_t n, size_t *capacity)
{
    if (n < *capacity)
        return items;
    const size_t wanted = *capacity ? *capacity * 2 : 32;
    void *grown = ftri_realloc(items, wanted * item_size);
    if (grown)
        *capacity = wanted;
    return grown;
}

int candidates_add(struct candidates *self, const uint8_t trace_id[16], uint64_t start_ns,
                   bool is_sure)
{
    struct candidate *last = self->n_items ? &self->items[self->n_items - 1] : NULL;
    if (last && memcmp(last->match.trace_id, trace_id, 16) == 0) {
        if (start_ns > last->match.start_ns)
            last->match.start_ns = start_ns;
        last->is_sure = last->is_sure && is_sure;
        return 0;
    }
    struct candidate *items = make_room(self->items, sizeof *items, self->n_items, &self->capacity);
    if (!items)
        return -ENOMEM;
    self->items = items;
    struct candidate *item = &self->items[self->n_items++];
    memcpy(item->match.trace_id, trace_id, 16);
    item->match.start_ns = start_ns;
    item->is_sure = is_sure;
    return 0;
}

void match_set_init(struct match_set *self, const struct store_query *query)
{
    *self = (struct match_set){.query = query};
    ftri_map_init(&self->seen, SIZE_MAX);
}

void match_set_deinit(struct match_set *self)
{
    ftri_map_deinit(&self->seen);
    ftri_free(self->heap);
}

/* Newest first. */
static int compare_matches(const void *left, const void *right)
{
    const struct store_match *a = left, *b = right;
    if (a->start_ns != b->start_ns)
        return a->start_ns > b->start_ns ? -1 : 1;
    return memcmp(a->trace_id, b->trace_id, 16);
}

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    return compare_matches(&a->match, &b->match);
}

static bool is_full(const struct match_set *self)
{
    return self->n_heap == self->query->limit;
}

/* Lets the match at i sink until nothing below it comes later in the answer. */
static void sift_down(struct store_match *heap, size_t n, size_t i)
{
    for (;;) {
        size_t last = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            if (compare_matches(&heap[child], &heap[last]) > 0)
                last = child;
        if (last == i)
            return;
        const struct store_match moved = heap[i];
        heap[i] = heap[last];
        heap[last] = moved;
        i = last;
    }
}

static void sift_up(struct store_match *heap, size_t i)
{
    while (i > 0 && compare_matches(&heap[i], &heap[(i - 1) / 2]) > 0) {
        const struct store_match moved = heap[i];
        heap[i] = heap[(i - 1) / 2];
        heap[(i - 1) / 2] = moved;
        i = (i - 1) / 2;
    }
}

static int push(struct match_set *self, const struct store_match *match)
{
    if (is_full(self)) {
        if (compare_matches(match, &self->heap[0]) < 0) {
            self->heap[0] = *match;
            sift_down(self->heap, self->n_heap, 0);
        }
        return 0;
    }
    struct store_match *heap = make_room(self->heap, sizeof *heap, self->n_heap, &self->capacity);
    if (!heap)
        return -ENOMEM;
    self->heap = heap;
    self->heap[self->n_heap++] = *match;
    sift_up(self->heap, self->n_heap - 1);
    return 0;
}

static int take(struct match_set *self, const struct candidate *candidate)
{
    const ftr_str key = {(const char *)candidate->match.trace_id, 16};
    if (ftri_map_get(&self->seen, key))
        return 0;
    struct store_match match = candidate->match;
    int r = 0;
    if (!candidate->is_sure || !self->is_in_one_block(self->argument, match.trace_id))
        r = self->verify(self->argument, match.trace_id, &match.start_ns);
    if (r < 0)
        return r;
    if (r == 0)
        r = push(self, &match);
    return r < 0 ? r : ftri_map_set(&self->seen, key, self);
}

int match_take(struct match_set *self, struct candidates *candidates)
{
    if (candidates->n_items)
        qsort(candidates->items, candidates->n_items, sizeof *candidates->items,
              compare_candidates);
    int r = 0;
    for (size_t i = 0; i < candidates->n_items && r == 0; i++) {
        /* A newer matching span of the same trace would be a candidate of its own. */
        if (is_full(self) && compare_matches(&candidates->items[i].match, &self->heap[0]) >= 0)
            break;
        r = take(self, &candidates->items[i]);
    }
    return r;
}

bool match_is_complete(const struct match_set *self, uint64_t newest_ns)
{
    return is_full(self) && self->heap[0].start_ns > newest_ns;
}

void match_finish(struct match_set *self, struct store_match **ret_matches, size_t *ret_n)
{
    if (self->n_heap)
        qsort(self->heap, self->n_heap, sizeof *self->heap, compare_matches);
    *ret_matches = self->heap;
    *ret_n = self->n_heap;
    self->heap = NULL;
    self->n_heap = self->capacity = 0;
}

int name_add(struct name_set *self, ftr_str service, ftr_str name)
{
    if (self->service.len && !is_equal(self->service, service))
        return 0;
    if (self->service.len && ftri_otlp_is_fragment(name, 0))
        return 0;
    const ftr_str wanted = self->service.len ? name : service;
    return ftri_map_set(&self->names, wanted.len ? wanted : FTR_STR(""), self);
}
