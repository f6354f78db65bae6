/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of a session: what is counted and marked under which sampler, what exporters get and
 * when, settings that are wrong, children after fork. */
#include "base/mem.h"
#include "metrics_text.h"
#include "probe.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The value of the one sample of calls with these labels; -1: none. */
static long calls_of(const char *labels)
{
    long value = -1;
    read_text(FTR_METRICS_PROMETHEUS);
    for (char *line = metrics_text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (strncmp(line, "traces_span_metrics_calls_total", 31) != 0 || !strstr(line, labels))
            continue;
        assert_int_equal(value, -1);
        value = strtol(strrchr(line, ' '), NULL, 10);
    }
    return value;
}

static _Atomic size_t n_exports;
static _Atomic size_t n_points;
static _Atomic bool has_text;

static void probe_metrics(void *instance, const ftr_metrics_batch *batch, uint64_t deadline_ns,
                          ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    atomic_store(&has_text, batch->text != NULL);
    atomic_store(&n_points, batch->n_points);
    atomic_fetch_add(&n_exports, 1);
    ret_result->n_delivered = batch->n_points;
}

static void take_spans(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                       ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    ret_result->n_delivered = batch->n_spans;
}

static void start_taking(ftr_config *config, ftr_metrics_config *metrics, ftr_export_form form)
{
    static ftr_exporter_class taking_class;
    taking_class = probe_class;
    taking_class.export_metrics = probe_metrics;
    taking_class.form = form;
    taking_class.export_batch = take_spans;
    taking_class.close = free;
    ftr_exporter *exporter = ftr_exporter_new(&taking_class, new_probe());
    config->exporters = &exporter;
    config->n_exporters = 1;
    config->metrics = metrics;
    atomic_store(&n_exports, 0);
    assert_int_equal(ftr_init(config, NULL), FTR_OK);
}

static void start_counting(ftr_config *config)
{
    assert_int_equal(ftr_init(config, NULL), FTR_OK);
}

static void test_without_configuration_spans_are_counted_and_nothing_is_exported(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    start_counting(&config);
    record(3);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_int_equal(calls_of("span_name=\"s\""), 3);
    assert_int_equal(counts().metric_series, 1);
    assert_int_equal(counts().n_exporters, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(calls_of("span_name=\"s\""), 3); /* of the last session */
    start_counting(&config);
    assert_int_equal(calls_of("span_name=\"s\""), -1);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void test_exporters_get_them_when_they_shall(void **state)
{
    (void)state;
    for (int form = FTR_EXPORT_OTLP; form <= FTR_EXPORT_SPANS; form++) {
        ftr_config config = FTR_CONFIG_INIT;
        ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
        start_taking(&config, &metrics, FTR_EXPORT_OTLP);
        record(1);
        assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
        assert_int_equal(atomic_load(&n_exports), 0); /* is_exported is not set */
        metrics.is_exported = true;
        start_taking(&config, &metrics, (ftr_export_form)form);
        record(1);
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        assert_int_equal(atomic_load(&n_exports), 1);
        assert_int_equal(atomic_load(&n_points), 2);
        assert_int_equal(atomic_load(&has_text), form == FTR_EXPORT_SPANS);
        assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
        assert_int_equal(atomic_load(&n_exports), 2);
        assert_int_equal(counts().metrics_exported, 2);
        assert_int_equal(counts().metrics_failed, 0);
    }
}

static void test_the_interval_exports_by_itself(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.is_exported = true;
    metrics.interval_ms = 5;
    start_taking(&config, &metrics, FTR_EXPORT_OTLP);
    record(1);
    for (int i = 0; i < 60000 && atomic_load(&n_exports) < 3; i++)
        usleep(1000);
    assert_true(atomic_load(&n_exports) >= 3);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

/* An exporter's class of an earlier version ends before export_metrics. */
static void test_an_older_exporter_gets_none(void **state)
{
    (void)state;
    static ftr_exporter_class older;
    older = probe_class;
    older.size = offsetof(ftr_exporter_class, export_metrics);
    older.export_metrics = probe_metrics;
    older.close = free;
    ftr_exporter *exporter = ftr_exporter_new(&older, new_probe());
    ftr_config config = FTR_CONFIG_INIT;
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.is_exported = true;
    config.metrics = &metrics;
    config.exporters = &exporter;
    config.n_exporters = 1;
    atomic_store(&n_exports, 0);
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    record(1);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(atomic_load(&n_exports), 0);
}

/* th:c is 12 of 16 parts rejected: each recorded span stands for four. */
static void test_a_threshold_makes_estimates(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_context parent = FTR_CONTEXT_NONE;
    start_counting(&config);
    parent.span.trace_id.bytes[0] = 1;
    parent.span.span_id.bytes[0] = 1;
    parent.span.trace_flags = FTR_TRACE_FLAG_SAMPLED;
    parent.span.is_remote = true;
    ftr_span_end(ftr_span_start(FTR_STR("exact"), FTR_KIND_SERVER, &parent));
    ftr_span_options options = {.size = sizeof options, .name = FTR_STR("quarter")};
    options.has_sampling_ratio = true;
    options.sampling_ratio = 0.25;
    int n_recorded = 0;
    for (int i = 0; i < 400; i++) {
        const ftr_span span = ftr_span_start_with(&options);
        n_recorded += ftr_span_is_recording(span);
        ftr_span_end(span);
    }
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_in_range(n_recorded, 40, 200);
    assert_int_equal(calls_of("span_name=\"quarter\",span_kind=\"SPAN_KIND_UNSPECIFIED\","
                              "status_code=\"STATUS_CODE_UNSET\",sampling_estimated=\"true\""),
                     4 * n_recorded);
    assert_int_equal(calls_of("exact"), 1);
    read_text(FTR_METRICS_PROMETHEUS);
    assert_null(strstr(strstr(metrics_text, "span_name=\"exact\""), "estimated\",le"));
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void test_what_a_sampler_drops_untold_marks_everything(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    config.sampler = FTR_STR("traceidratio");
    config.metrics = &metrics;
    for (int is_exact = 0; is_exact < 2; is_exact++) {
        metrics.is_exact = is_exact;
        start_counting(&config);
        record(1);
        assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
        assert_int_equal(calls_of("sampling_estimated=\"true\""), is_exact ? -1 : 1);
        assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    }
}

static void test_dimensions_of_span_and_resource(void **state)
{
    (void)state;
    const ftr_str names[] = {FTR_STR("tenant"), FTR_STR("region")};
    const ftr_attribute resource[] = {{FTR_STR("region"), ftr_value_str(FTR_STR("north"))}};
    ftr_config config = FTR_CONFIG_INIT;
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.dimensions = names;
    metrics.n_dimensions = 2;
    config.metrics = &metrics;
    config.resource = resource;
    config.n_resource = 1;
    start_counting(&config);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_i64(span, FTR_STR("tenant"), 7);
    ftr_span_end(span);
    record(2);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_int_equal(calls_of("tenant=\"7\",region=\"north\""), 1);
    assert_int_equal(calls_of("\"STATUS_CODE_UNSET\",region=\"north\""), 2);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void assert_refused(const ftr_metrics_config *metrics, const char *reason)
{
    ftr_config config = FTR_CONFIG_INIT;
    ftr_error error = {FTR_OK, ""};
    config.metrics = metrics;
    assert_int_equal(ftr_init(&config, &error), FTR_ERR_INVALID);
    if (!strstr(error.text, reason))
        fail_msg("'%s' has no '%s'", error.text, reason);
}

static void test_wrong_settings_are_named(void **state)
{
    (void)state;
    static const double falling[] = {2, 1};
    static const double negative[] = {-1, 1};
    const ftr_str taken[] = {FTR_STR("span_name")};
    const ftr_str twice[] = {FTR_STR("a.b"), FTR_STR("a_b")};
    const ftr_metrics_config none = FTR_METRICS_CONFIG_INIT;
    ftr_metrics_config metrics = none;
    metrics.size = 0;
    assert_refused(&metrics, "metrics: size");
    metrics = none;
    metrics.bounds = falling;
    metrics.n_bounds = 2;
    assert_refused(&metrics, "metrics: bounds");
    metrics.bounds = negative;
    assert_refused(&metrics, "metrics: bounds");
    metrics = none;
    metrics.dimensions = taken;
    metrics.n_dimensions = 1;
    assert_refused(&metrics, "dimensions[0]");
    metrics.dimensions = twice;
    metrics.n_dimensions = 2;
    assert_refused(&metrics, "dimensions[1]");
    metrics.n_dimensions = FTR_METRICS_DIMENSIONS_MAX + 1;
    assert_refused(&metrics, "n_dimensions");
    metrics = none;
    metrics.unit = (ftr_metrics_unit)2;
    assert_refused(&metrics, "unit");
    metrics = none;
    metrics.exemplar_filter = (ftr_exemplar_filter)9;
    assert_refused(&metrics, "exemplar_filter");
    assert_int_equal(ftr_metrics_text((ftr_metrics_format)2, keep_text, NULL), FTR_ERR_INVALID);
}

static void assert_no_histogram(ftr_histogram_options options, const char *reason)
{
    ftr_error error = {FTR_OK, ""};
    assert_null(ftr_histogram_new(&options, &error));
    assert_int_equal(error.status, FTR_ERR_INVALID);
    if (!strstr(error.text, reason))
        fail_msg("'%s' has no '%s'", error.text, reason);
}

static void test_histograms_have_one_name_each(void **state)
{
    (void)state;
    ftr_histogram_options options = {.size = sizeof options, .name = FTR_STR("rpc.seconds")};
    ftr_histogram *histogram = ftr_histogram_new(&options, NULL);
    assert_non_null(histogram);
    options.name = FTR_STR("rpc_seconds");
    assert_no_histogram(options, "taken");
    options.name = FTR_STR("rpc");
    options.unit = FTR_STR("s");
    assert_no_histogram(options, "taken");
    options.name = FTR_STR("traces.span.metrics.duration");
    assert_no_histogram(options, "taken");
    options.name = FTR_STR("1rpc");
    assert_no_histogram(options, "name");
    options.name = FTR_STR("other");
    options.label = FTR_STR("le");
    assert_no_histogram(options, "label");
    options.label = FTR_STR("");
    options.n_bounds = 1;
    assert_no_histogram(options, "bounds");
    ftr_histogram_free(histogram);
    options = (ftr_histogram_options){.size = sizeof options, .name = FTR_STR("rpc_seconds")};
    histogram = ftr_histogram_new(&options, NULL);
    assert_non_null(histogram);
    ftr_histogram_record(histogram, FTR_STR("ignored"), 0.3);
    read_text(FTR_METRICS_OPENMETRICS);
    assert_non_null(strstr(metrics_text, "\nrpc_seconds_bucket{le=\"0.5\"} 1\n"));
    assert_non_null(strstr(metrics_text, "\nrpc_seconds_count 1\n"));
    ftr_histogram_free(histogram);
    read_text(FTR_METRICS_OPENMETRICS);
    assert_null(strstr(metrics_text, "rpc_seconds"));
}

FTRI_UNUSED static void test_a_child_counts_its_own(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    start_counting(&config);
    record(5);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    const pid_t child = fork();
    if (child == 0) {
        record(2);
        const bool is_flushed = ftr_flush(5 * SECOND) == FTR_OK;
        _exit(is_flushed && calls_of("span_name=\"s\"") == 2 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(calls_of("span_name=\"s\""), 5);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void test_every_allocation_of_reading_may_fail(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    start_counting(&config);
    record(1);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    size_t n_failed = 0;
    for (uint64_t n = 1;; n++) {
        ftri_mem_fail_at(n);
        metrics_text[0] = '\0';
        const ftr_status status = ftr_metrics_text(FTR_METRICS_OPENMETRICS, keep_text, NULL);
        const bool has_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        if (!has_failed)
            break;
        assert_int_equal(status, FTR_ERR_MEMORY);
        assert_string_equal(metrics_text, "");
        n_failed++;
    }
    assert_true(n_failed > 5);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_configuration_spans_are_counted_and_nothing_is_exported),
        cmocka_unit_test(test_exporters_get_them_when_they_shall),
        cmocka_unit_test(test_the_interval_exports_by_itself),
        cmocka_unit_test(test_an_older_exporter_gets_none),
        cmocka_unit_test(test_a_threshold_makes_estimates),
        cmocka_unit_test(test_what_a_sampler_drops_untold_marks_everything),
        cmocka_unit_test(test_dimensions_of_span_and_resource),
        cmocka_unit_test(test_wrong_settings_are_named),
        cmocka_unit_test(test_histograms_have_one_name_each),
        cmocka_unit_test(test_every_allocation_of_reading_may_fail),
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* as fork_test */
        cmocka_unit_test(test_a_child_counts_its_own),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
