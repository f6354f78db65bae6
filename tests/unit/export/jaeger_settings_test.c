/* SPDX-License-Identifier: Apache-2.0
 *
 * OTEL_TRACES_SAMPLER_ARG of jaeger_remote, by OpenTelemetry's SDK environment variables. */
#include "export/jaeger_settings.h"

#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_read(const char *argument, const char *endpoint, uint32_t interval_ms,
                        double rate)
{
    struct ftri_jaeger_settings settings;
    struct ftri_error error = {""};
    if (ftri_jaeger_settings_read(ftr_str_from(argument), &settings, &error) < 0)
        fail_msg("%s: %s", argument, error.text);
    assert_string_equal(settings.endpoint, endpoint);
    assert_int_equal(settings.interval_ms, interval_ms);
    assert_true(settings.initial_rate == rate);
}

/* The defaults are those of the samplers for Java and Go. */
static void test_parts_may_be_missing(void **state)
{
    (void)state;
    assert_read("", "http://localhost:14250", 60000, 0.001);
    assert_read("endpoint=http://localhost:14250,pollingIntervalMs=5000,initialSamplingRate=0.25",
                "http://localhost:14250", 5000, 0.25);
    assert_read(" initialSamplingRate = 1 , endpoint = HTTPS://[::1]:1/ ", "HTTPS://[::1]:1", 60000,
                1);
    assert_read("pollingIntervalMs=4294967295,initialSamplingRate=0", "http://localhost:14250",
                UINT32_MAX, 0);
    assert_read("endpoint=http://h,", "http://h", 60000, 0.001);
}

static void test_what_is_wrong_is_named_and_gives_the_defaults(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"endpoint=localhost:14250", "endpoint: expected http://host:port"},
        {"endpoint=ftp://h:1", "endpoint: expected"},
        {"endpoint=http://", "endpoint: expected"},
        {"endpoint=http:///", "endpoint: expected"},
        {"endpoint=", "endpoint: expected"},
        {"endpoint=http://h:5778/sampling", "and no path"},
        {"endpoint=http://user:secret@h", "endpoint: expected"},
        {"endpoint=http://a b", "endpoint: expected"},
        {"endpoint=http://h\x01", "endpoint: expected"},
        {"pollingIntervalMs=0",
         "pollingIntervalMs: '0' is not a whole number from 1 to 4294967295"},
        {"pollingIntervalMs=-1", "pollingIntervalMs: '-1'"},
        {"pollingIntervalMs=4294967296", "pollingIntervalMs: '4294967296'"},
        {"pollingIntervalMs=5s", "pollingIntervalMs: '5s'"},
        {"pollingIntervalMs=", "pollingIntervalMs: ''"},
        {"initialSamplingRate=1.1", "initialSamplingRate: '1.1' is not a ratio between 0 and 1"},
        {"initialSamplingRate=nan", "initialSamplingRate: 'nan'"},
        {"initialSamplingRate=-0.1", "initialSamplingRate: '-0.1'"},
        {"0.25", "'0.25' is none of endpoint=, pollingIntervalMs= and initialSamplingRate="},
        {"pollingInterval=5000", "'pollingInterval=5000' is none of"},
        {"endpoint=http://h,,pollingIntervalMs=1", "'' is none of"},
        {"initialSamplingRate=1,pollingIntervalMs=x", "pollingIntervalMs: 'x'"},
    };
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++) {
        struct ftri_jaeger_settings settings;
        struct ftri_error error = {""};
        assert_int_equal(ftri_jaeger_settings_read(ftr_str_from(wrong[i][0]), &settings, &error),
                         -EINVAL);
        if (!strstr(error.text, wrong[i][1]) || strstr(error.text, "secret"))
            fail_msg("%s: %s", wrong[i][0], error.text);
        assert_string_equal(settings.endpoint, "http://localhost:14250");
        assert_int_equal(settings.interval_ms, 60000);
        assert_true(settings.initial_rate == 0.001);
    }
}

static void test_a_long_endpoint_is_refused(void **state)
{
    (void)state;
    char argument[FTRI_JAEGER_ENDPOINT_BYTES + 32] = "endpoint=http://";
    const size_t head = strlen(argument);
    struct ftri_jaeger_settings settings;
    struct ftri_error error;
    memset(argument + head, 'a', FTRI_JAEGER_ENDPOINT_BYTES - 1 - strlen("http://"));
    assert_int_equal(ftri_jaeger_settings_read(ftr_str_from(argument), &settings, &error), 0);
    assert_int_equal(strlen(settings.endpoint), FTRI_JAEGER_ENDPOINT_BYTES - 1);
    argument[strlen(argument)] = 'a';
    assert_int_equal(ftri_jaeger_settings_read(ftr_str_from(argument), &settings, &error), -EINVAL);
    assert_string_equal(error.text, "endpoint: longer than 299 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_may_be_missing),
        cmocka_unit_test(test_what_is_wrong_is_named_and_gives_the_defaults),
        cmocka_unit_test(test_a_long_endpoint_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
