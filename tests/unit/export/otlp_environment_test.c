/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected values: OpenTelemetry specification, "OTLP Exporter Configuration". */
#include "base/error.h"
#include "export/otlp_environment.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NAME "OTEL_EXPORTER_OTLP_"
#define TRACES "OTEL_EXPORTER_OTLP_TRACES_"
#define GRPC                                                                                       \
    {                                                                                              \
        TRACES "PROTOCOL", "grpc"                                                                  \
    }
#define EXPORT "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

enum { MAX_VARIABLES = 4 };

struct pair {
    const char *name, *value;
};

static const char *get(void *argument, const char *name)
{
    const struct pair *pairs = argument;
    for (size_t i = 0; i < MAX_VARIABLES && pairs[i].name; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

static char warned[512];

static void warn(void *argument, const char *text)
{
    (void)argument;
    snprintf(warned, sizeof warned, "%s", text);
}

static void init(struct ftri_otlp_settings *settings)
{
    warned[0] = '\0';
    ftri_otlp_settings_init(settings);
    settings->warn = warn;
}

static void assert_text(const char *got, const char *expected)
{
    if (!expected) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_string_equal(got, expected);
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        struct pair variables[MAX_VARIABLES];
        const char *url, *unix_socket;
    } rows[] = {
        {{{0}}, "http://localhost:4318/v1/traces", NULL},
        {{{NAME "ENDPOINT", ""}}, "http://localhost:4318/v1/traces", NULL},
        {{{NAME "ENDPOINT", "http://c:1"}}, "http://c:1/v1/traces", NULL},
        {{{NAME "ENDPOINT", "https://c/"}}, "https://c/v1/traces", NULL},
        {{{NAME "ENDPOINT", "http://c/base//"}}, "http://c/base/v1/traces", NULL},
        {{{TRACES "ENDPOINT", "http://c:1"}}, "http://c:1", NULL},
        {{{TRACES "ENDPOINT", "http://c/x/"}, {NAME "ENDPOINT", "http://d"}}, "http://c/x/", NULL},
        {{{TRACES "ENDPOINT", ""}, {NAME "ENDPOINT", "http://d"}}, "http://d/v1/traces", NULL},
        {{{TRACES "ENDPOINT", "HTTP://c?k=v"}}, "HTTP://c?k=v", NULL},
        {{{NAME "ENDPOINT", "unix:///run/x"}}, "http://localhost/v1/traces", "/run/x"},
        {{{TRACES "ENDPOINT", "unix:///run/x"}}, "http://localhost/v1/traces", "/run/x"},
        {{{TRACES "ENDPOINT", "unix:/run/x"}}, "http://localhost/v1/traces", "/run/x"},
        {{{NAME "PROTOCOL", "HTTP/JSON"}}, "http://localhost:4318/v1/traces", NULL},
        {{GRPC}, "http://localhost:4317" EXPORT, NULL},
        {{GRPC, {NAME "ENDPOINT", "http://c:1"}}, "http://c:1" EXPORT, NULL},
        {{GRPC, {TRACES "ENDPOINT", "https://c:1/"}}, "https://c:1" EXPORT, NULL},
        {{GRPC, {NAME "ENDPOINT", "c:1"}}, "https://c:1" EXPORT, NULL},
        {{GRPC, {NAME "ENDPOINT", "c:1"}, {NAME "INSECURE", "TRUE"}}, "http://c:1" EXPORT, NULL},
        {{GRPC, {NAME "ENDPOINT", "https://c:1"}, {NAME "INSECURE", "true"}},
         "https://c:1" EXPORT,
         NULL},
        {{GRPC, {NAME "ENDPOINT", "unix:/run/x"}}, "http://localhost" EXPORT, "/run/x"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct ftri_otlp_settings settings;
        init(&settings);
        struct ftri_error error = {""};
        assert_int_equal(
            ftri_otlp_environment_read(get, (void *)rows[i].variables, &settings, &error), 0);
        assert_text(settings.url, rows[i].url);
        assert_text(settings.unix_socket, rows[i].unix_socket);
        assert_string_equal(warned, "");
        assert_int_equal(settings.timeout_ms, 10000);
        assert_int_equal(settings.compression, FTR_OTLP_PLAIN);
        ftri_otlp_settings_deinit(&settings);
    }
}

static void test_wrong_values_are_named(void **state)
{
    (void)state;
    static const struct {
        struct pair variable;
        int result;
        const char *named;
    } rows[] = {
        {{NAME "ENDPOINT", "localhost:4318"}, -EINVAL, NAME "ENDPOINT: "},
        {{NAME "ENDPOINT", "http://"}, -EINVAL, NAME "ENDPOINT: "},
        {{NAME "ENDPOINT", "http:///x"}, -EINVAL, NAME "ENDPOINT: "},
        {{NAME "ENDPOINT", "http://a b"}, -EINVAL, NAME "ENDPOINT: "},
        {{NAME "ENDPOINT", "http://a?q"}, -EINVAL, NAME "ENDPOINT: "},
        {{NAME "ENDPOINT", "unix://x"}, -EINVAL, NAME "ENDPOINT: "},
        {{TRACES "ENDPOINT", "ftp://a"}, -EINVAL, TRACES "ENDPOINT: "},
        {{NAME "HEADERS", "novalue"}, -EINVAL, NAME "HEADERS: "},
        {{NAME "HEADERS", "a b=c"}, -EINVAL, NAME "HEADERS: "},
        {{NAME "HEADERS", "=c"}, -EINVAL, NAME "HEADERS: "},
        {{NAME "HEADERS", "a=%0d%0ab"}, -EINVAL, NAME "HEADERS: the value of a"},
        {{TRACES "HEADERS", "a=%2"}, -EINVAL, TRACES "HEADERS: the value of a"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const struct pair variables[MAX_VARIABLES] = {rows[i].variable};
        struct ftri_otlp_settings settings;
        init(&settings);
        struct ftri_error error = {""};
        assert_int_equal(ftri_otlp_environment_read(get, (void *)variables, &settings, &error),
                         rows[i].result);
        if (strncmp(error.text, rows[i].named, strlen(rows[i].named)) != 0)
            fail_msg("row %zu: %s", i, error.text);
        ftri_otlp_settings_deinit(&settings);
    }
}

static void test_ignored_values_leave_a_warning(void **state)
{
    (void)state;
    static const struct pair rows[] = {
        {NAME "PROTOCOL", "morse"},
        {NAME "COMPRESSION", "brotli"},
        {TRACES "TIMEOUT", "soon"},
        {NAME "INSECURE", "yes"},
        {NAME "HEADERS", "Content-Type=text/plain,grpc-timeout=1S"},
        {NAME "TIMEOUT", "99999999999"},
        {NAME "TIMEOUT", "-5"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const struct pair variables[MAX_VARIABLES] = {rows[i]};
        struct ftri_otlp_settings settings;
        init(&settings);
        struct ftri_error error = {""};
        assert_int_equal(ftri_otlp_environment_read(get, (void *)variables, &settings, &error), 0);
        assert_memory_equal(warned, rows[i].name, strlen(rows[i].name));
        assert_int_equal(settings.timeout_ms, 10000);
        assert_int_equal(settings.compression, FTR_OTLP_PLAIN);
        ftri_otlp_settings_deinit(&settings);
    }
}

static void test_everything_else_is_read(void **state)
{
    (void)state;
    const struct pair first[MAX_VARIABLES] = {
        {NAME "HEADERS", " api-key = a%2Cb%20c , X=,,"},
        {NAME "COMPRESSION", "ZStd"},
        {NAME "TIMEOUT", "250"},
        {NAME "CERTIFICATE", "/ca.pem"},
    };
    struct ftri_otlp_settings settings;
    init(&settings);
    assert_int_equal(ftri_otlp_environment_read(get, (void *)first, &settings, NULL), 0);
    assert_int_equal(settings.n_headers, 2);
    assert_string_equal(settings.headers[0], "api-key: a,b c");
    assert_string_equal(settings.headers[1], "X: ");
    assert_int_equal(settings.compression, FTR_OTLP_ZSTD);
    assert_int_equal(settings.timeout_ms, 250);
    assert_text(settings.files[FTRI_OTLP_CERTIFICATE].path, "/ca.pem");
    ftri_otlp_settings_deinit(&settings);

    static const struct {
        const char *text;
        uint32_t ms;
    } timeouts[] = {{"0", UINT32_MAX}, {"1", 1}, {"3600001", 3600001}, {"4294967295", UINT32_MAX}};
    for (size_t i = 0; i < FTRI_COUNT(timeouts); i++) {
        const struct pair timeout[MAX_VARIABLES] = {{NAME "TIMEOUT", timeouts[i].text}};
        init(&settings);
        assert_int_equal(ftri_otlp_environment_read(get, (void *)timeout, &settings, NULL), 0);
        assert_int_equal(settings.timeout_ms, timeouts[i].ms);
        assert_string_equal(warned, "");
        ftri_otlp_settings_deinit(&settings);
    }

    const struct pair second[MAX_VARIABLES] = {
        {NAME "HEADERS", "general=1"},
        {TRACES "HEADERS", "specific=2"},
        {TRACES "CLIENT_KEY", "/k"},
        {TRACES "CLIENT_CERTIFICATE", "/c"},
    };
    init(&settings);
    assert_int_equal(ftri_otlp_environment_read(get, (void *)second, &settings, NULL), 0);
    assert_int_equal(settings.n_headers, 1);
    assert_string_equal(settings.headers[0], "specific: 2");
    assert_text(settings.files[FTRI_OTLP_CLIENT_KEY].path, "/k");
    assert_text(settings.files[FTRI_OTLP_CLIENT_CERTIFICATE].path, "/c");
    ftri_otlp_settings_deinit(&settings);
}

/* Each request for memory fails in turn: an error that says so, or complete settings. */
static void test_short_memory_is_an_error(void **state)
{
    (void)state;
    const struct pair variables[MAX_VARIABLES] = {
        {NAME "HEADERS", "a=b"}, {NAME "CERTIFICATE", "/ca.pem"}, {NAME "ENDPOINT", "http://c"}};
    for (uint64_t n = 1; n < 20; n++) {
        struct ftri_otlp_settings settings;
        init(&settings);
        struct ftri_error error = {""};
        ftri_mem_fail_at(n);
        const int r = ftri_otlp_environment_read(get, (void *)variables, &settings, &error);
        ftri_mem_fail_at(0);
        if (r == 0) {
            assert_text(settings.url, "http://c/v1/traces");
            assert_text(settings.headers[0], "a: b");
            assert_text(settings.files[FTRI_OTLP_CERTIFICATE].path, "/ca.pem");
        } else {
            assert_int_equal(r, -ENOMEM);
            assert_non_null(strstr(error.text, "out of memory"));
        }
        ftri_otlp_settings_deinit(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_wrong_values_are_named),
        cmocka_unit_test(test_ignored_values_leave_a_warning),
        cmocka_unit_test(test_everything_else_is_read),
        cmocka_unit_test(test_short_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
