/* SPDX-License-Identifier: Apache-2.0
 *
 * How spans become a forest, also from parents that no sane program sends. */
#include "base/mem.h"
#include "base/time.h"
#include "query/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { CHAIN = 50000, SIBLINGS = 100000 };

static const uint64_t TIME_LIMIT_NS = 20 * FTRI_NS_PER_S; /* quadratic work takes far longer */

struct ids {
    uint8_t own[8], parent[8];
};

static const uint8_t trace_id[16] = {1};

static void put_number(uint8_t id[8], uint64_t number)
{
    for (size_t i = 0; i < 8; i++)
        id[i] = (uint8_t)(number >> (56 - 8 * i));
}

/* Span `number` (from 1) starting at `start`; parent 0: none. */
static struct ftri_otlp_span make_span(struct ids *ids, uint64_t number, uint64_t parent,
                                       uint64_t start)
{
    put_number(ids->own, number);
    put_number(ids->parent, parent);
    return (struct ftri_otlp_span){
        .trace_id = trace_id,
        .span_id = ids->own,
        .parent_span_id = parent ? ids->parent : NULL,
        .start_time_ns = start,
        .end_time_ns = start + 1,
    };
}

static uint64_t number_of(const struct tree *tree, size_t i)
{
    uint64_t number = 0;
    for (size_t j = 0; j < 8; j++)
        number = number << 8 | tree->nodes[i].span->span_id[j];
    return number;
}

/* One span a row: number, parent, start; then the expected walk: number, depth. */
struct row {
    uint64_t number, parent, start;
};
struct step {
    uint64_t number;
    unsigned depth;
};

static void check_walk(const struct row *rows, size_t n_rows, const struct step *steps)
{
    struct ids ids[16];
    struct ftri_otlp_span spans[16];
    assert_true(n_rows <= FTRI_COUNT(spans));
    for (size_t i = 0; i < n_rows; i++)
        spans[i] = make_span(&ids[i], rows[i].number, rows[i].parent, rows[i].start);
    struct tree tree;
    assert_int_equal(tree_init(&tree, spans, n_rows), 0);
    size_t n = 0;
    for (size_t i = tree_next(&tree, TREE_NONE); i != TREE_NONE; i = tree_next(&tree, i), n++) {
        assert_true(n < n_rows);
        assert_int_equal(number_of(&tree, i), steps[n].number);
        assert_int_equal(tree.nodes[i].depth, steps[n].depth);
    }
    assert_int_equal(n, n_rows);
    tree_deinit(&tree);
}

static void test_children_below_parents_siblings_by_start(void **state)
{
    (void)state;
    const struct row rows[] = {{5, 2, 40}, {4, 2, 30}, {3, 1, 25}, {2, 1, 20}, {1, 0, 10}};
    const struct step steps[] = {{1, 0}, {2, 1}, {4, 2}, {5, 2}, {3, 1}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

static void test_a_child_may_start_before_its_parent(void **state)
{
    (void)state;
    const struct row rows[] = {{1, 0, 100}, {2, 1, 50}, {3, 2, 10}};
    const struct step steps[] = {{1, 0}, {2, 1}, {3, 2}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

static void test_orphans_and_several_roots(void **state)
{
    (void)state;
    const struct row rows[] = {{1, 0, 10}, {2, 77, 20}, {3, 2, 30}, {4, 0, 15}};
    const struct step steps[] = {{1, 0}, {4, 0}, {2, 0}, {3, 1}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

static void test_its_own_parent(void **state)
{
    (void)state;
    const struct row rows[] = {{1, 1, 10}, {2, 1, 20}};
    const struct step steps[] = {{1, 0}, {2, 1}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

/* 2 -> 3 -> 4 -> 2, with 5 hanging on 4: cut at the earliest of the cycle, which is 3. */
static void test_a_cycle_is_cut_at_its_earliest_span(void **state)
{
    (void)state;
    const struct row rows[] = {{2, 4, 30}, {3, 2, 20}, {4, 3, 40}, {5, 4, 10}, {1, 0, 50}};
    const struct step steps[] = {{3, 0}, {4, 1}, {5, 2}, {2, 2}, {1, 0}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

static void test_two_cycles(void **state)
{
    (void)state;
    const struct row rows[] = {{1, 2, 10}, {2, 1, 20}, {3, 4, 40}, {4, 3, 30}};
    const struct step steps[] = {{1, 0}, {2, 1}, {4, 0}, {3, 1}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

/* The store returns each id once; an answer of somebody else's may not. */
static void test_equal_ids_are_all_there(void **state)
{
    (void)state;
    const struct row rows[] = {{1, 0, 10}, {1, 0, 20}, {2, 1, 30}};
    const struct step steps[] = {{1, 0}, {2, 1}, {1, 0}};
    check_walk(rows, FTRI_COUNT(rows), steps);
}

static void test_no_spans(void **state)
{
    (void)state;
    struct tree tree;
    assert_int_equal(tree_init(&tree, NULL, 0), 0);
    assert_int_equal(tree_next(&tree, TREE_NONE), TREE_NONE);
    tree_deinit(&tree);
}

/* Builds n spans whose parents parent_of gives; returns after the walk, with the greatest depth. */
static unsigned walk_many(size_t n, uint64_t (*parent_of)(uint64_t number))
{
    struct ids *ids = ftri_alloc_array(n, sizeof *ids);
    struct ftri_otlp_span *spans = ftri_alloc_array(n, sizeof *spans);
    assert_non_null(ids);
    assert_non_null(spans);
    for (size_t i = 0; i < n; i++)
        spans[i] = make_span(&ids[i], i + 1, parent_of(i + 1), n - i);
    const uint64_t start_ns = ftri_time_monotonic_ns();
    struct tree tree;
    assert_int_equal(tree_init(&tree, spans, n), 0);
    size_t n_seen = 0;
    unsigned deepest = 0;
    for (size_t i = tree_next(&tree, TREE_NONE); i != TREE_NONE; i = tree_next(&tree, i)) {
        n_seen++;
        deepest = tree.nodes[i].depth > deepest ? tree.nodes[i].depth : deepest;
    }
    assert_int_equal(n_seen, n);
    assert_true(ftri_time_monotonic_ns() - start_ns < TIME_LIMIT_NS);
    tree_deinit(&tree);
    ftri_free(spans);
    ftri_free(ids);
    return deepest;
}

static uint64_t previous(uint64_t number)
{
    return number - 1;
}

static uint64_t next_in_ring(uint64_t number)
{
    return number % CHAIN + 1;
}

static uint64_t first(uint64_t number)
{
    return number > 1;
}

static void test_a_chain_of_50000(void **state)
{
    (void)state;
    assert_int_equal(walk_many(CHAIN, previous), CHAIN - 1);
}

static void test_a_ring_of_50000(void **state)
{
    (void)state;
    assert_int_equal(walk_many(CHAIN, next_in_ring), CHAIN - 1);
}

static void test_100000_siblings(void **state)
{
    (void)state;
    assert_int_equal(walk_many(SIBLINGS, first), 1);
}

static void test_short_memory(void **state)
{
    (void)state;
    struct ids ids[2];
    const struct ftri_otlp_span spans[] = {make_span(&ids[0], 1, 0, 1),
                                           make_span(&ids[1], 2, 1, 2)};
    uint64_t n = 1;
    for (int r = -ENOMEM; r < 0; n++) {
        struct tree tree;
        ftri_mem_fail_at(n);
        r = tree_init(&tree, spans, 2);
        ftri_mem_fail_at(0);
        assert_true(r == 0 || r == -ENOMEM);
        if (r == 0)
            tree_deinit(&tree);
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_below_parents_siblings_by_start),
        cmocka_unit_test(test_a_child_may_start_before_its_parent),
        cmocka_unit_test(test_orphans_and_several_roots),
        cmocka_unit_test(test_its_own_parent),
        cmocka_unit_test(test_a_cycle_is_cut_at_its_earliest_span),
        cmocka_unit_test(test_two_cycles),
        cmocka_unit_test(test_equal_ids_are_all_there),
        cmocka_unit_test(test_no_spans),
        cmocka_unit_test(test_a_chain_of_50000),
        cmocka_unit_test(test_a_ring_of_50000),
        cmocka_unit_test(test_100000_siblings),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
