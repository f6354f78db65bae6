/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of a peer that speaks gRPC: every call gets an empty message and a status, by
 * nghttp2's own server. */
#pragma once

#include "base/bytes.h"

struct peer_grpc;

/* status: gRPC's, of every call. */
struct peer_grpc *peer_grpc_new(int fd, int status);
void peer_grpc_free(struct peer_grpc *self);
/* False: the connection is over. */
bool peer_grpc_take(struct peer_grpc *self, const void *bytes, size_t len);
