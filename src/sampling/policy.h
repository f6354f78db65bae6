/* SPDX-License-Identifier: Apache-2.0
 *
 * The policies of tail sampling: which flows are worth keeping. Each span is judged by itself, and
 * what holds for one holds for its flow; more spans only ever add reasons. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/tail.h>

struct ftr_event_data;

/* As much of a span as policies look at, borrowed: from a record, or from received bytes. */
struct ftri_flow_span {
    ftr_trace_id trace_id;
    ftr_str tracestate;
    uint64_t start_ns; /* Unix epoch */
    uint64_t end_ns;
    const ftr_attribute *attributes;
    size_t n_attributes;
    const struct ftr_event_data *events;
    size_t n_events;
    uint32_t reasons; /* FTRI_REASON(...) of what is known without the policies */
    bool is_error;
    bool is_root; /* the flow may have ended with it */
};

struct ftri_policy {
    bool keeps_errors;
    bool keeps_drops;
    uint64_t latency_ns;                  /* 0: none is too long */
    uint64_t threshold;                   /* of the share, see threshold.h */
    const ftr_tail_attribute *attributes; /* borrowed */
    size_t n_attributes;
};

#define FTRI_TAIL_BUDGET_LEAST ((size_t)64 << 10)
#define FTRI_TAIL_BUDGET_MOST ((size_t)64 << 30)

#define FTRI_REASON(reason) (UINT32_C(1) << (reason))

/* All reasons that hold, those of the span itself included. The second is for one without
 * attributes and events. */
uint32_t ftri_policy_judge(const struct ftri_policy *self, const struct ftri_flow_span *span);
uint32_t ftri_policy_judge_plain(const struct ftri_policy *self, const struct ftri_flow_span *span);
static inline bool ftri_policy_is_long(const struct ftri_policy *self, uint64_t start_ns,
                                       uint64_t end_ns)
{
    return self->latency_ns != 0 && end_ns > start_ns && end_ns - start_ns >= self->latency_ns;
}

/* The keys of attributes and names of events that a policy looks for, by number from 0 on; without
 * data: there are no more. A span without any of them is judged as one without attributes. */
ftr_str ftri_policy_key(const struct ftri_policy *self, size_t i);

/* The first of some reasons; there is one. */
static inline ftr_tail_reason ftri_reason_first(uint32_t reasons)
{
    return (ftr_tail_reason)__builtin_ctz(reasons);
}
/* "error", "share", ... Static. */
const char *ftri_reason_name(ftr_tail_reason reason);
