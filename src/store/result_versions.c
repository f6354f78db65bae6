/* SPDX-License-Identifier: Apache-2.0
 *
 * Of the versions of a span the one that wins, and behind it its fragments. */
#include "store/result.h"

#include "base/mem.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_ITEMS = 64 };

static int compare_ids(const struct found_span *a, const struct found_span *b)
{
    const int order = memcmp(a->span.trace_id, b->span.trace_id, 16);
    return order ? order : memcmp(a->span.span_id, b->span.span_id, 8);
}

/* By time; equal ones stand together. */
static int compare_fragments(const struct found_span *a, const struct found_span *b)
{
    if (a->span.start_time_ns != b->span.start_time_ns)
        return a->span.start_time_ns < b->span.start_time_ns ? -1 : 1;
    return ftri_str_compare(ftri_view_str(a->span.bytes), ftri_view_str(b->span.bytes));
}

struct span_version result_version(const struct found_span *found)
{
    return (struct span_version){.is_fragment = found->is_fragment,
                                 .is_finished = found->span.end_time_ns != 0,
                                 .received_ns = found->received_ns,
                                 .order = found->order,
                                 .row = found->row};
}

int result_compare_versions(const struct span_version *a, const struct span_version *b)
{
    if (a->is_fragment != b->is_fragment)
        return a->is_fragment ? 1 : -1;
    if (a->is_finished != b->is_finished)
        return a->is_finished ? -1 : 1;
    if (a->received_ns != b->received_ns)
        return a->received_ns > b->received_ns ? -1 : 1;
    if (a->order != b->order)
        return a->order > b->order ? -1 : 1;
    return a->row == b->row ? 0 : a->row > b->row ? -1 : 1;
}

/* By identity; within one, the version that wins comes first, fragments last. */
static int compare_versions(const void *left, const void *right)
{
    const struct found_span *a = left, *b = right;
    const int order = compare_ids(a, b);
    if (order != 0)
        return order;
    if (a->is_fragment && b->is_fragment)
        return compare_fragments(a, b);
    const struct span_version a_version = result_version(a), b_version = result_version(b);
    return result_compare_versions(&a_version, &b_version);
}

/* `last` and it are of the same span. Where bytes were not asked for, each is new. */
static bool is_new_fragment(const struct found_span *last, const struct found_span *item)
{
    return item->is_fragment &&
           (!last->is_fragment || item->span.bytes.len == 0 || compare_fragments(last, item) != 0);
}

/* A version by what mostly decides its order, and where it stands. */
struct place {
    uint64_t trace_start; /* first bytes of the trace id, the first one highest */
    uint32_t item;
};

static int compare_places(const void *left, const void *right, void *items)
{
    const struct place *a = left, *b = right;
    const struct found_span *found = items;
    if (a->trace_start != b->trace_start)
        return a->trace_start < b->trace_start ? -1 : 1;
    return compare_versions(&found[a->item], &found[b->item]);
}

/* Moves every item to its place, along the cycles of the permutation: place i takes the item of
 * places[i]. */
static void permute(struct found_span *items, struct place *places, size_t n)
{
    for (size_t start = 0; start < n; start++) {
        if (places[start].item == start)
            continue;
        const struct found_span first = items[start];
        size_t i = start;
        for (size_t from; (from = places[i].item) != start; i = from) {
            items[i] = items[from];
            places[i].item = (uint32_t)i;
        }
        items[i] = first;
        places[i].item = (uint32_t)i;
    }
}

/* Sorts small keys and moves each item once; when it is a few items, or there is no memory for
 * keys, the items themselves. */
static void sort_versions(struct found_span *items, size_t n)
{
    FTRI_CLEANUP(ftri_freep) struct place *places = NULL;
    if (n > FEW_ITEMS && n <= UINT32_MAX)
        places = ftri_alloc_array(n, sizeof *places);
    if (!places) {
        qsort(items, n, sizeof *items, compare_versions);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t start;
        memcpy(&start, items[i].span.trace_id, 8);
        places[i] = (struct place){be64toh(start), (uint32_t)i};
    }
    qsort_r(places, n, sizeof *places, compare_places, items);
    permute(items, places, n);
}

size_t result_deduplicate(struct found_span *items, size_t n)
{
    if (n == 0)
        return 0;
    sort_versions(items, n);
    size_t n_left = 1;
    for (size_t i = 1; i < n; i++) {
        struct found_span *last = &items[n_left - 1];
        const bool is_new = compare_ids(last, &items[i]) != 0;
        if (is_new || is_new_fragment(last, &items[i]))
            items[n_left++] = items[i];
        else if (items[i].is_fragment)
            last->is_match |= items[i].is_match;
    }
    return n_left;
}

bool result_is_same_span(const struct found_span *a, const struct found_span *b)
{
    return compare_ids(a, b) == 0;
}
