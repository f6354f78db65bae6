/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library says: sums of what batches came to, so that nothing is left out; on stderr down
 * to a level. */
#include "probe.h"

#include "base/time.h"
#include "trace/diagnostics.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* What the lines say, added up; written by the exporter's thread. */
static struct {
    _Atomic uint64_t n_lines;
    _Atomic uint64_t delivered;
    _Atomic uint64_t rejected;
    _Atomic uint64_t lost;
    _Atomic uint64_t queue_full;
    _Atomic bool has_reason;
} said;

static void add_up(void *argument, const char *text)
{
    (void)argument;
    uint64_t n[4];
    assert_int_equal(sscanf(text,
                            "exporter picky: %" SCNu64 " spans delivered, %" SCNu64
                            " rejected, %" SCNu64 " lost, %" SCNu64 " more lost",
                            &n[0], &n[1], &n[2], &n[3]),
                     4);
    said.n_lines++;
    said.delivered += n[0];
    said.rejected += n[1];
    said.lost += n[2];
    said.queue_full += n[3];
    said.has_reason = strstr(text, "full queue: one in three is bad") != NULL;
}

/* Of three spans one is delivered, one rejected, one forgotten. */
static void be_picky(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                     ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    ret_result->n_delivered = batch->n_spans / 3;
    ret_result->n_rejected = batch->n_spans / 3;
    snprintf(ret_result->text, sizeof ret_result->text, "one in three is bad");
}

static const ftr_exporter_class picky = {
    .size = sizeof picky,
    .name = "picky",
    .form = FTR_EXPORT_SPANS,
    .export_batch = be_picky,
};

static void start_picky(size_t queue_bytes, void (*tell)(void *argument, const char *text))
{
    ftr_exporter *exporter = ftr_exporter_new(&picky, NULL);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.queue_bytes = queue_bytes;
    config.on_diagnostic = tell;
    memset(&said, 0, sizeof said);
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
}

static void record_batches(int n)
{
    for (int i = 0; i < n; i++) {
        record(3);
        assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    }
}

static void assert_all_is_said(void)
{
    const ftr_exporter_statistics exporter = counts().exporters[0];
    assert_int_equal(said.delivered, exporter.delivered);
    assert_int_equal(said.rejected, exporter.rejected);
    assert_int_equal(said.lost, exporter.lost_export);
    assert_int_equal(said.queue_full, exporter.lost_queue_full);
    assert_true(said.has_reason);
}

static void test_a_second_is_summed_up_at_the_end(void **state)
{
    (void)state;
    start_picky(0, add_up);
    record_batches(100);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    assert_int_equal(counts().exporters[0].rejected, 100);
    assert_all_is_said();
    assert_in_range(said.n_lines, 2, 60); /* one a second, and the last one */
}

/* Nothing more has to happen: the next line comes by itself. */
static void test_a_second_is_summed_up_when_it_is_over(void **state)
{
    (void)state;
    start_picky(0, add_up);
    record_batches(10);
    for (int i = 0; i < 60000 && said.rejected < 10; i++)
        usleep(1000);
    assert_all_is_said();
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    assert_int_equal(counts().exporters[0].rejected, 10);
    assert_all_is_said();
}

static void test_full_queues_are_in_the_sums(void **state)
{
    (void)state;
    start_picky(400, add_up);
    for (int i = 0; i < 20; i++) {
        record(30);
        assert_int_equal(ftr_flush(30 * SECOND), FTR_OK);
    }
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    assert_true(counts().exporters[0].lost_queue_full > 0);
    assert_all_is_said();
}

static int captured[2];
static int real_stderr;

static void begin_capture(void)
{
    assert_int_equal(pipe(captured), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(captured[1], STDERR_FILENO);
}

/* What stderr was told; until the next call. */
static const char *end_capture(void)
{
    static char text[8192];
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(captured[1]);
    const ssize_t len = read(captured[0], text, sizeof text - 1);
    close(captured[0]);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

/* Of a wrong setting and a lost span. */
static void assert_stderr(const char *level, bool has_warning, bool has_error)
{
    begin_capture();
    setenv("OTEL_LOG_LEVEL", level, 1);
    setenv("OTEL_BSP_SCHEDULE_DELAY", "soon", 1);
    start_picky(0, NULL);
    unsetenv("OTEL_LOG_LEVEL");
    unsetenv("OTEL_BSP_SCHEDULE_DELAY");
    record(3);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    const char *text = end_capture();
    assert_int_equal(strstr(text, "flowtrace: OTEL_BSP_SCHEDULE_DELAY: ignored") != NULL,
                     has_warning);
    assert_int_equal(strstr(text, "flowtrace: exporter picky: ") != NULL, has_error);
}

/* Five lines a minute, and so in this order. */
static void test_the_level_bounds_what_stderr_is_told(void **state)
{
    (void)state;
    assert_stderr("none", false, false);
    assert_stderr("OFF", false, false);
    assert_stderr("Error", false, true);
    assert_stderr("debug", true, true);
    assert_stderr("", true, true);
}

/* Five a minute. */
static void test_lines_that_are_left_out_are_counted(void **state)
{
    (void)state;
    const struct ftri_teller nobody = {NULL, NULL};
    const uint64_t hour_ns = ftri_time_monotonic_ns() + 3600 * SECOND;
    ftri_diagnostics_set(&nobody, FTRI_LOG_ALL);
    begin_capture();
    ftri_time_fake(hour_ns, 1);
    for (int i = 1; i <= 8; i++)
        ftri_diagnose("line %d", i);
    ftri_time_fake(hour_ns + 60 * SECOND, 1);
    ftri_diagnose("line 9");
    ftri_diagnose("line 10");
    const char *text = end_capture();
    ftri_time_real();
    assert_string_equal(text, "flowtrace: line 1\nflowtrace: line 2\nflowtrace: line 3\n"
                              "flowtrace: line 4\nflowtrace: line 5\n"
                              "flowtrace: line 9 (3 lines before it left out)\n"
                              "flowtrace: line 10\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_is_summed_up_at_the_end),
        cmocka_unit_test(test_a_second_is_summed_up_when_it_is_over),
        cmocka_unit_test(test_full_queues_are_in_the_sums),
        cmocka_unit_test(test_the_level_bounds_what_stderr_is_told),
        cmocka_unit_test(test_lines_that_are_left_out_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
