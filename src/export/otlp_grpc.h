/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of one unary gRPC call (gRPC over HTTP2): the prefix of messages, and how an
 * answer and its trailers are to be taken. Sans-I/O. */
#pragma once

#include "base/bytes.h"

struct ftri_http_answer;
struct ftri_otlp_verdict;

enum { FTRI_GRPC_PREFIX_BYTES = 5, FTRI_GRPC_TEXT_BYTES = 512, FTRI_GRPC_DETAILS_BYTES = 8192 };

/* What headers and trailers say; together in a Trailers-Only answer. */
struct ftri_grpc_head {
    int status; /* -1: there was none */
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
/* unpacked is room for a compressed answer, its limit the answer's. 0; -EMSGSIZE: beyond it;
 * -ENOMEM. */
int ftri_grpc_judge(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer,
                    struct ftri_bytes *unpacked,
                    struct ftri_otlp_verdict *ret_verdict) FTRI_MUST_CHECK;
