/* SPDX-License-Identifier: Apache-2.0
 *
 * Several exporters on one pipeline, one of them the program's own: it sums up how long the spans
 * of each name took. Every span goes to each, and each keeps its own account. */
#include <flowtrace/flowtrace.h>
#include <stdio.h>
#include <string.h>

struct totals {
    size_t n_spans[2];
    uint64_t ns[2];
};

static const char *const names[] = {"read", "write"};

/* Called on a thread of its own. What it does not count as delivered or rejected is lost. */
static void add_up(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                   ftr_export_result *ret_result)
{
    struct totals *totals = instance;
    (void)deadline_ns;
    for (size_t i = 0; i < batch->n_spans; i++) {
        const ftr_span_data *span = &batch->spans[i];
        const size_t n = span->name.len == strlen(names[0]) ? 0 : 1;
        totals->n_spans[n]++;
        totals->ns[n] += span->end_time_ns - span->start_time_ns;
        ret_result->n_delivered++;
    }
}

/* After the last export. */
static void print_totals(void *instance)
{
    const struct totals *totals = instance;
    for (size_t i = 0; i < 2; i++)
        printf("%s: %zu spans, %llu ns\n", names[i], totals->n_spans[i],
               (unsigned long long)totals->ns[i]);
}

static const ftr_exporter_class totals_class = {
    .size = sizeof totals_class,
    .name = "totals",
    .form = FTR_EXPORT_SPANS,
    .export_batch = add_up,
    .close = print_totals,
};

static void record(const char *name, uint64_t duration_ns)
{
    const ftr_span span = ftr_span_start(ftr_str_from(name), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_start_time(span, 1000000000);
    ftr_span_end_at(span, 1000000000 + duration_ns);
}

int main(void)
{
    static struct totals totals;
    ftr_memory_spans *kept = ftr_memory_spans_new();
    ftr_exporter *exporters[] = {ftr_stdio_exporter_new(), ftr_memory_exporter_new(kept),
                                 ftr_exporter_new(&totals_class, &totals)};
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = exporters;
    config.n_exporters = 3;
    if (ftr_init(&config, NULL) != FTR_OK)
        return 1;
    for (uint64_t i = 1; i <= 3; i++)
        record("read", i * 100);
    record("write", 50);
    const ftr_status status = ftr_shutdown(1000000000);
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    for (size_t i = 0; i < counts.n_exporters; i++)
        printf("%s: %llu delivered\n", counts.exporters[i].name,
               (unsigned long long)counts.exporters[i].delivered);
    printf("%zu in memory\n", ftr_memory_spans_count(kept));
    ftr_memory_spans_unref(kept);
    return status == FTR_OK ? 0 : 1;
}
