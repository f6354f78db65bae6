/* SPDX-License-Identifier: Apache-2.0
 *
 * Which traces are recorded: one sampler for all, payments always, health checks never. What is not
 * recorded still has ids to pass on. The recorded ones are written to stderr. */
#include <flowtrace/flowtrace.h>
#include <stdio.h>

/* A root whose trace is recorded with this share, whatever the sampler says. */
static ftr_span start_with_share(const char *name, double share)
{
    const ftr_span_options options = {
        .size = sizeof options,
        .name = ftr_str_from(name),
        .kind = FTR_KIND_SERVER,
        .has_sampling_ratio = true,
        .sampling_ratio = share,
    };
    return ftr_span_start_with(&options);
}

/* Its traceparent, which ends with the sampled flag. */
static void print_and_end(const char *name, ftr_span span)
{
    char header[FTR_TRACEPARENT_LEN + 1];
    ftr_context context = ftr_span_context_of(span);
    ftr_traceparent_format(&context.span, header);
    printf("%s: %s\n", name, header);
    ftr_context_release(&context);
    ftr_span_end(span);
}

int main(void)
{
    ftr_exporter *console = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &console;
    config.n_exporters = 1;
    config.sampler =
        FTR_STR("parentbased_traceidratio"); /* a tenth of the traces that begin here */
    config.sampler_argument = FTR_STR("0.1");
    config.max_traces_per_second = 100; /* and never more than these */
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (int i = 0; i < 5; i++)
        print_and_end("browse", ftr_span_start(FTR_STR("browse"), FTR_KIND_SERVER, NULL));
    print_and_end("health", start_with_share("health", 0));
    print_and_end("pay", start_with_share("pay", 1));
    const ftr_status status = ftr_shutdown(1000000000);
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    printf("%llu of %llu traces recorded\n", (unsigned long long)counts.recorded,
           (unsigned long long)(counts.recorded + counts.roots_dropped));
    return status == FTR_OK ? 0 : 1;
}
