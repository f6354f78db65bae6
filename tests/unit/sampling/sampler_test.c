/* SPDX-License-Identifier: Apache-2.0
 *
 * Named samplers: their arguments, and their decisions against those of OpenTelemetry's SDK for
 * Python, recorded by record_peer.py. */
#include "context/tracestate.h"
#include "sampling/sampler.h"

#include "sampling/ot_state.h"
#include "sampling/threshold.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "recorded_peer.h"

static struct ftri_sampler sampler_of(const char *name, const char *argument)
{
    struct ftri_sampler sampler;
    assert_true(ftri_sampler_find(ftr_str_from(name), &sampler));
    assert_true(ftri_sampler_set_argument(&sampler, ftr_str_from(argument)));
    return sampler;
}

static uint64_t splitmix(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (*state ^ (*state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static ftr_trace_id id_of(uint64_t high, uint64_t low)
{
    ftr_trace_id id;
    for (int i = 0; i < 8; i++) {
        id.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        id.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    return id;
}

/* trace_ids() of record_peer.py. */
static void trace_ids(ftr_trace_id ret_ids[N_IDS])
{
    uint64_t state = 1;
    for (size_t i = 0; i < N_IDS; i++) {
        const uint64_t high = splitmix(&state);
        ret_ids[i] = id_of(high, splitmix(&state));
    }
}

static void assert_same(struct ftri_sampler *sampler, unsigned n_sampled, uint64_t hash)
{
    static ftr_trace_id ids[N_IDS];
    unsigned n = 0;
    uint64_t hashed = UINT64_C(0xcbf29ce484222325);
    trace_ids(ids);
    for (size_t i = 0; i < N_IDS; i++) {
        const struct ftri_local_root root = {.trace_id = ids[i]};
        const bool is_sampled = ftri_sampler_judge(sampler, &root).is_sampled;
        n += is_sampled;
        hashed = (hashed ^ is_sampled) * UINT64_C(0x100000001b3);
    }
    assert_int_equal(n, n_sampled);
    assert_true(hashed == hash);
}

static void test_ratios_decide_as_the_peer_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(ratios); i++) {
        struct ftri_sampler sampler = sampler_of("traceidratio", ratios[i].ratio);
        assert_same(&sampler, ratios[i].n_sampled, ratios[i].hash);
    }
    for (size_t i = 0; i < FTRI_COUNT(probabilities); i++) {
        struct ftri_sampler sampler = sampler_of("probability", probabilities[i].ratio);
        assert_same(&sampler, probabilities[i].n_sampled, probabilities[i].hash);
    }
}

static void assert_tracestate(const struct ftri_verdict *verdict, ftr_str before, const char *after)
{
    char text[FTRI_TRACESTATE_MAX];
    ftr_str result = before;
    if (verdict->changes_th)
        result = (ftr_str){text, ftri_ot_write(before, verdict->th, text)};
    assert_int_equal(result.len, strlen(after));
    assert_memory_equal(result.data, after, result.len);
}

static void test_tracestates_are_those_of_the_peer(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(states); i++) {
        struct ftri_sampler sampler = sampler_of("parentbased_probability", states[i].ratio);
        const struct ftri_local_root root = {
            .trace_id = id_of(UINT64_C(0x0102030405060708), UINT64_C(0x09f0000000000001)),
            .tracestate = ftr_str_from(states[i].before),
            .has_parent = states[i].has_parent,
            .parent_is_sampled = states[i].parent_is_sampled,
        };
        const struct ftri_verdict verdict = ftri_sampler_judge(&sampler, &root);
        assert_int_equal(verdict.is_sampled, states[i].is_sampled);
        assert_tracestate(&verdict, root.tracestate, states[i].after);
    }
}

static struct ftri_verdict judge(const char *name, const char *argument, const char *tracestate,
                                 bool parent_is_sampled)
{
    struct ftri_sampler sampler = sampler_of(name, argument);
    const struct ftri_local_root root = {
        .trace_id = id_of(1, UINT64_C(0x80000000000000)), /* randomness: a half, exactly */
        .tracestate = ftr_str_from(tracestate),
        .has_parent = true,
        .parent_is_sampled = parent_is_sampled,
    };
    return ftri_sampler_judge(&sampler, &root);
}

/* "TraceState: Probability Sampling", general requirements and parent-based threshold. */
static void test_a_th_that_cannot_be_right_is_erased(void **state)
{
    (void)state;
    static const char *const parent_based = "parentbased_probability";
    struct ftri_verdict verdict = judge(parent_based, "0.1", "ot=th:8", true);
    assert_true(verdict.is_sampled && !verdict.changes_th); /* R == T */
    verdict = judge(parent_based, "0.1", "ot=th:80000000000001", true);
    assert_true(verdict.is_sampled && verdict.changes_th && verdict.th == FTRI_THRESHOLD_NEVER);
    verdict = judge(parent_based, "0.1", "ot=th:8;rv:7fffffffffffff", true);
    assert_true(verdict.is_sampled && verdict.changes_th && verdict.th == FTRI_THRESHOLD_NEVER);
    verdict = judge(parent_based, "0.1", "ot=th:8", false);
    assert_true(!verdict.is_sampled && verdict.changes_th && verdict.th == FTRI_THRESHOLD_NEVER);
    verdict = judge("always_on", "", "ot=th:8", true);
    assert_true(verdict.is_sampled && verdict.changes_th && verdict.th == FTRI_THRESHOLD_NEVER);
    verdict = judge("traceidratio", "1", "ot=th:8", true);
    assert_true(verdict.is_sampled && verdict.changes_th && verdict.th == FTRI_THRESHOLD_NEVER);
}

static void test_without_parent_based_the_flag_is_not_looked_at(void **state)
{
    (void)state;
    assert_true(judge("always_on", "", "", false).is_sampled);
    assert_false(judge("always_off", "", "", true).is_sampled);
    assert_true(judge("traceidratio", "0.5", "", false).is_sampled);
    assert_false(judge("traceidratio", "0.001", "", true).is_sampled);
    assert_true(judge("probability", "0.5", "", false).is_sampled);
    assert_false(judge("probability", "0.4", "", true).is_sampled);
    static const char *const parent_based[] = {
        "parentbased_always_on",   "parentbased_always_off",   "parentbased_traceidratio",
        "parentbased_probability", "parentbased_ratelimiting", "passive"};
    for (size_t i = 0; i < FTRI_COUNT(parent_based); i++) {
        assert_true(judge(parent_based[i], "0.5", "", true).is_sampled);
        assert_false(judge(parent_based[i], "0.5", "", false).is_sampled);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    "x",    "1.1", "-0.1",  "nan",     "inf", "0x0.8",
                                        "0,5", "0.5x", "1e",  "1e400", "0.5 0.5", "--1", "."};
    struct ftri_sampler sampler;
    assert_true(ftri_sampler_find(FTR_STR("TraceIDRatio"), &sampler));
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++)
        assert_false(ftri_sampler_set_argument(&sampler, ftr_str_from(wrong[i])));
    assert_true(sampler.bound == UINT64_C(1) << 63); /* still 1.0 */
    assert_true(ftri_sampler_set_argument(&sampler, FTR_STR(" 2.5E-1 ")));
    assert_true(sampler.bound == UINT64_C(1) << 61);
    assert_true(ftri_sampler_find(FTR_STR("parentbased_ratelimiting"), &sampler));
    assert_int_equal(sampler.limit.n_tokens, FTRI_SAMPLER_RATE);
    assert_false(ftri_sampler_set_argument(&sampler, FTR_STR("0")));
    assert_true(ftri_sampler_set_argument(&sampler, FTR_STR("250")));
    assert_int_equal(sampler.limit.n_tokens, 250);
    assert_true(ftri_sampler_find(FTR_STR("parentbased_jaeger_remote"), &sampler));
    assert_true(sampler.kind == FTRI_SAMPLER_CUSTOM && sampler.is_parent_based);
    assert_true(ftri_sampler_find(FTR_STR("jaeger_remote"), &sampler));
    assert_true(sampler.kind == FTRI_SAMPLER_CUSTOM && !sampler.is_parent_based);
    assert_false(ftri_sampler_find(FTR_STR("xray"), &sampler));
    assert_false(ftri_sampler_find(FTR_STR(""), &sampler));
}

static void test_a_limited_probability_is_no_known_one(void **state)
{
    (void)state;
    struct ftri_sampler sampler = sampler_of("probability", "1");
    ftri_sampler_limit(&sampler, 1e-3);
    const struct ftri_local_root root = {.trace_id = id_of(1, 1)};
    struct ftri_verdict verdict = ftri_sampler_judge(&sampler, &root);
    assert_true(verdict.is_sampled && verdict.th == FTRI_THRESHOLD_NEVER);
    verdict = ftri_sampler_judge(&sampler, &root);
    assert_true(!verdict.is_sampled && verdict.is_over_rate);
}

static void test_a_ratio_of_the_caller(void **state)
{
    (void)state;
    const struct ftri_local_root root = {.trace_id = id_of(1, UINT64_C(0x80000000000000))};
    struct ftri_verdict verdict = ftri_ratio_judge(1, &root);
    assert_true(verdict.is_sampled && !verdict.changes_th);
    assert_false(ftri_ratio_judge(0, &root).is_sampled);
    assert_false(ftri_ratio_judge(__builtin_nan(""), &root).is_sampled);
    verdict = ftri_ratio_judge(0.5, &root);
    assert_true(verdict.is_sampled && verdict.th == UINT64_C(0x80000000000000));
    assert_false(ftri_ratio_judge(0.4375, &root).is_sampled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratios_decide_as_the_peer_does),
        cmocka_unit_test(test_tracestates_are_those_of_the_peer),
        cmocka_unit_test(test_a_th_that_cannot_be_right_is_erased),
        cmocka_unit_test(test_without_parent_based_the_flag_is_not_looked_at),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_a_limited_probability_is_no_known_one),
        cmocka_unit_test(test_a_ratio_of_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
