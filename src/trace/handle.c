/* SPDX-License-Identifier: Apache-2.0
 *
 * From a handle to its slot, and spans that are not sampled.
 *
 * A handle is { thread << 32 | slot, generation }. A span that is not sampled has generation 0 and
 * its place in the handle: bit 63 shared by all children of a frame, bit 62 set, then 14 bits
 * thread, 22 bits slot, 26 bits of the slot's generation. */
#include "trace/span.h"

#include "base/count.h"
#include "trace/current.h"
#include "trace/hold.h"
#include "trace/tail.h"

#define UNSAMPLED_SHARED (UINT64_C(1) << 63)
#define UNSAMPLED (UINT64_C(1) << 62)
#define UNSAMPLED_GENERATION ((UINT64_C(1) << 26) - 1)

static __attribute__((noinline)) struct ftri_thread *setup(enum ftri_pipeline pipeline)
{
    struct ftri_thread *self = ftri_thread_setup(pipeline);
    if (self && pipeline == FTRI_SYSTEM)
        ftri_frames_look_again();
    if (!self && atomic_load(&ftri_session) != 0)
        atomic_fetch_add(&ftri_no_slot_elsewhere, 1);
    return self;
}

struct ftri_thread *ftri_thread_ready(enum ftri_pipeline pipeline, uint32_t session)
{
    struct ftri_thread *self = ftri_thread_self[pipeline];
    if (FTRI_LIKELY(atomic_load_explicit(&self->session, memory_order_relaxed) == session))
        return self;
    return setup(pipeline);
}

enum ftri_pipeline ftri_handle_pipeline(ftr_span span)
{
    const uint64_t thread = span.handle >> 32;
    const struct ftri_thread *owner =
        thread < FTRI_THREADS_MAX
            ? atomic_load_explicit(&ftri_threads[thread], memory_order_acquire)
            : NULL;
    return owner ? owner->pipeline : FTRI_SYSTEM;
}

void ftri_count_stale(void)
{
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    if (atomic_load(&self->session) == atomic_load(&ftri_session))
        ftri_count(&self->counters.stale, 1);
    else
        atomic_fetch_add(&ftri_stale_elsewhere, 1);
}

/* The slot that a handle names, whatever it holds now; NULL: there is none. */
static struct ftri_slot *slot_of(uint64_t thread, uint64_t slot, struct ftri_thread **ret_owner)
{
    if (thread >= FTRI_THREADS_MAX)
        return NULL;
    struct ftri_thread *owner = atomic_load_explicit(&ftri_threads[thread], memory_order_acquire);
    if (!owner ||
        atomic_load_explicit(&owner->session, memory_order_acquire) != atomic_load(&ftri_session) ||
        slot >= atomic_load_explicit(&owner->n_slots_used, memory_order_acquire))
        return NULL;
    *ret_owner = owner;
    return &owner->slots[slot];
}

struct ftri_slot *ftri_handle_find(struct ftri_thread *self, ftr_span span,
                                   struct ftri_thread **ret_owner)
{
    const uint64_t index = span.handle - self->first_handle;
    struct ftri_slot *slot;
    if (FTRI_LIKELY(index < self->n_slots)) {
        *ret_owner = self;
        slot = &self->slots[index];
    } else {
        slot = slot_of(span.handle >> 32, (uint32_t)span.handle, ret_owner);
    }
    const bool is_open =
        slot && atomic_load_explicit(&slot->generation, memory_order_relaxed) == span.generation &&
        (span.generation & 3) == FTRI_SLOT_OPEN;
    return is_open ? slot : NULL;
}

/* The same for the calling thread's own spans, which are most. */
static FTRI_ALWAYS_INLINE bool open_own(enum ftri_pipeline pipeline, ftr_span span,
                                        struct ftri_open *ret_open)
{
    struct ftri_thread *self = ftri_thread_self[pipeline];
    struct ftri_slot *slot = ftri_own_slot(self, span);
    *ret_open = (struct ftri_open){self, slot};
    return FTRI_LIKELY(slot != NULL);
}

/* One of another thread's, or none. */
static __attribute__((noinline)) bool open_any(ftr_span span, struct ftri_open *ret_open)
{
    const uint32_t session = atomic_load_explicit(&ftri_session, memory_order_relaxed);
    if (session == 0) {
        ftri_count_stale();
        return false;
    }
    struct ftri_thread *self = ftri_thread_ready(ftri_handle_pipeline(span), session);
    if (!self)
        return false;
    struct ftri_thread *owner;
    ret_open->thread = self;
    ret_open->slot = ftri_handle_find(self, span, &owner);
    if (FTRI_LIKELY(ret_open->slot != NULL))
        return true;
    ftri_count(&self->counters.stale, 1);
    return false;
}

bool ftri_span_open(ftr_span span, struct ftri_open *ret_open)
{
    return open_own(FTRI_SYSTEM, span, ret_open) || open_own(FTRI_USER, span, ret_open) ||
           open_any(span, ret_open);
}

/* A slot that only keeps the parent's context for ftr_span_context_of. */
ftr_span ftri_unsampled_new(struct ftri_thread *self, const ftr_context *parent)
{
    struct ftri_slot *slot = ftri_slot_take(self);
    if (!slot) {
        ftri_count(&self->counters.no_slot, 1);
        return (ftr_span){0, 0};
    }
    struct ftri_record *record = &slot->record;
    record->trace_flags = parent->span.trace_flags;
    record->bits = parent->span.is_remote ? FTRI_RECORD_PARENT_IS_REMOTE : 0;
    record->trace_id = parent->span.trace_id;
    record->span_id = parent->span.span_id;
    record->block = ftri_context_block_ref(parent->block);
    const uint64_t generation =
        atomic_load_explicit(&slot->generation, memory_order_relaxed) + FTRI_SLOT_UNSAMPLED;
    atomic_store_explicit(&slot->generation, generation, memory_order_release);
    const uint64_t place = (uint64_t)self->index << 22 | (uint32_t)slot->handle;
    return (ftr_span){UNSAMPLED | place << 26 | ((generation >> 2) & UNSAMPLED_GENERATION), 0};
}

ftr_span ftri_unsampled_start(struct ftri_thread *self, const ftr_context *parent)
{
    struct ftri_frame *frame = ftri_frame_current();
    if (parent != &frame->context || frame->id == 0)
        return ftri_unsampled_new(self, parent);
    frame->unsampled = ftri_unsampled_new(self, parent);
    if (frame->unsampled.handle) {
        frame->unsampled.handle |= UNSAMPLED_SHARED;
        frame->session = atomic_load_explicit(&self->session, memory_order_relaxed);
        ftr_unsampled_child = (ftr_unsampled){frame->unsampled.handle, frame->session};
    }
    return frame->unsampled;
}

bool ftr_span_is_recording(ftr_span span)
{
    struct ftri_thread *self = ftri_thread_self[ftri_handle_pipeline(span)];
    struct ftri_thread *owner;
    const uint32_t session = atomic_load(&ftri_session);
    if (span.generation == 0 || session == 0)
        return false;
    if (atomic_load(&self->session) != session)
        self = &ftri_thread_none;
    return ftri_handle_find(self, span, &owner) != NULL;
}

/* The slot of a span that is not sampled; NULL: it is gone. */
static struct ftri_slot *unsampled_slot(ftr_span span, struct ftri_thread **ret_owner,
                                        uint64_t *ret_generation)
{
    const uint64_t place = (span.handle & (UNSAMPLED - 1)) >> 26;
    if (!(span.handle & UNSAMPLED))
        return NULL;
    struct ftri_slot *slot = slot_of(place >> 22, place & ((UINT64_C(1) << 22) - 1), ret_owner);
    if (!slot)
        return NULL;
    const uint64_t generation = atomic_load_explicit(&slot->generation, memory_order_acquire);
    const bool is_same =
        (generation & 3) == FTRI_SLOT_UNSAMPLED &&
        ((generation >> 2) & UNSAMPLED_GENERATION) == (span.handle & UNSAMPLED_GENERATION);
    *ret_generation = generation;
    return is_same ? slot : NULL;
}

ftr_span ftri_passing_start(const ftr_context *context)
{
    const uint32_t session = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    struct ftri_thread *self =
        ftri_context_has_ids(context) ? ftri_thread_ready(FTRI_SYSTEM, session) : NULL;
    return self ? ftri_unsampled_new(self, context) : (ftr_span){0, 0};
}

static void mark(ftr_span span, uint8_t marks)
{
    struct ftri_open open;
    if (span.generation == 0 || !ftri_span_open(span, &open))
        return;
    uint8_t *flags = &open.slot->record.trace_flags;
    *flags = (uint8_t)((*flags & ~FTRI_TRACE_MARKS) | marks);
}

void ftri_flow_keep(ftr_span span)
{
    mark(span, FTRI_TRACE_IS_KEPT);
}

void ftri_flow_wait(ftr_span span)
{
    mark(span, ftri_tail_marks());
}

bool ftri_span_release_unsampled(ftr_span span)
{
    struct ftri_thread *owner;
    uint64_t generation;
    struct ftri_slot *slot = unsampled_slot(span, &owner, &generation);
    if (!slot || !ftri_slot_claim(slot, generation))
        return false;
    ftri_context_block_unref(slot->record.block);
    slot->record.block = NULL;
    ftri_slot_return(ftri_thread_self[FTRI_SYSTEM], owner, slot);
    return true;
}

/* The current context, with this user span. */
static __attribute__((noinline)) ftr_context with_user_span(const struct ftri_record *record)
{
    ftr_context context = ftr_context_current();
    ftri_open_show(record, &context.user);
    return context;
}

ftr_context ftr_span_context_of(ftr_span span)
{
    ftr_context context = FTR_CONTEXT_NONE;
    struct ftri_thread *owner;
    uint64_t generation;
    struct ftri_slot *slot = NULL;
    if (span.generation == 0) {
        slot = span.handle ? unsampled_slot(span, &owner, &generation) : NULL;
    } else {
        slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
        struct ftri_open open;
        if (!slot && ftri_span_open(span, &open)) {
            slot = open.slot;
            if (open.thread->pipeline == FTRI_USER)
                return with_user_span(&slot->record);
        }
    }
    context.user = ftri_frame_current()->context.user;
    if (!slot)
        return context;
    const struct ftri_record *record = &slot->record;
    context.span.trace_id = record->trace_id;
    context.span.span_id = record->span_id;
    context.span.trace_flags = record->trace_flags;
    context.span.is_remote =
        span.generation == 0 && (record->bits & FTRI_RECORD_PARENT_IS_REMOTE) != 0;
    context.block = ftri_context_block_ref(record->block);
    return context;
}
