/* SPDX-License-Identifier: Apache-2.0
 *
 * What scope macros do below a user root: the twins of scope.c, and spans in both pipelines that
 * become current together. Where a call stands in the program is the operator's business: user
 * spans do not tell it. */
#include <flowtrace/user_scope.h>

#include "trace/current.h"
#include "trace/span.h"

extern inline ftr_user_scope ftr_user_scope_enter(ftr_call_site *site, const ftr_context *parent);
extern inline void ftr_user_scope_leave(ftr_user_scope *scope);
extern inline ftr_dual_scope ftr_dual_scope_enter(ftr_call_site *site, const ftr_context *parent);
extern inline void ftr_dual_scope_leave(ftr_dual_scope *scope);

/* The calling thread's open span; NULL: it does not record. */
static FTRI_ALWAYS_INLINE const struct ftri_slot *slot_of(ftr_span span,
                                                          enum ftri_pipeline pipeline)
{
    return span.generation != 0 ? ftri_own_slot(ftri_thread_self[pipeline], span) : NULL;
}

static FTRI_ALWAYS_INLINE ftr_attachment attach(ftr_span span)
{
    const struct ftri_slot *slot = slot_of(span, FTRI_USER);
    return FTRI_LIKELY(slot != NULL) ? ftri_attach_user(&slot->record) : (ftr_attachment){0};
}

/* The rest of the context is the parent's, too. */
static __attribute__((noinline)) ftr_attachment attach_below(ftr_span span,
                                                             const ftr_context *parent)
{
    const struct ftri_slot *slot = slot_of(span, FTRI_USER);
    ftr_context context = ftr_context_copy(parent);
    if (slot)
        context.user = ftri_user_span_of(&slot->record);
    return ftri_attach_owned(&context);
}

ftr_user_scope ftr_recording_user_enter(ftr_call_site *site, const ftr_context *parent)
{
    ftr_user_scope scope = {ftr_recording_user_start_site(site, parent), {0}};
    scope.attachment =
        FTRI_UNLIKELY(parent != NULL) ? attach_below(scope.user, parent) : attach(scope.user);
    return scope;
}

ftr_user_scope ftr_user_trace_enter(ftr_call_site *site, const ftr_routing *routing,
                                    const ftr_span_context *inbound)
{
    ftr_user_scope scope = {ftr_user_trace_start(site->name, routing, inbound), {0}};
    scope.attachment = attach(scope.user);
    return scope;
}

/* One of the two does not record. What a system span that does not passes on, or what is around it.
 */
static __attribute__((noinline)) ftr_attachment attach_one(ftr_dual_scope scope,
                                                           const ftr_context *parent)
{
    if (scope.span.generation == 0 && (int64_t)scope.span.handle <= 0)
        return parent ? attach_below(scope.user, parent) : attach(scope.user);
    ftr_context context = ftr_span_context_of(scope.span);
    const struct ftri_slot *slot = slot_of(scope.user, FTRI_USER);
    if (slot)
        context.user = ftri_user_span_of(&slot->record);
    else if (parent)
        context.user = parent->user;
    return ftri_attach_owned(&context);
}

/* Both are the calling thread's, and open. */
static FTRI_ALWAYS_INLINE ftr_attachment attach_both(const struct ftri_slot *system,
                                                     const struct ftri_slot *user)
{
    const ftr_attachment attachment = ftri_attach_open(&system->record);
    if (FTRI_LIKELY(attachment.id != 0))
        ftri_frame_current()->context.user = ftri_user_span_of(&user->record);
    return attachment;
}

ftr_dual_scope ftr_recording_dual_enter(ftr_call_site *site, const ftr_context *parent)
{
    ftr_dual_scope scope = {
        ftr_span_start_site(site, parent), ftr_recording_user_start_site(site, parent), {0}};
    const struct ftri_slot *system = slot_of(scope.span, FTRI_SYSTEM);
    const struct ftri_slot *user = slot_of(scope.user, FTRI_USER);
    scope.attachment =
        FTRI_LIKELY(system && user) ? attach_both(system, user) : attach_one(scope, parent);
    if (FTRI_UNLIKELY(ftri_thread_settings.records_call_sites))
        ftri_say_where(scope.span, site);
    return scope;
}

void ftr_recording_dual_leave(ftr_dual_scope scope)
{
    ftr_attached_leave(&scope.attachment);
    ftr_span_end(scope.user);
    ftr_span_end(scope.span);
}
