/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans that wait until their flow is decided, as opaque bytes in pages chained per flow:
 *
 *     flow's first page:  next | struct flow | len, bytes, len, bytes ...
 *     each other page:    next | the stream goes on
 *
 * A flow is decided once: when it has ended and been quiet, by its age, when the budget is full
 * (oldest first), or when the caller says so. Then its spans are released in order, or its pages go
 * back in one piece; what comes later is told the verdict. The budget is for everything but the
 * copy of one span. No memory is like a full budget.
 *
 * With many flows nothing of them is in a cache. Spans therefore come in as batches: each step of
 * the way to where one goes asks the memory for what the next step needs, for all of them, before
 * it is taken; and while one flow is decided, those that follow it are asked for.
 * One thread at a time; the counts may be read by any. */
#pragma once

#include "base/bytes.h"
#include "sampling/fate.h"
#include "sampling/flow.h"
#include "sampling/flow_index.h"
#include "sampling/policy.h"
#include "sampling/verdicts.h"

#include <stdatomic.h>

/* What a flow was decided by. */
enum ftri_flow_cause {
    FTRI_FLOW_ENDED,
    FTRI_FLOW_AGED,
    FTRI_FLOW_SQUEEZED, /* the budget */
    FTRI_FLOW_ORDERED,  /* ftri_flow_buffer_decide_oldest */
    FTRI_N_FLOW_CAUSES
};

/* Called for each span of a flow that is kept, in the order they came; all is borrowed. Must not
 * call the buffer. */
typedef void ftri_flow_release(void *argument, const struct ftri_flow_fate *fate,
                               const ftr_trace_id *trace_id, struct ftri_view bytes);

/* Bytes behind what is released that may be read, whatever is there. */
enum { FTRI_FLOW_BEHIND = 32 };

struct ftri_flow_settings {
    struct ftri_policy policy;
    uint64_t quiet_ns; /* above 0 */
    uint64_t max_age_ns;
    size_t budget_bytes; /* FTRI_TAIL_BUDGET_LEAST to FTRI_TAIL_BUDGET_MOST */
    ftri_flow_release *release;
    void *argument;
};

struct ftri_flow_counts {
    _Atomic uint64_t n_waiting;   /* spans */
    _Atomic uint64_t n_dropped;   /* spans, late ones included */
    _Atomic uint64_t n_late;      /* spans that came when all was decided */
    _Atomic uint64_t n_missed;    /* of these, what would have kept a dropped flow */
    _Atomic uint64_t n_forgotten; /* verdicts on flows that were cut */
    _Atomic uint64_t n_flows_dropped;
    _Atomic uint64_t n_flows_kept[FTR_TAIL_REASONS];
    _Atomic uint64_t n_flows_by[FTRI_N_FLOW_CAUSES];
};

/* The one flow that is decided and still being released, as it has many spans. */
struct ftri_flow_leaving {
    uint32_t flow; /* 0: none */
    uint32_t n_left;
    uint32_t page; /* where its stream goes on */
    uint32_t at;
    uint64_t hash;
    struct ftri_flow_fate fate;
};

struct ftri_flow_buffer {
    struct ftri_flow_settings settings;
    struct ftri_page_pool pool;
    struct ftri_flow_index index;
    struct ftri_verdicts verdicts;
    struct ftri_flow_list by_age;   /* all */
    struct ftri_flow_list by_quiet; /* those that have ended, by when they were last heard of */
    struct ftri_flow_leaving leaving;
    struct ftri_bytes scratch; /* one span */
    uint64_t seeds[3];
    uint32_t n_pages_per_flow;
    uint32_t look;      /* number of the last ftri_flow_buffer_look */
    uint64_t n_decided; /* a page that was a flow's is one as long as this stays */
    struct ftri_flow_counts *counts;
};

/* Counts are the caller's, and not cleared. 0 or -ENOMEM. */
int ftri_flow_buffer_init(struct ftri_flow_buffer *self, const struct ftri_flow_settings *settings,
                          struct ftri_flow_counts *counts) FTRI_MUST_CHECK;
/* Nothing is released. */
void ftri_flow_buffer_deinit(struct ftri_flow_buffer *self);
/* Nothing waits. */
static inline bool ftri_flow_buffer_is_empty(const struct ftri_flow_buffer *self)
{
    return self->by_age.first == 0 && self->leaving.flow == 0;
}
/* See ftri_flow_buffer_release_more. */
static inline bool ftri_flow_buffer_is_releasing(const struct ftri_flow_buffer *self)
{
    return self->leaving.flow != 0;
}

/* What comes in: a span, or (is_note) a reason that is not a span's. */
struct ftri_flow_arrival {
    const ftr_trace_id *trace_id; /* borrowed, as bytes are, until it was added */
    uint64_t start_ns;            /* Unix epoch */
    uint64_t end_ns;
    uint32_t reasons; /* all that hold (ftri_policy_judge) */
    bool is_root;     /* the flow may have ended with it */
    bool is_note;
    struct ftri_view bytes; /* at most UINT32_MAX */
    uint64_t hash;          /* the buffer's own, as the next one is */
    uint32_t flow;
};

/* Asks for where its flow is looked for: some time before it is added. The trace id is there. */
void ftri_flow_buffer_expect(const struct ftri_flow_buffer *self,
                             struct ftri_flow_arrival *arrival);
/* What was expected, in that order. The spans wait; or their flow is decided, and they are released
 * or counted as dropped. May decide other flows. */
void ftri_flow_buffer_add_all(struct ftri_flow_buffer *self, struct ftri_flow_arrival *arrivals,
                              size_t n, uint64_t now_ns);
/* One alone. True: the span waits. False: its flow is decided, as *ret_fate says: it is the
 * caller's to keep, or is counted as dropped. */
bool ftri_flow_buffer_add(struct ftri_flow_buffer *self, const struct ftri_flow_span *span,
                          struct ftri_view bytes, uint64_t now_ns, struct ftri_flow_fate *ret_fate);
/* A reason that is not a span's. */
void ftri_flow_buffer_note(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id,
                           ftr_tail_reason reason, uint64_t now_ns);
/* For a span that is no flow's to wait with: false, it is not known. */
bool ftri_flow_buffer_recall(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id,
                             struct ftri_flow_fate *ret_fate);
/* The caller looks now which flows have open spans, and names one after the other; those are not
 * decided as ended until the next look. */
void ftri_flow_buffer_look(struct ftri_flow_buffer *self);
void ftri_flow_buffer_see_open(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id);
/* A flow of more spans than this that is kept is not released at once: the others would have to
 * wait. Releases so many more of its spans; whatever else needs its room, or comes late for it,
 * lets it go whole first. True: there is nothing left. */
enum { FTRI_FLOW_SLICE = 8192 };
bool ftri_flow_buffer_release_more(struct ftri_flow_buffer *self);
/* Decides what has ended and was quiet until quiet_until_ns, the time of the last look; and what is
 * too old. */
void ftri_flow_buffer_decide_quiet(struct ftri_flow_buffer *self, uint64_t quiet_until_ns);
void ftri_flow_buffer_decide_old(struct ftri_flow_buffer *self, uint64_t now_ns);
/* The oldest one, unless there is more to release of a large one. reasons: beside the policies', 0
 * or FTRI_REASON(...). */
void ftri_flow_buffer_decide_oldest(struct ftri_flow_buffer *self, uint32_t reasons);
/* When a look may find something, and when something will be too old; UINT64_MAX: never. */
uint64_t ftri_flow_buffer_quiet_at(const struct ftri_flow_buffer *self);
uint64_t ftri_flow_buffer_old_at(const struct ftri_flow_buffer *self);
