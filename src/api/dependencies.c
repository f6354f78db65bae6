/* SPDX-License-Identifier: Apache-2.0 */
#include "api/dependencies.h"

#include "base/mem.h"
#include "otlp/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 100 * 1000, PAIR_BYTES_MAX = 1 << 20 };

void dependencies_init(struct dependencies *self, uint64_t start_min_ns, uint64_t start_max_ns)
{
    *self = (struct dependencies){.start_min_ns = start_min_ns, .start_max_ns = start_max_ns};
    ftri_map_init(&self->counts, PAIRS_MAX);
}

void dependencies_deinit(struct dependencies *self)
{
    ftri_map_deinit(&self->counts);
}

static int write_key(struct ftri_bytes *key, ftr_str parent, ftr_str child)
{
    ftri_bytes_reset(key);
    int r = ftri_bytes_append(key, &parent.len, sizeof parent.len);
    if (r == 0)
        r = ftri_bytes_append_str(key, parent);
    return r == 0 ? ftri_bytes_append_str(key, child) : r;
}

static struct dependency read_key(ftr_str key)
{
    struct dependency link = {0};
    memcpy(&link.parent.len, key.data, sizeof link.parent.len);
    link.parent.data = key.data + sizeof link.parent.len;
    link.child.data = link.parent.data + link.parent.len;
    link.child.len = key.len - sizeof link.parent.len - link.parent.len;
    return link;
}

static int count(struct dependencies *self, struct ftri_bytes *key, ftr_str parent, ftr_str child)
{
    if (ftri_str_compare(parent, child) == 0)
        return 0;
    int r = write_key(key, parent, child);
    if (r < 0)
        return r == -EMSGSIZE ? 0 : r; /* names beyond a megabyte */
    const ftr_str text = ftri_view_str(ftri_bytes_view(key));
    const uintptr_t n_calls = (uintptr_t)ftri_map_get(&self->counts, text);
    return ftri_map_set(&self->counts, text, (void *)(n_calls + 1));
}

static ftr_str id_key(const uint8_t *span_id)
{
    return (ftr_str){(const char *)span_id, 8};
}

static int count_span(struct dependencies *self, const struct ftri_map *by_id,
                      const struct ftri_otlp_span *span, struct ftri_bytes *key)
{
    if (!span->parent_span_id || span->start_time_ns < self->start_min_ns ||
        span->start_time_ns > self->start_max_ns)
        return 0;
    const struct ftri_otlp_span *const parent = ftri_map_get(by_id, id_key(span->parent_span_id));
    return parent ? count(self, key, ftri_otlp_service_name(parent->resource),
                          ftri_otlp_service_name(span->resource))
                  : 0;
}

int dependencies_add_trace(struct dependencies *self, const struct ftri_otlp_span *spans, size_t n)
{
    int r = 0;
    struct ftri_map by_id;
    struct ftri_bytes key;
    ftri_map_init(&by_id, n);
    ftri_bytes_init(&key, PAIR_BYTES_MAX);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = ftri_map_set(&by_id, id_key(spans[i].span_id), (void *)(uintptr_t)&spans[i]);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = count_span(self, &by_id, &spans[i], &key);
    ftri_map_deinit(&by_id);
    ftri_bytes_deinit(&key);
    return r;
}

static int by_names(const void *a, const void *b)
{
    const struct dependency *const left = a, *const right = b;
    const int order = ftri_str_compare(left->parent, right->parent);
    return order ? order : ftri_str_compare(left->child, right->child);
}

int dependencies_list(const struct dependencies *self, struct dependency **ret_links, size_t *ret_n)
{
    const size_t n = self->counts.n_entries;
    struct dependency *const links = ftri_alloc_array(n ? n : 1, sizeof *links);
    if (!links)
        return -ENOMEM;
    ftr_str key;
    void *value;
    size_t i = 0;
    for (size_t cursor = 0; ftri_map_next(&self->counts, &cursor, &key, &value); i++) {
        links[i] = read_key(key);
        links[i].n_calls = (uintptr_t)value;
    }
    qsort(links, n, sizeof *links, by_names);
    *ret_links = links;
    *ret_n = n;
    return 0;
}
