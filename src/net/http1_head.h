/* SPDX-License-Identifier: Apache-2.0
 *
 * What the lines of a request's head mean (RFC 9112 3, 5, 6; RFC 9110 5, 7.2, 8.6, 10.1.1).
 * Private to the parser in net/http1.c. */
#pragma once

#include "net/http1.h"

enum {
    HTTP1_LINE_DONE,
    HTTP1_LINE_HEAD,   /* it was the line that ends the head */
    HTTP1_LINE_REFUSED /* http1_refuse was called */
};

/* Always HTTP1_LINE_REFUSED. */
int http1_refuse(struct http1_parser *self, int status, const char *reason);

int http1_head_request_line(struct http1_parser *self, ftr_str line);
int http1_head_field(struct http1_parser *self, ftr_str line, struct http1_field *ret_field);
/* All fields are there: framing, Host, Connection, Expect. */
int http1_head_finish(struct http1_parser *self);
