/* SPDX-License-Identifier: Apache-2.0
 *
 * A span in one line of text, what Jaeger's uber-trace-id holds and what traces are stitched by:
 *
 *   {trace id}:{span id}:{parent id, ignored}:{flags}        flags: 1 sampled, 2 debug
 *
 * Ids may be short. */
#include "base/hex.h"
#include "base/text.h"
#include "context/block.h"
#include "context/propagator.h"

#include <string.h>

enum { SAMPLED = 1, DEBUG = 2, DIGITS_MOST = 32 };

static uint8_t flags_of(const ftr_context *context)
{
    const bool is_sampled = (context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) != 0;
    return (uint8_t)((is_sampled ? SAMPLED : 0) |
                     (ftri_context_parts(context).is_debug ? DEBUG : 0));
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

bool ftri_state_text_read(ftr_str text, ftr_context *context)
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

/* Without leading zeros at least one digit is left. */
static char *put_digits(char *at, const uint8_t *bytes, size_t n_bytes, bool is_padded)
{
    char digits[DIGITS_MOST];
    const size_t n = 2 * n_bytes;
    size_t i = 0;
    ftri_hex_encode(bytes, n_bytes, digits);
    while (!is_padded && i < n - 1 && digits[i] == '0')
        i++;
    memcpy(at, digits + i, n - i);
    return at + n - i;
}

size_t ftri_state_text_write(const ftr_context *context, bool is_padded,
                             char ret_text[FTR_STATE_TEXT_LEN + 1])
{
    ret_text[0] = '\0';
    if (!ftri_context_has_ids(context))
        return 0;
    char *at = put_digits(ret_text, context->span.trace_id.bytes, 16, is_padded);
    *at++ = ':';
    at = put_digits(at, context->span.span_id.bytes, 8, is_padded);
    memcpy(at, ":0:", 3);
    at[3] = (char)('0' + flags_of(context));
    at[4] = '\0';
    return (size_t)(at + 4 - ret_text);
}

bool ftr_state_text_format(const ftr_context *context, char ret_text[FTR_STATE_TEXT_LEN + 1])
{
    ftri_context_leaves(&context->span);
    return ftri_state_text_write(context, false, ret_text) > 0;
}

bool ftr_state_text_parse(ftr_str text, ftr_context *ret_context)
{
    *ret_context = FTR_CONTEXT_NONE;
    return text.data && ftri_state_text_read(text, ret_context);
}
