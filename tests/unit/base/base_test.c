/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_bytes_keep_content_when_the_limit_refuses(void **state)
{
    (void)state;
    struct ftri_bytes bytes;
    ftri_bytes_init(&bytes, 10);
    assert_int_equal(ftri_bytes_append(&bytes, "12345678", 8), 0);
    assert_int_equal(ftri_bytes_append(&bytes, "9ab", 3), -EMSGSIZE);
    assert_int_equal(bytes.len, 8);
    assert_int_equal(ftri_bytes_append(&bytes, "9a", 2), 0);
    ftri_bytes_consume(&bytes, 3);
    assert_memory_equal(bytes.data, "456789a", 7);
    ftri_bytes_deinit(&bytes);
}

static void test_bytes_survive_a_failed_allocation(void **state)
{
    (void)state;
    struct ftri_bytes bytes;
    ftri_bytes_init(&bytes, 1 << 20);
    assert_int_equal(ftri_bytes_printf(&bytes, "%s", "kept"), 0);
    ftri_mem_fail_at(1);
    char block[1000] = {0};
    assert_int_equal(ftri_bytes_append(&bytes, block, sizeof block), -ENOMEM);
    ftri_mem_fail_at(0);
    assert_int_equal(bytes.len, 4);
    assert_memory_equal(bytes.data, "kept", 4);
    ftri_bytes_deinit(&bytes);
}

/* Of any size: AddressSanitizer's aligned_alloc takes whole units only. */
static void test_huge_blocks_have_any_size(void **state)
{
    (void)state;
    const size_t page = 2 << 20;
    const size_t sizes[] = {0, 1, 65, page - 1, page, page + 1, page + page / 2, 3 * page};
    for (size_t i = 0; i < FTRI_COUNT(sizes); i++) {
        char *block = ftri_alloc_huge(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % (sizes[i] < page ? 64 : page), 0);
        memset(block, 0xa5, sizes[i]);
        ftri_free(block);
    }
    assert_null(ftri_alloc_huge(SIZE_MAX));
}

static void test_arena_bounds_all_chunks_together(void **state)
{
    (void)state;
    struct ftri_arena arena;
    ftri_arena_init(&arena, 256 * 1024);
    size_t n = 0;
    while (ftri_arena_alloc(&arena, 1000))
        n++;
    assert_in_range(n, 200, 262);
    assert_true(arena.n_bytes <= 256 * 1024);
    ftri_arena_reset(&arena);
    assert_non_null(ftri_arena_alloc(&arena, 200 * 1024));
    const ftr_str copy = ftri_arena_copy(&arena, FTR_STR("abc"));
    assert_string_equal(copy.data, "abc");
    ftri_arena_deinit(&arena);
}

/* A naive twin: the key's number itself. */
static void test_map_agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { N = 500 };
    static int values[N];
    bool present[N] = {false};
    struct ftri_map map;
    ftri_map_init(&map, N);
    for (int step = 0; step < 20000; step++) {
        const size_t i = ftri_random_u64() % N;
        char key[16];
        const int len = snprintf(key, sizeof key, "key-%zu", i);
        const ftr_str name = {key, (size_t)len};
        if (ftri_random_u64() & 1) {
            assert_int_equal(ftri_map_set(&map, name, &values[i]), 0);
            present[i] = true;
        } else {
            assert_ptr_equal(ftri_map_remove(&map, name), present[i] ? &values[i] : NULL);
            present[i] = false;
        }
        assert_ptr_equal(ftri_map_get(&map, name), present[i] ? &values[i] : NULL);
    }
    size_t expected = 0, found = 0, cursor = 0;
    for (size_t i = 0; i < N; i++)
        expected += present[i];
    ftr_str key;
    void *value;
    while (ftri_map_next(&map, &cursor, &key, &value))
        found++;
    assert_int_equal(found, expected);
    ftri_map_deinit(&map);
}

static void test_map_refuses_beyond_its_limit(void **state)
{
    (void)state;
    int value;
    struct ftri_map map;
    ftri_map_init(&map, 1);
    assert_int_equal(ftri_map_set(&map, FTR_STR("a"), &value), 0);
    assert_int_equal(ftri_map_set(&map, FTR_STR("b"), &value), -ENOSPC);
    assert_int_equal(ftri_map_set(&map, FTR_STR("a"), &value), 0);
    ftri_map_deinit(&map);
}

static void test_hex_reads_any_case_and_refuses_the_rest(void **state)
{
    (void)state;
    uint8_t bytes[4];
    assert_true(ftri_hex_decode("DeadBeef", 4, bytes));
    char text[8];
    ftri_hex_encode(bytes, 4, text);
    assert_memory_equal(text, "deadbeef", 8);
    assert_false(ftri_hex_decode("deadbeeg", 4, bytes));
    assert_false(ftri_hex_decode_lower("DeadBeef", 4, bytes));
}

static void test_whole_numbers_keep_to_their_limit(void **state)
{
    (void)state;
    static const char *const wrong[] = {"11", "100", "-1",  "+1", " 1",
                                        "1 ", "0x1", "1e1", "/",  ":"};
    uint64_t value = 77;
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++)
        assert_false(ftri_text_whole((ftr_str){wrong[i], strlen(wrong[i])}, 10, &value));
    assert_int_equal(value, 77);
    assert_true(ftri_text_whole(FTR_STR("010"), 10, &value) && value == 10);
    assert_true(ftri_text_whole(FTR_STR(""), 10, &value) && value == 0);
    assert_false(ftri_text_whole(FTR_STR("9"), 8, &value));
    assert_true(ftri_text_whole(FTR_STR("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_false(ftri_text_whole(FTR_STR("18446744073709551616"), UINT64_MAX, &value));
}

static void test_decimals_are_read_as_written(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "nan", "inf", "0x1", "1,5", "1.5 ", "1e", "--1"};
    double value = 7;
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++)
        assert_false(ftri_text_decimal((ftr_str){wrong[i], strlen(wrong[i])}, &value));
    assert_true(ftri_text_decimal(FTR_STR("-2.5E-1"), &value) && value == -0.25);
    assert_true(ftri_text_decimal((ftr_str){"0.125678", 5}, &value) && value == 0.125);
}

static void test_error_chains_its_causes(void **state)
{
    (void)state;
    struct ftri_error error;
    assert_int_equal(ftri_error_errno(&error, -EACCES, "opening %s", "x.db"), -EACCES);
    ftri_error_prefix(&error, -EACCES, "exporter/store '%s'", "store");
    assert_string_equal(error.text, "exporter/store 'store': opening x.db: Permission denied");
    assert_int_equal(ftri_error_set(NULL, -EINVAL, "nobody listens"), -EINVAL);
}

static void test_random_differs_after_fork(void **state)
{
    (void)state;
    (void)ftri_random_u64();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    uint64_t mine = ftri_random_u64();
    if (child == 0) {
        const bool is_written = write(ends[1], &mine, sizeof mine) == sizeof mine;
        _exit(is_written ? 0 : 1);
    }
    uint64_t theirs = 0;
    assert_int_equal(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
    int status;
    waitpid(child, &status, 0);
    assert_int_not_equal(mine, theirs);
    close(ends[0]);
    close(ends[1]);
}

static void test_nearest_is_what_may_be_meant(void **state)
{
    (void)state;
    static const char *const words[] = {"store", "gather", "out", "a"};
    assert_string_equal(ftri_text_nearest("sotre", words, 4), "store");    /* one transposition */
    assert_string_equal(ftri_text_nearest("gahter1", words, 4), "gather"); /* two edits of seven */
    assert_string_equal(ftri_text_nearest("ou", words, 4), "out");
    assert_null(ftri_text_nearest("x", words, 4));
    assert_null(ftri_text_nearest("restored", words, 4));
    assert_null(ftri_text_nearest("", words, 4));
    char long_word[200];
    memset(long_word, 'a', sizeof long_word);
    long_word[199] = '\0';
    assert_null(ftri_text_nearest(long_word, words, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_keep_content_when_the_limit_refuses),
        cmocka_unit_test(test_bytes_survive_a_failed_allocation),
        cmocka_unit_test(test_huge_blocks_have_any_size),
        cmocka_unit_test(test_arena_bounds_all_chunks_together),
        cmocka_unit_test(test_map_agrees_with_a_plain_array),
        cmocka_unit_test(test_map_refuses_beyond_its_limit),
        cmocka_unit_test(test_hex_reads_any_case_and_refuses_the_rest),
        cmocka_unit_test(test_whole_numbers_keep_to_their_limit),
        cmocka_unit_test(test_decimals_are_read_as_written),
        cmocka_unit_test(test_error_chains_its_causes),
        cmocka_unit_test(test_random_differs_after_fork),
        cmocka_unit_test(test_nearest_is_what_may_be_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
