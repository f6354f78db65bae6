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

static ftr_user_scope enter(ftr_span span, const ftr_context *around)
{
    ftr_user_scope scope = {span, {0}};
    const struct ftri_slot *slot = slot_of(span, FTRI_USER);
    if (slot) {
        const ftr_span_context user = ftri_user_span_of(&slot->record);
        scope.attachment = ftri_attach_user(around, &user);
    }
    return scope;
}

ftr_user_scope ftr_recording_user_enter(ftr_call_site *site, const ftr_context *parent)
{
    return enter(ftr_recording_user_start_site(site, parent), parent ? parent : ftr_context_here);
}

ftr_user_scope ftr_user_trace_enter(ftr_call_site *site, const ftr_routing *routing,
                                    const ftr_span_context *inbound)
{
    return enter(ftr_user_trace_start(site->name, routing, inbound), ftr_context_here);
}

/* Of a system span that does not record: what it passes on, or what is around it. */
static __attribute__((noinline)) ftr_attachment
attach_unsampled(ftr_span span, const ftr_context *around, const ftr_span_context *user)
{
    if ((int64_t)span.handle <= 0)
        return ftri_attach_user(around, user);
    ftr_context context = ftr_span_context_of(span);
    context.user = *user;
    return ftri_attach_owned(&context);
}

ftr_dual_scope ftr_recording_dual_enter(ftr_call_site *site, const ftr_context *parent)
{
    const ftr_context *around = parent ? parent : ftr_context_here;
    ftr_dual_scope scope = {
        ftr_span_start_site(site, parent), ftr_recording_user_start_site(site, parent), {0}};
    const struct ftri_slot *system = slot_of(scope.span, FTRI_SYSTEM);
    const struct ftri_slot *slot = slot_of(scope.user, FTRI_USER);
    const ftr_span_context user = slot ? ftri_user_span_of(&slot->record) : around->user;
    if (!system) {
        scope.attachment = attach_unsampled(scope.span, around, &user);
        return scope;
    }
    scope.attachment = ftri_attach_open(&system->record);
    if (scope.attachment.id != 0)
        ftri_frame_current()->context.user = user;
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
