/* SPDX-License-Identifier: Apache-2.0
 *
 * What scope macros do below a user root: the twins of scope.c, and spans in both pipelines that
 * become current together. Where a call stands in the program is the operator's business: user
 * spans do not tell it. */
#include <flowtrace/user_scope.h>

#include "trace/current.h"
#include "trace/site_start.h"
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
        ftri_open_show(&slot->record, &context.user);
    return ftri_attach_owned(&context);
}

ftr_user_scope ftr_recording_user_enter(ftr_call_site *site, const ftr_context *parent)
{
    const ftr_span user = ftr_recording_user_start_site(site, parent);
    ftr_user_scope scope;
    scope.attachment = FTRI_UNLIKELY(parent != NULL) ? attach_below(user, parent) : attach(user);
    ftri_store_span(&scope.user, user);
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
static __attribute__((noinline)) ftr_attachment attach_one(ftr_span span, ftr_span user_span,
                                                           const ftr_context *parent)
{
    if (span.generation == 0 && (int64_t)span.handle <= 0)
        return parent ? attach_below(user_span, parent) : attach(user_span);
    ftr_context context = ftr_span_context_of(span);
    const struct ftri_slot *slot = slot_of(user_span, FTRI_USER);
    if (slot)
        ftri_open_show(&slot->record, &context.user);
    else if (parent)
        context.user = parent->user;
    return ftri_attach_owned(&context);
}

static __attribute__((noinline)) ftr_attachment attach_both(ftr_span span, ftr_span user_span,
                                                            const ftr_context *parent)
{
    const struct ftri_slot *system = slot_of(span, FTRI_SYSTEM);
    const struct ftri_slot *user = slot_of(user_span, FTRI_USER);
    if (FTRI_UNLIKELY(!system || !user))
        return attach_one(span, user_span, parent);
    return ftri_attach_both(&system->record, &user->record);
}

static FTRI_ALWAYS_INLINE ftr_dual_scope scope_of(ftr_span span, ftr_span user,
                                                  ftr_attachment attachment)
{
    ftr_dual_scope scope;
    ftri_store_span(&scope.span, span);
    ftri_store_span(&scope.user, user);
    scope.attachment = attachment;
    return scope;
}

/* The user half below, after the system's. */
static __attribute__((noinline)) ftr_dual_scope enter_other_half(ftr_span span, ftr_call_site *site,
                                                                 const ftr_context *parent)
{
    const ftr_span user = ftr_recording_user_start_site(site, parent);
    return scope_of(span, user, attach_both(span, user, parent));
}

static __attribute__((noinline)) ftr_dual_scope enter_in_steps(ftr_call_site *site,
                                                               const ftr_context *parent)
{
    const ftr_span span = ftr_span_start_site(site, parent);
    const ftr_dual_scope scope = enter_other_half(span, site, parent);
    if (FTRI_UNLIKELY(ftri_thread_settings.records_call_sites))
        ftri_say_where(span, site);
    return scope;
}

ftr_dual_scope ftr_recording_dual_enter(ftr_call_site *site, const ftr_context *parent)
{
    const struct ftri_slot *system = parent ? NULL : ftri_start_site_quickly(site);
    if (FTRI_UNLIKELY(!system))
        return enter_in_steps(site, parent);
    const struct ftri_slot *user = ftri_start_user_site_quickly_at(site, system->record.start);
    if (FTRI_UNLIKELY(!user))
        return enter_other_half(ftri_span_in(system), site, NULL);
    return scope_of(ftri_span_in(system), ftri_span_in(user),
                    ftri_attach_both(&system->record, &user->record));
}

void ftr_recording_dual_leave(ftr_span span, ftr_span user, ftr_attachment attachment)
{
    ftr_attached_leave(&attachment);
    ftri_end_both(span, user);
}
