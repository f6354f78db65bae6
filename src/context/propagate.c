/* SPDX-License-Identifier: Apache-2.0
 *
 * Context in and out of carriers (W3C Trace Context level 2). Any thread. */
#include "context/block.h"
#include "context/tracestate.h"

void ftr_inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char header[FTR_TRACEPARENT_LEN + 1];
    if (!ftr_traceparent_format(&context->span, header))
        return;
    carrier->set(fields, FTR_STR("traceparent"), (ftr_str){header, FTR_TRACEPARENT_LEN});
    const ftr_str tracestate = ftr_context_tracestate(context);
    if (tracestate.len > 0)
        carrier->set(fields, FTR_STR("tracestate"), tracestate);
}

ftr_context ftr_extract(const ftr_carrier *carrier, void *fields)
{
    ftr_context context = FTR_CONTEXT_NONE;
    const ftr_str traceparent = carrier->get(fields, FTR_STR("traceparent"));
    if (!traceparent.data || !ftr_traceparent_parse(ftri_trim(traceparent), &context.span))
        return context;
    const ftr_str tracestate = carrier->get(fields, FTR_STR("tracestate"));
    char text[FTRI_TRACESTATE_MAX];
    size_t len;
    if (tracestate.data && ftri_tracestate_read(tracestate, text, &len) && len > 0)
        context.block = ftri_context_block_new((ftr_str){text, len});
    return context;
}
