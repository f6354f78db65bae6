/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/channel.h"

#include "engine/clock.h"
#include "engine/frame.h"
#include "engine/pdata_pool.h"
#include "engine/scheduler.h"
#include "engine/visit.h"

void channel_lose(struct edge *edge, const struct pdata *pdata)
{
    account_add("channel_lose: sent", &edge->account.sent, pdata->n_items);
    channel_count_redelivered(edge, pdata);
    account_add("channel_lose: n_sent_batches", &edge->account.n_sent_batches, 1);
    account_add("channel_lose: lost", &edge->account.lost, pdata->n_items);
}

static void lose(struct pdata *pdata, const struct result *result)
{
    struct graph *const graph = pdata->edge->from->graph;
    struct frame *const frame = pdata->frame;
    account_add("lose: lost", &pdata->edge->account.lost, pdata->n_items);
    pdata_free(graph, pdata);
    frame_resolve(frame, result);
}

void channel_wait(struct edge *edge, struct pdata *pdata)
{
    if (!pdata->sent_ns)
        pdata->sent_ns = clock_read(edge->from->graph);
    pdata->blocked_ns = pdata->sent_ns;
    ftri_list_append(&edge->to->waiting, &pdata->link);
    edge->from->n_waiting++;
}

bool channel_port_has_room(const struct port *port)
{
    for (size_t i = 0; i < port->n_edges; i++) {
        const struct node *to = port->edges[i]->to;
        if (to->n_data >= to->graph->capacity || !ftri_list_is_empty(&to->waiting))
            return false;
    }
    return true;
}

bool channel_has_room(const struct node *sender)
{
    for (size_t i = 0; i < sender->n_ports; i++)
        if (!channel_port_has_room(&sender->ports[i]))
            return false;
    return true;
}

static void stop_waiting(struct pdata *pdata)
{
    struct node *const from = pdata->edge->from;
    const uint64_t waited_ns = clock_between(pdata->blocked_ns, clock_read(from->graph));
    pdata->blocked_ns = 0;
    account_add("stop_waiting: blocked_ns", &from->account.blocked_ns, waited_ns);
    meter_add(&pdata->edge->meter->blocked_ns, waited_ns);
    visit_blocked(pdata->frame, waited_ns);
    if (--from->n_waiting == 0)
        scheduler_ready(from);
}

void channel_use_room(struct node *node, bool was_full)
{
    while (node->n_data < node->graph->capacity) {
        struct ftri_list *entry = ftri_list_pop(&node->waiting);
        if (!entry)
            break;
        struct pdata *pdata = FTRI_CONTAINER(entry, struct pdata, link);
        stop_waiting(pdata);
        channel_put(node, pdata);
    }
    if (!was_full)
        return;
    for (size_t i = 0; i < node->n_inputs; i++) {
        struct node *from = node->inputs[i]->from;
        if (from->wants_resume && channel_has_room(from))
            scheduler_control(from, CONTROL_RESUME_DATA);
    }
}

void channel_refuse_first(struct node *node, const struct result *result)
{
    struct pdata *pdata = channel_first(node);
    const bool was_full = node->n_data >= node->graph->capacity;
    channel_take(node, pdata);
    meter_take(&pdata->edge->meter->depth, 1);
    account_take("channel_refuse_first: queued", &pdata->edge->account.queued, pdata->n_items);
    channel_use_room(node, was_full);
    lose(pdata, result);
}

void channel_refuse_all(struct node *node, const struct result *result)
{
    while (node->n_data)
        channel_refuse_first(node, result);
}
