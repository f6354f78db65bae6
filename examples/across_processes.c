/* SPDX-License-Identifier: Apache-2.0
 *
 * A trace that goes on in another process: the sender writes its context and some baggage into the
 * headers of a request, the receiver goes on below. Both are here in one program.
 * OTEL_PROPAGATORS=b3,baggage (or jaeger, xray, ottrace, tracecontext) chooses the headers. */
#include <flowtrace/flowtrace.h>

#include <stdio.h>

enum { HEADERS = 8, TEXT = 1024 };

static void send_request(ftr_field_list *headers)
{
    const ftr_span span = ftr_span_start(FTR_STR("send"), FTR_KIND_CLIENT, NULL);
    ftr_context context = ftr_span_context_of(span);
    ftr_baggage_set(&context, FTR_STR("customer"), FTR_STR("Jos\xc3\xa9 & sons"));
    ftr_inject(&context, &ftr_http_carrier, headers);
    ftr_context_release(&context);
    ftr_span_end(span);
}

static void take_request(ftr_field_list *headers)
{
    ftr_context context = ftr_extract(&ftr_http_carrier, headers);
    const ftr_span span = ftr_span_start(FTR_STR("take"), FTR_KIND_SERVER, &context);
    char customer[64];
    size_t len;
    if (ftr_baggage_get(&context, FTR_STR("customer"), customer, sizeof customer, &len))
        ftr_span_set_str(span, FTR_STR("customer"), (ftr_str){customer, len});
    ftr_span_end(span);
    ftr_context_release(&context);
}

int main(void)
{
    ftr_field fields[HEADERS];
    char text[TEXT];
    ftr_field_list headers = {
        .fields = fields, .capacity = HEADERS, .text = text, .text_capacity = TEXT};
    ftr_exporter *console = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("across");
    config.exporters = &console;
    config.n_exporters = 1;
    if (ftr_init(&config, NULL) != FTR_OK)
        return 1;
    send_request(&headers);
    for (size_t i = 0; i < headers.n_fields; i++)
        printf("%.*s: %.*s\n", (int)fields[i].name.len, fields[i].name.data,
               (int)fields[i].value.len, fields[i].value.data);
    take_request(&headers);
    return ftr_shutdown(1000000000) == FTR_OK ? 0 : 1;
}
