/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes are sorted by start time and linked in reverse, so that every list of siblings comes out in
 * order without sorting again. Parents are found through an open-addressing table of span ids. */
#include "query/tree.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_starts(const void *left, const void *right)
{
    const struct ftri_otlp_span *a = ((const struct tree_node *)left)->span;
    const struct ftri_otlp_span *b = ((const struct tree_node *)right)->span;
    if (a->start_time_ns != b->start_time_ns)
        return a->start_time_ns < b->start_time_ns ? -1 : 1;
    return memcmp(a->span_id, b->span_id, 8);
}

struct id_table {
    size_t *slots; /* node index or TREE_NONE */
    size_t mask;
    uint64_t seed;
};

static size_t *id_slot(const struct id_table *table, const struct tree *tree,
                       const uint8_t span_id[8])
{
    size_t i = ftri_hash(table->seed, span_id, 8) & table->mask;
    while (table->slots[i] != TREE_NONE &&
           memcmp(tree->nodes[table->slots[i]].span->span_id, span_id, 8) != 0)
        i = (i + 1) & table->mask;
    return &table->slots[i];
}

static int id_table_init(struct id_table *self, const struct tree *tree)
{
    size_t n_slots = 16;
    while (n_slots < tree->n_nodes * 2)
        n_slots *= 2;
    *self = (struct id_table){.mask = n_slots - 1, .seed = ftri_random_u64()};
    self->slots = ftri_alloc_array(n_slots, sizeof *self->slots);
    if (!self->slots)
        return -ENOMEM;
    for (size_t i = 0; i < n_slots; i++)
        self->slots[i] = TREE_NONE;
    for (size_t i = 0; i < tree->n_nodes; i++) {
        size_t *slot = id_slot(self, tree, tree->nodes[i].span->span_id);
        if (*slot == TREE_NONE)
            *slot = i;
    }
    return 0;
}

/* The earliest span of the cycle that `member` is in becomes a root. */
static void cut_cycle(struct tree *self, size_t member)
{
    size_t earliest = member;
    for (size_t i = self->nodes[member].parent; i != member; i = self->nodes[i].parent)
        earliest = i < earliest ? i : earliest;
    self->nodes[earliest].parent = TREE_NONE;
}

/* Every walk upwards marks what it passes (in depth, not yet in use) and stops at a mark: one of
 * its own closes a cycle. */
static void cut_cycles(struct tree *self)
{
    for (size_t start = 0; start < self->n_nodes; start++) {
        const unsigned mark = (unsigned)start + 1;
        size_t i = start;
        while (i != TREE_NONE && self->nodes[i].depth == 0) {
            self->nodes[i].depth = mark;
            i = self->nodes[i].parent;
        }
        if (i != TREE_NONE && self->nodes[i].depth == mark)
            cut_cycle(self, i);
    }
}

static void find_parents(struct tree *self, const struct id_table *table)
{
    for (size_t i = 0; i < self->n_nodes; i++) {
        const uint8_t *parent_id = self->nodes[i].span->parent_span_id;
        self->nodes[i].parent = parent_id ? *id_slot(table, self, parent_id) : TREE_NONE;
    }
    cut_cycles(self);
}

static void link_siblings(struct tree *self)
{
    self->first_root = TREE_NONE;
    for (size_t i = self->n_nodes; i-- > 0;) {
        struct tree_node *node = &self->nodes[i];
        size_t *first =
            node->parent == TREE_NONE ? &self->first_root : &self->nodes[node->parent].first_child;
        node->next = *first;
        *first = i;
    }
}

static void set_depths(struct tree *self)
{
    for (size_t i = tree_next(self, TREE_NONE); i != TREE_NONE; i = tree_next(self, i)) {
        struct tree_node *node = &self->nodes[i];
        node->depth = node->parent == TREE_NONE ? 0 : self->nodes[node->parent].depth + 1;
    }
}

int tree_init(struct tree *self, const struct ftri_otlp_span *spans, size_t n)
{
    *self = (struct tree){.n_nodes = n, .first_root = TREE_NONE};
    self->nodes = ftri_alloc_array(n, sizeof *self->nodes);
    if (!self->nodes)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        self->nodes[i] = (struct tree_node){&spans[i], TREE_NONE, TREE_NONE, TREE_NONE, 0};
    qsort(self->nodes, n, sizeof *self->nodes, compare_starts);
    struct id_table table;
    const int r = id_table_init(&table, self);
    if (r < 0) {
        tree_deinit(self);
        return r;
    }
    find_parents(self, &table);
    ftri_free(table.slots);
    link_siblings(self);
    set_depths(self);
    return 0;
}

void tree_deinit(struct tree *self)
{
    ftri_free(self->nodes);
    *self = (struct tree){.first_root = TREE_NONE};
}

size_t tree_next(const struct tree *self, size_t i)
{
    if (i == TREE_NONE)
        return self->first_root;
    if (self->nodes[i].first_child != TREE_NONE)
        return self->nodes[i].first_child;
    while (i != TREE_NONE && self->nodes[i].next == TREE_NONE)
        i = self->nodes[i].parent;
    return i == TREE_NONE ? TREE_NONE : self->nodes[i].next;
}
