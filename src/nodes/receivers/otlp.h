/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of receiver/otlp share: otlp.c takes requests in and settles them, otlp_http.c and
 * otlp_grpc.c say it in their protocol. A request struct lives from the request's arrival until its
 * outcome; the exchange or call behind it is gone earlier if the peer went away. All on the graph's
 * thread. */
#pragma once

#include "base/list.h"
#include "config/options.h"
#include "net/socket_file.h"

#include <flowtrace/types.h>

struct ftri_bytes;
struct ftri_error;
struct ftri_otlp_partial_success;
struct grpc_server;
struct http_server;
struct node;
struct otlp_request;
struct otlp_signal;

enum { OTLP_SOCKET_USERS_MOST = 64 };

struct otlp_options {
    const char *grpc;
    const char *http;
    const char *unix_socket;
    const char *socket_mode;
    const char *socket_owner;
    struct option_list socket_users;
    struct option_list signals;
    struct option_list metadata_headers;
    int metrics, logs;
    uint64_t max_body_bytes;
    uint64_t max_message_bytes; /* 0: max_body_bytes */
    uint64_t max_bodies_bytes;
    uint64_t max_connection_bodies_bytes;
    uint64_t max_connections;
    uint64_t max_connections_per_ip;
    uint64_t max_header_bytes;
    uint64_t max_headers;
    uint64_t max_target_bytes;
    uint64_t header_timeout_ns;
    uint64_t body_timeout_ns;
    uint64_t min_body_rate_bytes;
    uint64_t idle_timeout_ns;
    uint64_t max_streams;
    uint64_t max_resets;
    uint64_t max_resets_per_s;
    uint64_t max_control_frames;
    uint64_t max_control_frames_per_s;
    uint64_t max_depth;
    uint64_t max_attributes;
    uint64_t max_events;
    uint64_t max_links;
};

struct otlp_state {
    struct node *node;
    struct grpc_server *grpc;
    struct http_server *http;
    struct http_server *unix_http; /* of the option `unix` */
    struct socket_access access;
    uid_t uids[OTLP_SOCKET_USERS_MOST];
    struct ftri_list requests; /* waiting for their outcome */
    bool is_draining;
    uint64_t n_null_numbers;
};

/* A protocol's requests. peer: its exchange or call, gone when it is answered. */
struct otlp_protocol {
    /* The header from *next (0 at first) on, which moves behind it; false: no more. */
    bool (*next_header)(const void *peer, size_t *next, ftr_str *ret_name, ftr_str *ret_value);
    void (*accept)(void *peer, bool is_json, const struct ftri_otlp_partial_success *partial);
    void (*refuse)(void *peer, bool is_json, const char *message); /* for good */
    void (*refuse_retryably)(void *peer, bool is_json, const char *message);
    /* The answer comes later; the peer's going away calls otlp_request_abandon. */
    void (*hold)(void *peer, struct otlp_request *request);
};

/* How a request came. */
struct otlp_arrival {
    const struct otlp_protocol *protocol;
    const struct otlp_signal *signal;
    void *peer;
    bool is_json;
};

/* Whether requests of the signal are taken in at all. */
bool otlp_serves(const struct otlp_state *state, const struct otlp_signal *signal);
/* Takes one Export...ServiceRequest in, or refuses it; it is answered, now or later. Takes over the
 * bytes. */
void otlp_take(struct otlp_state *state, const struct otlp_arrival *arrival,
               struct ftri_bytes *bytes);
/* The peer is gone; its data stays. */
void otlp_request_abandon(struct otlp_request *request);

/* ret: -EACCES for an address that other machines can reach, unless the program allows it. */
int otlp_check_reach(struct node *node, const char *option, const char *address,
                     struct ftri_error *error) FTRI_MUST_CHECK;
/* Where this loop listens: as configured on the first, with the port that the first got on the
 * others. False: not at all, as the address is off, or a Unix socket, which the first has alone.
 * first: where it listens, or NULL. */
bool otlp_listens(const struct node *node, const char *first, const char **address);
/* On the first loop: "otlp/http listening on ...", for the program to print. */
void otlp_announce(struct node *node, const char *protocol, const char *address);

/* Fills state->access. */
int otlp_socket_access(struct otlp_state *state, const struct otlp_options *options,
                       struct ftri_error *error) FTRI_MUST_CHECK;
/* Both of its servers, `http` and `unix`. */
int otlp_http_open(struct otlp_state *state, const struct otlp_options *options,
                   struct ftri_error *error) FTRI_MUST_CHECK;
int otlp_grpc_open(struct otlp_state *state, const struct otlp_options *options,
                   struct ftri_error *error) FTRI_MUST_CHECK;
