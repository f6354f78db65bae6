/* SPDX-License-Identifier: Apache-2.0
 *
 * How the API answers. */
#pragma once

#include "net/http_server.h"

/* Borrowed JSON. */
void reply_json(struct http_exchange *exchange, int status, struct ftri_view json);
void reply_typed(struct http_exchange *exchange, int status, const char *type,
                 struct ftri_view body);
/* Jaeger's v3 form: {"error":{"httpCode":404,"message":"..."}}. */
void reply_error(struct http_exchange *exchange, int status, const char *format, ...)
    FTRI_PRINTF(3, 4);
