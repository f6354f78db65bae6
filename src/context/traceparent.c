/* SPDX-License-Identifier: Apache-2.0
 *
 * The traceparent header (W3C Trace Context level 2, section 3.2):
 *
 *     version "-" trace-id "-" parent-id "-" trace-flags [ "-" anything: later versions only ]
 *     2 hex       32 hex       16 hex        2 hex
 *
 * Hexadecimal digits are lower case; version ff and all-zero identifiers are invalid. User tracing
 * reads version 00 alone, with digits of either case, and keeps all flags. */
#include "base/hex.h"
#include "context/block.h"

#include <string.h>

enum { TRACE_ID_AT = 3, SPAN_ID_AT = 36, FLAGS_AT = 53, KNOWN_FLAGS = 3 };

static bool write_with(const ftr_span_context *span, uint8_t flags,
                       char ret_text[FTR_TRACEPARENT_LEN + 1])
{
    ret_text[0] = '\0';
    if (!ftr_trace_id_is_valid(&span->trace_id) || !ftr_span_id_is_valid(&span->span_id))
        return false;
    memcpy(ret_text, "00-", TRACE_ID_AT);
    ftri_hex_encode(span->trace_id.bytes, 16, ret_text + TRACE_ID_AT);
    ret_text[SPAN_ID_AT - 1] = '-';
    ftri_hex_encode(span->span_id.bytes, 8, ret_text + SPAN_ID_AT);
    ret_text[FLAGS_AT - 1] = '-';
    ftri_hex_encode(&flags, 1, ret_text + FLAGS_AT);
    ret_text[FTR_TRACEPARENT_LEN] = '\0';
    return true;
}

bool ftri_traceparent_write(const ftr_span_context *span, char ret_text[FTR_TRACEPARENT_LEN + 1])
{
    return write_with(span, span->trace_flags & KNOWN_FLAGS, ret_text);
}

bool ftri_traceparent_write_all(const ftr_span_context *span,
                                char ret_text[FTR_TRACEPARENT_LEN + 1])
{
    return write_with(span, span->trace_flags, ret_text);
}

bool ftr_traceparent_format(const ftr_span_context *span, char ret_text[FTR_TRACEPARENT_LEN + 1])
{
    ftri_context_leaves(span);
    return ftri_traceparent_write(span, ret_text);
}

/* Version 00 has exactly 55 characters; a later one may go on behind a further dash. */
static bool has_right_length(ftr_str header, uint8_t version)
{
    if (header.len == FTR_TRACEPARENT_LEN)
        return true;
    return version != 0 && header.len > FTR_TRACEPARENT_LEN &&
           header.data[FTR_TRACEPARENT_LEN] == '-';
}

typedef bool decode_digits(const char *text, size_t n_bytes, uint8_t *ret_bytes);

/* The fields behind the version. */
static bool read_fields(const char *text, decode_digits *decode, ftr_span_context *ret_span)
{
    ftr_span_context span = {.is_remote = true};
    if (text[TRACE_ID_AT - 1] != '-' || text[SPAN_ID_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!decode(text + TRACE_ID_AT, 16, span.trace_id.bytes) ||
        !decode(text + SPAN_ID_AT, 8, span.span_id.bytes) ||
        !decode(text + FLAGS_AT, 1, &span.trace_flags))
        return false;
    if (!ftr_trace_id_is_valid(&span.trace_id) || !ftr_span_id_is_valid(&span.span_id))
        return false;
    *ret_span = span;
    return true;
}

bool ftr_traceparent_parse(ftr_str header, ftr_span_context *ret_span)
{
    uint8_t version;
    ftr_span_context span;
    if (!header.data || header.len < FTR_TRACEPARENT_LEN ||
        !ftri_hex_decode_lower(header.data, 1, &version) || version == 0xff ||
        !has_right_length(header, version) ||
        !read_fields(header.data, ftri_hex_decode_lower, &span))
        return false;
    span.trace_flags &= KNOWN_FLAGS;
    *ret_span = span;
    return true;
}

bool ftr_user_traceparent_parse(ftr_str header, ftr_span_context *ret_span)
{
    return header.data && header.len == FTR_TRACEPARENT_LEN && memcmp(header.data, "00", 2) == 0 &&
           read_fields(header.data, ftri_hex_decode, ret_span);
}
