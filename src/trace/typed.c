/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes by the C type of their value, and what a span has besides: times, its callback. */
#include "trace/span.h"

#include "context/block.h"

#include <inttypes.h>
#include <stdio.h>

extern inline void ftr_span_set_value(ftr_span span, ftr_str key, ftr_value value);
extern inline void ftr_span_set_text(ftr_span span, ftr_str key, const char *text);

void ftr_span_set_u64(ftr_span span, ftr_str key, uint64_t value)
{
    char digits[24];
    if (value <= INT64_MAX) {
        ftr_span_set_i64(span, key, (int64_t)value);
        return;
    }
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    ftr_span_set_text(span, key, digits);
}

void ftr_span_set_f64(ftr_span span, ftr_str key, double value)
{
    const ftr_value number = ftr_value_f64(value);
    ftr_span_set(span, key, &number);
}

void ftr_span_set_bool(ftr_span span, ftr_str key, bool value)
{
    const ftr_value boolean = ftr_value_bool(value);
    ftr_span_set(span, key, &boolean);
}

void ftr_span_set_bytes(ftr_span span, ftr_str key, const void *data, size_t len)
{
    const ftr_value bytes = ftr_value_bytes(data, len);
    ftr_span_set(span, key, &bytes);
}

void ftr_span_set_start_time(ftr_span span, uint64_t start_time_ns)
{
    struct ftri_open open;
    if (span.generation == 0 || !ftri_span_open(span, &open))
        return;
    open.slot->record.start = start_time_ns;
    open.slot->record.bits |= FTRI_RECORD_START_IS_WALL;
}

void ftr_span_set_end_time(ftr_span span, uint64_t end_time_ns)
{
    struct ftri_open open;
    if (span.generation == 0 || !ftri_span_open(span, &open))
        return;
    open.slot->record.end = end_time_ns;
    open.slot->record.size = 0; /* not the quickest way */
    open.slot->at_end |= FTRI_END_IS_SET;
}

void ftr_span_skip_finish_callback(ftr_span span)
{
    struct ftri_open open;
    if (span.generation != 0 && ftri_span_open(span, &open))
        open.slot->at_end &= (uint16_t)~FTRI_END_CALLS_BACK;
}

void ftr_finish_with_traceparent(void *state, ftr_span span)
{
    (void)state;
    char text[FTR_TRACEPARENT_LEN + 1];
    ftr_context context = ftr_span_context_of(span);
    const ftr_str tracestate = ftr_context_tracestate(&context);
    if (ftri_traceparent_write(&context.span, text))
        ftr_span_set_text(span, FTR_STR("traceparent"), text);
    if (tracestate.len > 0)
        ftr_span_set_str(span, FTR_STR("tracestate"), tracestate);
    ftr_context_release(&context);
}
