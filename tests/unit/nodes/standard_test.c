/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes at the ends of a pipe: receiver/stdin, receiver/generator, exporter/stdout,
 * exporter/noop and exporter/error. */
#include "otlp/signals.h"
#include "otlp/view.h"
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define STDIN(config)                                                                              \
    "nodes:\n"                                                                                     \
    "  in: {type: receiver/stdin, config: " config "}\n"                                           \
    "  sink: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: in, to: sink}\n"

#define SINK(type, config)                                                                         \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  out: {type: " type ", config: " config "}\n"                                                \
    "connections:\n"                                                                               \
    "  - {from: source, to: out}\n"

#define GENERATOR(config)                                                                          \
    "nodes:\n"                                                                                     \
    "  make: {type: receiver/generator, config: " config "}\n"                                     \
    "  sink: {type: exporter/rig}\n"                                                               \
    "connections:\n"                                                                               \
    "  - {from: make, to: sink}\n"

/* A standard descriptor becomes one end of a pipe; the other end is returned. */
static int redirect(int fd, int *ret_saved)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *ret_saved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    assert_true(*ret_saved >= 0);
    const bool is_input = fd == STDIN_FILENO;
    assert_int_equal(dup2(ends[!is_input], fd), fd);
    close(ends[!is_input]);
    return ends[is_input];
}

static void restore(int fd, int saved)
{
    assert_int_equal(dup2(saved, fd), fd);
    close(saved);
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool has_one(void)
{
    return rig.n_arrivals == 1;
}

static void test_stdin_to_its_end(void **state)
{
    (void)state;
    int saved;
    const int in = redirect(STDIN_FILENO, &saved);
    rig_open(STDIN("{max_line: 64}"));
    put(in, "{\"key\":\"a\"}\n\n{\"key\":");
    rig_wait(has_one); /* what is there goes on at once */
    rig_check_keys("sink", 0, "a");
    assert_false(rig.is_finished);
    put(in,
        "\"b\"}\nnot json\n{\"key\":\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
        "cccccccccccc\"}\n{\"key\":\"d\"}");
    close(in);
    rig_wait(rig_is_finished);
    rig_check_keys("sink", 1, "b d");
    assert_int_equal(rig.n_arrivals, 2);
    const struct node_account *account = rig_account("in");
    assert_int_equal(account->dropped[FTR_DROP_INVALID], 2);
    assert_int_equal(account->received, 2); /* what goes on is created here */
    assert_int_equal(account->created, 3);
    rig_close();
    restore(STDIN_FILENO, saved);
}

static void test_stdin_splits_into_batches(void **state)
{
    (void)state;
    int saved;
    const int in = redirect(STDIN_FILENO, &saved);
    put(in, "{\"key\":\"a\"}\n{\"key\":\"b\"}\n{\"key\":\"c\"}\n");
    close(in);
    rig_open(STDIN("{max_items: 2}"));
    rig_wait(rig_is_finished);
    rig_check_keys("sink", 0, "a b");
    rig_check_keys("sink", 1, "c");
    rig_close();
    restore(STDIN_FILENO, saved);
}

static void test_stdin_of_wrong_lines_only(void **state)
{
    (void)state;
    int saved;
    const int in = redirect(STDIN_FILENO, &saved);
    put(in, "x\ny\n");
    close(in);
    rig_open(STDIN("{}"));
    rig_wait(rig_is_finished);
    assert_int_equal(rig.n_arrivals, 0);
    assert_int_equal(rig_account("in")->dropped[FTR_DROP_INVALID], 2);
    rig_close();
    restore(STDIN_FILENO, saved);
}

/* A regular file and /dev/null cannot be watched; they never make one wait either. */
static void test_stdin_that_is_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/ftr-stdin-XXXXXX";
    const int fd = mkstemp(path);
    const int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    put(fd, "one\ntwo");
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    rig_open(STDIN("{format: text}"));
    rig_wait(rig_is_finished);
    assert_int_equal(rig_arrival("sink", 0)->n_items, 2);
    assert_memory_equal(rig_arrival("sink", 0)->records->items[1].value.data, "two", 3);
    rig_close();
    const int null = open("/dev/null", O_RDONLY);
    assert_int_equal(dup2(null, STDIN_FILENO), STDIN_FILENO);
    rig_open(STDIN("{}"));
    rig_wait(rig_is_finished);
    rig_close();
    restore(STDIN_FILENO, saved);
    close(null);
    close(fd);
    unlink(path);
}

static void test_stdin_is_drained(void **state)
{
    (void)state;
    int saved;
    const int in = redirect(STDIN_FILENO, &saved);
    rig_open(STDIN("{}"));
    put(in, "{\"key\":\"a\"}\n");
    rig_wait(has_one);
    rig_drain();
    rig_close();
    close(in);
    restore(STDIN_FILENO, saved);
}

static void test_noop_takes_everything(void **state)
{
    (void)state;
    rig_open(SINK("exporter/noop", "{}"));
    rig_feed_key("a");
    rig_feed_telemetry("any bytes", 5);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig_account("out")->absorbed, 6);
    rig_close();
}

static void test_error_refuses(void **state)
{
    (void)state;
    rig_open(SINK("exporter/error", "{after: 2, permanent: true, retry_after: 3s, reason: no}"));
    for (size_t i = 0; i < 5; i++)
        rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig.n_nacks, 3);
    assert_true(rig.refusal.is_permanent);
    assert_string_equal(rig.refusal.reason, "no");
    assert_int_equal(rig.refusal.retry_after_ns, 3 * FTRI_NS_PER_S);
    assert_int_equal(rig_account("out")->failed, 3);
    rig_close();
    rig_open(SINK("exporter/error", "{share: 0}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, 1);
    rig_close();
    rig_refuse(SINK("exporter/error", "{share: 1.5}"), "graph:3:", "share");
}

/* Of 400 draws with probability a half fewer than 150 or more than 250 would be 5 sigma off. */
static void test_error_refuses_a_share(void **state)
{
    (void)state;
    size_t n_nacks[2];
    for (size_t run = 0; run < 2; run++) {
        rig_open(SINK("exporter/error", "{share: 0.5, seed: 7}"));
        for (size_t i = 0; i < 400; i++) {
            rig_feed_key("a");
            if (i % 50 == 49)
                rig_wait(rig_is_settled);
        }
        n_nacks[run] = rig.n_nacks;
        assert_false(rig.refusal.is_permanent);
        rig_close();
    }
    assert_in_range(n_nacks[0], 150, 250);
    assert_int_equal(n_nacks[0], n_nacks[1]);
}

/* All that can be read at once. */
static size_t drain_pipe(int fd, char *text, size_t room)
{
    const ssize_t n = read(fd, text, room - 1);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void test_stdout_writes_lines(void **state)
{
    (void)state;
    int saved;
    char text[512];
    fflush(stdout);
    const int out = redirect(STDOUT_FILENO, &saved);
    rig_open(SINK("exporter/stdout", "{}"));
    rig_feed_key("a");
    rig_feed_key("b");
    rig_wait(rig_is_settled);
    const size_t n_acks = rig.n_acks;
    rig_close();
    drain_pipe(out, text, sizeof text);
    restore(STDOUT_FILENO, saved);
    close(out);
    assert_int_equal(n_acks, 2);
    assert_string_equal(text, "{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
}

static bool is_pipe_full(void)
{
    return rig_account("out")->held > 0 && rig_account("out")->received == 1;
}

static int slow_reader;
static size_t n_read;

static bool is_settled_while_reading(void)
{
    char text[4096];
    n_read += drain_pipe(slow_reader, text, sizeof text);
    return rig_is_settled();
}

/* 300 KB do not fit into a pipe (64 KiB): the loop goes on meanwhile. */
static void test_stdout_with_a_slow_reader(void **state)
{
    (void)state;
    enum { VALUE_BYTES = 300000 };
    int saved;
    char *value = calloc(1, VALUE_BYTES);
    assert_non_null(value);
    memset(value, 'v', VALUE_BYTES);
    const struct record record = {.key = FTR_STR("k"), .value = {value, VALUE_BYTES}};
    fflush(stdout);
    slow_reader = redirect(STDOUT_FILENO, &saved);
    assert_int_equal(fcntl(slow_reader, F_SETFL, O_NONBLOCK), 0);
    n_read = 0;
    rig_open(SINK("exporter/stdout", "{}"));
    rig_feed(&record, 1);
    rig_feed_key("next");
    rig_wait(is_pipe_full);
    rig_wait(is_settled_while_reading);
    const size_t n_acks = rig.n_acks;
    rig_close();
    char text[4096];
    for (size_t n = 1; n; n_read += n)
        n = drain_pipe(slow_reader, text, sizeof text);
    restore(STDOUT_FILENO, saved);
    close(slow_reader);
    free(value);
    assert_int_equal(n_acks, 2);
    assert_int_equal(n_read, VALUE_BYTES + strlen("{\"key\":\"k\",\"value\":\"\"}\n") +
                                 strlen("{\"key\":\"next\"}\n"));
}

static void test_stdout_without_a_reader(void **state)
{
    (void)state;
    int saved;
    fflush(stdout);
    close(redirect(STDOUT_FILENO, &saved));
    rig_open(SINK("exporter/stdout", "{}"));
    rig_feed_key("a");
    rig_wait(rig_is_settled);
    const struct result refusal = rig.refusal;
    const size_t n_nacks = rig.n_nacks;
    rig_close();
    restore(STDOUT_FILENO, saved);
    assert_int_equal(n_nacks, 1);
    assert_true(refusal.is_permanent);
    assert_string_equal(refusal.reason, "writing: Broken pipe");
}

static void test_generator_makes_so_many(void **state)
{
    (void)state;
    rig_open(GENERATOR("{signal: records, rate: 0, count: 25, batch: 10}"));
    rig_wait(rig_is_finished);
    assert_int_equal(rig.n_arrivals, 3);
    assert_int_equal(rig_arrival("sink", 2)->n_items, 5);
    const struct record *last = &rig_arrival("sink", 2)->records->items[4];
    assert_int_equal(record_attribute(last, FTR_STR("sequence"))->as.i64, 24);
    assert_non_null(record_attribute(last, FTR_STR("tenant")));
    assert_true(last->event_time_ns > 0);
    assert_int_equal(rig_account("make")->created, 25);
    rig_close();
}

static size_t count_items(const char *signal, struct ftri_view bytes)
{
    struct ftri_otlp_error error;
    struct ftri_otlp_counts counts = {0};
    size_t n = 0;
    int r;
    if (strcmp(signal, "traces") == 0) {
        r = ftri_otlp_traces_check(bytes, &counts, &error);
        n = counts.n_spans;
    } else if (strcmp(signal, "logs") == 0) {
        r = ftri_otlp_logs_check(bytes, &ftri_otlp_unlimited, &n, &error);
    } else {
        r = ftri_otlp_metrics_check(bytes, &ftri_otlp_unlimited, &n, &error);
    }
    assert_int_equal(r, 0);
    return n;
}

/* What it makes is what the checks of the receiver accept; the same seed makes the same. */
static void test_generator_makes_telemetry(void **state)
{
    (void)state;
    static const char *const signals[] = {"traces", "metrics", "logs"};
    for (size_t i = 0; i < FTRI_COUNT(signals); i++) {
        char text[512];
        snprintf(text, sizeof text, GENERATOR("{signal: %s, rate: 0, count: 7, batch: 7}"),
                 signals[i]);
        rig_open(text);
        rig_wait(rig_is_finished);
        assert_int_equal(rig.n_arrivals, 1);
        assert_int_equal(rig_arrival("sink", 0)->n_items, 7);
        assert_int_equal(count_items(signals[i], ftri_payload_view(rig_arrival("sink", 0)->otlp)),
                         7);
        rig_close();
    }
}

static void test_generator_keeps_a_rate(void **state)
{
    (void)state;
    const uint64_t start_ns = ftri_time_monotonic_ns();
    rig_open(GENERATOR("{signal: logs, rate: 100, count: 9, batch: 3}"));
    rig_wait(rig_is_finished);
    assert_int_equal(rig.n_arrivals, 3); /* at 0, 30 and 60 ms */
    assert_true(ftri_time_monotonic_ns() - start_ns >= 59 * FTRI_NS_PER_MS);
    rig_close();
}

static bool has_one_held(void)
{
    return rig_account("sink")->held == 10;
}

/* With a full channel it waits; a drain ends it. */
static void test_generator_waits_for_room(void **state)
{
    (void)state;
    rig_open("nodes:\n"
             "  make: {type: receiver/generator, config: {signal: records, rate: 0}}\n"
             "  sink: {type: exporter/rig, config: {hold: true}}\n"
             "connections:\n"
             "  - {from: make, to: sink}\n");
    rig_wait(has_one_held);
    graph_drain(rig.graph, 20 * FTRI_NS_PER_MS);
    rig_wait(rig_is_drained);
    struct graph_edge_view edge;
    assert_true(graph_edge_view(rig.graph, 0, &edge));
    assert_int_equal(edge.account->sent, edge.account->received + edge.account->lost);
    assert_in_range(edge.account->n_sent_batches, 1, 1000);
    node_ack(rig.holder, rig.held);
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stdin_to_its_end),
        cmocka_unit_test(test_stdin_splits_into_batches),
        cmocka_unit_test(test_stdin_of_wrong_lines_only),
        cmocka_unit_test(test_stdin_that_is_a_file),
        cmocka_unit_test(test_stdin_is_drained),
        cmocka_unit_test(test_noop_takes_everything),
        cmocka_unit_test(test_error_refuses),
        cmocka_unit_test(test_error_refuses_a_share),
        cmocka_unit_test(test_stdout_writes_lines),
        cmocka_unit_test(test_stdout_with_a_slow_reader),
        cmocka_unit_test(test_stdout_without_a_reader),
        cmocka_unit_test(test_generator_makes_so_many),
        cmocka_unit_test(test_generator_makes_telemetry),
        cmocka_unit_test(test_generator_keeps_a_rate),
        cmocka_unit_test(test_generator_waits_for_room),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
