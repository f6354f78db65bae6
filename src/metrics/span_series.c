/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/span_series.h"

#include "base/arena.h"
#include "base/map.h"
#include "metrics/exponential.h"
#include "metrics/metric.h"
#include "metrics/span_metrics.h"

#include <string.h>

/* A dimension's value as bytes; of a kind that is no dimension: none. */
static ftr_str bytes_of(const ftr_value *value)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        return value->as.str;
    case FTR_VALUE_BOOL:
        return (ftr_str){(const char *)&value->as.boolean, sizeof value->as.boolean};
    case FTR_VALUE_I64:
    case FTR_VALUE_F64:
        return (ftr_str){(const char *)&value->as.i64, sizeof value->as.i64};
    default:
        return (ftr_str){NULL, 0};
    }
}

static ftr_value_type type_of(const ftr_value *value)
{
    return value->type <= FTR_VALUE_F64 ? value->type : FTR_VALUE_EMPTY;
}

static inline bool is_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

uint64_t ftri_span_hash(uint64_t seed, const struct ftri_span_view *span, size_t n_dimensions)
{
    seed ^= (uint64_t)span->kind << 16 | (uint64_t)span->status << 8 | span->is_estimated;
    seed = ftri_hash(seed, span->name.data, span->name.len);
    seed = ftri_hash(seed, span->service.data, span->service.len);
    for (size_t i = 0; i < n_dimensions; i++) {
        const ftr_str bytes = bytes_of(&span->dimensions[i]);
        seed = ftri_hash(seed ^ type_of(&span->dimensions[i]), bytes.data, bytes.len);
    }
    return seed;
}

bool ftri_span_series_is_of(const struct ftri_span_series *self, const struct ftri_span_view *span,
                            size_t n_dimensions)
{
    if (self->kind != span->kind || self->status != span->status ||
        self->is_estimated != span->is_estimated || !is_same(self->name, span->name) ||
        !is_same(self->service, span->service))
        return false;
    for (size_t i = 0; i < n_dimensions; i++) {
        const ftr_value *mine = &self->dimensions[i];
        const ftr_value *theirs = &span->dimensions[i];
        if (mine->type != type_of(theirs) || !is_same(bytes_of(mine), bytes_of(theirs)))
            return false;
    }
    return true;
}

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
    if (shape->n_buckets > 0) {
        self->counts = zeros(arena, shape->n_buckets * sizeof *self->counts);
    } else {
        self->exponential = zeros(arena, sizeof *self->exponential);
        if (self->exponential)
            ftri_exponential_init(self->exponential);
    }
    if (shape->n_exemplars > 0)
        self->exemplars = zeros(arena, shape->n_exemplars * sizeof *self->exemplars);
    return (self->counts || self->exponential) && (self->exemplars || shape->n_exemplars == 0);
}

static bool make_name(struct ftri_span_series *self, struct ftri_arena *arena, size_t n_dimensions,
                      const struct ftri_span_view *span)
{
    self->kind = span->kind;
    self->status = span->status;
    self->is_estimated = span->is_estimated;
    self->dimensions = zeros(arena, (n_dimensions + 1) * sizeof *self->dimensions);
    if (!self->dimensions || !copy_text(arena, span->name, &self->name) ||
        !copy_text(arena, span->service, &self->service))
        return false;
    for (size_t i = 0; i < n_dimensions; i++) {
        ftr_value *mine = &self->dimensions[i];
        *mine = span->dimensions[i];
        mine->type = type_of(mine);
        if (mine->type == FTR_VALUE_STR && !copy_text(arena, mine->as.str, &mine->as.str))
            return false;
    }
    return true;
}

struct ftri_span_series *ftri_span_series_new(struct ftri_arena *arena,
                                              const struct ftri_span_shape *shape,
                                              const struct ftri_span_view *span)
{
    struct ftri_span_series *self = zeros(arena, sizeof *self);
    if (!self || !make_counters(self, arena, shape) ||
        !make_name(self, arena, shape->n_dimensions, span))
        return NULL;
    return self;
}
