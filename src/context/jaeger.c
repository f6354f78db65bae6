/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's own fields (jaegertracing.io, client libraries, "Propagation format"):
 *
 *   uber-trace-id: {trace id}:{span id}:{parent id, ignored}:{flags}   flags: 1 sampled, 2 debug
 *   uberctx-{key}: {value}                                             one for each member of
 * baggage
 *
 * Ids may be short; the field, and the values, may be percent-encoded. Members are read where the
 * carrier can name its fields. */
#include "base/hex.h"
#include "base/text.h"
#include "context/baggage.h"
#include "context/block.h"
#include "context/propagator.h"

#include <string.h>
#include <strings.h>

enum { SAMPLED = 1, DEBUG = 2, FIELD_MAX = 128, NAMES_MOST = 1024 };
enum {
    TRACE_DIGITS = 32,
    SPAN_AT = TRACE_DIGITS + 1,
    REST_AT = SPAN_AT + 16,
    FORMATTED = REST_AT + 4
};

static const char prefix[] = "uberctx-";
enum { PREFIX_LEN = sizeof prefix - 1 };

static void inject_baggage(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char name[PREFIX_LEN + FTRI_BAGGAGE_BYTES];
    ftr_str rest = ftri_context_parts(context).baggage;
    struct ftri_baggage_member member;
    memcpy(name, prefix, PREFIX_LEN);
    while (ftri_baggage_next(&rest, &member)) {
        memcpy(name + PREFIX_LEN, member.key.data, member.key.len);
        carrier->set(fields, (ftr_str){name, PREFIX_LEN + member.key.len}, member.value);
    }
}

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    const ftr_span_context *span = &context->span;
    const bool is_sampled = (span->trace_flags & FTR_TRACE_FLAG_SAMPLED) != 0;
    const bool is_debug = ftri_context_parts(context).is_debug;
    char text[FORMATTED];
    if (ftr_trace_id_is_valid(&span->trace_id) && ftr_span_id_is_valid(&span->span_id)) {
        ftri_hex_encode(span->trace_id.bytes, 16, text);
        text[SPAN_AT - 1] = ':';
        ftri_hex_encode(span->span_id.bytes, 8, text + SPAN_AT);
        memcpy(text + REST_AT, ":0:", 3);
        text[FORMATTED - 1] = (char)('0' + (is_sampled ? SAMPLED : 0) + (is_debug ? DEBUG : 0));
        carrier->set(fields, FTR_STR("uber-trace-id"), (ftr_str){text, FORMATTED});
    }
    inject_baggage(context, carrier, fields);
}

/* One or two digits. */
static bool read_flags(ftr_str digits, uint8_t *ret_flags)
{
    char padded[2] = {'0', '0'};
    if (digits.len == 0 || digits.len > 2)
        return false;
    memcpy(padded + 2 - digits.len, digits.data, digits.len);
    return ftri_hex_decode(padded, 1, ret_flags);
}

static void extract_span(ftr_str field, ftr_context *context)
{
    char decoded[FIELD_MAX];
    ftr_span_context span = {0};
    ftr_str trace_id;
    ftr_str span_id;
    ftr_str parent;
    uint8_t flags;
    ftr_str rest = {decoded, field.data ? ftri_percent_decode(field, decoded, FIELD_MAX) : 0};
    if (rest.len > FIELD_MAX || !ftri_text_split(&rest, ':', &trace_id) ||
        !ftri_text_split(&rest, ':', &span_id) || !ftri_text_split(&rest, ':', &parent))
        return;
    if (!ftri_trace_id_read(trace_id, 1, &span.trace_id) ||
        !ftri_span_id_read(span_id, 1, &span.span_id) || !read_flags(rest, &flags))
        return;
    span.trace_flags = flags & SAMPLED ? FTR_TRACE_FLAG_SAMPLED : 0;
    ftri_context_set_remote(context, &span, (flags & DEBUG) != 0);
}

static void extract_baggage(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct ftri_baggage baggage;
    ftri_baggage_init(&baggage, parts.baggage);
    for (size_t nth = 0; carrier->name && nth < NAMES_MOST; nth++) {
        const ftr_str name = carrier->name(fields, nth);
        if (!name.data)
            break;
        if (name.len <= PREFIX_LEN || strncasecmp(name.data, prefix, PREFIX_LEN) != 0)
            continue;
        char key[FTRI_BAGGAGE_BYTES];
        const size_t key_len = name.len - PREFIX_LEN;
        if (key_len > sizeof key)
            continue;
        memcpy(key, name.data + PREFIX_LEN, key_len);
        const ftr_str value = carrier->get(fields, name, 0);
        if (value.data)
            (void)ftri_baggage_put(&baggage, (ftr_str){key, key_len}, value, FTR_STR(""));
    }
    parts.baggage = ftri_baggage_text(&baggage);
    (void)ftri_context_set_parts(context, &parts);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    extract_span(ftri_field_get(carrier, fields, FTR_STR("uber-trace-id")), context);
    extract_baggage(carrier, fields, context);
}

const struct ftri_propagator ftri_propagate_jaeger = {"jaeger", inject, extract};
