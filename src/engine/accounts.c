/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the accounts agree with each other and with what lies in channels and hands. */
#include "base/error.h"
#include "engine/crossing.h"
#include "engine/custody.h"
#include "engine/meter_check.h"

#include <errno.h>

static uint64_t items_in(const struct ftri_list *list, const struct edge *edge)
{
    uint64_t n = 0;
    for (const struct ftri_list *i = list->next; i != list; i = i->next) {
        const struct pdata *pdata = FTRI_CONTAINER(i, struct pdata, link);
        if (pdata->edge == edge)
            n += pdata->n_items;
    }
    return n;
}

static int check_edge(const struct edge *edge, struct ftri_error *error)
{
    const struct edge_account *account = &edge->account;
    const struct crossing *const crossing = edge->crossing;
    uint64_t queued = items_in(&edge->to->data, edge) + items_in(&edge->to->waiting, edge);
    for (size_t i = 0; crossing && i < crossing->n_loops; i++)
        queued += items_in(&crossing->lanes[i].waiting, edge);
    const char *what = account->sent + account->taken !=
                               account->received + account->queued + account->lost + account->handed
                           ? "sent + taken = received + queued + lost + handed"
                       : account->queued != queued ? "queued = what lies in the channel"
                                                   : meter_fault_of_edge(edge);
    if (!what)
        return 0;
    return ftri_error_set(error, -EBADMSG,
                          "%s[\"%s\"] -> %s: not %s (sent %llu, received %llu, queued %llu, lost "
                          "%llu, handed %llu, taken %llu)",
                          edge->from->id, edge->port->name.data, edge->to->id, what,
                          (unsigned long long)account->sent, (unsigned long long)account->received,
                          (unsigned long long)account->queued, (unsigned long long)account->lost,
                          (unsigned long long)account->handed, (unsigned long long)account->taken);
}

/* Each frame counts once, with the first of its batches. */
static uint64_t held_items(const struct node *node)
{
    uint64_t n = 0;
    for (const struct ftri_list *i = node->in_hand.next; i != &node->in_hand; i = i->next) {
        const struct pdata *pdata = FTRI_CONTAINER(i, struct pdata, in_hand);
        const struct frame *frame = pdata->is_revoked ? NULL : frame_owner(pdata->frame);
        bool is_first = frame != NULL;
        for (const struct ftri_list *j = node->in_hand.next; is_first && j != i; j = j->next) {
            const struct pdata *other = FTRI_CONTAINER(j, struct pdata, in_hand);
            is_first = other->is_revoked || frame_owner(other->frame) != frame;
        }
        n += is_first ? frame->n_held_items : 0;
    }
    return n;
}

static const char *node_fault(const struct node *node)
{
    const struct node_account *account = &node->account;
    uint64_t settled = account->forwarded + account->absorbed + account->failed;
    for (size_t i = 0; i < ACCOUNT_DROP_REASONS; i++)
        settled += account->dropped[i];
    uint64_t sent = 0, received = node->n_returned_items;
    for (size_t i = 0; i < node->n_ports; i++)
        for (size_t j = 0; j < node->ports[i].n_edges; j++)
            sent += node->ports[i].edges[j]->account.sent;
    for (size_t i = 0; i < node->n_inputs; i++)
        received += node->inputs[i]->account.received;
    if (account->received != settled + account->held)
        return "received = settled + held";
    if (account->emitted != account->forwarded + account->created)
        return "emitted = forwarded + created";
    if (account->emitted != sent)
        return "emitted = sent over all edges";
    if (account->received != received)
        return "received = received over all edges";
    return account->held != held_items(node) ? "held = what is in its hands" : NULL;
}

int graph_check_accounts(const struct graph *self, struct ftri_error *error)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < self->n_edges; i++)
        r = check_edge(self->edges[i], error);
    for (size_t i = 0; r == 0 && i < self->n_nodes; i++) {
        const char *fault = node_fault(self->nodes[i]);
        if (!fault && self->n_live == 0)
            fault = meter_fault_of_node(self->nodes[i]);
        if (fault)
            r = ftri_error_set(error, -EBADMSG, "node '%s': not %s", self->nodes[i]->id, fault);
    }
    return r;
}
