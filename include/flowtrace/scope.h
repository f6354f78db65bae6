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

/* A span and the attachment that made it current. */
typedef struct ftr_scope {
    ftr_span span;
    ftr_attachment attachment;
} ftr_scope;

/* What the inline functions below call when there is something to do. */
FTR_API ftr_scope ftr_recording_enter(ftr_call_site *site);
FTR_API ftr_scope ftr_recording_enter_below(ftr_call_site *site, const ftr_context *parent);
FTR_API void ftr_recording_leave(ftr_span span, ftr_attachment attachment);

/* Starts a span below `parent` (NULL: the thread's current context) and makes it current. */
FTR_INLINE ftr_scope ftr_scope_enter(ftr_call_site *site, const ftr_context *parent)
{
    ftr_scope scope = {{0, 0}, {0}};
    const uint32_t word = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    if (word == 0)
        return scope;
    if (parent)
        return ftr_recording_enter_below(site, parent);
    if (ftr_unsampled_child.session != word)
        return ftr_recording_enter(site);
    scope.span.handle = ftr_unsampled_child.handle;
    return scope;
}

/* Room for the digits of a number that is too large for an attribute; see ftr_span_set_u64. */
typedef struct ftr_digits {
    char text[24];
} ftr_digits;

/* The value of a number beyond int64_t: text in ret_digits. */
FTR_API ftr_value ftr_value_large(uint64_t number, ftr_digits *ret_digits);

FTR_INLINE ftr_value ftr_value_u64(uint64_t number, ftr_digits *ret_digits)
{
    return number <= INT64_MAX ? ftr_value_i64((int64_t)number)
                               : ftr_value_large(number, ret_digits);
}

/* Makes current what was before and ends the span. */
FTR_INLINE void ftr_scope_leave(ftr_scope *scope)
{
    if (scope->span.generation != 0 || (int64_t)scope->span.handle > 0)
        ftr_recording_leave(scope->span, scope->attachment);
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
#define FTR_SPAN_RECORDS(scope) FTR_RECORDS((scope).span)
#define FTR_RECORDS(opened) ((opened).generation != 0)

/* One attribute. The key is a literal; the value a bool, a number (from 2^63 on as decimal text), a
 * NUL-terminated text, an ftr_str or an ftr_value; in C++ also what has data() and size(). */
#define FTR_SPAN_SET(scope, key_literal, value) FTR_SET_ON((scope).span, key_literal, value)
#define FTR_SET_ON(opened, key_literal, value)                                                     \
    do {                                                                                           \
        if (FTR_RECORDS(opened))                                                                   \
            FTR_SCOPE_SET(opened, FTR_STR(key_literal), value);                                    \
    } while (0)

/* Up to 12 attributes in one go, which costs a fraction of one after the other; like FTR_SPAN_SET:
 *     FTR_SPAN_SET_ALL(loading, "file.path", path, "rows", n, "cached", true) */
#define FTR_SPAN_SET_ALL(scope, ...) FTR_SET_ALL_ON((scope).span, __VA_ARGS__)
#define FTR_SET_ALL_ON(opened, ...)                                                                \
    do {                                                                                           \
        if (FTR_RECORDS(opened)) {                                                                 \
            static const ftr_str ftr_names_[] = {FTR_PAIRS(FTR_KEYS_, __VA_ARGS__)};               \
            static ftr_keys ftr_keys_ = {0, sizeof ftr_names_ / sizeof *ftr_names_, ftr_names_};   \
            ftr_digits ftr_digits_[sizeof ftr_names_ / sizeof *ftr_names_];                        \
            (void)ftr_digits_;                                                                     \
            FTR_SCOPE_SET_ALL(opened, &ftr_keys_, FTR_PAIRS(FTR_VALUES_, __VA_ARGS__));            \
        }                                                                                          \
    } while (0)

#define FTR_SPAN_EVENT(scope, name_literal)                                                        \
    ftr_span_event((scope).span, FTR_STR(name_literal), NULL, 0)

/* An event with attributes, each of them { key, value }:
 *     FTR_SPAN_EVENT_WITH(loading, "retry", {FTR_STR("attempt"), ftr_value_i64(n)}) */
#define FTR_SPAN_EVENT_WITH(scope, name_literal, ...)                                              \
    FTR_EVENT_WITH_ON((scope).span, name_literal, __VA_ARGS__)
#define FTR_EVENT_WITH_ON(opened, name_literal, ...)                                               \
    do {                                                                                           \
        if (FTR_RECORDS(opened))                                                                   \
            FTR_SCOPE_EVENT(opened, FTR_STR(name_literal), __VA_ARGS__);                           \
    } while (0)

/* The description is an ftr_str. */
#define FTR_SPAN_STATUS(scope, status, description) FTR_STATUS_ON((scope).span, status, description)
#define FTR_STATUS_ON(opened, status, description)                                                 \
    do {                                                                                           \
        if (FTR_RECORDS(opened))                                                                   \
            ftr_recording_set_status(opened, status, description);                                 \
    } while (0)

/* A span of the block it stands in, below the current context. */
#define FTR_SPAN(scope, name_literal) FTR_SPAN_BELOW(scope, name_literal, FTR_KIND_INTERNAL, NULL)

/* A span of the whole function, called like it: its first statement. */
#define FTR_FUNCTION(scope)                                                                        \
    FTR_FUNCTION_SITE(scope);                                                                      \
    FTR_SCOPE_OF(scope, NULL)

/* What FTR_SPAN_SET_ALL is made of: the keys, or the values, of 1 to 12 pairs. */
#define FTR_PAIRS(what, ...)                                                                       \
    FTR_PAIRS_OF(__VA_ARGS__, what##12, FTR_ODD_NUMBER_OF_ARGUMENTS_, what##11,                    \
                 FTR_ODD_NUMBER_OF_ARGUMENTS_, what##10, FTR_ODD_NUMBER_OF_ARGUMENTS_, what##9,    \
                 FTR_ODD_NUMBER_OF_ARGUMENTS_, what##8, FTR_ODD_NUMBER_OF_ARGUMENTS_, what##7,     \
                 FTR_ODD_NUMBER_OF_ARGUMENTS_, what##6, FTR_ODD_NUMBER_OF_ARGUMENTS_, what##5,     \
                 FTR_ODD_NUMBER_OF_ARGUMENTS_, what##4, FTR_ODD_NUMBER_OF_ARGUMENTS_, what##3,     \
                 FTR_ODD_NUMBER_OF_ARGUMENTS_, what##2, FTR_ODD_NUMBER_OF_ARGUMENTS_, what##1,     \
                 FTR_ODD_NUMBER_OF_ARGUMENTS_, 0)                                                  \
    (__VA_ARGS__)
#define FTR_PAIRS_OF(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17,   \
                     a18, a19, a20, a21, a22, a23, a24, name, ...)                                 \
    name
#define FTR_KEYS_1(key, value)                                                                     \
    {                                                                                              \
        "" key, sizeof(key) - 1                                                                    \
    }
#define FTR_VALUES_1(key, value) FTR_SCOPE_VALUE(value, &ftr_digits_[0])
#define FTR_KEYS_2(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_1(__VA_ARGS__)
#define FTR_KEYS_3(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_2(__VA_ARGS__)
#define FTR_KEYS_4(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_3(__VA_ARGS__)
#define FTR_KEYS_5(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_4(__VA_ARGS__)
#define FTR_KEYS_6(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_5(__VA_ARGS__)
#define FTR_KEYS_7(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_6(__VA_ARGS__)
#define FTR_KEYS_8(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_7(__VA_ARGS__)
#define FTR_KEYS_9(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_8(__VA_ARGS__)
#define FTR_KEYS_10(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_9(__VA_ARGS__)
#define FTR_KEYS_11(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_10(__VA_ARGS__)
#define FTR_KEYS_12(key, value, ...) FTR_KEYS_1(key, value), FTR_KEYS_11(__VA_ARGS__)
#define FTR_VALUES_2(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[1]), FTR_VALUES_1(__VA_ARGS__)
#define FTR_VALUES_3(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[2]), FTR_VALUES_2(__VA_ARGS__)
#define FTR_VALUES_4(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[3]), FTR_VALUES_3(__VA_ARGS__)
#define FTR_VALUES_5(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[4]), FTR_VALUES_4(__VA_ARGS__)
#define FTR_VALUES_6(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[5]), FTR_VALUES_5(__VA_ARGS__)
#define FTR_VALUES_7(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[6]), FTR_VALUES_6(__VA_ARGS__)
#define FTR_VALUES_8(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[7]), FTR_VALUES_7(__VA_ARGS__)
#define FTR_VALUES_9(key, value, ...)                                                              \
    FTR_SCOPE_VALUE(value, &ftr_digits_[8]), FTR_VALUES_8(__VA_ARGS__)
#define FTR_VALUES_10(key, value, ...)                                                             \
    FTR_SCOPE_VALUE(value, &ftr_digits_[9]), FTR_VALUES_9(__VA_ARGS__)
#define FTR_VALUES_11(key, value, ...)                                                             \
    FTR_SCOPE_VALUE(value, &ftr_digits_[10]), FTR_VALUES_10(__VA_ARGS__)
#define FTR_VALUES_12(key, value, ...)                                                             \
    FTR_SCOPE_VALUE(value, &ftr_digits_[11]), FTR_VALUES_11(__VA_ARGS__)

#define FTR_CALL_SITE(scope, name_literal, kind)                                                   \
    static ftr_call_site scope##_site = {                                                          \
        0, kind, {"" name_literal, sizeof(name_literal) - 1}, __FILE__, __func__, __LINE__}
#define FTR_FUNCTION_SITE(scope)                                                                   \
    static ftr_call_site scope##_site = {                                                          \
        0, FTR_KIND_INTERNAL, {__func__, sizeof __func__ - 1}, __FILE__, __func__, __LINE__}

#ifdef __cplusplus

struct ftr_scope_guard : ftr_scope {
    ftr_scope_guard(ftr_call_site *site, const ftr_context *parent)
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
    FTR_SCOPE_OF(scope, parent)
#define FTR_SCOPE_OF(scope, parent) const ftr_scope_guard scope(&scope##_site, parent)

/* A context that is current until the block is left. */
#define FTR_ATTACHED(guard, context) const ftr_attached_guard guard(context)

#define FTR_SCOPE_SET(span, key, value) ftr_scope_set(span, key, value)
#define FTR_SCOPE_EVENT(span, name, ...) ftr_scope_event(span, name, {__VA_ARGS__})
#define FTR_SCOPE_SET_ALL(span, keys, ...) ftr_scope_set_all(span, keys, {__VA_ARGS__})

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
inline ftr_value ftr_scope_value(bool value, ftr_digits *)
{
    return ftr_value_bool(value);
}
inline ftr_value ftr_scope_value(int value, ftr_digits *)
{
    return ftr_value_i64(value);
}
inline ftr_value ftr_scope_value(long value, ftr_digits *)
{
    return ftr_value_i64(value);
}
inline ftr_value ftr_scope_value(long long value, ftr_digits *)
{
    return ftr_value_i64(value);
}
inline ftr_value ftr_scope_value(unsigned value, ftr_digits *)
{
    return ftr_value_i64(value);
}
inline ftr_value ftr_scope_value(unsigned long value, ftr_digits *ret_digits)
{
    return ftr_value_u64(value, ret_digits);
}
inline ftr_value ftr_scope_value(unsigned long long value, ftr_digits *ret_digits)
{
    return ftr_value_u64(value, ret_digits);
}
inline ftr_value ftr_scope_value(double value, ftr_digits *)
{
    return ftr_value_f64(value);
}
inline ftr_value ftr_scope_value(const char *text, ftr_digits *)
{
    return ftr_value_str(ftr_str_from(text));
}
inline ftr_value ftr_scope_value(char *text, ftr_digits *)
{
    return ftr_value_str(ftr_str_from(text));
}
inline ftr_value ftr_scope_value(ftr_str text, ftr_digits *)
{
    return ftr_value_str(text);
}
inline ftr_value ftr_scope_value(const ftr_value &value, ftr_digits *)
{
    return value;
}
template <class Text>
inline auto ftr_scope_value(const Text &text, ftr_digits *)
    -> decltype((void)text.size(), ftr_value_str(ftr_str{text.data(), text.size()}))
{
    return ftr_value_str(ftr_str{text.data(), text.size()});
}
#define FTR_SCOPE_VALUE(value, digits) ftr_scope_value(value, digits)

/* Other pointers would count as bool. */
template <class Other> void ftr_scope_set(ftr_span span, ftr_str key, Other *pointer) = delete;
template <class Other> ftr_value ftr_scope_value(Other *pointer, ftr_digits *) = delete;

template <size_t n>
inline void ftr_scope_set_all(ftr_span span, ftr_keys *keys, const ftr_value (&values)[n])
{
    ftr_recording_set_values(span, keys, values);
}

template <size_t n>
inline void ftr_scope_event(ftr_span span, ftr_str name, const ftr_attribute (&attributes)[n])
{
    ftr_span_event(span, name, attributes, n);
}

#else

#define FTR_SPAN_BELOW(scope, name_literal, kind, parent)                                          \
    FTR_CALL_SITE(scope, name_literal, kind);                                                      \
    FTR_SCOPE_OF(scope, parent)
#define FTR_SCOPE_OF(scope, parent)                                                                \
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

static inline ftr_value ftr_scope_bool(bool value, ftr_digits *ret_digits)
{
    (void)ret_digits;
    return ftr_value_bool(value);
}
static inline ftr_value ftr_scope_i64(int64_t value, ftr_digits *ret_digits)
{
    (void)ret_digits;
    return ftr_value_i64(value);
}
static inline ftr_value ftr_scope_f64(double value, ftr_digits *ret_digits)
{
    (void)ret_digits;
    return ftr_value_f64(value);
}
static inline ftr_value ftr_scope_text(const char *text, ftr_digits *ret_digits)
{
    (void)ret_digits;
    return ftr_value_str(ftr_str_from(text));
}
static inline ftr_value ftr_scope_str(ftr_str text, ftr_digits *ret_digits)
{
    (void)ret_digits;
    return ftr_value_str(text);
}
static inline ftr_value ftr_scope_same(ftr_value value, ftr_digits *ret_digits)
{
    (void)ret_digits;
    return value;
}

#define FTR_SCOPE_VALUE(value, digits)                                                             \
    _Generic((value),                                                                              \
        bool: ftr_scope_bool,                                                                      \
        char: ftr_scope_i64,                                                                       \
        signed char: ftr_scope_i64,                                                                \
        unsigned char: ftr_scope_i64,                                                              \
        short: ftr_scope_i64,                                                                      \
        unsigned short: ftr_scope_i64,                                                             \
        int: ftr_scope_i64,                                                                        \
        unsigned: ftr_scope_i64,                                                                   \
        long: ftr_scope_i64,                                                                       \
        long long: ftr_scope_i64,                                                                  \
        unsigned long: ftr_value_u64,                                                              \
        unsigned long long: ftr_value_u64,                                                         \
        float: ftr_scope_f64,                                                                      \
        double: ftr_scope_f64,                                                                     \
        char *: ftr_scope_text,                                                                    \
        const char *: ftr_scope_text,                                                              \
        ftr_str: ftr_scope_str,                                                                    \
        ftr_value: ftr_scope_same)(value, digits)

#define FTR_SCOPE_SET_ALL(span, keys, ...)                                                         \
    ftr_recording_set_values(span, keys, (const ftr_value[]){__VA_ARGS__})

#define FTR_SCOPE_EVENT(span, name, ...)                                                           \
    ftr_span_event(span, name, (const ftr_attribute[]){__VA_ARGS__},                               \
                   sizeof((const ftr_attribute[]){__VA_ARGS__}) / sizeof(ftr_attribute))

#endif

#endif
