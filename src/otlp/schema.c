/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/schema.h"

#include "otlp/view.h"

#include <string.h>

enum {
    STR = FTRI_OTLP_KIND_STR,
    BYTES = FTRI_OTLP_KIND_BYTES,
    ID16 = FTRI_OTLP_KIND_ID16,
    ID8 = FTRI_OTLP_KIND_ID8,
    BOOL = FTRI_OTLP_KIND_BOOL,
    I64 = FTRI_OTLP_KIND_I64,
    ENUM = FTRI_OTLP_KIND_ENUM,
    U32 = FTRI_OTLP_KIND_U32,
    FIXED32 = FTRI_OTLP_KIND_FIXED32,
    FIXED64 = FTRI_OTLP_KIND_FIXED64,
    F64 = FTRI_OTLP_KIND_F64,
    MESSAGE = FTRI_OTLP_KIND_MESSAGE,
    MANY = FTRI_OTLP_REPEATED,
    SHOWN = FTRI_OTLP_SHOWN,
    NEEDED = FTRI_OTLP_REQUIRED | FTRI_OTLP_SHOWN
};

static const struct ftri_otlp_message key_value;

static const struct ftri_otlp_field array_fields[] = {
    {"values", 1, MESSAGE, MANY | SHOWN, &ftri_otlp_any_value_message},
};
static const struct ftri_otlp_message array = {array_fields, FTRI_COUNT(array_fields), false};

static const struct ftri_otlp_field list_fields[] = {
    {"values", 1, MESSAGE, MANY | SHOWN, &key_value},
};
static const struct ftri_otlp_message list = {list_fields, FTRI_COUNT(list_fields), false};

static const struct ftri_otlp_field any_value_fields[] = {
    {"stringValue", 1, STR, 0, NULL},      {"boolValue", 2, BOOL, 0, NULL},
    {"intValue", 3, I64, 0, NULL},         {"doubleValue", 4, F64, 0, NULL},
    {"arrayValue", 5, MESSAGE, 0, &array}, {"kvlistValue", 6, MESSAGE, 0, &list},
    {"bytesValue", 7, BYTES, 0, NULL},
};
const struct ftri_otlp_message ftri_otlp_any_value_message = {any_value_fields,
                                                              FTRI_COUNT(any_value_fields), true};

static const struct ftri_otlp_field key_value_fields[] = {
    {"key", 1, STR, SHOWN, NULL},
    {"value", 2, MESSAGE, 0, &ftri_otlp_any_value_message},
};
static const struct ftri_otlp_message key_value = {key_value_fields, FTRI_COUNT(key_value_fields),
                                                   false};

static const struct ftri_otlp_field event_fields[] = {
    {"timeUnixNano", 1, FIXED64, SHOWN, NULL},
    {"name", 2, STR, SHOWN, NULL},
    {"attributes", 3, MESSAGE, MANY, &key_value},
    {"droppedAttributesCount", 4, U32, 0, NULL},
};
static const struct ftri_otlp_message event = {event_fields, FTRI_COUNT(event_fields), false};

static const struct ftri_otlp_field link_fields[] = {
    {"traceId", 1, ID16, SHOWN, NULL},
    {"spanId", 2, ID8, SHOWN, NULL},
    {"traceState", 3, STR, 0, NULL},
    {"attributes", 4, MESSAGE, MANY, &key_value},
    {"droppedAttributesCount", 5, U32, 0, NULL},
    {"flags", 6, FIXED32, 0, NULL},
};
static const struct ftri_otlp_message link = {link_fields, FTRI_COUNT(link_fields), false};

static const struct ftri_otlp_field status_fields[] = {
    {"message", 2, STR, 0, NULL},
    {"code", 3, ENUM, 0, NULL},
};
static const struct ftri_otlp_message status = {status_fields, FTRI_COUNT(status_fields), false};

static const struct ftri_otlp_field span_fields[] = {
    {"traceId", 1, ID16, NEEDED, NULL},
    {"spanId", 2, ID8, NEEDED, NULL},
    {"traceState", 3, STR, 0, NULL},
    {"parentSpanId", 4, ID8, 0, NULL},
    {"flags", 16, FIXED32, 0, NULL},
    {"name", 5, STR, SHOWN, NULL},
    {"kind", 6, ENUM, SHOWN, NULL},
    {"startTimeUnixNano", 7, FIXED64, SHOWN, NULL},
    {"endTimeUnixNano", 8, FIXED64, SHOWN, NULL},
    {"attributes", 9, MESSAGE, MANY, &key_value},
    {"droppedAttributesCount", 10, U32, 0, NULL},
    {"events", 11, MESSAGE, MANY, &event},
    {"droppedEventsCount", 12, U32, 0, NULL},
    {"links", 13, MESSAGE, MANY, &link},
    {"droppedLinksCount", 14, U32, 0, NULL},
    {"status", 15, MESSAGE, 0, &status},
};
const struct ftri_otlp_message ftri_otlp_span_message = {span_fields, FTRI_COUNT(span_fields),
                                                         false};

static const struct ftri_otlp_field scope_fields[] = {
    {"name", 1, STR, 0, NULL},
    {"version", 2, STR, 0, NULL},
    {"attributes", 3, MESSAGE, MANY, &key_value},
    {"droppedAttributesCount", 4, U32, 0, NULL},
};
const struct ftri_otlp_message ftri_otlp_scope_message = {scope_fields, FTRI_COUNT(scope_fields),
                                                          false};

static const struct ftri_otlp_field resource_fields[] = {
    {"attributes", 1, MESSAGE, MANY, &key_value},
    {"droppedAttributesCount", 2, U32, 0, NULL},
};
const struct ftri_otlp_message ftri_otlp_resource_message = {resource_fields,
                                                             FTRI_COUNT(resource_fields), false};

static const struct ftri_otlp_field scope_spans_fields[] = {
    {"scope", 1, MESSAGE, 0, &ftri_otlp_scope_message},
    {"spans", 2, MESSAGE, MANY, &ftri_otlp_span_message},
    {"schemaUrl", 3, STR, 0, NULL},
};
static const struct ftri_otlp_message scope_spans = {scope_spans_fields,
                                                     FTRI_COUNT(scope_spans_fields), false};

static const struct ftri_otlp_field resource_spans_fields[] = {
    {"resource", 1, MESSAGE, 0, &ftri_otlp_resource_message},
    {"scopeSpans", 2, MESSAGE, MANY, &scope_spans},
    {"schemaUrl", 3, STR, 0, NULL},
};
static const struct ftri_otlp_message resource_spans = {resource_spans_fields,
                                                        FTRI_COUNT(resource_spans_fields), false};

static const struct ftri_otlp_field request_fields[] = {
    {"resourceSpans", 1, MESSAGE, MANY, &resource_spans},
};
const struct ftri_otlp_message ftri_otlp_request = {request_fields, FTRI_COUNT(request_fields),
                                                    false};

const struct ftri_otlp_field *ftri_otlp_field_named(const struct ftri_otlp_message *message,
                                                    ftr_str name)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        const char *const candidate = message->fields[i].name;
        if (strlen(candidate) == name.len && memcmp(candidate, name.data, name.len) == 0)
            return &message->fields[i];
    }
    return NULL;
}

const struct ftri_otlp_field *ftri_otlp_field_numbered(const struct ftri_otlp_message *message,
                                                       uint32_t number)
{
    for (size_t i = 0; i < message->n_fields; i++)
        if (message->fields[i].number == number)
            return &message->fields[i];
    return NULL;
}
