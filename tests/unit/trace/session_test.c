/* SPDX-License-Identifier: Apache-2.0
 *
 * Set-up, environment, deadlines, modes, memory that is short. */
#include "base/mem.h"
#include "probe.h"

#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static bool contains(const struct probe *probe, const char *text)
{
    return memmem(probe->otlp, atomic_load(&probe->otlp_len), text, strlen(text)) != NULL;
}

static void test_nothing_configured_records_and_exports_nothing(void **state)
{
    (void)state;
    assert_int_equal(ftr_get_mode(), FTR_MODE_OFF);
    assert_false(ftr_span_is_recording(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL)));
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    assert_int_equal(ftr_get_mode(), FTR_MODE_FULL);
    ftr_error error;
    assert_int_equal(ftr_init(NULL, &error), FTR_ERR_STATE);
    assert_non_null(strstr(error.text, "ftr_shutdown"));
    record(10);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_int_equal(counts().recorded, 10);
    assert_int_equal(counts().n_exporters, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(counts().recorded, 10);
    assert_int_equal(ftr_shutdown(SECOND), FTR_ERR_STATE);
    assert_int_equal(ftr_flush(SECOND), FTR_ERR_STATE);
    record(10);
    assert_int_equal(counts().started, 10);
}

static void test_handles_of_an_earlier_session_are_dead(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const ftr_span old = ftr_span_start(FTR_STR("old"), FTR_KIND_INTERNAL, NULL);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    assert_int_equal(counts().open, 1);
    ftr_span_end(old);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const ftr_span young = ftr_span_start(FTR_STR("young"), FTR_KIND_INTERNAL, NULL);
    ftr_span_end(old);
    assert_true(ftr_span_is_recording(young));
    assert_int_equal(counts().open, 1);
    ftr_span_end(young);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    assert_int_equal(counts().ended, 1);
}

static void test_an_attached_unsampled_context_outlives_a_session(void **state)
{
    (void)state;
    const ftr_context parent = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
    const ftr_attachment attachment = ftr_attach(&parent);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
        const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
        ftr_context context = ftr_span_context_of(span);
        assert_int_equal(context.span.span_id.bytes[0], 8);
        ftr_context_release(&context);
        ftr_span_end(span);
        assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    }
    ftr_detach(attachment);
}

/* The handle that a frame shares and one that is the caller's: their slots are used again. */
static void test_handles_without_a_span_die_with_their_session(void **state)
{
    (void)state;
    const ftr_context parent = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
    const ftr_attachment attachment = ftr_attach(&parent);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    (void)ftr_span_start(FTR_STR("shared"), FTR_KIND_INTERNAL, NULL);
    const ftr_span old = ftr_span_start(FTR_STR("own"), FTR_KIND_INTERNAL, &parent);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_span spans[2];
    for (int i = 0; i < 2; i++)
        spans[i] = ftr_span_start(FTR_STR("own"), FTR_KIND_INTERNAL, &parent);
    ftr_span_end(old);
    ftr_detach(attachment);
    for (int i = 0; i < 2; i++) {
        ftr_context context = ftr_span_context_of(spans[i]);
        assert_int_equal(context.span.span_id.bytes[0], 8);
        ftr_context_release(&context);
        ftr_span_end(spans[i]);
    }
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

/* Whether all of the process's threads but this one sleep. */
static bool do_others_sleep(void)
{
    bool do_sleep = true;
    char own[24]; /* of the main thread */
    snprintf(own, sizeof own, "%d", (int)getpid());
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *task; (task = readdir(tasks));) {
        char path[64];
        char text[256] = "";
        if (task->d_name[0] == '.' || strcmp(task->d_name, own) == 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", task->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue; /* it has ended */
        const size_t len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        const char *state = len ? strrchr(text, ')') : NULL;
        do_sleep = do_sleep && (!state || strncmp(state, ") R", 3) != 0);
    }
    closedir(tasks);
    return do_sleep;
}

/* A span that is ended behind the library's back stays unread in its thread's journal. */
static void test_a_late_end_keeps_no_later_worker_awake(void **state)
{
    (void)state;
    ftr_context context = FTR_CONTEXT_NONE;
    const ftr_value value = ftr_value_i64(1);
    assert_true(ftr_context_set_field(&context, FTR_STR("inherited"), &value));
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    record(1); /* the journal has room from here on, without a closer look */
    const ftr_span late = ftr_span_start(FTR_STR("late"), FTR_KIND_INTERNAL, &context);
    ftr_context_release(&context);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    ftr_span_end(late);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const uint64_t end_ns = now_ns() + 60 * SECOND;
    int n_asleep = 0;
    while (n_asleep < 40 && now_ns() < end_ns) {
        n_asleep = do_others_sleep() ? n_asleep + 1 : 0;
        usleep(5000);
    }
    assert_int_equal(n_asleep, 40);
    record(1); /* this thread's journal is emptied, with what the late span held */
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(counts().recorded, 1);
}

static void test_mode_off_stops_new_spans_only(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.is_off = true;
    start_with(&config, probe);
    record(5);
    ftr_set_mode(FTR_MODE_FULL);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_set_mode(FTR_MODE_OFF);
    assert_int_equal(ftr_get_mode(), FTR_MODE_OFF);
    record(5);
    ftr_span_end(span);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(probe->n_spans, 1);
    assert_true(probe->is_closed);
    free(probe);
}

static void test_idle_worker_exports_without_a_flush(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.batch_delay_ms = 10;
    start_with(&config, probe);
    record(3);
    const uint64_t give_up = now_ns() + 10 * SECOND;
    while (atomic_load(&probe->n_spans) < 3 && now_ns() < give_up)
        usleep(1000);
    assert_int_equal(probe->n_spans, 3);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(probe);
}

static void test_a_hanging_exporter_does_not_hold_anybody(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    start_with(&config, probe);
    pthread_mutex_lock(&probe->gate);
    record(100);
    uint64_t start = now_ns();
    assert_int_equal(ftr_flush(50 * MS), FTR_ERR_TIMEOUT);
    assert_in_range(now_ns() - start, 50 * MS, 150 * MS);
    start = now_ns();
    assert_int_equal(ftr_shutdown(50 * MS), FTR_ERR_TIMEOUT);
    assert_in_range(now_ns() - start, 50 * MS, 150 * MS);
    const ftr_statistics statistics = counts();
    assert_int_equal(statistics.recorded, 100);
    assert_int_equal(statistics.exporters[0].queued, 100);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK); /* goes on while the old one hangs */
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    pthread_mutex_unlock(&probe->gate);
    while (!atomic_load(&probe->is_closed))
        usleep(1000);
    free(probe);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("OTEL_SERVICE_NAME", "shop", 1);
    setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=te%73t, service.name=other ,x=1", 1);
    setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "1", 1);
    setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "many", 1); /* unreadable: ignored */
    struct probe *probe = new_probe();
    const ftr_attribute attribute = {FTR_STR("x"), ftr_value_str(FTR_STR("configured"))};
    ftr_config config = FTR_CONFIG_INIT;
    config.resource = &attribute;
    config.n_resource = 1;
    start_with(&config, probe);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    ftr_span_event(span, FTR_STR("one"), NULL, 0);
    ftr_span_event(span, FTR_STR("two"), NULL, 0);
    ftr_span_end(span);
    assert_int_equal(counts().dropped_events, 1);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_true(contains(probe, "shop"));
    assert_false(contains(probe, "other"));
    assert_true(contains(probe, "deployment.environment"));
    assert_true(contains(probe, "test"));
    assert_true(contains(probe, "configured"));
    assert_true(contains(probe, "telemetry.sdk.name"));
    assert_true(contains(probe, "process.pid"));
    free(probe);
    unsetenv("OTEL_SERVICE_NAME");
    unsetenv("OTEL_RESOURCE_ATTRIBUTES");
    unsetenv("OTEL_SPAN_EVENT_COUNT_LIMIT");
    unsetenv("OTEL_SPAN_LINK_COUNT_LIMIT");
}

static void test_sdk_disabled(void **state)
{
    (void)state;
    setenv("OTEL_SDK_DISABLED", "True", 1);
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    start_with(&config, probe);
    record(5);
    ftr_set_mode(FTR_MODE_FULL);
    record(5);
    assert_int_equal(ftr_flush(SECOND), FTR_OK);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(probe->n_spans, 0);
    assert_true(probe->is_closed);
    free(probe);
    unsetenv("OTEL_SDK_DISABLED");
}

static ftr_exporter *refuse(ftr_error *error)
{
    error->status = FTR_ERR_INVALID;
    snprintf(error->text, sizeof error->text, "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL");
    return NULL;
}

static void test_wishes_for_an_exporter(void **state)
{
    (void)state;
    ftr_error error;
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", 1);
    assert_int_equal(ftr_init(NULL, &error), FTR_ERR_UNAVAILABLE);
    assert_non_null(strstr(error.text, "ftr_otlp_exporter_from_environment"));
    ftr_config config = FTR_CONFIG_INIT;
    config.otlp_exporter = refuse;
    assert_int_equal(ftr_init(&config, &error), FTR_ERR_INVALID);
    assert_string_equal(error.text, "OTEL_EXPORTER_OTLP_ENDPOINT: not a URL");
    setenv("OTEL_TRACES_EXPORTER", "none", 1);
    assert_int_equal(ftr_init(NULL, &error), FTR_OK);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    setenv("OTEL_TRACES_EXPORTER", " Console ,unheard-of", 1);
    assert_int_equal(ftr_init(NULL, &error), FTR_OK);
    assert_int_equal(counts().n_exporters, 1);
    assert_string_equal(counts().exporters[0].name, "stdio");
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    unsetenv("OTEL_TRACES_EXPORTER");
    unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT");
}

static void reject_one(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                       ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    ret_result->n_delivered = batch->n_spans - 1;
    ret_result->n_rejected = 1;
    snprintf(ret_result->text, sizeof ret_result->text, "span 3 is bad");
}

struct diagnostics {
    size_t n;
    char texts[4][400];
};

/* Called by ftr_init, then by the exporter's thread, read after the shutdown. */
static void note_diagnostic(void *argument, const char *text)
{
    struct diagnostics *diagnostics = argument;
    assert_true(diagnostics->n < 4);
    snprintf(diagnostics->texts[diagnostics->n++], sizeof diagnostics->texts[0], "%s", text);
}

static void test_diagnostics_say_what_is_ignored_and_what_was_not_taken(void **state)
{
    (void)state;
    static const ftr_exporter_class rejecting = {
        .size = sizeof rejecting,
        .name = "rejecting",
        .form = FTR_EXPORT_SPANS,
        .export_batch = reject_one,
    };
    struct diagnostics diagnostics = {0};
    ftr_exporter *exporter = ftr_exporter_new(&rejecting, NULL);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.batch_delay_ms = 60000;
    config.on_diagnostic = note_diagnostic;
    config.diagnostic_argument = &diagnostics;
    setenv("OTEL_BSP_EXPORT_TIMEOUT", "soon", 1);
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    unsetenv("OTEL_BSP_EXPORT_TIMEOUT");
    record(5);
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    assert_int_equal(counts().exporters[0].rejected, 1);
    assert_int_equal(diagnostics.n, 2);
    assert_non_null(strstr(diagnostics.texts[0], "OTEL_BSP_EXPORT_TIMEOUT: ignored"));
    assert_non_null(strstr(diagnostics.texts[1], "exporter rejecting: "));
    assert_non_null(strstr(diagnostics.texts[1], "1 rejected"));
    assert_non_null(strstr(diagnostics.texts[1], "span 3 is bad"));
}

static void test_wrong_configurations_name_the_field(void **state)
{
    (void)state;
    ftr_error error;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_exporter *exporters[FTR_EXPORTERS_MAX + 1] = {NULL};
    config.exporters = exporters;
    config.n_exporters = 1;
    assert_int_equal(ftr_init(&config, &error), FTR_ERR_INVALID);
    assert_non_null(strstr(error.text, "exporters[0]"));
    config.n_exporters = FTR_EXPORTERS_MAX + 1;
    assert_int_equal(ftr_init(&config, &error), FTR_ERR_INVALID);
    assert_non_null(strstr(error.text, "n_exporters"));
    config = FTR_CONFIG_INIT;
    config.journal_bytes = (size_t)1 << 40;
    assert_int_equal(ftr_init(&config, &error), FTR_ERR_INVALID);
    assert_non_null(strstr(error.text, "journal_bytes"));
    config = FTR_CONFIG_INIT;
    config.size++;
    assert_int_equal(ftr_init(&config, &error), FTR_ERR_INVALID);
}

static void assert_queue_of_10(ftr_config config)
{
    struct probe *probe = new_probe();
    start_with(&config, probe);
    pthread_mutex_lock(&probe->gate);
    record(100);
    for (int i = 0; i < 1000 && counts().exporters[0].lost_queue_full < 90; i++)
        assert_int_equal(ftr_flush(20 * MS), FTR_ERR_TIMEOUT);
    assert_int_equal(counts().exporters[0].queued, 10);
    assert_int_equal(counts().exporters[0].lost_queue_full, 90);
    pthread_mutex_unlock(&probe->gate);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(probe->n_spans, 10);
    assert_true(probe->n_batches >= 3); /* of at most four */
    free(probe);
}

static void test_span_counts_of_the_batch_processor_variables(void **state)
{
    (void)state;
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10", 1);
    setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4", 1);
    assert_queue_of_10(FTR_CONFIG_INIT);
    setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20", 1);
    setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2", 1);
    ftr_config config = FTR_CONFIG_INIT;
    config.queue_spans = 10;
    config.batch_spans = 4;
    assert_queue_of_10(config);
    config.queue_bytes = 1 << 20;
    assert_queue_of_10(config);
    unsetenv("OTEL_BSP_MAX_QUEUE_SIZE");
    unsetenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    bool has_worked = false;
    for (uint64_t n = 1; n < 200 && !has_worked; n++) {
        struct probe *probe = new_probe();
        ftr_exporter *exporter = ftr_exporter_new(&probe_class, probe);
        ftr_config config = FTR_CONFIG_INIT;
        config.exporters = &exporter;
        config.n_exporters = 1;
        ftri_mem_fail_at(n);
        const ftr_status status = ftr_init(&config, NULL);
        if (status != FTR_OK) {
            ftri_mem_fail_at(0);
            assert_int_equal(status, FTR_ERR_MEMORY);
            assert_false(probe->is_closed);
            ftr_exporter_free(exporter); /* still ours */
            free(probe);
            continue;
        }
        const ftr_context empty = FTR_CONTEXT_NONE;
        const ftr_attachment attachment = ftr_attach(&empty);
        record(10);
        ftr_flush(5 * SECOND);
        ftr_detach(attachment);
        has_worked = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        const ftr_statistics statistics = counts();
        assert_int_equal(statistics.started, statistics.ended);
        assert_int_equal(statistics.recorded, statistics.ended);
        const ftr_exporter_statistics *e = &statistics.exporters[0];
        assert_int_equal(e->delivered + e->lost_queue_full + e->lost_export, statistics.recorded);
        assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
        free(probe);
    }
    assert_true(has_worked);
}

static void test_journal_memory_that_cannot_be_had(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.open_spans = (1 << 22) - 1;
    config.journal_bytes = (size_t)1 << 31;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    record(3); /* works or is a counted no-op, as the system decides */
    assert_int_equal(counts().started + counts().no_slot, 3);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_configured_records_and_exports_nothing),
        cmocka_unit_test(test_handles_of_an_earlier_session_are_dead),
        cmocka_unit_test(test_an_attached_unsampled_context_outlives_a_session),
        cmocka_unit_test(test_handles_without_a_span_die_with_their_session),
        cmocka_unit_test(test_a_late_end_keeps_no_later_worker_awake),
        cmocka_unit_test(test_mode_off_stops_new_spans_only),
        cmocka_unit_test(test_idle_worker_exports_without_a_flush),
        cmocka_unit_test(test_a_hanging_exporter_does_not_hold_anybody),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_sdk_disabled),
        cmocka_unit_test(test_wishes_for_an_exporter),
        cmocka_unit_test(test_diagnostics_say_what_is_ignored_and_what_was_not_taken),
        cmocka_unit_test(test_wrong_configurations_name_the_field),
        cmocka_unit_test(test_span_counts_of_the_batch_processor_variables),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_journal_memory_that_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
