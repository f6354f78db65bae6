/* SPDX-License-Identifier: Apache-2.0
 *
 * One context in all forms: each propagator reads what each wrote, over each carrier, with baggage,
 * tracestate and inherited fields. What memory is short for is left out; ids never are wrong. */
#include "library.h"

#include <flowtrace/propagation.h>
#include <string.h>

enum { FIELDS = 24, TEXT_BYTES = 4096, CARRIERS = 4 };
enum { FORMS = FTR_PROPAGATOR_OT_TRACE, TRACES = FORMS - 1 }; /* baggage is none */

static size_t n_read, n_spans;

static bool has_trace(const ftr_context *context)
{
    const ftr_trace_id *id = &context->span.trace_id;
    const bool is_any = ftr_trace_id_is_valid(id);
    EXPECT(!is_any || (id->bytes[15] == 7 && context->span.span_id.bytes[7] == 8));
    return is_any;
}

static void carry(ftr_propagator propagator, const ftr_carrier *carrier, const ftr_context *context)
{
    ftr_field fields[FIELDS];
    char text[TEXT_BYTES];
    ftr_field_list list = {
        .fields = fields, .capacity = FIELDS, .text = text, .text_capacity = sizeof text};
    ftr_inject_as(propagator, context, carrier, &list);
    ftr_context read = FTR_CONTEXT_NONE;
    ftr_extract_as(propagator, carrier, &list, &read);
    n_read += has_trace(&read);
    const ftr_span span = ftr_span_start(FTR_STR("read"), FTR_KIND_SERVER, &read);
    n_spans++;
    ftr_span_end(span);
    ftr_context_release(&read);
}

static ftr_context make_context(void)
{
    ftr_field fields[] = {
        {FTR_STR("traceparent"),
         FTR_STR("00-00000000000000000000000000000007-0000000000000008-01")},
        {FTR_STR("tracestate"), FTR_STR("vendor=some-opaque-value,other=1")},
        {FTR_STR("baggage"), FTR_STR("customer=7,region=north;kept")},
    };
    ftr_field_list headers = {.fields = fields, .n_fields = 3};
    const ftr_value job = ftr_value_str(FTR_STR("nightly"));
    ftr_context context = ftr_extract(&ftr_http_carrier, &headers);
    EXPECT(has_trace(&context));
    (void)ftr_baggage_set(&context, FTR_STR("note"), FTR_STR("a b"));
    (void)ftr_context_set_field(&context, FTR_STR("job_id"), &job);
    return context;
}

static void act(void)
{
    static const ftr_carrier *const carriers[CARRIERS] = {&ftr_http_carrier, &ftr_grpc_carrier,
                                                          &ftr_kafka_carrier, &ftr_map_carrier};
    char text[FTR_STATE_TEXT_LEN + 1];
    ftr_context context = make_context();
    n_read = n_spans = 0;
    for (int i = 1; i <= FORMS; i++)
        for (int k = 0; k < CARRIERS; k++)
            carry((ftr_propagator)i, carriers[k], &context);
    EXPECT(ftr_state_text_format(&context, text));
    ftr_context stitched;
    EXPECT(ftr_state_text_parse(ftr_str_from(text), &stitched) && has_trace(&stitched));
    ftr_context_release(&stitched);
    (void)ftr_context_remove_field(&context, FTR_STR("job_id"));
    ftr_baggage_remove(&context, FTR_STR("customer"));
    ftr_context_release(&context);
}

static void check(const struct library *self, bool is_whole)
{
    (void)is_whole;
    EXPECT(n_read == TRACES * CARRIERS);
    EXPECT(self->status != FTR_OK ||
           self->statistics.started + self->statistics.no_slot == n_spans);
}

void torture_run(void)
{
    static const struct library_use use = {
        .act = act, .check = check, .n_delivered = FORMS * CARRIERS};
    library_run(&use);
}
