/* SPDX-License-Identifier: Apache-2.0
 *
 * The call jaeger.api_v2.SamplingManager/GetSamplingStrategy (jaeger-idl, sampling.proto), again
 * and again for one service over one connection. One thread at a time, but for cancelling. */
#pragma once

#include "base/bytes.h"
#include "export/grpc_client.h"

struct ftri_error;
struct ftri_http_session;

enum { FTRI_JAEGER_ANSWER_BYTES = 4 << 20, FTRI_JAEGER_CALL_HEADERS = 6 };

/* Points into itself; must not move. */
struct ftri_jaeger_call {
    struct ftri_http_session *session;
    struct ftri_grpc_head head;
    uint8_t prefix[FTRI_GRPC_PREFIX_BYTES];
    char timeout[32]; /* a header */
    const char *headers[FTRI_JAEGER_CALL_HEADERS];
    struct ftri_bytes url;
    struct ftri_bytes request;
    struct ftri_bytes answer;
    struct ftri_bytes unpacked;
};

/* endpoint: http://host:port or https://host:port. 0, -ENOMEM, -EMSGSIZE: the service's name is
 * longer than any. */
int ftri_jaeger_call_init(struct ftri_jaeger_call *self, const char *endpoint,
                          ftr_str service) FTRI_MUST_CHECK;
void ftri_jaeger_call_deinit(struct ftri_jaeger_call *self);
/* Blocks for up to ten seconds. 0 with the answer's message, borrowed until the next call;
 * -ECANCELED; or below 0 with error. */
int ftri_jaeger_call_run(struct ftri_jaeger_call *self, struct ftri_view *ret_message,
                         struct ftri_error *error) FTRI_MUST_CHECK;
/* Any thread: run ends within a second or so, and from then on at once. */
void ftri_jaeger_call_cancel(struct ftri_jaeger_call *self);
