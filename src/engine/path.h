/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways that batches take: a tree of the sequences of nodes that were gone so far, each with
 * what is measured of the batches that ended there. Batches that came by different ways and were
 * merged go on as one that came by "*". At most PATHS_MAX are told apart, with texts of up to
 * PATH_TEXT_BYTES; what goes beyond shares one, the overflow. Made on the graph's thread, read on
 * any. */
#pragma once

#include "engine/meter.h"

struct edge;
struct node;

enum { PATHS_MAX = 1000, PATH_TEXT_BYTES = 1024 };

struct path {
    const struct node *node;
    struct path **next; /* by edge.index of the node's; NULL as long as nothing has gone on */
    struct path_meter meter;
    ftr_str text; /* "rcv-1>proc-2"; in names \ > and * are escaped by a \ */
};

struct paths {
    struct path overflow; /* its node is NULL */
    uint64_t n;
    struct path *list[PATHS_MAX];
};

/* NULL: memory is short. */
struct paths *paths_new(void) FTRI_MUST_CHECK;
void paths_free(struct paths *self);
size_t paths_count(const struct paths *self);

/* None of these fails: what there is no room for is the overflow. Of batches that begin at a node:
 */
struct path *path_from(struct node *node);
/* that were merged there, after coming by different ways: */
struct path *path_mixed(struct node *node);
/* and that go on along an edge, the first of them: later ones are asked for by its index. */
struct path *path_branch_off(struct path *self, const struct edge *edge);

/* The way that another instance of the graph knows, in the tree of this node's graph. Only its text
 * and whether it is the overflow are read, which never change. */
struct path *path_import(struct node *node, const struct path *there);

static inline struct path *path_next(struct path *self, size_t index, const struct edge *edge)
{
    struct path *const next = self->next ? self->next[index] : NULL;
    return FTRI_LIKELY(next) ? next : path_branch_off(self, edge);
}
