/* SPDX-License-Identifier: Apache-2.0
 *
 * B3 (openzipkin/b3-propagation), in one field or in several:
 *
 *   b3: {trace id}-{span id}[-{0, 1 or d}[-{parent id}]]
 *   X-B3-TraceId, X-B3-SpanId, X-B3-Sampled: 0 or 1, X-B3-Flags: 1 for debug
 *
 * Trace ids have 16 or 32 lower-case digits. Debug is sampled, and stays debug further on. Both
 * read both forms, the single field first, as OpenTelemetry demands. A decision without ids ("b3:
 * 0") is no context. */
#include "base/hex.h"
#include "base/text.h"
#include "context/block.h"
#include "context/propagator.h"

#include <string.h>

enum { TRACE_DIGITS = 32, SPAN_DIGITS = 16, SHORT_TRACE_DIGITS = 16 };
enum { SPAN_AT = TRACE_DIGITS + 1, SAMPLED_AT = SPAN_AT + SPAN_DIGITS + 1, SINGLE_LEN };

struct sampling {
    bool is_sampled;
    bool is_debug;
};

static bool has_ids(const ftr_context *context)
{
    return ftr_trace_id_is_valid(&context->span.trace_id) &&
           ftr_span_id_is_valid(&context->span.span_id);
}

static struct sampling sampling_of(const ftr_context *context)
{
    return (struct sampling){(context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) != 0,
                             ftri_context_parts(context).is_debug};
}

static void inject_single(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    const struct sampling sampling = sampling_of(context);
    char text[SINGLE_LEN];
    if (!has_ids(context))
        return;
    ftri_hex_encode(context->span.trace_id.bytes, 16, text);
    text[SPAN_AT - 1] = '-';
    ftri_hex_encode(context->span.span_id.bytes, 8, text + SPAN_AT);
    text[SAMPLED_AT - 1] = '-';
    text[SAMPLED_AT] = sampling.is_debug ? 'd' : sampling.is_sampled ? '1' : '0';
    carrier->set(fields, FTR_STR("b3"), (ftr_str){text, SINGLE_LEN});
}

static void inject_multi(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    const struct sampling sampling = sampling_of(context);
    char trace_id[TRACE_DIGITS];
    char span_id[SPAN_DIGITS];
    if (!has_ids(context))
        return;
    ftri_hex_encode(context->span.trace_id.bytes, 16, trace_id);
    ftri_hex_encode(context->span.span_id.bytes, 8, span_id);
    carrier->set(fields, FTR_STR("X-B3-TraceId"), (ftr_str){trace_id, TRACE_DIGITS});
    carrier->set(fields, FTR_STR("X-B3-SpanId"), (ftr_str){span_id, SPAN_DIGITS});
    if (sampling.is_debug)
        carrier->set(fields, FTR_STR("X-B3-Flags"), FTR_STR("1"));
    else
        carrier->set(fields, FTR_STR("X-B3-Sampled"),
                     sampling.is_sampled ? FTR_STR("1") : FTR_STR("0"));
}

static bool read_trace_id(ftr_str digits, ftr_trace_id *ret_id)
{
    return (digits.len == TRACE_DIGITS || digits.len == SHORT_TRACE_DIGITS) &&
           ftri_trace_id_read(digits, SHORT_TRACE_DIGITS, ret_id);
}

/* An absent decision is left to whoever comes next: not sampled here. */
static bool read_sampling(ftr_str text, struct sampling *ret_sampling)
{
    ret_sampling->is_debug = ftri_text_is(text, "d");
    ret_sampling->is_sampled = ret_sampling->is_debug || ftri_text_is(text, "1") ||
                               ftri_text_same_word(text, FTR_STR("true"));
    return ret_sampling->is_sampled || text.len == 0 || ftri_text_is(text, "0") ||
           ftri_text_same_word(text, FTR_STR("false"));
}

static void set(ftr_context *context, ftr_span_context *span, struct sampling sampling)
{
    span->trace_flags = sampling.is_sampled ? FTR_TRACE_FLAG_SAMPLED : 0;
    ftri_context_set_remote(context, span, sampling.is_debug);
}

/* False: not there or not valid. */
static bool extract_single(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    ftr_str rest = ftri_field_get(carrier, fields, FTR_STR("b3"));
    ftr_str trace_id;
    ftr_str span_id;
    ftr_str decision = {0};
    ftr_str parent = {0};
    ftr_span_context span = {0};
    ftr_span_id ignored;
    struct sampling sampling;
    if (!rest.data || !ftri_text_split(&rest, '-', &trace_id) ||
        !ftri_text_split(&rest, '-', &span_id))
        return false;
    const bool has_parent =
        ftri_text_split(&rest, '-', &decision) && ftri_text_split(&rest, '-', &parent);
    if (rest.len || (has_parent && !ftri_span_id_read(parent, SPAN_DIGITS, &ignored)) ||
        !read_trace_id(trace_id, &span.trace_id) ||
        !ftri_span_id_read(span_id, SPAN_DIGITS, &span.span_id) ||
        !read_sampling(decision, &sampling))
        return false;
    set(context, &span, sampling);
    return true;
}

static void extract_multi(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    ftr_span_context span = {0};
    struct sampling sampling;
    if (!read_trace_id(ftri_field_get(carrier, fields, FTR_STR("X-B3-TraceId")), &span.trace_id) ||
        !ftri_span_id_read(ftri_field_get(carrier, fields, FTR_STR("X-B3-SpanId")), SPAN_DIGITS,
                           &span.span_id) ||
        !read_sampling(ftri_field_get(carrier, fields, FTR_STR("X-B3-Sampled")), &sampling))
        return;
    if (ftri_text_is(ftri_field_get(carrier, fields, FTR_STR("X-B3-Flags")), "1"))
        sampling = (struct sampling){true, true};
    set(context, &span, sampling);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    if (!extract_single(carrier, fields, context))
        extract_multi(carrier, fields, context);
}

const struct ftri_propagator ftri_propagate_b3 = {"b3", inject_single, extract};
const struct ftri_propagator ftri_propagate_b3_multi = {"b3multi", inject_multi, extract};
