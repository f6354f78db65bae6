/* SPDX-License-Identifier: Apache-2.0
 *
 * The running session's sampler, as starting spans sees it. Its state is written between sessions;
 * a thread that is judging marks itself, and shutdown waits for the marks to go. */
#pragma once

#include "context/block.h"
#include "trace/thread.h"

#include "context/block.h"

#include <flowtrace/span.h>

struct ftr_sampler;
struct ftri_settings;

/* Local roots that are not asked about start as quickly as children. */
enum ftri_sampling_question { FTRI_SAMPLING_NEW = 1, FTRI_SAMPLING_REMOTE = 2 };
extern _Atomic uint32_t ftri_sampling_asks; /* of enum ftri_sampling_question */

/* sampler: in place of the settings'; NULL: there is none. */
void ftri_sampling_start(const struct ftri_settings *settings, const struct ftr_sampler *sampler);
/* Nothing records any more. False: somebody was still judging at the deadline. */
bool ftri_sampling_stop(uint64_t deadline_ns);

static inline bool ftri_sampling_is_asked(uint32_t questions)
{
    return (atomic_load_explicit(&ftri_sampling_asks, memory_order_relaxed) & questions) != 0;
}

/* Whether the start says itself how much is to be sampled. */
static inline bool ftri_sampling_is_overridden(const ftr_span_options *options)
{
    return options->size >= offsetof(ftr_span_options, sampling_ratio) + sizeof(double) &&
           options->has_sampling_ratio;
}

/* parent: the one that counts; NULL, or without ids: it is a new trace. False: it is recorded as
 * its parent is, or as a new trace. */
static inline bool ftri_sampling_is_needed(const ftr_span_options *options,
                                           const ftr_context *parent)
{
    if (parent && ftri_context_has_ids(parent))
        return parent->span.is_remote && (ftri_sampling_is_asked(FTRI_SAMPLING_REMOTE) ||
                                          ftri_sampling_is_overridden(options));
    return ftri_sampling_is_asked(FTRI_SAMPLING_NEW) || ftri_sampling_is_overridden(options);
}

/* context: an own one, of the remote parent, or of a new trace without a span. True: the parent to
 * record below, sampled or FTR_TRACE_FLAG_RECORDED. False: what the span passes on that is not
 * recorded. Counted. */
bool ftri_sampling_judge(struct ftri_thread *self, const ftr_span_options *options,
                         ftr_context *context);
