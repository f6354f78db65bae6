/* SPDX-License-Identifier: Apache-2.0 */
#include "store/places.h"

#include <stdlib.h>

int places_add(struct ftri_bytes *places, int64_t id, size_t nth)
{
    const struct place place = {id, nth};
    return ftri_bytes_append(places, &place, sizeof place);
}

static int compare(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->n < b->n ? -1 : a->n > b->n;
}

int places_each(struct ftri_bytes *places, places_visit *visit, void *argument)
{
    struct place *all = (struct place *)(void *)places->data;
    const size_t n = places->len / sizeof *all;
    int r = 0;
    if (n)
        qsort(all, n, sizeof *all, compare);
    for (size_t first = 0, end; first < n && r == 0; first = end) {
        for (end = first + 1; end < n && all[end].id == all[first].id;)
            end++;
        r = visit(argument, all[first].id, all + first, end - first);
    }
    return r;
}
