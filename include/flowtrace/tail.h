/* SPDX-License-Identifier: Apache-2.0
 *
 * Tail sampling: in FTR_MODE_TAIL every span is recorded, and whether it is exported is decided
 * when its flow has ended, for all spans of the flow at once.
 *
 * A flow is what a trace does in this process. It has ended when a span with no parent here (its
 * local root) has ended, no span of it is open, and nothing of it has come for 100 ms. It is kept
 * when any of the policies below holds. Until then its spans wait in memory; those that come later
 * follow the verdict, as long as it is remembered (one for every 512 bytes of the budget).
 *
 * Of a flow that came from another process, or whose context was written for one (ftr_inject,
 * ftr_current_traceparent, ftr_traceparent_format, ftr_state_text_format), the others have their
 * share: it is exported in any case, and its local root says in the attribute `ftr.tail.vote` what
 * would have become of it here: "keep:<reason>" or "drop". The collector decides. */
#ifndef FLOWTRACE_TAIL_H
#define FLOWTRACE_TAIL_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a flow is kept, the first one that holds; in brackets its name in `ftr.tail.vote`. */
typedef enum ftr_tail_reason {
    FTR_TAIL_ERROR = 0,     /* a span's status is ERROR ("error") */
    FTR_TAIL_DROP = 1,      /* items were dropped: ftr_visit_drop, drop.reason ("drop") */
    FTR_TAIL_LATENCY = 2,   /* a span, or all of the flow, took as long as that ("latency") */
    FTR_TAIL_ATTRIBUTE = 3, /* a span has an attribute that is looked for ("attribute") */
    FTR_TAIL_SHARE = 4,     /* by the randomness of its trace ("share") */
    FTR_TAIL_MODE = 5,      /* it was begun, or had to go, in FTR_MODE_FULL ("mode") */
    FTR_TAIL_CROSSED = 6    /* none of these, but it went from process to process */
} ftr_tail_reason;
enum { FTR_TAIL_REASONS = 8 };

typedef struct ftr_tail_attribute {
    ftr_str key;
    ftr_str value; /* texts as they are, true, false, whole numbers; .data NULL: any value */
} ftr_tail_attribute;

enum { FTR_TAIL_ATTRIBUTES = 32 };

typedef struct ftr_tail_config {
    size_t size; /* sizeof(ftr_tail_config) */
    bool keeps_errors;
    bool keeps_drops;
    uint64_t latency_ns; /* of one span, or from the first start to the last end; 0: no matter */
    const ftr_tail_attribute *attributes; /* any one of them, on any span; copied */
    size_t n_attributes;                  /* at most FTR_TAIL_ATTRIBUTES */
    /* The share of all traces that is kept without a reason, 0 to 1. Consistent: which ones is a
     * matter of their randomness, as for the sampler `probability`, so that all processes keep the
     * same ones, and a head sampler of a smaller share leaves nothing to decide. */
    double share;
    /* 0: the environment's value, else the default. */
    uint64_t max_age_ns; /* 60 s after its first span a flow is decided as it stands */
    size_t budget_bytes; /* 64 MiB for all that waits (64 KiB to 64 GiB); when it is full, the
                            oldest flow is decided, and so is a flow that takes an eighth of it */
} ftr_tail_config;

/* What holds without a configuration and without FLOWTRACE_TAIL_*: errors, drops, what took 5 s or
 * longer, and one flow in a hundred. */
#ifdef __cplusplus
inline ftr_tail_config ftr_tail_config_initial()
{
    ftr_tail_config config = ftr_tail_config();
    config.size = sizeof(ftr_tail_config);
    config.keeps_errors = true;
    config.keeps_drops = true;
    config.latency_ns = 5000000000;
    config.share = 0.01;
    return config;
}
#define FTR_TAIL_CONFIG_INIT (ftr_tail_config_initial())
#else
#define FTR_TAIL_CONFIG_INIT                                                                       \
    ((ftr_tail_config){.size = sizeof(ftr_tail_config),                                            \
                       .keeps_errors = true,                                                       \
                       .keeps_drops = true,                                                        \
                       .latency_ns = UINT64_C(5000000000),                                         \
                       .share = 0.01})
#endif

#ifdef __cplusplus
}
#endif

#endif
