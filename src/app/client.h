/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands' side of the HTTP API. */
#pragma once

#include "base/bytes.h"

struct ftri_error;

#define CLIENT_SERVER_SENTENCE                                                                     \
    "The collector's API, default $FLOWTRACE_SERVER or http://127.0.0.1:16686."

/* --server, else $FLOWTRACE_SERVER, else http://127.0.0.1:16686. */
const char *client_server(const char *chosen);

/* The bytes of a member's value on the document's first level; empty if absent. */
struct ftri_view client_find_member(struct ftri_view json, const char *name);

/* GET server + path: the body of an answer with status 200. A failure, with what to do next, is
 * told on stderr. Returns the exit status. */
int client_fetch(const char *server, const char *path, struct ftri_bytes *ret_body) FTRI_MUST_CHECK;

/* GET server + path. Returns the checked OTLP bytes of {"result": ...}; error says what to do
 * next. -ENOENT: the server has no such trace. */
int client_get_traces(const char *server, const char *path, struct ftri_bytes *ret_otlp,
                      struct ftri_error *error) FTRI_MUST_CHECK;
/* GET server + path. Calls back for each element of {"result": [...]}, as JSON text, borrowed;
 * stops at the first result below 0. Errors as above. */
int client_get_list(const char *server, const char *path,
                    int (*each)(void *argument, ftr_str element), void *argument,
                    struct ftri_error *error) FTRI_MUST_CHECK;
/* Percent-encodes for a query string. */
int client_append_escaped(struct ftri_bytes *out, const char *text) FTRI_MUST_CHECK;
