/* SPDX-License-Identifier: Apache-2.0
 *
 * Outgoing HTTP on libcurl: the only module that includes it. Redirects are not followed, proxies
 * are not used for loopback, answers are capped, no signals.
 *
 * Two ways: an ftri_http_session blocks the calling thread until the answer or the timeout and
 * keeps its connection for the next call; an ftri_http_client runs many requests on a thread of
 * its own and hands the answers back on the user's thread. */
#pragma once

#include "base/bytes.h"

struct ftri_http_client;
struct ftri_http_session;

struct ftri_http_request {
    const char *method;         /* "GET", "POST", "PUT" */
    const char *url;            /* http, https */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    struct ftri_view body;      /* borrowed until the answer, */
    struct ftri_view body_head; /* as what stands before it, HTTP/2 only */
    uint64_t timeout_ns;
    bool is_http2;   /* and nothing else: by prior knowledge, over TLS by ALPN */
    bool takes_gzip; /* the answer may come compressed; its limit is for what is unpacked */
    /* Each header and trailer of the answer, borrowed; may be NULL. */
    void (*on_header)(void *argument, ftr_str name, ftr_str value);
    void *header_argument;
    /* NULL: none, or libcurl's default. */
    const char *unix_socket;        /* path to connect to instead of the URL's host */
    const char *ca_file;            /* PEM */
    const char *client_certificate; /* PEM */
    const char *client_key;         /* PEM */
};

struct ftri_http_answer {
    int status; /* 0: no answer; error says why */
    int result; /* of a client's request: as ftri_http_session_call returns it */
    char error[256];
    uint64_t retry_after_ns; /* 0: the server did not ask for a delay */
    struct ftri_view body;   /* borrowed for the call or until the caller's buffer changes */
};

/* One thread at a time. NULL when memory is short. A forked child may go on with its copy: it opens
 * connections of its own and leaves the parent's alone. */
struct ftri_http_session *ftri_http_session_new(void) FTRI_MUST_CHECK;
void ftri_http_session_free(struct ftri_http_session *self);
/* Blocks. Of a request like the session's last, its method, url, unix_socket and files at the same
 * addresses, only headers, body and timeout are read again. The body is appended to ret_body, whose
 * limit caps it (beyond: -EMSGSIZE). 0 also for error statuses; -ENOMEM, -ETIMEDOUT, -ECONNREFUSED,
 * -EMSGSIZE, -EINVAL (the URL or a file), -EACCES (the server's certificate), -EPROTO (not HTTP/2),
 * -EIO with answer->error and status 0; -ECANCELED: the process is ending, or it was cancelled. */
int ftri_http_session_call(struct ftri_http_session *self, const struct ftri_http_request *request,
                           struct ftri_bytes *ret_body,
                           struct ftri_http_answer *ret_answer) FTRI_MUST_CHECK;
/* Any thread: a call that is under way ends within a second or so, and later ones at once, with
 * some error. */
void ftri_http_session_cancel(struct ftri_http_session *self);

/* wake is called on the client's thread when answers wait to be collected. 0, -ENOMEM, or why there
 * is no thread. */
int ftri_http_client_new(size_t max_in_flight, size_t answer_limit_bytes,
                         void (*wake)(void *argument), void *argument,
                         struct ftri_http_client **ret_client) FTRI_MUST_CHECK;
/* Aborts what is in flight without calling back. NULL is fine. */
void ftri_http_client_free(struct ftri_http_client *self);
/* Strings of the request are copied, its body is borrowed until the answer. -EAGAIN: max_in_flight
 * are under way. */
int ftri_http_client_send(struct ftri_http_client *self, const struct ftri_http_request *request,
                          void (*done)(void *argument, const struct ftri_http_answer *answer),
                          void *argument) FTRI_MUST_CHECK;
/* Runs `done` for every finished request, on this thread; returns how many. */
size_t ftri_http_client_collect(struct ftri_http_client *self);
