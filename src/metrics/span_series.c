/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/span_series.h"

#include "base/arena.h"
#include "metrics/exponential.h"
#include "metrics/metric.h"
#include "metrics/span_metrics.h"
#include "metrics/span_name.h"

#include <string.h>

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
                          struct ftri_arena *exemplars, const struct ftri_span_shape *shape)
{
    if (shape->n_buckets == 0) {
        self->exponential = zeros(arena, sizeof *self->exponential);
        if (!self->exponential)
            return false;
        ftri_exponential_init(self->exponential);
    }
    if (shape->n_exemplars > 0)
        self->exemplars = zeros(exemplars, shape->n_exemplars * sizeof *self->exemplars);
    return self->exemplars || shape->n_exemplars == 0;
}

static bool copy_names(struct ftri_span_series *self, struct ftri_arena *arena, size_t n_dimensions,
                       const struct ftri_span_view *span)
{
    if (!copy_text(arena, span->name, &self->name))
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

struct ftri_span_series *ftri_span_series_new(struct ftri_arena *arena,
                                              struct ftri_arena *exemplars,
                                              const struct ftri_span_shape *shape,
                                              const struct ftri_span_service *service,
                                              const struct ftri_span_view *span)
{
    struct ftri_span_series *self =
        zeros(arena, sizeof *self + shape->n_buckets * sizeof self->counts[0]);
    if (!self || !copy_names(self, arena, shape->n_dimensions, span) ||
        !make_counters(self, arena, exemplars, shape))
        return NULL;
    self->traits = ftri_span_traits(span->kind, span->status, span->is_estimated);
    self->service = service;
    return self;
}
