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
