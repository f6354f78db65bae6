/* SPDX-License-Identifier: Apache-2.0 */
#include "store/result.h"

#include "base/mem.h"
#include "base/payload.h"
#include "store/merge.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    struct kept *next;
    struct ftri_payload *payload;
    struct ftri_bytes bytes;
};

struct result_owner {
    struct kept *kept;
};

static void owner_free(struct result_owner *self)
{
    while (self && self->kept) {
        struct kept *kept = self->kept;
        self->kept = kept->next;
        ftri_payload_unref(kept->payload);
        ftri_bytes_deinit(&kept->bytes);
        ftri_free(kept);
    }
    ftri_free(self);
}

void store_result_deinit(struct store_result *self)
{
    ftri_free(self->spans);
    owner_free(self->owner);
    *self = (struct store_result){0};
}

int result_builder_init(struct result_builder *self)
{
    *self = (struct result_builder){.owner = ftri_zalloc(sizeof *self->owner)};
    return self->owner ? 0 : -ENOMEM;
}

void result_builder_deinit(struct result_builder *self)
{
    ftri_free(self->items);
    owner_free(self->owner);
    *self = (struct result_builder){0};
}

int result_add(struct result_builder *self, const struct found_span *span)
{
    if (self->n_items == self->capacity) {
        const size_t capacity = self->capacity ? self->capacity * 2 : 16;
        struct found_span *grown = ftri_realloc(self->items, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        self->items = grown;
        self->capacity = capacity;
    }
    self->items[self->n_items++] = *span;
    return 0;
}

static struct kept *keep(struct result_builder *self)
{
    struct kept *kept = ftri_zalloc(sizeof *kept);
    if (kept) {
        kept->next = self->owner->kept;
        self->owner->kept = kept;
    }
    return kept;
}

int result_keep_payload(struct result_builder *self, struct ftri_payload *payload)
{
    if (self->owner->kept && self->owner->kept->payload == payload)
        return 0;
    struct kept *kept = keep(self);
    if (!kept)
        return -ENOMEM;
    kept->payload = ftri_payload_ref(payload);
    return 0;
}

int result_keep_bytes(struct result_builder *self, struct ftri_bytes *bytes)
{
    struct kept *kept = keep(self);
    if (!kept)
        return -ENOMEM;
    kept->bytes = *bytes;
    *bytes = (struct ftri_bytes){.limit = bytes->limit};
    return 0;
}

/* Behind the last item of the span that begins at first. */
static size_t span_end(const struct result_builder *self, size_t first)
{
    size_t end = first + 1;
    while (end < self->n_items && result_is_same_span(&self->items[first], &self->items[end]))
        end++;
    return end;
}

/* Makes the first of n items hold the events of all. */
static int merge_items(struct result_builder *self, struct found_span *items, size_t n)
{
    struct ftri_bytes bytes FTRI_CLEANUP(ftri_bytes_deinit);
    int r = merge_events(items, n, &bytes);
    const struct ftri_view merged = ftri_bytes_view(&bytes);
    if (r == 0)
        r = result_keep_bytes(self, &bytes);
    if (r < 0)
        return r;
    const struct ftri_otlp_span place = items[0].span;
    struct ftri_otlp_span *span = &items[0].span;
    ftri_otlp_span_read(merged, span);
    span->resource = place.resource;
    span->scope = place.scope;
    span->resource_schema_url = place.resource_schema_url;
    span->scope_schema_url = place.scope_schema_url;
    return 0;
}

/* Leaves each span once, with the events of its fragments. */
static int merge_fragments(struct result_builder *self)
{
    size_t n_left = 0;
    int r = 0;
    self->n_items = result_deduplicate(self->items, self->n_items);
    for (size_t first = 0, end; first < self->n_items && r == 0; first = end) {
        end = span_end(self, first);
        if (end - first > 1)
            r = merge_items(self, &self->items[first], end - first);
        self->items[n_left++] = self->items[first];
    }
    self->n_items = n_left;
    return r;
}

static int compare_starts(const void *left, const void *right)
{
    const struct found_span *a = left, *b = right;
    if (a->span.start_time_ns != b->span.start_time_ns)
        return a->span.start_time_ns < b->span.start_time_ns ? -1 : 1;
    return memcmp(a->span.span_id, b->span.span_id, 8);
}

int result_finish(struct result_builder *self, size_t limit, struct store_result *ret_result)
{
    const int r = merge_fragments(self);
    if (self->n_items)
        qsort(self->items, self->n_items, sizeof *self->items, compare_starts);
    const bool is_truncated = self->n_items > limit;
    const size_t n = ftri_size_min(self->n_items, limit);
    struct ftri_otlp_span *spans = r == 0 ? ftri_alloc_array(n, sizeof *spans) : NULL;
    if (!spans) {
        result_builder_deinit(self);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        spans[i] = self->items[i].span;
    *ret_result = (struct store_result){spans, n, is_truncated, self->owner};
    self->owner = NULL;
    result_builder_deinit(self);
    return 0;
}

bool result_find_match(struct result_builder *self, uint64_t *ret_start_ns)
{
    bool is_found = false, has_span = false;
    self->n_items = result_deduplicate(self->items, self->n_items);
    for (size_t i = 0; i < self->n_items; i++) {
        const struct found_span *found = &self->items[i];
        if (i == 0 || !result_is_same_span(found, found - 1))
            has_span = !found->is_fragment;
        const bool is_beaten = found->is_fragment && has_span;
        if (!found->is_match || is_beaten ||
            (is_found && found->span.start_time_ns <= *ret_start_ns))
            continue;
        *ret_start_ns = found->span.start_time_ns;
        is_found = true;
    }
    return is_found;
}
