/* SPDX-License-Identifier: Apache-2.0 */
#include "store/block_dictionary.h"

#include "base/mem.h"
#include "otlp/view.h"
#include "store/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void block_dictionary_init(struct block_dictionary *self, size_t limit_bytes)
{
    *self = (struct block_dictionary){0};
    ftri_bytes_init(&self->names, limit_bytes);
    ftri_bytes_init(&self->origins, limit_bytes);
    ftri_bytes_init(&self->appends, limit_bytes);
    ftri_bytes_init(&self->scratch, limit_bytes);
    ftri_map_init(&self->pair_rows, SIZE_MAX);
    ftri_map_init(&self->origin_rows, SIZE_MAX);
    ftri_map_init(&self->place_rows, SIZE_MAX);
    ftri_map_init(&self->append_rows, SIZE_MAX);
}

void block_dictionary_deinit(struct block_dictionary *self)
{
    ftri_free(self->references);
    ftri_bytes_deinit(&self->names);
    ftri_bytes_deinit(&self->origins);
    ftri_bytes_deinit(&self->appends);
    ftri_bytes_deinit(&self->scratch);
    ftri_map_deinit(&self->pair_rows);
    ftri_map_deinit(&self->origin_rows);
    ftri_map_deinit(&self->place_rows);
    ftri_map_deinit(&self->append_rows);
}

/* The row of a key, a new one if it is not there. */
static int row_of(struct ftri_map *rows, ftr_str key, uint32_t *ret_row, bool *ret_is_new)
{
    const uintptr_t known = (uintptr_t)ftri_map_get(rows, key);
    *ret_is_new = known == 0;
    *ret_row = (uint32_t)(known ? known - 1 : rows->n_entries);
    return known ? 0 : ftri_map_set(rows, key, (void *)(uintptr_t)(rows->n_entries + 1));
}

static ftr_str scratch_key(const struct block_dictionary *self)
{
    return ftri_view_str(ftri_bytes_view(&self->scratch));
}

static ftr_str service_of(struct block_dictionary *self, const struct ftri_otlp_span *span)
{
    if (!self->last || self->last->span.resource.data != span->resource.data ||
        self->last->span.resource.len != span->resource.len)
        self->last_service = ftri_otlp_service_name(span->resource);
    return self->last_service;
}

static int find_pair(struct block_dictionary *self, const struct ftri_otlp_span *span,
                     uint32_t *ret_row)
{
    const ftr_str service = service_of(self, span);
    bool is_new;
    ftri_bytes_reset(&self->scratch);
    int r = text_put(&self->scratch, service.data, service.len);
    if (r == 0)
        r = text_put(&self->scratch, span->name.data, span->name.len);
    return r == 0 ? row_of(&self->pair_rows, scratch_key(self), ret_row, &is_new) : r;
}

static int find_origin_by_content(struct block_dictionary *self, const struct ftri_otlp_span *span,
                                  uint32_t *ret_row)
{
    struct ftri_bytes *text = &self->scratch;
    bool is_new;
    ftri_bytes_reset(text);
    int r = text_put(text, span->resource.data, span->resource.len);
    if (r == 0)
        r = text_put(text, span->scope.data, span->scope.len);
    if (r == 0)
        r = text_put(text, span->resource_schema_url.data, span->resource_schema_url.len);
    if (r == 0)
        r = text_put(text, span->scope_schema_url.data, span->scope_schema_url.len);
    if (r == 0)
        r = row_of(&self->origin_rows, scratch_key(self), ret_row, &is_new);
    return r == 0 && is_new ? ftri_bytes_append(&self->origins, text->data, text->len) : r;
}

/* Where a span's origin stands in its payload. */
struct place {
    uintptr_t words[8];
};

static struct place place_of(const struct ftri_otlp_span *span)
{
    return (struct place){{(uintptr_t)span->resource.data, span->resource.len,
                           (uintptr_t)span->scope.data, span->scope.len,
                           (uintptr_t)span->resource_schema_url.data, span->resource_schema_url.len,
                           (uintptr_t)span->scope_schema_url.data, span->scope_schema_url.len}};
}

/* Spans of one place in one payload point to the same bytes: the content is compared only once for
 * each place. */
static int find_origin(struct block_dictionary *self, const struct ftri_otlp_span *span,
                       uint32_t *ret_row)
{
    const struct place place = place_of(span);
    const ftr_str key = {(const char *)&place, sizeof place};
    const uintptr_t known = (uintptr_t)ftri_map_get(&self->place_rows, key);
    if (known) {
        *ret_row = (uint32_t)(known - 1);
        return 0;
    }
    const int r = find_origin_by_content(self, span, ret_row);
    return r < 0 ? r : ftri_map_set(&self->place_rows, key, (void *)(uintptr_t)(*ret_row + 1));
}

static int find_append(struct block_dictionary *self, const struct found_span *span,
                       uint32_t *ret_row)
{
    const uint64_t append[] = {span->received_ns, span->order};
    bool is_new = false;
    int r = row_of(&self->append_rows, (ftr_str){(const char *)append, sizeof append}, ret_row,
                   &is_new);
    if (r < 0 || !is_new)
        return r;
    r = varint_put(&self->appends, zigzag(span->received_ns - self->last_received));
    if (r == 0)
        r = varint_put(&self->appends, zigzag(span->order - self->last_order));
    self->last_received = span->received_ns;
    self->last_order = span->order;
    return r;
}

static bool has_same_origin(const struct found_span *a, const struct found_span *b)
{
    const struct place place_a = place_of(&a->span), place_b = place_of(&b->span);
    return memcmp(&place_a, &place_b, sizeof place_a) == 0;
}

static bool has_same_append(const struct found_span *a, const struct found_span *b)
{
    return a->received_ns == b->received_ns && a->order == b->order;
}

/* last: of the span before. */
static int find_reference(struct block_dictionary *self, const struct found_span *span,
                          const struct block_reference *last, struct block_reference *ret_reference)
{
    int r = find_pair(self, &span->span, &ret_reference->pair);
    if (r == 0 && self->last && has_same_origin(span, self->last))
        ret_reference->origin = last->origin;
    else if (r == 0)
        r = find_origin(self, &span->span, &ret_reference->origin);
    if (r == 0 && self->last && has_same_append(span, self->last))
        ret_reference->append = last->append;
    else if (r == 0)
        r = find_append(self, span, &ret_reference->append);
    self->last = span;
    return r;
}

static int find_references(struct block_dictionary *self, const struct found_span *spans, size_t n)
{
    self->references = ftri_alloc_array(n, sizeof *self->references);
    int r = self->references ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++) {
        struct block_reference *reference = &self->references[i];
        r = find_reference(self, &spans[i], reference - (i > 0), reference);
    }
    return r;
}

struct sorted_pair {
    ftr_str text;
    uint32_t row;
};

static int compare_pairs(const void *left, const void *right)
{
    const struct sorted_pair *a = left, *b = right;
    const int order = memcmp(a->text.data, b->text.data, ftri_size_min(a->text.len, b->text.len));
    return order ? order : a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
}

/* Numbers the pairs in sorted order and writes them. */
static int write_names(struct block_dictionary *self, size_t n_spans)
{
    const size_t n = self->pair_rows.n_entries;
    FTRI_CLEANUP(ftri_freep) struct sorted_pair *sorted = ftri_alloc_array(n, sizeof *sorted);
    FTRI_CLEANUP(ftri_freep) uint32_t *ranks = ftri_alloc_array(n, sizeof *ranks);
    if (!sorted || !ranks)
        return -ENOMEM;
    size_t cursor = 0;
    void *value;
    for (size_t i = 0; i < n; i++) {
        (void)ftri_map_next(&self->pair_rows, &cursor, &sorted[i].text, &value);
        sorted[i].row = (uint32_t)((uintptr_t)value - 1);
    }
    qsort(sorted, n, sizeof *sorted, compare_pairs);
    int r = varint_put(&self->names, n);
    for (size_t i = 0; i < n && r == 0; i++) {
        ranks[sorted[i].row] = (uint32_t)i;
        r = ftri_bytes_append_str(&self->names, sorted[i].text);
    }
    for (size_t i = 0; i < n_spans && r == 0; i++)
        self->references[i].pair = ranks[self->references[i].pair];
    return r;
}

int block_dictionary_make(struct block_dictionary *self, const struct found_span *spans, size_t n)
{
    const int r = find_references(self, spans, n);
    self->n_origins = self->origin_rows.n_entries;
    self->n_appends = self->append_rows.n_entries;
    return r == 0 ? write_names(self, n) : r;
}
