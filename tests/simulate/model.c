/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "base/time.h"
#include "story.h"

#include <string.h>

struct transit {
    uint64_t token;
    size_t edge;
    int visit;
    uint64_t n_items, n_bytes, sent_ns;
};

static struct {
    const struct plan *plan;
    struct model_node nodes[NODES_MAX];
    struct model_edge edges[NODES_MAX * PORTS_MAX * NODES_MAX];
    size_t n_edges;
    int inputs[VISITS_MAX];
    int n_inputs;
    struct transit transits[TRANSITS_MAX];
    size_t n_transits;
} model;

void model_begin(const struct plan *plan)
{
    model.plan = plan;
    memset(model.nodes, 0, sizeof model.nodes);
    model.n_edges = model.n_transits = 0;
    model.n_inputs = 0;
    visits_begin();
}

void model_add_edge(const struct edge *edge, size_t from, size_t port, size_t to)
{
    model.edges[model.n_edges++] = (struct model_edge){edge, from, port, to, {0}};
}

size_t model_n_edges(void)
{
    return model.n_edges;
}

const struct model_edge *model_edge(size_t i)
{
    return &model.edges[i];
}

const struct model_node *model_node(size_t i)
{
    return &model.nodes[i];
}

int model_input(int index)
{
    return model.inputs[index];
}

static struct node_account *account_of(int visit)
{
    return &model.nodes[visit_at(visit)->node].account;
}

/* -- order -- */

static size_t fifo_len(const struct model_node *node)
{
    return node->end - node->first;
}

size_t model_n_arriving(size_t node)
{
    return fifo_len(&model.nodes[node]);
}

static bool is_full(const struct model_node *node)
{
    return fifo_len(node) >= model.plan->capacity;
}

bool model_has_room(size_t node)
{
    for (size_t i = 0; i < model.n_edges; i++)
        if (model.edges[i].from == node && is_full(&model.nodes[model.edges[i].to]))
            return false;
    return true;
}

static void fifo_put(struct model_node *node, size_t transit)
{
    RULE(node->end < FTRI_COUNT(node->fifo), "the model has no room for more batches");
    const bool is_waiting = is_full(node);
    node->fifo[node->end++] = transit;
    if (is_waiting)
        model.nodes[model.edges[model.transits[transit].edge].from].n_waiting++;
    else if (fifo_len(node) > node->account.queue_depth_max)
        node->account.queue_depth_max = fifo_len(node);
}

/* One leaves; the first of those that wait has room. */
static const struct transit *fifo_take(struct model_node *node)
{
    const struct transit *const taken = &model.transits[node->fifo[node->first++]];
    if (!is_full(node))
        return taken;
    const struct transit *const moved =
        &model.transits[node->fifo[node->first + model.plan->capacity - 1]];
    struct model_node *const sender = &model.nodes[model.edges[moved->edge].from];
    sender->n_waiting--;
    sender->account.blocked_ns += ftri_time_monotonic_ns() - moved->sent_ns;
    return taken;
}

bool model_first(size_t node, uint64_t *ret_token, const struct edge **ret_edge)
{
    const struct model_node *const self = &model.nodes[node];
    if (fifo_len(self) == 0)
        return false;
    const struct transit *const transit = &model.transits[self->fifo[self->first]];
    *ret_token = transit->token;
    *ret_edge = model.edges[transit->edge].edge;
    return true;
}

static void lose(const struct transit *transit, const struct result *result)
{
    struct edge_account *const account = &model.edges[transit->edge].account;
    account->lost += transit->n_items;
    visit_at(transit->visit)->n_in_transit--;
    visit_add_part(transit->visit, NO_INDEX, result);
}

void model_lose_first(size_t node, const struct result *result)
{
    const struct transit *const transit = fifo_take(&model.nodes[node]);
    model.edges[transit->edge].account.queued -= transit->n_items;
    lose(transit, result);
}

void model_lose_all(const struct result *result)
{
    for (size_t i = 0; i < model.plan->n_nodes; i++)
        while (fifo_len(&model.nodes[i]))
            model_lose_first(i, result);
}

/* -- what nodes do -- */

static bool is_stateful(enum role role)
{
    return role == ROLE_HOLD || role == ROLE_MERGE || role == ROLE_RETRY;
}

static int begin_visit(size_t node)
{
    const int visit = visit_new(node);
    visit_at(visit)->is_working = !is_stateful(model.plan->nodes[node].role);
    return visit;
}

int model_ingest(size_t node, const struct visit *what)
{
    const int visit = begin_visit(node);
    visit_at(visit)->is_source = true;
    visit_at(visit)->is_watched = what->is_watched;
    visit_at(visit)->is_untraced = what->is_untraced;
    visit_at(visit)->is_foreign = what->is_foreign;
    account_of(visit)->n_visits++;
    return visit;
}

int model_arrive(size_t node, uint64_t token, const struct edge *edge)
{
    struct model_node *const self = &model.nodes[node];
    RULE(fifo_len(self) > 0, "n%zu was given a batch that nobody sent", node);
    RULE(self->n_waiting == 0, "n%zu was given a batch while what it sent waits for room", node);
    const struct transit *const transit = fifo_take(self);
    struct model_edge *const from = &model.edges[transit->edge];
    RULE(transit->token == token && from->edge == edge,
         "n%zu was given batch %llu, and %llu was sent before", node, (unsigned long long)token,
         (unsigned long long)transit->token);
    const int visit = begin_visit(node);
    visit_at(visit)->parent = transit->visit;
    visit_at(visit)->is_untraced = visit_at(transit->visit)->is_untraced;
    visit_at(visit)->n_held = transit->n_items;
    visit_at(transit->visit)->n_in_transit--;
    visit_add_part(transit->visit, visit, NULL);
    from->account.queued -= transit->n_items;
    from->account.received += transit->n_items;
    self->account.received += transit->n_items;
    self->account.held += transit->n_items;
    self->account.received_bytes += transit->n_bytes;
    self->account.n_visits++;
    self->account.queue_ns += ftri_time_monotonic_ns() - transit->sent_ns;
    return visit;
}

void model_derive(int visit)
{
    visit_at(visit)->n_in_hand++;
}

int model_derive_watched(int visit)
{
    const int copy = begin_visit(visit_at(visit)->node);
    visit_at(copy)->origin = visit_owner(visit);
    visit_at(copy)->is_watched = true;
    visit_at(copy)->is_working = false;
    visit_at(copy)->is_untraced = visit_at(visit)->is_untraced;
    return copy;
}

/* A batch leaves the node's hands. */
static void let_go(int visit)
{
    struct visit *const self = visit_at(visit);
    if (--self->n_in_hand == 0 && self->is_working)
        account_of(visit)->work_ns += ftri_time_monotonic_ns() - self->arrived_ns;
}

/* The last batch of a visit takes along what is left of its items; a watched copy never does. */
static bool is_last(int visit)
{
    return visit_at(visit)->origin == NO_INDEX && visit_at(visit)->n_in_hand == 1;
}

static uint64_t take_items(int visit, uint64_t n_items, bool all)
{
    struct visit *const owner = visit_at(visit_owner(visit));
    const uint64_t n = all || n_items > owner->n_held ? owner->n_held : n_items;
    owner->n_held -= n;
    return n;
}

/* What an answer at the node settles. What began here and goes nowhere was received after all. */
static uint64_t settle_items(int visit, uint64_t n_items, bool all)
{
    if (visit_at(visit)->is_source) {
        account_of(visit)->received += n_items;
        return n_items;
    }
    const uint64_t n = take_items(visit, n_items, all);
    account_of(visit)->held -= n;
    return n;
}

int model_merge(size_t node, struct held *const *inputs, size_t n)
{
    const int merged = begin_visit(node);
    visit_at(merged)->first_input = model.n_inputs;
    visit_at(merged)->n_inputs = n;
    visit_at(merged)->is_untraced = true;
    account_of(merged)->n_visits++;
    for (size_t i = 0; i < n; i++) {
        const int input = inputs[i]->visit;
        visit_at(merged)->is_untraced &= visit_at(input)->is_untraced;
        visit_at(merged)->n_held += take_items(input, inputs[i]->n_items, is_last(input));
        RULE(model.n_inputs < VISITS_MAX, "the model has no room for more inputs");
        model.inputs[model.n_inputs++] = input;
        let_go(input);
        visit_add_part(input, merged, NULL);
    }
    return merged;
}

static void send_over(size_t edge, int visit, uint64_t token, const struct pdata *pdata)
{
    const uint64_t n_items = pdata->n_items, n_bytes = pdata->n_bytes;
    struct node_account *const account = account_of(visit);
    const uint64_t n_forwarded = take_items(visit, n_items, false);
    account->held -= n_forwarded;
    account->forwarded += n_forwarded;
    account->created += n_items - n_forwarded;
    account->emitted += n_items;
    account->emitted_bytes += n_bytes;
    model.edges[edge].account.sent += n_items;
    model.edges[edge].account.redelivered += pdata->n_attempt ? n_items : 0;
    model.edges[edge].account.n_sent_batches++;
    visit_at(visit)->n_in_transit++;
    RULE(model.n_transits < TRANSITS_MAX, "the model has no room for more batches");
    model.transits[model.n_transits++] =
        (struct transit){token, edge, visit, n_items, n_bytes, ftri_time_monotonic_ns()};
}

uint64_t model_send(int visit, size_t port, const struct pdata *pdata)
{
    struct node_account *const account = account_of(visit);
    const size_t node = visit_at(visit)->node;
    const uint64_t token = model.n_transits;
    for (size_t i = 0; i < model.n_edges; i++)
        if (model.edges[i].from == node && model.edges[i].port == port)
            send_over(i, visit, token, pdata);
    if (is_last(visit)) {
        const uint64_t n_rest = take_items(visit, 0, true);
        account->held -= n_rest;
        account->absorbed += n_rest;
    }
    let_go(visit);
    return token;
}

const struct model_edge *model_way(uint64_t token, size_t i)
{
    const size_t at = (size_t)token + i;
    return at < model.n_transits && model.transits[at].token == token
               ? &model.edges[model.transits[at].edge]
               : NULL;
}

void model_sent(uint64_t token, size_t i, const struct result *lost)
{
    const size_t at = (size_t)token + i;
    struct model_edge *const edge = &model.edges[model.transits[at].edge];
    if (lost) {
        lose(&model.transits[at], lost);
        return;
    }
    edge->account.queued += model.transits[at].n_items;
    fifo_put(&model.nodes[edge->to], at);
}

void model_ack(int visit, uint64_t n_items)
{
    account_of(visit)->absorbed += settle_items(visit, n_items, is_last(visit));
    let_go(visit);
    visit_add_part(visit, NO_INDEX, NULL);
}

void model_drop(int visit, uint64_t n_items, ftr_drop_reason reason)
{
    account_of(visit)->dropped[reason] += settle_items(visit, n_items, is_last(visit));
    let_go(visit);
    visit_add_part(visit, NO_INDEX, NULL);
}

void model_nack(int visit, uint64_t n_items, const struct result *result)
{
    struct visit *const self = visit_at(visit);
    account_of(visit)->failed += settle_items(visit, n_items, is_last(visit));
    self->is_at_fault =
        self->is_at_fault || (!visit_first_failure(visit) && !self->has_refused_watched);
    let_go(visit);
    visit_add_part(visit, NO_INDEX, result);
}

void model_revoke(int visit, uint64_t n_items, const struct result *result)
{
    struct visit *const self = visit_at(visit);
    account_of(visit)->dropped[FTR_DROP_SHUTDOWN] += settle_items(visit, n_items, is_last(visit));
    self->is_at_fault = self->is_at_fault || !visit_first_failure(visit);
    let_go(visit);
    visit_add_part(visit, NO_INDEX, result);
}

void model_drop_items(int visit, ftr_drop_reason reason, uint64_t n_items)
{
    account_of(visit)->dropped[reason] += settle_items(visit, n_items, false);
}

void model_count_retry(size_t node)
{
    model.nodes[node].account.retried++;
}

void model_worked(int visit, uint64_t ns)
{
    if (!visit_at(visit)->is_working)
        account_of(visit)->work_ns += ns;
}
