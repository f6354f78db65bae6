/* SPDX-License-Identifier: Apache-2.0
 *
 * What scope macros do when the library records: start and attach, detach and end. A span that
 * shares its parent's context (not sampled) has nothing to attach. */
#include <flowtrace/scope.h>

#include "trace/current.h"

extern inline ftr_scope ftr_scope_enter(const ftr_call_site *site, const ftr_context *parent);
extern inline void ftr_scope_leave(ftr_scope *scope);
extern inline void ftr_attached_leave(ftr_attachment *attachment);

ftr_scope ftr_recording_enter(const ftr_call_site *site, const ftr_context *parent)
{
    ftr_scope scope = {ftr_recording_start(site->name, site->kind, parent), {0}};
    if (scope.span.generation == 0 && (int64_t)scope.span.handle <= 0)
        return scope;
    ftr_context context = ftr_span_context_of(scope.span);
    scope.attachment = ftri_attach_owned(&context);
    return scope;
}

void ftr_recording_leave(ftr_scope scope)
{
    ftr_attached_leave(&scope.attachment);
    ftr_recording_end(scope.span);
}
