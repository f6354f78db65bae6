/* SPDX-License-Identifier: Apache-2.0
 *
 * A small server for clients to talk to, of HTTP or gRPC, on a thread and a port of its own. */
#pragma once

#include "base/bytes.h"

#include <pthread.h>

struct peer {
    /* The status for a request, on the peer's thread; NULL: it never listens, connections are
     * refused. */
    int (*answer)(struct peer *self, struct ftri_view body);
    bool is_grpc; /* answer is asked for gRPC's status, at each connection, without a body */
    uint16_t port;
    int fd;
    pthread_t thread;
};

void peer_open(struct peer *self);
void peer_close(struct peer *self);
