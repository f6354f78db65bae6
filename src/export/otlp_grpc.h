/* SPDX-License-Identifier: Apache-2.0
 *
 * How a gRPC answer to a batch is to be taken (OTLP specification, "OTLP/gRPC Response").
 * Sans-I/O. */
#pragma once

#include "base/check.h"

struct ftri_bytes;
struct ftri_grpc_head;
struct ftri_http_answer;
struct ftri_otlp_verdict;

/* unpacked is room for a compressed answer, its limit the answer's. 0; -EMSGSIZE: beyond it;
 * -ENOMEM. */
int ftri_grpc_judge(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer,
                    struct ftri_bytes *unpacked,
                    struct ftri_otlp_verdict *ret_verdict) FTRI_MUST_CHECK;
