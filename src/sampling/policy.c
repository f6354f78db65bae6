/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/policy.h"

#include "base/text.h"
#include "sampling/ot_state.h"
#include "sampling/threshold.h"

#include <flowtrace/exporter.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* As flow/names.c has them by any convention; unit/flow/names_test.c finds them the same. */
#define DROP_REASON FTR_STR("drop.reason")
static const ftr_str drop_events[] = {
    {"flow.drop", 9}, {"otelcol.node.drop", 17}, {"message.dropped", 15}};

static const char *const names[FTR_TAIL_REASONS] = {
    [FTR_TAIL_ERROR] = "error",         [FTR_TAIL_DROP] = "drop",   [FTR_TAIL_LATENCY] = "latency",
    [FTR_TAIL_ATTRIBUTE] = "attribute", [FTR_TAIL_SHARE] = "share", [FTR_TAIL_MODE] = "mode",
    [FTR_TAIL_CROSSED] = "crossed",
};

const char *ftri_reason_name(ftr_tail_reason reason)
{
    return (size_t)reason < FTRI_COUNT(names) && names[reason] ? names[reason] : "unknown";
}

/* Most texts differ in length. */
static inline bool same_text(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static bool is_drop(ftr_str event)
{
    for (size_t i = 0; i < FTRI_COUNT(drop_events); i++)
        if (same_text(event, drop_events[i]))
            return true;
    return false;
}

static bool has_drop(const struct ftri_flow_span *span)
{
    for (size_t i = 0; i < span->n_attributes; i++)
        if (same_text(span->attributes[i].key, DROP_REASON))
            return true;
    for (size_t i = 0; i < span->n_events; i++)
        if (is_drop(span->events[i].name))
            return true;
    return false;
}

ftr_str ftri_policy_key(const struct ftri_policy *self, size_t i)
{
    const size_t n_of_drops = self->keeps_drops ? 1 + FTRI_COUNT(drop_events) : 0;
    if (i < n_of_drops)
        return i == 0 ? DROP_REASON : drop_events[i - 1];
    i -= n_of_drops;
    return i < self->n_attributes ? self->attributes[i].key : (ftr_str){NULL, 0};
}

/* Fractions, arrays and the like have no text to compare. */
static bool has_text(const ftr_value *value, ftr_str wanted)
{
    char digits[24];
    switch (value->type) {
    case FTR_VALUE_STR:
        return ftri_text_same(value->as.str, wanted);
    case FTR_VALUE_BOOL:
        return ftri_text_is(wanted, value->as.boolean ? "true" : "false");
    case FTR_VALUE_I64:
        snprintf(digits, sizeof digits, "%" PRId64, value->as.i64);
        return ftri_text_is(wanted, digits);
    default:
        return false;
    }
}

static bool matches(const ftr_tail_attribute *wanted, const ftr_attribute *attribute)
{
    return same_text(wanted->key, attribute->key) &&
           (!wanted->value.data || has_text(&attribute->value, wanted->value));
}

static bool has_wanted(const struct ftri_policy *self, const struct ftri_flow_span *span)
{
    for (size_t i = 0; i < self->n_attributes; i++)
        for (size_t k = 0; k < span->n_attributes; k++)
            if (matches(&self->attributes[i], &span->attributes[k]))
                return true;
    return false;
}

static bool is_in_share(const struct ftri_policy *self, const struct ftri_flow_span *span)
{
    if (self->threshold >= FTRI_THRESHOLD_NEVER)
        return false;
    if (FTRI_LIKELY(span->tracestate.len == 0)) /* most new traces */
        return ftri_randomness_of(&span->trace_id) >= self->threshold;
    const struct ftri_ot_state ot = ftri_ot_read(span->tracestate);
    return ftri_ot_randomness(&ot, &span->trace_id) >= self->threshold;
}

uint32_t ftri_policy_judge_plain(const struct ftri_policy *self, const struct ftri_flow_span *span)
{
    uint32_t reasons = span->reasons;
    if (self->keeps_errors && span->is_error)
        reasons |= FTRI_REASON(FTR_TAIL_ERROR);
    if (ftri_policy_is_long(self, span->start_ns, span->end_ns))
        reasons |= FTRI_REASON(FTR_TAIL_LATENCY);
    if (is_in_share(self, span))
        reasons |= FTRI_REASON(FTR_TAIL_SHARE);
    return reasons;
}

uint32_t ftri_policy_judge(const struct ftri_policy *self, const struct ftri_flow_span *span)
{
    uint32_t reasons = ftri_policy_judge_plain(self, span);
    if (self->keeps_drops && has_drop(span))
        reasons |= FTRI_REASON(FTR_TAIL_DROP);
    if (has_wanted(self, span))
        reasons |= FTRI_REASON(FTR_TAIL_ATTRIBUTE);
    return reasons;
}
