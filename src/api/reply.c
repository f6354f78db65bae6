/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reply.h"

#include "codec/json_writer.h"

#include <stdarg.h>
#include <stdio.h>

void reply_json(struct http_exchange *exchange, int status, struct ftri_view json)
{
    reply_typed(exchange, status, "application/json", json);
}

void reply_typed(struct http_exchange *exchange, int status, const char *type,
                 struct ftri_view body)
{
    http_exchange_set_header(exchange, "Cache-Control", "no-store");
    http_exchange_set_header(exchange, "X-Content-Type-Options", "nosniff");
    http_exchange_send(exchange, status, type, body);
}

void reply_error(struct http_exchange *exchange, int status, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct ftri_bytes body;
    ftri_bytes_init(&body, 8192);
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, &body);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("error"));
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("httpCode"));
    ftri_json_i64(&json, status);
    ftri_json_name(&json, FTR_STR("message"));
    ftri_json_str(&json, ftr_str_from(message));
    ftri_json_end_object(&json);
    ftri_json_end_object(&json);
    if (ftri_json_writer_status(&json) < 0)
        http_exchange_fail(exchange);
    reply_json(exchange, status, ftri_bytes_view(&body));
    ftri_bytes_deinit(&body);
}
