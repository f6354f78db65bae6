/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS X-Ray's field:
 *
 *   X-Amzn-Trace-Id: Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled={0, 1 or ?}
 *
 * in any order and with other parts, which are not passed on. Both numbers of Root together are the
 * trace id. Without a decision: not sampled. */
#include "base/hex.h"
#include "base/text.h"
#include "context/propagator.h"

#include <string.h>

enum { TIME_DIGITS = 8, UNIQUE_DIGITS = 24, ROOT_LEN = 2 + TIME_DIGITS + 1 + UNIQUE_DIGITS };
enum { SPAN_DIGITS = 16, FIELD_MOST = 1024 };

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    const ftr_span_context *span = &context->span;
    char text[] = "Root=1-01234567-012345678901234567890123;Parent=0123456789012345;Sampled=0";
    char trace_id[TIME_DIGITS + UNIQUE_DIGITS];
    if (!ftr_trace_id_is_valid(&span->trace_id) || !ftr_span_id_is_valid(&span->span_id))
        return;
    ftri_hex_encode(span->trace_id.bytes, 16, trace_id);
    memcpy(strchr(text, '-') + 1, trace_id, TIME_DIGITS);
    memcpy(strrchr(text, '-') + 1, trace_id + TIME_DIGITS, UNIQUE_DIGITS);
    ftri_hex_encode(span->span_id.bytes, 8, strstr(text, "Parent=") + strlen("Parent="));
    if (span->trace_flags & FTR_TRACE_FLAG_SAMPLED)
        text[sizeof text - 2] = '1';
    carrier->set(fields, FTR_STR("X-Amzn-Trace-Id"), (ftr_str){text, sizeof text - 1});
}

static bool read_root(ftr_str root, ftr_trace_id *ret_id)
{
    char digits[TIME_DIGITS + UNIQUE_DIGITS];
    if (root.len != ROOT_LEN || memcmp(root.data, "1-", 2) != 0 ||
        root.data[2 + TIME_DIGITS] != '-')
        return false;
    memcpy(digits, root.data + 2, TIME_DIGITS);
    memcpy(digits + TIME_DIGITS, root.data + 2 + TIME_DIGITS + 1, UNIQUE_DIGITS);
    return ftri_trace_id_read((ftr_str){digits, sizeof digits}, sizeof digits, ret_id);
}

/* False: a part that is known and wrong. */
static bool read_part(ftr_str part, ftr_span_context *span)
{
    ftr_str value = part;
    ftr_str name;
    if (!ftri_text_split(&value, '=', &name))
        return true;
    name = ftri_trim(name);
    value = ftri_trim(value);
    if (ftri_text_is(name, "Root"))
        return read_root(value, &span->trace_id);
    if (ftri_text_is(name, "Parent"))
        return ftri_span_id_read(value, SPAN_DIGITS, &span->span_id);
    if (!ftri_text_is(name, "Sampled"))
        return true;
    span->trace_flags = ftri_text_is(value, "1") ? FTR_TRACE_FLAG_SAMPLED : 0;
    return value.len == 1 && strchr("01?", value.data[0]);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    ftr_str rest = ftri_field_get(carrier, fields, FTR_STR("X-Amzn-Trace-Id"));
    ftr_span_context span = {0};
    if (rest.len > FIELD_MOST)
        return;
    for (ftr_str part; ftri_text_split(&rest, ';', &part);)
        if (!read_part(part, &span))
            return;
    if (ftr_trace_id_is_valid(&span.trace_id) && ftr_span_id_is_valid(&span.span_id))
        ftri_context_set_remote(context, &span, false);
}

const struct ftri_propagator ftri_propagate_xray = {"xray", inject, extract};
