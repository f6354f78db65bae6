/* SPDX-License-Identifier: Apache-2.0
 *
 * Span trees for comparing: recorded ones and those that a test expects, in one form. Everything of
 * a tree is in its arena. One thread at a time. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

#include <flowtrace/testing.h>

enum { FTRI_TEST_DEPTH_MAX = 200 };

struct ftri_test_node {
    ftr_str label; /* the name and, in brackets, the details, as they are written */
    size_t depth;  /* of the top: 1 */
    struct ftri_test_node *first_child;
    struct ftri_test_node *last_child;
    struct ftri_test_node *next;
};

struct ftri_test_tree {
    struct ftri_arena arena;
    struct ftri_test_node top; /* depth 0, without a label */
};

void ftri_test_tree_init(struct ftri_test_tree *self);
void ftri_test_tree_deinit(struct ftri_test_tree *self);
/* Below parent, the last one; NULL: memory is short, or too deep. Borrows label. */
struct ftri_test_node *ftri_test_tree_add(struct ftri_test_tree *self,
                                          struct ftri_test_node *parent,
                                          ftr_str label) FTRI_MUST_CHECK;

/* 0, -ENOMEM, or -E2BIG: too deep. */
int ftri_test_tree_of_spans(struct ftri_test_tree *self, ftr_memory_spans *spans,
                            const ftr_test_shown *shown) FTRI_MUST_CHECK;
/* 0, -ENOMEM, or -EBADMSG with the place in *ret_offset. */
int ftri_test_tree_parse(struct ftri_test_tree *self, const char *text,
                         size_t *ret_offset) FTRI_MUST_CHECK;
/* Siblings in the order of their text. 0 or -ENOMEM. */
int ftri_test_tree_sort(struct ftri_test_tree *self) FTRI_MUST_CHECK;

/* A name as it is written in a tree. 0 or -ENOMEM. */
int ftri_test_write_name(struct ftri_bytes *out, ftr_str name) FTRI_MUST_CHECK;
/* Which characters end a bare name. */
bool ftri_test_is_special(char c);
/* " (b a !e)" with what is not an event sorted; details may be empty. 0 or -ENOMEM. */
int ftri_test_write_details(struct ftri_bytes *out, ftr_str *details, size_t n) FTRI_MUST_CHECK;

/* On one line. */
int ftri_test_write_tree(struct ftri_bytes *out, const struct ftri_test_node *top) FTRI_MUST_CHECK;
/* Lines of "-", "+" and " "; nothing when they are the same. 0 or -ENOMEM. */
int ftri_test_write_difference(struct ftri_bytes *out, const struct ftri_test_tree *expected,
                               const struct ftri_test_tree *recorded) FTRI_MUST_CHECK;
