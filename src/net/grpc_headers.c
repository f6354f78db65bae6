/* SPDX-License-Identifier: Apache-2.0
 *
 * The header fields of a call: kept within the limit, and judged when the list is complete. */
#include "net/grpc_connection.h"

#include "base/time.h"

#include <errno.h>
#include <string.h>

enum {
    FIELD_OVERHEAD = 32, /* of a field in a header list (RFC 9113 6.5.2) */
    HOPELESS_FACTOR = 4, /* header lists longer than this many limits end the connection */
};

static bool is_text(ftr_str text, const char *wanted)
{
    return text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

static bool is_over_limits(const struct grpc_call *self)
{
    const struct grpc_limits *limits = &self->connection->server->limits;
    return self->header_bytes > limits->header_bytes || self->n_headers > limits->n_headers;
}

int grpc_call_add_field(struct grpc_call *self, ftr_str name, ftr_str value)
{
    const size_t limit = self->connection->server->limits.header_bytes;
    const size_t size = name.len + value.len + FIELD_OVERHEAD;
    self->header_bytes += size;
    self->n_headers++;
    if (self->header_bytes > limit * HOPELESS_FACTOR)
        return -EMSGSIZE;
    if (is_over_limits(self))
        return 0; /* refused when the list is complete */
    const uint16_t lengths[2] = {(uint16_t)name.len, (uint16_t)value.len};
    int r = ftri_bytes_append(&self->fields, lengths, sizeof lengths);
    if (r == 0)
        r = ftri_bytes_append_str(&self->fields, name);
    if (r == 0)
        r = ftri_bytes_append_str(&self->fields, value);
    grpc_call_account(self);
    return r < 0 ? -ENOMEM : 0;
}

bool grpc_call_next_metadata(const struct grpc_call *self, size_t *next, ftr_str *ret_name,
                             ftr_str *ret_value)
{
    uint16_t lengths[2];
    if (*next >= self->fields.len)
        return false;
    const char *at = (const char *)self->fields.data + *next;
    memcpy(lengths, at, sizeof lengths);
    at += sizeof lengths;
    *ret_name = (ftr_str){at, lengths[0]};
    *ret_value = (ftr_str){at + lengths[0], lengths[1]};
    *next += sizeof lengths + lengths[0] + lengths[1];
    return true;
}

ftr_str grpc_call_metadata(const struct grpc_call *self, const char *name)
{
    ftr_str field, value;
    for (size_t next = 0; grpc_call_next_metadata(self, &next, &field, &value);)
        if (is_text(field, name))
            return value;
    return (ftr_str){0};
}

ftr_str grpc_call_path(const struct grpc_call *self)
{
    return grpc_call_metadata(self, ":path");
}

/* Requests that are not calls. True: answered. */
static bool answer_plainly(struct grpc_call *self)
{
    const ftr_str method = grpc_call_metadata(self, ":method");
    const bool is_grpc = grpc_is_content_type(grpc_call_metadata(self, "content-type"));
    if (is_over_limits(self) && !is_grpc)
        grpc_call_close_plain(self, 431, "the header fields are larger or more than the limit\n");
    else if (is_text(method, "GET") && is_text(grpc_call_path(self), "/healthz"))
        grpc_call_close_plain(self, 200, "ok\n");
    else if (!is_grpc)
        grpc_call_close_plain(self, 415, "content-type must be application/grpc\n");
    else if (!is_text(method, "POST"))
        grpc_call_close_plain(self, 405, "calls are POST requests\n");
    else
        return false;
    return true;
}

/* 0: the deadline is known. */
static int read_timeout(struct grpc_call *self)
{
    const ftr_str timeout = grpc_call_metadata(self, "grpc-timeout");
    uint64_t timeout_ns;
    if (!timeout.data)
        return 0;
    const int r = grpc_timeout_parse(timeout, &timeout_ns);
    if (r < 0)
        return r;
    const uint64_t now = ftri_time_monotonic_ns();
    self->deadline_ns = timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
    return 0;
}

static void dispatch(struct grpc_call *self)
{
    const struct grpc_handler *handler = &self->connection->server->handler;
    self->method = grpc_builtin_find(grpc_call_path(self));
    if (self->method != GRPC_OF_HANDLER || handler->on_call(handler->argument, self))
        return;
    grpc_call_refuse(self, GRPC_UNIMPLEMENTED, "no such method here");
}

void grpc_headers_judge(struct grpc_call *self)
{
    const ftr_str path = grpc_call_path(self);
    if (answer_plainly(self))
        return;
    self->encoding = ftri_coding_named(grpc_call_metadata(self, "grpc-encoding"));
    if (is_over_limits(self))
        grpc_call_refuse(self, GRPC_RESOURCE_EXHAUSTED,
                         "the metadata is larger, or has more fields, than the limit");
    else if (path.len == 0 || path.data[0] != '/')
        grpc_call_refuse(self, GRPC_UNIMPLEMENTED, "the path does not begin with a slash");
    else if (self->encoding == FTRI_CODING_UNKNOWN)
        grpc_call_refuse(self, GRPC_UNIMPLEMENTED,
                         "grpc-encoding must be identity, gzip, deflate or zstd");
    else if (read_timeout(self) < 0)
        grpc_call_refuse(self, GRPC_INTERNAL,
                         "grpc-timeout must be 1 to 8 digits and one of H M S m u n");
    else
        dispatch(self);
}
