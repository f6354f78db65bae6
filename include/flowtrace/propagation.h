/* SPDX-License-Identifier: Apache-2.0
 *
 * Context from process to process: propagators write it into named text fields and read it back;
 * carriers are those fields, such as HTTP headers or message metadata. What cannot be read is left
 * out; nothing here fails, and nothing here costs more than its caps say, whatever a peer sends.
 * Any thread. */
#ifndef FLOWTRACE_PROPAGATION_H
#define FLOWTRACE_PROPAGATION_H

#include <flowtrace/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- carriers ---- */

typedef struct ftr_carrier {
    /* The nth value (from 0) among the fields of a name, which is compared as the carrier's kind
     * demands (HTTP: without case). `.data` NULL: there is none. Borrowed until the next call on
     * the same fields. */
    ftr_str (*get)(void *fields, ftr_str name, size_t nth);
    /* Sets or replaces a field. What does not fit is left out. */
    void (*set)(void *fields, ftr_str name, ftr_str value);
    /* The name of the nth field of all; `.data` NULL: there is none. May be NULL: the baggage
     * of Jaeger and OpenTracing, a field for each member, is then not read. */
    ftr_str (*name)(void *fields, size_t nth);
} ftr_carrier;

typedef struct ftr_field {
    ftr_str name;
    ftr_str value;
} ftr_field;

/* The ready carriers' fields: a list in the caller's memory. To extract: fields, n_fields. To
 * inject: capacity too, and text for the copies of what is set. */
typedef struct ftr_field_list {
    ftr_field *fields;
    size_t n_fields;
    size_t capacity;
    char *text;
    size_t text_len;
    size_t text_capacity;
    size_t n_left_out; /* fields for which there was no room */
} ftr_field_list;

FTR_API extern const ftr_carrier ftr_http_carrier;  /* names without case; also for NATS */
FTR_API extern const ftr_carrier ftr_grpc_carrier;  /* the same, and written in lower case */
FTR_API extern const ftr_carrier ftr_kafka_carrier; /* names exact; of several the last counts */
FTR_API extern const ftr_carrier ftr_map_carrier;   /* names exact: a map of strings, a group of a
                                                       message's metadata */
/* Environment variables: names in capitals, other characters as '_' (TRACEPARENT). NULL as fields:
 * those of this process, which can be read only. Else the list for a child to be started. */
FTR_API extern const ftr_carrier ftr_environment_carrier;

/* ---- propagators ---- */

typedef enum ftr_propagator {
    FTR_PROPAGATOR_NONE = 0,
    FTR_PROPAGATOR_TRACECONTEXT = 1, /* "tracecontext": W3C Trace Context level 2 */
    FTR_PROPAGATOR_BAGGAGE = 2,      /* "baggage": W3C Baggage */
    FTR_PROPAGATOR_B3 = 3,           /* "b3": one field */
    FTR_PROPAGATOR_B3_MULTI = 4,     /* "b3multi": X-B3-TraceId and others */
    FTR_PROPAGATOR_JAEGER = 5,       /* "jaeger": uber-trace-id, uberctx-* */
    FTR_PROPAGATOR_XRAY = 6,         /* "xray": X-Amzn-Trace-Id */
    FTR_PROPAGATOR_OT_TRACE = 7      /* "ottrace": ot-tracer-* (64-bit ids), ot-baggage-* */
} ftr_propagator;

/* By its name in OTEL_PROPAGATORS; "none" is one. False: no such name. */
FTR_API bool ftr_propagator_find(ftr_str name, ftr_propagator *ret_propagator);
/* What ftr_inject and ftr_extract use from now on, in this order, each once. tracecontext and
 * baggage until then; ftr_init sets what OTEL_PROPAGATORS says, if it says anything. */
FTR_API void ftr_set_propagators(const ftr_propagator *propagators, size_t n);
/* Writes at most `room` of them; returns how many there are. */
FTR_API size_t ftr_get_propagators(ftr_propagator *ret_propagators, size_t room);

/* Writes the context with each propagator. A context without valid identifiers writes no trace, one
 * that is NULL nothing. */
FTR_API void ftr_inject(const ftr_context *context, const ftr_carrier *carrier, void *fields);
/* Reads with each propagator; a later one that finds a trace wins. FTR_CONTEXT_NONE when none
 * does. Release the result. */
FTR_API ftr_context ftr_extract(const ftr_carrier *carrier, void *fields);
/* With one propagator; extract changes the context only by what it finds. */
FTR_API void ftr_inject_as(ftr_propagator propagator, const ftr_context *context,
                           const ftr_carrier *carrier, void *fields);
FTR_API void ftr_extract_as(ftr_propagator propagator, const ftr_carrier *carrier, void *fields,
                            ftr_context *context);

/* ---- state text ---- */

/* A span in one line of text, for places that hold neither headers nor W3C's form: what Jaeger's
 * clients and foundations write, "{trace id}:{span id}:0:{flags}". Hexadecimal without leading
 * zeros; flags: 1 sampled, 2 debug. */
enum { FTR_STATE_TEXT_LEN = 53 };

/* A NUL-terminated text, for ftr_state_text_parse somewhere else; false (empty text) when the ids
 * are not valid. */
FTR_API bool ftr_state_text_format(const ftr_context *context,
                                   char ret_text[FTR_STATE_TEXT_LEN + 1]);
/* A context to start spans below, in the trace and as the child that the text says. Ids may have
 * leading zeros, the third part is passed over. False (*ret_context is FTR_CONTEXT_NONE): not such
 * a text. Release it. */
FTR_API bool ftr_state_text_parse(ftr_str text, ftr_context *ret_context);

/* ---- baggage ---- */

/* In header form, values percent-encoded; empty if there is none. Borrowed from the context. */
FTR_API ftr_str ftr_context_baggage(const ftr_context *context);
/* A member's decoded value. False: absent, or longer than room. */
FTR_API bool ftr_baggage_get(const ftr_context *context, ftr_str key, char *ret_value, size_t room,
                             size_t *ret_len);
/* Gives the context one more member (value: any bytes), or a new value of one. False (nothing
 * changed): the key is no HTTP token, 64 members or 8192 bytes are reached, or memory is short. */
FTR_API bool ftr_baggage_set(ftr_context *context, ftr_str key, ftr_str value);
FTR_API void ftr_baggage_remove(ftr_context *context, ftr_str key);

#ifdef __cplusplus
}
#endif

#endif
