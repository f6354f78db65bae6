/* SPDX-License-Identifier: Apache-2.0
 *
 * The values that every other header uses: strings, identifiers, attribute values, what names and
 * rates a span, errors.
 * All are plain values; strings, bytes and arrays in them are borrowed from the caller for the
 * duration of a call unless a function says otherwise. */
#ifndef FLOWTRACE_TYPES_H
#define FLOWTRACE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define FTR_API
#else
#define FTR_API __attribute__((visibility("default")))
#endif

/* Inline in C and C++; each also exists as a symbol of the same name, for other languages. */
#ifdef __cplusplus
#define FTR_INLINE inline
#else
#define FTR_INLINE FTR_API inline
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Text as pointer and length; not NUL-terminated, UTF-8 by convention. */
typedef struct ftr_str {
    const char *data;
    size_t len;
} ftr_str;

/* A string literal as an ftr_str, without strlen. */
#ifdef __cplusplus
#define FTR_STR(literal) (ftr_str{"" literal, sizeof(literal) - 1})
#else
#define FTR_STR(literal) ((ftr_str){"" literal, sizeof(literal) - 1})
#endif

/* A NUL-terminated string as an ftr_str; NULL gives the empty string. */
FTR_API ftr_str ftr_str_from(const char *text);

/* What set-up and I/O functions return. The recording path returns nothing. */
typedef enum ftr_status {
    FTR_OK = 0,
    FTR_ERR_INVALID = 1,    /* an argument or setting is wrong; the error's text names it */
    FTR_ERR_MEMORY = 2,     /* memory is short */
    FTR_ERR_STATE = 3,      /* not now: already initialised, or not yet */
    FTR_ERR_TIMEOUT = 4,    /* the deadline passed first */
    FTR_ERR_IO = 5,         /* a system call failed; the text says which and why */
    FTR_ERR_UNAVAILABLE = 6 /* what was asked for is not built or linked in */
} ftr_status;

enum { FTR_ERROR_TEXT_BYTES = 512 };

/* Filled when the caller passes one; never allocates. */
typedef struct ftr_error {
    ftr_status status;
    char text[FTR_ERROR_TEXT_BYTES]; /* one sentence: what is wrong and what to do */
} ftr_error;

/* W3C trace context identifiers, in network order. All-zero means "none". */
typedef struct ftr_trace_id {
    uint8_t bytes[16];
} ftr_trace_id;

typedef struct ftr_span_id {
    uint8_t bytes[8];
} ftr_span_id;

FTR_API bool ftr_trace_id_is_valid(const ftr_trace_id *id);
FTR_API bool ftr_span_id_is_valid(const ftr_span_id *id);
/* Lower-case hexadecimal with a terminating NUL: 33 and 17 bytes. */
FTR_API void ftr_trace_id_format(const ftr_trace_id *id, char ret_text[33]);
FTR_API void ftr_span_id_format(const ftr_span_id *id, char ret_text[17]);

/* W3C trace flags; and, in this process only, what is not sampled but recorded for metrics
 * (FTR_DECISION_RECORD of <flowtrace/sampler.h>). It is never written to a carrier, and neither are
 * the other bits, in which the library notes what is to become of a flow. */
enum { FTR_TRACE_FLAG_SAMPLED = 1, FTR_TRACE_FLAG_RANDOM = 2, FTR_TRACE_FLAG_RECORDED = 128 };

typedef struct ftr_span_context {
    ftr_trace_id trace_id;
    ftr_span_id span_id;
    uint8_t trace_flags;
    bool is_remote; /* extracted from a carrier */
    uint8_t reserved[2];
    uint32_t routing; /* of a user span (<flowtrace/user.h>): the library's number of its routing */
} ftr_span_context;

/* The values of OTLP's SpanKind. */
typedef enum ftr_span_kind {
    FTR_KIND_UNSPECIFIED = 0,
    FTR_KIND_INTERNAL = 1,
    FTR_KIND_SERVER = 2,
    FTR_KIND_CLIENT = 3,
    FTR_KIND_PRODUCER = 4,
    FTR_KIND_CONSUMER = 5
} ftr_span_kind;

/* The values of OTLP's StatusCode. */
typedef enum ftr_span_status {
    FTR_SPAN_UNSET = 0,
    FTR_SPAN_OK = 1,
    FTR_SPAN_ERROR = 2
} ftr_span_status;

/* See ftr_set_mode of <flowtrace/tracing.h>, ftr_node_set_mode of <flowtrace/flow.h>. */
typedef enum ftr_mode {
    FTR_MODE_OFF = 0,  /* records nothing: one load and a branch a call */
    FTR_MODE_FULL = 1, /* records and exports every span */
    FTR_MODE_TAIL = 2  /* records every span and exports the flows that are worth it:
                          <flowtrace/tail.h> */
} ftr_mode;

/* Attribute values: the OTLP AnyValue (opentelemetry.proto.common.v1). */
typedef enum ftr_value_type {
    FTR_VALUE_EMPTY = 0,
    FTR_VALUE_STR = 1,
    FTR_VALUE_BOOL = 2,
    FTR_VALUE_I64 = 3,
    FTR_VALUE_F64 = 4,
    FTR_VALUE_ARRAY = 5,
    FTR_VALUE_MAP = 6,
    FTR_VALUE_BYTES = 7
} ftr_value_type;

struct ftr_attribute;

typedef struct ftr_value {
    ftr_value_type type;
    union {
        ftr_str str; /* also bytes */
        bool boolean;
        int64_t i64;
        double f64;
        struct {
            const struct ftr_value *items;
            size_t n_items;
        } array;
        struct {
            const struct ftr_attribute *items;
            size_t n_items;
        } map;
    } as;
} ftr_value;

typedef struct ftr_attribute {
    ftr_str key;
    ftr_value value;
} ftr_attribute;

FTR_INLINE ftr_value ftr_value_str(ftr_str text)
{
    ftr_value value;
    value.type = FTR_VALUE_STR;
    value.as.str = text;
    return value;
}

FTR_INLINE ftr_value ftr_value_bytes(const void *data, size_t len)
{
    ftr_value value;
    value.type = FTR_VALUE_BYTES;
    value.as.str.data = (const char *)data;
    value.as.str.len = len;
    return value;
}

FTR_INLINE ftr_value ftr_value_bool(bool boolean)
{
    ftr_value value;
    value.type = FTR_VALUE_BOOL;
    value.as.boolean = boolean;
    return value;
}

FTR_INLINE ftr_value ftr_value_i64(int64_t number)
{
    ftr_value value;
    value.type = FTR_VALUE_I64;
    value.as.i64 = number;
    return value;
}

FTR_INLINE ftr_value ftr_value_f64(double number)
{
    ftr_value value;
    value.type = FTR_VALUE_F64;
    value.as.f64 = number;
    return value;
}

FTR_INLINE ftr_value ftr_value_array(const ftr_value *items, size_t n_items)
{
    ftr_value value;
    value.type = FTR_VALUE_ARRAY;
    value.as.array.items = items;
    value.as.array.n_items = n_items;
    return value;
}

FTR_INLINE ftr_value ftr_value_map(const ftr_attribute *items, size_t n_items)
{
    ftr_value value;
    value.type = FTR_VALUE_MAP;
    value.as.map.items = items;
    value.as.map.n_items = n_items;
    return value;
}

#ifdef __cplusplus
}
#endif

#endif
