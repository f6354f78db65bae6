/* SPDX-License-Identifier: Apache-2.0
 *
 * Field values were already cleared of control characters while the line was collected. */
#include "net/http1_head.h"

#include <string.h>
#include <strings.h>

static bool is_token_character(uint8_t c)
{
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool http1_is_token(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_character((uint8_t)text.data[i]))
            return false;
    return text.len > 0;
}

bool http1_is_field_value(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = (uint8_t)text.data[i];
        if (c != '\t' && (c < ' ' || c == 0x7f))
            return false;
    }
    return true;
}

bool http1_equals(ftr_str text, const char *lower_or_upper)
{
    const size_t len = strlen(lower_or_upper);
    return text.len == len && strncasecmp(text.data, lower_or_upper, len) == 0;
}

const struct http1_field *http1_find(const struct http1_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_fields; i++)
        if (http1_equals(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

static ftr_str trim(ftr_str text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* uri-host [ ":" port ], RFC 3986: enough to refuse user information, paths and lists. */
static bool is_authority(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = (uint8_t)text.data[i];
        const bool is_letter_or_digit =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_letter_or_digit && (c == '\0' || !strchr("-._~%!$&'()*+;=:[]", c)))
            return false;
    }
    return true;
}

/* "HTTP/1." DIGIT. A higher minor version is answered as 1.1 (RFC 9110 2.5). */
static int take_version(struct http1_parser *self, ftr_str text)
{
    const bool is_version = text.len == 8 && memcmp(text.data, "HTTP/", 5) == 0 &&
                            text.data[5] >= '0' && text.data[5] <= '9' && text.data[6] == '.' &&
                            text.data[7] >= '0' && text.data[7] <= '9';
    if (!is_version)
        return http1_refuse(self, 400, "malformed request line");
    if (text.data[5] != '1')
        return http1_refuse(self, 505, "HTTP version is not supported");
    self->head.minor_version = text.data[7] == '0' ? 0 : 1;
    return HTTP1_LINE_DONE;
}

/* Length of "http://" or "https://" at the start, or 0. */
static size_t scheme_len(ftr_str target)
{
    if (target.len >= 7 && strncasecmp(target.data, "http://", 7) == 0)
        return 7;
    return target.len >= 8 && strncasecmp(target.data, "https://", 8) == 0 ? 8 : 0;
}

/* absolute-form: remembers the authority. */
static int take_absolute_target(struct http1_parser *self, ftr_str target)
{
    const size_t start = scheme_len(target);
    if (start == 0)
        return http1_refuse(self, 400, "malformed request target");
    size_t end = start;
    while (end < target.len && target.data[end] != '/' && target.data[end] != '?')
        end++;
    self->head.authority = (ftr_str){target.data + start, end - start};
    if (end == start || !is_authority(self->head.authority))
        return http1_refuse(self, 400, "malformed authority in the request target");
    return HTTP1_LINE_DONE;
}

static int take_target(struct http1_parser *self, ftr_str target)
{
    if (target.len > self->limits.target_bytes)
        return http1_refuse(self, 414, "request target is too long");
    for (size_t i = 0; i < target.len; i++) {
        const uint8_t c = (uint8_t)target.data[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return http1_refuse(self, 400, "malformed request target");
    }
    self->head.target = target;
    if (target.len > 0 && target.data[0] == '/')
        return HTTP1_LINE_DONE;
    if (http1_equals(self->head.method, "OPTIONS") && http1_equals(target, "*"))
        return HTTP1_LINE_DONE;
    if (self->head.method.len == 7 && memcmp(self->head.method.data, "CONNECT", 7) == 0)
        return http1_refuse(self, 501, "CONNECT is not supported");
    return take_absolute_target(self, target);
}

/* method SP request-target SP HTTP-version: exactly one space each. */
int http1_head_request_line(struct http1_parser *self, ftr_str line)
{
    const char *first = memchr(line.data, ' ', line.len);
    const char *last = memrchr(line.data, ' ', line.len);
    if (!first || first == last)
        return http1_refuse(self, 400, "malformed request line");
    const char *end = line.data + line.len;
    self->head.method = (ftr_str){line.data, (size_t)(first - line.data)};
    if (!http1_is_token(self->head.method))
        return http1_refuse(self, 400, "malformed method");
    if (self->head.method.len > HTTP1_METHOD_BYTES)
        return http1_refuse(self, 400, "method is too long");
    if (take_version(self, (ftr_str){last + 1, (size_t)(end - last - 1)}) == HTTP1_LINE_REFUSED)
        return HTTP1_LINE_REFUSED;
    return take_target(self, (ftr_str){first + 1, (size_t)(last - first - 1)});
}

int http1_head_field(struct http1_parser *self, ftr_str line, struct http1_field *ret_field)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return http1_refuse(self, 400, "folded header field");
    const char *colon = memchr(line.data, ':', line.len);
    if (!colon)
        return http1_refuse(self, 400, "header field without a colon");
    const ftr_str name = {line.data, (size_t)(colon - line.data)};
    if (!http1_is_token(name))
        return http1_refuse(self, 400, "malformed header field name");
    ret_field->name = name;
    ret_field->value = trim((ftr_str){colon + 1, line.len - name.len - 1});
    return HTTP1_LINE_DONE;
}

static int take_content_length(struct http1_parser *self, ftr_str value)
{
    if (self->head.has_length)
        return http1_refuse(self, 400, "more than one Content-Length");
    uint64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        const unsigned digit = (unsigned)(uint8_t)value.data[i] - '0';
        if (digit > 9)
            return http1_refuse(self, 400, "Content-Length is not a number");
        if (length > (UINT64_MAX - digit) / 10)
            return http1_refuse(self, 400, "Content-Length is too large");
        length = length * 10 + digit;
    }
    if (value.len == 0)
        return http1_refuse(self, 400, "Content-Length is empty");
    self->head.has_length = true;
    self->head.length = length;
    return HTTP1_LINE_DONE;
}

static int take_transfer_encoding(struct http1_parser *self, ftr_str value)
{
    if (self->head.is_chunked)
        return http1_refuse(self, 400, "more than one Transfer-Encoding");
    if (!http1_equals(value, "chunked"))
        return http1_refuse(self, 400, "Transfer-Encoding is not chunked");
    if (self->head.minor_version == 0)
        return http1_refuse(self, 400, "Transfer-Encoding in HTTP/1.0");
    self->head.is_chunked = true;
    return HTTP1_LINE_DONE;
}

static int take_host(struct http1_parser *self, ftr_str value)
{
    if (!is_authority(value))
        return http1_refuse(self, 400, "malformed Host");
    if (self->head.authority.data == NULL)
        self->head.authority = value;
    return HTTP1_LINE_DONE;
}

static int take_connection(struct http1_parser *self, ftr_str value)
{
    while (value.len > 0) {
        const char *comma = memchr(value.data, ',', value.len);
        const size_t len = comma ? (size_t)(comma - value.data) : value.len;
        if (http1_equals(trim((ftr_str){value.data, len}), "close"))
            self->head.keep_alive = false;
        const size_t used = comma ? len + 1 : len;
        value = (ftr_str){value.data + used, value.len - used};
    }
    return HTTP1_LINE_DONE;
}

static int take_expect(struct http1_parser *self, ftr_str value)
{
    if (!http1_equals(value, "100-continue"))
        return http1_refuse(self, 417, "the expectation cannot be met");
    self->head.expects_continue = self->head.minor_version > 0;
    return HTTP1_LINE_DONE;
}

static const struct {
    const char *name;
    int (*take)(struct http1_parser *self, ftr_str value);
} meanings[] = {
    {"content-length", take_content_length},
    {"transfer-encoding", take_transfer_encoding},
    {"host", take_host},
    {"connection", take_connection},
    {"expect", take_expect},
};

static int take_meaning(struct http1_parser *self, const struct http1_field *field)
{
    for (size_t i = 0; i < FTRI_COUNT(meanings); i++)
        if (http1_equals(field->name, meanings[i].name))
            return meanings[i].take(self, field->value);
    return HTTP1_LINE_DONE;
}

static size_t count_hosts(const struct http1_head *head)
{
    size_t n_hosts = 0;
    for (size_t i = 0; i < head->n_fields; i++)
        n_hosts += http1_equals(head->fields[i].name, "host");
    return n_hosts;
}

int http1_head_finish(struct http1_parser *self)
{
    struct http1_head *head = &self->head;
    head->fields = self->fields;
    head->n_fields = self->n_fields;
    head->keep_alive = head->minor_version > 0;
    const size_t n_hosts = count_hosts(head);
    if (n_hosts > 1)
        return http1_refuse(self, 400, "more than one Host");
    if (n_hosts == 0 && head->minor_version > 0)
        return http1_refuse(self, 400, "Host is missing");
    for (size_t i = 0; i < head->n_fields; i++)
        if (take_meaning(self, &head->fields[i]) == HTTP1_LINE_REFUSED)
            return HTTP1_LINE_REFUSED;
    if (head->is_chunked && head->has_length)
        return http1_refuse(self, 400, "both Content-Length and Transfer-Encoding");
    return HTTP1_LINE_DONE;
}
