/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/channel.h"

#include "base/time.h"
#include "engine/count.h"
#include "engine/crossing.h"
#include "engine/frame.h"
#include "engine/meter.h"
#include "engine/pdata_pool.h"
#include "engine/scheduler.h"
#include "engine/visit.h"

static void put(struct node *node, struct pdata *pdata)
{
    ftri_list_append(&node->data, &pdata->link);
    node->n_data++;
    account_raise("put: queue_depth_max", &node->account.queue_depth_max, node->n_data);
}

static void count_redelivered(struct edge *edge, const struct pdata *pdata)
{
    if (pdata->n_attempt)
        account_add("count_redelivered: redelivered", &edge->account.redelivered, pdata->n_items);
}

void channel_lose(struct edge *edge, const struct pdata *pdata)
{
    account_add("channel_lose: sent", &edge->account.sent, pdata->n_items);
    count_redelivered(edge, pdata);
    account_add("channel_lose: n_sent_batches", &edge->account.n_sent_batches, 1);
    account_add("channel_lose: lost", &edge->account.lost, pdata->n_items);
}

static void count_lost(const struct pdata *pdata)
{
    account_add("count_lost: lost", &pdata->edge->account.lost, pdata->n_items);
}

static void lose(struct pdata *pdata, const struct result *result)
{
    struct graph *const graph = pdata->edge->from->graph;
    struct frame *const frame = pdata->frame;
    pdata_free(graph, pdata);
    frame_resolve(frame, result);
}

static inline void count_sent(struct edge *edge, struct pdata *pdata)
{
    /* From then on nobody holds a batch, or gets one. */
    assert(edge->from->graph->drain < DRAIN_FORCED);
    pdata->edge = edge;
    pdata->sent_ns = ftri_time_monotonic_ns();
    account_add("count_sent: sent", &edge->account.sent, pdata->n_items);
    count_redelivered(edge, pdata);
    account_add("count_sent: n_sent_batches", &edge->account.n_sent_batches, 1);
    account_add("count_sent: queued", &edge->account.queued, pdata->n_items);
    meter_add(&edge->meter->depth, 1);
}

void channel_count_sent(struct edge *edge, struct pdata *pdata)
{
    count_sent(edge, pdata);
}

void channel_send(struct edge *edge, struct pdata *pdata)
{
    struct node *const to = edge->to;
    count_sent(edge, pdata);
    if (to->n_data < to->graph->capacity && ftri_list_is_empty(&to->waiting)) {
        put(to, pdata);
    } else {
        pdata->blocked_ns = pdata->sent_ns;
        ftri_list_append(&to->waiting, &pdata->link);
        edge->from->n_waiting++;
    }
    scheduler_ready(to);
}

struct pdata *channel_first(const struct node *node)
{
    return ftri_list_is_empty(&node->data) ? NULL
                                           : FTRI_CONTAINER(node->data.next, struct pdata, link);
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
    const uint64_t waited_ns = ftri_time_monotonic_ns() - pdata->blocked_ns;
    pdata->blocked_ns = 0;
    account_add("channel_stop_waiting: blocked_ns", &from->account.blocked_ns, waited_ns);
    meter_add(&pdata->edge->meter->blocked_ns, waited_ns);
    visit_blocked(frame->is_lent ? frame->lent.above : frame, waited_ns);
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
        put(node, pdata);
    }
}

void channel_fill(struct node *node)
{
    move_up(node);
    if (node->n_data)
        scheduler_ready(node);
}

/* To be called when all is counted: the accounts may be summed up for another loop (crossing.c).
 * There is room again: who waits moves up, and who asked in vain is told. */
static void use_room(struct node *node, bool was_full)
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

static void take_out(struct node *node, struct pdata *pdata)
{
    ftri_list_unlink(&pdata->link);
    node->n_data--;
    account_take("take_out: queued", &pdata->edge->account.queued, pdata->n_items);
    meter_take(&pdata->edge->meter->depth, 1);
}

void channel_receive(struct node *node, struct pdata *pdata)
{
    const bool was_full = node->n_data >= node->graph->capacity;
    take_out(node, pdata);
    account_add("channel_receive: received", &pdata->edge->account.received, pdata->n_items);
    use_room(node, was_full);
}

void channel_refuse_first(struct node *node, const struct result *result)
{
    struct pdata *pdata = channel_first(node);
    const bool was_full = node->n_data >= node->graph->capacity;
    take_out(node, pdata);
    count_lost(pdata);
    use_room(node, was_full);
    lose(pdata, result);
}

void channel_refuse(struct pdata *pdata, const struct result *result)
{
    account_take("channel_refuse: queued", &pdata->edge->account.queued, pdata->n_items);
    meter_take(&pdata->edge->meter->depth, 1);
    count_lost(pdata);
    lose(pdata, result);
}

void channel_refuse_all(struct node *node, const struct result *result)
{
    move_up(node); /* from other loops, if the channel is empty */
    while (node->n_data)
        channel_refuse_first(node, result);
}
