/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of OTLP as tables: what the JSON codec, the naming of wrong fields and the check of
 * logs and metrics (check_table.c) walk along. The fast check of traces in check.c has the same
 * knowledge as code; tests compare the two. Constant data. opentelemetry-proto 1.x: trace.proto,
 * logs.proto, metrics.proto, common.proto, resource.proto. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum ftri_otlp_kind {
    FTRI_OTLP_KIND_STR,
    FTRI_OTLP_KIND_BYTES,
    FTRI_OTLP_KIND_ID16,    /* trace id: 16 bytes, in JSON 32 hex digits */
    FTRI_OTLP_KIND_ID8,     /* span id */
    FTRI_OTLP_KIND_BOOL,    /* varint */
    FTRI_OTLP_KIND_I64,     /* varint */
    FTRI_OTLP_KIND_ENUM,    /* varint; in JSON integers only */
    FTRI_OTLP_KIND_U32,     /* varint */
    FTRI_OTLP_KIND_U64,     /* varint */
    FTRI_OTLP_KIND_SINT32,  /* zigzag varint */
    FTRI_OTLP_KIND_FIXED32, /* unsigned */
    FTRI_OTLP_KIND_FIXED64, /* unsigned */
    FTRI_OTLP_KIND_SFIXED64,
    FTRI_OTLP_KIND_F64,
    FTRI_OTLP_KIND_MESSAGE
};

enum {
    FTRI_OTLP_REPEATED = 1,
    FTRI_OTLP_REQUIRED = 2,   /* an id that must be there and not all zero */
    FTRI_OTLP_SHOWN = 4,      /* written to JSON also when it has its default value */
    FTRI_OTLP_LOOSE = 8,      /* an id of which a wrong length says only that there is none */
    FTRI_OTLP_COUNTED = 16,   /* a message that is an item of its signal */
    FTRI_OTLP_ATTRIBUTE = 32, /* their number in a message is limited */
    FTRI_OTLP_EXPLICIT = 64   /* being there says something: written to JSON also when it is 0 */
};

struct ftri_otlp_message;

struct ftri_otlp_field {
    const char *name; /* lowerCamelCase, as in JSON */
    uint8_t number;
    uint8_t kind;  /* enum ftri_otlp_kind */
    uint8_t flags; /* of the enum above */
    const struct ftri_otlp_message *message;
};

struct ftri_otlp_message {
    const struct ftri_otlp_field *fields;
    size_t n_fields;
    bool is_oneof; /* AnyValue: the last of its fields is the value, defaults included */
};

/* Levels of AnyValue inside AnyValue that are written and accepted. */
enum { FTRI_OTLP_NESTING_MAX = 100 };

/* Numbers of all fields are below this. */
enum { FTRI_OTLP_NUMBER_END = 17 };

extern const struct ftri_otlp_message ftri_otlp_request;
extern const struct ftri_otlp_message ftri_otlp_logs_request;
extern const struct ftri_otlp_message ftri_otlp_metrics_request;
extern const struct ftri_otlp_message ftri_otlp_resource_message;
extern const struct ftri_otlp_message ftri_otlp_scope_message;
extern const struct ftri_otlp_message ftri_otlp_span_message;
extern const struct ftri_otlp_message ftri_otlp_any_value_message;

/* NULL: the message has no such field. */
const struct ftri_otlp_field *ftri_otlp_field_named(const struct ftri_otlp_message *message,
                                                    ftr_str name);
const struct ftri_otlp_field *ftri_otlp_field_numbered(const struct ftri_otlp_message *message,
                                                       uint32_t number);
