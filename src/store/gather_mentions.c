/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gather_mentions.h"

#include "base/mem.h"
#include "store/contributors.h"
#include "store/gather.h"

#include <errno.h>
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
