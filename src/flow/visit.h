/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies in the 128 bytes of an ftr_visit. Without a node (all-zero, off, ended) every function
 * is a no-op, whatever the other bytes are. Otherwise the visit is in one of two states:
 *   recording   its span records;
 *   waiting     its span does not (unsampled, or no room): it only carries the context on, and
 *               remembers its arrival in case a sampled contributor comes later.
 * One thread at a time; holds no pointer to itself, so it may be moved bytewise. Owns fan_in. */
#pragma once

#include "flow/fan_in.h"
#include "flow/node.h"

/* So many hops make a trace; the next visit continues in a new one. */
enum { FTRI_TRACE_HOPS = 256 };

struct visit {
    const ftr_node *node; /* NULL: nothing is recorded */
    ftr_span span;
    struct ftri_fan_in *fan_in; /* NULL up to one sampled contributor */
    ftr_trace_id parent_trace;  /* of the first sampled contributor, else of the first */
    ftr_span_id parent_span;
    uint32_t n_inputs;
    uint32_t n_hops;
    uint32_t n_attempt;
    uint8_t signal;
    uint8_t parent_flags;
    bool is_recording;
    bool has_parent;           /* the contributor above is the parent, or linked as continued */
    uint64_t working_since_ns; /* CLOCK_MONOTONIC; 0: paused */
    uint64_t work_ns;          /* up to the last pause */
    union {
        struct {
            uint64_t blocked_ns;
            uint64_t n_dropped_items;
            uint64_t n_missed; /* sampled contributors for which memory was short */
            uint32_t n_emits;
        } recording;
        struct {
            uint64_t start_ns; /* CLOCK_MONOTONIC */
            uint64_t n_items;
            uint64_t n_bytes;
            uint64_t wait_ns; /* UINT64_MAX: unknown */
            uint32_t queue_depth;
            uint32_t queue_capacity;
        } waiting;
    } as;
} __attribute__((may_alias)); /* the storage is declared as words */

_Static_assert(sizeof(struct visit) <= sizeof(ftr_visit), "a visit fits into its storage");

static inline struct visit *visit_of(ftr_visit *visit)
{
    return (struct visit *)visit->opaque;
}

/* Of a visit that records on this thread; NULL: it does not. */
static inline struct ftri_slot *visit_slot(const struct visit *self)
{
    return self->is_recording ? ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], self->span) : NULL;
}

static inline bool visit_context_is_sampled(const ftr_context *context)
{
    return (context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) &&
           ftr_span_id_is_valid(&context->span.span_id) &&
           ftr_trace_id_is_valid(&context->span.trace_id);
}

/* Counts are signed in attributes. */
static inline int64_t visit_limited(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static inline ftr_value visit_value_ms(uint64_t ns)
{
    return ftr_value_f64((double)ns / 1e6);
}
