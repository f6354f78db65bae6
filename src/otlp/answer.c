/* SPDX-License-Identifier: Apache-2.0
 *
 *   ExportTraceServiceResponse: partial_success 1 { rejected_spans 1, error_message 2 }
 *   ExportMetricsServiceResponse: the same with rejected_data_points 1
 *   google.rpc.Status: code 1, message 2, details 3 { type_url 1, value 2 }
 *   google.rpc.RetryInfo: retry_delay 1 { seconds 1, nanos 2 } */
#include "otlp/answer.h"

#include "base/text.h"
#include "base/time.h"
#include "codec/json_number.h"
#include "codec/json_reader.h"
#include "codec/utf8.h"
#include "codec/wire.h"

#include <errno.h>

/* What a server may ask us to wait; more is a mistake or malice. */
enum { RETRY_MAX_S = 24 * 3600 };

void ftri_otlp_answer_set_text(struct ftri_otlp_answer *self, ftr_str text)
{
    size_t len = ftri_size_min(text.len, sizeof self->text - 1);
    len = ftri_utf8_valid_prefix((ftr_str){text.data, len});
    for (size_t i = 0; i < len; i++) {
        const char c = text.data[i];
        self->text[i] = (uint8_t)c < ' ' || c == 0x7f ? ' ' : c;
    }
    self->text[len] = '\0';
}

typedef int field_function(struct ftri_otlp_answer *self, const struct ftri_wire_field *field);

static int each_field(struct ftri_otlp_answer *self, struct ftri_view bytes, field_function *take)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r = ftri_wire_next(bytes, &next, &field);
    while (r == FTRI_WIRE_FIELD) {
        r = take(self, &field);
        r = r < 0 ? r : ftri_wire_next(bytes, &next, &field);
    }
    return r;
}

static bool is_bytes(const struct ftri_wire_field *field, uint32_t number)
{
    return field->number == number && field->type == FTRI_WIRE_BYTES;
}

static int take_partial(struct ftri_otlp_answer *self, const struct ftri_wire_field *field)
{
    if (field->number == 1 && field->type == FTRI_WIRE_VARINT)
        self->n_rejected = (int64_t)field->value < 0 ? 0 : field->value;
    else if (is_bytes(field, 2))
        ftri_otlp_answer_set_text(self, ftri_view_str(field->bytes));
    return 0;
}

static int take_response(struct ftri_otlp_answer *self, const struct ftri_wire_field *field)
{
    return is_bytes(field, 1) ? each_field(self, field->bytes, take_partial) : 0;
}

/* Of seconds or nanoseconds that occur twice the last count, as protobuf has it. */
static int take_duration(struct ftri_otlp_answer *self, const struct ftri_wire_field *field)
{
    if (field->type != FTRI_WIRE_VARINT || (int64_t)field->value < 0)
        return 0;
    const uint64_t nanos = self->retry_delay_ns % FTRI_NS_PER_S;
    if (field->number == 1)
        self->retry_delay_ns = ftri_size_min(field->value, RETRY_MAX_S) * FTRI_NS_PER_S + nanos;
    else if (field->number == 2)
        self->retry_delay_ns += ftri_size_min(field->value, FTRI_NS_PER_S - 1) - nanos;
    return 0;
}

static int take_retry_info(struct ftri_otlp_answer *self, const struct ftri_wire_field *field)
{
    self->retry_delay_ns = 0;
    return is_bytes(field, 1) ? each_field(self, field->bytes, take_duration) : 0;
}

/* google.protobuf.Any: whatever host its type's name begins with. */
static int read_detail(struct ftri_otlp_answer *self, struct ftri_view any)
{
    struct ftri_wire_field field;
    ftr_str type = {NULL, 0};
    struct ftri_view value = {NULL, 0};
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(any, &next, &field)) == FTRI_WIRE_FIELD) {
        if (is_bytes(&field, 1))
            type = ftri_view_str(field.bytes);
        else if (is_bytes(&field, 2))
            value = field.bytes;
    }
    static const char wanted[] = "/google.rpc.RetryInfo";
    const size_t len = sizeof wanted - 1;
    if (r < 0 || type.len < len || memcmp(type.data + type.len - len, wanted, len) != 0)
        return r;
    self->asks_to_retry = true;
    return each_field(self, value, take_retry_info);
}

static int take_status(struct ftri_otlp_answer *self, const struct ftri_wire_field *field)
{
    if (is_bytes(field, 2))
        ftri_otlp_answer_set_text(self, ftri_view_str(field->bytes));
    return is_bytes(field, 3) ? read_detail(self, field->bytes) : 0;
}

/* A member's value of its own type; any other is skipped. */
static int take_member(struct ftri_otlp_answer *self, struct ftri_json_reader *json, bool is_count,
                       bool is_text)
{
    const int token = ftri_json_reader_next(json);
    if (token < 0)
        return token;
    const bool is_scalar = token == FTRI_JSON_STRING || token == FTRI_JSON_NUMBER;
    if (is_text && token == FTRI_JSON_STRING)
        ftri_otlp_answer_set_text(self, json->text);
    if (is_count && is_scalar && ftri_json_to_u64(json->text, &self->n_rejected) < 0)
        self->n_rejected = 0;
    return ftri_json_reader_skip(json, token);
}

/* The members of an object that has been opened; `inner` names the one object to look into. */
static int take_object(struct ftri_otlp_answer *self, struct ftri_json_reader *json,
                       const char *inner)
{
    int token;
    while ((token = ftri_json_reader_next(json)) == FTRI_JSON_NAME) {
        const bool is_count = ftri_text_is(json->text, "rejectedSpans") ||
                              ftri_text_is(json->text, "rejectedLogRecords") ||
                              ftri_text_is(json->text, "rejectedDataPoints");
        const bool is_text =
            ftri_text_is(json->text, "errorMessage") || ftri_text_is(json->text, "message");
        if (inner && ftri_text_is(json->text, inner)) {
            token = ftri_json_reader_next(json);
            if (token == FTRI_JSON_OBJECT)
                token = take_object(self, json, NULL);
            else if (token >= 0)
                token = ftri_json_reader_skip(json, token);
        } else {
            token = take_member(self, json, is_count && !inner, is_text && !inner);
        }
        if (token < 0)
            return token;
    }
    return token < 0 ? token : 0;
}

static int read_json(struct ftri_otlp_answer *self, struct ftri_view bytes, const char *inner)
{
    struct ftri_json_reader json;
    ftri_json_reader_init(&json, bytes);
    int r = ftri_json_reader_next(&json);
    if (r == FTRI_JSON_OBJECT)
        r = take_object(self, &json, inner);
    else if (r >= 0)
        r = -EBADMSG;
    ftri_json_reader_deinit(&json);
    return r;
}

static bool is_json(struct ftri_view bytes)
{
    return bytes.len > 0 && bytes.data[0] == '{';
}

int ftri_otlp_answer_read_response(struct ftri_otlp_answer *self, struct ftri_view bytes)
{
    return is_json(bytes) ? read_json(self, bytes, "partialSuccess")
                          : each_field(self, bytes, take_response);
}

int ftri_otlp_answer_read_status(struct ftri_otlp_answer *self, struct ftri_view bytes)
{
    return is_json(bytes) ? read_json(self, bytes, NULL) : each_field(self, bytes, take_status);
}
