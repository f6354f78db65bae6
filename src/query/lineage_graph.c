/* SPDX-License-Identifier: Apache-2.0 */
#include "query/lineage_graph.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_LIMIT_BYTES = 512 << 20, BATCHES_LIMIT_BYTES = 512 << 20 };

/* What was read of a trace: a map's values are pointers. */
static char presence_only, everything;

struct lineage_batch {
    struct store_lineage lineage;
    struct lineage_batch *next;
};

/* An edge in the making. */
struct named {
    struct graph_node *result;
    struct store_contributor contributor;
};

void lineage_graph_init(struct lineage_graph *self)
{
    *self = (struct lineage_graph){0};
    ftri_arena_init(&self->arena, NODES_LIMIT_BYTES);
    ftri_map_init(&self->nodes, SIZE_MAX);
    ftri_map_init(&self->traces, SIZE_MAX);
}

void lineage_graph_deinit(struct lineage_graph *self)
{
    while (self->batches) {
        struct lineage_batch *batch = self->batches;
        self->batches = batch->next;
        store_lineage_deinit(&batch->lineage);
    }
    ftri_map_deinit(&self->traces);
    ftri_map_deinit(&self->nodes);
    ftri_arena_deinit(&self->arena);
}

struct graph_node *lineage_graph_node(struct lineage_graph *self, const struct store_span_id *id)
{
    const ftr_str key = {(const char *)id, sizeof *id};
    struct graph_node *node = ftri_map_get(&self->nodes, key);
    if (node)
        return node;
    node = ftri_arena_alloc(&self->arena, sizeof *node);
    if (!node || ftri_map_set(&self->nodes, key, node) < 0) {
        self->is_full = true;
        return NULL;
    }
    *node = (struct graph_node){.id = *id};
    return node;
}

static ftr_str trace_key(const ftr_trace_id *trace)
{
    return (ftr_str){(const char *)trace->bytes, sizeof trace->bytes};
}

size_t lineage_graph_drop_known(const struct lineage_graph *self, ftr_trace_id *traces, size_t n,
                                bool has_contributors)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++) {
        const void *known = ftri_map_get(&self->traces, trace_key(&traces[i]));
        if (known == &everything || (known && !has_contributors))
            continue;
        traces[n_left++] = traces[i];
    }
    return n_left;
}

bool lineage_graph_has_read(const struct lineage_graph *self, const ftr_trace_id *trace)
{
    return ftri_map_get(&self->traces, trace_key(trace)) != NULL;
}

/* --- edges --------------------------------------------------------------------------------- */

static int compare_named(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = memcmp(&a->result->id, &b->result->id, sizeof a->result->id);
    if (order == 0)
        order = memcmp(&a->contributor.id, &b->contributor.id, sizeof a->contributor.id);
    if (order)
        return order;
    const enum store_relation ours = a->contributor.relation, theirs = b->contributor.relation;
    return ours < theirs ? -1 : ours > theirs;
}

static bool is_same_edge(const struct named *a, const struct named *b)
{
    return a->result == b->result &&
           memcmp(&a->contributor.id, &b->contributor.id, sizeof a->contributor.id) == 0;
}

static int add_edge(struct lineage_graph *self, const struct named *named)
{
    struct graph_node *contributor = lineage_graph_node(self, &named->contributor.id);
    struct graph_edge *edge = ftri_arena_alloc(&self->arena, sizeof *edge);
    if (!contributor || !edge) {
        self->is_full = true;
        return -EMSGSIZE;
    }
    *edge = (struct graph_edge){.contributor = contributor,
                                .result = named->result,
                                .next_contributor = named->result->contributors,
                                .next_result = contributor->results,
                                .relation = named->contributor.relation};
    named->result->contributors = edge;
    contributor->results = edge;
    return 0;
}

/* The closest relation is the edge's; a parent and links may well be in the manifest, too. The last
 * comes first, so that each list ends up in order. */
static int add_edges(struct lineage_graph *self, struct ftri_bytes *all)
{
    struct named *named = (struct named *)(void *)all->data;
    const size_t n = all->len / sizeof *named;
    int r = 0;
    if (n)
        qsort(named, n, sizeof *named, compare_named);
    for (size_t i = n; i-- > 0 && r == 0;) {
        if (i == 0 || !is_same_edge(&named[i - 1], &named[i]))
            r = add_edge(self, &named[i]);
        else
            self->n_repeats += named[i].contributor.relation == STORE_RELATION_MANIFEST &&
                               named[i - 1].contributor.relation == STORE_RELATION_MANIFEST;
    }
    return r;
}

static int name_one(struct ftri_bytes *all, struct graph_node *result,
                    const struct store_contributor *contributor)
{
    const struct named named = {result, *contributor};
    return ftri_bytes_append(all, &named, sizeof named);
}

static uint64_t count_missing(const struct graph_node *result)
{
    return result->n_manifests_told > result->n_manifests
               ? result->n_manifests_told - result->n_manifests
               : 0;
}

static void count_manifest(struct lineage_graph *self, const struct store_lineage_span *manifest,
                           struct graph_node *result)
{
    self->n_missing -= count_missing(result);
    result->n_manifests++;
    if (manifest->n_manifests > result->n_manifests_told)
        result->n_manifests_told = manifest->n_manifests;
    self->n_missing += count_missing(result);
}

/* Whom a span names, for itself or, as a manifest, for its parent. */
static int name_all(struct lineage_graph *self, const struct store_lineage_span *span,
                    struct ftri_bytes *all)
{
    const struct store_contributor parent = {{span->id.trace_id, span->parent_span_id},
                                             STORE_RELATION_PARENT};
    const bool is_for_parent = span->is_manifest && span->has_parent;
    struct graph_node *result = lineage_graph_node(self, is_for_parent ? &parent.id : &span->id);
    if (!result)
        return -EMSGSIZE;
    if (is_for_parent)
        count_manifest(self, span, result);
    int r = span->has_parent && !is_for_parent ? name_one(all, result, &parent) : 0;
    for (size_t i = 0; i < span->n_contributors && r == 0; i++)
        r = name_one(all, result, &span->contributors[i]);
    return r;
}

/* --- reading ------------------------------------------------------------------------------- */

static int add_spans(struct lineage_graph *self, const struct store_lineage *lineage)
{
    for (const struct store_lineage_span *span = lineage->first; span; span = span->next) {
        struct graph_node *node = lineage_graph_node(self, &span->id);
        if (!node)
            return -EMSGSIZE;
        node->span = span;
    }
    return 0;
}

static int connect(struct lineage_graph *self, const struct store_lineage *lineage)
{
    struct ftri_bytes all FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&all, NODES_LIMIT_BYTES);
    int r = 0;
    for (const struct store_lineage_span *span = lineage->first; span && r == 0;
         span = span->next) {
        self->n_unnamed += span->n_unnamed;
        if (span->refusal) {
            self->n_refused++;
            r = self->on_refused(self->argument, span);
        }
        if (r == 0)
            r = name_all(self, span, &all);
    }
    return r == 0 ? add_edges(self, &all) : r;
}

static int remember(struct lineage_graph *self, const ftr_trace_id *traces, size_t n,
                    bool has_contributors)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = ftri_map_set(&self->traces, trace_key(&traces[i]),
                         has_contributors ? &everything : &presence_only);
    return r;
}

static struct lineage_batch *add_batch(struct lineage_graph *self)
{
    struct lineage_batch *batch = ftri_arena_alloc(&self->arena, sizeof *batch);
    if (!batch)
        return NULL;
    store_lineage_init(&batch->lineage, BATCHES_LIMIT_BYTES - self->n_bytes);
    batch->lineage.deadline_ns = self->deadline_ns;
    batch->next = self->batches;
    self->batches = batch;
    return batch;
}

int lineage_graph_read(struct lineage_graph *self, struct store *store, const ftr_trace_id *traces,
                       size_t n, bool has_contributors)
{
    struct lineage_batch *batch = add_batch(self);
    int r = batch ? remember(self, traces, n, has_contributors) : -ENOMEM;
    if (r < 0)
        return r;
    r = store_read_lineage(store, traces, n, has_contributors, &batch->lineage);
    self->n_bytes += batch->lineage.arena.n_bytes;
    self->is_full |= r == -EMSGSIZE;
    self->is_late |= r == -ETIMEDOUT;
    if (r == 0 || r == -EMSGSIZE || r == -ETIMEDOUT)
        r = add_spans(self, &batch->lineage);
    if (r == 0 && has_contributors)
        r = connect(self, &batch->lineage);
    return r == -EMSGSIZE && self->is_full ? 0 : r;
}

const struct store_lineage_span *lineage_graph_newest(const struct lineage_graph *self)
{
    return self->batches ? self->batches->lineage.first : NULL;
}
