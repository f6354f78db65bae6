/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope macros for user spans and for spans in both pipelines; see scope.h, of which these are the
 * twins. What is set on the customer's span has macros of its own, so that nothing meant for the
 * operator gets there by a slip: FTR_SPAN_SET does not compile on a user scope.
 *
 *     FTR_USER_TRACE(request, "GET /", &routing, NULL);
 *     {
 *         FTR_DUAL_SPAN(lookup, "lookup");
 *         FTR_SPAN_SET(lookup, "shard", shard);                (the operator's)
 *         FTR_USER_SPAN_SET(lookup, "cache", "hit");           (the customer's)
 *     }
 *
 * Without a user root they do nothing and evaluate no value; the system half of a dual span is then
 * a span like any other. */
#ifndef FLOWTRACE_USER_SCOPE_H
#define FLOWTRACE_USER_SCOPE_H

#include <flowtrace/scope.h>
#include <flowtrace/user.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_user_scope {
    ftr_span user;
    ftr_attachment attachment;
} ftr_user_scope;

/* Both spans are current with one attachment; most begin at one moment, and so they end. */
typedef struct ftr_dual_scope {
    ftr_span span; /* of the system */
    ftr_span user;
    ftr_attachment attachment;
} ftr_dual_scope;

/* What the inline functions below call when there is a user span above. */
FTR_API ftr_user_scope ftr_recording_user_enter(ftr_call_site *site, const ftr_context *parent);
FTR_API ftr_dual_scope ftr_recording_dual_enter(ftr_call_site *site, const ftr_context *parent);
FTR_API void ftr_recording_dual_leave(ftr_span span, ftr_span user, ftr_attachment attachment);
FTR_API ftr_user_scope ftr_user_trace_enter(ftr_call_site *site, const ftr_routing *routing,
                                            const ftr_span_context *inbound);

FTR_INLINE ftr_user_scope ftr_user_scope_enter(ftr_call_site *site, const ftr_context *parent)
{
    const ftr_user_scope none = {{0, 0}, {0}};
    return ftr_user_is_active(parent) ? ftr_recording_user_enter(site, parent) : none;
}

FTR_INLINE void ftr_user_scope_leave(ftr_user_scope *scope)
{
    ftr_attached_leave(&scope->attachment);
    ftr_span_end(scope->user);
}

FTR_INLINE ftr_dual_scope ftr_dual_scope_enter(ftr_call_site *site, const ftr_context *parent)
{
    ftr_dual_scope scope = {{0, 0}, {0, 0}, {0}};
    if (ftr_user_is_active(parent))
        return ftr_recording_dual_enter(site, parent);
    const ftr_scope alone = ftr_scope_enter(site, parent);
    scope.span = alone.span;
    scope.attachment = alone.attachment;
    return scope;
}

FTR_INLINE void ftr_dual_scope_leave(ftr_dual_scope *scope)
{
    ftr_scope alone = {scope->span, scope->attachment};
    if (scope->user.generation != 0)
        ftr_recording_dual_leave(scope->span, scope->user, scope->attachment);
    else
        ftr_scope_leave(&alone);
}

#ifdef __cplusplus
}
#endif

/* Evaluates to whether what is set on a scope's user span goes somewhere. */
#define FTR_USER_SPAN_RECORDS(scope) FTR_RECORDS((scope).user)

/* The twins of FTR_SPAN_SET and others; on user scopes and on dual ones. */
#define FTR_USER_SPAN_SET(scope, key_literal, value) FTR_SET_ON((scope).user, key_literal, value)
#define FTR_USER_SPAN_SET_ALL(scope, ...) FTR_SET_ALL_ON((scope).user, __VA_ARGS__)
#define FTR_USER_SPAN_EVENT(scope, name_literal)                                                   \
    ftr_span_event((scope).user, FTR_STR(name_literal), NULL, 0)
#define FTR_USER_SPAN_EVENT_WITH(scope, name_literal, ...)                                         \
    FTR_EVENT_WITH_ON((scope).user, name_literal, __VA_ARGS__)
#define FTR_USER_SPAN_STATUS(scope, status, description)                                           \
    FTR_STATUS_ON((scope).user, status, description)

/* A user span of the block it stands in, below the current user span. */
#define FTR_USER_SPAN(scope, name_literal)                                                         \
    FTR_USER_SPAN_BELOW(scope, name_literal, FTR_KIND_INTERNAL, NULL)
#define FTR_USER_SPAN_BELOW(scope, name_literal, kind, parent)                                     \
    FTR_CALL_SITE(scope, name_literal, kind);                                                      \
    FTR_USER_SCOPE_OF(scope, ftr_user_scope_enter(&scope##_site, parent))
/* One of the whole function, called like it. */
#define FTR_USER_FUNCTION(scope)                                                                   \
    FTR_FUNCTION_SITE(scope);                                                                      \
    FTR_USER_SCOPE_OF(scope, ftr_user_scope_enter(&scope##_site, NULL))

/* The root of a user trace, as long as the block: see ftr_user_trace_start. */
#define FTR_USER_TRACE(scope, name_literal, routing, inbound)                                      \
    FTR_CALL_SITE(scope, name_literal, FTR_KIND_SERVER);                                           \
    FTR_USER_SCOPE_OF(scope, ftr_user_trace_enter(&scope##_site, routing, inbound))

/* A span in each pipeline. */
#define FTR_DUAL_SPAN(scope, name_literal)                                                         \
    FTR_DUAL_SPAN_BELOW(scope, name_literal, FTR_KIND_INTERNAL, NULL)
#define FTR_DUAL_SPAN_BELOW(scope, name_literal, kind, parent)                                     \
    FTR_CALL_SITE(scope, name_literal, kind);                                                      \
    FTR_DUAL_SCOPE_OF(scope, parent)
#define FTR_DUAL_FUNCTION(scope)                                                                   \
    FTR_FUNCTION_SITE(scope);                                                                      \
    FTR_DUAL_SCOPE_OF(scope, NULL)

#ifdef __cplusplus

struct ftr_user_scope_guard : ftr_user_scope {
    explicit ftr_user_scope_guard(const ftr_user_scope &entered) : ftr_user_scope(entered)
    {
    }
    ~ftr_user_scope_guard()
    {
        ftr_user_scope_leave(this);
    }
    ftr_user_scope_guard(const ftr_user_scope_guard &) = delete;
    ftr_user_scope_guard &operator=(const ftr_user_scope_guard &) = delete;
};

struct ftr_dual_scope_guard : ftr_dual_scope {
    ftr_dual_scope_guard(ftr_call_site *site, const ftr_context *parent)
        : ftr_dual_scope(ftr_dual_scope_enter(site, parent))
    {
    }
    ~ftr_dual_scope_guard()
    {
        ftr_dual_scope_leave(this);
    }
    ftr_dual_scope_guard(const ftr_dual_scope_guard &) = delete;
    ftr_dual_scope_guard &operator=(const ftr_dual_scope_guard &) = delete;
};

#define FTR_USER_SCOPE_OF(scope, entered) const ftr_user_scope_guard scope(entered)
#define FTR_DUAL_SCOPE_OF(scope, parent) const ftr_dual_scope_guard scope(&scope##_site, parent)

#else

#define FTR_USER_SCOPE_OF(scope, entered)                                                          \
    ftr_user_scope scope __attribute__((cleanup(ftr_user_scope_leave))) = entered
#define FTR_DUAL_SCOPE_OF(scope, parent)                                                           \
    ftr_dual_scope scope __attribute__((cleanup(ftr_dual_scope_leave))) =                          \
        ftr_dual_scope_enter(&scope##_site, parent)

#endif

#endif
