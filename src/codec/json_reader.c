/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json_reader.h"

#include "codec/utf8.h"

#include <errno.h>
#include <string.h>

/* What the grammar allows next. */
enum expected {
    EXPECT_VALUE,        /* of the text, of a member, after a comma in an array */
    EXPECT_VALUE_OR_END, /* after [ */
    EXPECT_NAME_OR_END,  /* after { */
    EXPECT_COMMA_OR_END, /* after a value inside something */
    EXPECT_NOTHING       /* after the outermost value */
};

void ftri_json_reader_init(struct ftri_json_reader *self, struct ftri_view json)
{
    *self = (struct ftri_json_reader){.json = ftri_view_str(json), .expected = EXPECT_VALUE};
    ftri_bytes_init(&self->unescaped, json.len);
}

void ftri_json_reader_deinit(struct ftri_json_reader *self)
{
    ftri_bytes_deinit(&self->unescaped);
}

static int refuse(struct ftri_json_reader *self, size_t offset, const char *problem)
{
    self->offset = offset;
    self->problem = problem;
    return -EBADMSG;
}

/* The byte at i, or -1 behind the end. */
static int peek(const struct ftri_json_reader *self, size_t i)
{
    return i < self->json.len ? (uint8_t)self->json.data[i] : -1;
}

static void skip_white_space(struct ftri_json_reader *self)
{
    for (;; self->next++) {
        const int c = peek(self, self->next);
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
            return;
    }
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits at offset i; -1 if they are not. */
static int32_t read_hex4(const struct ftri_json_reader *self, size_t i)
{
    int32_t value = 0;
    for (size_t k = 0; k < 4; k++) {
        const int digit = hex_value(peek(self, i + k));
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static int append_character(struct ftri_bytes *out, uint32_t c)
{
    uint8_t bytes[4];
    size_t n = 0;
    if (c < 0x80) {
        bytes[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        bytes[n++] = (uint8_t)(0xc0 | c >> 6);
        bytes[n++] = (uint8_t)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        bytes[n++] = (uint8_t)(0xe0 | c >> 12);
        bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
        bytes[n++] = (uint8_t)(0x80 | (c & 63));
    } else {
        bytes[n++] = (uint8_t)(0xf0 | c >> 18);
        bytes[n++] = (uint8_t)(0x80 | (c >> 12 & 63));
        bytes[n++] = (uint8_t)(0x80 | (c >> 6 & 63));
        bytes[n++] = (uint8_t)(0x80 | (c & 63));
    }
    return ftri_bytes_append(out, bytes, n);
}

/* \uXXXX at *i, with its second half where it is a surrogate. */
static int read_unicode_escape(struct ftri_json_reader *self, size_t *i)
{
    const size_t begin = *i;
    int32_t c = read_hex4(self, begin + 2);
    if (c < 0)
        return refuse(self, begin, "\\u needs four hexadecimal digits");
    *i = begin + 6;
    if (c < 0xd800 || c > 0xdfff)
        return append_character(&self->unescaped, (uint32_t)c);
    if (c > 0xdbff || peek(self, *i) != '\\' || peek(self, *i + 1) != 'u')
        return refuse(self, begin, "half of a surrogate pair");
    const int32_t low = read_hex4(self, *i + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(self, begin, "half of a surrogate pair");
    *i += 6;
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    return append_character(&self->unescaped, (uint32_t)c);
}

/* The escape whose backslash is at *i. */
static int read_escape(struct ftri_json_reader *self, size_t *i)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const int c = peek(self, *i + 1);
    if (c == 'u')
        return read_unicode_escape(self, i);
    const char *name = c > 0 ? strchr(names, c) : NULL;
    if (!name)
        return refuse(self, *i, "unknown escape");
    *i += 2;
    return ftri_bytes_append_char(&self->unescaped, values[name - names]);
}

/* First byte at or after i that ends a plain run: quote, backslash, control character or end. */
static size_t find_run_end(const struct ftri_json_reader *self, size_t i)
{
    while (i < self->json.len) {
        const uint8_t c = (uint8_t)self->json.data[i];
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        i++;
    }
    return i;
}

/* Appends what stands in the string from i on, up to its closing quote, whose place is returned. */
static int unescape(struct ftri_json_reader *self, size_t i, size_t *ret_end)
{
    for (;;) {
        const size_t end = find_run_end(self, i);
        int r = ftri_bytes_append(&self->unescaped, self->json.data + i, end - i);
        if (r < 0)
            return r;
        i = end;
        const int c = peek(self, i);
        if (c == '"') {
            *ret_end = i;
            return 0;
        }
        if (c != '\\')
            return refuse(self, i, c < 0 ? "unterminated string" : "control character in a string");
        r = read_escape(self, &i);
        if (r < 0)
            return r;
    }
}

/* The string whose opening quote is at next. */
static int read_string(struct ftri_json_reader *self)
{
    const size_t begin = self->next + 1;
    size_t end = find_run_end(self, begin);
    self->text = (ftr_str){self->json.data + begin, end - begin};
    if (peek(self, end) != '"') {
        ftri_bytes_reset(&self->unescaped);
        const int r = unescape(self, begin, &end);
        if (r < 0)
            return r;
        self->text = ftri_view_str(ftri_bytes_view(&self->unescaped));
    }
    const ftr_str raw = {self->json.data + begin, end - begin};
    if (!ftri_utf8_is_valid(raw))
        return refuse(self, begin + ftri_utf8_valid_prefix(raw), "invalid UTF-8");
    self->next = end + 1;
    return 0;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(const struct ftri_json_reader *self, size_t i)
{
    while (is_digit(peek(self, i)))
        i++;
    return i;
}

/* number = [ minus ] int [ frac ] [ exp ], RFC 8259 section 6. */
static int read_number(struct ftri_json_reader *self)
{
    size_t i = self->next + (peek(self, self->next) == '-');
    if (!is_digit(peek(self, i)))
        return refuse(self, i, "a number needs a digit here");
    if (peek(self, i) == '0' && is_digit(peek(self, i + 1)))
        return refuse(self, i, "a number must not begin with 0");
    i = skip_digits(self, i);
    if (peek(self, i) == '.') {
        if (!is_digit(peek(self, ++i)))
            return refuse(self, i, "a number needs a digit here");
        i = skip_digits(self, i);
    }
    if (peek(self, i) == 'e' || peek(self, i) == 'E') {
        i++;
        if (peek(self, i) == '+' || peek(self, i) == '-')
            i++;
        if (!is_digit(peek(self, i)))
            return refuse(self, i, "a number needs a digit here");
        i = skip_digits(self, i);
    }
    self->text = (ftr_str){self->json.data + self->next, i - self->next};
    self->next = i;
    return FTRI_JSON_NUMBER;
}

static int read_word(struct ftri_json_reader *self, const char *word, int token)
{
    const size_t len = strlen(word);
    if (self->json.len - self->next < len || memcmp(self->json.data + self->next, word, len) != 0)
        return refuse(self, self->next, "expected a value");
    self->next += len;
    return token;
}

static int open_level(struct ftri_json_reader *self, bool is_object)
{
    if (self->depth == FTRI_JSON_DEPTH_MAX)
        return refuse(self, self->next, "nested deeper than 64 levels");
    const uint64_t bit = (uint64_t)1 << self->depth;
    self->objects = is_object ? self->objects | bit : self->objects & ~bit;
    self->depth++;
    self->next++;
    self->expected = is_object ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
    return is_object ? FTRI_JSON_OBJECT : FTRI_JSON_ARRAY;
}

static bool is_in_object(const struct ftri_json_reader *self)
{
    return self->depth && (self->objects >> (self->depth - 1) & 1);
}

static void value_is_over(struct ftri_json_reader *self)
{
    self->expected = self->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static int close_level(struct ftri_json_reader *self)
{
    const bool was_object = is_in_object(self);
    self->depth--;
    self->next++;
    value_is_over(self);
    return was_object ? FTRI_JSON_OBJECT_END : FTRI_JSON_ARRAY_END;
}

static int read_scalar(struct ftri_json_reader *self, int c)
{
    switch (c) {
    case '"': {
        const int r = read_string(self);
        return r < 0 ? r : FTRI_JSON_STRING;
    }
    case 't':
        return read_word(self, "true", FTRI_JSON_TRUE);
    case 'f':
        return read_word(self, "false", FTRI_JSON_FALSE);
    case 'n':
        return read_word(self, "null", FTRI_JSON_NULL);
    default:
        break;
    }
    if (c == '-' || is_digit(c))
        return read_number(self);
    return refuse(self, self->next, c < 0 ? "the text ends too early" : "expected a value");
}

static int read_value(struct ftri_json_reader *self)
{
    const int c = peek(self, self->next);
    if (c == '{' || c == '[')
        return open_level(self, c == '{');
    const int token = read_scalar(self, c);
    if (token > 0)
        value_is_over(self);
    return token;
}

static int read_name(struct ftri_json_reader *self)
{
    if (peek(self, self->next) != '"')
        return refuse(self, self->next, "expected a name in quotes");
    const int r = read_string(self);
    if (r < 0)
        return r;
    skip_white_space(self);
    if (peek(self, self->next) != ':')
        return refuse(self, self->next, "expected a colon");
    self->next++;
    self->expected = EXPECT_VALUE;
    return FTRI_JSON_NAME;
}

/* After a value inside something: a comma and what follows it, or the end of the level. */
static int read_after_value(struct ftri_json_reader *self)
{
    const bool is_object = is_in_object(self);
    const int c = peek(self, self->next);
    if (c == (is_object ? '}' : ']'))
        return close_level(self);
    if (c != ',')
        return refuse(self, self->next, is_object ? "expected , or }" : "expected , or ]");
    self->next++;
    skip_white_space(self);
    self->offset = self->next;
    return is_object ? read_name(self) : read_value(self);
}

int ftri_json_reader_next(struct ftri_json_reader *self)
{
    skip_white_space(self);
    self->offset = self->next;
    const int c = peek(self, self->next);
    switch ((enum expected)self->expected) {
    case EXPECT_VALUE:
        return read_value(self);
    case EXPECT_VALUE_OR_END:
        return c == ']' ? close_level(self) : read_value(self);
    case EXPECT_NAME_OR_END:
        return c == '}' ? close_level(self) : read_name(self);
    case EXPECT_COMMA_OR_END:
        return read_after_value(self);
    case EXPECT_NOTHING:
        break;
    }
    return c < 0 ? FTRI_JSON_END : refuse(self, self->next, "text after the value");
}

int ftri_json_reader_skip(struct ftri_json_reader *self, int token)
{
    if (token != FTRI_JSON_OBJECT && token != FTRI_JSON_ARRAY)
        return 0;
    const unsigned outside = self->depth - 1;
    while (self->depth > outside) {
        const int r = ftri_json_reader_next(self);
        if (r < 0)
            return r;
    }
    return 0;
}
