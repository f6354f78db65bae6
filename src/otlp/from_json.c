/* SPDX-License-Identifier: Apache-2.0
 *
 * One walk along the schema's tables: each JSON member that the message knows becomes one protobuf
 * field, in the order of the text. A message's length is put in when it ends. */
#include "otlp/json.h"

#include "base/hex.h"
#include "codec/base64.h"
#include "codec/json_number.h"
#include "codec/json_reader.h"
#include "codec/wire.h"
#include "otlp/schema.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One step of the way down to the value being read. */
struct step {
    const char *name;
    size_t index;
    bool is_repeated;
};

struct parse {
    struct ftri_json_reader reader;
    struct ftri_bytes *out;
    struct ftri_otlp_json_counts counts;
    struct step steps[FTRI_JSON_DEPTH_MAX];
    size_t n_steps;
    struct ftri_otlp_error *error;
};

static void write_path(const struct parse *self, char *text, size_t capacity)
{
    size_t len = 0;
    for (size_t i = 0; i < self->n_steps && len < capacity; i++) {
        const struct step *const step = &self->steps[i];
        const char *const dot = i ? "." : "";
        const int n =
            step->is_repeated
                ? snprintf(text + len, capacity - len, "%s%s[%zu]", dot, step->name, step->index)
                : snprintf(text + len, capacity - len, "%s%s", dot, step->name);
        len += (size_t)n;
    }
    if (self->n_steps == 0)
        snprintf(text, capacity, "request");
}

static int refuse(struct parse *self, const char *format, ...) FTRI_PRINTF(2, 3);
static int refuse(struct parse *self, const char *format, ...)
{
    *self->error = (struct ftri_otlp_error){.offset = self->reader.offset};
    write_path(self, self->error->path, sizeof self->error->path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->error->reason, sizeof self->error->reason, format, arguments);
    va_end(arguments);
    return -EBADMSG;
}

/* The next token; what is no JSON is told with its place. */
static int next_token(struct parse *self)
{
    const int token = ftri_json_reader_next(&self->reader);
    if (token == -EBADMSG)
        return refuse(self, "invalid JSON: %s", self->reader.problem);
    return token;
}

static int skip(struct parse *self, int token)
{
    const int r = ftri_json_reader_skip(&self->reader, token);
    if (r == -EBADMSG)
        return refuse(self, "invalid JSON: %s", self->reader.problem);
    return r;
}

static const char *token_name(int token)
{
    static const char *const names[] = {
        [FTRI_JSON_OBJECT] = "an object", [FTRI_JSON_ARRAY] = "an array",
        [FTRI_JSON_STRING] = "a string",  [FTRI_JSON_NUMBER] = "a number",
        [FTRI_JSON_TRUE] = "true",        [FTRI_JSON_FALSE] = "false",
        [FTRI_JSON_NULL] = "null"};
    return names[token];
}

static int refuse_type(struct parse *self, const char *expected, int token)
{
    return refuse(self, "expected %s, found %s", expected, token_name(token));
}

/* A piece of the text that is wrong, short enough for a message. */
static ftr_str excerpt(const struct parse *self)
{
    return (ftr_str){self->reader.text.data, ftri_size_min(self->reader.text.len, 40)};
}

static int refuse_number(struct parse *self, int r, const char *range)
{
    const ftr_str text = excerpt(self);
    if (r == -ERANGE)
        return refuse(self, "%.*s does not fit %s", (int)text.len, text.data, range);
    return refuse(self, "expected an integer, found %.*s", (int)text.len, text.data);
}

/* Hexadecimal of n bytes. Empty counts as missing where a span can do without. */
static int put_id(struct parse *self, const struct ftri_otlp_field *field, int token, size_t n)
{
    if (token != FTRI_JSON_STRING)
        return refuse_type(self, "a string of hex digits", token);
    const ftr_str text = self->reader.text;
    uint8_t id[16];
    if (text.len != 2 * n && (field->flags & FTRI_OTLP_LOOSE))
        return 0;
    if (text.len == 0 && !(field->flags & FTRI_OTLP_REQUIRED))
        return ftri_wire_put_bytes(self->out, field->number, ftri_view_of(NULL, 0));
    if (text.len != 2 * n)
        return refuse(self,
                      "expected %zu hex digits, found %zu characters (base64 is not accepted)",
                      2 * n, text.len);
    if (!ftri_hex_decode(text.data, n, id))
        return refuse(self,
                      "expected %zu hex digits, found another character (base64 is not "
                      "accepted)",
                      2 * n);
    static const uint8_t zeros[16];
    if ((field->flags & FTRI_OTLP_REQUIRED) && memcmp(id, zeros, n) == 0)
        return refuse(self, "all digits are zero");
    return ftri_wire_put_bytes(self->out, field->number, ftri_view_of(id, n));
}

/* Signed integers of 64 bits, of both wire types. */
static int put_i64(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_STRING && token != FTRI_JSON_NUMBER)
        return refuse_type(self, "an integer", token);
    int64_t value;
    const int r = ftri_json_to_i64(self->reader.text, &value);
    if (r < 0)
        return refuse_number(self, r, "64 bits");
    if (field->kind == FTRI_OTLP_KIND_SFIXED64)
        return ftri_wire_put_fixed64(self->out, field->number, (uint64_t)value);
    return ftri_wire_put_varint(self->out, field->number, (uint64_t)value);
}

static int read_i32(struct parse *self, int64_t *ret_value)
{
    const int r = ftri_json_to_i64(self->reader.text, ret_value);
    if (r < 0 || *ret_value < INT32_MIN || *ret_value > INT32_MAX)
        return refuse_number(self, r < 0 ? r : -ERANGE, "32 bits");
    return 0;
}

static int put_enum(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token == FTRI_JSON_STRING)
        return refuse(self, "expected an integer, found a string (names of enum values are not "
                            "accepted)");
    if (token != FTRI_JSON_NUMBER)
        return refuse_type(self, "an integer", token);
    int64_t value;
    const int r = read_i32(self, &value);
    return r < 0 ? r : ftri_wire_put_varint(self->out, field->number, (uint64_t)value);
}

static int put_sint32(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_STRING && token != FTRI_JSON_NUMBER)
        return refuse_type(self, "an integer", token);
    int64_t value;
    const int r = read_i32(self, &value);
    if (r < 0)
        return r;
    const uint64_t doubled = (uint64_t)value << 1;
    return ftri_wire_put_varint(self->out, field->number, value < 0 ? ~doubled : doubled);
}

/* Unsigned integers of all three wire types. */
static int put_unsigned(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_STRING && token != FTRI_JSON_NUMBER)
        return refuse_type(self, "an unsigned integer", token);
    uint64_t value;
    const bool is_64 = field->kind == FTRI_OTLP_KIND_FIXED64 || field->kind == FTRI_OTLP_KIND_U64;
    int r = ftri_json_to_u64(self->reader.text, &value);
    if (r == 0 && !is_64 && value > UINT32_MAX)
        r = -ERANGE;
    if (r < 0)
        return refuse_number(self, r,
                             is_64 ? "an unsigned 64-bit integer" : "an unsigned 32-bit integer");
    if (field->kind == FTRI_OTLP_KIND_FIXED64)
        return ftri_wire_put_fixed64(self->out, field->number, value);
    if (field->kind == FTRI_OTLP_KIND_FIXED32)
        return ftri_wire_put_fixed32(self->out, field->number, (uint32_t)value);
    return ftri_wire_put_varint(self->out, field->number, value);
}

static bool is_text(ftr_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

/* The three values that JSON numbers do not have. */
static bool read_nonfinite(ftr_str text, double *ret_value)
{
    if (is_text(text, "NaN"))
        *ret_value = NAN;
    else if (is_text(text, "Infinity"))
        *ret_value = INFINITY;
    else if (is_text(text, "-Infinity"))
        *ret_value = -INFINITY;
    else
        return false;
    return true;
}

static int put_f64(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_STRING && token != FTRI_JSON_NUMBER)
        return refuse_type(self, "a number", token);
    const ftr_str text = excerpt(self);
    double value;
    if (token == FTRI_JSON_NUMBER || !read_nonfinite(self->reader.text, &value)) {
        const int r = ftri_json_to_f64(self->reader.text, &value);
        if (r == -ERANGE)
            return refuse(self, "%.*s does not fit a double", (int)text.len, text.data);
        if (r < 0)
            return refuse(self, "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return ftri_wire_put_fixed64(self->out, field->number, bits);
}

static int put_bool(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_TRUE && token != FTRI_JSON_FALSE)
        return refuse_type(self, "true or false", token);
    return ftri_wire_put_varint(self->out, field->number, token == FTRI_JSON_TRUE);
}

static int put_text(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_STRING)
        return refuse_type(self, "a string", token);
    return ftri_wire_put_bytes(self->out, field->number,
                               ftri_view_of(self->reader.text.data, self->reader.text.len));
}

static int put_base64(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_STRING)
        return refuse_type(self, "a string in base64", token);
    size_t mark;
    int r = ftri_wire_begin(self->out, field->number, &mark);
    if (r == 0)
        r = ftri_base64_decode(self->reader.text, self->out);
    if (r == -EBADMSG)
        return refuse(self, "no base64");
    return r < 0 ? r : ftri_wire_end(self->out, mark);
}

static int put_message(struct parse *self, const struct ftri_otlp_field *field, int token);

static int put_value(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    switch ((enum ftri_otlp_kind)field->kind) {
    case FTRI_OTLP_KIND_STR:
        return put_text(self, field, token);
    case FTRI_OTLP_KIND_BYTES:
        return put_base64(self, field, token);
    case FTRI_OTLP_KIND_ID16:
        return put_id(self, field, token, 16);
    case FTRI_OTLP_KIND_ID8:
        return put_id(self, field, token, 8);
    case FTRI_OTLP_KIND_BOOL:
        return put_bool(self, field, token);
    case FTRI_OTLP_KIND_I64:
    case FTRI_OTLP_KIND_SFIXED64:
        return put_i64(self, field, token);
    case FTRI_OTLP_KIND_SINT32:
        return put_sint32(self, field, token);
    case FTRI_OTLP_KIND_ENUM:
        return put_enum(self, field, token);
    case FTRI_OTLP_KIND_U32:
    case FTRI_OTLP_KIND_U64:
    case FTRI_OTLP_KIND_FIXED32:
    case FTRI_OTLP_KIND_FIXED64:
        return put_unsigned(self, field, token);
    case FTRI_OTLP_KIND_F64:
        return put_f64(self, field, token);
    case FTRI_OTLP_KIND_MESSAGE:
        return put_message(self, field, token);
    }
    return -EINVAL;
}

static int put_repeated(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_ARRAY)
        return refuse_type(self, "an array", token);
    struct step *const step = &self->steps[self->n_steps - 1];
    step->is_repeated = true;
    for (step->index = 0;; step->index++) {
        const int element = next_token(self);
        if (element == FTRI_JSON_ARRAY_END)
            return 0;
        const int r = element < 0 ? element : put_value(self, field, element);
        if (r < 0)
            return r;
    }
}

/* The value of a member that the message knows; null stands for absent. */
static int put_field(struct parse *self, const struct ftri_otlp_field *field)
{
    self->steps[self->n_steps++] = (struct step){.name = field->name};
    const int token = next_token(self);
    if (token < 0)
        return token;
    int r = 0;
    if (token == FTRI_JSON_NULL)
        self->counts.n_null_numbers += field->kind == FTRI_OTLP_KIND_F64;
    else if (field->flags & FTRI_OTLP_REPEATED)
        r = put_repeated(self, field, token);
    else
        r = put_value(self, field, token);
    self->n_steps -= r == 0;
    return r;
}

static int skip_member(struct parse *self)
{
    const int token = next_token(self);
    return token < 0 ? token : skip(self, token);
}

/* Refuses a message that ended without an id that it needs. */
static int check_required(struct parse *self, const struct ftri_otlp_message *message,
                          uint32_t present)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        const struct ftri_otlp_field *const field = &message->fields[i];
        if (!(field->flags & FTRI_OTLP_REQUIRED) || present >> field->number & 1)
            continue;
        self->steps[self->n_steps++] = (struct step){.name = field->name};
        return refuse(self, "missing");
    }
    return 0;
}

/* The members behind an opening brace. */
static int put_members(struct parse *self, const struct ftri_otlp_message *message)
{
    uint32_t present = 0;
    for (;;) {
        const int token = next_token(self);
        if (token < 0)
            return token;
        if (token == FTRI_JSON_OBJECT_END)
            return check_required(self, message, present);
        const struct ftri_otlp_field *const field =
            ftri_otlp_field_named(message, self->reader.text);
        const size_t before = self->out->len;
        const int r = field ? put_field(self, field) : skip_member(self);
        if (r < 0)
            return r;
        if (field && self->out->len > before)
            present |= (uint32_t)1 << field->number;
    }
}

static int put_message(struct parse *self, const struct ftri_otlp_field *field, int token)
{
    if (token != FTRI_JSON_OBJECT)
        return refuse_type(self, "an object", token);
    size_t mark;
    int r = ftri_wire_begin(self->out, field->number, &mark);
    if (r == 0)
        r = put_members(self, field->message);
    if (r < 0)
        return r;
    self->counts.n_items += (field->flags & FTRI_OTLP_COUNTED) != 0;
    return ftri_wire_end(self->out, mark);
}

static int put_request(struct parse *self, const struct ftri_otlp_message *request)
{
    const int token = next_token(self);
    if (token < 0)
        return token;
    if (token != FTRI_JSON_OBJECT)
        return refuse_type(self, "an object", token);
    const int r = put_members(self, request);
    if (r < 0)
        return r;
    const int end = next_token(self);
    return end < 0 ? end : 0;
}

static int convert(const struct ftri_otlp_message *request, struct ftri_view json,
                   struct ftri_bytes *ret_bytes, struct ftri_otlp_json_counts *ret_counts,
                   struct ftri_otlp_error *ret_error)
{
    struct parse parse = {.out = ret_bytes, .error = ret_error};
    const size_t before = ret_bytes->len;
    ftri_json_reader_init(&parse.reader, json);
    const int r = put_request(&parse, request);
    ftri_json_reader_deinit(&parse.reader);
    if (r < 0) {
        ret_bytes->len = before;
        return r;
    }
    *ret_counts = parse.counts;
    return 0;
}

int ftri_otlp_traces_from_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                               struct ftri_otlp_json_counts *ret_counts,
                               struct ftri_otlp_error *ret_error)
{
    return convert(&ftri_otlp_request, json, ret_bytes, ret_counts, ret_error);
}

int ftri_otlp_logs_from_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                             struct ftri_otlp_json_counts *ret_counts,
                             struct ftri_otlp_error *ret_error)
{
    return convert(&ftri_otlp_logs_request, json, ret_bytes, ret_counts, ret_error);
}

int ftri_otlp_metrics_from_json(struct ftri_view json, struct ftri_bytes *ret_bytes,
                                struct ftri_otlp_json_counts *ret_counts,
                                struct ftri_otlp_error *ret_error)
{
    return convert(&ftri_otlp_metrics_request, json, ret_bytes, ret_counts, ret_error);
}
