/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's own fields (jaegertracing.io, client libraries, "Propagation format"):
 *
 *   uber-trace-id: {trace id}:{span id}:{parent id, ignored}:{flags}   flags: 1 sampled, 2 debug
 *   uberctx-{key}: {value}                                             one for each member of
 * baggage
 *
 * Ids may be short; the field, and the values, may be percent-encoded. Members are read where the
 * carrier can name its fields. The first value alone is the state text that traces are stitched
 * by. */
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

/* ---- a span ---- */

static uint8_t flags_of(const ftr_context *context)
{
    const bool is_sampled = (context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) != 0;
    return (uint8_t)((is_sampled ? SAMPLED : 0) |
                     (ftri_context_parts(context).is_debug ? DEBUG : 0));
}

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char text[FORMATTED];
    if (ftri_context_has_ids(context)) {
        ftri_hex_encode(context->span.trace_id.bytes, 16, text);
        text[SPAN_AT - 1] = ':';
        ftri_hex_encode(context->span.span_id.bytes, 8, text + SPAN_AT);
        memcpy(text + REST_AT, ":0:", 3);
        text[FORMATTED - 1] = (char)('0' + flags_of(context));
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

static bool read_state(ftr_str text, ftr_context *context)
{
    ftr_span_context span = {0};
    ftr_str trace_id;
    ftr_str span_id;
    ftr_str parent;
    uint8_t flags;
    if (!ftri_text_split(&text, ':', &trace_id) || !ftri_text_split(&text, ':', &span_id) ||
        !ftri_text_split(&text, ':', &parent))
        return false;
    if (!ftri_trace_id_read(trace_id, 1, &span.trace_id) ||
        !ftri_span_id_read(span_id, 1, &span.span_id) || !read_flags(text, &flags))
        return false;
    span.trace_flags = flags & SAMPLED ? FTR_TRACE_FLAG_SAMPLED : 0;
    ftri_context_set_remote(context, &span, (flags & DEBUG) != 0);
    return true;
}

static void extract_span(ftr_str field, ftr_context *context)
{
    char decoded[FIELD_MAX];
    const size_t len = field.data ? ftri_percent_decode(field, decoded, FIELD_MAX) : 0;
    if (len <= FIELD_MAX)
        (void)read_state((ftr_str){decoded, len}, context);
}

/* Without leading zeros; at least one digit is left. */
static char *put_digits(char *at, const uint8_t *bytes, size_t n_bytes)
{
    char digits[TRACE_DIGITS];
    const size_t n = 2 * n_bytes;
    size_t i = 0;
    ftri_hex_encode(bytes, n_bytes, digits);
    while (i < n - 1 && digits[i] == '0')
        i++;
    memcpy(at, digits + i, n - i);
    return at + n - i;
}

bool ftr_state_text_format(const ftr_context *context, char ret_text[FTR_STATE_TEXT_LEN + 1])
{
    _Static_assert((int)FTR_STATE_TEXT_LEN == (int)FORMATTED, "the padded form is the longest");
    ret_text[0] = '\0';
    if (!ftri_context_has_ids(context))
        return false;
    char *at = put_digits(ret_text, context->span.trace_id.bytes, 16);
    *at++ = ':';
    at = put_digits(at, context->span.span_id.bytes, 8);
    memcpy(at, ":0:", 3);
    at[3] = (char)('0' + flags_of(context));
    at[4] = '\0';
    return true;
}

bool ftr_state_text_parse(ftr_str text, ftr_context *ret_context)
{
    *ret_context = FTR_CONTEXT_NONE;
    return text.data && read_state(text, ret_context);
}

/* ---- baggage ---- */

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
