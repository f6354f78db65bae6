/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounded way into a node. At most `capacity` batches lie in it; what is sent beyond waits, in
 * the order of sending, and as long as anything that a node sent waits, that node is given nothing
 * more: so no more can wait than one consume or control message emitted. Counts the edges. */
#pragma once

#include "engine/meter.h"
#include "engine/scheduler.h"

/* Into a channel that has room ... */
static inline void channel_put(struct node *to, struct pdata *pdata)
{
    ftri_list_append(&to->data, &pdata->link);
    to->n_data++;
    account_raise("channel_put: queue_depth_max", &to->account.queue_depth_max, to->n_data);
}

/* ... and out of it. */
static inline void channel_take(struct node *to, struct pdata *pdata)
{
    ftri_list_unlink(&pdata->link);
    to->n_data--;
}

static inline void channel_count_redelivered(struct edge *edge, const struct pdata *pdata)
{
    if (FTRI_UNLIKELY(pdata->n_attempt))
        account_add("channel_count_redelivered: redelivered", &edge->account.redelivered,
                    pdata->n_items);
}

/* Before the batch, whose frame and hop are set, lies anywhere. */
static inline void channel_count_sent(struct edge *edge, struct pdata *pdata, uint64_t sent_ns)
{
    const uint64_t n_items = pdata->n_items;
    /* From then on nobody holds a batch, or gets one. */
    assert(edge->from->graph->drain < DRAIN_FORCED);
    pdata->edge = edge;
    pdata->sent_ns = sent_ns;
    account_add("channel_count_sent: sent", &edge->account.sent, n_items);
    account_add("channel_count_sent: queued", &edge->account.queued, n_items);
    meter_add(&edge->meter->depth, 1);
    account_add("channel_count_sent: n_sent_batches", &edge->account.n_sent_batches, 1);
    channel_count_redelivered(edge, pdata);
}

/* Batches in it once one more is sent, which lies in it if there is room. */
static inline size_t channel_depth_with(const struct node *to)
{
    return ftri_size_min(to->n_data + ftri_list_is_empty(&to->waiting), to->graph->capacity);
}

/* There is no room. */
void channel_wait(struct edge *edge, struct pdata *pdata);

/* Takes over the batch, whose frame and hop are set; sent_ns is now. */
static inline void channel_send(struct edge *edge, struct pdata *pdata, uint64_t sent_ns)
{
    struct node *const to = edge->to;
    channel_count_sent(edge, pdata, sent_ns);
    if (FTRI_LIKELY(to->n_data < to->graph->capacity && ftri_list_is_empty(&to->waiting)))
        channel_put(to, pdata);
    else
        channel_wait(edge, pdata);
    scheduler_ready_first(to);
}

/* A copy of the batch that could not be made: sent and lost at once. */
void channel_lose(struct edge *edge, const struct pdata *pdata);
/* The oldest batch, still in the channel; NULL when it is empty. */
static inline struct pdata *channel_first(const struct node *node)
{
    return ftri_list_is_empty(&node->data) ? NULL
                                           : FTRI_CONTAINER(node->data.next, struct pdata, link);
}

/* There is room again: who waits moves up, and who asked in vain is told. To be called when all is
 * counted: the accounts may be summed up for another loop (crossing.c). */
void channel_use_room(struct node *node, bool was_full);

/* Takes it out as received, which the node has counted; what waits moves up. */
static inline void channel_receive(struct node *node, struct pdata *pdata)
{
    struct edge_account *const account = &pdata->edge->account;
    const uint64_t n_items = pdata->n_items;
    const bool was_full = node->n_data >= node->graph->capacity;
    channel_take(node, pdata);
    account_take("channel_receive: queued", &account->queued, n_items);
    account_add("channel_receive: received", &account->received, n_items);
    meter_take(&pdata->edge->meter->depth, 1);
    if (FTRI_UNLIKELY(was_full || node->n_inlets || !ftri_list_is_empty(&node->waiting)))
        channel_use_room(node, was_full);
}

/* Takes the oldest out as lost, nacked to its sender with `result`. */
void channel_refuse_first(struct node *node, const struct result *result);
/* One that waited for room elsewhere, and is in no list: its sender no longer waits; it is lost. */
void channel_stop_waiting(struct pdata *pdata);
void channel_refuse(struct pdata *pdata, const struct result *result);
/* Takes in what other loops have sent, while there is room. */
void channel_fill(struct node *node);
/* All that lies in the channel or waits for it. */
void channel_refuse_all(struct node *node, const struct result *result);
/* True when each output has room for one more; the same for those of one port. */
bool channel_port_has_room(const struct port *port);
bool channel_has_room(const struct node *sender);
