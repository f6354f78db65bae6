/* SPDX-License-Identifier: Apache-2.0 */
#include "api/jaeger_tags.h"

#include "api/value_text.h"
#include "codec/json_writer.h"
#include "codec/wire.h"
#include "otlp/view.h"

#include <string.h>

/* Beyond these a double skips integers (ECMA-262, Number.MAX_SAFE_INTEGER). */
static const int64_t safe_integer_max = (INT64_C(1) << 53) - 1;

enum { TEXT_LIMIT_BYTES = 64 << 20 };

static const char *const kind_names[] = {"",       "internal", "server",
                                         "client", "producer", "consumer"};

ftr_str jaeger_kind_name(int32_t kind)
{
    return ftr_str_from(kind > 0 && (size_t)kind < FTRI_COUNT(kind_names) ? kind_names[kind] : "");
}

bool jaeger_kind_of(ftr_str name, int32_t *ret_kind)
{
    for (size_t i = 1; i < FTRI_COUNT(kind_names); i++) {
        if (name.len == strlen(kind_names[i]) && memcmp(name.data, kind_names[i], name.len) == 0) {
            *ret_kind = (int32_t)i;
            return true;
        }
    }
    return false;
}

struct jaeger_scope jaeger_scope_of(struct ftri_view scope)
{
    struct jaeger_scope found = {0};
    struct ftri_wire_field field;
    size_t next = 0;
    while (ftri_wire_next(scope, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number == 1)
            found.name = ftri_view_str(field.bytes);
        else if (field.number == 2)
            found.version = ftri_view_str(field.bytes);
    }
    return found;
}

static void begin_tag(struct ftri_json_writer *json, ftr_str key, ftr_str type)
{
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("key"));
    ftri_json_str(json, key);
    ftri_json_name(json, FTR_STR("type"));
    ftri_json_str(json, type);
    ftri_json_name(json, FTR_STR("value"));
}

void jaeger_tag_str(struct ftri_json_writer *json, ftr_str key, ftr_str value)
{
    begin_tag(json, key, FTR_STR("string"));
    ftri_json_str(json, value);
    ftri_json_end_object(json);
}

static void tag_i64(struct ftri_json_writer *json, ftr_str key, int64_t value)
{
    begin_tag(json, key, FTR_STR("int64"));
    if (value > safe_integer_max || value < -safe_integer_max)
        ftri_json_i64_text(json, value);
    else
        ftri_json_i64(json, value);
    ftri_json_end_object(json);
}

/* Arrays and maps have no type of their own here. */
static void tag_list(struct ftri_json_writer *json, ftr_str key, struct ftri_view any_value)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_LIMIT_BYTES);
    const int r = value_text(any_value, &text);
    if (r < 0 && json->status == 0)
        json->status = r;
    jaeger_tag_str(json, key, ftri_view_str(ftri_bytes_view(&text)));
    ftri_bytes_deinit(&text);
}

void jaeger_tag_value(struct ftri_json_writer *json, ftr_str key, struct ftri_view any_value)
{
    const ftr_value value = ftri_otlp_value_read(any_value);
    switch (value.type) {
    case FTR_VALUE_EMPTY:
        jaeger_tag_str(json, key, FTR_STR(""));
        break;
    case FTR_VALUE_STR:
        jaeger_tag_str(json, key, value.as.str);
        break;
    case FTR_VALUE_BOOL:
        begin_tag(json, key, FTR_STR("bool"));
        ftri_json_bool(json, value.as.boolean);
        ftri_json_end_object(json);
        break;
    case FTR_VALUE_I64:
        tag_i64(json, key, value.as.i64);
        break;
    case FTR_VALUE_F64:
        begin_tag(json, key, FTR_STR("float64"));
        ftri_json_f64(json, value.as.f64, FTRI_JSON_NONFINITE_TEXT);
        ftri_json_end_object(json);
        break;
    case FTR_VALUE_BYTES:
        begin_tag(json, key, FTR_STR("binary"));
        ftri_json_base64(json, ftri_view_of(value.as.str.data, value.as.str.len));
        ftri_json_end_object(json);
        break;
    case FTR_VALUE_ARRAY:
    case FTR_VALUE_MAP:
        tag_list(json, key, any_value);
        break;
    }
}

static void tag_if_any(struct ftri_json_writer *json, ftr_str key, ftr_str value)
{
    if (value.len)
        jaeger_tag_str(json, key, value);
}

static void tag_attributes(struct ftri_json_writer *json, enum ftri_otlp_owner owner,
                           struct ftri_view message)
{
    struct ftri_otlp_attribute attribute;
    for (size_t next = 0; ftri_otlp_attribute_next(owner, message, &next, &attribute);)
        jaeger_tag_value(json, attribute.key, attribute.value);
}

static void tag_status(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    if (span->status_code == FTRI_OTLP_STATUS_OK)
        jaeger_tag_str(json, FTR_STR("otel.status_code"), FTR_STR("OK"));
    if (span->status_code == FTRI_OTLP_STATUS_ERROR) {
        jaeger_tag_str(json, FTR_STR("otel.status_code"), FTR_STR("ERROR"));
        begin_tag(json, FTR_STR("error"), FTR_STR("bool"));
        ftri_json_bool(json, true);
        ftri_json_end_object(json);
    }
    tag_if_any(json, FTR_STR("otel.status_description"), span->status_message);
}

void jaeger_tags_of_span(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    const struct jaeger_scope scope = jaeger_scope_of(span->scope);
    ftri_json_begin_array(json);
    tag_if_any(json, FTR_STR("otel.scope.name"), scope.name);
    tag_if_any(json, FTR_STR("otel.scope.version"), scope.version);
    tag_attributes(json, FTRI_OTLP_SCOPE, span->scope);
    tag_attributes(json, FTRI_OTLP_SPAN, span->bytes);
    tag_if_any(json, FTR_STR("span.kind"), jaeger_kind_name(span->kind));
    tag_status(json, span);
    tag_if_any(json, FTR_STR("w3c.tracestate"), span->tracestate);
    ftri_json_end_array(json);
}
