/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines are collected into the room up to CR LF and handled whole, one function for each kind of
 * line; bodies pass through untouched.
 *
 *   START -> REQUEST_LINE -> FIELDS -+-> BODY ----------------------------------+-> END
 *                                    +-> CHUNK_LINE -> CHUNK -> CHUNK_END -+    |
 *                                    |        ^-----------------------------+   |
 *                                    |        +-- size 0 --> TRAILERS ----------+
 *                                    +------------------------------------------+ */
#include "net/http1.h"

#include "net/http1_head.h"

#include <string.h>

void http1_init(struct http1_parser *self, const struct http1_limits *limits, char *room,
                struct http1_field *fields)
{
    *self = (struct http1_parser){.limits = *limits, .room = room, .fields = fields};
    http1_reset(self);
}

void http1_reset(struct http1_parser *self)
{
    *self = (struct http1_parser){
        .limits = self->limits,
        .room = self->room,
        .fields = self->fields,
        .state = HTTP1_STATE_START,
    };
}

int http1_refuse(struct http1_parser *self, int status, const char *reason)
{
    self->state = HTTP1_STATE_REFUSED;
    self->refusal_status = status;
    self->refusal = reason;
    return HTTP1_LINE_REFUSED;
}

/* How long the current line may become. */
static size_t line_limit(const struct http1_parser *self)
{
    switch (self->state) {
    case HTTP1_STATE_START:
    case HTTP1_STATE_REQUEST_LINE:
        return self->limits.target_bytes + HTTP1_LINE_OVERHEAD;
    case HTTP1_STATE_CHUNK_LINE:
        return HTTP1_CHUNK_LINE_BYTES;
    case HTTP1_STATE_CHUNK_END:
        return 0;
    default:
        return self->limits.field_bytes - self->field_bytes;
    }
}

static void refuse_long_line(struct http1_parser *self)
{
    const char *line = self->room + self->line_start;
    if (self->state == HTTP1_STATE_CHUNK_LINE)
        (void)http1_refuse(self, 400, "chunk extensions are too long");
    else if (self->state == HTTP1_STATE_CHUNK_END)
        (void)http1_refuse(self, 400, "chunk is longer than its size");
    else if (self->state != HTTP1_STATE_START && self->state != HTTP1_STATE_REQUEST_LINE)
        (void)http1_refuse(self, 431, "header fields are too large");
    else if (memchr(line, ' ', ftri_size_min(self->line_len, HTTP1_METHOD_BYTES + 1)))
        (void)http1_refuse(self, 414, "request target is too long");
    else
        (void)http1_refuse(self, 400, "method is too long");
}

/* Characters that may stand in a line: HTAB, SP, visible, obs-text. */
static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static size_t text_run(struct ftri_view input)
{
    size_t n = 0;
    while (n < input.len && is_text(input.data[n]))
        n++;
    return n;
}

enum { LINE_MORE, LINE_COMPLETE, LINE_REFUSED };

/* The character that ended a run of text: CR, LF, or one that has no business in a line. */
static int take_control(struct http1_parser *self, uint8_t c)
{
    if (self->saw_cr && c == '\n') {
        self->saw_cr = false;
        return LINE_COMPLETE;
    }
    if (self->saw_cr)
        (void)http1_refuse(self, 400, "CR without LF");
    else if (c == '\r')
        self->saw_cr = true;
    else if (c == '\n')
        (void)http1_refuse(self, 400, "LF without CR");
    else
        (void)http1_refuse(self, 400, "control character in the head");
    return self->state == HTTP1_STATE_REFUSED ? LINE_REFUSED : LINE_MORE;
}

/* Collects the current line from input. */
static int take_line(struct http1_parser *self, struct ftri_view input, size_t *used)
{
    while (*used < input.len) {
        const struct ftri_view rest = {input.data + *used, input.len - *used};
        const size_t run = self->saw_cr ? 0 : text_run(rest);
        const size_t n = ftri_size_min(run, line_limit(self) - self->line_len);
        memcpy(self->room + self->line_start + self->line_len, rest.data, n);
        self->line_len += n;
        *used += n;
        if (n < run) {
            refuse_long_line(self);
            return LINE_REFUSED;
        }
        if (n == rest.len)
            return LINE_MORE;
        const int r = take_control(self, rest.data[n]);
        *used += 1;
        if (r != LINE_MORE)
            return r;
    }
    return LINE_MORE;
}

/* Keeps the line's text and starts the next one behind it. */
static void keep_line(struct http1_parser *self)
{
    self->line_start += self->line_len;
    self->line_len = 0;
}

static int request_line(struct http1_parser *self, ftr_str line)
{
    if (line.len == 0) {
        if (self->saw_empty_line)
            return http1_refuse(self, 400, "empty lines before the request");
        self->saw_empty_line = true;
        self->state = HTTP1_STATE_START;
        return HTTP1_LINE_DONE;
    }
    const int r = http1_head_request_line(self, line);
    if (r == HTTP1_LINE_REFUSED)
        return r;
    keep_line(self);
    self->state = HTTP1_STATE_FIELDS;
    return HTTP1_LINE_DONE;
}

/* Counts a field or trailer line against the limits they share. */
static int count_field(struct http1_parser *self, ftr_str line)
{
    self->field_bytes += line.len;
    if (self->n_fields + self->n_trailers < self->limits.n_fields)
        return HTTP1_LINE_DONE;
    return http1_refuse(self, 431, "too many header fields");
}

static int end_of_fields(struct http1_parser *self)
{
    if (http1_head_finish(self) == HTTP1_LINE_REFUSED)
        return HTTP1_LINE_REFUSED;
    self->remaining = self->head.length;
    if (self->head.is_chunked)
        self->state = HTTP1_STATE_CHUNK_LINE;
    else
        self->state = self->remaining > 0 ? HTTP1_STATE_BODY : HTTP1_STATE_END;
    return HTTP1_LINE_HEAD;
}

static int field_line(struct http1_parser *self, ftr_str line)
{
    if (line.len == 0)
        return end_of_fields(self);
    if (count_field(self, line) == HTTP1_LINE_REFUSED)
        return HTTP1_LINE_REFUSED;
    if (http1_head_field(self, line, &self->fields[self->n_fields]) == HTTP1_LINE_REFUSED)
        return HTTP1_LINE_REFUSED;
    self->n_fields++;
    keep_line(self);
    return HTTP1_LINE_DONE;
}

/* Trailers are checked and dropped. */
static int trailer_line(struct http1_parser *self, ftr_str line)
{
    self->line_len = 0;
    if (line.len == 0) {
        self->state = HTTP1_STATE_END;
        return HTTP1_LINE_DONE;
    }
    struct http1_field dropped;
    if (count_field(self, line) == HTTP1_LINE_REFUSED)
        return HTTP1_LINE_REFUSED;
    self->n_trailers++;
    return http1_head_field(self, line, &dropped);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* chunk-size [ BWS ";" anything ]; sizes that do not fit 60 bits are refused. */
static int chunk_line(struct http1_parser *self, ftr_str line)
{
    self->line_len = 0;
    uint64_t size = 0;
    size_t n = 0;
    for (; n < line.len && hex_value(line.data[n]) >= 0; n++) {
        if (size >> 56)
            return http1_refuse(self, 400, "chunk size is too large");
        size = size << 4 | (uint64_t)hex_value(line.data[n]);
    }
    if (n == 0)
        return http1_refuse(self, 400, "chunk size is not hexadecimal");
    size_t end = n;
    while (end < line.len && (line.data[end] == ' ' || line.data[end] == '\t'))
        end++;
    if (n < line.len && (end == line.len || line.data[end] != ';'))
        return http1_refuse(self, 400, "garbage after the chunk size");
    self->extension_bytes += line.len - n;
    if (self->extension_bytes > HTTP1_EXTENSION_BYTES)
        return http1_refuse(self, 400, "chunk extensions are too long");
    self->remaining = size;
    self->state = size > 0 ? HTTP1_STATE_CHUNK : HTTP1_STATE_TRAILERS;
    return HTTP1_LINE_DONE;
}

/* The line behind a chunk's data is empty: its limit is no characters. */
static int chunk_end(struct http1_parser *self)
{
    self->state = HTTP1_STATE_CHUNK_LINE;
    return HTTP1_LINE_DONE;
}

static int finished_line(struct http1_parser *self)
{
    const ftr_str line = {self->room + self->line_start, self->line_len};
    switch (self->state) {
    case HTTP1_STATE_START:
    case HTTP1_STATE_REQUEST_LINE:
        return request_line(self, line);
    case HTTP1_STATE_FIELDS:
        return field_line(self, line);
    case HTTP1_STATE_CHUNK_LINE:
        return chunk_line(self, line);
    case HTTP1_STATE_CHUNK_END:
        return chunk_end(self);
    default:
        return trailer_line(self, line);
    }
}

/* One line's worth of input. True when an event came of it. */
static bool next_in_lines(struct http1_parser *self, struct ftri_view input, size_t *used,
                          enum http1_event *ret_event)
{
    if (self->state == HTTP1_STATE_START && *used < input.len)
        self->state = HTTP1_STATE_REQUEST_LINE;
    *ret_event = HTTP1_MORE;
    if (take_line(self, input, used) == LINE_MORE)
        return true;
    const int r = self->state == HTTP1_STATE_REFUSED ? HTTP1_LINE_REFUSED : finished_line(self);
    *ret_event = r == HTTP1_LINE_REFUSED ? HTTP1_REFUSED : HTTP1_HEAD;
    return r != HTTP1_LINE_DONE;
}

static enum http1_event next_in_body(struct http1_parser *self, struct ftri_view input,
                                     size_t *used, struct ftri_view *ret_piece)
{
    const size_t left = input.len - *used;
    if (left == 0)
        return HTTP1_MORE;
    const size_t n = self->remaining < left ? (size_t)self->remaining : left;
    *ret_piece = ftri_view_of(input.data + *used, n);
    *used += n;
    self->remaining -= n;
    if (self->remaining == 0)
        self->state = self->state == HTTP1_STATE_BODY ? HTTP1_STATE_END : HTTP1_STATE_CHUNK_END;
    return HTTP1_BODY;
}

enum http1_event http1_next(struct http1_parser *self, struct ftri_view input, size_t *ret_used,
                            struct ftri_view *ret_piece)
{
    *ret_used = 0;
    enum http1_event event;
    for (;;) {
        switch (self->state) {
        case HTTP1_STATE_REFUSED:
            return HTTP1_REFUSED;
        case HTTP1_STATE_END:
            return HTTP1_END;
        case HTTP1_STATE_BODY:
        case HTTP1_STATE_CHUNK:
            return next_in_body(self, input, ret_used, ret_piece);
        default:
            if (next_in_lines(self, input, ret_used, &event))
                return event;
        }
    }
}

bool http1_has_body(const struct http1_parser *self)
{
    return self->head.is_chunked || self->head.length > 0;
}
