/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a span of a call site in the quickest way, for scopes: what it begins in is at hand
 * afterwards, and nothing is called. Used once a place, since it is inline. */
#pragma once

#include "trace/begin.h"
#include "trace/current.h"

/* The span that was begun in this slot, which is the calling thread's. */
static inline ftr_span ftri_span_in(const struct ftri_slot *slot)
{
    return (ftr_span){slot->handle, atomic_load_explicit(&slot->generation, memory_order_relaxed)};
}

/* A child of the current context, which is plain; NULL: start it in another way. */
static FTRI_ALWAYS_INLINE struct ftri_slot *ftri_start_site_quickly(const ftr_call_site *site)
{
    const uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    const struct ftri_frame *frame = ftri_frame_current();
    if (FTRI_UNLIKELY(!frame->is_plain || number - 1 >= FTRI_INTERNED_LISTS_MAX ||
                      ftri_thread_settings.records_call_sites))
        return NULL;
    struct ftri_thread *self = ftri_thread_self[FTRI_SYSTEM];
    struct ftri_slot *slot = ftri_take_quickly(self, offsetof(struct ftri_thread, clock_word));
    if (FTRI_LIKELY(slot != NULL))
        (void)ftri_begin_of_site(self, slot, site, number, &frame->context.span);
    return slot;
}

/* The same of a user span below the current one, from that moment on. */
static FTRI_ALWAYS_INLINE struct ftri_slot *
ftri_start_user_site_quickly_at(const ftr_call_site *site, uint64_t stamp)
{
    const uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    const ftr_context *from = ftr_context_here;
    struct ftri_thread *self = ftri_thread_self[FTRI_USER];
    if (FTRI_UNLIKELY(from->block || number - 1 >= FTRI_INTERNED_LISTS_MAX))
        return NULL;
    struct ftri_slot *slot = ftri_take_quickly(self, offsetof(struct ftri_thread, clock_word));
    if (FTRI_UNLIKELY(!slot))
        return NULL;
    ftri_store_routing(&slot->record, from->user.routing);
    ftri_prepare_of_site(self, slot, site, number, &from->user);
    (void)ftri_publish_slot_at(slot, stamp);
    return slot;
}
