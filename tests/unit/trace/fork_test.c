/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fork does to the library, in the child and in the parent; a process that exits without
 * shutdown. ThreadSanitizer refuses threads in the child of a threaded process, and gcc 12's
 * AddressSanitizer does not hold its allocator's locks over fork(), so that the child may wait for
 * ever for a thread it does not have: both builds report a skip (tests/skips.txt). */
#include "probe.h"

#include <flowtrace/user.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77 };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CAN_FORK false
#else
#define CAN_FORK true
#endif

/* In the child of a fork: 0 when everything is as it should be, else the number of what is not. */
static int child_failure(struct probe *probe, ftr_span inherited)
{
    if (counts().started != 0 || counts().exporters[0].queued != 0)
        return 1;
    ftr_span_end(inherited);
    if (counts().stale != 1) /* it is the parent's */
        return 6;
    record(7);
    if (ftr_flush(5 * SECOND) != FTR_OK)
        return 2;
    if (counts().recorded != 7 || counts().exporters[0].delivered != 7)
        return 3;
    if (atomic_load(&probe->n_spans) != 7)
        return 4;
    char pid[24];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    return ftr_shutdown(5 * SECOND) == FTR_OK ? 0 : 5;
}

static void test_fork_gives_the_child_its_own_library(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    start_with(&config, probe);
    const ftr_span span = ftr_span_start(FTR_STR("open"), FTR_KIND_INTERNAL, NULL);
    record(5); /* possibly still in the journal */
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        atomic_store(&probe->n_spans, 0);
        _exit(child_failure(probe, span));
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    ftr_span_end(span);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(probe->n_spans, 6);
    free(probe);
}

/* ---- user spans ---- */

static ftr_statistics user_counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_user_statistics(&statistics);
    return statistics;
}

static ftr_span start_user_root(const char *customer)
{
    const ftr_str text = ftr_str_from(customer);
    const ftr_routing routing = ftr_text_routing_of(&text);
    return ftr_user_trace_start(FTR_STR("root"), &routing, NULL);
}

/* As child_failure. The parent's context is good in the child. */
static int child_user_failure(ftr_memory_spans *spans, const ftr_context *inherited)
{
    ftr_memory_spans_reset(spans);
    if (user_counts().started != 0 || user_counts().exporters[0].queued != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        ftr_span_end(ftr_user_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, inherited));
    ftr_span_end(start_user_root("c2"));
    if (ftr_flush(5 * SECOND) != FTR_OK)
        return 2;
    if (user_counts().recorded != 4 || user_counts().exporters[0].delivered != 4)
        return 3;
    const ftr_str first = ftr_memory_spans_routing(spans, 0);
    if (ftr_memory_spans_count(spans) != 4 || first.len != 2 || memcmp(first.data, "c1", 2) != 0)
        return 4;
    return ftr_shutdown(5 * SECOND) == FTR_OK ? 0 : 5;
}

static void test_user_tracing_goes_on_in_the_child(void **state)
{
    (void)state;
    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_config config = FTR_CONFIG_INIT;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    user.is_enabled = true;
    user.exporter = ftr_memory_exporter_new(spans);
    config.user = &user;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    const ftr_span root = start_user_root("c1");
    ftr_context context = ftr_span_context_of(root);
    ftr_span_end(ftr_user_span_start(FTR_STR("before"), FTR_KIND_INTERNAL, &context));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(child_user_failure(spans, &context));
    int status = -1;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    ftr_context_release(&context);
    ftr_span_end(root);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 2);
    ftr_memory_spans_unref(spans);
}

enum { IDS = 2000 };

/* The ids of as many roots, one after the other. */
static void record_ids(uint8_t *ret_ids)
{
    for (size_t i = 0; i < IDS; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
        const ftr_context context = ftr_span_context_of(span);
        memcpy(ret_ids + i * 24, &context.span.trace_id, 16);
        memcpy(ret_ids + i * 24 + 16, &context.span.span_id, 8);
        ftr_span_end(span);
    }
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 8);
}

static void assert_distinct(const uint8_t *ids, size_t n, size_t offset)
{
    uint8_t *sorted = malloc(n * 8);
    for (size_t i = 0; i < n; i++)
        memcpy(sorted + i * 8, ids + i * 24 + offset, 8);
    qsort(sorted, n, 8, compare_ids);
    for (size_t i = 1; i < n; i++)
        assert_memory_not_equal(sorted + (i - 1) * 8, sorted + i * 8, 8);
    free(sorted);
}

/* Both go on on the thread that forked, and three children do of one parent. */
static void test_no_id_occurs_twice(void **state)
{
    (void)state;
    enum { CHILDREN = 3, BYTES = IDS * 24 };
    uint8_t *ids = malloc((CHILDREN + 2) * BYTES);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    record_ids(ids);
    for (size_t c = 0; c < CHILDREN; c++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            record_ids(ids);
            _exit(write(ends[1], ids, BYTES) == BYTES ? 0 : 1);
        }
        close(ends[1]);
        size_t len = 0;
        for (ssize_t n; len < BYTES; len += (size_t)n) {
            n = read(ends[0], ids + (c + 1) * BYTES + len, BYTES - len);
            assert_true(n > 0);
        }
        close(ends[0]);
        int status = -1;
        waitpid(child, &status, 0);
        assert_int_equal(status, 0);
    }
    record_ids(ids + (CHILDREN + 1) * BYTES);
    assert_distinct(ids, (CHILDREN + 2) * IDS, 0); /* halves of trace ids */
    assert_distinct(ids, (CHILDREN + 2) * IDS, 8);
    assert_distinct(ids, (CHILDREN + 2) * IDS, 16); /* span ids */
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(ids);
}

static void test_fork_during_an_export_gives_a_child_that_does_not_export(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    start_with(&config, probe);
    pthread_mutex_lock(&probe->gate);
    record(1);
    assert_int_equal(ftr_flush(20 * MS), FTR_ERR_TIMEOUT);
    while (!atomic_load(&probe->is_in_export))
        usleep(1000);
    const pid_t child = fork();
    if (child == 0) {
        record(3);
        const bool is_flushed = ftr_flush(5 * SECOND) == FTR_OK;
        const bool is_stopped = ftr_shutdown(5 * SECOND) == FTR_OK;
        const bool is_left_alone = !atomic_load(&probe->is_closed);
        _exit(is_flushed && is_stopped && is_left_alone && counts().exporters[0].lost_export == 3
                  ? 0
                  : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    pthread_mutex_unlock(&probe->gate);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(probe);
}

static void take_no_metrics(void *instance, const ftr_metrics_batch *batch, uint64_t deadline_ns,
                            ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    ret_result->n_delivered = batch->n_points;
}

/* Nobody is waited for who is not going to export. */
static void test_a_child_without_exporter_flushes_though_metrics_were_exported(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_exporter_class both = probe_class;
    both.export_metrics = take_no_metrics;
    ftr_exporter *exporter = ftr_exporter_new(&both, probe);
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.is_exported = true;
    const ftr_config config = {
        .size = sizeof config, .exporters = &exporter, .n_exporters = 1, .metrics = &metrics};
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    pthread_mutex_lock(&probe->gate);
    record(1);
    assert_int_equal(ftr_flush(20 * MS), FTR_ERR_TIMEOUT);
    while (!atomic_load(&probe->is_in_export))
        usleep(1000);
    const pid_t child = fork();
    if (child == 0) {
        record(3);
        const bool is_flushed = ftr_flush(20 * SECOND) == FTR_OK;
        const bool is_stopped = ftr_shutdown(20 * SECOND) == FTR_OK;
        _exit(is_flushed && is_stopped && counts().exporters[0].lost_export == 3 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    pthread_mutex_unlock(&probe->gate);
    assert_int_equal(ftr_shutdown(20 * SECOND), FTR_OK);
    free(probe);
}

static bool keep_text(void *argument, const char *text, size_t len)
{
    char *kept = argument;
    memcpy(kept, text, len < 8191 ? len : 8191);
    return true;
}

/* process.pid="..." of its spans. */
static bool has_own_pid(void)
{
    static char text[8192];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "process_pid=\"%d\"", (int)getpid());
    memset(text, 0, sizeof text);
    if (ftr_metrics_text(FTR_METRICS_PROMETHEUS, keep_text, text) != FTR_OK)
        return false;
    const char *calls = strstr(text, "\ntraces_span_metrics_calls_total{"); /* behind target_info */
    return calls && strstr(calls, wanted);
}

static void test_a_dimension_of_the_resource_is_that_of_the_child(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    const ftr_str pid = FTR_STR("process.pid");
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.dimensions = &pid;
    metrics.n_dimensions = 1;
    ftr_config config = FTR_CONFIG_INIT;
    config.metrics = &metrics;
    start_with(&config, probe);
    record(1);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_true(has_own_pid());
    const pid_t child = fork();
    if (child == 0) {
        record(1);
        const bool is_flushed = ftr_flush(5 * SECOND) == FTR_OK;
        _exit(is_flushed && has_own_pid() ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(probe);
}

/* Forks when it is closed: what the child does with the exporter then comes back as its status. */
static void close_and_fork(void *instance)
{
    struct probe *probe = instance;
    static int child_status = -1;
    assert_false(atomic_exchange(&probe->is_closed, true));
    const pid_t child = fork();
    if (child == 0) {
        record(3);
        const bool is_stopped = ftr_shutdown(10 * SECOND) == FTR_OK;
        const bool is_left_alone = atomic_load(&probe->n_spans) == 0;
        _exit(is_stopped && is_left_alone && counts().exporters[0].lost_export == 3 ? 0 : 1);
    }
    waitpid(child, &child_status, 0);
    probe->otlp[0] = child_status == 0;
}

static void test_a_child_does_not_use_an_exporter_that_is_closed(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_exporter_class closing = probe_class;
    closing.close = close_and_fork;
    ftr_exporter *exporter = ftr_exporter_new(&closing, probe);
    const ftr_config config = {.size = sizeof config, .exporters = &exporter, .n_exporters = 1};
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    assert_int_equal(probe->otlp[0], 1);
    free(probe);
}

static _Atomic int n_told;

static void count_told(void *argument, const char *text)
{
    (void)argument;
    (void)text;
    n_told++;
}

static void test_a_child_is_not_told_what_its_parent_lost(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.queue_bytes = 300;
    config.on_diagnostic = count_told;
    start_with(&config, probe);
    record(100);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_true(counts().exporters[0].lost_queue_full > 0);
    const int n_before = n_told;
    assert_true(n_before >= 1);
    const pid_t child = fork();
    if (child == 0) {
        usleep(1200 * 1000); /* one is told a second, if there is something */
        record(1);
        const bool is_flushed = ftr_flush(5 * SECOND) == FTR_OK;
        _exit(is_flushed && counts().exporters[0].delivered == 1 && n_told == n_before ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    free(probe);
}

/* In the child: what was left in the tap is the parent's, what it records itself it reads. */
static int child_tap_failure(ftr_tap *tap)
{
    ftr_span_data span;
    if (ftr_tap_next(tap, 0, &span) != FTR_ERR_TIMEOUT)
        return 1;
    record(2);
    for (int i = 0; i < 2; i++)
        if (ftr_tap_next(tap, 10 * SECOND, &span) != FTR_OK)
            return 2;
    return ftr_shutdown(5 * SECOND) == FTR_OK ? 0 : 3;
}

static void test_a_tap_of_the_child_is_its_own(void **state)
{
    (void)state;
    ftr_span_data span;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    ftr_tap *tap = ftr_tap_new();
    record(3);
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    const pid_t child = fork();
    if (child == 0)
        _exit(child_tap_failure(tap));
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ftr_tap_next(tap, 0, &span), FTR_OK);
    assert_int_equal(ftr_tap_next(tap, 0, &span), FTR_ERR_TIMEOUT);
    ftr_tap_free(tap);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static _Atomic bool is_asking;
static pthread_mutex_t answer = PTHREAD_MUTEX_INITIALIZER;

/* Hangs for the thread, not for the child. */
static ftr_decision decide(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate)
{
    (void)tracestate;
    if (getpid() == *(pid_t *)instance && question->span->kind == FTR_KIND_CLIENT) {
        atomic_store(&is_asking, true);
        pthread_mutex_lock(&answer);
        pthread_mutex_unlock(&answer);
    }
    return FTR_DECISION_SAMPLE;
}

static const ftr_sampler_class hanging = {
    .size = sizeof hanging, .name = "hanging", .decide = decide};

static void *ask(void *argument)
{
    (void)argument;
    ftr_span_end(ftr_span_start(FTR_STR("asks"), FTR_KIND_CLIENT, NULL));
    return NULL;
}

static void test_fork_while_a_thread_asks_the_sampler(void **state)
{
    (void)state;
    pid_t parent = getpid();
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.sampler_class = &hanging;
    config.sampler_instance = &parent;
    start_with(&config, probe);
    pthread_mutex_lock(&answer);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
    while (!atomic_load(&is_asking))
        usleep(1000);
    const pid_t child = fork();
    if (child == 0) {
        record(3);
        const bool is_stopped = ftr_shutdown(10 * SECOND) == FTR_OK;
        _exit(is_stopped && counts().recorded == 3 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    pthread_mutex_unlock(&answer);
    pthread_join(thread, NULL);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(probe->n_spans, 1);
    free(probe);
}

static void test_exit_without_shutdown(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        struct probe *probe = new_probe();
        ftr_config config = FTR_CONFIG_INIT;
        start_with(&config, probe);
        pthread_mutex_lock(&probe->gate);
        record(1000);
        ftr_flush(10 * MS);
        exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* The flows that wait are the parent's; the child's own are decided there. */
static int tail_child_failure(struct probe *probe)
{
    if (counts().waiting != 0 || counts().recorded != 0)
        return 1;
    const ftr_span bad = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, NULL);
    ftr_span_set_status(bad, FTR_SPAN_ERROR, FTR_STR("no"));
    ftr_span_end(bad);
    record(2);
    if (ftr_get_mode() != FTR_MODE_TAIL || ftr_shutdown(10 * SECOND) != FTR_OK)
        return 2;
    if (counts().sampled_out != 2 || counts().tail_kept[FTR_TAIL_ERROR] != 1)
        return 3;
    return atomic_load(&probe->n_spans) == 1 ? 0 : 4;
}

static void test_flows_that_wait_stay_with_the_parent(void **state)
{
    (void)state;
    ftr_tail_config tail = FTR_TAIL_CONFIG_INIT;
    tail.share = 0;
    ftr_config config = FTR_CONFIG_INIT;
    config.has_mode = true;
    config.mode = FTR_MODE_TAIL;
    config.tail = &tail;
    for (int i = 0; i < 20; i++) {
        struct probe *probe = new_probe();
        start_with(&config, probe);
        const ftr_span open = ftr_span_start(FTR_STR("open"), FTR_KIND_INTERNAL, NULL);
        ftr_context context = ftr_span_context_of(open);
        const ftr_span bad = ftr_span_start(FTR_STR("bad"), FTR_KIND_INTERNAL, &context);
        ftr_span_set_status(bad, FTR_SPAN_ERROR, FTR_STR("no"));
        ftr_span_end(bad);
        ftr_context_release(&context);
        record(1000); /* the worker is at it */
        if (i % 2)
            assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(tail_child_failure(probe));
        int status = -1;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        ftr_span_end(open);
        assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
        assert_int_equal(probe->n_spans, 2);
        assert_int_equal(counts().sampled_out, 1000);
        free(probe);
    }
}

static void fork_and_record(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                            ftr_export_result *ret_result)
{
    (void)deadline_ns;
    int *status = instance;
    const pid_t child = fork();
    if (child == 0) {
        record(3);
        _exit(counts().started == 3 ? 0 : 1);
    }
    waitpid(child, status, 0);
    ret_result->n_delivered = batch->n_spans;
}

static void test_a_child_of_an_exporter_records(void **state)
{
    (void)state;
    static const ftr_exporter_class forking = {.size = sizeof forking,
                                               .name = "forking",
                                               .form = FTR_EXPORT_SPANS,
                                               .export_batch = fork_and_record};
    int status = -1;
    ftr_exporter *exporter = ftr_exporter_new(&forking, &status);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    record(1);
    assert_int_equal(ftr_shutdown(10 * SECOND), FTR_OK);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    if (!CAN_FORK)
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_tracing_goes_on_in_the_child),
        cmocka_unit_test(test_fork_gives_the_child_its_own_library),
        cmocka_unit_test(test_no_id_occurs_twice),
        cmocka_unit_test(test_flows_that_wait_stay_with_the_parent),
        cmocka_unit_test(test_fork_during_an_export_gives_a_child_that_does_not_export),
        cmocka_unit_test(test_a_child_without_exporter_flushes_though_metrics_were_exported),
        cmocka_unit_test(test_a_dimension_of_the_resource_is_that_of_the_child),
        cmocka_unit_test(test_a_child_does_not_use_an_exporter_that_is_closed),
        cmocka_unit_test(test_a_child_is_not_told_what_its_parent_lost),
        cmocka_unit_test(test_a_tap_of_the_child_is_its_own),
        cmocka_unit_test(test_fork_while_a_thread_asks_the_sampler),
        cmocka_unit_test(test_a_child_of_an_exporter_records),
        cmocka_unit_test(test_exit_without_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
