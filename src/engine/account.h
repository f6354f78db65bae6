/* SPDX-License-Identifier: Apache-2.0
 *
 * The accounts of nodes and edges, in items unless said otherwise. Every term is counted at its own
 * place by its own code; at rest
 *   edge: sent + taken = received + queued + lost + handed
 *   node: received = settled + held; settled = forwarded + absorbed + dropped + failed;
 *         emitted = forwarded + created.
 * The items that arrived with a batch are forwarded by what is sent of it or of its merge, once;
 * what is sent beyond is created: by receivers, by copies to several nodes, by second deliveries,
 * by expansion. When the last of it leaves, what was not forwarded is absorbed (or dropped, failed,
 * by the call that gave it up). What a receiver takes in and does not send counts as received.
 * Where an edge crosses loops each end is counted on its own: what was handed to other loops and
 * taken from them. Summed over all loops the difference of the two is on its way, and queued. */
#pragma once

#include "base/check.h"

enum { ACCOUNT_DROP_REASONS = 10 }; /* index: ftr_drop_reason */

struct edge_account {
    uint64_t sent, received, queued, lost;
    uint64_t n_sent_batches;
    uint64_t redelivered;   /* of the sent: deliveries after the first */
    uint64_t handed, taken; /* to and from other loops */
};

struct node_account {
    uint64_t received, held, forwarded, absorbed, created, emitted;
    uint64_t failed; /* nacked by this node */
    uint64_t dropped[ACCOUNT_DROP_REASONS];
    uint64_t retried;  /* deliveries after the first */
    uint64_t n_visits; /* batches */
    uint64_t received_bytes, emitted_bytes;
    uint64_t queue_ns;   /* time that batches waited in the input channel, summed */
    uint64_t work_ns;    /* time that visits worked, summed */
    uint64_t blocked_ns; /* time that outputs waited for room, summed */
    uint64_t queue_depth_max;
};

/* Those of all nodes and edges of a graph, in its order. */
struct account_sums {
    struct node_account *nodes;
    struct edge_account *edges;
};
