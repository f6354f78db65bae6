/* SPDX-License-Identifier: Apache-2.0
 *
 * W3C Trace Context level 2: the fields traceparent (once) and tracestate (any number, read as one
 * list). Without a valid traceparent the tracestate is not looked at; a malformed tracestate is
 * dropped alone. */
#include "base/text.h"
#include "context/block.h"
#include "context/propagator.h"
#include "context/tracestate.h"

#include <string.h>

/* 32 members of 513 characters, and spaces between them; of fields, empty ones included, what
 * leaves the search for each bounded. */
enum { JOINED_MAX = 20 * 1024, FIELDS_MAX = 256 };

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char header[FTR_TRACEPARENT_LEN + 1];
    if (!ftri_traceparent_write(&context->span, header))
        return;
    carrier->set(fields, FTR_STR("traceparent"), (ftr_str){header, FTR_TRACEPARENT_LEN});
    const ftr_str tracestate = ftr_context_tracestate(context);
    if (tracestate.len > 0)
        carrier->set(fields, FTR_STR("tracestate"), tracestate);
}

/* All fields with commas between them; false: more than room. */
static bool join(const ftr_carrier *carrier, void *fields, char *room, size_t *ret_len)
{
    size_t len = 0;
    for (size_t nth = 0;; nth++) {
        const ftr_str value = carrier->get(fields, FTR_STR("tracestate"), nth);
        if (!value.data) {
            *ret_len = len;
            return true;
        }
        if (value.len > FTRI_FIELD_BYTES)
            return false;
        const ftr_str text = ftri_trim(value);
        if (nth == FIELDS_MAX || text.len >= JOINED_MAX - len)
            return false;
        if (nth > 0)
            room[len++] = ',';
        memcpy(room + len, text.data, text.len);
        len += text.len;
    }
}

static ftr_str read_tracestate(const ftr_carrier *carrier, void *fields,
                               char ret_text[FTRI_TRACESTATE_MAX])
{
    char joined[JOINED_MAX];
    size_t len;
    if (join(carrier, fields, joined, &len) &&
        ftri_tracestate_read((ftr_str){joined, len}, ret_text, &len))
        return (ftr_str){ret_text, len};
    return FTR_STR("");
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    ftr_span_context span;
    const ftr_str traceparent = ftri_field_get(carrier, fields, FTR_STR("traceparent"));
    if (!traceparent.data || !ftr_traceparent_parse(traceparent, &span))
        return;
    char text[FTRI_TRACESTATE_MAX];
    ftri_context_set_remote(context, &span, false);
    struct ftri_context_parts parts = ftri_context_parts(context);
    parts.tracestate = read_tracestate(carrier, fields, text);
    (void)ftri_context_set_parts(context, &parts);
}

const struct ftri_propagator ftri_propagate_tracecontext = {"tracecontext", inject, extract};
