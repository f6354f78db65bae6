/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting user spans: the system pipeline's ways of starting (begin.h) on the thread's other slab,
 * below the context's other span. Nobody is asked: who has a user span above is recorded. */
#include "trace/user.h"

#include "base/count.h"
#include "base/time.h"
#include "context/block.h"
#include "trace/begin.h"
#include "trace/current.h"
#include "trace/diagnostics.h"

extern inline bool ftr_user_is_active(const ftr_context *parent);
extern inline ftr_span ftr_user_span_start(ftr_str name, ftr_span_kind kind,
                                           const ftr_context *parent);
extern inline ftr_span ftr_user_span_start_site(ftr_call_site *site, const ftr_context *parent);

_Atomic uint32_t ftri_user_session;
ftri_user_starting *_Atomic ftri_user_listener;

/* The calling thread's, if the user pipeline is on and the thread is none of the library's. */
static struct ftri_thread *ready(void)
{
    const uint32_t session = atomic_load_explicit(&ftri_user_session, memory_order_relaxed);
    struct ftri_thread *self =
        session != 0 && !ftri_thread_is_own ? ftri_thread_ready(FTRI_USER, session) : NULL;
    const uint64_t word = ftri_clock_word_now();
    if (self && word >> 32 == session && (uint32_t)word < FTRI_CLOCK_SYSTEM)
        self->clock_word = word;
    return self;
}

static ftr_span begin(struct ftri_thread *self, ftr_str name, ftr_span_kind kind,
                      const ftr_context *from)
{
    const uint32_t version = ftri_clock_version();
    struct ftr_context_block *block = from->block && from->block->user_finish ? from->block : NULL;
    struct ftri_slot *slot = ftri_slot_take(self);
    if (!slot) {
        ftri_count(&self->counters.no_slot, 1);
        return (ftr_span){0, 0};
    }
    ftri_store_routing(&slot->record, from->user.routing);
    if (!block && ftri_is_short(name) && version < FTRI_CLOCK_SYSTEM)
        return ftri_begin_short(self, slot, version, name, kind, &from->user);
    if (block)
        slot->at_end = FTRI_END_CALLS_BACK;
    return ftri_begin_any(self, slot, name, kind, &from->user, block);
}

static __attribute__((noinline)) ftr_span start_slow(ftr_str name, ftr_span_kind kind,
                                                     const ftr_context *from)
{
    struct ftri_thread *self = ready();
    return self ? begin(self, name, kind, from) : (ftr_span){0, 0};
}

ftr_span ftr_recording_user_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent)
{
    const ftr_context *from = parent ? parent : ftr_context_here;
    struct ftri_thread *self = ftri_thread_self[FTRI_USER];
    if (FTRI_UNLIKELY(from->block || !ftri_is_short(name)))
        return start_slow(name, kind, from);
    struct ftri_slot *slot = ftri_take_quickly(self, offsetof(struct ftri_thread, clock_word));
    if (FTRI_UNLIKELY(!slot))
        return start_slow(name, kind, from);
    ftri_store_routing(&slot->record, from->user.routing);
    return ftri_begin_short(self, slot, ftri_clock_word_now(), name, kind, &from->user);
}

/* A first time, or one that needs more than copying. */
static __attribute__((noinline)) ftr_span start_other_site(ftr_call_site *site,
                                                           const ftr_context *from)
{
    (void)ftri_site_enter(site);
    return start_slow(site->name, site->kind, from);
}

ftr_span ftr_recording_user_start_site(ftr_call_site *site, const ftr_context *parent)
{
    const uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    const ftr_context *from = parent ? parent : ftr_context_here;
    struct ftri_thread *self = ftri_thread_self[FTRI_USER];
    if (FTRI_UNLIKELY(from->block || number - 1 >= FTRI_INTERNED_LISTS_MAX))
        return start_other_site(site, from);
    struct ftri_slot *slot = ftri_take_quickly(self, offsetof(struct ftri_thread, clock_word));
    if (FTRI_UNLIKELY(!slot))
        return start_slow(site->name, site->kind, from);
    ftri_store_routing(&slot->record, from->user.routing);
    return ftri_begin_of_site(self, slot, site, number, &from->user);
}

/* ---- roots ---- */

static void refuse(struct ftri_thread *self, const char *why)
{
    static _Atomic uint64_t next_ns;
    const uint64_t now_ns = ftri_time_monotonic_ns();
    uint64_t due_ns = atomic_load(&next_ns);
    ftri_count(&self->counters.roots_dropped, 1);
    if (now_ns >= due_ns &&
        atomic_compare_exchange_strong(&next_ns, &due_ns, now_ns + FTRI_NS_PER_S))
        ftri_diagnose("a user trace is not recorded: %s", why);
}

/* 0: none, which is counted. */
static uint32_t number_of(struct ftri_thread *self, const ftr_routing *routing)
{
    struct ftri_routing_room room;
    const char *wrong = ftri_routing_ask(routing, &room);
    const uint32_t number = wrong ? 0 : ftri_routing_enter(&room.texts, ftri_time_monotonic_ns());
    if (number == 0)
        refuse(self, wrong ? wrong : "too many routings are in use, or memory is short");
    return number;
}

static bool has_ids(const ftr_span_context *span)
{
    return ftr_trace_id_is_valid(&span->trace_id) && ftr_span_id_is_valid(&span->span_id);
}

static ftr_span_context parent_of(const ftr_span_context *inbound, uint32_t routing)
{
    ftr_span_context parent;
    if (inbound && has_ids(inbound)) {
        parent = *inbound;
        parent.trace_flags |= FTR_TRACE_FLAG_SAMPLED;
        parent.is_remote = true;
    } else {
        ftri_new_trace(&parent);
    }
    parent.routing = routing;
    return parent;
}

ftr_span ftr_user_trace_start(ftr_str name, const ftr_routing *routing,
                              const ftr_span_context *inbound)
{
    struct ftri_thread *self = ready();
    const uint32_t number = self ? number_of(self, routing) : 0;
    if (number == 0)
        return (ftr_span){0, 0};
    const ftr_context from = {.user = parent_of(inbound, number), .block = ftr_context_here->block};
    ftri_user_starting *listener = atomic_load_explicit(&ftri_user_listener, memory_order_relaxed);
    if (listener)
        listener(&ftr_context_here->span.trace_id, &from.user.trace_id);
    return begin(self, name, FTR_KIND_SERVER, &from);
}

ftr_span ftr_user_trace_activate(ftr_str name, ftr_str header)
{
    ftr_user_control control;
    if (!ftr_user_control_parse(header, &control))
        return (ftr_span){0, 0};
    const ftr_routing routing = ftr_text_routing_of(&control.routing);
    return ftr_user_trace_start(name, &routing, control.has_inbound ? &control.inbound : NULL);
}

bool ftr_user_traceparent(char ret_text[FTR_TRACEPARENT_LEN + 1])
{
    return ftri_traceparent_write_all(&ftr_context_here->user, ret_text);
}

bool ftr_context_set_user_finish_callback(ftr_context *context, ftr_finish_callback callback,
                                          void *state)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    parts.user_finish = callback;
    parts.user_finish_state = callback ? state : NULL;
    return ftri_context_set_parts(context, &parts);
}

/* ---- both ---- */

ftr_dual_span ftr_dual_span_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent)
{
    return (ftr_dual_span){ftr_span_start(name, kind, parent),
                           ftr_user_span_start(name, kind, parent)};
}

void ftr_dual_span_end(ftr_dual_span span)
{
    ftr_span_end(span.user);
    ftr_span_end(span.system);
}

ftr_context ftr_dual_span_context_of(ftr_dual_span span)
{
    ftr_context context = ftr_span_context_of(span.system);
    struct ftri_open open;
    if (span.user.generation != 0 && ftri_span_open(span.user, &open))
        ftri_open_show(&open.slot->record, &context.user);
    return context;
}
