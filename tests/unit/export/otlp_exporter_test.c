/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions of libflowtrace-export, linked as a user links them. */
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>
#include <flowtrace/user.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_the_public_functions_name_what_is_wrong(void **state)
{
    (void)state;
    ftr_error error;
    const ftr_otlp_options options = {.size = sizeof options, .endpoint = FTR_STR("nowhere")};
    assert_null(ftr_otlp_exporter_new(&options, &error));
    assert_int_equal(error.status, FTR_ERR_INVALID);
    assert_memory_equal(error.text, "endpoint: ", 10);
    setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
    ftr_exporter *exporter = ftr_otlp_exporter_from_environment(&error);
    assert_non_null(exporter);
    assert_int_equal(error.status, FTR_OK);
    ftr_exporter_free(exporter);
}

static void assert_user_refused(const ftr_user_config *user, const char *text)
{
    ftr_error error;
    assert_null(ftr_otlp_user_exporter_new(user, &error));
    assert_int_equal(error.status, FTR_ERR_INVALID);
    assert_string_equal(error.text, text);
}

static void test_the_one_of_users_names_what_is_wrong(void **state)
{
    (void)state;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    assert_user_refused(NULL, "config: missing, or size not set");
    user.routing_header = FTR_STR("");
    assert_user_refused(&user, "routing_header: empty, or not a header's name");
    user.routing_header = FTR_STR("Content-Length");
    assert_user_refused(
        &user, "routing_header: Content-Length is set by the protocol, choose another name");
    user.routing_header = FTR_STR("x-customer");
    assert_user_refused(&user, "socket_path: missing");
    user.socket_path = FTR_STR("run/otlp.sock");
    assert_user_refused(&user, "socket_path: expected unix:///path/of/socket");
    user.socket_path = FTR_STR("/run/otlp.sock");
    ftr_error error;
    ftr_exporter *exporter = ftr_otlp_user_exporter_new(&user, &error);
    assert_non_null(exporter);
    assert_int_equal(error.status, FTR_OK);
    ftr_exporter_free(exporter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_public_functions_name_what_is_wrong),
        cmocka_unit_test(test_the_one_of_users_names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
