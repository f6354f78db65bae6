/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/custody.h"

#include "engine/count.h"
#include "engine/pdata_pool.h"
#include "engine/scheduler.h"
#include "engine/visit.h"

bool custody_check(struct node *node, const struct pdata *pdata, const char *call)
{
    if (node->is_stopped)
        node_failed_because(node, "%s after its stop", call);
    else if (pdata->holder != node)
        node_failed_because(node, "%s of a batch that it does not hold (given up twice?)", call);
    else
        return true;
    return false;
}

/* ACK and NACK are on the visit already, from where they unwound. */
static void note_control(const struct node *node, struct frame *frame)
{
    struct frame *const owner = frame_owner(frame);
    if (!node->is_handling || node->handling == CONTROL_ACK || node->handling == CONTROL_NACK ||
        owner->n_noted == node->n_handled)
        return;
    owner->n_noted = node->n_handled;
    visit_control(owner, node->handling);
}

struct frame *custody_touch(struct node *node, struct pdata *pdata, const char *call)
{
    if (!custody_check(node, pdata, call) || pdata->is_revoked)
        return NULL;
    struct frame *const frame = pdata->frame;
    if (!frame->origin)
        visit_ensure(frame, pdata);
    note_control(node, frame);
    if (frame_owner(frame)->visit_state != VISIT_CLOSED || !frame->origin)
        frame_work(frame_owner(frame));
    return frame;
}

struct frame *custody_begin(struct node *node, struct pdata *pdata, const char *call)
{
    struct frame *const frame = custody_touch(node, pdata, call);
    if (!frame && pdata->holder == node && pdata->is_revoked)
        pdata_free(node->graph, pdata);
    return frame;
}

void custody_end(struct node *node)
{
    struct graph *const graph = node->graph;
    if (graph->active)
        return;
    frame_rest_all(graph);
    if (graph->drain != DRAIN_NONE)
        scheduler_arm(graph);
}

bool custody_is_last(const struct frame *frame)
{
    return !frame->origin && frame->n_in_hand == 1;
}

uint64_t custody_take_items(struct frame *frame, uint64_t n_items, bool is_last)
{
    struct frame *const owner = frame_owner(frame);
    const uint64_t n = is_last || n_items > owner->n_held_items ? owner->n_held_items : n_items;
    account_take("custody_take_items: n_held_items", &owner->n_held_items, n);
    account_take("custody_take_items: held", &owner->node->account.held, n);
    return n;
}

void custody_settle(struct node *node, struct pdata *pdata, const struct result *result)
{
    struct frame *const frame = pdata->frame;
    frame->n_in_hand--;
    pdata_free(node->graph, pdata);
    frame_resolve(frame, result);
}

void custody_drop_items(struct node *node, struct frame *frame, ftr_drop_reason reason,
                        uint64_t n_items)
{
    const size_t index = (size_t)reason < ACCOUNT_DROP_REASONS ? (size_t)reason : 0;
    account_add("custody_drop_items: dropped", &node->account.dropped[index], n_items);
    if (n_items)
        visit_drop(frame, reason, n_items);
}

static void revoke(struct node *node, struct pdata *pdata, const struct result *result)
{
    struct frame *const frame = pdata->frame;
    if (!frame->origin)
        visit_ensure(frame, pdata);
    uint64_t n = custody_take_items(frame, pdata->n_items, custody_is_last(frame));
    if (frame->is_source) {
        n = pdata->n_items;
        account_add("revoke: received", &node->account.received, n);
        account_add("revoke: n_returned_items", &node->n_returned_items, n);
    }
    visit_control(frame, CONTROL_SHUTDOWN);
    custody_drop_items(node, frame, FTR_DROP_SHUTDOWN, n);
    frame->is_at_fault = frame->is_at_fault || frame->result.is_ack;
    frame->n_in_hand--;
    pdata->frame = NULL;
    pdata->is_revoked = true;
    frame_resolve(frame, result);
}

void custody_revoke_all(struct node *node, const struct result *result)
{
    for (struct ftri_list *i = node->in_hand.next; i != &node->in_hand; i = i->next) {
        struct pdata *const pdata = FTRI_CONTAINER(i, struct pdata, in_hand);
        if (!pdata->is_revoked)
            revoke(node, pdata, result);
    }
}

void custody_free_shells(struct node *node)
{
    while (!ftri_list_is_empty(&node->in_hand))
        pdata_free(node->graph, FTRI_CONTAINER(node->in_hand.next, struct pdata, in_hand));
}
