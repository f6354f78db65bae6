/* SPDX-License-Identifier: Apache-2.0
 *
 * A small HTTP server for clients to talk to, on a thread and a port of its own. */
#pragma once

#include "base/bytes.h"

#include <pthread.h>

struct peer {
    /* The status for a request, on the peer's thread; NULL: it never listens, connections are
     * refused. */
    int (*answer)(struct peer *self, struct ftri_view body);
    uint16_t port;
    int fd;
    pthread_t thread;
};

void peer_open(struct peer *self);
void peer_close(struct peer *self);
