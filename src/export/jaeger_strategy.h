/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server of Jaeger's remote sampling wants to have sampled: jaeger.api_v2's
 * SamplingStrategyResponse (jaeger-idl, sampling.proto), in the form that decides. It is one ratio,
 * one rate, or ratios by operation (the span's name) with a least rate that each operation has
 * whatever its ratio, as in Jaeger's clients. Sans-I/O.
 *
 * Only what is counted changes: any thread decides, without a lock and without memory.
 *
 * Names are known by 64 bits of a keyed hash; two that agree in them are taken for one. */
#pragma once

#include "base/bytes.h"

struct ftri_error;
struct ftri_jaeger_strategy;

enum {
    FTRI_JAEGER_LISTED_MAX = 4096,  /* operations in an answer; more are refused */
    FTRI_JAEGER_UNLISTED_MAX = 2000 /* others that have a least rate each, as Jaeger's clients;
                                       those beyond have the ratio alone */
};

/* One ratio. NULL: memory is short. */
struct ftri_jaeger_strategy *ftri_jaeger_strategy_new(double ratio) FTRI_MUST_CHECK;
void ftri_jaeger_strategy_free(struct ftri_jaeger_strategy *self);
/* What an answer says, in place of `before`: rates that stay the same go on where they are. 0;
 * FTRI_JAEGER_SAME: the very answer that `before` came from, and nothing is new; -EBADMSG, -EINVAL,
 * -ENOMEM with error. */
enum { FTRI_JAEGER_SAME = 1 };
int ftri_jaeger_strategy_read(struct ftri_view answer, const struct ftri_jaeger_strategy *before,
                              struct ftri_jaeger_strategy **ret_self,
                              struct ftri_error *error) FTRI_MUST_CHECK;
/* now_ns: CLOCK_MONOTONIC. */
bool ftri_jaeger_strategy_takes(struct ftri_jaeger_strategy *self, ftr_str operation,
                                const ftr_trace_id *trace_id, uint64_t now_ns);
