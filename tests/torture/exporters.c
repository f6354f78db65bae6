/* SPDX-License-Identifier: Apache-2.0
 *
 * Several exporters on one pipeline: in memory, OTLP's bytes, one that refuses, lines on standard
 * error; each has its own account. Spans of call sites, with keys that go together. */
#include "library.h"

#include <flowtrace/scope.h>

enum { SPANS = 50 };

static size_t n_bytes;

static void take(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                 ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    EXPECT(batch->otlp && batch->otlp_len > 0);
    n_bytes += batch->otlp_len;
    ret_result->n_delivered = batch->n_spans;
}

static void refuse(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                   ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    EXPECT(batch->spans);
    ret_result->n_rejected = batch->n_spans;
}

static const ftr_exporter_class taking = {
    .size = sizeof taking, .name = "taking", .form = FTR_EXPORT_OTLP, .export_batch = take};
static const ftr_exporter_class refusing = {
    .size = sizeof refusing, .name = "refusing", .form = FTR_EXPORT_SPANS, .export_batch = refuse};

static void act(void)
{
    n_bytes = 0;
    for (int i = 0; i < SPANS; i++) {
        FTR_SPAN(outer, "a name that is longer than sixteen bytes");
        FTR_SPAN_SET_ALL(outer, "number", i, "text", "some text", "share", 0.5);
        FTR_SPAN(inner, "inner");
        FTR_SPAN_EVENT_WITH(inner, "seen", {FTR_STR("so.far"), ftr_value_i64(i)});
    }
}

static void ignore(void *argument, const char *text)
{
    (void)argument, (void)text;
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    ftr_exporter *const more[] = {ftr_exporter_new(&taking, NULL),
                                  ftr_exporter_new(&refusing, NULL), ftr_stdio_exporter_new()};
    for (size_t i = 0; i < 3; i++)
        if (more[i])
            exporters[config->n_exporters++] = more[i];
    config->on_diagnostic = ignore;
}

static void check(const struct library *self, bool is_whole)
{
    const ftr_exporter_statistics *e = self->statistics.exporters;
    EXPECT(!is_whole || self->statistics.n_exporters == 4);
    EXPECT(!is_whole || (e[1].delivered == 2 * SPANS && n_bytes > 0));
    EXPECT(!is_whole || (e[2].rejected == 2 * SPANS && e[3].delivered == 2 * SPANS));
}

void torture_run(void)
{
    static const struct library_use use = {
        .configure = configure, .act = act, .check = check, .n_delivered = 2 * SPANS};
    library_run(&use);
}
