/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict incremental HTTP/1.1 request parser (RFC 9112), without I/O and without allocation.
 *
 * Bytes go in, in pieces of any size; events come out. The same bytes give the same events however
 * they are cut. Whatever two readers might understand differently is refused: a second
 * Content-Length, any Transfer-Encoding but "chunked", both together, a bare CR or LF, folded
 * lines, a space before the colon. What the head says is kept as text in the caller's room; its
 * strings are valid until http1_reset. One thread at a time. */
#pragma once

#include "base/bytes.h"

struct http1_field {
    ftr_str name;
    ftr_str value; /* without white space around it */
};

struct http1_limits {
    size_t target_bytes; /* -> 414 */
    size_t field_bytes;  /* all field and trailer lines together -> 431 */
    size_t n_fields;     /* fields and trailers together -> 431 */
};

enum {
    HTTP1_METHOD_BYTES = 32,
    HTTP1_CHUNK_LINE_BYTES = 256,      /* one chunk-size line with its extensions */
    HTTP1_EXTENSION_BYTES = 16 * 1024, /* all chunk extensions of a message together */
    HTTP1_LINE_OVERHEAD = HTTP1_METHOD_BYTES + sizeof " HTTP/1.1"
};

/* Room that the text of a head needs under given limits. */
static inline size_t http1_room_bytes(const struct http1_limits *limits)
{
    return limits->target_bytes + HTTP1_LINE_OVERHEAD + limits->field_bytes +
           HTTP1_CHUNK_LINE_BYTES;
}

struct http1_head {
    ftr_str method;
    ftr_str target;         /* as received */
    ftr_str authority;      /* of an absolute-form target, else of Host */
    unsigned minor_version; /* 0 or 1 */
    const struct http1_field *fields;
    size_t n_fields;
    bool has_length; /* Content-Length was given */
    uint64_t length;
    bool is_chunked;
    bool keep_alive; /* what the peer asked for, by version and Connection */
    bool expects_continue;
};

enum http1_event {
    HTTP1_MORE,   /* all input used, more is needed */
    HTTP1_HEAD,   /* the head is complete: http1_parser.head */
    HTTP1_BODY,   /* a piece of the body, borrowed from the input */
    HTTP1_END,    /* the message is complete; http1_reset starts the next */
    HTTP1_REFUSED /* http1_parser.refusal_status and .refusal; only http1_reset helps */
};

enum http1_state {
    HTTP1_STATE_START, /* nothing of the request yet */
    HTTP1_STATE_REQUEST_LINE,
    HTTP1_STATE_FIELDS,
    HTTP1_STATE_BODY, /* of a known length */
    HTTP1_STATE_CHUNK_LINE,
    HTTP1_STATE_CHUNK,
    HTTP1_STATE_CHUNK_END, /* CR LF after the data */
    HTTP1_STATE_TRAILERS,
    HTTP1_STATE_END,
    HTTP1_STATE_REFUSED
};

struct http1_parser {
    struct http1_limits limits;
    char *room;                 /* the caller's, http1_room_bytes */
    struct http1_field *fields; /* the caller's, limits.n_fields */
    size_t n_fields;
    size_t n_trailers;
    size_t line_start; /* in room */
    size_t line_len;
    size_t field_bytes;     /* used of limits.field_bytes */
    size_t extension_bytes; /* used of HTTP1_EXTENSION_BYTES */
    uint64_t remaining;     /* of the body or of the chunk */
    enum http1_state state;
    bool saw_cr;
    bool saw_empty_line; /* the one that may precede a request */
    int refusal_status;
    const char *refusal; /* static text */
    struct http1_head head;
};

void http1_init(struct http1_parser *self, const struct http1_limits *limits, char *room,
                struct http1_field *fields);
/* Forgets the message, keeps limits and room. */
void http1_reset(struct http1_parser *self);
/* Uses a prefix of the input (*ret_used bytes) and tells what came of it; call again with the rest,
 * also with none, until HTTP1_MORE. *ret_piece is set for HTTP1_BODY. */
enum http1_event http1_next(struct http1_parser *self, struct ftri_view input, size_t *ret_used,
                            struct ftri_view *ret_piece);
/* True when the head is complete and a body follows it. */
bool http1_has_body(const struct http1_parser *self);
/* The first field of that name in any case, or NULL. */
const struct http1_field *http1_find(const struct http1_head *head, const char *name);

/* Grammar shared with those who write heads (RFC 9110 5.6.2, 5.5). */
bool http1_is_token(ftr_str text);
bool http1_is_field_value(ftr_str text);
bool http1_equals(ftr_str text, const char *lower_or_upper);
