/* SPDX-License-Identifier: Apache-2.0
 *
 * The member `ot`: examples of "TraceState Handling", and what must not be touched. */
#include "context/tracestate.h"
#include "sampling/ot_state.h"
#include "sampling/threshold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TH_8 UINT64_C(0x80000000000000)

static struct ftri_ot_state read_text(const char *text)
{
    return ftri_ot_read(ftr_str_from(text));
}

static void test_th_and_rv_are_read(void **state)
{
    (void)state;
    struct ftri_ot_state ot = read_text("a=1,ot=p:8;th:c;rv:6e6d1a75832a2f;k1:13,b=2");
    assert_true(ot.has_member && ot.has_threshold && ot.has_randomness);
    assert_true(ot.threshold == UINT64_C(0xc0000000000000));
    assert_true(ot.randomness == UINT64_C(0x6e6d1a75832a2f));
    ot = read_text("ot=th:0");
    assert_true(ot.has_threshold && ot.threshold == 0 && !ot.has_randomness);
}

static void test_what_is_not_th_or_rv(void **state)
{
    (void)state;
    static const char *const others[] = {"",         "a=1",   "xot=th:8",  "ot=p:8",
                                         "ot=xth:8", "ot=th", "ot@t=th:8", "tenant@ot=th:8",
                                         "o=ot=th:8"};
    for (size_t i = 0; i < FTRI_COUNT(others); i++) {
        const struct ftri_ot_state ot = read_text(others[i]);
        assert_false(ot.has_member || ot.has_threshold || ot.has_randomness);
    }
    const struct ftri_ot_state ot = read_text("ot=th:C;rv:123");
    assert_true(ot.has_member);
    assert_false(ot.has_threshold || ot.has_randomness);
}

static void assert_written(const char *before, uint64_t threshold, const char *after)
{
    char text[FTRI_TRACESTATE_MAX];
    char *exact = strdup(before); /* a byte too far is the sanitizer's */
    const size_t len = ftri_ot_write((ftr_str){exact, strlen(before)}, threshold, text);
    free(exact);
    assert_int_equal(len, strlen(after));
    assert_memory_equal(text, after, len);
}

static void test_th_is_written_and_nothing_else_changes(void **state)
{
    (void)state;
    assert_written("", TH_8, "ot=th:8");
    assert_written("", 0, "ot=th:0");
    assert_written("a=1,b=2", TH_8, "ot=th:8,a=1,b=2");
    assert_written("a=1,ot=p:8;th:c1;rv:6e6d1a75832a2f,b=2", TH_8,
                   "ot=th:8;p:8;rv:6e6d1a75832a2f,a=1,b=2");
    assert_written("ot=th:1;th:2;x:y", TH_8, "ot=th:8;x:y");
    assert_written("ot=rv:NOTRANDOM", TH_8, "ot=th:8;rv:NOTRANDOM");
}

static void test_th_is_taken_away(void **state)
{
    (void)state;
    assert_written("", FTRI_THRESHOLD_NEVER, "");
    assert_written("ot=th:8", FTRI_THRESHOLD_NEVER, "");
    assert_written("a=1,ot=th:8,b=2", FTRI_THRESHOLD_NEVER, "a=1,b=2");
    assert_written("a=1,ot=p:8;th:8;k1:13", FTRI_THRESHOLD_NEVER, "ot=p:8;k1:13,a=1");
}

/* Found by the fuzz target: a space may stand within a value, and was its last character then. */
static void test_no_value_ends_with_a_space(void **state)
{
    (void)state;
    assert_written("ot=x:y ;th:8,a=1", FTRI_THRESHOLD_NEVER, "ot=x:y,a=1");
    assert_written("ot=x:y  ;th:c", TH_8, "ot=th:8;x:y");
}

/* 256 characters are all that the member may have. */
static void test_a_full_member_gets_no_th(void **state)
{
    (void)state;
    char before[300];
    char after[300];
    snprintf(before, sizeof before, "ot=x:%0249d;th:8", 0);
    snprintf(after, sizeof after, "ot=th:8;x:%0249d", 0);
    assert_int_equal(strlen(before), strlen("ot=") + 256);
    assert_written(before, TH_8, after);
    snprintf(after, sizeof after, "ot=x:%0249d", 0);
    assert_written(before, UINT64_C(0x88000000000000), after); /* 257 */
    assert_written(after, UINT64_C(0x88000000000000), after);
}

static void test_a_full_list_loses_its_last_member(void **state)
{
    (void)state;
    char before[400];
    char after[500];
    size_t len = 0;
    for (int i = 0; i < FTRI_TRACESTATE_MEMBERS; i++)
        len += (size_t)snprintf(before + len, sizeof before - len, "%sk%d=v", i ? "," : "", i);
    snprintf(after, sizeof after, "ot=th:8,%s", before);
    *strrchr(after, ',') = '\0';
    assert_written(before, TH_8, after);
    char *again = strdup(after);
    again[strlen("ot=th:")] = '0';
    assert_written(after, 0, again);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_th_and_rv_are_read),
        cmocka_unit_test(test_what_is_not_th_or_rv),
        cmocka_unit_test(test_th_is_written_and_nothing_else_changes),
        cmocka_unit_test(test_th_is_taken_away),
        cmocka_unit_test(test_no_value_ends_with_a_space),
        cmocka_unit_test(test_a_full_member_gets_no_th),
        cmocka_unit_test(test_a_full_list_loses_its_last_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
