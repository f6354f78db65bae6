/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's own fields (jaegertracing.io, client libraries, "Propagation format"):
 *
 *   uber-trace-id: {trace id}:{span id}:0:{flags}   see state_text.c
 *   uberctx-{key}: {value}                          one for each member of baggage
 *
 * The field, and the values, may be percent-encoded. */
#include "base/text.h"
#include "context/propagator.h"

enum { FIELD_MAX = 128 };

static const ftr_str prefix = {"uberctx-", 8};

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char text[FTR_STATE_TEXT_LEN + 1];
    const size_t len = ftri_state_text_write(context, true, text);
    if (len > 0)
        carrier->set(fields, FTR_STR("uber-trace-id"), (ftr_str){text, len});
    ftri_members_inject(context, prefix, FTRI_MEMBERS_ENCODED, carrier, fields);
}

static void extract_span(ftr_str field, ftr_context *context)
{
    char decoded[FIELD_MAX];
    const size_t len = field.data ? ftri_percent_decode(field, decoded, FIELD_MAX) : 0;
    if (len <= FIELD_MAX)
        (void)ftri_state_text_read((ftr_str){decoded, len}, context);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    extract_span(ftri_field_get(carrier, fields, FTR_STR("uber-trace-id")), context);
    ftri_members_extract(prefix, FTRI_MEMBERS_ENCODED, carrier, fields, context);
}

const struct ftri_propagator ftri_propagate_jaeger = {"jaeger", inject, extract};
