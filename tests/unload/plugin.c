/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that records: what unload.c loads and unloads. Built once for each way to link us. */
#include <flowtrace/flowtrace.h>
#ifdef WITH_EXPORT
#include <flowtrace/otlp.h>
#endif

#include <pthread.h>

#define SECOND UINT64_C(1000000000)

__attribute__((visibility("default"))) int plugin_begin(void);
__attribute__((visibility("default"))) void *plugin_record(void *argument);
__attribute__((visibility("default"))) int plugin_end(uint64_t n_expected);

/* 0: started. */
int plugin_begin(void)
{
    ftr_config config = FTR_CONFIG_INIT;
#ifdef WITH_EXPORT
    /* Nobody listens there: the exporter tries until it is shut down. */
    const ftr_otlp_options options = {.size = sizeof options,
                                      .endpoint = FTR_STR("http://127.0.0.1:9/v1/traces"),
                                      .timeout_ms = 20};
    ftr_exporter *exporter = ftr_otlp_exporter_new(&options, NULL);
    if (!exporter)
        return 1;
    config.exporters = &exporter;
    config.n_exporters = 1;
#endif
    return ftr_init(&config, NULL) == FTR_OK ? 0 : 1;
}

/* Two spans that end, one that does not, and an attachment that stays. */
void *plugin_record(void *argument)
{
    {
        FTR_SPAN(outer, "outer");
        FTR_SPAN(inner, "inner");
        FTR_SPAN_SET(inner, "key", "value");
    }
    const ftr_span left = ftr_span_start(FTR_STR("left open"), FTR_KIND_INTERNAL, NULL);
    ftr_context context = ftr_span_context_of(left);
    (void)ftr_attach(&context);
    ftr_context_release(&context);
    return argument;
}

/* 0: so many spans had ended, all were read, and the library has stopped. */
int plugin_end(uint64_t n_expected)
{
    ftr_statistics counts = {.size = sizeof counts};
    const ftr_status status = ftr_shutdown(30 * SECOND);
    ftr_get_statistics(&counts);
    if (counts.ended != n_expected || counts.recorded != n_expected ||
        counts.open != n_expected / 2)
        return 1;
    return status == FTR_OK ? 0 : 2;
}
