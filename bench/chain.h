/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph from YAML: a receiver that sends one sealed payload over and over, processors of the
 * collector's own (processor/memory_limiter), exporter/noop. The receiver watches each batch: all
 * have to be settled well, in the order of sending, and the accounts have to balance; else the
 * program ends. One thread. */
#pragma once

#include <stddef.h>

enum chain_origin {
    CHAIN_UNSAMPLED, /* the flow was decided against where it began */
    CHAIN_SAMPLED
};

struct chain;

struct chain *chain_new(size_t n_processors);
void chain_free(struct chain *self);
/* Sends n batches; returns when all are settled. Not inlined: callgrind counts within it. */
void chain_run(struct chain *self, size_t n, enum chain_origin origin);
/* Drains, and checks that what was sent arrived. */
void chain_check(struct chain *self);
