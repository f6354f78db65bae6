/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/forward: passes everything on as it is: a place where several connections meet. */
#include "nodes/processors/processors.h"

#include "engine/node.h"

static void forward_consume(struct node *node, struct pdata *pdata)
{
    node_send(node, 0, pdata);
}

const struct node_class processor_forward = {
    .type = "processor/forward",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Passes everything on as it is.",
    .consume = forward_consume,
};
