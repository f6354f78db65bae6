/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets: the one place that understands listen addresses.
 *
 *   127.0.0.1:4318   [::1]:4318   localhost:4318   0.0.0.0:0   unix:/run/x.sock   unix:@abstract
 *
 * Port 0 picks one. Names other than localhost are refused: a listener never asks a resolver.
 * What happens to the file of a Unix socket: net/socket_file.h. Everything belongs to the loop's
 * thread. */
#pragma once

#include "base/check.h"

#include <sys/socket.h>

struct ftri_error;
struct listener;
struct loop;
struct socket_access;

struct listener_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* Takes over the connected, non-blocking socket. */
typedef void (*listener_accept_function)(void *argument, int fd);

int listener_parse(const char *text, struct listener_address *ret_address,
                   struct ftri_error *error) FTRI_MUST_CHECK;
/* True for 127/8, ::1 and Unix sockets: only this machine can reach it. */
bool listener_is_local(const struct listener_address *address);

/* -EINVAL: it is no address. `name`: of the option that it comes from. */
int listener_check(const char *name, const char *address, struct ftri_error *error) FTRI_MUST_CHECK;
/* Refuses (-EACCES), too, an address that other machines can reach, unless is_insecure. */
int listener_check_reach(const char *name, const char *address, bool is_insecure,
                         struct ftri_error *error) FTRI_MUST_CHECK;

struct listener_options {
    const char *address;
    const struct socket_access *access; /* of a Unix socket; NULL: the default; its list outlives
                                           the listener */
    listener_accept_function on_accept;
    void *argument;
    /* On TCP, with the sockets of other loops (SO_REUSEPORT): the kernel spreads the connections.
     * The first of them fails where somebody else listens; the others have its address. */
    bool is_shared, is_first;
};

int listener_open(struct loop *loop, const struct listener_options *options,
                  struct listener **ret_listener, struct ftri_error *error) FTRI_MUST_CHECK;
/* NULL is fine. */
void listener_close(struct listener *self);
/* With the real port. */
const char *listener_address_text(const struct listener *self);
/* Connections wait in the kernel while paused. May be called from on_accept. */
void listener_pause(struct listener *self);
void listener_resume(struct listener *self);
