/* SPDX-License-Identifier: Apache-2.0
 *
 * How many connections each address holds on a server: per IPv4 address, per /64 of IPv6 (what one
 * host usually has). Unix sockets have no address and are not counted. A server's thread. */
#pragma once

#include "base/map.h"

struct peer; /* an address with connections */

struct peers {
    struct ftri_map map; /* address -> struct peer */
    size_t limit;        /* connections of one address */
    uint64_t n_refused;
};

void peers_init(struct peers *self, size_t n_addresses, size_t limit);
/* All have left. */
void peers_deinit(struct peers *self);
/* Counts the connection; *ret_peer is for peers_leave, NULL for a Unix socket. -EDQUOT: the address
 * has its share (the log says so, under the server's name); -ENOMEM. */
int peers_enter(struct peers *self, int fd, const char *server,
                struct peer **ret_peer) FTRI_MUST_CHECK;
/* NULL is fine. */
void peers_leave(struct peers *self, struct peer *peer);
