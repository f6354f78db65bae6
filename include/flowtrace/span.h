/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans: recording what happened and how long it took.
 *
 * An ftr_span is a value that names an open span; it is never NULL and every function below is safe
 * on any value of it: one that does not record (library not initialised, mode off, not sampled,
 * resources exhausted) and one whose span has ended are no-ops, the latter counted in the
 * statistics. Nothing here returns an error, locks, allocates or makes a system call.
 * Strings and values are copied in. A span may be ended on another thread than it was started on;
 * its functions must not be called by two threads at once.
 * Limits and their dropped counts follow the OpenTelemetry specification (OTEL_SPAN_* variables).
 */
#ifndef FLOWTRACE_SPAN_H
#define FLOWTRACE_SPAN_H

#include <flowtrace/context.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_span {
    uint64_t handle;     /* thread and slot */
    uint64_t generation; /* 0: does not record; then handle may name the context it passes on */
} ftr_span;

typedef struct ftr_link {
    const ftr_context *context;
    const ftr_attribute *attributes;
    size_t n_attributes;
} ftr_link;

typedef struct ftr_span_options {
    size_t size; /* sizeof(ftr_span_options) */
    ftr_str name;
    ftr_span_kind kind;
    bool is_root;              /* ignore parent and the current context: a new trace */
    bool is_linked;            /* when a sampled span is current, both say so: see ftr_span_fork */
    const ftr_context *parent; /* NULL: the thread's current context */
    uint64_t start_time_ns;    /* Unix epoch; 0: now */
    const ftr_attribute *attributes;
    size_t n_attributes;
    const ftr_link *links;
    size_t n_links;
    /* For a span with no parent or a remote one: the share of traces to record here, in place of
     * the sampler and its limit. 1: this one for certain, 0: not this one; in between its trace id
     * decides, as for the sampler `probability`, and the tracestate says so (ot=th:...). */
    bool has_sampling_ratio;
    double sampling_ratio;
} ftr_span_options;

/* A place in the source where spans start, and what is the same for all of them. In static memory,
 * with number 0; the first span of the place enters it in a table of the library, which copies it.
 * Spans of a place are recorded and encoded faster than those that bring their name along. */
typedef struct ftr_call_site {
    uint32_t number; /* the library's */
    ftr_span_kind kind;
    ftr_str name; /* of the spans */
    const char *file;
    const char *function;
    uint32_t line;
} ftr_call_site;

/* Keys that are set together in one place; the same goes for them. */
typedef struct ftr_keys {
    uint32_t number; /* the library's */
    uint32_t n_keys;
    const ftr_str *keys;
} ftr_keys;

/* Non-zero while spans are recorded. Read by the inline functions below so that a call on a library
 * that is off costs one load and a branch; never written by anybody but the library. */
extern FTR_API uint32_t ftr_recording_word;

/* What a child of the thread's current context is when that is not sampled; counts as long as
 * session is ftr_recording_word. For the inline functions below, as that is. */
typedef struct ftr_unsampled {
    uint64_t handle;
    uint64_t session;
} ftr_unsampled;
extern FTR_API __thread ftr_unsampled ftr_unsampled_child
    __attribute__((tls_model("initial-exec")));

/* What the inline functions below call when there is something to do. */
FTR_API ftr_span ftr_recording_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent);
FTR_API ftr_span ftr_recording_start_site(ftr_call_site *site, const ftr_context *parent);
FTR_API ftr_span ftr_recording_start_with(const ftr_span_options *options);
FTR_API void ftr_recording_end(ftr_span span);
FTR_API void ftr_recording_end_values(ftr_span span, ftr_keys *keys, const ftr_value *values);
FTR_API void ftr_recording_end_at(ftr_span span, uint64_t end_time_ns);
FTR_API void ftr_recording_set(ftr_span span, ftr_str key, const ftr_value *value);
FTR_API void ftr_recording_set_i64(ftr_span span, ftr_str key, int64_t value);
FTR_API void ftr_recording_set_str(ftr_span span, ftr_str key, ftr_str value);
FTR_API void ftr_recording_set_values(ftr_span span, ftr_keys *keys, const ftr_value *values);
FTR_API void ftr_recording_set_name(ftr_span span, ftr_str name);
FTR_API void ftr_recording_set_status(ftr_span span, ftr_span_status status, ftr_str description);
FTR_API void ftr_recording_event(ftr_span span, ftr_str name, const ftr_attribute *attributes,
                                 size_t n_attributes);
FTR_API void ftr_recording_link(ftr_span span, const ftr_context *context,
                                const ftr_attribute *attributes, size_t n_attributes);

/* Starts a span below `parent` (NULL: the thread's current context; none there: a new trace).
 * It does not become current; see ftr_span_context_of and ftr_attach. */
FTR_INLINE ftr_span ftr_span_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent)
{
    ftr_span span = {0, 0};
    const uint32_t word = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    if (word == 0)
        return span;
    if (parent || ftr_unsampled_child.session != word)
        return ftr_recording_start(name, kind, parent);
    span.handle = ftr_unsampled_child.handle;
    return span;
}

/* The same for a call site: its name, its kind. */
FTR_INLINE ftr_span ftr_span_start_site(ftr_call_site *site, const ftr_context *parent)
{
    ftr_span span = {0, 0};
    const uint32_t word = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    if (word == 0)
        return span;
    if (parent || ftr_unsampled_child.session != word)
        return ftr_recording_start_site(site, parent);
    span.handle = ftr_unsampled_child.handle;
    return span;
}

FTR_INLINE ftr_span ftr_span_start_with(const ftr_span_options *options)
{
    if (__atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) != 0)
        return ftr_recording_start_with(options);
    const ftr_span none = {0, 0};
    return none;
}

/* The root of a new trace that forks off the sampled span of `from` (NULL: the thread's current
 * context), sampled like it. Both traces say so: below that span a marker "[<name> ref]" with the
 * attributes note and trace_id (the new trace's); on the root trace_id (the old trace's),
 * fork_of_span_id (the marker's, with spaces before it 32 characters long) and a link to the
 * marker. A fork of what is not sampled, or of nothing, does not record. */
FTR_API ftr_span ftr_span_fork(ftr_str name, ftr_span_kind kind, const ftr_context *from);

/* Ends it now; the handle is stale afterwards. */
FTR_INLINE void ftr_span_end(ftr_span span)
{
    if (span.generation != 0 || (int64_t)span.handle > 0)
        ftr_recording_end(span);
}

/* ftr_span_set_values and ftr_span_end in one: the values go where they stay. */
FTR_INLINE void ftr_span_end_values(ftr_span span, ftr_keys *keys, const ftr_value *values)
{
    if (span.generation != 0)
        ftr_recording_end_values(span, keys, values);
    else if ((int64_t)span.handle > 0)
        ftr_recording_end(span);
}

/* Ends it at a given time (Unix epoch ns; earlier than the start counts as the start). */
FTR_INLINE void ftr_span_end_at(ftr_span span, uint64_t end_time_ns)
{
    if (span.generation != 0 || (int64_t)span.handle > 0)
        ftr_recording_end_at(span, end_time_ns);
}

/* Other times than those of the calls (Unix epoch ns). An end that is earlier than the start counts
 * as the start; what ftr_span_end_at says beats an end set here. */
FTR_API void ftr_span_set_start_time(ftr_span span, uint64_t start_time_ns);
FTR_API void ftr_span_set_end_time(ftr_span span, uint64_t end_time_ns);

/* Called with a span that is about to end, by the thread that ends it, after its end time was
 * taken; it may still say anything about the span, or end it itself. */
typedef void (*ftr_finish_callback)(void *state, ftr_span span);

/* The callback of all sampled spans that are started below the context in this process, until
 * another one is set on a context in between; NULL: none. `state` is borrowed and outlives those
 * spans. False (nothing changed): memory is short. */
FTR_API bool ftr_context_set_finish_callback(ftr_context *context, ftr_finish_callback callback,
                                             void *state);

/* This open span ends without it; those below still have it. */
FTR_API void ftr_span_skip_finish_callback(ftr_span span);

/* A ready callback (state: NULL): the span gets its own traceparent and, if there is one,
 * tracestate as attributes of these names, as Krishiv has them on every span. */
FTR_API void ftr_finish_with_traceparent(void *state, ftr_span span);

/* True when what is recorded on it goes somewhere. */
FTR_API bool ftr_span_is_recording(ftr_span span);
/* The span as a parent for others, with its trace's tracestate. Valid ids also when the span was
 * not sampled: those of its parent (W3C's rule for who does not take part), but for the span where
 * the sampler decided so ids of its own; FTR_CONTEXT_NONE when stale or the library is off. In any
 * case with the thread's current user span (<flowtrace/user.h>); of a user span, the thread's
 * current context with that one. Release it. */
FTR_API ftr_context ftr_span_context_of(ftr_span span);

/* Attributes: setting a key again replaces its value. */
FTR_INLINE void ftr_span_set_str(ftr_span span, ftr_str key, ftr_str value)
{
    if (span.generation != 0)
        ftr_recording_set_str(span, key, value);
}

FTR_INLINE void ftr_span_set_i64(ftr_span span, ftr_str key, int64_t value)
{
    if (span.generation != 0)
        ftr_recording_set_i64(span, key, value);
}

/* Any value, arrays and maps (to 16 levels) included. */
FTR_INLINE void ftr_span_set(ftr_span span, ftr_str key, const ftr_value *value)
{
    if (span.generation != 0)
        ftr_recording_set(span, key, value);
}

/* All keys at once, with as many values: several times cheaper than one after the other. */
FTR_INLINE void ftr_span_set_values(ftr_span span, ftr_keys *keys, const ftr_value *values)
{
    if (span.generation != 0)
        ftr_recording_set_values(span, keys, values);
}

/* By value, for macros. */
FTR_INLINE void ftr_span_set_value(ftr_span span, ftr_str key, ftr_value value)
{
    ftr_span_set(span, key, &value);
}

/* NUL-terminated; NULL is the empty text. */
FTR_INLINE void ftr_span_set_text(ftr_span span, ftr_str key, const char *text)
{
    if (span.generation != 0)
        ftr_recording_set_str(span, key, ftr_str_from(text));
}

/* What int64_t cannot hold becomes decimal text (OpenTelemetry, "Mapping to AnyValue"). */
FTR_API void ftr_span_set_u64(ftr_span span, ftr_str key, uint64_t value);
FTR_API void ftr_span_set_f64(ftr_span span, ftr_str key, double value);
FTR_API void ftr_span_set_bool(ftr_span span, ftr_str key, bool value);
FTR_API void ftr_span_set_bytes(ftr_span span, ftr_str key, const void *data, size_t len);

FTR_INLINE void ftr_span_set_name(ftr_span span, ftr_str name)
{
    if (span.generation != 0)
        ftr_recording_set_name(span, name);
}

/* OK is final; ERROR may be replaced; UNSET is ignored. The description counts for ERROR only. */
FTR_INLINE void ftr_span_set_status(ftr_span span, ftr_span_status status, ftr_str description)
{
    if (span.generation != 0)
        ftr_recording_set_status(span, status, description);
}

FTR_INLINE void ftr_span_event(ftr_span span, ftr_str name, const ftr_attribute *attributes,
                               size_t n_attributes)
{
    if (span.generation != 0)
        ftr_recording_event(span, name, attributes, n_attributes);
}

/* A link to a context without valid identifiers is ignored. A user span's is to the context's user
 * span. */
FTR_INLINE void ftr_span_link(ftr_span span, const ftr_context *context,
                              const ftr_attribute *attributes, size_t n_attributes)
{
    if (span.generation != 0)
        ftr_recording_link(span, context, attributes, n_attributes);
}

#ifdef __cplusplus
}
#endif

#endif
