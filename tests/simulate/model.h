/* SPDX-License-Identifier: Apache-2.0
 *
 * What must be true, kept apart from the engine and from how it does it. The nodes tell the model
 * what they do; the model knows from that
 *
 *  - outcomes: what becomes of each batch (visits.h);
 *  - order: batches arrive at a node as they were sent; beyond the capacity they wait for room;
 *  - accounts: every term, by what account.h says it counts. */
#pragma once

#include "engine/account.h"
#include "plan.h"
#include "visits.h"

enum { TRANSITS_MAX = 30000 };

/* A batch in a node's hands. */
struct held {
    struct pdata *pdata;
    int visit;
    uint64_t n_items, n_bytes;
    bool is_revoked;
    int copy;           /* a retry's: the watched visit under way, or NO_INDEX */
    size_t n_attempts;  /* ... begun */
    struct result last; /* ... of the latest */
};

/* How edges are told apart: by what the engine calls them. */
struct model_edge {
    const struct edge *edge;
    size_t from, port, to;
    struct edge_account account;
};

struct model_node {
    struct node_account account;
    size_t fifo[TRANSITS_MAX / 6]; /* transits: the first `capacity` are in the channel */
    size_t first, end;
    size_t n_waiting; /* sent by it, without room */
};

void model_begin(const struct plan *plan);
/* Edges in the order of plan: by node, port, place in the port. */
void model_add_edge(const struct edge *edge, size_t from, size_t port, size_t to);
size_t model_n_edges(void);
const struct model_edge *model_edge(size_t i);
const struct model_node *model_node(size_t i);
int model_input(int index);
/* Whether a node's ports have room for one more each. */
bool model_has_room(size_t node);
/* Batches that are in a node's channel or wait for it. */
size_t model_n_arriving(size_t node);

/* what: is_watched, is_untraced and is_foreign count. */
int model_ingest(size_t node, const struct visit *what);
/* The next batch of the node's channel arrives. token: what the sender was given for it. */
int model_arrive(size_t node, uint64_t token, const struct edge *edge);
void model_derive(int visit);
int model_derive_watched(int visit);
int model_merge(size_t node, struct held *const *inputs, size_t n);
/* Counts what leaves, before it does; returns its token. Then each of its ways (the edges of the
 * port) has come to pass or not, in order. NULL: it has no more ways. */
uint64_t model_send(int visit, size_t port, const struct pdata *pdata);
const struct model_edge *model_way(uint64_t token, size_t i);
void model_sent(uint64_t token, size_t i, const struct result *lost);
void model_ack(int visit, uint64_t n_items);
void model_drop(int visit, uint64_t n_items, ftr_drop_reason reason);
void model_nack(int visit, uint64_t n_items, const struct result *result);
void model_drop_items(int visit, ftr_drop_reason reason, uint64_t n_items);
void model_count_retry(size_t node);
void model_worked(int visit, uint64_t ns);
/* The first in a node's channel is lost: with this result its sender hears of it. */
void model_lose_first(size_t node, const struct result *result);
/* The token and edge of the first in the channel; false: it is empty. */
bool model_first(size_t node, uint64_t *ret_token, const struct edge **ret_edge);
/* The deadline: everything on its way is lost. */
void model_lose_all(const struct result *result);
/* ... and what is in hands is taken. */
void model_revoke(int visit, uint64_t n_items, const struct result *result);
