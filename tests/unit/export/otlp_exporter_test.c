/* SPDX-License-Identifier: Apache-2.0
 *
 * The public functions of libflowtrace-export, linked as a user links them. */
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_public_functions_name_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
