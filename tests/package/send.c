/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's program, as C and as C++: one span to the collector that the environment names, and its
 * trace id on stdout. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>
#include <stdio.h>

int main(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("sender");
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "send: %s\n", error.text);
        return 1;
    }
    ftr_span span = ftr_span_start(FTR_STR("send"), FTR_KIND_CLIENT, NULL);
    ftr_context context = ftr_span_context_of(span);
    char trace_id[33];
    ftr_trace_id_format(&context.span.trace_id, trace_id);
    ftr_context_release(&context);
    ftr_span_end(span);
    if (ftr_shutdown(UINT64_C(60) * 1000000000) != FTR_OK)
        return 1;
    puts(trace_id);
    return 0;
}
