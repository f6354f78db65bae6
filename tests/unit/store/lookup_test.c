/* SPDX-License-Identifier: Apache-2.0
 *
 * What rules blocks out: hashes of trace ids, the filter of names, the directory with its segments
 * while blocks come and go. */
#include "base/mem.h"
#include "store/block_hashes.h"
#include "store/directory.h"
#include "store/filter.h"
#include "store/pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_BLOCKS = 700, KEPT_BLOCKS = 300 };

static void trace_id_of(uint64_t number, uint8_t ret_id[16])
{
    memset(ret_id, 0, 16);
    for (size_t i = 0; i < 8; i++)
        ret_id[15 - i] = (uint8_t)(number >> 8 * i);
}

/* Zipkin's and old Jaeger's ids: 8 bytes of zeros in front. */
static void test_ids_of_64_bits_have_hashes_of_their_own(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    trace_id_of(1, a);
    trace_id_of(2, b);
    assert_true(block_hash(a) != block_hash(b));
    memcpy(b, a + 8, 8);
    memcpy(b + 8, a, 8);
    assert_true(block_hash(a) != block_hash(b));
}

static void put_text(struct ftri_bytes *out, const char *text)
{
    assert_int_equal(ftri_bytes_append_char(out, (char)strlen(text)), 0);
    assert_int_equal(ftri_bytes_append(out, text, strlen(text)), 0);
}

/* One pair: service-<number>, name-<number>. */
static void names_of(uint64_t number, struct ftri_bytes *ret_names)
{
    char service[32], name[32];
    snprintf(service, sizeof service, "service-%d", (int)number);
    snprintf(name, sizeof name, "name-%d", (int)number);
    ftri_bytes_init(ret_names, 1 << 10);
    assert_int_equal(ftri_bytes_append_char(ret_names, 1), 0);
    put_text(ret_names, service);
    put_text(ret_names, name);
}

static void test_a_filter_knows_what_is_there_and_rules_out_most_else(void **state)
{
    (void)state;
    struct ftri_bytes names;
    struct filter filter;
    names_of(3, &names);
    assert_int_equal(filter_init(&filter, ftri_bytes_view(&names)), 0);
    const struct store_query any = {.limit = 1};
    const struct store_query service = {.service = FTR_STR("service-3"), .limit = 1};
    const struct store_query name = {.name = FTR_STR("name-3"), .limit = 1};
    const struct store_query both = {
        .service = FTR_STR("service-3"), .name = FTR_STR("name-3"), .limit = 1};
    assert_true(filter_may_match(&filter, &any));
    assert_true(filter_may_match(&filter, &service));
    assert_true(filter_may_match(&filter, &name));
    assert_true(filter_may_match(&filter, &both));
    size_t n_wrong = 0;
    for (int i = 100; i < 1100; i++) {
        char other[32];
        const int len = snprintf(other, sizeof other, "service-%d", i);
        const struct store_query query = {.service = {other, (size_t)len}, .limit = 1};
        n_wrong += filter_may_match(&filter, &query);
    }
    assert_in_range(n_wrong, 0, 50);
    filter_deinit(&filter);
    ftri_bytes_deinit(&names);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *seed >> 33;
}

/* Against fnmatch(3), which agrees as long as nothing but stars is escaped. */
static void test_stars_match_as_in_the_shell(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "b", "ab", "*", "**", "/", "\\*"};
    uint64_t seed = 5;
    size_t n_matches = 0;
    for (int round = 0; round < 20000; round++) {
        char pattern[64] = "", name[64] = "";
        size_t len = 0;
        for (uint64_t n = next_random(&seed) % 8; n > 0; n--)
            len += (size_t)snprintf(pattern + len, sizeof pattern - len, "%s",
                                    pieces[next_random(&seed) % FTRI_COUNT(pieces)]);
        for (size_t n = next_random(&seed) % 10; n > 0; n--)
            name[n - 1] = "ab*/"[next_random(&seed) % 4];
        const bool expected = fnmatch(pattern, name, 0) == 0;
        n_matches += expected;
        if (pattern_match(ftr_str_from(pattern), ftr_str_from(name)) != expected)
            fail_msg("'%s' and '%s'", pattern, name);
    }
    assert_in_range(n_matches, 1000, 19000);
    assert_true(pattern_match(FTR_STR("C:\\b"), FTR_STR("C:\\b")));
    assert_true(pattern_match(FTR_STR("C:\\"), FTR_STR("C:\\")));
}

static void assert_may(const struct filter *filter, const char *name, bool expected)
{
    const struct store_query query = {.name = ftr_str_from(name), .limit = 1};
    if (filter_may_match(filter, &query) != expected)
        fail_msg("%s", name);
}

/* What is known of a pattern is what its names begin with, up to the first '/'. */
static void test_a_filter_rules_out_patterns_by_their_beginning(void **state)
{
    (void)state;
    struct ftri_bytes names;
    struct filter filter;
    ftri_bytes_init(&names, 1 << 10);
    assert_int_equal(ftri_bytes_append_char(&names, 1), 0);
    put_text(&names, "service");
    put_text(&names, "control/shut*down/a");
    assert_int_equal(filter_init(&filter, ftri_bytes_view(&names)), 0);
    assert_may(&filter, "control/*", true);
    assert_may(&filter, "control/shut*down/a", true);
    assert_may(&filter, "control/shut\\*down/a", true);
    assert_may(&filter, "co*", true);
    assert_may(&filter, "*", true);
    assert_may(&filter, "con*rol/*", true);
    assert_may(&filter, "receiver/*", false);
    assert_may(&filter, "exporter/http/*", false);
    filter_deinit(&filter);
    ftri_bytes_deinit(&names);
}

/* Block n (from 1) holds the traces n and 10,000. */
static void add_block(struct directory *directory, uint64_t n)
{
    struct ftri_bytes names, hashes[N_DIRECTORY_INDEXES] = {{0}};
    struct directory_entry entry;
    const struct block_entry block = {.id = (int64_t)n,
                                      .summary = {.n_spans = 2,
                                                  .start_min_ns = n,
                                                  .start_max_ns = n + 10,
                                                  .duration_max_ns = 5,
                                                  .has_ok = true},
                                      .n_bytes = 100};
    uint8_t own[16], common[16];
    trace_id_of(n, own);
    trace_id_of(10000, common);
    uint64_t sorted[2] = {block_hash(own), block_hash(common)};
    if (sorted[0] > sorted[1]) {
        sorted[0] = block_hash(common);
        sorted[1] = block_hash(own);
    }
    ftri_bytes_init(&hashes[DIRECTORY_TRACES], 16);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(
            ftri_bytes_append_char(&hashes[DIRECTORY_TRACES], (char)(sorted[i / 8] >> i % 8 * 8)),
            0);
    names_of(n, &names);
    const struct ftri_view view = ftri_bytes_view(&names);
    assert_int_equal(directory_reserve(directory, 1), 0);
    assert_int_equal(directory_entry_init(&entry, &block, &view, hashes), 0);
    directory_add(directory, &entry);
    ftri_bytes_deinit(&names);
    ftri_bytes_deinit(&hashes[DIRECTORY_TRACES]);
}

static void check_trace(struct directory *directory, uint64_t trace, uint64_t first, size_t n)
{
    uint8_t id[16];
    int64_t *ids = NULL;
    size_t n_found = 0;
    trace_id_of(trace, id);
    assert_int_equal(directory_find_trace(directory, DIRECTORY_TRACES, id, &ids, &n_found), 0);
    assert_int_equal(n_found, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i], first + i);
    assert_int_equal(directory_count_trace(directory, id), n);
    ftri_free(ids);
}

static void test_blocks_are_found_while_others_come_and_go(void **state)
{
    (void)state;
    struct directory directory;
    struct block_entry oldest;
    uint64_t n_bytes;
    directory_init(&directory);
    for (uint64_t n = 1; n <= N_BLOCKS; n++) {
        add_block(&directory, n);
        const uint64_t first = n > KEPT_BLOCKS ? n - KEPT_BLOCKS + 1 : 1;
        if (n > KEPT_BLOCKS)
            directory_remove_oldest(&directory);
        check_trace(&directory, 10000, first, (size_t)(n - first + 1));
        check_trace(&directory, n, n, 1);
        check_trace(&directory, first, first, 1);
        check_trace(&directory, first - 1, 0, 0);
        assert_true(directory_oldest(&directory, &oldest, &n_bytes));
        assert_int_equal(oldest.id, first);
        assert_int_equal(n_bytes, (n - first + 1) * 100);
    }
    while (directory_oldest(&directory, &oldest, &n_bytes))
        directory_remove_oldest(&directory);
    check_trace(&directory, 10000, 0, 0);
    directory_deinit(&directory);
}

static void test_candidates_come_newest_first(void **state)
{
    (void)state;
    struct directory directory;
    struct block_candidate *blocks = NULL;
    size_t n = 0;
    directory_init(&directory);
    for (uint64_t i = 1; i <= 20; i++)
        add_block(&directory, i);
    /* Blocks reach from n to n + 10. */
    const struct store_query query = {.start_min_ns = 25, .start_max_ns = 17, .limit = 1};
    assert_int_equal(directory_find_candidates(&directory, &query, &blocks, &n), 0);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(blocks[i].id, 17 - i);
    ftri_free(blocks);
    directory_deinit(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_64_bits_have_hashes_of_their_own),
        cmocka_unit_test(test_a_filter_knows_what_is_there_and_rules_out_most_else),
        cmocka_unit_test(test_stars_match_as_in_the_shell),
        cmocka_unit_test(test_a_filter_rules_out_patterns_by_their_beginning),
        cmocka_unit_test(test_blocks_are_found_while_others_come_and_go),
        cmocka_unit_test(test_candidates_come_newest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
