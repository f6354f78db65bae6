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
    U64 = FTRI_OTLP_KIND_U64,
    SINT32 = FTRI_OTLP_KIND_SINT32,
    FIXED32 = FTRI_OTLP_KIND_FIXED32,
    FIXED64 = FTRI_OTLP_KIND_FIXED64,
    SFIXED64 = FTRI_OTLP_KIND_SFIXED64,
    F64 = FTRI_OTLP_KIND_F64,
    MESSAGE = FTRI_OTLP_KIND_MESSAGE,
    MANY = FTRI_OTLP_REPEATED,
    SHOWN = FTRI_OTLP_SHOWN,
    NEEDED = FTRI_OTLP_REQUIRED | FTRI_OTLP_SHOWN,
    ITEMS = FTRI_OTLP_REPEATED | FTRI_OTLP_COUNTED,
    LOOSE = FTRI_OTLP_LOOSE,
    ATTRIBUTES = FTRI_OTLP_REPEATED | FTRI_OTLP_ATTRIBUTE,
    EXPLICIT = FTRI_OTLP_EXPLICIT
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
    {"attributes", 3, MESSAGE, ATTRIBUTES, &key_value},
    {"droppedAttributesCount", 4, U32, 0, NULL},
};
static const struct ftri_otlp_message event = {event_fields, FTRI_COUNT(event_fields), false};

static const struct ftri_otlp_field link_fields[] = {
    {"traceId", 1, ID16, SHOWN, NULL},
    {"spanId", 2, ID8, SHOWN, NULL},
    {"traceState", 3, STR, 0, NULL},
    {"attributes", 4, MESSAGE, ATTRIBUTES, &key_value},
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
    {"attributes", 9, MESSAGE, ATTRIBUTES, &key_value},
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
    {"attributes", 3, MESSAGE, ATTRIBUTES, &key_value},
    {"droppedAttributesCount", 4, U32, 0, NULL},
};
const struct ftri_otlp_message ftri_otlp_scope_message = {scope_fields, FTRI_COUNT(scope_fields),
                                                          false};

static const struct ftri_otlp_field resource_fields[] = {
    {"attributes", 1, MESSAGE, ATTRIBUTES, &key_value},
    {"droppedAttributesCount", 2, U32, 0, NULL},
};
const struct ftri_otlp_message ftri_otlp_resource_message = {resource_fields,
                                                             FTRI_COUNT(resource_fields), false};

static const struct ftri_otlp_field scope_spans_fields[] = {
    {"scope", 1, MESSAGE, 0, &ftri_otlp_scope_message},
    {"spans", 2, MESSAGE, ITEMS, &ftri_otlp_span_message},
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

/* --- logs ---------------------------------------------------------------------------------- */

static const struct ftri_otlp_field log_record_fields[] = {
    {"timeUnixNano", 1, FIXED64, 0, NULL},
    {"observedTimeUnixNano", 11, FIXED64, 0, NULL},
    {"severityNumber", 2, ENUM, 0, NULL},
    {"severityText", 3, STR, 0, NULL},
    {"body", 5, MESSAGE, 0, &ftri_otlp_any_value_message},
    {"attributes", 6, MESSAGE, ATTRIBUTES, &key_value},
    {"droppedAttributesCount", 7, U32, 0, NULL},
    {"flags", 8, FIXED32, 0, NULL},
    {"traceId", 9, ID16, LOOSE, NULL},
    {"spanId", 10, ID8, LOOSE, NULL},
    {"eventName", 12, STR, 0, NULL},
};
static const struct ftri_otlp_message log_record = {log_record_fields,
                                                    FTRI_COUNT(log_record_fields), false};

static const struct ftri_otlp_field scope_logs_fields[] = {
    {"scope", 1, MESSAGE, 0, &ftri_otlp_scope_message},
    {"logRecords", 2, MESSAGE, ITEMS, &log_record},
    {"schemaUrl", 3, STR, 0, NULL},
};
static const struct ftri_otlp_message scope_logs = {scope_logs_fields,
                                                    FTRI_COUNT(scope_logs_fields), false};

static const struct ftri_otlp_field resource_logs_fields[] = {
    {"resource", 1, MESSAGE, 0, &ftri_otlp_resource_message},
    {"scopeLogs", 2, MESSAGE, MANY, &scope_logs},
    {"schemaUrl", 3, STR, 0, NULL},
};
static const struct ftri_otlp_message resource_logs = {resource_logs_fields,
                                                       FTRI_COUNT(resource_logs_fields), false};

static const struct ftri_otlp_field logs_request_fields[] = {
    {"resourceLogs", 1, MESSAGE, MANY, &resource_logs},
};
const struct ftri_otlp_message ftri_otlp_logs_request = {logs_request_fields,
                                                         FTRI_COUNT(logs_request_fields), false};

/* --- metrics ------------------------------------------------------------------------------- */

static const struct ftri_otlp_field exemplar_fields[] = {
    {"filteredAttributes", 7, MESSAGE, ATTRIBUTES, &key_value},
    {"timeUnixNano", 2, FIXED64, 0, NULL},
    {"asDouble", 3, F64, EXPLICIT, NULL},
    {"asInt", 6, SFIXED64, EXPLICIT, NULL},
    {"spanId", 4, ID8, 0, NULL},
    {"traceId", 5, ID16, 0, NULL},
};
static const struct ftri_otlp_message exemplar = {exemplar_fields, FTRI_COUNT(exemplar_fields),
                                                  false};

static const struct ftri_otlp_field number_point_fields[] = {
    {"attributes", 7, MESSAGE, ATTRIBUTES, &key_value},
    {"startTimeUnixNano", 2, FIXED64, 0, NULL},
    {"timeUnixNano", 3, FIXED64, 0, NULL},
    {"asDouble", 4, F64, EXPLICIT, NULL},
    {"asInt", 6, SFIXED64, EXPLICIT, NULL},
    {"exemplars", 5, MESSAGE, MANY, &exemplar},
    {"flags", 8, U32, 0, NULL},
};
static const struct ftri_otlp_message number_point = {number_point_fields,
                                                      FTRI_COUNT(number_point_fields), false};

static const struct ftri_otlp_field histogram_point_fields[] = {
    {"attributes", 9, MESSAGE, ATTRIBUTES, &key_value},
    {"startTimeUnixNano", 2, FIXED64, 0, NULL},
    {"timeUnixNano", 3, FIXED64, 0, NULL},
    {"count", 4, FIXED64, 0, NULL},
    {"sum", 5, F64, EXPLICIT, NULL},
    {"bucketCounts", 6, FIXED64, MANY, NULL},
    {"explicitBounds", 7, F64, MANY, NULL},
    {"exemplars", 8, MESSAGE, MANY, &exemplar},
    {"flags", 10, U32, 0, NULL},
    {"min", 11, F64, EXPLICIT, NULL},
    {"max", 12, F64, EXPLICIT, NULL},
};
static const struct ftri_otlp_message histogram_point = {histogram_point_fields,
                                                         FTRI_COUNT(histogram_point_fields), false};

static const struct ftri_otlp_field buckets_fields[] = {
    {"offset", 1, SINT32, 0, NULL},
    {"bucketCounts", 2, U64, MANY, NULL},
};
static const struct ftri_otlp_message buckets = {buckets_fields, FTRI_COUNT(buckets_fields), false};

static const struct ftri_otlp_field exponential_point_fields[] = {
    {"attributes", 1, MESSAGE, ATTRIBUTES, &key_value},
    {"startTimeUnixNano", 2, FIXED64, 0, NULL},
    {"timeUnixNano", 3, FIXED64, 0, NULL},
    {"count", 4, FIXED64, 0, NULL},
    {"sum", 5, F64, EXPLICIT, NULL},
    {"scale", 6, SINT32, 0, NULL},
    {"zeroCount", 7, FIXED64, 0, NULL},
    {"positive", 8, MESSAGE, 0, &buckets},
    {"negative", 9, MESSAGE, 0, &buckets},
    {"flags", 10, U32, 0, NULL},
    {"exemplars", 11, MESSAGE, MANY, &exemplar},
    {"min", 12, F64, EXPLICIT, NULL},
    {"max", 13, F64, EXPLICIT, NULL},
    {"zeroThreshold", 14, F64, 0, NULL},
};
static const struct ftri_otlp_message exponential_point = {
    exponential_point_fields, FTRI_COUNT(exponential_point_fields), false};

static const struct ftri_otlp_field quantile_fields[] = {
    {"quantile", 1, F64, 0, NULL},
    {"value", 2, F64, 0, NULL},
};
static const struct ftri_otlp_message quantile = {quantile_fields, FTRI_COUNT(quantile_fields),
                                                  false};

static const struct ftri_otlp_field summary_point_fields[] = {
    {"attributes", 7, MESSAGE, ATTRIBUTES, &key_value},
    {"startTimeUnixNano", 2, FIXED64, 0, NULL},
    {"timeUnixNano", 3, FIXED64, 0, NULL},
    {"count", 4, FIXED64, 0, NULL},
    {"sum", 5, F64, 0, NULL},
    {"quantileValues", 6, MESSAGE, MANY, &quantile},
    {"flags", 8, U32, 0, NULL},
};
static const struct ftri_otlp_message summary_point = {summary_point_fields,
                                                       FTRI_COUNT(summary_point_fields), false};

static const struct ftri_otlp_field gauge_fields[] = {
    {"dataPoints", 1, MESSAGE, ITEMS, &number_point},
};
static const struct ftri_otlp_message gauge = {gauge_fields, FTRI_COUNT(gauge_fields), false};

static const struct ftri_otlp_field sum_fields[] = {
    {"dataPoints", 1, MESSAGE, ITEMS, &number_point},
    {"aggregationTemporality", 2, ENUM, 0, NULL},
    {"isMonotonic", 3, BOOL, 0, NULL},
};
static const struct ftri_otlp_message sum = {sum_fields, FTRI_COUNT(sum_fields), false};

static const struct ftri_otlp_field histogram_fields[] = {
    {"dataPoints", 1, MESSAGE, ITEMS, &histogram_point},
    {"aggregationTemporality", 2, ENUM, 0, NULL},
};
static const struct ftri_otlp_message histogram = {histogram_fields, FTRI_COUNT(histogram_fields),
                                                   false};

static const struct ftri_otlp_field exponential_fields[] = {
    {"dataPoints", 1, MESSAGE, ITEMS, &exponential_point},
    {"aggregationTemporality", 2, ENUM, 0, NULL},
};
static const struct ftri_otlp_message exponential = {exponential_fields,
                                                     FTRI_COUNT(exponential_fields), false};

static const struct ftri_otlp_field summary_fields[] = {
    {"dataPoints", 1, MESSAGE, ITEMS, &summary_point},
};
static const struct ftri_otlp_message summary = {summary_fields, FTRI_COUNT(summary_fields), false};

static const struct ftri_otlp_field metric_fields[] = {
    {"name", 1, STR, 0, NULL},
    {"description", 2, STR, 0, NULL},
    {"unit", 3, STR, 0, NULL},
    {"gauge", 5, MESSAGE, 0, &gauge},
    {"sum", 7, MESSAGE, 0, &sum},
    {"histogram", 9, MESSAGE, 0, &histogram},
    {"exponentialHistogram", 10, MESSAGE, 0, &exponential},
    {"summary", 11, MESSAGE, 0, &summary},
    {"metadata", 12, MESSAGE, ATTRIBUTES, &key_value},
};
static const struct ftri_otlp_message metric = {metric_fields, FTRI_COUNT(metric_fields), false};

static const struct ftri_otlp_field scope_metrics_fields[] = {
    {"scope", 1, MESSAGE, 0, &ftri_otlp_scope_message},
    {"metrics", 2, MESSAGE, MANY, &metric},
    {"schemaUrl", 3, STR, 0, NULL},
};
static const struct ftri_otlp_message scope_metrics = {scope_metrics_fields,
                                                       FTRI_COUNT(scope_metrics_fields), false};

static const struct ftri_otlp_field resource_metrics_fields[] = {
    {"resource", 1, MESSAGE, 0, &ftri_otlp_resource_message},
    {"scopeMetrics", 2, MESSAGE, MANY, &scope_metrics},
    {"schemaUrl", 3, STR, 0, NULL},
};
static const struct ftri_otlp_message resource_metrics = {
    resource_metrics_fields, FTRI_COUNT(resource_metrics_fields), false};

static const struct ftri_otlp_field metrics_request_fields[] = {
    {"resourceMetrics", 1, MESSAGE, MANY, &resource_metrics},
};
const struct ftri_otlp_message ftri_otlp_metrics_request = {
    metrics_request_fields, FTRI_COUNT(metrics_request_fields), false};

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
