/* SPDX-License-Identifier: Apache-2.0
 *
 * One request on one libcurl easy handle. Private to export/http_*.c. */
#pragma once

#include "export/http_client.h"

#include <curl/curl.h>

struct ftri_http_transfer {
    CURL *easy;
    struct curl_slist *headers;
    size_t upload_bytes;        /* of libcurl's buffer */
    struct ftri_view pieces[2]; /* HTTP/2: the body's head and its rest, */
    size_t n_sent;              /* and how much of both libcurl has */
    struct ftri_bytes *answer_body;
    void (*on_header)(void *argument, ftr_str name, ftr_str value);
    void *header_argument;
    bool is_http2;
    curl_socket_t *socket; /* NULL: frames leave one by one */
    bool is_held;
    int write_result; /* of the last append to answer_body */
    char error[CURL_ERROR_SIZE];
};

/* libcurl 7.88 puts HTTP/2 into a connection that has it already when the request asks for it by
 * prior knowledge again, and fails (curl issue 10634). */
bool ftri_http_reuse_is_broken(void);

/* Once in the process; false: libcurl cannot start. */
bool ftri_http_start_curl(void) FTRI_MUST_CHECK;

/* Configures easy (reset first, connections stay). What the request points to but url and headers
 * is borrowed until the transfer ends; self must not move. */
int ftri_http_transfer_init(struct ftri_http_transfer *self, CURL *easy,
                            const struct ftri_http_request *request,
                            struct ftri_bytes *answer_body) FTRI_MUST_CHECK;
/* Prepares the next request like the one before: of this one, only headers, body and timeout count.
 */
int ftri_http_transfer_init_next(struct ftri_http_transfer *self,
                                 const struct ftri_http_request *request,
                                 struct ftri_bytes *answer_body) FTRI_MUST_CHECK;
/* Before it is performed, over cleartext HTTP/2: ask for HTTP/2 without prior knowledge, and fail
 * with CURLE_ABORTED_BY_CALLBACK where no connection is left to reuse. */
int ftri_http_transfer_reuse(struct ftri_http_transfer *self) FTRI_MUST_CHECK;
/* HTTP/2: libcurl hands each frame of 16 KiB to the system on its own; those of one reading are
 * held back in the socket and leave together, when libcurl is about to wait. *socket is the
 * connection made last, CURL_SOCKET_BAD at first; it outlives the connections that libcurl keeps.
 */
int ftri_http_transfer_hold(struct ftri_http_transfer *self, curl_socket_t *socket) FTRI_MUST_CHECK;
/* The easy handle stays the caller's. */
void ftri_http_transfer_deinit(struct ftri_http_transfer *self);
/* What came of it: 0 or a negated errno as ftri_http_session_call; fills all of ret_answer. */
int ftri_http_transfer_finish(struct ftri_http_transfer *self, CURLcode code,
                              struct ftri_http_answer *ret_answer);
