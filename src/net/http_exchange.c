/* SPDX-License-Identifier: Apache-2.0
 *
 * A request as the handler sees it, and the writing of its answer (RFC 9110 8.6, 9.3.2). */
#include "net/http_connection.h"

#include "base/mem.h"
#include "codec/decoder.h"
#include "net/http_target.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <string.h>

enum { ANSWER_FIELDS_BYTES = 16 * 1024 };

struct http_exchange *http_exchange_new(struct http_connection *connection)
{
    struct http_exchange *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    const struct http_limits *limits = &connection->server->limits;
    self->connection = connection;
    self->head = &connection->parser.head;
    ftri_bytes_init(&self->path, limits->target_bytes);
    ftri_bytes_init(&self->body, limits->body_bytes);
    ftri_bytes_init(&self->fields, ANSWER_FIELDS_BYTES);
    return self;
}

/* Keeps the server's sum of all bodies true. */
static void account(struct http_exchange *self)
{
    const size_t held =
        self->body.capacity + (self->decoder ? ftri_decoder_bytes(self->decoder) : 0);
    self->connection->server->body_bytes += held - self->held_bytes;
    self->held_bytes = held;
}

void http_exchange_free(struct http_exchange *self)
{
    if (!self)
        return;
    ftri_decoder_free(self->decoder);
    self->decoder = NULL;
    ftri_bytes_deinit(&self->path);
    ftri_bytes_deinit(&self->body);
    account(self);
    ftri_bytes_deinit(&self->fields);
    ftri_free(self);
}

static int refusal(int status, const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return status;
}

/* The one coding of the body; a list of several is unknown. */
static enum ftri_coding coding_of(const struct http1_head *head)
{
    const struct http1_field *found = NULL;
    for (size_t i = 0; i < head->n_fields; i++) {
        if (!http1_equals(head->fields[i].name, "content-encoding"))
            continue;
        if (found)
            return FTRI_CODING_UNKNOWN;
        found = &head->fields[i];
    }
    return found ? ftri_coding_named(found->value) : FTRI_CODING_IDENTITY;
}

/* Which decoder the body needs. */
static int begin_decoding(struct http_exchange *self, const char **ret_reason)
{
    const enum ftri_coding coding = coding_of(self->head);
    if (coding == FTRI_CODING_IDENTITY || !http1_has_body(&self->connection->parser))
        return 0;
    if (coding == FTRI_CODING_UNKNOWN) {
        http_exchange_set_header(self, "Accept-Encoding", FTRI_CODINGS);
        return refusal(415, "Content-Encoding must be one of " FTRI_CODINGS, ret_reason);
    }
    self->decoder = ftri_decoder_new(coding);
    account(self);
    return self->decoder ? 0 : refusal(503, "out of memory", ret_reason);
}

int http_exchange_begin(struct http_exchange *self, const char **ret_reason)
{
    const struct http_target target = http_target_cut(self->head->target);
    self->query = target.query;
    const int r = http_target_decode(target.path, &self->path);
    if (r == -EBADMSG)
        return refusal(400, "malformed escape in the path", ret_reason);
    if (r < 0)
        return refusal(503, "out of memory", ret_reason);
    return begin_decoding(self, ret_reason);
}

int http_exchange_take(struct http_exchange *self, struct ftri_view piece, const char **ret_reason)
{
    const struct http_server *server = self->connection->server;
    self->n_received += piece.len;
    int r = -EMSGSIZE; /* packed, it may not be larger either: some input decodes to nothing */
    if (self->n_received <= self->body.limit)
        r = self->decoder ? ftri_decoder_feed(self->decoder, piece, &self->body)
                          : ftri_bytes_append(&self->body, piece.data, piece.len);
    account(self);
    if (r == 0 && server->body_bytes > server->limits.all_bodies_bytes)
        r = -ENOBUFS;
    if (r == -EMSGSIZE)
        return refusal(413, "the body is larger than the limit", ret_reason);
    if (r == -EBADMSG)
        return refusal(400,
                       "the body is not what Content-Encoding says, or its window is too large",
                       ret_reason);
    return r == 0 ? 0 : refusal(503, "memory for bodies is used up", ret_reason);
}

int http_exchange_end(struct http_exchange *self, const char **ret_reason)
{
    if (self->decoder && !ftri_decoder_is_complete(self->decoder))
        return refusal(400, "the compressed body is cut short", ret_reason);
    ftri_decoder_free(self->decoder);
    self->decoder = NULL;
    account(self);
    return 0;
}

ftr_str http_exchange_method(const struct http_exchange *self)
{
    return self->head->method;
}

ftr_str http_exchange_path(const struct http_exchange *self)
{
    return ftri_view_str(ftri_bytes_view(&self->path));
}

ftr_str http_exchange_query(const struct http_exchange *self)
{
    return self->query;
}

ftr_str http_exchange_authority(const struct http_exchange *self)
{
    return self->head->authority;
}

ftr_str http_exchange_header(const struct http_exchange *self, const char *name)
{
    const struct http1_field *field = http1_find(self->head, name);
    return field ? field->value : (ftr_str){0};
}

bool http_exchange_field(const struct http_exchange *self, size_t nth, ftr_str *ret_name,
                         ftr_str *ret_value)
{
    if (nth >= self->head->n_fields)
        return false;
    *ret_name = self->head->fields[nth].name;
    *ret_value = self->head->fields[nth].value;
    return true;
}

bool http_exchange_parameter(struct http_exchange *self, const char *name, struct ftri_bytes *out)
{
    size_t next = 0;
    const int r = http_target_parameter_next(self->query, name, &next, out);
    if (r == -ENOMEM)
        http_exchange_fail(self);
    return r == HTTP_TARGET_PARAMETER;
}

void http_exchange_fail(struct http_exchange *self)
{
    self->has_failed = true;
}

struct ftri_view http_exchange_body(const struct http_exchange *self)
{
    return ftri_bytes_view(&self->body);
}

struct ftri_bytes http_exchange_take_body(struct http_exchange *self)
{
    const struct ftri_bytes taken = self->body;
    ftri_bytes_init(&self->body, taken.limit);
    account(self);
    return taken;
}

void http_exchange_set_data(struct http_exchange *self, void *data)
{
    self->data = data;
}

void *http_exchange_data(const struct http_exchange *self)
{
    return self->data;
}

void http_exchange_on_abandoned(struct http_exchange *self,
                                void (*callback)(void *argument, struct http_exchange *exchange))
{
    self->on_abandoned = callback;
}

static ftr_str text_of(const char *text)
{
    return (ftr_str){text, strlen(text)};
}

void http_exchange_set_header(struct http_exchange *self, const char *name, const char *value)
{
    const bool is_sound = http1_is_token(text_of(name)) && http1_is_field_value(text_of(value));
    if (!is_sound || ftri_bytes_printf(&self->fields, "%s: %s\r\n", name, value) < 0)
        self->has_failed = true;
}

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

/* The phrase is optional, the space before it is not (RFC 9112 4). */
static const char *phrase_of(int status)
{
    for (size_t i = 0; i < FTRI_COUNT(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "";
}

/* Nothing may be left of the request, and both sides must want to go on. */
static bool may_keep(const struct http_exchange *self)
{
    const struct http_connection *connection = self->connection;
    return !self->must_close && !connection->server->is_draining && self->head->keep_alive &&
           connection->parser.state == HTTP1_STATE_END;
}

static int write_head(const struct http_exchange *self, int status, const char *content_type,
                      size_t body_len, bool keep)
{
    struct evbuffer *output = bufferevent_get_output(self->connection->stream);
    if (evbuffer_add_printf(output, "HTTP/1.1 %d %s\r\n", status, phrase_of(status)) < 0)
        return -ENOMEM;
    if (evbuffer_add(output, self->fields.data, self->fields.len) < 0)
        return -ENOMEM;
    if (content_type && evbuffer_add_printf(output, "Content-Type: %s\r\n", content_type) < 0)
        return -ENOMEM;
    if (!keep && evbuffer_add_printf(output, "Connection: close\r\n") < 0)
        return -ENOMEM;
    const bool has_length = status != 204 && status != 304;
    if (has_length && evbuffer_add_printf(output, "Content-Length: %zu\r\n", body_len) < 0)
        return -ENOMEM;
    return evbuffer_add(output, "\r\n", 2) < 0 ? -ENOMEM : 0;
}

static int write_answer(const struct http_exchange *self, int status, const char *content_type,
                        struct ftri_view body, bool keep)
{
    const int r = write_head(self, status, content_type, body.len, keep);
    const bool has_body =
        status != 204 && status != 304 && body.len > 0 &&
        !(self->head->method.len == 4 && memcmp(self->head->method.data, "HEAD", 4) == 0);
    if (r < 0 || !has_body)
        return r;
    struct evbuffer *output = bufferevent_get_output(self->connection->stream);
    return evbuffer_add(output, body.data, body.len) < 0 ? -ENOMEM : 0;
}

void http_exchange_send(struct http_exchange *self, int status, const char *content_type,
                        struct ftri_view body)
{
    struct http_connection *connection = self->connection;
    const bool is_sound =
        !self->has_failed && (!content_type || http1_is_field_value(text_of(content_type)));
    bool keep = may_keep(self);
    int r = 0;
    if (is_sound) {
        r = write_answer(self, status, content_type, body, keep);
    } else {
        ftri_bytes_reset(&self->fields);
        r = write_answer(self, 500, NULL, (struct ftri_view){0}, keep);
    }
    /* Half an answer: the peer must not take what follows for the rest. */
    if (r < 0)
        keep = false;
    http_connection_answered(connection, keep);
}
