/* SPDX-License-Identifier: Apache-2.0
 *
 * gRPC server over cleartext HTTP/2 with prior knowledge (RFC 9113; gRPC, doc/PROTOCOL-HTTP2.md),
 * on nghttp2.
 *
 * A call is handed over when its headers are read (on_call may refuse it, so that nothing of its
 * message is kept), again when its whole message is there, decompressed (on_message), and is
 * finished once, now or later, from the loop's thread. A call that its peer gave up, or whose
 * deadline has passed, is reported (on_abandoned) and forgotten. Everything that is wrong with
 * the framing, the encoding or the size of a call is answered here. Everything belongs to the
 * loop's thread. Also answered here:
 *
 *   GET /healthz                                   200, for probes that speak HTTP/2
 *   grpc.health.v1.Health/Check, Watch             SERVING; NOT_SERVING to who watches a drain
 *   grpc.reflection.v1 (and v1alpha) ServerReflectionInfo   the services and their descriptors */
#pragma once

#include "base/bytes.h"

struct ftri_error;
struct grpc_call; /* one stream */
struct grpc_server;
struct loop;
struct socket_access;

/* google.rpc.Code, which gRPC uses too. */
enum grpc_status {
    GRPC_OK = 0,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14
};

struct grpc_limits {
    size_t header_bytes;       /* 16 KiB, at most 32 KiB -> RESOURCE_EXHAUSTED, or 431 */
    size_t n_headers;          /* 100, likewise */
    size_t message_bytes;      /* packed and unpacked: 64 MiB -> RESOURCE_EXHAUSTED */
    size_t connection_bytes;   /* of a connection's messages, also unread answers: 128 MiB */
    size_t all_bytes;          /* ... on all: 256 MiB; both -> UNAVAILABLE */
    size_t streams;            /* at once on a connection: 100 */
    size_t connections;        /* 1024; beyond it accepting pauses */
    size_t connections_per_ip; /* 1024; beyond it closed at once */
    size_t
        message_rate; /* bytes a second, 1024: less, after a first timeout -> DEADLINE_EXCEEDED */
    /* Allowances of a connection, and what fills them again; over them -> ENHANCE_YOUR_CALM. */
    size_t resets, resets_per_s;                 /* 1000, 33 */
    size_t control_frames, control_frames_per_s; /* 1000, 100; whole requests fill it, too */
    uint64_t header_timeout_ns;                  /* 10 s, also for the preface */
    uint64_t message_timeout_ns;                 /* 30 s without progress, in either direction */
    uint64_t idle_timeout_ns;                    /* 60 s without a call */
};

/* The defaults named above. */
void grpc_limits_default(struct grpc_limits *ret_limits);

struct grpc_handler {
    /* True: a method of the handler's; else the call gets UNIMPLEMENTED. May finish the call. */
    bool (*on_call)(void *argument, struct grpc_call *call);
    /* The message is there: grpc_call_message. Must finish the call now or later. */
    void (*on_message)(void *argument, struct grpc_call *call);
    /* After on_message and before it was finished: the call is gone. */
    void (*on_abandoned)(void *argument, struct grpc_call *call);
    void *argument;
};

struct grpc_server_options {
    const char *address;          /* as net/listener.h says; port 0 picks one */
    struct ftri_view descriptors; /* FileDescriptorSet of the handler's services, files after what
                                     they import; outlives the server */
    struct grpc_limits limits;
    struct grpc_handler handler;
    const struct socket_access *access; /* of a Unix socket; NULL: the default */
    bool is_shared, is_first;           /* as in listener_options */
};

int grpc_server_open(struct loop *loop, const struct grpc_server_options *options,
                     struct grpc_server **ret_server, struct ftri_error *error) FTRI_MUST_CHECK;
/* "127.0.0.1:4317" with the real port. */
const char *grpc_server_address(const struct grpc_server *self);
/* No new connections; GOAWAY on the others, whose calls may still be finished. */
void grpc_server_drain(struct grpc_server *self);
/* Writes out what the sockets take and closes everything; unfinished calls are abandoned. Not from
 * a handler. NULL is fine. */
void grpc_server_close(struct grpc_server *self);

/* "/package.Service/Method". */
ftr_str grpc_call_path(const struct grpc_call *self);
/* Metadata by name (lower case), as it came: values of -bin names are base64. .data NULL: absent.
 */
ftr_str grpc_call_metadata(const struct grpc_call *self, const char *name);
/* The metadata from *next (0 at first) on, which moves behind it; false: no more. */
bool grpc_call_next_metadata(const struct grpc_call *self, size_t *next, ftr_str *ret_name,
                             ftr_str *ret_value);
struct ftri_view grpc_call_message(const struct grpc_call *self);
/* Moves the message out to the caller (deinit it). */
struct ftri_bytes grpc_call_take_message(struct grpc_call *self);
/* The caller's pointer. */
void grpc_call_set_data(struct grpc_call *self, void *data);
void *grpc_call_data(const struct grpc_call *self);

/* Each ends the call for the handler. */
void grpc_call_finish(struct grpc_call *self, struct ftri_view message);
void grpc_call_refuse(struct grpc_call *self, enum grpc_status status, const char *message);
/* UNAVAILABLE with RetryInfo. */
void grpc_call_refuse_retryably(struct grpc_call *self, const char *message, uint64_t delay_ns);
