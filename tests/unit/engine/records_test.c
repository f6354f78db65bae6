/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/records.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_records_are_copied(void **state)
{
    (void)state;
    char key[] = "key", value[] = "va\0lue", text[] = "text";
    const ftr_value inner[] = {ftr_value_i64(1), ftr_value_str(FTR_STR("two"))};
    const ftr_attribute entries[] = {{FTR_STR("list"), ftr_value_array(inner, 2)}};
    const ftr_attribute attributes[] = {
        {FTR_STR("text"), ftr_value_str((ftr_str){text, 4})},
        {FTR_STR("map"), ftr_value_map(entries, 1)},
    };
    const struct record record = {.key = {key, 3},
                                  .value = {value, 6},
                                  .event_time_ns = 77,
                                  .attributes = attributes,
                                  .n_attributes = 2};
    struct records *records = records_new(1 << 20);
    assert_int_equal(records_add(records, &record), 0);
    memset(key, 'x', 3);
    memset(value, 'x', 6);
    memset(text, 'x', 4);
    records_seal(records);
    assert_int_equal(records->n_bytes, 6); /* the value, not the key */
    const struct record *copy = &records->items[0];
    assert_memory_equal(copy->key.data, "key", 3);
    assert_memory_equal(copy->value.data, "va\0lue", 6);
    assert_int_equal(copy->event_time_ns, 77);
    assert_memory_equal(record_attribute(copy, FTR_STR("text"))->as.str.data, "text", 4);
    const ftr_value *map = record_attribute(copy, FTR_STR("map"));
    assert_true(map->as.map.items != entries);
    assert_memory_equal(map->as.map.items[0].value.as.array.items[1].as.str.data, "two", 3);
    assert_null(record_attribute(copy, FTR_STR("absent")));
    records_unref(records);
}

static void test_records_grow_and_keep_their_order(void **state)
{
    (void)state;
    struct records *records = records_new(1 << 20);
    for (int i = 0; i < 1000; i++) {
        char key[16];
        const int len = snprintf(key, sizeof key, "%d", i);
        const struct record record = {.key = {key, (size_t)len}};
        assert_int_equal(records_add(records, &record), 0);
    }
    assert_int_equal(records->n_items, 1000);
    assert_string_equal(records->items[0].key.data, "0");
    assert_string_equal(records->items[999].key.data, "999");
    assert_ptr_equal(records_ref(records), records);
    records_unref(records);
    assert_string_equal(records->items[500].key.data, "500");
    records_unref(records);
}

static void test_limit_and_failing_allocation_keep_what_was_added(void **state)
{
    (void)state;
    static const char block[600] = {0};
    const struct record record = {.key = FTR_STR("k"), .value = {block, sizeof block}};
    struct records *records = records_new(4096);
    size_t n = 0;
    while (records_add(records, &record) == 0)
        n++;
    assert_in_range(n, 1, 6);
    assert_int_equal(records->n_items, n);
    records_unref(records);

    ftri_mem_fail_at(1);
    assert_null(records_new(4096));
    records = records_new(SIZE_MAX / 2);
    assert_int_equal(records_add(records, &record), 0);
    ftri_mem_fail_at(1);
    int r = 0;
    for (n = 1; r == 0 && n < 1000; n++)
        r = records_add(records, &record);
    ftri_mem_fail_at(0);
    assert_int_equal(records->n_bytes, 600 * records->n_items);
    records_unref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_are_copied),
        cmocka_unit_test(test_records_grow_and_keep_their_order),
        cmocka_unit_test(test_limit_and_failing_allocation_keep_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
