/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a span: a slot of this thread's, its head written. The path from start to end
 * (span_end.c) of a sampled child is what this library is for; it is measured by bench/recording.c
 * in multiples of one cycle-counter read.
 */
#include "trace/span.h"

#include "base/count.h"
#include "trace/begin.h"
#include "trace/current.h"
#include "trace/sampling.h"

#include <string.h>

uint32_t ftr_recording_word;
__thread ftr_unsampled ftr_unsampled_child;

extern inline ftr_span ftr_span_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent);
extern inline ftr_span ftr_span_start_site(ftr_call_site *site, const ftr_context *parent);
extern inline ftr_span ftr_span_start_with(const ftr_span_options *options);

static __attribute__((noinline)) ftr_span begin(struct ftri_thread *self, ftr_str name,
                                                ftr_span_kind kind, const ftr_context *parent)
{
    struct ftri_slot *slot = ftri_slot_take(self);
    if (!slot) {
        ftri_count(&self->counters.no_slot, 1);
        return (ftr_span){0, 0};
    }
    const uint32_t version = ftri_clock_version();
    if (!parent->block && ftri_is_short(name) && version < FTRI_CLOCK_SYSTEM)
        return ftri_begin_short(self, slot, version, name, kind, &parent->span);
    if (parent->block && parent->block->finish)
        slot->at_end = FTRI_END_CALLS_BACK;
    return ftri_begin_any(self, slot, name, kind, &parent->span, parent->block);
}

/* The same with all of the context around it but what belongs to its trace. */
static void new_trace_within(const ftr_context *around, ftr_context *ret_parent)
{
    struct ftri_context_parts parts = ftri_context_parts(around);
    const bool is_shared = around->block && parts.tracestate.len == 0 && !parts.is_debug;
    parts.tracestate.len = 0;
    parts.is_debug = false;
    *ret_parent = FTR_CONTEXT_NONE;
    ftri_new_trace(&ret_parent->span);
    if (is_shared)
        ret_parent->block = ftri_context_block_ref(around->block);
    else
        (void)ftri_context_set_parts(ret_parent, &parts);
}

/* A new trace, or one with a remote parent, that somebody has to decide about. */
static ftr_span begin_judged(struct ftri_thread *self, const ftr_span_options *options,
                             ftr_context *parent)
{
    if (ftri_sampling_judge(self, options, parent))
        return begin(self, options->name, options->kind, parent);
    return ftri_unsampled_new(self, parent);
}

static ftr_span begin_root(struct ftri_thread *self, const ftr_span_options *options,
                           const ftr_context *around)
{
    ftr_context parent;
    new_trace_within(around, &parent);
    const ftr_span span = ftri_sampling_is_needed(options, NULL)
                              ? begin_judged(self, options, &parent)
                              : begin(self, options->name, options->kind, &parent);
    ftr_context_release(&parent);
    return span;
}

static ftr_span begin_below_remote(struct ftri_thread *self, const ftr_span_options *options,
                                   const ftr_context *remote)
{
    ftr_context parent = ftr_context_copy(remote);
    const ftr_span span = begin_judged(self, options, &parent);
    ftr_context_release(&parent);
    return span;
}

/* The quick way is for the running session and the cycle counter. */
static void note_clock_word(struct ftri_thread *self, uint32_t session)
{
    const uint64_t word = ftri_clock_word_now();
    if (self->clock_word == word || word >> 32 != session || (uint32_t)word >= FTRI_CLOCK_SYSTEM)
        return;
    self->clock_word = word;
    self->root_word = ftri_sampling_is_asked(FTRI_SAMPLING_NEW) ? UINT64_MAX : word;
    self->below_word = ftri_sampling_is_asked(FTRI_SAMPLING_REMOTE) ? UINT64_MAX : word;
}

/* NULL: this thread starts none now. The quick way is closed to one that never came by here. */
static struct ftri_thread *starter(uint32_t session)
{
    return ftri_thread_is_own ? NULL : ftri_thread_ready(FTRI_SYSTEM, session);
}

/* Everything that the quick way below does not do. */
static ftr_span start_any(const ftr_span_options *options)
{
    const uint32_t session = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    const ftr_context *parent = options->parent ? options->parent : &ftri_frame_current()->context;
    struct ftri_thread *self = starter(session);
    if (!self)
        return (ftr_span){0, 0};
    note_clock_word(self, session);
    if (options->is_root || !ftri_context_has_ids(parent))
        return begin_root(self, options, parent);
    if (ftri_sampling_is_needed(options, parent))
        return begin_below_remote(self, options, parent);
    if (!(parent->span.trace_flags & (FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RECORDED)))
        return ftri_unsampled_start(self, parent);
    return begin(self, options->name, options->kind, parent);
}

/* Below a sampled parent whose trace nobody has to be asked about. */
static bool follows_sampled(const ftr_context *parent)
{
    return (parent->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) && ftri_context_has_ids(parent) &&
           !(parent->span.is_remote && ftri_sampling_is_asked(FTRI_SAMPLING_REMOTE));
}

static __attribute__((noinline)) ftr_span start_slow(ftr_str name, ftr_span_kind kind,
                                                     const ftr_context *parent)
{
    const uint32_t session = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    const ftr_context *from = parent ? parent : &ftri_frame_current()->context;
    if (follows_sampled(from)) {
        struct ftri_thread *self = starter(session);
        if (!self)
            return (ftr_span){0, 0};
        note_clock_word(self, session);
        return begin(self, name, kind, from);
    }
    const ftr_span_options options = {
        .size = sizeof options, .name = name, .kind = kind, .parent = parent};
    return start_any(&options);
}

/* Calls nothing, so that nothing is saved. */
static FTRI_ALWAYS_INLINE ftr_span start_plain(ftr_str name, ftr_span_kind kind,
                                               const ftr_context *parent, const ftr_context *from,
                                               size_t word_at)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    if (FTRI_UNLIKELY(!ftri_is_short(name)))
        return start_slow(name, kind, parent);
    struct ftri_slot *slot = ftri_take_quickly(self, word_at);
    if (FTRI_UNLIKELY(!slot))
        return start_slow(name, kind, parent);
    return ftri_begin_short(self, slot, ftri_clock_word_now(), name, kind, &from->span);
}

static __attribute__((noinline)) ftr_span start_below(ftr_str name, ftr_span_kind kind,
                                                      const ftr_context *parent)
{
    if (FTRI_UNLIKELY(!ftri_context_is_plain(parent)))
        return start_slow(name, kind, parent);
    return start_plain(name, kind, parent, parent, offsetof(struct ftri_thread, below_word));
}

static __attribute__((noinline)) ftr_span start_root_or_slow(ftr_str name, ftr_span_kind kind,
                                                             const ftr_context *current)
{
    if (current->block || ftri_context_has_ids(current))
        return start_slow(name, kind, NULL);
    ftr_context parent = FTR_CONTEXT_NONE;
    ftri_new_trace(&parent.span);
    return start_plain(name, kind, NULL, &parent, offsetof(struct ftri_thread, root_word));
}

static __attribute__((noinline)) ftr_span start_not_plain(ftr_str name, ftr_span_kind kind,
                                                          const struct ftri_frame *frame)
{
    if (FTRI_LIKELY(frame->session == __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED)))
        return frame->unsampled;
    return start_root_or_slow(name, kind, &frame->context);
}

ftr_span ftr_recording_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent)
{
    if (parent)
        return start_below(name, kind, parent);
    const struct ftri_frame *frame = ftri_frame_current();
    if (FTRI_UNLIKELY(!frame->is_plain))
        return start_not_plain(name, kind, frame);
    return start_plain(name, kind, NULL, &frame->context, offsetof(struct ftri_thread, clock_word));
}

static FTRI_ALWAYS_INLINE ftr_span start_plain_site(const ftr_call_site *site, uint32_t number,
                                                    const ftr_context *parent,
                                                    const ftr_context *from, size_t word_at)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    struct ftri_slot *slot = ftri_take_quickly(self, word_at);
    if (FTRI_UNLIKELY(!slot))
        return start_slow(site->name, site->kind, parent);
    return ftri_begin_of_site(self, slot, site, number, &from->span);
}

/* A first time, a root, or a parent of its own. */
static __attribute__((noinline)) ftr_span start_other_site(ftr_call_site *site,
                                                           const ftr_context *parent)
{
    const uint32_t number = ftri_site_enter(site);
    const ftr_context *current = &ftri_frame_current()->context;
    if (number != 0 && parent && ftri_context_is_plain(parent))
        return start_plain_site(site, number, parent, parent,
                                offsetof(struct ftri_thread, below_word));
    if (number == 0 || parent || current->block || ftri_context_has_ids(current))
        return ftr_recording_start(site->name, site->kind, parent);
    ftr_context trace = FTR_CONTEXT_NONE;
    ftri_new_trace(&trace.span);
    return start_plain_site(site, number, NULL, &trace, offsetof(struct ftri_thread, root_word));
}

ftr_span ftr_recording_start_site(ftr_call_site *site, const ftr_context *parent)
{
    const uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    const struct ftri_frame *frame = ftri_frame_current();
    if (FTRI_UNLIKELY(parent || !frame->is_plain || number - 1 >= FTRI_INTERNED_LISTS_MAX))
        return start_other_site(site, parent);
    return start_plain_site(site, number, NULL, &frame->context,
                            offsetof(struct ftri_thread, clock_word));
}

ftr_span ftri_site_start_at(ftr_call_site *site, const ftr_context *parent, uint64_t passed_ns)
{
    static const ftr_span none = {0, 0};
    const size_t word_at =
        parent ? offsetof(struct ftri_thread, below_word) : offsetof(struct ftri_thread, root_word);
    const uint32_t number = ftri_site_enter(site);
    ftr_span_context trace;
    if (FTRI_UNLIKELY(number == 0 || (!parent && ftri_frame_current()->context.block)))
        return none;
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    struct ftri_slot *slot = ftri_take_quickly(self, word_at);
    if (FTRI_UNLIKELY(!slot))
        return none;
    if (!parent)
        ftri_new_trace(&trace);
    ftri_prepare_of_site(self, slot, site, number, parent ? &parent->span : &trace);
    return ftri_publish_slot_at(slot, ftri_clock_stamp_of(passed_ns));
}

ftr_span ftri_root_start(ftr_str name, ftr_span_kind kind, const ftr_context *around)
{
    struct ftri_thread *self = starter(__atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED));
    if (!self)
        return (ftr_span){0, 0};
    ftr_context parent;
    new_trace_within(around, &parent);
    const ftr_span span = begin(self, name, kind, &parent);
    ftr_context_release(&parent);
    return span;
}

ftr_span ftr_recording_start_with(const ftr_span_options *options)
{
    const ftr_context *parent = options->parent ? options->parent : &ftri_frame_current()->context;
    const bool is_simple = !options->is_root && !ftri_sampling_is_needed(options, parent);
    const ftr_span span = is_simple
                              ? ftr_recording_start(options->name, options->kind, options->parent)
                              : start_any(options);
    struct ftri_open open;
    if (span.generation == 0 || !ftri_span_open(span, &open))
        return span;
    if (options->start_time_ns != 0)
        ftr_span_set_start_time(span, options->start_time_ns);
    if (options->is_linked)
        ftri_fork_mark(span, options->name, &ftri_frame_current()->context);
    for (size_t i = 0; i < options->n_attributes; i++)
        ftr_recording_set(span, options->attributes[i].key, &options->attributes[i].value);
    for (size_t i = 0; i < options->n_links; i++)
        ftr_recording_link(span, options->links[i].context, options->links[i].attributes,
                           options->links[i].n_attributes);
    return span;
}
