/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of metadata.h, written out by hand. */
#include "engine/metadata.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char two[] = "\x01\x00\x02\x00"
                          "axy"
                          "\x02\x00\x00\x00"
                          "bc";

static struct ftri_view view_of(const char *bytes, size_t len)
{
    return ftri_view_of(bytes, len);
}

static void test_fields_are_found_by_name(void **state)
{
    (void)state;
    struct ftri_bytes bytes;
    ftri_bytes_init(&bytes, METADATA_BYTES_MAX);
    assert_int_equal(metadata_add(&bytes, FTR_STR("a"), FTR_STR("xy")), 0);
    assert_int_equal(metadata_add(&bytes, FTR_STR("bc"), FTR_STR("")), 0);
    assert_int_equal(bytes.len, sizeof two - 1);
    assert_memory_equal(bytes.data, two, sizeof two - 1);
    struct ftri_payload *metadata = ftri_payload_new(&bytes);
    assert_non_null(metadata);
    assert_int_equal(metadata_get(metadata, FTR_STR("a")).len, 2);
    assert_memory_equal(metadata_get(metadata, FTR_STR("a")).data, "xy", 2);
    assert_non_null(metadata_get(metadata, FTR_STR("bc")).data);
    assert_int_equal(metadata_get(metadata, FTR_STR("bc")).len, 0);
    assert_null(metadata_get(metadata, FTR_STR("b")).data);
    assert_null(metadata_get(NULL, FTR_STR("a")).data);
    ftri_payload_unref(metadata);
}

static void test_too_long(void **state)
{
    (void)state;
    static char text[METADATA_BYTES_MAX];
    struct ftri_bytes bytes;
    ftri_bytes_init(&bytes, SIZE_MAX / 2);
    assert_int_equal(metadata_add(&bytes, FTR_STR("a"), (ftr_str){text, sizeof text - 4}),
                     -EMSGSIZE);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(metadata_add(&bytes, FTR_STR("a"), (ftr_str){text, sizeof text - 5}), 0);
    assert_int_equal(bytes.len, METADATA_BYTES_MAX);
    ftri_bytes_deinit(&bytes);
}

/* Each cut of what is right but at the ends of fields, a name twice, a field too many. */
static void test_bytes_from_elsewhere(void **state)
{
    (void)state;
    char many[4 * (METADATA_FIELDS_MAX + 1) + METADATA_FIELDS_MAX + 1];
    for (size_t len = 0; len < sizeof two; len++)
        assert_int_equal(metadata_check(view_of(two, len)),
                         len == 0 || len == 7 || len == sizeof two - 1);
    assert_false(metadata_check(view_of("\x01\x00\x00\x00"
                                        "a"
                                        "\x01\x00\x00\x00"
                                        "a",
                                        10)));
    assert_false(metadata_check(view_of("\x01\x00\xff\xff"
                                        "a",
                                        5)));
    for (size_t i = 0; i <= METADATA_FIELDS_MAX; i++) {
        memcpy(many + 5 * i, "\x01\x00\x00\x00", 4);
        many[5 * i + 4] = (char)('a' + i);
    }
    assert_true(metadata_check(view_of(many, sizeof many - 5)));
    assert_false(metadata_check(view_of(many, sizeof many)));
}

static struct ftri_payload *copy(const char *bytes, size_t len)
{
    struct ftri_payload *payload = ftri_payload_copy(view_of(bytes, len));
    assert_non_null(payload);
    return payload;
}

static void test_the_same(void **state)
{
    (void)state;
    struct ftri_payload *a = copy(two, sizeof two - 1), *b = copy(two, sizeof two - 1);
    struct ftri_payload *c = copy(two, 7);
    assert_true(metadata_is_same(NULL, NULL));
    assert_true(metadata_is_same(a, a));
    assert_true(metadata_is_same(a, b));
    assert_false(metadata_is_same(a, c));
    assert_false(metadata_is_same(a, NULL));
    assert_false(metadata_is_same(NULL, c));
    ftri_payload_unref(a);
    ftri_payload_unref(b);
    ftri_payload_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_found_by_name),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_bytes_from_elsewhere),
        cmocka_unit_test(test_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
