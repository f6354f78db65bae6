/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 server (RFC 9110, RFC 9112) on bufferevents over our own strict parser (net/http1.h).
 *
 * A request is handed over when its headers are read (on_request decides whether and how much body
 * may come), again when its body is complete (on_body), and is answered once, now or later, from
 * the loop's thread. Bodies arrive decoded from chunks and gzip, deflate or zstd into one buffer
 * bounded by what on_request allowed. Pipelined requests wait. A peer that goes away turns the
 * answer into a no-op. Everything belongs to the loop's thread. */
#pragma once

#include "base/bytes.h"

struct ftri_error;
struct http_server;
struct loop;
struct socket_access;
struct http_exchange; /* one request and its answer */

struct http_limits {
    size_t header_bytes;        /* all fields together: 16 KiB -> 431 */
    size_t n_headers;           /* 100 -> 431 */
    size_t target_bytes;        /* 8 KiB -> 414 */
    size_t body_bytes;          /* packed and unpacked: 64 MiB -> 413 */
    size_t all_bodies_bytes;    /* bodies being received or held, together: 256 MiB -> 503 */
    size_t connections;         /* 1024; beyond it accepting pauses */
    size_t connections_per_ip;  /* 1024; beyond it closed at once */
    size_t body_rate;           /* bytes a second, 1024: less, after a first body timeout -> 408 */
    uint64_t header_timeout_ns; /* 10 s, all of the head -> 408 */
    uint64_t body_timeout_ns;   /* 30 s without progress, in either direction -> 408 */
    uint64_t idle_timeout_ns;   /* 60 s between requests */
};

/* The defaults named above. */
void http_limits_default(struct http_limits *ret_limits);

struct http_handler {
    /* Headers are complete. May answer at once (then no body is read); else the body follows, and
     * after it on_body, or on_refusal, or the abandoned callback: exactly one of them. */
    void (*on_request)(void *argument, struct http_exchange *exchange);
    /* The whole body is there; http_exchange_body. Must answer now or later. */
    void (*on_body)(void *argument, struct http_exchange *exchange);
    /* The server itself is about to refuse (400, 408, 413, 415, 431, ...): the handler may answer
     * in its own format with this status and reason; NULL or no answer: text/plain. Method, path
     * and fields are empty when the head itself was refused. */
    void (*on_refusal)(void *argument, struct http_exchange *exchange, int status,
                       const char *reason);
    void *argument;
};

struct http_server_options {
    const char *address; /* as net/listener.h says; port 0 picks one */
    struct http_limits limits;
    struct http_handler handler;
    const struct socket_access *access; /* of a Unix socket; NULL: the default */
    bool is_shared, is_first;           /* as in listener_options */
};

int http_server_open(struct loop *loop, const struct http_server_options *options,
                     struct http_server **ret_server, struct ftri_error *error) FTRI_MUST_CHECK;
/* "127.0.0.1:4318" with the real port. */
const char *http_server_address(const struct http_server *self);
/* No new connections or requests; open exchanges may still be answered. */
void http_server_drain(struct http_server *self);
/* Connections still open; a drained server is done when there are none. */
size_t http_server_n_connections(const struct http_server *self);
/* Closes everything; unanswered exchanges are abandoned. Not from a handler. NULL is fine. */
void http_server_close(struct http_server *self);

/* Request. Borrowed until the answer. */
ftr_str http_exchange_method(const struct http_exchange *self);
ftr_str http_exchange_path(const struct http_exchange *self);  /* percent-decoded, no query */
ftr_str http_exchange_query(const struct http_exchange *self); /* raw, after '?' */
/* Whom the request was for: Host, or the authority of an absolute target. May be empty. */
ftr_str http_exchange_authority(const struct http_exchange *self);
/* Field by name, case-insensitive; .data NULL when absent; first of several. */
ftr_str http_exchange_header(const struct http_exchange *self, const char *name);
/* The nth field (from 0) as it was received; false: there are not so many. */
bool http_exchange_field(const struct http_exchange *self, size_t nth, ftr_str *ret_name,
                         ftr_str *ret_value);
/* One parameter of the query, decoded into out (reset first): true if present. When memory is short
 * the exchange fails: nobody answers as if the parameter were absent. */
bool http_exchange_parameter(struct http_exchange *self, const char *name, struct ftri_bytes *out);
struct ftri_view http_exchange_body(const struct http_exchange *self);
/* Moves the body out to the caller (deinit it). */
struct ftri_bytes http_exchange_take_body(struct http_exchange *self);
/* The caller's pointer, for answers that come later. */
void http_exchange_set_data(struct http_exchange *self, void *data);
void *http_exchange_data(const struct http_exchange *self);

/* Answer. Header first (any number), then send exactly once; the exchange is gone afterwards. A
 * header that is malformed or does not fit turns the answer into a 500. Framing (Content-Length,
 * Connection) is the server's. */
void http_exchange_set_header(struct http_exchange *self, const char *name, const char *value);
/* Memory was short: the answer to come is a 500 without a body, whatever it says. */
void http_exchange_fail(struct http_exchange *self);
/* content_type may be NULL. The body is copied. */
void http_exchange_send(struct http_exchange *self, int status, const char *content_type,
                        struct ftri_view body);

/* An exchange that is answered later is held by the server. If its peer goes away first (also by
 * closing its sending side only) the server calls this (if set), with the handler's argument, and
 * the exchange is gone: the handler must forget it. */
void http_exchange_on_abandoned(struct http_exchange *self,
                                void (*callback)(void *argument, struct http_exchange *exchange));
