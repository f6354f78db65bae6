/* SPDX-License-Identifier: Apache-2.0
 *
 * A trace's spans as a forest: children below parents, siblings by start time. A span whose parent
 * is not among the spans is a root; a cycle of parents is cut at its earliest span. Borrows the
 * spans, which must outlive it. Any one thread. */
#pragma once

#include "otlp/view.h"

struct tree_node {
    const struct ftri_otlp_span *span;
    size_t first_child; /* TREE_NONE: no children */
    size_t next;        /* sibling */
    size_t parent;
    unsigned depth;
};

#define TREE_NONE SIZE_MAX

struct tree {
    struct tree_node *nodes; /* by start time */
    size_t n_nodes;
    size_t first_root;
};

int tree_init(struct tree *self, const struct ftri_otlp_span *spans, size_t n) FTRI_MUST_CHECK;
void tree_deinit(struct tree *self);
/* Depth first, parents before children: pass TREE_NONE for the first; TREE_NONE at the end. */
size_t tree_next(const struct tree *self, size_t i);
