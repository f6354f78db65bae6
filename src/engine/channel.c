/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/channel.h"

#include "engine/clock.h"
#include "engine/crossing.h"
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

static void count_refused(const struct pdata *pdata)
{
    struct edge *const edge = pdata->edge;
    account_take("count_refused: queued", &edge->account.queued, pdata->n_items);
    meter_take(&edge->meter->depth, 1);
    account_add("count_refused: lost", &edge->account.lost, pdata->n_items);
}

static void lose(struct pdata *pdata, const struct result *result)
{
    struct graph *const graph = pdata->edge->from->graph;
    struct frame *const frame = pdata->frame;
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
        if (port->edges[i]->crossing) {
            if (!crossing_has_room(port->edges[i]))
                return false;
        } else if (to->n_data >= to->graph->capacity || !ftri_list_is_empty(&to->waiting))
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

void channel_stop_waiting(struct pdata *pdata)
{
    struct frame *const frame = pdata->frame;
    struct node *const from = pdata->edge->from;
    const uint64_t waited_ns = clock_between(pdata->blocked_ns, clock_read(from->graph));
    pdata->blocked_ns = 0;
    account_add("channel_stop_waiting: blocked_ns", &from->account.blocked_ns, waited_ns);
    meter_add(&pdata->edge->meter->blocked_ns, waited_ns);
    visit_blocked(frame_is_lent(frame) ? frame->lent.above : frame, waited_ns);
    if (--from->n_waiting == 0)
        scheduler_ready(from);
}

static struct pdata *next_waiting(struct node *node)
{
    if (node->n_inlets)
        return crossing_next(node);
    struct ftri_list *const entry = ftri_list_pop(&node->waiting);
    return entry ? FTRI_CONTAINER(entry, struct pdata, link) : NULL;
}

static void move_up(struct node *node)
{
    struct pdata *pdata;
    while (node->n_data < node->graph->capacity && (pdata = next_waiting(node)) != NULL) {
        if (pdata->blocked_ns)
            channel_stop_waiting(pdata);
        channel_put(node, pdata);
    }
}

void channel_fill(struct node *node)
{
    move_up(node);
    if (node->n_data)
        scheduler_ready(node);
}

void channel_use_room(struct node *node, bool was_full)
{
    if (node->n_inlets || !ftri_list_is_empty(&node->waiting))
        move_up(node);
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
    count_refused(pdata);
    channel_use_room(node, was_full);
    lose(pdata, result);
}

void channel_refuse(struct pdata *pdata, const struct result *result)
{
    count_refused(pdata);
    lose(pdata, result);
}

void channel_refuse_all(struct node *node, const struct result *result)
{
    move_up(node); /* from other loops, if the channel is empty */
    while (node->n_data)
        channel_refuse_first(node, result);
}
