/* SPDX-License-Identifier: Apache-2.0 */
#include "export/test_tree.h"

#include "base/mem.h"
#include "base/text.h"
#include "codec/json_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)256 << 20)
#define TEXT_LIMIT ((size_t)64 << 20)

void ftri_test_tree_init(struct ftri_test_tree *self)
{
    *self = (struct ftri_test_tree){0};
    ftri_arena_init(&self->arena, ARENA_LIMIT);
}

void ftri_test_tree_deinit(struct ftri_test_tree *self)
{
    ftri_arena_deinit(&self->arena);
}

struct ftri_test_node *ftri_test_tree_add(struct ftri_test_tree *self,
                                          struct ftri_test_node *parent, ftr_str label)
{
    if (parent->depth == FTRI_TEST_DEPTH_MAX)
        return NULL;
    struct ftri_test_node *node = ftri_arena_alloc(&self->arena, sizeof *node);
    if (!node)
        return NULL;
    *node = (struct ftri_test_node){.label = label, .depth = parent->depth + 1};
    if (parent->last_child)
        parent->last_child->next = node;
    else
        parent->first_child = node;
    parent->last_child = node;
    return node;
}

/* ---- writing ---- */

bool ftri_test_is_special(char c)
{
    return (unsigned char)c <= ' ' || c == '{' || c == '}' || c == '(' || c == ')' || c == '"';
}

int ftri_test_write_name(struct ftri_bytes *out, ftr_str name)
{
    bool is_bare = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        is_bare = is_bare && !ftri_test_is_special(name.data[i]);
    if (is_bare)
        return ftri_bytes_append_str(out, name);
    struct ftri_json_writer writer;
    ftri_json_writer_init(&writer, out);
    ftri_json_str(&writer, name);
    return ftri_json_writer_status(&writer);
}

static bool is_event(ftr_str detail)
{
    return detail.len > 0 && detail.data[0] == '!';
}

static int compare_text(ftr_str a, ftr_str b)
{
    const int order = memcmp(a.data, b.data, ftri_size_min(a.len, b.len));
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_details(const void *a, const void *b)
{
    return compare_text(*(const ftr_str *)a, *(const ftr_str *)b);
}

/* Events behind the others, in the order they have. */
static size_t part_events(ftr_str *details, size_t n)
{
    size_t n_others = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_event(details[i]))
            continue;
        const ftr_str other = details[i];
        memmove(details + n_others + 1, details + n_others, (i - n_others) * sizeof *details);
        details[n_others++] = other;
    }
    return n_others;
}

int ftri_test_write_details(struct ftri_bytes *out, ftr_str *details, size_t n)
{
    if (n == 0)
        return 0;
    qsort(details, part_events(details, n), sizeof *details, compare_details);
    int rc = ftri_bytes_append_char(out, '(');
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (i > 0)
            rc = ftri_bytes_append_char(out, ' ');
        if (rc == 0)
            rc = ftri_bytes_append_str(out, details[i]);
    }
    return rc < 0 ? rc : ftri_bytes_append_char(out, ')');
}

int ftri_test_write_tree(struct ftri_bytes *out, const struct ftri_test_node *top)
{
    int rc = ftri_bytes_append_str(out, top->label);
    if (rc < 0 || !top->first_child)
        return rc;
    if (top->depth > 0)
        rc = ftri_bytes_append_str(out, FTR_STR("{ "));
    for (const struct ftri_test_node *node = top->first_child; node && rc == 0; node = node->next) {
        rc = ftri_test_write_tree(out, node);
        if (rc == 0 && node->next)
            rc = ftri_bytes_append_char(out, ' ');
    }
    return rc < 0 || top->depth == 0 ? rc : ftri_bytes_append_str(out, FTR_STR(" }"));
}

/* ---- any order ---- */

struct sorted {
    struct ftri_test_node *node;
    ftr_str text; /* of the whole branch */
};

static int compare_branches(const void *a, const void *b)
{
    return compare_text(((const struct sorted *)a)->text, ((const struct sorted *)b)->text);
}

static int text_of_branch(struct ftri_test_tree *self, const struct ftri_test_node *node,
                          ftr_str *ret_text)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_LIMIT);
    int rc = ftri_test_write_tree(&text, node);
    if (rc == 0) {
        *ret_text = ftri_arena_copy(&self->arena, ftri_view_str(ftri_bytes_view(&text)));
        rc = ret_text->data ? 0 : -ENOMEM;
    }
    ftri_bytes_deinit(&text);
    return rc;
}

static void relink(struct ftri_test_node *parent, const struct sorted *children, size_t n)
{
    parent->first_child = n ? children[0].node : NULL;
    parent->last_child = n ? children[n - 1].node : NULL;
    for (size_t i = 0; i < n; i++)
        children[i].node->next = i + 1 < n ? children[i + 1].node : NULL;
}

static int sort_below(struct ftri_test_tree *self, struct ftri_test_node *parent)
{
    size_t n = 0;
    for (const struct ftri_test_node *node = parent->first_child; node; node = node->next)
        n++;
    struct sorted *children = ftri_arena_alloc(&self->arena, (n + 1) * sizeof *children);
    if (!children)
        return -ENOMEM;
    size_t i = 0;
    for (struct ftri_test_node *node = parent->first_child; node; node = node->next, i++) {
        children[i].node = node;
        int rc = sort_below(self, node);
        if (rc == 0)
            rc = text_of_branch(self, node, &children[i].text);
        if (rc < 0)
            return rc;
    }
    qsort(children, n, sizeof *children, compare_branches);
    relink(parent, children, n);
    return 0;
}

int ftri_test_tree_sort(struct ftri_test_tree *self)
{
    return sort_below(self, &self->top);
}

/* ---- differences ---- */

struct lines {
    const struct ftri_test_node **nodes;
    size_t n;
    size_t room;
};

static int collect(struct lines *self, const struct ftri_test_node *parent)
{
    for (const struct ftri_test_node *node = parent->first_child; node; node = node->next) {
        if (self->n == self->room) {
            const size_t room = self->room ? self->room * 2 : 64;
            void *nodes = ftri_realloc(self->nodes, room * sizeof(void *));
            if (!nodes)
                return -ENOMEM;
            self->nodes = nodes;
            self->room = room;
        }
        self->nodes[self->n++] = node;
        const int rc = collect(self, node);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool same_line(const struct ftri_test_node *a, const struct ftri_test_node *b)
{
    return a->depth == b->depth && ftri_text_same(a->label, b->label);
}

static int write_lines(struct ftri_bytes *out, char sign, const struct lines *lines, size_t from,
                       size_t to)
{
    int rc = 0;
    for (size_t i = from; i < to && rc == 0; i++) {
        const struct ftri_test_node *node = lines->nodes[i];
        rc = ftri_bytes_printf(out, "%c %*s%.*s\n", sign, (int)(2 * (node->depth - 1)), "",
                               (int)node->label.len, node->label.data);
    }
    return rc;
}

/* What is the same in front and behind stands once; between it the two sides, one after the
 * other. */
static int write_both(struct ftri_bytes *out, const struct lines *a, const struct lines *b)
{
    size_t front = 0;
    size_t back = 0;
    while (front < a->n && front < b->n && same_line(a->nodes[front], b->nodes[front]))
        front++;
    while (back < a->n - front && back < b->n - front &&
           same_line(a->nodes[a->n - 1 - back], b->nodes[b->n - 1 - back]))
        back++;
    if (front == a->n && front == b->n)
        return 0;
    int rc = write_lines(out, ' ', a, 0, front);
    if (rc == 0)
        rc = write_lines(out, '-', a, front, a->n - back);
    if (rc == 0)
        rc = write_lines(out, '+', b, front, b->n - back);
    return rc == 0 ? write_lines(out, ' ', a, a->n - back, a->n) : rc;
}

int ftri_test_write_difference(struct ftri_bytes *out, const struct ftri_test_tree *expected,
                               const struct ftri_test_tree *recorded)
{
    struct lines a = {0};
    struct lines b = {0};
    int rc = collect(&a, &expected->top);
    if (rc == 0)
        rc = collect(&b, &recorded->top);
    if (rc == 0)
        rc = write_both(out, &a, &b);
    ftri_free(a.nodes);
    ftri_free(b.nodes);
    return rc;
}
