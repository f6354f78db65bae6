/* SPDX-License-Identifier: Apache-2.0 */
#include "api/envelope.h"

#include "api/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_LIMIT_BYTES = 512 << 20, ERRORS_LIMIT_BYTES = 16 << 20 };

void envelope_init(struct envelope *self)
{
    *self = (struct envelope){0};
    ftri_bytes_init(&self->out, ANSWER_LIMIT_BYTES);
    ftri_bytes_init(&self->error_bytes, ERRORS_LIMIT_BYTES);
    ftri_json_writer_init(&self->json, &self->out);
    ftri_json_writer_init(&self->errors, &self->error_bytes);
    ftri_json_begin_object(&self->json);
    ftri_json_name(&self->json, FTR_STR("data"));
    ftri_json_begin_array(&self->errors);
}

void envelope_error(struct envelope *self, int code, const char *message, const uint8_t *trace_id)
{
    struct ftri_json_writer *const json = &self->errors;
    ftri_json_begin_object(json);
    if (code) {
        ftri_json_name(json, FTR_STR("code"));
        ftri_json_i64(json, code);
    }
    ftri_json_name(json, FTR_STR("msg"));
    ftri_json_str(json, ftr_str_from(message));
    if (trace_id) {
        ftri_json_name(json, FTR_STR("traceID"));
        ftri_json_hex(json, ftri_view_of(trace_id, 16));
    }
    ftri_json_end_object(json);
    self->n_errors++;
}

static void write_rest(struct envelope *self)
{
    struct ftri_json_writer *const json = &self->json;
    ftri_json_end_array(&self->errors);
    ftri_json_name(json, FTR_STR("total"));
    ftri_json_u64(json, self->total);
    ftri_json_name(json, FTR_STR("limit"));
    ftri_json_u64(json, 0);
    ftri_json_name(json, FTR_STR("offset"));
    ftri_json_u64(json, 0);
    ftri_json_name(json, FTR_STR("errors"));
    if (self->n_errors)
        ftri_json_raw(json, ftri_view_str(ftri_bytes_view(&self->error_bytes)));
    else
        ftri_json_null(json);
    ftri_json_end_object(json);
}

void envelope_deinit(struct envelope *self)
{
    ftri_bytes_deinit(&self->out);
    ftri_bytes_deinit(&self->error_bytes);
}

static void refuse_failure(struct http_exchange *exchange, int r)
{
    if (r == -EMSGSIZE)
        envelope_refuse(exchange, 413, "the answer is larger than %d MiB; ask for fewer traces",
                        ANSWER_LIMIT_BYTES >> 20);
    else
        envelope_refuse(exchange, 500, "reading the store: %s", strerror(-r));
}

void envelope_send(struct envelope *self, struct http_exchange *exchange, int r)
{
    write_rest(self);
    if (r == 0)
        r = ftri_json_writer_status(&self->errors);
    if (r == 0)
        r = ftri_json_writer_status(&self->json);
    if (r == 0)
        reply_json(exchange, 200, ftri_bytes_view(&self->out));
    else
        refuse_failure(exchange, r);
    envelope_deinit(self);
}

void envelope_refuse(struct http_exchange *exchange, int status, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct envelope self;
    envelope_init(&self);
    ftri_json_null(&self.json);
    envelope_error(&self, status, message, NULL);
    write_rest(&self);
    if (ftri_json_writer_status(&self.json) < 0 || ftri_json_writer_status(&self.errors) < 0)
        http_exchange_fail(exchange);
    reply_json(exchange, status, ftri_bytes_view(&self.out));
    envelope_deinit(&self);
}
