/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of OpenTracing's basic tracers (opentracing/basictracer-python, text_propagator), as
 * OpenTelemetry's SDKs read and write them:
 *
 *   ot-tracer-traceid: {hexadecimal}   the last 64 bits of the trace id
 *   ot-tracer-spanid: {hexadecimal}
 *   ot-tracer-sampled: true or false   also 1; anything else is no decision: not sampled
 *   ot-baggage-{key}: {value}          one for each member of baggage, not encoded
 *
 * Some leave leading zeros out, so ids of any length are read. Baggage counts beside ids only. */
#include "base/hex.h"
#include "base/text.h"
#include "context/propagator.h"

#include <string.h>

enum { ID_BYTES = 8, ID_DIGITS = 2 * ID_BYTES };

static const ftr_str trace_field = {"ot-tracer-traceid", 17};
static const ftr_str span_field = {"ot-tracer-spanid", 16};
static const ftr_str sampled_field = {"ot-tracer-sampled", 17};
static const ftr_str prefix = {"ot-baggage-", 11};

/* Other tracers would take a trace id whose last 64 bits are 0 for none. */
static bool has_short_id(const ftr_span_context *span)
{
    ftr_span_id last;
    memcpy(last.bytes, span->trace_id.bytes + ID_BYTES, ID_BYTES);
    return ftr_span_id_is_valid(&last) && ftr_span_id_is_valid(&span->span_id);
}

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    const ftr_span_context *span = &context->span;
    char digits[ID_DIGITS];
    if (!has_short_id(span))
        return;
    ftri_hex_encode(span->trace_id.bytes + ID_BYTES, ID_BYTES, digits);
    carrier->set(fields, trace_field, (ftr_str){digits, ID_DIGITS});
    ftri_hex_encode(span->span_id.bytes, ID_BYTES, digits);
    carrier->set(fields, span_field, (ftr_str){digits, ID_DIGITS});
    carrier->set(fields, sampled_field,
                 span->trace_flags & FTR_TRACE_FLAG_SAMPLED ? FTR_STR("true") : FTR_STR("false"));
    ftri_members_inject(context, prefix, FTRI_MEMBERS_DECODED, carrier, fields);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    ftr_span_context span = {0};
    if (!ftri_trace_id_read(ftri_field_get(carrier, fields, trace_field), 1, &span.trace_id) ||
        !ftri_span_id_read(ftri_field_get(carrier, fields, span_field), 1, &span.span_id))
        return;
    const ftr_str sampled = ftri_field_get(carrier, fields, sampled_field);
    if (ftri_text_same_word(sampled, FTR_STR("true")) || ftri_text_is(sampled, "1"))
        span.trace_flags = FTR_TRACE_FLAG_SAMPLED;
    ftri_context_set_remote(context, &span, false);
    ftri_members_extract(prefix, FTRI_MEMBERS_DECODED, carrier, fields, context);
}

const struct ftri_propagator ftri_propagate_ot_trace = {"ottrace", inject, extract};
