/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/span_series.h"

#include "base/arena.h"
#include "base/prefetch.h"
#include "metrics/exponential.h"
#include "metrics/metric.h"
#include "metrics/span_metrics.h"
#include "metrics/span_name.h"
#include "metrics/span_slabs.h"

#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(struct ftri_span_series, sum_ns) == FTRI_CACHE_LINE,
               "a line says what it is");

static bool copy_text(struct ftri_arena *arena, ftr_str text, ftr_str *ret_copy)
{
    *ret_copy = ftri_arena_copy(arena, text);
    return ret_copy->data != NULL;
}

static void *zeros(struct ftri_arena *arena, size_t size)
{
    void *block = ftri_arena_alloc(arena, size);
    return block ? memset(block, 0, size) : NULL;
}

static bool make_counters(struct ftri_span_series *self, struct ftri_arena *arena,
                          const struct ftri_span_shape *shape)
{
    if (shape->n_buckets == 0)
        ftri_exponential_init(ftri_span_exponential(self));
    if (shape->n_exemplars > 0)
        self->exemplars = zeros(arena, shape->n_exemplars * sizeof *self->exemplars);
    return self->exemplars || shape->n_exemplars == 0;
}

static bool copy_name(struct ftri_span_series *self, struct ftri_arena *arena, ftr_str name)
{
    self->name_len = (uint32_t)name.len;
    if (name.len > sizeof self->short_name) {
        ftr_str copy;
        const bool is_copied = copy_text(arena, name, &copy);
        self->long_name = copy.data;
        return is_copied;
    }
    if (name.len > 0)
        memcpy(self->short_name, name.data, name.len);
    return true;
}

static bool copy_names(struct ftri_span_series *self, struct ftri_arena *arena, size_t n_dimensions,
                       const struct ftri_span_view *span)
{
    if (!copy_name(self, arena, span->name))
        return false;
    self->dimensions = zeros(arena, (n_dimensions + 1) * sizeof *self->dimensions);
    for (size_t i = 0; i < n_dimensions && self->dimensions; i++) {
        ftr_value *mine = &self->dimensions[i];
        *mine = span->dimensions[i];
        mine->type = ftri_span_dimension_type(mine);
        if (mine->type == FTR_VALUE_STR && !copy_text(arena, mine->as.str, &mine->as.str))
            return false;
    }
    return self->dimensions != NULL;
}

size_t ftri_span_series_size(const struct ftri_span_shape *shape)
{
    const size_t counters = shape->n_buckets ? 2 * shape->n_buckets * sizeof(uint32_t)
                                             : sizeof(struct ftri_exponential) + sizeof(uint64_t);
    return sizeof(struct ftri_span_series) + counters;
}

struct ftri_span_series *ftri_span_series_new(struct ftri_arena *arena,
                                              struct ftri_span_slabs *slabs,
                                              const struct ftri_span_shape *shape,
                                              const struct ftri_span_service *service,
                                              const struct ftri_span_view *span)
{
    struct ftri_span_series *self = ftri_span_slabs_take(slabs);
    if (!self)
        return NULL;
    if (!copy_names(self, arena, shape->n_dimensions, span) || !make_counters(self, arena, shape)) {
        ftri_span_slabs_give_back(slabs);
        return NULL;
    }
    self->traits = ftri_span_traits(span->kind, span->status, span->is_estimated);
    self->service = service;
    return self;
}
