/* SPDX-License-Identifier: Apache-2.0
 *
 * One try to deliver a body: the request that the protocol wants, and how its end is to be taken.
 * What runs the request is the caller's: a session that blocks, or a client. */
#pragma once

#include "export/grpc_client.h"
#include "export/otlp_settings.h"

struct ftri_http_request;
struct ftri_otlp_body;
struct ftri_otlp_verdict;

enum { FTRI_OTLP_ANSWER_BYTES = 4 << 20 }; /* more is refused */
enum { FTRI_OTLP_CALL_HEADERS = FTRI_OTLP_MAX_HEADERS + 8 };

/* Points into itself and the settings; must not move while it is in use. */
struct ftri_otlp_call {
    const struct ftri_otlp_settings *settings;
    struct ftri_grpc_head head; /* of the answer */
    char timeout[32];           /* a gRPC header */
    const char *headers[FTRI_OTLP_CALL_HEADERS];
    size_t n_headers; /* the same for all calls */
};

void ftri_otlp_call_init(struct ftri_otlp_call *self, const struct ftri_otlp_settings *settings);
/* One header more from now on, "Name: value", borrowed, in the place of the last such one. */
void ftri_otlp_call_set_header(struct ftri_otlp_call *self, const char *line);
/* The request points into self until it is judged. */
void ftri_otlp_call_begin(struct ftri_otlp_call *self, const struct ftri_otlp_body *body,
                          uint64_t timeout_ns, struct ftri_http_request *ret_request);
/* result: what running the request returned. unpacked: room for a packed answer, of the limit
 * above. */
void ftri_otlp_call_judge(const struct ftri_otlp_call *self, int result,
                          const struct ftri_http_answer *answer, struct ftri_bytes *unpacked,
                          struct ftri_otlp_verdict *ret_verdict);
