/* SPDX-License-Identifier: Apache-2.0
 *
 * Values that are made, beside those of the file: their places, their order, short memory. */
#include "base/error.h"
#include "config/document.h"
#include "config/make.h"
#include "config/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct config_document *parse(const char *text)
{
    struct config_document *document;
    struct ftri_error error;
    assert_int_equal(config_parse(ftr_str_from(text), "f.yaml", &document, &error), 0);
    return document;
}

static void test_made_values_stand_where_they_were_made_of(void **state)
{
    (void)state;
    struct config_document *document = parse("a: 1\nb:\n  - x\n");
    const struct config_value *root = config_root(document);
    const struct config_value *place = config_item(config_get(root, "b"), 0);
    struct config_maker maker = {.document = document};
    struct config_value *made = config_make_mapping(&maker, root);
    config_make_pair(&maker, made, place, "key", config_make_text(&maker, place, "%d-%s", 7, "y"));
    config_make_pair(&maker, made, place, "own", config_get(root, "a"));
    struct ftri_error error;
    assert_int_equal(config_error(config_key(made, 0), &error, -EINVAL, "here"), -EINVAL);
    assert_string_equal(error.text, "f.yaml:3:5: here");
    assert_int_equal(config_error(config_get(made, "own"), &error, -EINVAL, "there"), -EINVAL);
    assert_string_equal(error.text, "f.yaml:1:4: there");
    assert_string_equal(config_text(config_get(made, "key")), "7-y");
    assert_false(config_is_quoted(config_get(made, "key")));
    assert_false(maker.is_short);
    config_free(document);
}

/* As an option table reads them. */
static void test_lists_and_mappings_of_any_size(void **state)
{
    (void)state;
    enum { N = 100 };
    static const struct option rows[] = {{"list", OPTION_STR_LIST, 0}};
    static const struct option_table table = {rows, 1, sizeof(struct option_list)};
    struct config_document *document = parse("x");
    const struct config_value *root = config_root(document);
    struct config_maker maker = {.document = document};
    struct config_value *mapping = config_make_mapping(&maker, root);
    struct config_value *list = config_make_list(&maker, root);
    for (int i = 0; i < N; i++) {
        const struct config_value *value = config_make_text(&maker, root, "v%d", i);
        config_make_item(&maker, list, value);
        config_make_pair(&maker, mapping, root, config_text(value), value);
    }
    assert_int_equal(config_size(list), N);
    assert_int_equal(config_size(mapping), N);
    assert_string_equal(config_text(config_get(mapping, "v64")), "v64");
    struct config_value *section = config_make_mapping(&maker, root);
    config_make_pair(&maker, section, root, "list", list);
    struct option_list read = {0};
    struct ftri_error error;
    assert_int_equal(options_read(&table, section, "it", &read, &error), 0);
    assert_int_equal(read.n_items, N);
    assert_string_equal(read.items[0], "v0");
    assert_string_equal(read.items[N - 1], "v99");
    config_free(document);
}

static void test_what_is_missing_is_left_out(void **state)
{
    (void)state;
    struct config_document *document = parse("x");
    const struct config_value *root = config_root(document);
    struct config_maker maker = {.document = document};
    struct config_value *list = config_make_list(&maker, root);
    config_make_item(&maker, list, NULL);
    config_make_item(&maker, NULL, root);
    assert_int_equal(config_size(list), 0);
    maker.is_short = true;
    assert_null(config_make_mapping(&maker, root));
    assert_null(config_make_text(&maker, root, "x"));
    config_make_item(&maker, list, root);
    assert_int_equal(config_size(list), 0);
    assert_true(maker.is_short);
    config_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_values_stand_where_they_were_made_of),
        cmocka_unit_test(test_lists_and_mappings_of_any_size),
        cmocka_unit_test(test_what_is_missing_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
