/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML as values with places: what is read, what is refused and where it says so, its bounds. */
#include "base/error.h"
#include "base/mem.h"
#include "config/document.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct config_document *parse(const char *text)
{
    struct config_document *document = NULL;
    struct ftri_error error = {{0}};
    if (config_parse(ftr_str_from(text), "f.yaml", &document, &error) < 0)
        fail_msg("%s", error.text);
    return document;
}

static void test_values_know_kind_text_and_order(void **state)
{
    (void)state;
    struct config_document *document = parse("b: 1\n"
                                             "a: \"1\"\n"
                                             "list: [x, {y: z}, ~]\n"
                                             "none:\n"
                                             "empty: ''\n"
                                             "block: |\n  two\n  lines\n");
    const struct config_value *root = config_root(document);
    assert_int_equal(config_kind(root), CONFIG_MAPPING);
    assert_int_equal(config_size(root), 6);
    assert_string_equal(config_text(config_key(root, 0)), "b");
    assert_false(config_is_quoted(config_get(root, "b")));
    assert_true(config_is_quoted(config_value_at(root, 1)));
    assert_string_equal(config_text(config_get(root, "a")), "1");
    const struct config_value *list = config_get(root, "list");
    assert_int_equal(config_kind(list), CONFIG_SEQUENCE);
    assert_int_equal(config_size(list), 3);
    assert_string_equal(config_text(list), "");
    assert_string_equal(config_text(config_item(list, 0)), "x");
    assert_string_equal(config_text(config_get(config_item(list, 1), "y")), "z");
    assert_int_equal(config_kind(config_item(list, 2)), CONFIG_NULL);
    assert_null(config_item(list, 3));
    assert_null(config_key(list, 0));
    assert_int_equal(config_kind(config_get(root, "none")), CONFIG_NULL);
    assert_int_equal(config_kind(config_get(root, "empty")), CONFIG_SCALAR);
    assert_string_equal(config_text(config_get(root, "block")), "two\nlines\n");
    assert_null(config_get(root, "absent"));
    config_free(document);
}

/* An error about what is left out says where its key is. */
static void test_an_empty_value_stands_at_its_key(void **state)
{
    (void)state;
    struct ftri_error error;
    struct config_document *document = parse("a: 1\nb:\n  c:\n  d: [x, ]\n");
    const struct config_value *b = config_get(config_root(document), "b");
    assert_int_equal(config_error(config_get(b, "c"), &error, -EINVAL, "x"), -EINVAL);
    assert_string_equal(error.text, "f.yaml:3:3: x");
    config_free(document);
}

static void test_environment_is_replaced(void **state)
{
    (void)state;
    setenv("FTR_TEST_SET", "val: ue", 1);
    setenv("FTR_TEST_EMPTY", "", 1);
    unsetenv("FTR_TEST_UNSET");
    struct config_document *document =
        parse("[\"<${env:FTR_TEST_SET}>\", \"${env:FTR_TEST_EMPTY}\", "
              "\"${env:FTR_TEST_UNSET:-a:-b}\", "
              "\"${env:FTR_TEST_EMPTY:-d}\", $$5, a$, "
              "\"$${env:FTR_TEST_SET}\", $x, \"${FTR_TEST_SET}${FTR_TEST_UNSET:-e}\"]");
    const char *const expected[] = {"<val: ue>",           "",   "a:-b",    "d", "$5", "a$",
                                    "${env:FTR_TEST_SET}", "$x", "val: uee"};
    for (size_t i = 0; i < FTRI_COUNT(expected); i++)
        assert_string_equal(config_text(config_item(config_root(document), i)), expected[i]);
    config_free(document);
}

static const struct {
    const char *text, *error;
} refusals[] = {
    {"", "f.yaml: empty"},
    {"# a comment\n", "f.yaml: empty"},
    {"---\n", "f.yaml: empty"},
    {"a: [", "f.yaml:2:1: not YAML: flow sequence without a closing bracket"},
    {"a:\n\tb: 1", "f.yaml:2:1: not YAML: tab character may not be used as indentation"},
    {"b: 1\n? a:\t- b", "f.yaml:2:5: a tab behind ':'; spaces are wanted there"},
    {"? a:  \t- b", "f.yaml:1:7: a tab behind ':'; spaces are wanted there"},
    {"a: &x 1", "f.yaml:1:7: anchors are not supported"},
    {"a: *x", "f.yaml:1:5: aliases are not supported"},
    {"a: !!str 1", "f.yaml:1:10: tags are not supported"},
    {"a: 1\nb: 2\na: 3", "f.yaml:3:1: 'a' is here twice, first in line 1"},
    {"x: {a: 1, a: 2}", "f.yaml:1:11: 'a' is here twice, first in line 1"},
    {"[a]: b", "f.yaml:1:1: a key must be a text, not a list"},
    {"a: \"\\0\"", "f.yaml:1:5: a NUL character in a text"},
    {"--- 1\n--- 2", "f.yaml: more than one YAML document"},
    {"a: ${env:FTR_TEST_UNSET}", "f.yaml:1:4: the environment variable FTR_TEST_UNSET is not set; "
                                 "${env:FTR_TEST_UNSET:-default} gives it a default"},
    {"a: ${env:no-name}", "f.yaml:1:4: 'no-name' is not the name of an environment variable"},
    {"a: ${file:/x}", "f.yaml:1:4: only ${env:NAME} and ${env:NAME:-default}, or without env:, are "
                      "replaced; $$ is a "
                      "dollar sign"},
    {"a: x${env:FTR_TEST_UNSET:-${env:FTR_TEST_SET}}",
     "f.yaml:1:4: '${' within '${...}' is not replaced: name one variable; $$ is a dollar sign"},
    {"a: \"${${env:FTR_TEST_SET}}\"",
     "f.yaml:1:5: '${' within '${...}' is not replaced: name one variable; $$ is a dollar sign"},
    {"a: \"${env:X\"", "f.yaml:1:5: '${' without a closing '}'; $$ is a dollar sign"},
    {"a: 'x", "f.yaml:1:5: not YAML: single-quoted scalar without closing quote"},
    {"a\xff: 1", "f.yaml:1:2: not UTF-8"},
    {"\xc3\xa4: 1\n\xc3\xa4\xa4", "f.yaml:2:2: not UTF-8"},
};

static void test_bad_documents_are_refused_with_their_place(void **state)
{
    (void)state;
    unsetenv("FTR_TEST_UNSET");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct config_document *document = NULL;
        struct ftri_error error = {{0}};
        assert_int_equal(config_parse(ftr_str_from(refusals[i].text), "f.yaml", &document, &error),
                         -EINVAL);
        assert_string_equal(error.text, refusals[i].error);
        assert_null(document);
    }
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    config_free(parse(text));
    memset(text, '[', 65);
    text[65] = '\0';
    struct config_document *document = NULL;
    struct ftri_error error;
    assert_int_equal(config_parse(ftr_str_from(text), "f.yaml", &document, &error), -EINVAL);
    assert_string_equal(error.text, "f.yaml:1:65: more than 64 levels");
}

static void test_size_is_bounded(void **state)
{
    (void)state;
    const size_t limit = 1024 * 1024;
    char *text = ftri_alloc(limit + 1);
    assert_non_null(text);
    memset(text, '#', limit + 1);
    memcpy(text, "a: 1\n", 5);
    struct config_document *document = NULL;
    struct ftri_error error;
    assert_int_equal(config_parse((ftr_str){text, limit}, "f.yaml", &document, &error), 0);
    config_free(document);
    assert_int_equal(config_parse((ftr_str){text, limit + 1}, "f.yaml", &document, &error),
                     -EINVAL);
    assert_string_equal(error.text, "f.yaml: larger than 1 MiB");
    ftri_free(text);
}

/* The densest document there is: half a million values in one list. */
static void test_dense_document_is_read(void **state)
{
    (void)state;
    const size_t n = 500 * 1000;
    char *text = ftri_alloc(2 * n + 1);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 2 * i, "a,", 2);
    text[0] = '[';
    text[2 * n - 1] = ']';
    struct config_document *document = NULL;
    struct ftri_error error;
    if (config_parse((ftr_str){text, 2 * n}, "f.yaml", &document, &error) == 0)
        config_free(document);
    ftri_free(text);
}

static void test_files_are_loaded(void **state)
{
    (void)state;
    struct config_document *document = NULL;
    struct ftri_error error;
    assert_int_equal(config_load("/nonexistent/f.yaml", &document, &error), -ENOENT);
    assert_string_equal(error.text, "/nonexistent/f.yaml: No such file or directory");
    assert_int_equal(config_load("/tmp", &document, &error), -EISDIR);
    char path[] = "/tmp/ftr-config-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: 1\n", 5), 5);
    assert_int_equal(config_load(path, &document, &error), 0);
    assert_string_equal(config_text(config_get(config_root(document), "a")), "1");
    config_free(document);
    assert_int_equal(ftruncate(fd, 2 * 1024 * 1024), 0);
    assert_int_equal(config_load(path, &document, &error), -EINVAL);
    char expected[64];
    snprintf(expected, sizeof expected, "%s: larger than 1 MiB", path);
    assert_string_equal(error.text, expected);
    close(fd);
    unlink(path);
}

static void test_short_memory_is_an_error(void **state)
{
    (void)state;
    setenv("FTR_TEST_SET", "value", 1);
    for (uint64_t n = 1; n < 100; n++) {
        struct config_document *document = NULL;
        struct ftri_error error = {{0}};
        ftri_mem_fail_at(n);
        const int r = config_parse(FTR_STR("a: [1, {b: \"${env:FTR_TEST_SET}\"}]\nc: d"), "f.yaml",
                                   &document, &error);
        const bool is_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        if (r == 0)
            config_free(document); /* the arena may do with a smaller chunk */
        else
            assert_int_equal(r, -ENOMEM);
        assert_true(r == 0 || strlen(error.text) > 0);
        if (!is_failed) {
            assert_true(r == 0 && n > 4);
            return;
        }
    }
    fail();
}

/* "line:column" of the first change; "": none. */
static void assert_change(const char *before, const char *now, const char *expected)
{
    struct config_document *a = parse(before), *b = parse(now);
    const struct config_value *change = config_first_change(config_root(a), config_root(b));
    struct ftri_error error = {.text = ""};
    char wanted[64] = "";
    if (change)
        (void)config_error(change, &error, -EINVAL, "here");
    if (expected[0])
        snprintf(wanted, sizeof wanted, "f.yaml:%s: here", expected);
    assert_string_equal(error.text, wanted);
    config_free(a);
    config_free(b);
}

static void test_the_first_change_is_found(void **state)
{
    (void)state;
    static const char text[] = "a: 1\nb: [x, {c: d}]\n";
    assert_change(text, text, "");
    assert_change(text, "# a remark\n\na:  1\nb:\n  - x\n  - c: d\n", "");
    assert_change(text, "a: 2\nb: [y]\n", "1:4");
    assert_change(text, "a: '1'\nb: [x, {c: d}]\n", "1:5");
    assert_change(text, "a: 1\nb: [x, {c: e}]\n", "2:12");
    assert_change(text, "a: 1\nb: [x, {e: d}]\n", "2:9");
    assert_change(text, "a: 1\nb: [x]\n", "2:4");
    assert_change(text, "a: 1\nb: [x, {c: d}, z]\n", "2:4");
    assert_change(text, "a: 1\nb: [x, [c, d]]\n", "2:8");
    assert_change(text, "a: 1\nb: [x, ~]\n", "2:8");
    assert_change(text, "b: [x, {c: d}]\na: 1\n", "1:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_know_kind_text_and_order),
        cmocka_unit_test(test_an_empty_value_stands_at_its_key),
        cmocka_unit_test(test_environment_is_replaced),
        cmocka_unit_test(test_bad_documents_are_refused_with_their_place),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_size_is_bounded),
        cmocka_unit_test(test_dense_document_is_read),
        cmocka_unit_test(test_files_are_loaded),
        cmocka_unit_test(test_short_memory_is_an_error),
        cmocka_unit_test(test_the_first_change_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
