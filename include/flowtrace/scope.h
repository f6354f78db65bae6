/* SPDX-License-Identifier: Apache-2.0
 *
 * The second door to recording: a span that is current until its block is left, and values that
 * are worked out only when the span records. What is recorded is what the functions of span.h
 * record.
 *
 *     void load(const char *path)
 *     {
 *         FTR_SPAN(loading, "load");
 *         FTR_SPAN_SET(loading, "file.path", path);
 *         FTR_SPAN_SET(loading, "rows", count_rows(path)); // not counted when nobody records
 *     }
 *
 * A scope macro declares one static const call site and one variable named by its argument; C
 * leaves it through the cleanup attribute (gcc, clang), C++ through a destructor, so return, break,
 * goto and exceptions end the span too. Scopes nest like blocks and stay on their thread. What has
 * to go on elsewhere is carried as an ftr_context; a coroutine that may be suspended keeps an
 * ftr_span and its context, and attaches that each time it is resumed. Nothing here fails. */
#ifndef FLOWTRACE_SCOPE_H
#define FLOWTRACE_SCOPE_H

#include <flowtrace/context.h>
#include <flowtrace/span.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where in the source a span is started, and what is the same for all spans of that place. Lives
 * as long as the program, or the module that has been loaded. */
typedef struct ftr_call_site {
    ftr_str name; /* of the spans */
    ftr_span_kind kind;
    uint32_t line;
    const char *file;
    const char *function;
} ftr_call_site;

/* A span and the attachment that made it current. */
typedef struct ftr_scope {
    ftr_span span;
    ftr_attachment attachment;
} ftr_scope;

/* What the inline functions below call when there is something to do. */
FTR_API ftr_scope ftr_recording_enter(const ftr_call_site *site, const ftr_context *parent);
FTR_API void ftr_recording_leave(ftr_scope scope);

/* Starts a span below `parent` (NULL: the thread's current context) and makes it current. */
FTR_INLINE ftr_scope ftr_scope_enter(const ftr_call_site *site, const ftr_context *parent)
{
    if (__atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) != 0)
        return ftr_recording_enter(site, parent);
    const ftr_scope none = {{0, 0}, {0}};
    return none;
}

/* Makes current what was before and ends the span. */
FTR_INLINE void ftr_scope_leave(ftr_scope *scope)
{
    if (scope->span.generation != 0 || (int64_t)scope->span.handle > 0)
        ftr_recording_leave(*scope);
}

FTR_INLINE void ftr_attached_leave(ftr_attachment *attachment)
{
    if (attachment->id != 0)
        ftr_detach(*attachment);
}

#ifdef __cplusplus
}
#endif

/* Evaluates to whether what is set on a scope's span goes somewhere. */
#define FTR_SPAN_RECORDS(scope) ((scope).span.generation != 0)

/* One attribute. The key is a literal; the value a bool, a number (from 2^63 on as decimal text), a
 * NUL-terminated text, an ftr_str or an ftr_value; in C++ also what has data() and size(). */
#define FTR_SPAN_SET(scope, key_literal, value)                                                    \
    do {                                                                                           \
        if (FTR_SPAN_RECORDS(scope))                                                               \
            FTR_SCOPE_SET((scope).span, FTR_STR(key_literal), value);                              \
    } while (0)

#define FTR_SPAN_EVENT(scope, name_literal)                                                        \
    ftr_span_event((scope).span, FTR_STR(name_literal), NULL, 0)

/* An event with attributes, each of them { key, value }:
 *     FTR_SPAN_EVENT_WITH(loading, "retry", {FTR_STR("attempt"), ftr_value_i64(n)}) */
#define FTR_SPAN_EVENT_WITH(scope, name_literal, ...)                                              \
    do {                                                                                           \
        if (FTR_SPAN_RECORDS(scope))                                                               \
            FTR_SCOPE_EVENT((scope).span, FTR_STR(name_literal), __VA_ARGS__);                     \
    } while (0)

/* The description is an ftr_str. */
#define FTR_SPAN_STATUS(scope, status, description)                                                \
    do {                                                                                           \
        if (FTR_SPAN_RECORDS(scope))                                                               \
            ftr_recording_set_status((scope).span, status, description);                           \
    } while (0)

/* A span of the block it stands in, below the current context. */
#define FTR_SPAN(scope, name_literal) FTR_SPAN_BELOW(scope, name_literal, FTR_KIND_INTERNAL, NULL)

#define FTR_CALL_SITE(scope, name_literal, kind)                                                   \
    static const ftr_call_site scope##_site = {                                                    \
        {"" name_literal, sizeof(name_literal) - 1}, kind, __LINE__, __FILE__, __func__}

#ifdef __cplusplus

struct ftr_scope_guard : ftr_scope {
    ftr_scope_guard(const ftr_call_site *site, const ftr_context *parent)
        : ftr_scope(ftr_scope_enter(site, parent))
    {
    }
    ~ftr_scope_guard()
    {
        ftr_scope_leave(this);
    }
    ftr_scope_guard(const ftr_scope_guard &) = delete;
    ftr_scope_guard &operator=(const ftr_scope_guard &) = delete;
};

struct ftr_attached_guard : ftr_attachment {
    explicit ftr_attached_guard(const ftr_context *context) : ftr_attachment(ftr_attach(context))
    {
    }
    ~ftr_attached_guard()
    {
        ftr_attached_leave(this);
    }
    ftr_attached_guard(const ftr_attached_guard &) = delete;
    ftr_attached_guard &operator=(const ftr_attached_guard &) = delete;
};

/* A span of the block it stands in, of a kind, below `parent` (NULL: the current context). */
#define FTR_SPAN_BELOW(scope, name_literal, kind, parent)                                          \
    FTR_CALL_SITE(scope, name_literal, kind);                                                      \
    const ftr_scope_guard scope(&scope##_site, parent)

/* A context that is current until the block is left. */
#define FTR_ATTACHED(guard, context) const ftr_attached_guard guard(context)

#define FTR_SCOPE_SET(span, key, value) ftr_scope_set(span, key, value)
#define FTR_SCOPE_EVENT(span, name, ...) ftr_scope_event(span, name, {__VA_ARGS__})

inline void ftr_scope_set(ftr_span span, ftr_str key, bool value)
{
    ftr_span_set_bool(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, int value)
{
    ftr_span_set_i64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, long value)
{
    ftr_span_set_i64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, long long value)
{
    ftr_span_set_i64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, unsigned value)
{
    ftr_span_set_i64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, unsigned long value)
{
    ftr_span_set_u64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, unsigned long long value)
{
    ftr_span_set_u64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, double value)
{
    ftr_span_set_f64(span, key, value);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, const char *text)
{
    ftr_span_set_text(span, key, text);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, char *text)
{
    ftr_span_set_text(span, key, text);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, ftr_str text)
{
    ftr_span_set_str(span, key, text);
}
inline void ftr_scope_set(ftr_span span, ftr_str key, const ftr_value &value)
{
    ftr_span_set(span, key, &value);
}
template <class Text>
inline auto ftr_scope_set(ftr_span span, ftr_str key, const Text &text)
    -> decltype((void)ftr_str{text.data(), text.size()})
{
    ftr_span_set_str(span, key, ftr_str{text.data(), text.size()});
}
/* Other pointers would count as bool. */
template <class Other> void ftr_scope_set(ftr_span span, ftr_str key, Other *pointer) = delete;

template <size_t n>
inline void ftr_scope_event(ftr_span span, ftr_str name, const ftr_attribute (&attributes)[n])
{
    ftr_span_event(span, name, attributes, n);
}

#else

#define FTR_SPAN_BELOW(scope, name_literal, kind, parent)                                          \
    FTR_CALL_SITE(scope, name_literal, kind);                                                      \
    ftr_scope scope __attribute__((cleanup(ftr_scope_leave))) =                                    \
        ftr_scope_enter(&scope##_site, parent)

#define FTR_ATTACHED(guard, context)                                                               \
    ftr_attachment guard __attribute__((cleanup(ftr_attached_leave))) = ftr_attach(context)

/* The selected function is called with the value, which is not evaluated otherwise. */
#define FTR_SCOPE_SET(span, key, value)                                                            \
    _Generic((value),                                                                              \
        bool: ftr_span_set_bool,                                                                   \
        char: ftr_span_set_i64,                                                                    \
        signed char: ftr_span_set_i64,                                                             \
        unsigned char: ftr_span_set_i64,                                                           \
        short: ftr_span_set_i64,                                                                   \
        unsigned short: ftr_span_set_i64,                                                          \
        int: ftr_span_set_i64,                                                                     \
        unsigned: ftr_span_set_i64,                                                                \
        long: ftr_span_set_i64,                                                                    \
        long long: ftr_span_set_i64,                                                               \
        unsigned long: ftr_span_set_u64,                                                           \
        unsigned long long: ftr_span_set_u64,                                                      \
        float: ftr_span_set_f64,                                                                   \
        double: ftr_span_set_f64,                                                                  \
        char *: ftr_span_set_text,                                                                 \
        const char *: ftr_span_set_text,                                                           \
        ftr_str: ftr_span_set_str,                                                                 \
        ftr_value: ftr_span_set_value)(span, key, value)

#define FTR_SCOPE_EVENT(span, name, ...)                                                           \
    ftr_span_event(span, name, (const ftr_attribute[]){__VA_ARGS__},                               \
                   sizeof((const ftr_attribute[]){__VA_ARGS__}) / sizeof(ftr_attribute))

#endif

#endif
