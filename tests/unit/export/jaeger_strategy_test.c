/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of jaeger.api_v2.SamplingManager, written by hand after sampling.proto, and what they
 * decide; of a ratio as TraceIDRatioBased of OpenTelemetry's SDK for Go. */
#include "export/jaeger_strategy.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ZERO "\0\0\0\0\0\0\0\0"
#define QUARTER "\0\0\0\0\0\0\xd0\x3f"
#define HALF "\0\0\0\0\0\0\xe0\x3f"
#define ONE "\0\0\0\0\0\0\xf0\x3f"
#define TWO "\0\0\0\0\0\0\0\x40"
#define MINUS_ONE "\0\0\0\0\0\0\xf0\xbf"
#define NOT_A_NUMBER "\0\0\0\0\0\0\xf8\x7f"

#define RATIO_ANSWER(ratio) "\x12\x09\x09" ratio
#define RATIO_OF(name, ratio) "\x1a\x10\x0a\x03" name "\x12\x09\x09" ratio
/* Default, least rate, two operations of three letters. */
#define OPERATIONS_ANSWER(standard, least, one, two) "\x22\x36\x09" standard "\x11" least one two

#define VIEW(literal) ftri_view_of("" literal, sizeof(literal) - 1)

/* Its last 8 bytes begin so: below 0x40 a quarter takes it, below 0x80 half. */
static ftr_trace_id id_of(uint8_t byte)
{
    return (ftr_trace_id){.bytes = {[0] = 1, [8] = byte}};
}

static bool takes(struct ftri_jaeger_strategy *strategy, const char *operation, uint8_t byte,
                  uint64_t now_ns)
{
    const ftr_trace_id id = id_of(byte);
    return ftri_jaeger_strategy_takes(strategy, ftr_str_from(operation), &id, now_ns);
}

static void assert_ratio(struct ftri_jaeger_strategy *strategy, const char *operation,
                         uint8_t first_not_taken)
{
    if (first_not_taken > 0)
        assert_true(takes(strategy, operation, first_not_taken - 1, 1));
    assert_false(takes(strategy, operation, first_not_taken, 1));
}

static struct ftri_jaeger_strategy *first(double ratio)
{
    struct ftri_jaeger_strategy *strategy = ftri_jaeger_strategy_new(ratio);
    assert_non_null(strategy);
    return strategy;
}

/* What follows on `before`, which it frees. */
static struct ftri_jaeger_strategy *next(struct ftri_jaeger_strategy *before,
                                         struct ftri_view answer)
{
    struct ftri_jaeger_strategy *strategy = NULL;
    struct ftri_error error = {""};
    if (ftri_jaeger_strategy_read(answer, before, &strategy, &error) != 0)
        fail_msg("%s", error.text);
    ftri_jaeger_strategy_free(before);
    return strategy;
}

static void test_a_ratio(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *strategy = first(0.25);
    assert_ratio(strategy, "any", 0x40);
    strategy = next(strategy, VIEW(RATIO_ANSWER(HALF)));
    assert_ratio(strategy, "any", 0x80);
    strategy = next(strategy, VIEW("\x08\x00" RATIO_ANSWER(ONE)));
    assert_true(takes(strategy, "any", 0xff, 1));
    strategy = next(strategy, VIEW("\x12\x00")); /* a double of 0 is not written */
    assert_ratio(strategy, "any", 0);
    /* With a rate beside it, and what is none of ours: the ratio. */
    strategy = next(strategy, VIEW("\x1a\x02\x08\x05\x4a\x01x" RATIO_ANSWER(HALF)));
    assert_ratio(strategy, "any", 0x80);
    ftri_jaeger_strategy_free(strategy);
}

static unsigned n_taken(struct ftri_jaeger_strategy *strategy, const char *operation, unsigned n,
                        uint64_t now_ns)
{
    unsigned n_taken = 0;
    for (unsigned i = 0; i < n; i++)
        n_taken += takes(strategy, operation, 0xff, now_ns);
    return n_taken;
}

static void test_a_rate(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *strategy = next(first(1), VIEW("\x08\x01\x1a\x02\x08\x03"));
    assert_int_equal(n_taken(strategy, "any", 10, FTRI_NS_PER_S), 3);
    assert_int_equal(n_taken(strategy, "other", 10, FTRI_NS_PER_S + 1), 0);
    assert_int_equal(n_taken(strategy, "any", 10, 2 * FTRI_NS_PER_S), 3);
    /* The same rate in other bytes goes on where it was, another one begins. */
    strategy = next(strategy, VIEW("\x1a\x02\x08\x03"));
    assert_int_equal(n_taken(strategy, "any", 10, 2 * FTRI_NS_PER_S), 0);
    strategy = next(strategy, VIEW("\x1a\x02\x08\x04"));
    assert_int_equal(n_taken(strategy, "any", 10, 2 * FTRI_NS_PER_S), 4);
    strategy = next(strategy, VIEW("\x08\x01\x1a\x00")); /* 0 */
    assert_int_equal(n_taken(strategy, "any", 10, 9 * FTRI_NS_PER_S), 0);
    ftri_jaeger_strategy_free(strategy);
}

static void test_operations_without_a_least_rate(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *strategy =
        next(first(1), VIEW(OPERATIONS_ANSWER(QUARTER, ZERO, RATIO_OF("pay", ONE),
                                              RATIO_OF("ask", HALF)) RATIO_ANSWER(ONE)));
    assert_true(takes(strategy, "pay", 0xff, 1));
    assert_ratio(strategy, "ask", 0x80);
    assert_ratio(strategy, "", 0x40);
    assert_ratio(strategy, "payx", 0x40);
    /* The last one of a name counts; without any all have the default. */
    strategy =
        next(strategy,
             VIEW(OPERATIONS_ANSWER(QUARTER, ZERO, RATIO_OF("pay", ONE), RATIO_OF("pay", HALF))));
    assert_ratio(strategy, "pay", 0x80);
    strategy = next(strategy, VIEW("\x22\x09\x09" HALF RATIO_ANSWER(ONE)));
    assert_ratio(strategy, "pay", 0x80);
    ftri_jaeger_strategy_free(strategy);
}

/* Each operation is taken once in four seconds, listed or not, whatever its ratio. */
#define LEAST(one, two) OPERATIONS_ANSWER(ZERO, QUARTER, one, two)
enum { PERIOD_S = 4 };

static void test_each_operation_has_a_least_rate(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *strategy =
        next(first(0), VIEW(LEAST(RATIO_OF("pay", ZERO), RATIO_OF("ask", HALF))));
    const uint64_t begin = PERIOD_S * FTRI_NS_PER_S;
    const uint64_t later = 2 * begin;
    assert_int_equal(n_taken(strategy, "pay", 10, begin), 1);
    assert_int_equal(n_taken(strategy, "one", 10, begin), 1);
    assert_int_equal(n_taken(strategy, "two", 10, begin), 1);
    assert_int_equal(n_taken(strategy, "one", 10, begin + 1), 0);
    assert_int_equal(n_taken(strategy, "one", 10, later), 1);
    /* What the ratio takes counts. */
    assert_true(takes(strategy, "ask", 0, later));
    assert_int_equal(n_taken(strategy, "ask", 10, later), 0);
    assert_true(takes(strategy, "ask", 0, later));
    /* A new answer with the same rate: both kinds go on, and what is listed now, too. */
    strategy = next(strategy, VIEW(LEAST(RATIO_OF("one", ZERO), RATIO_OF("ask", ONE))));
    assert_int_equal(n_taken(strategy, "one", 10, later), 0);
    assert_int_equal(n_taken(strategy, "ask", 10, later), 10);
    assert_int_equal(n_taken(strategy, "two", 10, later), 1);
    assert_int_equal(n_taken(strategy, "pay", 10, later),
                     1); /* its last was in the period before */
    assert_int_equal(n_taken(strategy, "pay", 10, later), 0);
    ftri_jaeger_strategy_free(strategy);
}

static void test_operations_that_are_not_listed_are_bounded(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *strategy =
        next(first(0), VIEW(LEAST(RATIO_OF("pay", ZERO), RATIO_OF("ask", ZERO))));
    const uint64_t now_ns = PERIOD_S * FTRI_NS_PER_S;
    char name[16];
    unsigned n = 0;
    for (int i = 0; i < 3 * FTRI_JAEGER_UNLISTED_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        n += n_taken(strategy, name, 2, now_ns);
    }
    assert_int_equal(n, FTRI_JAEGER_UNLISTED_MAX);
    assert_int_equal(n_taken(strategy, "pay", 2, now_ns), 1);
    ftri_jaeger_strategy_free(strategy);
}

static void test_the_same_answer_is_nothing_new(void **state)
{
    (void)state;
    const struct ftri_view answer = VIEW(RATIO_ANSWER(HALF));
    struct ftri_jaeger_strategy *strategy = next(first(0), answer);
    struct ftri_jaeger_strategy *none = NULL;
    assert_int_equal(ftri_jaeger_strategy_read(answer, strategy, &none, NULL), FTRI_JAEGER_SAME);
    assert_null(none);
    ftri_jaeger_strategy_free(strategy);
}

static void test_answers_that_are_refused(void **state)
{
    (void)state;
    const struct {
        struct ftri_view answer;
        const char *why;
    } wrong[] = {
        {VIEW(""), "the answer has no strategy"},
        {VIEW("\x08\x01"), "the answer has no strategy"},
        {VIEW("\x10\x01"), "the answer has no strategy"}, /* a number where a message should be */
        {VIEW(RATIO_ANSWER(TWO)), "samplingRate: 2 is not between 0 and 1"},
        {VIEW(RATIO_ANSWER(MINUS_ONE)), "samplingRate: -1 is not between 0 and 1"},
        {VIEW(RATIO_ANSWER(NOT_A_NUMBER)), "is not between 0 and 1"},
        {VIEW("\x1a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         "maxTracesPerSecond: -1 is below 0"},
        {VIEW(OPERATIONS_ANSWER(TWO, ZERO, RATIO_OF("pay", ONE), RATIO_OF("ask", ONE))),
         "defaultSamplingProbability: 2 is not between 0 and 1"},
        {VIEW(OPERATIONS_ANSWER(ONE, MINUS_ONE, RATIO_OF("pay", ONE), RATIO_OF("ask", ONE))),
         "defaultLowerBoundTracesPerSecond: -1 is below 0"},
        {VIEW(OPERATIONS_ANSWER(ONE, NOT_A_NUMBER, RATIO_OF("pay", ONE), RATIO_OF("ask", ONE))),
         "defaultLowerBoundTracesPerSecond"},
        {VIEW(OPERATIONS_ANSWER(ONE, ONE, RATIO_OF("pay", ONE), RATIO_OF("ask", TWO))),
         "samplingRate of operation 'ask': 2 is not between 0 and 1"},
        {VIEW("\x22\x07\x1a\x05\x0a\x03pay"), "operation 'pay' has no probabilisticSampling"},
        {VIEW("\x12\x09\x09\0\0"), "the answer is not a SamplingStrategyResponse"},
        {VIEW("\x12\x02\x09\0"), "the answer is not a SamplingStrategyResponse"},
        {VIEW("\x1a\x01\x08"), "the answer is not a SamplingStrategyResponse"},
        {VIEW("\x22\x04\x1a\x05\x0a\x03"), "the answer is not a SamplingStrategyResponse"},
        {VIEW("\x22\x05\x1a\x03\x12\x01\x09"), "the answer is not a SamplingStrategyResponse"},
        {VIEW("<html>"), "the answer is not a SamplingStrategyResponse"},
    };
    struct ftri_jaeger_strategy *before = first(0);
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++) {
        struct ftri_jaeger_strategy *none = NULL;
        struct ftri_error error = {""};
        const int r = ftri_jaeger_strategy_read(wrong[i].answer, before, &none, &error);
        if (r >= 0 || none || !strstr(error.text, wrong[i].why))
            fail_msg("%zu: %d, %s instead of %s", i, r, error.text, wrong[i].why);
    }
    ftri_jaeger_strategy_free(before);
}

/* n operations "0000", "0001", ... with a ratio of 1. */
static void write_many(unsigned n, struct ftri_bytes *out)
{
    size_t mark;
    ftri_bytes_reset(out);
    assert_int_equal(ftri_wire_begin(out, 4, &mark), 0);
    for (unsigned i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "%04u", i);
        assert_int_equal(ftri_bytes_append(out, "\x1a\x11\x0a\x04", 4), 0);
        assert_int_equal(ftri_bytes_append(out, name, 4), 0);
        assert_int_equal(ftri_bytes_append(out, "\x12\x09\x09" ONE, 11), 0);
    }
    assert_int_equal(ftri_wire_end(out, mark), 0);
}

static void test_operations_are_bounded(void **state)
{
    (void)state;
    struct ftri_bytes answer;
    struct ftri_error error = {""};
    struct ftri_jaeger_strategy *none = NULL;
    ftri_bytes_init(&answer, 1 << 20);
    write_many(FTRI_JAEGER_LISTED_MAX, &answer);
    struct ftri_jaeger_strategy *strategy = next(first(0), ftri_bytes_view(&answer));
    for (unsigned i = 0; i < FTRI_JAEGER_LISTED_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "%04u", i);
        assert_true(takes(strategy, name, 0xff, 1));
    }
    assert_false(takes(strategy, "another", 0, 1));
    write_many(FTRI_JAEGER_LISTED_MAX + 1, &answer);
    assert_int_equal(ftri_jaeger_strategy_read(ftri_bytes_view(&answer), strategy, &none, &error),
                     -EINVAL);
    assert_string_equal(error.text, "perOperationStrategies: more than 4096");
    ftri_jaeger_strategy_free(strategy);
    ftri_bytes_deinit(&answer);
}

static void test_memory_that_is_short(void **state)
{
    (void)state;
    struct ftri_jaeger_strategy *before = first(0);
    struct ftri_jaeger_strategy *none = NULL;
    struct ftri_error error = {""};
    ftri_mem_fail_at(1);
    const int r = ftri_jaeger_strategy_read(VIEW(RATIO_ANSWER(ONE)), before, &none, &error);
    ftri_mem_fail_at(1);
    struct ftri_jaeger_strategy *other = ftri_jaeger_strategy_new(1);
    ftri_mem_fail_at(0);
    assert_int_equal(r, -ENOMEM);
    assert_null(none);
    assert_null(other);
    ftri_jaeger_strategy_free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ratio),
        cmocka_unit_test(test_a_rate),
        cmocka_unit_test(test_operations_without_a_least_rate),
        cmocka_unit_test(test_each_operation_has_a_least_rate),
        cmocka_unit_test(test_operations_that_are_not_listed_are_bounded),
        cmocka_unit_test(test_the_same_answer_is_nothing_new),
        cmocka_unit_test(test_answers_that_are_refused),
        cmocka_unit_test(test_operations_are_bounded),
        cmocka_unit_test(test_memory_that_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
