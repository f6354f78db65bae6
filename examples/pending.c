/* SPDX-License-Identifier: Apache-2.0
 *
 * A span that the collector shows while it runs: exported as pending every 200 ms, until standard
 * input ends. Where to: OTEL_EXPORTER_OTLP_ENDPOINT. Prints the trace id. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>
#include <stdio.h>

int main(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("pending");
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    config.pending_interval_ms = 200;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "pending: %s\n", error.text);
        return 1;
    }
    const ftr_span job = ftr_span_start(FTR_STR("job"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_str(job, FTR_STR("step"), FTR_STR("waiting"));
    ftr_context context = ftr_span_context_of(job);
    char trace_id[33];
    ftr_trace_id_format(&context.span.trace_id, trace_id);
    ftr_context_release(&context);
    puts(trace_id);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    ftr_span_set_str(job, FTR_STR("step"), FTR_STR("done"));
    ftr_span_end(job);
    return ftr_shutdown(UINT64_C(60) * 1000000000) == FTR_OK ? 0 : 1;
}
