/* SPDX-License-Identifier: Apache-2.0
 *
 * What the three parts of the HTTP server share: server (connections), connection (bytes, phases,
 * timeouts) and exchange (request and answer). Private to net/http_*.c. The server owns its
 * connections, a connection owns its at most one exchange. All on the loop's thread. */
#pragma once

#include "base/list.h"
#include "net/http1.h"
#include "net/http_server.h"
#include "net/peers.h"

struct bufferevent;
struct event;
struct ftri_decoder;
struct listener;

struct http_server {
    struct loop *loop;
    struct http_limits limits;
    struct http_handler handler;
    struct listener *listener;
    struct ftri_list connections; /* struct http_connection.entry */
    size_t n_connections;
    struct peers peers;
    size_t body_bytes; /* of all exchanges: capacity of bodies, and decoders */
    bool is_draining;
};

enum http_phase {
    HTTP_PHASE_IDLE,   /* between requests */
    HTTP_PHASE_HEAD,   /* a request has begun */
    HTTP_PHASE_BODY,   /* its body is being read */
    HTTP_PHASE_ANSWER, /* the handler holds the exchange; nothing is read */
    HTTP_PHASE_FLUSH,  /* the last answer is being written; nothing is read */
    HTTP_PHASE_LINGER  /* our side is closed; what the peer still sends is dropped */
};

struct http_connection {
    struct ftri_list entry;
    struct http_server *server;
    struct peer *peer;
    struct bufferevent *stream;
    struct event *flushed;     /* ends a connection that has nothing to write */
    struct event *peer_closed; /* watched while nothing is read */
    struct loop_timer *timer;  /* of the phase */
    struct http_exchange *exchange;
    uint64_t body_begun_ns; /* when its body was first waited for */
    enum http_phase phase;
    bool peer_ended; /* the peer sends no more */
    struct http1_parser parser;
    struct http1_field *fields;
    char *room;
};

struct http_exchange {
    struct http_connection *connection;
    const struct http1_head *head; /* of the connection's parser */
    struct ftri_bytes path;        /* decoded */
    ftr_str query;
    struct ftri_bytes body;
    uint64_t n_received;          /* of the body, still packed */
    struct ftri_decoder *decoder; /* NULL: the body is not compressed */
    size_t held_bytes;            /* counted in the server: body and decoder */
    struct ftri_bytes fields;     /* of the answer, complete lines */
    bool has_failed;              /* the answer is a 500, whatever the handler says */
    bool must_close;              /* the rest of the request is not worth reading */
    bool is_refusal;
    void *data;
    void (*on_abandoned)(void *argument, struct http_exchange *exchange);
};

/* Takes over fd and the peer's place; gives both back when memory is short. */
void http_connection_open(struct http_server *server, int fd, struct peer *peer);
/* Abandons its exchange and tells the server. */
void http_connection_free(struct http_connection *self);
/* Ends a connection that is not in the middle of an exchange. */
void http_connection_drain(struct http_connection *self);
/* The answer is in the output: the exchange is over. keep: another request may follow. */
void http_connection_answered(struct http_connection *self, bool keep);

void http_server_forget(struct http_server *self, struct http_connection *connection);

/* NULL when memory is short. The head may be incomplete (is_refusal). */
struct http_exchange *http_exchange_new(struct http_connection *connection) FTRI_MUST_CHECK;
void http_exchange_free(struct http_exchange *self);
/* 0, or the status with which the request must be refused, and why. */
int http_exchange_begin(struct http_exchange *self, const char **ret_reason) FTRI_MUST_CHECK;
int http_exchange_take(struct http_exchange *self, struct ftri_view piece,
                       const char **ret_reason) FTRI_MUST_CHECK;
int http_exchange_end(struct http_exchange *self, const char **ret_reason) FTRI_MUST_CHECK;
