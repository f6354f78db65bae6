/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the fields of a request, "name: value" a line, read by each propagator. What was
 * read is bounded, and written and read again it is the same. */
#include "base/text.h"
#include "context/baggage.h"

#include <flowtrace/propagation.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MOST = 256, TEXT_BYTES = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static size_t read_fields(ftr_str text, ftr_field fields[FIELDS_MOST])
{
    size_t n = 0;
    for (ftr_str line; n < FIELDS_MOST && ftri_text_split(&text, '\n', &line);) {
        ftr_str name;
        if (ftri_text_split(&line, ':', &name))
            fields[n++] = (ftr_field){ftri_trim(name), ftri_trim(line)};
    }
    return n;
}

static bool is_same(const ftr_context *a, const ftr_context *b)
{
    return memcmp(&a->span, &b->span, sizeof a->span) == 0 &&
           ftri_text_same(ftr_context_tracestate(a), ftr_context_tracestate(b)) &&
           ftri_text_same(ftr_context_baggage(a), ftr_context_baggage(b));
}

/* What one propagator read comes back through it. */
static void pass_on(ftr_propagator propagator, const ftr_context *context)
{
    static ftr_field fields[FIELDS_MOST];
    static char text[TEXT_BYTES];
    ftr_field_list list = {
        .fields = fields, .capacity = FIELDS_MOST, .text = text, .text_capacity = TEXT_BYTES};
    ftr_context again = FTR_CONTEXT_NONE;
    ftr_inject_as(propagator, context, &ftr_map_carrier, &list);
    demand(list.n_left_out == 0);
    ftr_extract_as(propagator, &ftr_map_carrier, &list, &again);
    demand(is_same(context, &again));
    ftr_context_release(&again);
}

/* Of the trace id that one passes on half, and nothing if that is 0. */
static bool passes_on(ftr_propagator propagator, ftr_context *context)
{
    if (propagator == FTR_PROPAGATOR_OT_TRACE)
        memset(context->span.trace_id.bytes, 0, 8);
    return propagator != FTR_PROPAGATOR_OT_TRACE || ftr_trace_id_is_valid(&context->span.trace_id);
}

static void check_bounds(const ftr_context *context)
{
    const ftr_str baggage = ftr_context_baggage(context);
    size_t n = baggage.len > 0;
    for (size_t i = 0; i < baggage.len; i++) {
        demand(baggage.data[i] >= ' ' || baggage.data[i] == '\t');
        n += baggage.data[i] == ',';
    }
    demand(baggage.len <= FTRI_BAGGAGE_BYTES && n <= FTRI_BAGGAGE_MEMBERS);
    demand(ftr_trace_id_is_valid(&context->span.trace_id) ==
           ftr_span_id_is_valid(&context->span.span_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ftr_field fields[FIELDS_MOST];
    ftr_field_list list = {.fields = fields};
    list.n_fields = read_fields((ftr_str){(const char *)data, size}, fields);
    for (int i = FTR_PROPAGATOR_TRACECONTEXT; i <= FTR_PROPAGATOR_OT_TRACE; i++) {
        ftr_context context = FTR_CONTEXT_NONE;
        ftr_extract_as((ftr_propagator)i, &ftr_http_carrier, &list, &context);
        check_bounds(&context);
        if (passes_on((ftr_propagator)i, &context))
            pass_on((ftr_propagator)i, &context);
        ftr_context_release(&context);
    }
    return 0;
}
