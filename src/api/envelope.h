/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of Jaeger's legacy API: {"data":..,"total":n,"limit":0,"offset":0,"errors":null or
 * [{"code":..,"msg":..,"traceID":..}]}. API's thread. */
#pragma once

#include "codec/json_writer.h"

struct http_exchange;

struct envelope {
    struct ftri_bytes out, error_bytes;
    struct ftri_json_writer json; /* the value of data goes here, once */
    struct ftri_json_writer errors;
    size_t n_errors;
    size_t total; /* of data's elements */
};

void envelope_init(struct envelope *self);
/* Without an answer; envelope_send does it otherwise. */
void envelope_deinit(struct envelope *self);
/* An error beside data. code: 0: none; trace_id: NULL: none. */
void envelope_error(struct envelope *self, int code, const char *message, const uint8_t *trace_id);
/* Answers 200, or 500 (413) when r or the writing failed. Frees self. */
void envelope_send(struct envelope *self, struct http_exchange *exchange, int r);

/* Answers with an error alone. */
void envelope_refuse(struct http_exchange *exchange, int status, const char *format, ...)
    FTRI_PRINTF(3, 4);
