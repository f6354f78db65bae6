/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of one unary gRPC call (gRPC over HTTP2): the prefix of messages, and what an
 * answer with its headers and trailers says. Sans-I/O. */
#pragma once

#include "base/bytes.h"

struct ftri_http_answer;

enum { FTRI_GRPC_PREFIX_BYTES = 5, FTRI_GRPC_TEXT_BYTES = 512, FTRI_GRPC_DETAILS_BYTES = 8192 };

/* The statuses that are asked for by name (grpc/doc/statuscodes.md); the others lie between. */
enum { FTRI_GRPC_CUT_OFF = -1, FTRI_GRPC_OK = 0, FTRI_GRPC_N_STATUSES = 17 };

/* What headers and trailers say; together in a Trailers-Only answer. */
struct ftri_grpc_head {
    int status; /* FTRI_GRPC_CUT_OFF: there was none */
    bool is_grpc;
    bool is_gzip;
    char text[FTRI_GRPC_TEXT_BYTES];
    size_t text_len;
    uint8_t details[FTRI_GRPC_DETAILS_BYTES]; /* a google.rpc.Status */
    size_t details_len;
};

void ftri_grpc_write_prefix(uint8_t prefix[FTRI_GRPC_PREFIX_BYTES], bool is_compressed, size_t len);
/* "grpc-timeout: 900m" */
void ftri_grpc_format_timeout(uint64_t timeout_ns, char *ret_text, size_t room);

void ftri_grpc_head_init(struct ftri_grpc_head *self);
/* argument: a struct ftri_grpc_head. */
void ftri_grpc_head_take(void *argument, ftr_str name, ftr_str value);

/* Whether it was a gRPC server that answered. */
bool ftri_grpc_is_answer(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer);
/* How the call ended: 0 to FTRI_GRPC_N_STATUSES - 1, by the trailers, or what stands for the HTTP
 * status where no gRPC server answered; FTRI_GRPC_CUT_OFF: the answer ended before it said. */
int ftri_grpc_status(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer);
/* "UNAVAILABLE"; not for FTRI_GRPC_CUT_OFF. */
const char *ftri_grpc_status_name(int status);
/* The one message of the answer's body, in there or in `unpacked`, whose limit is the answer's. 0;
 * -EBADMSG: there is none that can be read; -EMSGSIZE: beyond the limit; -ENOMEM. */
int ftri_grpc_message(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer,
                      struct ftri_bytes *unpacked, struct ftri_view *ret_message) FTRI_MUST_CHECK;
