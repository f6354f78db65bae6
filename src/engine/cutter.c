/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cutter.h"

#include "base/mem.h"
#include "base/time.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "otlp/ledger.h"

#include <errno.h>
#include <string.h>

static const uint64_t INTERVAL_NS = LEDGER_INTERVAL_S * FTRI_NS_PER_S;

/* Levels stand among the counters, as they are. */
struct totals {
    uint64_t counters[LEDGER_COUNTERS];
};

struct cutter {
    const struct graph *graph;
    char pipeline[LEDGER_TEXT_BYTES + 1], instance[LEDGER_TEXT_BYTES + 1];
    uint64_t start_ns, end_ns;  /* of the cut that is under way */
    struct totals *kept, *last; /* nodes, then edges: at the last kept cut, at the last cut */
    struct ledger_row *rows;
    size_t n_nodes, n_edges;
};

static struct totals node_totals(const struct node_account *account)
{
    struct totals totals = {{
        [LEDGER_NODE_RECEIVED] = account->received,
        [LEDGER_NODE_FORWARDED] = account->forwarded,
        [LEDGER_NODE_ABSORBED] = account->absorbed,
        [LEDGER_NODE_CREATED] = account->created,
        [LEDGER_NODE_EMITTED] = account->emitted,
        [LEDGER_NODE_FAILED] = account->failed,
        [LEDGER_NODE_RETRIED] = account->retried,
        [LEDGER_NODE_HELD] = account->held,
    }};
    _Static_assert((int)ACCOUNT_DROP_REASONS == (int)LEDGER_DROP_REASONS, "the same reasons");
    memcpy(&totals.counters[LEDGER_NODE_DROPPED], account->dropped, sizeof account->dropped);
    return totals;
}

static struct totals edge_totals(const struct edge_account *account)
{
    return (struct totals){{
        [LEDGER_EDGE_SENT] = account->sent,
        [LEDGER_EDGE_REDELIVERED] = account->redelivered,
        [LEDGER_EDGE_RECEIVED] = account->received,
        [LEDGER_EDGE_LOST] = account->lost,
        [LEDGER_EDGE_QUEUED] = account->queued,
    }};
}

static size_t count_nodes(const struct graph *graph)
{
    struct graph_node_view node;
    size_t n = 0;
    while (graph_node_view(graph, n, &node))
        n++;
    return n;
}

static size_t count_edges(const struct graph *graph)
{
    struct graph_edge_view edge;
    size_t n = 0;
    while (graph_edge_view(graph, n, &edge))
        n++;
    return n;
}

static void copy_name(char to[LEDGER_TEXT_BYTES + 1], const char *from)
{
    const size_t len = ftri_size_min(strlen(from), LEDGER_TEXT_BYTES);
    memcpy(to, from, len);
    to[len] = '\0';
}

struct cutter *cutter_new(const struct graph *graph, const char *pipeline, const char *instance)
{
    struct cutter *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->graph = graph;
    self->n_nodes = count_nodes(graph);
    self->n_edges = count_edges(graph);
    self->start_ns = ftri_time_wall_ns();
    copy_name(self->pipeline, pipeline[0] ? pipeline : "default");
    copy_name(self->instance, instance);
    const size_t n = self->n_nodes + self->n_edges;
    self->kept = ftri_alloc_array(n, sizeof *self->kept);
    self->last = ftri_alloc_array(n, sizeof *self->last);
    self->rows = ftri_alloc_array(n + 1, sizeof *self->rows);
    if (!self->kept || !self->last || !self->rows) {
        cutter_free(self);
        return NULL;
    }
    memset(self->kept, 0, n * sizeof *self->kept);
    return self;
}

void cutter_free(struct cutter *self)
{
    if (!self)
        return;
    ftri_free(self->kept);
    ftri_free(self->last);
    ftri_free(self->rows);
    ftri_free(self);
}

uint64_t cutter_delay_ns(void)
{
    return INTERVAL_NS - ftri_time_wall_ns() % INTERVAL_NS;
}

static ftr_str name_of(const char *text)
{
    return (ftr_str){text, ftri_size_min(strlen(text), LEDGER_TEXT_BYTES)};
}

static struct ledger_row row_of(const struct cutter *self, enum ledger_series series)
{
    return (struct ledger_row){
        .instance = ftr_str_from(self->instance),
        .pipeline = ftr_str_from(self->pipeline),
        .series = series,
        .node = FTR_STR(""),
        .port = FTR_STR(""),
        .to = FTR_STR(""),
        .start_ns = self->start_ns,
        .end_ns = self->end_ns,
    };
}

/* What was counted since the kept cut, and levels as they are. False: there is nothing to tell. */
static bool subtract(const struct totals *kept, const struct totals *now, struct ledger_row *row)
{
    bool is_busy = false;
    for (size_t i = 0; i < LEDGER_COUNTERS; i++) {
        const bool is_level = (LEDGER_LEVELS & LEDGER_BIT(i)) != 0;
        row->counters[i] = is_level ? now->counters[i] : now->counters[i] - kept->counters[i];
        is_busy |= now->counters[i] != (is_level ? 0 : kept->counters[i]);
        /* A level that has come to nothing is told. */
        is_busy |= is_level && kept->counters[i] != 0;
        if (row->counters[i])
            row->mask |= LEDGER_BIT(i);
    }
    return is_busy;
}

/* What every row of a series says, zeros included. */
static const uint32_t node_mask = LEDGER_BIT(LEDGER_NODE_RECEIVED) | LEDGER_BIT(LEDGER_NODE_HELD);
static const uint32_t edge_mask = LEDGER_BIT(LEDGER_EDGE_SENT) | LEDGER_BIT(LEDGER_EDGE_RECEIVED) |
                                  LEDGER_BIT(LEDGER_EDGE_QUEUED);

static size_t take_rows(struct cutter *self, bool is_last)
{
    struct graph_node_view node;
    struct graph_edge_view edge;
    size_t n = 0;
    self->rows[n] = row_of(self, LEDGER_INSTANCE);
    self->rows[n++].is_last = is_last;
    for (size_t i = 0; i < self->n_nodes && graph_node_view(self->graph, i, &node); i++) {
        self->last[i] = node_totals(node.account);
        self->rows[n] = row_of(self, LEDGER_NODE);
        self->rows[n].node = name_of(node.id);
        self->rows[n].mask = node_mask;
        n += subtract(&self->kept[i], &self->last[i], &self->rows[n]);
    }
    for (size_t i = 0; i < self->n_edges && graph_edge_view(self->graph, i, &edge); i++) {
        const size_t at = self->n_nodes + i;
        self->last[at] = edge_totals(edge.account);
        self->rows[n] = row_of(self, LEDGER_EDGE);
        self->rows[n].node = name_of(edge.from);
        self->rows[n].port = name_of(edge.port);
        self->rows[n].to = name_of(edge.to);
        self->rows[n].mask = edge_mask;
        n += subtract(&self->kept[at], &self->last[at], &self->rows[n]);
    }
    return n;
}

int cutter_cut(struct cutter *self, bool is_last, struct ftri_bytes *out, size_t *ret_n_points)
{
    const uint64_t now_ns = ftri_time_wall_ns();
    self->end_ns = is_last ? now_ns : now_ns - now_ns % INTERVAL_NS;
    *ret_n_points = 0;
    if (is_last && self->end_ns <= self->start_ns)
        self->end_ns = self->start_ns + 1; /* the clock went back */
    if (self->end_ns <= self->start_ns)
        return 0;
    const size_t n_rows = take_rows(self, is_last);
    return ledger_encode(self->rows, n_rows, FTR_STR("flowtrace"), out, ret_n_points);
}

void cutter_keep(struct cutter *self)
{
    struct totals *kept = self->kept;
    self->kept = self->last;
    self->last = kept;
    self->start_ns = self->end_ns;
}
