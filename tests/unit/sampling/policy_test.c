/* SPDX-License-Identifier: Apache-2.0
 *
 * Which reasons hold for a span, by hand; and what a verdict says. */
#include "sampling/policy.h"

#include "sampling/fate.h"
#include "sampling/threshold.h"

#include <flowtrace/exporter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ERROR FTRI_REASON(FTR_TAIL_ERROR)
#define DROP FTRI_REASON(FTR_TAIL_DROP)
#define LATENCY FTRI_REASON(FTR_TAIL_LATENCY)
#define ATTRIBUTE FTRI_REASON(FTR_TAIL_ATTRIBUTE)
#define SHARE FTRI_REASON(FTR_TAIL_SHARE)
#define MODE FTRI_REASON(FTR_TAIL_MODE)
#define CROSSED FTRI_REASON(FTR_TAIL_CROSSED)

static const struct ftri_policy nothing = {.threshold = FTRI_THRESHOLD_NEVER};

static void test_no_policy_keeps_nothing(void **state)
{
    (void)state;
    const ftr_attribute dropped = {FTR_STR("drop.reason"), ftr_value_str(FTR_STR("late"))};
    const struct ftri_flow_span span = {.start_ns = 1,
                                        .end_ns = UINT64_MAX,
                                        .attributes = &dropped,
                                        .n_attributes = 1,
                                        .is_error = true,
                                        .is_root = true};
    assert_int_equal(ftri_policy_judge(&nothing, &span), 0);
}

static void test_errors(void **state)
{
    (void)state;
    struct ftri_policy policy = nothing;
    policy.keeps_errors = true;
    struct ftri_flow_span span = {.is_error = true};
    assert_int_equal(ftri_policy_judge(&policy, &span), ERROR);
    span.is_error = false;
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
}

static void test_drops(void **state)
{
    (void)state;
    struct ftri_policy policy = nothing;
    policy.keeps_drops = true;
    const ftr_attribute attributes[] = {{FTR_STR("drop"), ftr_value_i64(1)},
                                        {FTR_STR("drop.reason"), ftr_value_str(FTR_STR("late"))}};
    const ftr_event_data events[] = {{.name = FTR_STR("flow.dropped")},
                                     {.name = FTR_STR("flow.drop")}};
    struct ftri_flow_span span = {
        .attributes = attributes, .n_attributes = 1, .events = events, .n_events = 1};
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
    span.n_attributes = 2;
    assert_int_equal(ftri_policy_judge(&policy, &span), DROP);
    span.n_attributes = 1;
    span.n_events = 2;
    assert_int_equal(ftri_policy_judge(&policy, &span), DROP);
}

static void test_latency(void **state)
{
    (void)state;
    struct ftri_policy policy = nothing;
    policy.latency_ns = 1000;
    struct ftri_flow_span span = {.start_ns = 5000, .end_ns = 5999};
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
    span.end_ns = 6000;
    assert_int_equal(ftri_policy_judge(&policy, &span), LATENCY);
    span.end_ns = 0; /* still open */
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
    assert_false(ftri_policy_is_long(&nothing, 0, UINT64_MAX));
}

static bool keeps_by(ftr_tail_attribute wanted, ftr_str key, ftr_value value)
{
    struct ftri_policy policy = nothing;
    const ftr_tail_attribute both[] = {{FTR_STR("other"), FTR_STR("x")}, wanted};
    policy.attributes = both;
    policy.n_attributes = 2;
    const ftr_attribute attributes[] = {{FTR_STR("n"), ftr_value_i64(1)}, {key, value}};
    const struct ftri_flow_span span = {.attributes = attributes, .n_attributes = 2};
    const uint32_t reasons = ftri_policy_judge(&policy, &span);
    assert_true(reasons == 0 || reasons == ATTRIBUTE);
    return reasons != 0;
}

static void test_attributes(void **state)
{
    (void)state;
    const ftr_str key = FTR_STR("k");
    const ftr_tail_attribute any = {key, {NULL, 0}};
    assert_true(keeps_by(any, key, ftr_value_f64(0.5)));
    assert_false(keeps_by(any, FTR_STR("kk"), ftr_value_f64(0.5)));
    assert_false(keeps_by(any, FTR_STR("K"), ftr_value_f64(0.5)));
    const ftr_tail_attribute text = {key, FTR_STR("gold")};
    assert_true(keeps_by(text, key, ftr_value_str(FTR_STR("gold"))));
    assert_false(keeps_by(text, key, ftr_value_str(FTR_STR("golden"))));
    assert_false(keeps_by(text, FTR_STR("l"), ftr_value_str(FTR_STR("gold"))));
    assert_true(keeps_by((ftr_tail_attribute){key, FTR_STR("")}, key, ftr_value_str(FTR_STR(""))));
    assert_false(
        keeps_by((ftr_tail_attribute){key, FTR_STR("")}, key, ftr_value_str(FTR_STR("a"))));
    const ftr_tail_attribute number = {key, FTR_STR("-9223372036854775808")};
    assert_true(keeps_by(number, key, ftr_value_i64(INT64_MIN)));
    assert_false(keeps_by(number, key, ftr_value_i64(-922)));
    assert_false(keeps_by((ftr_tail_attribute){key, FTR_STR("0.5")}, key, ftr_value_f64(0.5)));
    const ftr_tail_attribute yes = {key, FTR_STR("true")};
    assert_true(keeps_by(yes, key, ftr_value_bool(true)));
    assert_false(keeps_by(yes, key, ftr_value_bool(false)));
    assert_true(keeps_by((ftr_tail_attribute){key, FTR_STR("false")}, key, ftr_value_bool(false)));
}

/* The last 7 bytes of the id, or rv, against the threshold; 0.5 rejects below 0x80000000000000. */
static void test_share(void **state)
{
    (void)state;
    struct ftri_policy policy = nothing;
    policy.threshold = ftri_threshold_of(0.5);
    struct ftri_flow_span span = {.trace_id = {{1, [9] = 0x80}}};
    assert_int_equal(ftri_policy_judge(&policy, &span), SHARE);
    span.trace_id.bytes[9] = 0x7f;
    memset(span.trace_id.bytes + 10, 0xff, 6);
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
    span.tracestate = FTR_STR("ot=rv:80000000000000");
    assert_int_equal(ftri_policy_judge(&policy, &span), SHARE);
    policy.threshold = ftri_threshold_of(0.25);
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
    policy.threshold = 0;
    span.trace_id = (ftr_trace_id){{1}};
    span.tracestate = FTR_STR("");
    assert_int_equal(ftri_policy_judge(&policy, &span), SHARE);
    span.trace_id = (ftr_trace_id){{[9] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    policy.threshold = ftri_threshold_of(0);
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
}

static void test_reasons_add_up(void **state)
{
    (void)state;
    const struct ftri_policy policy = {.keeps_errors = true, .latency_ns = 1, .threshold = 0};
    const struct ftri_flow_span span = {
        .is_error = true, .start_ns = 1, .end_ns = 2, .reasons = MODE | CROSSED};
    assert_int_equal(ftri_policy_judge(&policy, &span), ERROR | LATENCY | SHARE | MODE | CROSSED);
}

static void assert_fate(uint32_t reasons, bool is_cut, const char *vote, bool is_kept)
{
    const struct ftri_flow_fate made = ftri_fate_of(reasons, is_cut);
    const uint8_t byte = ftri_fate_pack(&made);
    const struct ftri_flow_fate fate = ftri_fate_unpack(byte);
    char text[FTRI_FATE_VOTE];
    assert_int_not_equal(byte, 0);
    assert_int_equal(ftri_fate_vote(&fate, text), strlen(vote));
    assert_string_equal(text, vote);
    assert_int_equal(fate.is_kept, is_kept);
    assert_int_equal(fate.is_cut, is_cut);
    assert_int_equal(ftri_fate_byte_is_cut(byte), is_cut);
    assert_int_equal(fate.has_crossed, (reasons & CROSSED) != 0);
}

/* What crossed is exported whatever the vote. */
static void test_votes(void **state)
{
    (void)state;
    assert_fate(0, false, "drop", false);
    assert_fate(0, true, "drop", false);
    assert_fate(CROSSED, false, "drop", true);
    assert_fate(CROSSED | MODE, true, "keep:mode", true);
    assert_fate(CROSSED | SHARE, true, "keep:share", true);
    assert_fate(ATTRIBUTE | SHARE, false, "keep:attribute", true);
    assert_fate(LATENCY | ATTRIBUTE, false, "keep:latency", true);
    assert_fate(DROP | LATENCY | CROSSED, false, "keep:drop", true);
    assert_fate(0xff, false, "keep:error", true);
}

static void assert_keys(const struct ftri_policy *policy, const char *const *expected)
{
    size_t n = 0;
    for (; expected[n]; n++) {
        const ftr_str key = ftri_policy_key(policy, n);
        assert_int_equal(key.len, strlen(expected[n]));
        assert_memory_equal(key.data, expected[n], key.len);
    }
    assert_null(ftri_policy_key(policy, n).data);
}

/* A span without any of them is judged without its attributes and events. */
static void test_keys_are_all_that_is_looked_for(void **state)
{
    (void)state;
    static const char *const of_drops[] = {"drop.reason", "flow.drop", "otelcol.node.drop",
                                           "message.dropped", NULL};
    static const char *const of_both[] = {"drop.reason",     "flow.drop", "otelcol.node.drop",
                                          "message.dropped", "tenant",    NULL};
    const ftr_tail_attribute wanted = {FTR_STR("tenant"), {NULL, 0}};
    struct ftri_policy policy = nothing;
    assert_keys(&policy, of_drops + 4);
    policy.keeps_drops = true;
    assert_keys(&policy, of_drops);
    for (size_t i = 1; of_drops[i]; i++) {
        const ftr_event_data event = {.name = ftr_str_from(of_drops[i])};
        const struct ftri_flow_span span = {.events = &event, .n_events = 1};
        assert_int_equal(ftri_policy_judge(&policy, &span), DROP);
        assert_int_equal(ftri_policy_judge_plain(&policy, &span), 0);
    }
    policy.attributes = &wanted;
    policy.n_attributes = 1;
    assert_keys(&policy, of_both);
    policy.keeps_drops = false;
    assert_keys(&policy, of_both + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_policy_keeps_nothing),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_reasons_add_up),
        cmocka_unit_test(test_votes),
        cmocka_unit_test(test_keys_are_all_that_is_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
