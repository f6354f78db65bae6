/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gather_mentions.h"

#include "base/mem.h"
#include "store/contributors.h"
#include "store/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct collecting {
    struct gathered_mentions *mentions;
    size_t capacity;
    const struct gathered_span *span;
    size_t first; /* of this span's */
};

static int collect(void *argument, const struct contributor *contributor)
{
    struct collecting *self = argument;
    struct gathered_mentions *mentions = self->mentions;
    const size_t n = mentions->n_items;
    if (contributor->is_of_same_trace ||
        (n > self->first &&
         memcmp(contributor->trace_id, mentions->items[n - 1].trace_id, 16) == 0))
        return 0;
    if (n == self->capacity) {
        const size_t capacity = n ? n * 2 : 16;
        struct gathered_mention *grown = ftri_realloc(mentions->items, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        mentions->items = grown;
        self->capacity = capacity;
    }
    struct gathered_mention *mention = &mentions->items[mentions->n_items++];
    *mention = (struct gathered_mention){.span = self->span};
    memcpy(mention->trace_id, contributor->trace_id, 16);
    return 0;
}

static int compare(const void *left, const void *right)
{
    const struct gathered_mention *a = left, *b = right;
    return memcmp(a->trace_id, b->trace_id, 16);
}

/* Leaves each trace of this span once. */
static void drop_repeats(struct collecting *self)
{
    struct gathered_mentions *mentions = self->mentions;
    struct gathered_mention *own = mentions->items + self->first;
    const size_t n = mentions->n_items - self->first;
    size_t n_left = 0;
    if (n < 2)
        return;
    qsort(own, n, sizeof *own, compare);
    for (size_t i = 0; i < n; i++)
        if (n_left == 0 || compare(&own[n_left - 1], &own[i]) != 0)
            own[n_left++] = own[i];
    mentions->n_items = self->first + n_left;
}

int gathered_mentions_init(struct gathered_mentions *self, const struct gathered_span *spans,
                           size_t n_spans)
{
    struct collecting collecting = {.mentions = self};
    int r = 0;
    *self = (struct gathered_mentions){0};
    for (size_t i = 0; i < n_spans && r == 0; i++) {
        enum store_refusal refusal;
        if (!contributors_may_be_named(&spans[i].span))
            continue;
        collecting.span = &spans[i];
        collecting.first = self->n_items;
        r = contributors_each(&spans[i].span, collect, &collecting, &refusal);
        drop_repeats(&collecting);
        if (r == 0 && refusal)
            self->refused[refusal]++;
    }
    if (r < 0)
        gathered_mentions_deinit(self);
    return r;
}

void gathered_mentions_deinit(struct gathered_mentions *self)
{
    ftri_free(self->items);
    *self = (struct gathered_mentions){0};
}
