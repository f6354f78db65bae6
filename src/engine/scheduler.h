/* SPDX-License-Identifier: Apache-2.0
 *
 * Who runs next. Nodes with something to do wait in a queue, one that is sent a batch before all
 * others: a row of batches goes down the graph before the next one is begun, and nobody waits for
 * more than that. A turn of the loop serves a bounded
 * number of messages, so that sockets and timers get theirs. Within a node control goes before
 * data, but after a burst of control messages one batch is due. A node whose outputs wait for room,
 * or that does not accept, gets no batch. Node code is called from here only (and by the node's own
 * callbacks), never from within another node's call. */
#pragma once

#include "engine/runtime.h"

int scheduler_init(struct graph *graph) FTRI_MUST_CHECK;
void scheduler_deinit(struct graph *graph);
/* Queues a node that is not queued. */
void scheduler_queue(struct node *node);
/* The same before all others: what was just written is still in the cache. */
void scheduler_queue_first(struct node *node);
/* Something may have to be done for it. While a node is queued a turn is armed, or under way. */
static inline void scheduler_ready(struct node *node)
{
    if (ftri_list_is_empty(&node->ready))
        scheduler_queue(node);
}

/* A batch came. */
static inline void scheduler_ready_first(struct node *node)
{
    if (ftri_list_is_empty(&node->ready))
        scheduler_queue_first(node);
}
/* A turn comes, if only to see whether anything ended. */
void scheduler_arm(struct graph *graph);
/* Sends a message that is part of something else. */
void scheduler_post(struct node *node, struct message *message);
/* Sends one of the node's own messages; one that is on its way already stands for both. */
void scheduler_control(struct node *node, enum control_kind kind);
/* Takes back the messages that were not delivered. */
void scheduler_clear(struct node *node);
