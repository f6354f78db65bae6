/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json_writer.h"

#include "base/hex.h"
#include "codec/base64.h"
#include "codec/json_number.h"
#include "codec/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void ftri_json_writer_init(struct ftri_json_writer *self, struct ftri_bytes *out)
{
    *self = (struct ftri_json_writer){.out = out};
}

int ftri_json_writer_status(const struct ftri_json_writer *self)
{
    return self->status;
}

static void put(struct ftri_json_writer *self, const char *text, size_t len)
{
    if (self->status == 0)
        self->status = ftri_bytes_append(self->out, text, len);
}

/* The comma before a value or name, where one is due. */
static void begin_value(struct ftri_json_writer *self)
{
    if (self->needs_comma)
        put(self, ",", 1);
    self->needs_comma = true;
}

static void open_level(struct ftri_json_writer *self, const char *bracket)
{
    begin_value(self);
    put(self, bracket, 1);
    self->needs_comma = false;
}

static void close_level(struct ftri_json_writer *self, const char *bracket)
{
    put(self, bracket, 1);
    self->needs_comma = true;
}

void ftri_json_begin_object(struct ftri_json_writer *self)
{
    open_level(self, "{");
}

void ftri_json_end_object(struct ftri_json_writer *self)
{
    close_level(self, "}");
}

void ftri_json_begin_array(struct ftri_json_writer *self)
{
    open_level(self, "[");
}

void ftri_json_end_array(struct ftri_json_writer *self)
{
    close_level(self, "]");
}

static void put_escape(struct ftri_json_writer *self, uint8_t c)
{
    static const char names[] = "\"\\bfnrt";
    static const char values[] = "\"\\\b\f\n\r\t";
    const char *value = c ? strchr(values, c) : NULL;
    char text[8];
    if (value)
        put(self, (char[]){'\\', names[value - values]}, 2);
    else
        put(self, text, (size_t)snprintf(text, sizeof text, "\\u%04x", c));
}

static void put_escaped(struct ftri_json_writer *self, ftr_str text)
{
    size_t begin = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = (uint8_t)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(self, text.data + begin, i - begin);
        put_escape(self, c);
        begin = i + 1;
    }
    put(self, text.data + begin, text.len - begin);
}

static void put_quoted(struct ftri_json_writer *self, ftr_str text)
{
    put(self, "\"", 1);
    while (text.len) {
        const size_t n = ftri_utf8_valid_prefix(text);
        put_escaped(self, (ftr_str){text.data, n});
        if (n == text.len)
            break;
        put(self, "\xef\xbf\xbd", 3);
        text = (ftr_str){text.data + n + 1, text.len - n - 1};
    }
    put(self, "\"", 1);
}

void ftri_json_name(struct ftri_json_writer *self, ftr_str name)
{
    begin_value(self);
    put_quoted(self, name);
    put(self, ":", 1);
    self->needs_comma = false;
}

void ftri_json_str(struct ftri_json_writer *self, ftr_str text)
{
    begin_value(self);
    put_quoted(self, text);
}

void ftri_json_raw(struct ftri_json_writer *self, ftr_str json)
{
    begin_value(self);
    put(self, json.data, json.len);
}

void ftri_json_i64(struct ftri_json_writer *self, int64_t value)
{
    char text[24];
    const int len = snprintf(text, sizeof text, "%" PRId64, value);
    ftri_json_raw(self, (ftr_str){text, (size_t)len});
}

void ftri_json_u64(struct ftri_json_writer *self, uint64_t value)
{
    char text[24];
    const int len = snprintf(text, sizeof text, "%" PRIu64, value);
    ftri_json_raw(self, (ftr_str){text, (size_t)len});
}

void ftri_json_i64_text(struct ftri_json_writer *self, int64_t value)
{
    char text[24];
    const int len = snprintf(text, sizeof text, "\"%" PRId64 "\"", value);
    ftri_json_raw(self, (ftr_str){text, (size_t)len});
}

void ftri_json_u64_text(struct ftri_json_writer *self, uint64_t value)
{
    char text[24];
    const int len = snprintf(text, sizeof text, "\"%" PRIu64 "\"", value);
    ftri_json_raw(self, (ftr_str){text, (size_t)len});
}

void ftri_json_f64(struct ftri_json_writer *self, double value, enum ftri_json_nonfinite nonfinite)
{
    if (isfinite(value)) {
        char text[FTRI_JSON_F64_BYTES];
        const size_t len = ftri_json_format_f64(value, text);
        ftri_json_raw(self, (ftr_str){text, len});
    } else if (nonfinite == FTRI_JSON_NONFINITE_NULL) {
        ftri_json_null(self);
    } else if (isnan(value)) {
        ftri_json_str(self, FTR_STR("NaN"));
    } else {
        ftri_json_str(self, value > 0 ? FTR_STR("Infinity") : FTR_STR("-Infinity"));
    }
}

void ftri_json_bool(struct ftri_json_writer *self, bool value)
{
    ftri_json_raw(self, value ? FTR_STR("true") : FTR_STR("false"));
}

void ftri_json_null(struct ftri_json_writer *self)
{
    ftri_json_raw(self, FTR_STR("null"));
}

void ftri_json_hex(struct ftri_json_writer *self, struct ftri_view bytes)
{
    begin_value(self);
    put(self, "\"", 1);
    for (size_t i = 0; i < bytes.len; i++) {
        char digits[2];
        ftri_hex_encode(bytes.data + i, 1, digits);
        put(self, digits, 2);
    }
    put(self, "\"", 1);
}

void ftri_json_base64(struct ftri_json_writer *self, struct ftri_view bytes)
{
    begin_value(self);
    put(self, "\"", 1);
    if (self->status == 0)
        self->status = ftri_base64_encode(bytes, self->out);
    put(self, "\"", 1);
}
