/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets: the one place that understands listen addresses.
 *
 *   127.0.0.1:4318   [::1]:4318   localhost:4318   0.0.0.0:0   unix:/run/x.sock   unix:@abstract
 *
 * Port 0 picks one. Names other than localhost are refused: a listener never asks a resolver.
 * A Unix socket's file replaces a dead socket of that name, never another file or a live one; it
 * gets mode 0660 and is removed on close. Everything belongs to the loop's thread. */
#pragma once

#include "base/check.h"

#include <sys/socket.h>

struct ftri_error;
struct listener;
struct loop;

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

int listener_open(struct loop *loop, const char *address, listener_accept_function on_accept,
                  void *argument, struct listener **ret_listener,
                  struct ftri_error *error) FTRI_MUST_CHECK;
/* NULL is fine. */
void listener_close(struct listener *self);
/* With the real port. */
const char *listener_address_text(const struct listener *self);
/* Connections wait in the kernel while paused. May be called from on_accept. */
void listener_pause(struct listener *self);
void listener_resume(struct listener *self);
