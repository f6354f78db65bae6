/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "config/document.h"
#include "config/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct values {
    const char *path;
    const char *token;
    bool is_synced;
    uint64_t max_items;
    double ratio;
    uint64_t limit_bytes;
    uint64_t delay_ns;
    int mode;
    struct option_list names;
    const struct config_value *routes;
};

static const char *const modes[] = {"always", "interval", "none", NULL};

static const struct option rows[] = {
    {"path", OPTION_STR, offsetof(struct values, path), .is_required = true},
    {"token", OPTION_STR, offsetof(struct values, token), "", .is_secret = true},
    {"sync", OPTION_BOOL, offsetof(struct values, is_synced), "true"},
    {"max_items", OPTION_U64, offsetof(struct values, max_items), "8192", .min = 1, .max = 1000000},
    {"ratio", OPTION_F64, offsetof(struct values, ratio), "0.25"},
    {"limit", OPTION_BYTES, offsetof(struct values, limit_bytes), "64MiB", .min = 1024},
    {"delay", OPTION_DURATION, offsetof(struct values, delay_ns), "200ms", .min = 1000000,
     .max = UINT64_C(3600000000000)},
    {"mode", OPTION_CHOICE, offsetof(struct values, mode), "interval", .choices = modes},
    {"names", OPTION_STR_LIST, offsetof(struct values, names)},
    {"routes", OPTION_MAP, offsetof(struct values, routes)},
};

static const struct option_table table = {rows, FTRI_COUNT(rows), sizeof(struct values)};

static int read_options(const char *text, struct values *ret_values, struct ftri_error *error,
                        struct config_document **ret_document)
{
    *ret_values = (struct values){0};
    assert_int_equal(config_parse(ftr_str_from(text), "f.yaml", ret_document, error), 0);
    return options_read(&table, config_root(*ret_document), "processor/x 'n'", ret_values, error);
}

static void test_defaults_hold_for_what_is_not_given(void **state)
{
    (void)state;
    struct values values;
    struct ftri_error error = {{0}};
    struct config_document *document;
    assert_int_equal(read_options("{path: /x, delay: }", &values, &error, &document), 0);
    assert_string_equal(values.path, "/x");
    assert_string_equal(values.token, "");
    assert_true(values.is_synced);
    assert_int_equal(values.max_items, 8192);
    assert_true(values.ratio == 0.25);
    assert_int_equal(values.limit_bytes, 67108864);
    assert_int_equal(values.delay_ns, 200000000);
    assert_int_equal(values.mode, 1);
    assert_int_equal(values.names.n_items, 0);
    assert_null(values.routes);
    config_free(document);
}

static void test_every_type_is_read(void **state)
{
    (void)state;
    struct values values;
    struct ftri_error error = {{0}};
    struct config_document *document;
    assert_int_equal(read_options("path: 5\ntoken: t\nsync: false\nmax_items: 1000000\n"
                                  "ratio: -1.5e3\nlimit: 1.5GB\ndelay: 1m30s\nmode: none\n"
                                  "names: [a, 'b c']\nroutes: {k: [v]}\n",
                                  &values, &error, &document),
                     0);
    assert_string_equal(values.path, "5");
    assert_false(values.is_synced);
    assert_int_equal(values.max_items, 1000000);
    assert_true(values.ratio == -1500.0);
    assert_int_equal(values.limit_bytes, 1500000000);
    assert_int_equal(values.delay_ns, UINT64_C(90000000000));
    assert_int_equal(values.mode, 2);
    assert_int_equal(values.names.n_items, 2);
    assert_string_equal(values.names.items[1], "b c");
    assert_string_equal(config_text(config_key(values.routes, 0)), "k");
    config_free(document);
}

static const struct {
    const char *text, *error;
} refusals[] = {
    {"[a]", "f.yaml:1:1: processor/x 'n': expected a mapping, not a list"},
    {"sync: true", "f.yaml:1:1: processor/x 'n': 'path' is required"},
    {"path: [a]", "f.yaml:1:7: processor/x 'n': path: expected one value, not a list"},
    {"path: a\nmax_itmes: 5",
     "f.yaml:2:1: processor/x 'n': there is no option 'max_itmes'; did you mean 'max_items'?"},
    {"path: a\nzzzzzz: 5", "f.yaml:2:1: processor/x 'n': there is no option 'zzzzzz'"},
    {"sync: yes", "f.yaml:1:7: processor/x 'n': sync: expected true or false, not 'yes'"},
    {"max_items: '5'",
     "f.yaml:1:13: processor/x 'n': max_items: expected a whole number, not \"5\""},
    {"max_items: -1", "f.yaml:1:12: processor/x 'n': max_items: expected a whole number, not '-1'"},
    {"max_items: 99999999999999999999",
     "f.yaml:1:12: processor/x 'n': max_items: expected a whole number, not "
     "'99999999999999999999'"},
    {"max_items: 0", "f.yaml:1:12: processor/x 'n': max_items: '0' is out of range: 1 to 1000000"},
    {"ratio: nan", "f.yaml:1:8: processor/x 'n': ratio: expected a number, not 'nan'"},
    {"limit: 5 MB", "f.yaml:1:8: processor/x 'n': limit: expected a size such as 4096, 64MiB or "
                    "1GB, not '5 MB'"},
    {"limit: 1023", "f.yaml:1:8: processor/x 'n': limit: '1023' is out of range: at least 1KiB"},
    {"delay: 5", "f.yaml:1:8: processor/x 'n': delay: expected a duration such as 200ms, 5s, 1h or "
                 "7d, not '5'"},
    {"delay: 2h", "f.yaml:1:8: processor/x 'n': delay: '2h' is out of range: 1ms to 1h"},
    {"mode: allways",
     "f.yaml:1:7: processor/x 'n': mode: 'allways' is not one of always, interval, "
     "none; did you mean 'always'?"},
    {"names: a", "f.yaml:1:8: processor/x 'n': names: expected a list, not a text"},
    {"names: [a, {b: c}]",
     "f.yaml:1:12: processor/x 'n': names: expected a list of texts, here is a mapping"},
    {"routes: 5", "f.yaml:1:9: processor/x 'n': routes: expected a mapping, not a text"},
};

static void test_bad_values_are_refused_with_place_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(refusals); i++) {
        struct values values;
        struct ftri_error error = {{0}};
        struct config_document *document;
        assert_int_equal(read_options(refusals[i].text, &values, &error, &document), -EINVAL);
        assert_string_equal(error.text, refusals[i].error);
        config_free(document);
    }
}

static void test_absent_section_gives_defaults_or_what_is_missing(void **state)
{
    (void)state;
    struct values values = {0};
    struct ftri_error error;
    assert_int_equal(options_read(&table, NULL, "processor/x 'n'", &values, &error), -EINVAL);
    assert_string_equal(error.text, "processor/x 'n': 'path' is required");
    assert_int_equal(options_default(&table, &values, &error), 0);
    assert_int_equal(values.max_items, 8192);
}

static void test_wrong_default_is_found(void **state)
{
    (void)state;
    static const struct option bad[] = {{"n", OPTION_U64, 0, "0", .min = 1}};
    static const struct option_table bad_table = {bad, 1, sizeof(uint64_t)};
    uint64_t value;
    struct ftri_error error;
    assert_int_equal(options_default(&bad_table, &value, &error), -EINVAL);
    assert_string_equal(error.text, "the default of 'n': '0' is out of range: at least 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_hold_for_what_is_not_given),
        cmocka_unit_test(test_every_type_is_read),
        cmocka_unit_test(test_bad_values_are_refused_with_place_and_reason),
        cmocka_unit_test(test_absent_section_gives_defaults_or_what_is_missing),
        cmocka_unit_test(test_wrong_default_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
