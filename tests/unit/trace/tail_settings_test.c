/* SPDX-License-Identifier: Apache-2.0
 *
 * What the configuration and the environment say of modes and tail sampling, and what is refused.
 */
#include "flows.h"

#include "base/error.h"
#include "sampling/threshold.h"
#include "trace/settings.h"

#include <errno.h>
#include <stdio.h>

static struct ftri_settings settings;
static struct ftri_error why;

static int read_settings(const ftr_config *config)
{
    told[0] = '\0';
    why = (struct ftri_error){""};
    return ftri_settings_init(&settings, config, &why);
}

static void forget(void)
{
    static const char *const names[] = {"FLOWTRACE_MODE",
                                        "FLOWTRACE_TAIL_ERRORS",
                                        "FLOWTRACE_TAIL_DROPS",
                                        "FLOWTRACE_TAIL_SHARE",
                                        "FLOWTRACE_TAIL_LATENCY_MS",
                                        "FLOWTRACE_TAIL_ATTRIBUTES",
                                        "FLOWTRACE_TAIL_MAX_AGE_MS",
                                        "FLOWTRACE_TAIL_BUDGET_BYTES"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

static void test_defaults(void **state)
{
    (void)state;
    const ftr_config config = config_of("", "");
    assert_int_equal(read_settings(&config), 0);
    assert_int_equal(settings.mode, FTR_MODE_FULL);
    const struct ftri_policy *policy = &settings.tail.policy;
    assert_true(policy->keeps_errors && policy->keeps_drops);
    assert_int_equal(policy->latency_ns, 5 * SECOND);
    assert_int_equal(policy->n_attributes, 0);
    assert_true(policy->threshold == ftri_threshold_of(0.01));
    assert_int_equal(settings.tail.max_age_ns, 60 * SECOND);
    assert_int_equal(settings.tail.budget_bytes, 64 << 20);
    assert_string_equal(told, "");
    ftri_settings_deinit(&settings);
}

static void test_the_environment(void **state)
{
    (void)state;
    const ftr_config config = config_of("", "");
    setenv("FLOWTRACE_MODE", " Tail ", 1);
    setenv("FLOWTRACE_TAIL_ERRORS", "False", 1);
    setenv("FLOWTRACE_TAIL_DROPS", "true", 1);
    setenv("FLOWTRACE_TAIL_SHARE", "0.25", 1);
    setenv("FLOWTRACE_TAIL_LATENCY_MS", "1500", 1);
    setenv("FLOWTRACE_TAIL_ATTRIBUTES", "debug, customer = gold ,tier=", 1);
    setenv("FLOWTRACE_TAIL_MAX_AGE_MS", "250", 1);
    setenv("FLOWTRACE_TAIL_BUDGET_BYTES", "65536", 1);
    assert_int_equal(read_settings(&config), 0);
    assert_string_equal(told, "");
    assert_int_equal(settings.mode, FTR_MODE_TAIL);
    const struct ftri_policy *policy = &settings.tail.policy;
    assert_true(!policy->keeps_errors && policy->keeps_drops);
    assert_true(policy->threshold == UINT64_C(0xc0000000000000)); /* 3/4 of 2^56 are rejected */
    assert_int_equal(policy->latency_ns, 1500 * MS);
    assert_int_equal(policy->n_attributes, 3);
    assert_text(policy->attributes[0].key, "debug");
    assert_null(policy->attributes[0].value.data);
    assert_text(policy->attributes[1].key, "customer");
    assert_text(policy->attributes[1].value, "gold");
    assert_text(policy->attributes[2].key, "tier");
    assert_non_null(policy->attributes[2].value.data);
    assert_int_equal(policy->attributes[2].value.len, 0);
    assert_int_equal(settings.tail.max_age_ns, 250 * MS);
    assert_int_equal(settings.tail.budget_bytes, 65536);
    ftri_settings_deinit(&settings);
    forget();
}

static void test_what_the_environment_says_wrongly(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"FLOWTRACE_MODE", "on", "FLOWTRACE_MODE: 'on' is not off, full or tail; full is used\n"},
        {"FLOWTRACE_TAIL_ERRORS", "1",
         "FLOWTRACE_TAIL_ERRORS: taken as true, expected true or false\n"},
        {"FLOWTRACE_TAIL_SHARE", "1.5",
         "FLOWTRACE_TAIL_SHARE: '1.5' is not a ratio between 0 and 1; 0.01 is used\n"},
        {"FLOWTRACE_TAIL_SHARE", "nan",
         "FLOWTRACE_TAIL_SHARE: 'nan' is not a ratio between 0 and 1; 0.01 is used\n"},
        {"FLOWTRACE_TAIL_LATENCY_MS", "fast",
         "FLOWTRACE_TAIL_LATENCY_MS: ignored, expected a whole number from 0 to 86400000\n"},
        {"FLOWTRACE_TAIL_MAX_AGE_MS", "0",
         "FLOWTRACE_TAIL_MAX_AGE_MS: ignored, expected a whole number from 1 to 86400000\n"},
        {"FLOWTRACE_TAIL_MAX_AGE_MS", "86400001",
         "FLOWTRACE_TAIL_MAX_AGE_MS: ignored, expected a whole number from 1 to 86400000\n"},
        {"FLOWTRACE_TAIL_BUDGET_BYTES", "65535",
         "FLOWTRACE_TAIL_BUDGET_BYTES: ignored, expected a whole number from 65536 to "
         "68719476736\n"},
        {"FLOWTRACE_TAIL_ATTRIBUTES", "=x,",
         "FLOWTRACE_TAIL_ATTRIBUTES: an entry without a key is left out\n"},
    };
    const ftr_config config = config_of("", "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setenv(wrong[i][0], wrong[i][1], 1);
        assert_int_equal(read_settings(&config), 0);
        assert_string_equal(told, wrong[i][2]);
        assert_int_equal(settings.mode, FTR_MODE_FULL);
        assert_true(settings.tail.policy.keeps_errors);
        assert_true(settings.tail.policy.threshold == ftri_threshold_of(0.01));
        assert_int_equal(settings.tail.policy.latency_ns, 5 * SECOND);
        assert_int_equal(settings.tail.max_age_ns, 60 * SECOND);
        assert_int_equal(settings.tail.budget_bytes, 64 << 20);
        assert_int_equal(settings.tail.policy.n_attributes, 0);
        ftri_settings_deinit(&settings);
        forget();
    }
    char many[FTR_TAIL_ATTRIBUTES * 2 + 3] = "";
    for (size_t i = 0; i + 1 < sizeof many; i++)
        many[i] = i % 2 ? ',' : 'k';
    setenv("FLOWTRACE_TAIL_ATTRIBUTES", many, 1);
    assert_int_equal(read_settings(&config), 0);
    assert_int_equal(settings.tail.policy.n_attributes, FTR_TAIL_ATTRIBUTES);
    assert_string_equal(told, "FLOWTRACE_TAIL_ATTRIBUTES: more than 32, the others are left out\n");
    ftri_settings_deinit(&settings);
    forget();
}

static void test_the_configuration_beats_the_environment(void **state)
{
    (void)state;
    setenv("FLOWTRACE_MODE", "off", 1);
    setenv("FLOWTRACE_TAIL_SHARE", "x", 1);
    setenv("FLOWTRACE_TAIL_MAX_AGE_MS", "5", 1);
    ftr_tail_config tail = FTR_TAIL_CONFIG_INIT;
    tail.share = 1;
    tail.latency_ns = 7;
    ftr_config config = tail_config_of(&tail);
    assert_int_equal(read_settings(&config), 0);
    assert_string_equal(told, "");
    assert_int_equal(settings.mode, FTR_MODE_TAIL);
    assert_int_equal(settings.tail.policy.threshold, 0);
    assert_int_equal(settings.tail.policy.latency_ns, 7);
    assert_int_equal(settings.tail.max_age_ns, 5 * MS); /* not configured */
    ftri_settings_deinit(&settings);
    config.has_mode = false;
    config.mode = FTR_MODE_TAIL; /* does not count */
    assert_int_equal(read_settings(&config), 0);
    assert_int_equal(settings.mode, FTR_MODE_OFF);
    ftri_settings_deinit(&settings);
    setenv("FLOWTRACE_MODE", "tail", 1);
    config.is_off = true;
    assert_int_equal(read_settings(&config), 0);
    assert_int_equal(settings.mode, FTR_MODE_OFF);
    ftri_settings_deinit(&settings);
    forget();
}

static void assert_refused(const ftr_config *config, const char *text)
{
    assert_int_equal(read_settings(config), -EINVAL);
    assert_string_equal(why.text, text);
    ftr_error error = {FTR_OK, ""};
    assert_int_equal(ftr_init(config, &error), FTR_ERR_INVALID);
    assert_string_equal(error.text, text);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    ftr_tail_config tail = FTR_TAIL_CONFIG_INIT;
    ftr_config config = tail_config_of(&tail);
    config.mode = (ftr_mode)3;
    assert_refused(&config, "mode: 3 is no mode");
    config.mode = FTR_MODE_TAIL;
    config.is_off = true;
    assert_refused(&config, "mode: tail beside is_off");
    config.is_off = false;
    tail.share = 1.01;
    assert_refused(&config, "tail: share is not between 0 and 1");
    tail.share = -0.0 / 0.0;
    assert_refused(&config, "tail: share is not between 0 and 1");
    tail = FTR_TAIL_CONFIG_INIT;
    tail.size++;
    assert_refused(&config, "tail: size is that of a later version");
    tail = FTR_TAIL_CONFIG_INIT;
    tail.budget_bytes = 65535;
    assert_refused(&config, "tail: budget_bytes is not from 64 KiB to 64 GiB");
    tail = FTR_TAIL_CONFIG_INIT;
    tail.max_age_ns = 24 * 3600 * SECOND + 1;
    assert_refused(&config, "tail: max_age_ns is more than a day");
    tail = FTR_TAIL_CONFIG_INIT;
    const ftr_tail_attribute wanted[2] = {{FTR_STR("a"), {NULL, 0}}, {FTR_STR(""), {NULL, 0}}};
    tail.attributes = wanted;
    tail.n_attributes = 2;
    assert_refused(&config, "tail: attributes[1] has no key");
    tail.n_attributes = 33;
    assert_refused(&config, "tail: n_attributes is more than 32");
}

/* The environment alone, through ftr_init. */
static void test_a_session_by_the_environment(void **state)
{
    (void)state;
    setenv("FLOWTRACE_MODE", "tail", 1);
    setenv("FLOWTRACE_TAIL_SHARE", "0", 1);
    setenv("FLOWTRACE_TAIL_ATTRIBUTES", "customer=gold", 1);
    ftr_config config = config_of("", "");
    start(&config);
    assert_int_equal(ftr_get_mode(), FTR_MODE_TAIL);
    plain_flow();
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    ftr_span_set_text(flow.root, FTR_STR("customer"), "gold");
    end_flow(&flow);
    wait_for_verdicts();
    assert_int_equal(ftr_memory_spans_count(spans), 1);
    assert_int_equal(n_exported_of(&id), 1);
    stop();
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_the_environment),
        cmocka_unit_test(test_what_the_environment_says_wrongly),
        cmocka_unit_test(test_the_configuration_beats_the_environment),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_a_session_by_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
