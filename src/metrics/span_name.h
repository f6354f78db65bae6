/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the series of a span: the hash of what names it, and whether a series is the one. Inline,
 * as both are most of what counting costs. */
#pragma once

#include "metrics/short_text.h"
#include "metrics/span_metrics.h"
#include "metrics/span_series.h"

/* A dimension is text, a boolean or a number; anything else is none. */
static inline ftr_value_type ftri_span_dimension_type(const ftr_value *value)
{
    return value->type <= FTR_VALUE_F64 ? value->type : FTR_VALUE_EMPTY;
}

static inline ftr_str ftri_span_dimension_bytes(const ftr_value *value)
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

static inline uint64_t ftri_span_hash(const struct ftri_span_service *service,
                                      const struct ftri_span_view *span, size_t n_dimensions)
{
    const uint32_t traits = ftri_span_traits(span->kind, span->status, span->is_estimated);
    uint64_t hash = ftri_short_hash(service->hash + traits, span->name);
    for (size_t i = 0; i < n_dimensions; i++) {
        const ftr_value *value = &span->dimensions[i];
        hash = ftri_short_hash(hash + ftri_span_dimension_type(value),
                               ftri_span_dimension_bytes(value));
    }
    return hash;
}

static inline bool ftri_span_is_of(const struct ftri_span_series *series,
                                   const struct ftri_span_service *service,
                                   const struct ftri_span_view *span, size_t n_dimensions)
{
    const uint32_t traits = ftri_span_traits(span->kind, span->status, span->is_estimated);
    if (series->traits != traits || series->service != service ||
        !ftri_short_same(ftri_span_name(series), span->name))
        return false;
    for (size_t i = 0; i < n_dimensions; i++) {
        const ftr_value *mine = &series->dimensions[i];
        const ftr_value *theirs = &span->dimensions[i];
        if (mine->type != ftri_span_dimension_type(theirs) ||
            !ftri_short_same(ftri_span_dimension_bytes(mine), ftri_span_dimension_bytes(theirs)))
            return false;
    }
    return true;
}
