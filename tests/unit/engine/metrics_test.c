/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph's metrics, of which every figure here was worked out by hand. docs/metrics.md says what
 * they mean; scenario/metrics compares those of whole programs. */
#include "lab.h"

#include "base/bytes.h"
#include "engine/graph_metrics.h"
#include "engine/meter.h"

#include <flowtrace/metrics.h>
#include <pthread.h>
#include <stdlib.h>

#define SECONDS_NS UINT64_C(1000000000)

static struct ftri_bytes page;
static ftr_metric_source *source;

static int open_page(void **state)
{
    ftri_bytes_init(&page, 64 << 20);
    ftri_time_fake(100 * SECONDS_NS, 1700000000 * SECONDS_NS);
    return lab_open(state);
}

static int close_page(void **state)
{
    ftr_metric_source_free(source);
    source = NULL;
    ftri_bytes_deinit(&page);
    ftri_time_real();
    return lab_close(state);
}

static void start(const char *yaml, size_t capacity)
{
    lab_run(yaml, capacity);
    source = ftr_metric_source_new(graph_write_metrics, lab.graph);
    assert_non_null(source);
}

static void pass_seconds(uint64_t n)
{
    ftri_time_fake(ftri_time_monotonic_ns() + n * SECONDS_NS, ftri_time_wall_ns() + n * SECONDS_NS);
}

static bool append(void *argument, const char *text, size_t len)
{
    return ftri_bytes_append(argument, text, len) == 0;
}

static const char *read_page(void)
{
    ftri_bytes_reset(&page);
    assert_int_equal(ftri_bytes_append_char(&page, '\n'), 0);
    assert_int_equal(ftr_metrics_text(FTR_METRICS_PROMETHEUS, append, &page), FTR_OK);
    assert_int_equal(ftri_bytes_append(&page, "", 1), 0);
    return (const char *)page.data;
}

static bool has_line(const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    return strstr(read_page(), whole) != NULL;
}

/* name{flow_pipeline="main",node_id="id",node_type="type" rest */
#define NODE(name, id, type, rest)                                                                 \
    name "{flow_pipeline=\"main\",node_id=\"" id "\",node_type=\"" type "\"" rest
#define EDGE(name, from, port, to, rest)                                                           \
    name "{flow_pipeline=\"main\",edge_from=\"" from "\",edge_port=\"" port "\",edge_to=\"" to     \
         "\"" rest
#define PATH(name, path, rest) name "{flow_pipeline=\"main\",flow_path=\"" path "\"" rest
#define SUCCESS ",flow_outcome=\"success\"} "

static void assert_lines(const char *const *lines)
{
    for (; *lines; lines++)
        if (!has_line(*lines))
            fail_msg("not there: %s\n%s", *lines, read_page());
}

static void test_times(void **state)
{
    (void)state;
    start("nodes:\n"
          "  in: {type: receiver/test}\n"
          "  h: {type: processor/hold}\n"
          "  out: {type: exporter/hold}\n"
          "connections: [{from: in, to: h}, {from: h, to: out}]",
          0);
    assert_true(lab_ingest("in", 3, 0));
    pass_seconds(1); /* in the channel */
    lab_settle();
    pass_seconds(3); /* held by h */
    node_send(lab_node("h"), 0, lab.held[0]);
    lab_settle();
    pass_seconds(4);
    assert_true(
        has_line(NODE("flow_node_busy_seconds_total", "out", "exporter/hold", "} 4"))); /* so far */
    pass_seconds(1); /* at the exporter, in all 5 */
    node_ack(lab_node("out"), lab.held[1]);
    lab_settle();
    pass_seconds(100);
    assert_lines((const char *const[]){
        EDGE("flow_channel_wait_seconds_bucket", "in", "out", "h", ",le=\"0.5\"} 0"),
        EDGE("flow_channel_wait_seconds_bucket", "in", "out", "h", ",le=\"1\"} 1"),
        EDGE("flow_channel_wait_seconds_sum", "in", "out", "h", "} 1"),
        EDGE("flow_channel_wait_seconds_count", "h", "out", "out", "} 1"),
        NODE("flow_node_delay_seconds_total", "h", "processor/hold", ",delay_reason=\"queue\"} 1"),
        NODE("flow_node_delay_seconds_total", "h", "processor/hold", ",delay_reason=\"hold\"} 3"),
        NODE("flow_node_busy_seconds_total", "h", "processor/hold", "} 0"),
        NODE("flow_node_busy_seconds_total", "out", "exporter/hold", "} 5"),
        NODE("flow_node_duration_seconds_bucket", "out", "exporter/hold",
             ",flow_outcome=\"success\",le=\"2.5\"} 0"),
        NODE("flow_node_duration_seconds_bucket", "out", "exporter/hold",
             ",flow_outcome=\"success\",le=\"5\"} 1"),
        NODE("flow_node_duration_seconds_sum", "out", "exporter/hold", SUCCESS "5"),
        NODE("flow_node_duration_seconds_count", "in", "receiver/test", SUCCESS "1"),
        PATH("flow_path_duration_seconds_bucket", "in>h>out",
             ",flow_outcome=\"success\",le=\"5\"} 0"),
        PATH("flow_path_duration_seconds_bucket", "in>h>out",
             ",flow_outcome=\"success\",le=\"10\"} 1"),
        PATH("flow_path_duration_seconds_sum", "in>h>out", SUCCESS "9"),
        PATH("flow_path_items_total", "in>h>out", SUCCESS "3"),
        NODE("flow_node_received_batch_size_bucket", "h", "processor/hold", ",le=\"2\"} 0"),
        NODE("flow_node_received_batch_size_bucket", "h", "processor/hold", ",le=\"4\"} 1"),
        NULL,
    });
    assert_null(strstr(read_page(), "flow_path=\"in\"")); /* it went on from there */
    assert_null(strstr(read_page(), "flow_path=\"in>h\""));
    lab_check();
}

/* A page's clock is read at its beginning, and work may begin while it is written: then the moment
 * is after that of the page. A counter that falls is taken for one that began anew. */
static void test_busy_time_never_falls(void **state)
{
    (void)state;
    struct node_meter meter = {.busy = 0};
    meter_begin_work(&meter, 100);
    meter_end_work(&meter, 200);
    assert_int_equal(meter_busy_ns(&meter, 250), 100);
    meter_begin_work(&meter, 300);
    assert_int_equal(meter_busy_ns(&meter, 260), 100);
    assert_int_equal(meter_busy_ns(&meter, 340), 140);
    meter_end_work(&meter, 400);
    assert_int_equal(meter_busy_ns(&meter, 410), 200);
}

/* Two batches at once at one node are one busy node. */
static void test_busy_time_is_counted_once(void **state)
{
    (void)state;
    start("nodes: {in: {type: receiver/test}, out: {type: exporter/hold}}\n"
          "connections: [{from: in, to: out}]",
          0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    pass_seconds(2);
    assert_true(lab_ingest("in", 1, 2));
    lab_settle();
    pass_seconds(3);
    node_ack(lab_node("out"), lab.held[0]);
    pass_seconds(4);
    node_ack(lab_node("out"), lab.held[1]);
    lab_settle();
    assert_lines((const char *const[]){
        NODE("flow_node_busy_seconds_total", "out", "exporter/hold", "} 9"),
        NODE("flow_node_duration_seconds_sum", "out", "exporter/hold", SUCCESS "12"),
        NULL,
    });
}

static void test_backpressure(void **state)
{
    (void)state;
    start("nodes: {in: {type: receiver/test}, h: {type: processor/hold}, out: {type: "
          "exporter/test}}\n"
          "connections: [{from: in, to: h}, {from: h, to: out}]",
          1);
    node_set_accepting(lab_node("h"), false);
    for (uint64_t i = 0; i < 3; i++)
        assert_true(lab_ingest("in", 10, i));
    lab_settle();
    assert_lines((const char *const[]){
        EDGE("flow_channel_depth", "in", "out", "h", "} 3"),
        EDGE("flow_channel_depth_items", "in", "out", "h", "} 30"),
        EDGE("flow_channel_capacity", "in", "out", "h", "} 1"),
        EDGE("flow_channel_sent_batches_total", "in", "out", "h", "} 3"),
        EDGE("flow_channel_received_batches_total", "in", "out", "h", "} 0"),
        EDGE("flow_channel_blocked_seconds_total", "in", "out", "h", "} 0"),
        NULL,
    });
    pass_seconds(2);
    node_set_accepting(lab_node("h"), true);
    lab_settle();
    assert_lines((const char *const[]){
        EDGE("flow_channel_depth", "in", "out", "h", "} 0"),
        EDGE("flow_channel_received_batches_total", "in", "out", "h", "} 3"),
        EDGE("flow_channel_blocked_seconds_total", "in", "out", "h", "} 4"), /* two of them */
        NODE("flow_node_delay_seconds_total", "in", "receiver/test",
             ",delay_reason=\"backpressure\"} 4"),
        NODE("flow_node_delay_seconds_total", "h", "processor/hold", ",delay_reason=\"queue\"} 6"),
        NODE("flow_node_held_items", "h", "processor/hold", "} 30"),
        NULL,
    });
}

/* The wait for a next try is no holding; that for an outcome is no delay at all. */
static void test_retries(void **state)
{
    (void)state;
    start("nodes: {in: {type: receiver/test}, h: {type: processor/hold}, out: {type: "
          "exporter/hold}}\n"
          "connections: [{from: in, to: h}, {from: h, to: out}]",
          0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    struct pdata *const input = lab.held[0];
    node_send(lab_node("h"), 0, node_derive_watched(lab_node("h"), input, 8));
    lab_settle();
    pass_seconds(5);
    const struct result refusal = {.reason = "disk full"};
    node_nack(lab_node("out"), lab.held[1], &refusal);
    lab_settle();
    node_count_retry(lab_node("h"), input, 1, 7 * SECONDS_NS);
    pass_seconds(7);
    node_send(lab_node("h"), 0, node_derive_watched(lab_node("h"), input, 9));
    lab_settle();
    node_ack(lab_node("out"), lab.held[2]);
    lab_settle();
    pass_seconds(2);
    node_ack(lab_node("h"), input);
    lab_settle();
    assert_lines((const char *const[]){
        NODE("flow_node_delay_seconds_total", "h", "processor/hold", ",delay_reason=\"retry\"} 7"),
        NODE("flow_node_delay_seconds_total", "h", "processor/hold", ",delay_reason=\"hold\"} 2"),
        NODE("flow_node_retries_total", "h", "processor/hold", "} 1"),
        NODE("flow_node_failed_items_total", "out", "exporter/hold", "} 1"),
        NODE("flow_node_duration_seconds_count", "out", "exporter/hold",
             ",flow_outcome=\"failure\"} 1"),
        NODE("flow_node_duration_seconds_count", "out", "exporter/hold", SUCCESS "1"),
        PATH("flow_path_duration_seconds_sum", "in>h>out", ",flow_outcome=\"failure\"} 5"),
        PATH("flow_path_duration_seconds_sum", "in>h>out", SUCCESS "12"),
        NODE("flow_node_control_messages_total", "h", "processor/hold",
             ",control_kind=\"nack\",control_result=\"done\"} 1"),
        NODE("flow_node_control_messages_total", "h", "processor/hold",
             ",control_kind=\"ack\",control_result=\"done\"} 1"),
        NULL,
    });
    assert_null(strstr(read_page(), "flow_path=\"in>h\""));
}

static void test_control_messages_and_their_results(void **state)
{
    (void)state;
    start("nodes: {in: {type: receiver/test}, p: {type: processor/pass}, b: {type: "
          "processor/brittle},"
          " out: {type: exporter/refuse}}\n"
          "connections: [{from: in, to: p}, {from: p, to: b}, {from: b, to: out}]",
          0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    graph_drain(lab.graph, 10 * SECONDS_NS);
    lab_settle();
    assert_lines((const char *const[]){
        NODE("flow_node_control_messages_total", "in", "receiver/test",
             ",control_kind=\"nack\",control_result=\"done\"} 1"),
        NODE("flow_node_control_messages_total", "in", "receiver/test",
             ",control_kind=\"drain_ingress\",control_result=\"done\"} 1"),
        NODE("flow_node_control_messages_total", "p", "processor/pass",
             ",control_kind=\"shutdown\",control_result=\"ignored\"} 1"),
        NODE("flow_node_control_messages_total", "b", "processor/brittle",
             ",control_kind=\"shutdown\",control_result=\"failed\"} 1"),
        NODE("flow_node_duration_seconds_count", "b", "processor/brittle",
             ",flow_outcome=\"refused\"} 1"),
        NODE("flow_node_duration_seconds_count", "out", "exporter/refuse",
             ",flow_outcome=\"failure\"} 1"),
        NULL,
    });
}

/* Of the two ways to m one copy each; d drops its batch, which ends there. */
static void test_paths(void **state)
{
    (void)state;
    start("nodes:\n"
          "  in: {type: receiver/test}\n"
          "  s: {type: processor/split}\n"
          "  t: {type: processor/split}\n"
          "  'p>*\\': {type: processor/pass}\n"
          "  m: {type: processor/merge}\n"
          "  d: {type: processor/drop}\n"
          "  out: {type: exporter/test}\n"
          "connections:\n"
          "- {from: in, to: s}\n"
          "- {from: in, to: d}\n"
          "- {from: d, to: out}\n"
          "- {from: 's[\"a\"]', to: m}\n"
          "- {from: 's[\"b\"]', to: 'p>*\\'}\n"
          "- {from: 'p>*\\', to: m}\n"
          "- {from: m, to: t}\n"
          "- {from: 't[\"a\"]', to: out}\n"
          "- {from: 't[\"b\"]', to: out}\n",
          0);
    assert_true(lab_ingest("in", 3, 1));
    lab_settle();
    assert_lines((const char *const[]){
        PATH("flow_path_items_total", "in>d", SUCCESS "3"),
        /* both ports of t lead there, and 6 items go over each */
        PATH("flow_path_items_total", "*>m>t>out", SUCCESS "12"),
        PATH("flow_path_duration_seconds_count", "*>m>t>out", SUCCESS "2"),
        NODE("flow_node_dropped_items_total", "d", "processor/drop",
             ",drop_reason=\"filtered\"} 3"),
        NULL,
    });
    assert_null(strstr(read_page(), "overflow"));
    assert_null(strstr(read_page(), "flow_path=\"in>s"));
    /* One that never gets to m. */
    lab_check();
    assert_int_equal(lab_node("p>*\\")->account.n_visits, 1);
}

static void test_names_in_paths_are_told_apart(void **state)
{
    (void)state;
    start("nodes: {'a>b': {type: receiver/test}, '*': {type: receiver/test}, 'c\\': {type: "
          "exporter/test}}\n"
          "connections: [{from: 'a>b', to: 'c\\'}, {from: '*', to: 'c\\'}]",
          0);
    assert_true(lab_ingest("a>b", 1, 1));
    assert_true(lab_ingest("*", 2, 2));
    lab_settle();
    /* a\>b>c\\ and \*>c\\, each \ doubled by the text's own rule */
    assert_lines((const char *const[]){
        PATH("flow_path_items_total", "a\\\\>b>c\\\\\\\\", SUCCESS "1"),
        PATH("flow_path_items_total", "\\\\*>c\\\\\\\\", SUCCESS "2"),
        NULL,
    });
}

/* Merged from one way only, a batch has that way. */
static void test_a_merge_of_one_way(void **state)
{
    (void)state;
    start("nodes: {in: {type: receiver/test}, m: {type: processor/merge}, out: {type: "
          "exporter/test}}\n"
          "connections: [{from: in, to: m}, {from: m, to: out}]",
          0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    pass_seconds(2);
    assert_true(lab_ingest("in", 2, 2));
    lab_settle();
    assert_lines((const char *const[]){
        PATH("flow_path_items_total", "in>m>out", SUCCESS "3"),
        PATH("flow_path_duration_seconds_sum", "in>m>out", SUCCESS "2"), /* of the older one */
        PATH("flow_path_duration_seconds_count", "in>m>out", SUCCESS "1"),
        NODE("flow_node_delay_seconds_total", "m", "processor/merge", ",delay_reason=\"hold\"} 2"),
        NODE("flow_node_arrivals_total", "m", "processor/merge", "} 2"),
        NODE("flow_node_departures_total", "m", "processor/merge", "} 1"),
        NULL,
    });
    assert_null(strstr(read_page(), "flow_path=\"in>m\""));
}

/* The input was settled, what was made of it goes on: no end of a path lies between. */
static void test_custody_is_no_end(void **state)
{
    (void)state;
    start("nodes: {in: {type: receiver/test}, c: {type: processor/custody}, out: {type: "
          "exporter/hold}}\n"
          "connections: [{from: in, to: c}, {from: c, to: out}]",
          0);
    assert_true(lab_ingest("in", 4, 1));
    lab_settle();
    assert_non_null(lab_answer(1));
    pass_seconds(6);
    node_ack(lab_node("out"), lab.held[0]);
    lab_settle();
    assert_lines((const char *const[]){
        PATH("flow_path_duration_seconds_sum", "in>c>out", SUCCESS "6"),
        PATH("flow_path_items_total", "in>c>out", SUCCESS "4"),
        NULL,
    });
    assert_null(strstr(read_page(), "flow_path=\"in>c\""));
}

/* Ten times two ways and in again: 1024 ways to the end, and 2 + 4 + ... on the way there. */
static void test_paths_beyond_the_cap_share_one(void **state)
{
    (void)state;
    char yaml[8192];
    size_t n = (size_t)snprintf(yaml, sizeof yaml, "nodes:\n  in: {type: receiver/test}\n");
    for (int i = 0; i < 10; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n,
                              "  s%d: {type: processor/split}\n  a%d: {type: processor/pass}\n"
                              "  b%d: {type: processor/pass}\n",
                              i, i, i);
    n += (size_t)snprintf(yaml + n, sizeof yaml - n,
                          "  s10: {type: exporter/test}\nconnections:\n- {from: in, to: s0}\n");
    for (int i = 0; i < 10; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n,
                              "- {from: 's%d[\"a\"]', to: a%d}\n- {from: 's%d[\"b\"]', to: b%d}\n"
                              "- {from: a%d, to: s%d}\n- {from: b%d, to: s%d}\n",
                              i, i, i, i, i, i + 1, i, i + 1);
    start(yaml, 0);
    assert_true(lab_ingest("in", 1, 1));
    lab_settle();
    assert_int_equal(lab.n_exported, 1024);
    uint64_t n_items = 0, n_overflowing = 0;
    size_t n_series = 0;
    static const char name[] = "\nflow_path_items_total{";
    for (const char *at = strstr(read_page(), name); at; at = strstr(at + 1, name)) {
        const char *const value = strstr(at, "} ") + 2;
        n_items += strtoull(value, NULL, 10);
        n_series++;
        if (strncmp(at + sizeof name - 1 + 21, "otel_metric_overflow", 20) == 0)
            n_overflowing += strtoull(value, NULL, 10);
    }
    assert_int_equal(n_items, 1024);
    assert_in_range(n_series, 1, 1001);
    assert_in_range(n_overflowing, 24, 1023);
    assert_int_equal(n_overflowing + n_series - 1, 1024); /* each of the others was gone once */
    lab_check();
}

static void test_a_path_with_too_long_a_text(void **state)
{
    (void)state;
    char yaml[8192], name[301];
    memset(name, 'n', 300);
    name[300] = '\0';
    size_t n = (size_t)snprintf(yaml, sizeof yaml, "nodes:\n  in: {type: receiver/test}\n");
    for (int i = 0; i < 4; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "  %s%d: {type: processor/pass}\n", name,
                              i);
    n += (size_t)snprintf(yaml + n, sizeof yaml - n,
                          "  out: {type: exporter/test}\nconnections:\n- {from: in, to: %s0}\n"
                          "- {from: %s3, to: out}\n",
                          name, name);
    for (int i = 0; i < 3; i++)
        n += (size_t)snprintf(yaml + n, sizeof yaml - n, "- {from: %s%d, to: %s%d}\n", name, i,
                              name, i + 1);
    start(yaml, 0);
    for (uint64_t i = 0; i < 2; i++) {
        assert_true(lab_ingest("in", 5, i));
        lab_settle();
    }
    assert_true(
        has_line("flow_path_items_total{flow_pipeline=\"main\",otel_metric_overflow=\"true\""
                 ",flow_outcome=\"success\"} 10"));
}

/* A reader on another thread while the graph works; the thread sanitizer looks on. */
static void *read_often(void *argument)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, 64 << 20);
    while (!atomic_load((_Atomic bool *)argument)) {
        ftri_bytes_reset(&text);
        if (ftr_metrics_text(FTR_METRICS_OPENMETRICS, append, &text) != FTR_OK)
            return argument;
    }
    ftri_bytes_deinit(&text);
    return NULL;
}

static void test_reading_while_it_counts(void **state)
{
    (void)state;
    ftri_time_real();
    start("nodes: {in: {type: receiver/test}, s: {type: processor/split}, x: {type: exporter/test},"
          " y: {type: exporter/refuse}}\n"
          "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: x}, {from: 's[\"b\"]', to: y}]",
          0);
    _Atomic bool is_over = false;
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_often, &is_over), 0);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_true(lab_ingest("in", 1, i));
        lab_settle();
    }
    atomic_store(&is_over, true);
    void *failed = NULL;
    pthread_join(reader, &failed);
    assert_null(failed);
    assert_lines((const char *const[]){
        PATH("flow_path_items_total", "in>s>x", SUCCESS "2000"),
        PATH("flow_path_items_total", "in>s>y", ",flow_outcome=\"failure\"} 2000"),
        NODE("flow_node_arrivals_total", "x", "exporter/test", "} 2000"),
        NULL,
    });
}

#define PAGE(function) cmocka_unit_test_setup_teardown(function, open_page, close_page)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE(test_times),
        PAGE(test_busy_time_is_counted_once),
        cmocka_unit_test(test_busy_time_never_falls),
        PAGE(test_backpressure),
        PAGE(test_retries),
        PAGE(test_control_messages_and_their_results),
        PAGE(test_paths),
        PAGE(test_names_in_paths_are_told_apart),
        PAGE(test_a_merge_of_one_way),
        PAGE(test_custody_is_no_end),
        PAGE(test_paths_beyond_the_cap_share_one),
        PAGE(test_a_path_with_too_long_a_text),
        PAGE(test_reading_while_it_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
