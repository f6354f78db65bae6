/* SPDX-License-Identifier: Apache-2.0
 *
 * Krishiv's conventions. "Distributed tracing": every span is annotated with job_id, task_id,
 * epoch, operator_id, plus the current traceparent and tracestate. "Configuration": the resource
 * has service.name and deployment.target; the configuration goes before the environment, and that
 * before "unknown". */
#include "sent.h"
#include "spans.h"

#include <stdio.h>

static void set_field(ftr_context *context, const char *key, const char *text)
{
    const ftr_value value = ftr_value_str(ftr_str_from(text));
    assert_true(ftr_context_set_field(context, ftr_str_from(key), &value));
}

/* What came in: a job with its four fields. */
static ftr_context extract_job(const char *traceparent, const char *tracestate)
{
    ftr_field fields[] = {{FTR_STR("traceparent"), ftr_str_from(traceparent)},
                          {FTR_STR("tracestate"), ftr_str_from(tracestate)}};
    ftr_field_list list = {.fields = fields, .n_fields = 2};
    const ftr_value epoch = ftr_value_i64(12);
    ftr_context job = ftr_extract(&ftr_map_carrier, &list);
    set_field(&job, "job_id", "j1");
    set_field(&job, "task_id", "t1");
    assert_true(ftr_context_set_field(&job, FTR_STR("epoch"), &epoch));
    set_field(&job, "operator_id", "window-3");
    return job;
}

static void start_krishiv(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.conventions = FTR_STR("Krishiv");
    start(&config);
}

static void assert_job(const ftr_span_data *span, const char *traceparent)
{
    assert_int_equal(span->n_attributes, 6);
    assert_text_attribute(span, "job_id", "j1");
    assert_text_attribute(span, "task_id", "t1");
    assert_i64_attribute(span, "epoch", 12);
    assert_text_attribute(span, "operator_id", "window-3");
    assert_text_attribute(span, "traceparent", traceparent);
    assert_text_attribute(span, "tracestate", "vendor=1");
}

static void test_every_span_says_its_context(void **state)
{
    (void)state;
    char current[2][FTR_TRACEPARENT_LEN + 1];
    start_krishiv();
    ftr_context job =
        extract_job("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1");
    {
        FTR_SPAN_BELOW(task, "run_task", FTR_KIND_SERVER, &job);
        assert_true(ftr_current_traceparent(current[0]));
        FTR_SPAN(window, "execute_window");
        assert_true(ftr_current_traceparent(current[1]));
    }
    ftr_context_release(&job);
    const ftr_span_data task = span_named("run_task");
    const ftr_span_data window = span_named("execute_window");
    assert_job(&task, current[0]);
    assert_job(&window, current[1]);
    assert_memory_equal(current[0], "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_is_child(&window, &task);
    stop();
}

static void test_a_plain_root_and_a_value_of_its_own(void **state)
{
    (void)state;
    start_krishiv();
    ftr_span_end(ftr_span_start(FTR_STR("submit_job"), FTR_KIND_INTERNAL, NULL));
    const ftr_span own = ftr_span_start(FTR_STR("schedule"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_str(own, FTR_STR("traceparent"), FTR_STR("its own"));
    ftr_span_end(own);
    const ftr_span_data root = span_named("submit_job");
    const ftr_span_data set = span_named("schedule");
    char expected[FTR_TRACEPARENT_LEN + 1];
    assert_true(ftr_traceparent_format(&root.context, expected));
    assert_int_equal(root.n_attributes, 1); /* there is no tracestate */
    assert_text_attribute(&root, "traceparent", expected);
    assert_int_equal(set.n_attributes, 1);
    assert_text_attribute(&set, "traceparent", "its own");
    stop();
}

/* As many as the limit allows, and the fields, and these two. */
static void test_full_spans_have_them_too(void **state)
{
    (void)state;
    start_krishiv();
    ftr_context job =
        extract_job("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1");
    for (int s = 0; s < 50; s++) {
        const ftr_span span = ftr_span_start(FTR_STR("full"), FTR_KIND_INTERNAL, &job);
        for (int i = 0; i < 128; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            ftr_span_set_i64(span, ftr_str_from(key), i);
        }
        ftr_span_end(span);
    }
    ftr_context_release(&job);
    for (size_t s = 0; s < 50; s++) {
        const ftr_span_data span = flushed(s);
        assert_int_equal(span.n_attributes, 128 + 6);
        assert_int_equal(span.n_dropped_attributes, 0);
        assert_text_attribute(&span, "tracestate", "vendor=1");
    }
    stop();
}

static bool has_text(const char *text)
{
    return was_sent(text, strlen(text));
}

/* In OTLP, by the environment; and the resource, by each way to name the target. */
static void assert_target(const char *configured, const char *variable, const char *expected)
{
    const ftr_attribute target = {FTR_STR("deployment.target"),
                                  ftr_value_str(ftr_str_from(configured))};
    ftr_exporter *exporter = ftr_exporter_new(&keeper, NULL);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.resource = &target;
    config.n_resource = configured ? 1 : 0;
    setenv("FLOWTRACE_CONVENTIONS", "krishiv", 1);
    if (variable)
        setenv("KRISHIV_DEPLOYMENT_TARGET", variable, 1);
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    unsetenv("FLOWTRACE_CONVENTIONS");
    unsetenv("KRISHIV_DEPLOYMENT_TARGET");
    ftr_span_end(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL));
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    assert_true(has_text("deployment.target"));
    assert_true(has_text(expected));
    assert_true(has_text("traceparent"));
}

static void test_the_deployment_target(void **state)
{
    (void)state;
    assert_target("single-node", "k8s", "single-node");
    assert_target(NULL, "k8s", "k8s");
    assert_target(NULL, "", "unknown");
    assert_target(NULL, NULL, "unknown");
    setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.target=embedded", 1);
    assert_target(NULL, NULL, "embedded");
    assert_target(NULL, "k8s", "k8s");
    unsetenv("OTEL_RESOURCE_ATTRIBUTES");
}

static void assert_refused(const char *name, ftr_status status, const char *words)
{
    ftr_error error;
    ftr_config config = FTR_CONFIG_INIT;
    config.conventions = ftr_str_from(name);
    assert_int_equal(ftr_init(&config, &error), status);
    if (strcmp(error.text, words) != 0)
        fail_msg("%s", error.text);
}

static void test_other_names_are_refused_with_the_nearest(void **state)
{
    (void)state;
    assert_refused("krishv", FTR_ERR_INVALID,
                   "conventions: 'krishv' is not known; did you mean 'krishiv'?");
    assert_refused("numaflow-1.9", FTR_ERR_INVALID,
                   "conventions: 'numaflow-1.9' is not known; did you mean 'numaflow-1.8'?");
    assert_refused("x", FTR_ERR_INVALID,
                   "conventions: 'x' is not known, expected flowtrace, foundations-5.8, krishiv, "
                   "numaflow-1.8, otelcol or reflow");
    ftr_config config = FTR_CONFIG_INIT;
    config.conventions = FTR_STR("flowtrace"); /* and so none of the two attributes */
    start(&config);
    ftr_span_end(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL));
    assert_int_equal(flushed(0).n_attributes, 0);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_span_says_its_context),
        cmocka_unit_test(test_a_plain_root_and_a_value_of_its_own),
        cmocka_unit_test(test_full_spans_have_them_too),
        cmocka_unit_test(test_the_deployment_target),
        cmocka_unit_test(test_other_names_are_refused_with_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
