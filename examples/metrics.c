/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics without a metrics library: calls, errors and durations of the program's spans, a
 * histogram of its own, and what it counts anyhow, as text for Prometheus. A server would give the
 * text out at /metrics.
 *
 *   metrics [prometheus|openmetrics [milliseconds|seconds]] */
#include <flowtrace/flowtrace.h>

#include <stdio.h>
#include <string.h>

static bool print(void *argument, const char *text, size_t len)
{
    (void)argument;
    return fwrite(text, 1, len, stdout) == len;
}

static void serve(const char *customer, bool is_failing)
{
    const ftr_span span = ftr_span_start(FTR_STR("GET /orders"), FTR_KIND_SERVER, NULL);
    ftr_span_set_str(span, FTR_STR("customer.class"), ftr_str_from(customer));
    if (is_failing)
        ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR("no such order"));
    ftr_span_end(span);
}

/* The duration of every call, failed ones too, by its path. */
static ftr_histogram *new_call_histogram(void)
{
    static const double bounds[] = {.0001, .00025, .0005, .001, .0025, .005, .01, .025,
                                    .05,   .1,     .25,   .5,   1,     2.5,  5,   10};
    ftr_histogram_options options = {.size = sizeof options};
    options.name = FTR_STR("krishiv_grpc_call_duration_seconds");
    options.help = FTR_STR("How long gRPC calls took until their answer.");
    options.unit = FTR_STR("s");
    options.label = FTR_STR("path");
    options.bounds = bounds;
    options.n_bounds = sizeof bounds / sizeof bounds[0];
    return ftr_histogram_new(&options, NULL);
}

struct queue {
    uint64_t n_orders; /* in it */
    double waited_s;   /* of all that ever were */
};

/* Asked whenever somebody reads the metrics. */
static void write_queue(void *argument, ftr_metric_writer *writer)
{
    const struct queue *queue = argument;
    ftr_metric_family family = {.size = sizeof family, .kind = FTR_METRIC_GAUGE};
    ftr_metric_point point = {.size = sizeof point};
    family.name = FTR_STR("shop.queue.length");
    family.help = FTR_STR("Orders that wait.");
    family.unit = FTR_STR("{order}");
    point.count = queue->n_orders;
    if (ftr_metric_write_family(writer, &family))
        ftr_metric_write_point(writer, &point);
    family.name = FTR_STR("shop.queue.waited");
    family.help = FTR_STR("How long orders waited, summed.");
    family.unit = FTR_STR("s");
    family.kind = FTR_METRIC_COUNTER;
    family.is_fractional = true;
    point.sum = queue->waited_s;
    if (ftr_metric_write_family(writer, &family))
        ftr_metric_write_point(writer, &point);
}

int main(int argc, char **argv)
{
    const bool is_openmetrics = argc > 1 && strcmp(argv[1], "openmetrics") == 0;
    const ftr_str dimensions[] = {FTR_STR("customer.class")};
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.dimensions = dimensions;
    metrics.n_dimensions = 1;
    if (argc > 2 && strcmp(argv[2], "seconds") == 0)
        metrics.unit = FTR_METRICS_SECONDS;
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("shop");
    config.metrics = &metrics;
    ftr_histogram *calls = new_call_histogram();
    struct queue queue = {.n_orders = 3, .waited_s = 0.75};
    ftr_metric_source *source = ftr_metric_source_new(write_queue, &queue);
    if (!calls || !source || ftr_init(&config, NULL) != FTR_OK)
        return 1;

    serve("gold", false);
    serve("gold", true);
    serve("other", false);
    ftr_histogram_record(calls, FTR_STR("/krishiv.Coordinator/Submit"), 0.0004);
    ftr_histogram_record(calls, FTR_STR("/krishiv.Coordinator/Submit"), 0.0005);
    ftr_histogram_record(calls, FTR_STR("/krishiv.Coordinator/Submit"), 12);
    ftr_histogram_record(calls, FTR_STR("/krishiv.Coordinator/Cancel"), 0.003);
    ftr_histogram_record(calls, FTR_STR("/krishiv.Coordinator/Cancel"), -1); /* a clock went back */

    if (ftr_flush(5000000000) != FTR_OK)
        return 1;
    const ftr_status status = ftr_metrics_text(
        is_openmetrics ? FTR_METRICS_OPENMETRICS : FTR_METRICS_PROMETHEUS, print, NULL);
    ftr_metric_source_free(source);
    ftr_histogram_free(calls);
    return ftr_shutdown(5000000000) == FTR_OK && status == FTR_OK ? 0 : 1;
}
