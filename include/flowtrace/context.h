/* SPDX-License-Identifier: Apache-2.0
 *
 * Context: which span is current, and what travels with it to other threads, tasks and processes.
 *
 * An ftr_context is a value: identifiers, flags and one reference to an immutable block
 * (tracestate, baggage, inherited fields). It never points to a span, so it may outlive every span.
 * A context that was returned or filled by a function below owns its reference: release it once.
 * Contexts may be used from any thread; one value from one thread at a time. */
#ifndef FLOWTRACE_CONTEXT_H
#define FLOWTRACE_CONTEXT_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FTR_TRACEPARENT_LEN = 55 };

struct ftr_context_block; /* immutable, reference-counted */

typedef struct ftr_context {
    ftr_span_context span;           /* of the system pipeline */
    ftr_span_context user;           /* of the user pipeline */
    struct ftr_context_block *block; /* owned reference, or NULL */
} ftr_context;

#ifdef __cplusplus
#define FTR_CONTEXT_NONE (ftr_context{})
#else
#define FTR_CONTEXT_NONE ((ftr_context){0})
#endif

/* The calling thread's current context, never NULL; for the inline functions of user.h. Borrowed
 * until the next attach or detach. */
extern FTR_API __thread const ftr_context *ftr_context_here
    __attribute__((tls_model("initial-exec")));

/* The calling thread's current context; FTR_CONTEXT_NONE outside any. Release it. */
FTR_API ftr_context ftr_context_current(void);
/* A second reference to the same values. Release both. */
FTR_API ftr_context ftr_context_copy(const ftr_context *context);
/* Drops the reference and clears the value; releasing twice is harmless. */
FTR_API void ftr_context_release(ftr_context *context);

/* The W3C tracestate header of a context, empty if it has none; borrowed from the context. */
FTR_API ftr_str ftr_context_tracestate(const ftr_context *context);

/* Inherited fields: what is set on a context becomes an attribute of every span that is started
 * below it in this process, on whatever thread, in new traces too. A span's own attribute of the
 * same key wins. They do not count against the span's limits and do not leave the process (baggage
 * does). The values are texts, bools and numbers. */
enum { FTR_CONTEXT_FIELDS = 32, FTR_CONTEXT_FIELD_BYTES = 4096 };

/* Gives the context one more field, or a new value of one. False (nothing changed): no key, another
 * type of value, FTR_CONTEXT_FIELDS fields or FTR_CONTEXT_FIELD_BYTES bytes (8 a field, keys and
 * values) are exceeded, or memory is short. */
FTR_API bool ftr_context_set_field(ftr_context *context, ftr_str key, const ftr_value *value);
/* True also when there was none; false (nothing changed): memory is short. */
FTR_API bool ftr_context_remove_field(ftr_context *context, ftr_str key);

/* Makes a context current on this thread until ftr_detach of the returned token. Attach and detach
 * nest like brackets; a token that does not match is a counted no-op. Never fails. */
typedef struct ftr_attachment {
    uint64_t id;
} ftr_attachment;

FTR_API ftr_attachment ftr_attach(const ftr_context *context);
FTR_API void ftr_detach(ftr_attachment attachment);

/* The calling thread's context in W3C form, for whoever builds headers by hand. False, and empty
 * text, outside a span. The tracestate is borrowed until the context is detached. */
FTR_API bool ftr_current_traceparent(char ret_text[FTR_TRACEPARENT_LEN + 1]);
FTR_API ftr_str ftr_current_tracestate(void);

/* The header forms by themselves. */
/* "00-<trace id>-<span id>-<flags>" and a NUL; false (empty text) when the ids are not valid. */
FTR_API bool ftr_traceparent_format(const ftr_span_context *span,
                                    char ret_text[FTR_TRACEPARENT_LEN + 1]);
/* False: not a valid header of version 00, nor a readable later version. */
FTR_API bool ftr_traceparent_parse(ftr_str header, ftr_span_context *ret_span);
/* As user tracing takes it: version 00 alone, of exactly 55 characters, digits of either case;
 * all flags are kept as they are. */
FTR_API bool ftr_user_traceparent_parse(ftr_str header, ftr_span_context *ret_span);

#ifdef __cplusplus
}
#endif

#endif
