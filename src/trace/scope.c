/* SPDX-License-Identifier: Apache-2.0
 *
 * What scope macros do when the library records: start and attach, detach and end. A span that
 * shares its parent's context (not sampled) has nothing to attach. */
#include <flowtrace/scope.h>

#include "trace/current.h"
#include "trace/site_start.h"
#include "trace/span.h"

extern inline ftr_scope ftr_scope_enter(ftr_call_site *site, const ftr_context *parent);
extern inline void ftr_scope_leave(ftr_scope *scope);
extern inline void ftr_attached_leave(ftr_attachment *attachment);

/* By the names of OpenTelemetry's semantic conventions. */
__attribute__((noinline)) void ftri_say_where(ftr_span span, const ftr_call_site *site)
{
    ftr_span_set_text(span, FTR_STR("code.file.path"), site->file);
    ftr_span_set_i64(span, FTR_STR("code.line.number"), site->line);
    ftr_span_set_text(span, FTR_STR("code.function.name"), site->function);
}

static __attribute__((noinline)) ftr_attachment attach_unsampled(ftr_span span)
{
    ftr_context context = ftr_span_context_of(span);
    return ftri_attach_owned(&context);
}

static FTRI_ALWAYS_INLINE ftr_attachment attach(ftr_span span)
{
    const struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
    if (FTRI_LIKELY(slot && span.generation != 0))
        return ftri_attach_open(&slot->record);
    return (int64_t)span.handle > 0 ? attach_unsampled(span) : (ftr_attachment){0};
}

static FTRI_ALWAYS_INLINE ftr_scope scope_of(ftr_span span, ftr_attachment attachment)
{
    ftr_scope scope;
    ftri_store_span(&scope.span, span);
    scope.attachment = attachment;
    return scope;
}

static FTRI_ALWAYS_INLINE ftr_scope enter(ftr_call_site *site, const ftr_context *parent)
{
    const ftr_span span = ftr_recording_start_site(site, parent);
    const ftr_attachment attachment = attach(span);
    if (FTRI_UNLIKELY(ftri_thread_settings.records_call_sites))
        ftri_say_where(span, site);
    return scope_of(span, attachment);
}

/* The user span is the parent's, too. */
ftr_scope ftr_recording_enter_below(ftr_call_site *site, const ftr_context *parent)
{
    const ftr_scope scope = enter(site, parent);
    if (scope.attachment.id != 0)
        ftri_frame_current()->context.user = parent->user;
    return scope;
}

static __attribute__((noinline)) ftr_scope enter_in_steps(ftr_call_site *site)
{
    return enter(site, NULL);
}

ftr_scope ftr_recording_enter(ftr_call_site *site)
{
    const struct ftri_slot *slot = ftri_start_site_quickly(site);
    if (FTRI_UNLIKELY(!slot))
        return enter_in_steps(site);
    return scope_of(ftri_span_in(slot), ftri_attach_open(&slot->record));
}

void ftr_recording_leave(ftr_span span, ftr_attachment attachment)
{
    ftr_attached_leave(&attachment);
    ftr_recording_end(span);
}
