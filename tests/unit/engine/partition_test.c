/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected parts are written as OTLP/JSON and encoded by the codec, which is compared with Google's
 * protobuf elsewhere. Loops by hand (see the first test): a trace that ends in 01 is on loop 1 of
 * 2, one that ends in 02 on loop 0. */
#include "engine/partition.h"

#include "base/mem.h"
#include "base/payload.h"
#include "engine/pdata.h"
#include "otlp/json.h"
#include "otlp/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HIGH "00000000000000ff00000000000000"
#define SPAN(end, name) "{'traceId':'" HIGH end "','spanId':'00000000000000aa','name':'" name "'}"
#define LOG(end, text) "{'traceId':'" HIGH end "','body':{'stringValue':'" text "'}}"
#define SCOPE(name, spans) "{'scope':{'name':'" name "'},'spans':[" spans "]}"
#define RESOURCE(name, scopes)                                                                     \
    "{'resource':{'attributes':[{'key':'service.name','value':{'stringValue':'" name               \
    "'}}]},'scopeSpans':[" scopes "]}"
#define SPANS(resources) "{'resourceSpans':[" resources "]}"
#define LOGS(records) "{'resourceLogs':[{'scopeLogs':[{'logRecords':[" records "]}]}]}"

static struct ftri_payload *encode(const char *json)
{
    char text[4096];
    size_t len = 0;
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    struct ftri_bytes bytes;
    for (; json[len]; len++)
        text[len] = json[len] == '\'' ? '"' : json[len];
    ftri_bytes_init(&bytes, 1 << 16);
    const struct ftri_view view = ftri_view_of((const uint8_t *)text, len);
    const int r = strstr(json, "resourceLogs")
                      ? ftri_otlp_logs_from_json(view, &bytes, &counts, &error)
                      : ftri_otlp_traces_from_json(view, &bytes, &counts, &error);
    if (r < 0)
        fail_msg("%s: %s", error.path, error.reason);
    struct ftri_payload *payload = ftri_payload_new(&bytes);
    assert_non_null(payload);
    return payload;
}

static struct pdata batch(ftr_signal signal, const char *json)
{
    return (struct pdata){.signal = signal, .otlp = encode(json), .n_items = 1000};
}

static void check_part(const struct partition *partition, size_t loop, uint64_t n_items,
                       const char *json)
{
    const struct partition_part *const part = &partition->parts[loop];
    struct ftri_payload *expected = encode(json);
    const struct ftri_view wanted = ftri_payload_view(expected);
    assert_int_equal(part->loop, loop);
    assert_false(part->is_whole);
    assert_int_equal(part->n_items, n_items);
    const struct ftri_view found = ftri_payload_view(part->otlp);
    assert_int_equal(found.len, wanted.len);
    assert_memory_equal(found.data, wanted.data, wanted.len);
    ftri_payload_unref(expected);
}

/* (n ^ n >> 32) * 0x9e3779b97f4a7c15, of whose upper half the share of n_loops is taken. For n = 1
 * that half is 0x9e3779b9, 0.618 of 2^32; for n = 2 0x3c6ef372, 0.236. */
static void test_a_trace_has_its_loop(void **state)
{
    (void)state;
    uint8_t id[16] = {0xff, [15] = 1};
    assert_int_equal(partition_loop(id, 1), 0);
    assert_int_equal(partition_loop(id, 2), 1);
    assert_int_equal(partition_loop(id, 10), 6);
    id[15] = 2;
    assert_int_equal(partition_loop(id, 2), 0);
    assert_int_equal(partition_loop(id, 10), 2);
    id[0] = 0; /* the first half does not count */
    assert_int_equal(partition_loop(id, 10), 2);
}

/* The ids of W3C Trace Context's examples; by Python's integers. */
static void test_all_of_the_second_half_counts(void **state)
{
    (void)state;
    static const uint8_t one[16] = {[8] = 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
    static const uint8_t two[16] = {[8] = 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36};
    assert_int_equal(partition_loop(one, 4), 3);
    assert_int_equal(partition_loop(one, 64), 50);
    assert_int_equal(partition_loop(two, 4), 1);
    assert_int_equal(partition_loop(two, 64), 16);
}

static void test_spans_are_split_with_where_they_stand(void **state)
{
    (void)state;
    struct partition parts;
    struct pdata pdata = batch(
        FTR_SIGNAL_TRACES,
        SPANS(RESOURCE(
            "a", SCOPE("x", SPAN("01", "a1") "," SPAN("02", "a2") "," SPAN("01", "a3")) "," SCOPE(
                     "y", SPAN("02", "a4"))) "," RESOURCE("b", SCOPE("x", SPAN("01", "b1")))));
    partition_split(&pdata, 0, 2, &parts);
    assert_int_equal(parts.n_parts, 2);
    check_part(&parts, 0, 2,
               SPANS(RESOURCE("a", SCOPE("x", SPAN("02", "a2")) "," SCOPE("y", SPAN("02", "a4")))));
    check_part(&parts, 1, 3,
               SPANS(RESOURCE("a", SCOPE("x", SPAN("01", "a1") "," SPAN("01", "a3"))) "," RESOURCE(
                   "b", SCOPE("x", SPAN("01", "b1")))));
    partition_deinit(&parts);
    ftri_payload_unref(pdata.otlp);
}

static void test_log_records_without_a_trace_stay(void **state)
{
    (void)state;
    struct partition parts;
    struct pdata pdata =
        batch(FTR_SIGNAL_LOGS,
              LOGS(LOG("02", "two") ",{'body':{'stringValue':'none'}}," LOG("01", "one")));
    partition_split(&pdata, 1, 2, &parts);
    assert_int_equal(parts.n_parts, 2);
    check_part(&parts, 0, 1, LOGS(LOG("02", "two")));
    check_part(&parts, 1, 2, LOGS("{'body':{'stringValue':'none'}}," LOG("01", "one")));
    partition_deinit(&parts);
    ftri_payload_unref(pdata.otlp);
}

static void check_whole(struct pdata *pdata, size_t own, size_t loop)
{
    struct partition parts;
    partition_split(pdata, own, 2, &parts);
    assert_int_equal(parts.n_parts, 1);
    assert_true(parts.parts[0].is_whole);
    assert_null(parts.parts[0].otlp);
    assert_int_equal(parts.parts[0].loop, loop);
    partition_deinit(&parts);
    ftri_payload_unref(pdata->otlp);
}

/* Nothing is copied. What has no trace at all stays on its loop. */
static void test_a_batch_of_one_loop_goes_as_it_is(void **state)
{
    (void)state;
    struct pdata traces = batch(
        FTR_SIGNAL_TRACES, SPANS(RESOURCE("a", SCOPE("x", SPAN("01", "a1") "," SPAN("01", "a3")))));
    struct pdata empty = batch(FTR_SIGNAL_TRACES, "{}");
    struct pdata records = {.signal = FTR_SIGNAL_RECORDS};
    struct pdata metrics = batch(FTR_SIGNAL_TRACES, "{}");
    metrics.signal = FTR_SIGNAL_METRICS;
    check_whole(&traces, 0, 1);
    check_whole(&empty, 1, 1);
    check_whole(&records, 1, 1);
    check_whole(&metrics, 1, 1);
}

/* A part that there is no memory for is lost alone, and says how many items it had. */
static void test_each_request_for_memory_fails(void **state)
{
    (void)state;
    struct pdata pdata = batch(
        FTR_SIGNAL_TRACES, SPANS(RESOURCE("a", SCOPE("x", SPAN("01", "a1") "," SPAN("02", "a2")))));
    size_t n_lost = 1;
    for (uint64_t n = 1; n_lost > 0; n++) {
        struct partition parts;
        ftri_mem_fail_at(n);
        partition_split(&pdata, 0, 2, &parts);
        ftri_mem_fail_at(0);
        assert_int_equal(parts.n_parts, 2);
        n_lost = !parts.parts[0].otlp + !parts.parts[1].otlp;
        assert_true(n_lost <= 1);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(parts.parts[i].n_items, 1);
        partition_deinit(&parts);
    }
    ftri_payload_unref(pdata.otlp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trace_has_its_loop),
        cmocka_unit_test(test_all_of_the_second_half_counts),
        cmocka_unit_test(test_spans_are_split_with_where_they_stand),
        cmocka_unit_test(test_log_records_without_a_trace_stay),
        cmocka_unit_test(test_a_batch_of_one_loop_goes_as_it_is),
        cmocka_unit_test(test_each_request_for_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
