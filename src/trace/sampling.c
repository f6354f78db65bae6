/* SPDX-License-Identifier: Apache-2.0
 *
 * Judging: mark the thread, look whether the session is still there, decide, write the tracestate,
 * take the mark off. The store of the mark and the load of the session's word are in one order with
 * shutdown's store of the word and its loads of the marks, so one of the two sees the other. */
#include "trace/sampling.h"

#include "base/count.h"
#include "base/random.h"
#include "base/time.h"
#include "context/block.h"
#include "context/tracestate.h"
#include "sampling/ot_state.h"
#include "sampling/threshold.h"
#include "trace/diagnostics.h"
#include "trace/sampler.h"
#include "trace/settings.h"

#include <string.h>
#include <unistd.h>

_Static_assert((int)FTR_TRACESTATE_MAX == (int)FTRI_TRACESTATE_MAX, "one limit");

_Atomic uint32_t ftri_sampling_asks;

static struct {
    struct ftri_sampler sampler;
    const ftr_sampler_class *custom;
    void *instance;
    bool is_remote;     /* custom is one that has a name and leaves the tracestate to us */
    ftr_context marked; /* what most new traces of a probability sampler begin with */
    bool records_dropped;
} sampling;

/* Text, or none: an identifier without its tracestate is better than one with a wrong one. */
static void set_tracestate(ftr_context *context, ftr_str tracestate)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    parts.tracestate = tracestate;
    if (ftri_context_set_parts(context, &parts))
        return;
    ftri_context_block_unref(context->block);
    context->block = NULL;
}

static void write_th(ftr_context *context, uint64_t th)
{
    char text[FTRI_TRACESTATE_MAX];
    const size_t len = ftri_ot_write(ftr_context_tracestate(context), th, text);
    set_tracestate(context, (ftr_str){text, len});
}

void ftri_sampling_start(const struct ftri_settings *settings, const struct ftr_sampler *sampler)
{
    sampling.sampler = settings->sampler;
    sampling.custom = sampler ? sampler->sampler_class : settings->sampler_class;
    sampling.instance = sampler ? sampler->instance : settings->sampler_instance;
    sampling.is_remote = sampler != NULL;
    sampling.records_dropped = settings->records_dropped;
    ftr_context_release(&sampling.marked);
    if (sampling.sampler.kind == FTRI_SAMPLER_PROBABILITY && !sampling.sampler.is_limited)
        write_th(&sampling.marked, sampling.sampler.threshold);
    const uint32_t asks = (ftri_sampler_judges_new(&sampling.sampler) ? FTRI_SAMPLING_NEW : 0) |
                          (ftri_sampler_judges_remote(&sampling.sampler) || sampling.records_dropped
                               ? FTRI_SAMPLING_REMOTE
                               : 0);
    atomic_store(&ftri_sampling_asks, asks);
}

bool ftri_sampling_stop(uint64_t deadline_ns)
{
    while (ftri_threads_are_judging()) {
        if (ftri_time_monotonic_ns() >= deadline_ns)
            return false;
        usleep(100);
    }
    ftr_context_release(&sampling.marked);
    return true;
}

/* False: not now. A sampler that starts spans itself is not asked about them. */
static bool begin_judging(struct ftri_thread *self)
{
    if (atomic_load_explicit(&self->is_judging, memory_order_relaxed))
        return false;
    atomic_store(&self->is_judging, true);
    if (__atomic_load_n(&ftr_recording_word, __ATOMIC_SEQ_CST) == atomic_load(&self->session))
        return true;
    atomic_store_explicit(&self->is_judging, false, memory_order_release);
    return false;
}

static void take_tracestate(ftr_context *context, ftr_str tracestate, const char *sampler)
{
    char text[FTRI_TRACESTATE_MAX];
    size_t len = 0;
    if (ftri_tracestate_read(tracestate, text, &len))
        set_tracestate(context, (ftr_str){text, len});
    else
        ftri_diagnose("sampler %s: not a tracestate, not taken: %.*s", sampler,
                      (int)ftri_size_min(tracestate.len, 100),
                      tracestate.data ? tracestate.data : "");
}

static struct ftri_verdict ask_custom(const ftr_span_options *options, ftr_context *context)
{
    char room[FTR_TRACESTATE_MAX];
    const bool has_parent = ftri_context_has_ids(context);
    const ftr_sampling_question question = {
        .size = sizeof question,
        .span = options,
        .parent = has_parent ? context : NULL,
        .trace_id = context->span.trace_id,
        .room = room,
    };
    const ftr_str before = ftr_context_tracestate(context);
    ftr_str after = before;
    const ftr_sampler_class *custom = sampling.custom;
    const ftr_decision decision = custom->decide(sampling.instance, &question, &after);
    if (after.data != before.data || after.len != before.len)
        take_tracestate(context, after, custom->name);
    const struct ftri_verdict verdict = {
        .is_sampled = decision == FTR_DECISION_SAMPLE,
        .is_recorded = decision == FTR_DECISION_RECORD,
        .changes_th = sampling.is_remote && ftri_ot_read(before).has_member,
        .th = FTRI_THRESHOLD_NEVER,
    };
    return has_parent ? verdict : ftri_sampler_hold_rate(&sampling.sampler, verdict);
}

static struct ftri_verdict judge(const ftr_span_options *options, ftr_context *context)
{
    const struct ftri_local_root root = {
        .trace_id = context->span.trace_id,
        .tracestate = ftr_context_tracestate(context),
        .has_parent = ftri_context_has_ids(context),
        .parent_is_sampled = context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED,
    };
    if (ftri_sampling_is_overridden(options))
        return ftri_ratio_judge(options->sampling_ratio, &root);
    if (root.has_parent && !ftri_sampler_judges_remote(&sampling.sampler))
        return (struct ftri_verdict){.is_sampled = root.parent_is_sampled};
    if (sampling.sampler.kind == FTRI_SAMPLER_CUSTOM)
        return ask_custom(options, context);
    return ftri_sampler_judge(&sampling.sampler, &root);
}

/* Of a new trace whose context carries nothing else, by a probability sampler. */
static bool is_marked(const ftr_context *context, uint64_t th)
{
    return !context->block && sampling.marked.block && th == sampling.sampler.threshold;
}

static void note_th(ftr_context *context, uint64_t th)
{
    if (is_marked(context, th))
        context->block = ftri_context_block_ref(sampling.marked.block);
    else
        write_th(context, th);
}

/* Whoever changes the sampled flag is a span of its own (W3C Trace Context, 3.4). From here on the
 * decision is made: those below are not local roots. */
static void drop(struct ftri_thread *self, ftr_context *context)
{
    const bool is_changed =
        !ftri_context_has_ids(context) || (context->span.trace_flags & FTR_TRACE_FLAG_SAMPLED);
    if (is_changed) {
        const uint64_t id = ftri_random_u64() | 1;
        memcpy(context->span.span_id.bytes, &id, sizeof id);
    }
    context->span.trace_flags &= (uint8_t) ~(FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RECORDED);
    context->span.is_remote = false;
    ftri_count(&self->counters.roots_dropped, 1);
}

/* What the spans below go by: sampled, or recorded, or neither. */
static void carry_out(struct ftri_thread *self, const struct ftri_verdict *verdict,
                      ftr_context *context)
{
    ftri_count(&self->counters.roots_over_rate, verdict->is_over_rate);
    if (verdict->is_sampled) {
        context->span.trace_flags &= (uint8_t)~FTR_TRACE_FLAG_RECORDED;
        context->span.trace_flags |= FTR_TRACE_FLAG_SAMPLED;
    } else if (verdict->is_recorded) {
        context->span.trace_flags &= (uint8_t)~FTR_TRACE_FLAG_SAMPLED;
        context->span.trace_flags |= FTR_TRACE_FLAG_RECORDED;
        ftri_count(&self->counters.roots_recorded, 1);
    } else {
        drop(self, context);
    }
}

bool ftri_sampling_judge(struct ftri_thread *self, const ftr_span_options *options,
                         ftr_context *context)
{
    struct ftri_verdict verdict = {.is_sampled = false};
    if (begin_judging(self)) {
        verdict = judge(options, context);
        if (verdict.changes_th)
            note_th(context, verdict.th);
        verdict.is_recorded = verdict.is_recorded || sampling.records_dropped;
        atomic_store_explicit(&self->is_judging, false, memory_order_release);
    }
    carry_out(self, &verdict, context);
    return verdict.is_sampled || verdict.is_recorded;
}
