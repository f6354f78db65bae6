/* SPDX-License-Identifier: Apache-2.0
 *
 * The samplers that have a name: what they decide about a local root, that is, a span with no
 * parent or a remote one. Changed by its rate limit only; any thread.
 * OpenTelemetry specification: trace SDK, "Built-in samplers"; "TraceState: Probability Sampling".
 *
 * Decisions are about whole traces: they depend on the trace's id and its tracestate, on the parent
 * and on the limit, not on the span. */
#pragma once

#include "sampling/rate_limit.h"

#include <flowtrace/types.h>

enum ftri_sampler_kind {
    FTRI_SAMPLER_ON,
    FTRI_SAMPLER_OFF,
    FTRI_SAMPLER_RATIO,       /* TraceIdRatioBased */
    FTRI_SAMPLER_PROBABILITY, /* ProbabilitySampler: writes th */
    FTRI_SAMPLER_CUSTOM       /* somebody else decides; the limit holds for it, too */
};

struct ftri_sampler {
    const char *name;     /* static */
    double value;         /* of the argument: a ratio or a rate; below 0: it takes none */
    uint8_t kind;         /* enum ftri_sampler_kind */
    uint8_t argument;     /* what its argument is, see sampler.c */
    bool is_parent_based; /* a remote parent's flag decides where there is one */
    bool is_limited;      /* new traces only */
    uint64_t bound;       /* of RATIO */
    uint64_t threshold;   /* of PROBABILITY */
    struct ftri_rate_limit limit;
};

struct ftri_local_root {
    ftr_trace_id trace_id;
    ftr_str tracestate; /* the parent's */
    bool has_parent;
    bool parent_is_sampled;
};

struct ftri_verdict {
    bool is_sampled;
    bool is_recorded;  /* if it is not sampled */
    bool is_over_rate; /* not sampled, and it was the limit */
    bool changes_th;   /* the tracestate has to be written anew with this th: */
    uint64_t th;       /* FTRI_THRESHOLD_NEVER: without */
};

/* The ratio is 1.0, the rate FTRI_SAMPLER_RATE. Of jaeger_remote only how parents are taken: kind
 * CUSTOM, and its argument is the other's. False: no sampler has this name, in any case. */
bool ftri_sampler_find(ftr_str name, struct ftri_sampler *ret_sampler);
/* A ratio from 0 to 1, or a rate above 0, as decimal text; samplers without an argument take any.
 * False: not that, and nothing has changed. */
bool ftri_sampler_set_argument(struct ftri_sampler *self, ftr_str text);
/* What an argument has to be, for messages. */
const char *ftri_sampler_argument(const struct ftri_sampler *self);
/* What counts without one. */
const char *ftri_sampler_standard(const struct ftri_sampler *self);
/* Above 0. */
void ftri_sampler_limit(struct ftri_sampler *self, double traces_per_second);

/* Whether local roots without, and with a remote parent have to be judged at all: otherwise they
 * are sampled, or as their parent is, and their tracestate stays. */
bool ftri_sampler_judges_new(const struct ftri_sampler *self);
bool ftri_sampler_judges_remote(const struct ftri_sampler *self);

/* Not for FTRI_SAMPLER_CUSTOM. */
struct ftri_verdict ftri_sampler_judge(struct ftri_sampler *self,
                                       const struct ftri_local_root *root);
/* The same with a ratio of the caller's instead of the sampler. From 1, and up to 0, it is a
 * decision, not a probability: no th. */
struct ftri_verdict ftri_ratio_judge(double ratio, const struct ftri_local_root *root);
/* What becomes of a positive verdict on a new trace under the limit. */
struct ftri_verdict ftri_sampler_hold_rate(struct ftri_sampler *self, struct ftri_verdict verdict);

enum { FTRI_SAMPLER_RATE = 100 };
