/* SPDX-License-Identifier: Apache-2.0 */
#include "net/peers.h"

#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { IPV4_BYTES = 4, IPV6_PREFIX_BYTES = 8 };

struct peer {
    size_t n_connections;
    char key[IPV6_PREFIX_BYTES];
    size_t key_len;
};

void peers_init(struct peers *self, size_t n_addresses, size_t limit)
{
    *self = (struct peers){.limit = limit};
    ftri_map_init(&self->map, n_addresses);
}

void peers_deinit(struct peers *self)
{
    ftri_map_deinit(&self->map);
}

static struct peer *add_peer(struct peers *self, ftr_str key)
{
    struct peer *peer = ftri_zalloc(sizeof *peer);
    if (!peer)
        return NULL;
    memcpy(peer->key, key.data, key.len);
    peer->key_len = key.len;
    if (ftri_map_set(&self->map, key, peer) == 0)
        return peer;
    ftri_free(peer);
    return NULL;
}

/* The first refusal is told, then ever fewer. */
static void tell(struct peers *self, const char *server, int family, const void *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    self->n_refused++;
    if (self->n_refused & (self->n_refused - 1))
        return;
    (void)inet_ntop(family, address, text, sizeof text);
    log_write(LOG_LEVEL_WARNING,
              "%s: %s has %zu connections, as many as max_connections_per_ip lets; another was "
              "closed (%llu refused so far)",
              server, text, self->limit, (unsigned long long)self->n_refused);
}

int peers_enter(struct peers *self, int fd, const char *server, struct peer **ret_peer)
{
    struct sockaddr_storage address = {0};
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
    socklen_t len = sizeof address;
    *ret_peer = NULL;
    if (getpeername(fd, (struct sockaddr *)&address, &len) < 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6))
        return 0; /* one that is gone already will be noticed */
    const bool is_v4 = address.ss_family == AF_INET;
    const void *bytes = is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
    const ftr_str key = {bytes, is_v4 ? IPV4_BYTES : IPV6_PREFIX_BYTES};
    struct peer *peer = ftri_map_get(&self->map, key);
    if (peer && peer->n_connections >= self->limit) {
        tell(self, server, address.ss_family, bytes);
        return -EDQUOT;
    }
    if (!peer)
        peer = add_peer(self, key);
    if (!peer)
        return -ENOMEM;
    peer->n_connections++;
    *ret_peer = peer;
    return 0;
}

void peers_leave(struct peers *self, struct peer *peer)
{
    if (!peer || --peer->n_connections > 0)
        return;
    (void)ftri_map_remove(&self->map, (ftr_str){peer->key, peer->key_len});
    ftri_free(peer);
}
