/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounded way into a node. At most `capacity` batches lie in it; what is sent beyond waits, in
 * the order of sending, and as long as anything that a node sent waits, that node is given nothing
 * more: so no more can wait than one consume or control message emitted. Counts the edges. */
#pragma once

#include "engine/runtime.h"

/* Takes over the batch, whose frame and hop are set. */
void channel_send(struct edge *edge, struct pdata *pdata);
/* What it counts before the batch lies anywhere. */
void channel_count_sent(struct edge *edge, struct pdata *pdata);
/* A copy of the batch that could not be made: sent and lost at once. */
void channel_lose(struct edge *edge, const struct pdata *pdata);
/* The oldest batch, still in the channel; NULL when it is empty. */
struct pdata *channel_first(const struct node *node);
/* Takes it out as received; what waits moves up. */
void channel_receive(struct node *node, struct pdata *pdata);
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
