/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the gRPC server share: server (connections), connection (bytes, HTTP/2 session,
 * floods, timeouts), call (one stream). Private to net/grpc_*.c. The server owns its connections, a
 * connection its calls; a call is freed when nghttp2 closes its stream, or with its connection.
 * Nothing is freed from inside a callback of nghttp2 but calls. All on the loop's thread. */
#pragma once

#include "base/list.h"
#include "codec/decoder.h"
#include "net/grpc_frame.h"
#include "net/grpc_server.h"
#include "net/peers.h"

struct event;
struct ftri_zstd;
struct listener;
struct nghttp2_option;
struct nghttp2_session;
struct nghttp2_session_callbacks;

struct grpc_server {
    struct loop *loop;
    struct grpc_limits limits;
    struct grpc_handler handler;
    struct ftri_view descriptors;
    struct listener *listener;
    struct ftri_list connections; /* struct grpc_connection.entry */
    size_t n_connections;
    struct peers peers;
    size_t bytes; /* of all connections */
    bool is_draining;
    struct nghttp2_option *session_options;
    struct nghttp2_session_callbacks *callbacks;
    struct ftri_zstd *zstd; /* NULL until the first message needs it */
    uint8_t *input;         /* GRPC_INPUT_BYTES, of whoever reads now */
};

enum { GRPC_INPUT_BYTES = 64 * 1024 };

enum grpc_phase {
    GRPC_PHASE_PREFACE, /* the peer's first SETTINGS are awaited */
    GRPC_PHASE_HEADERS, /* a header block has begun */
    GRPC_PHASE_IDLE,    /* no call */
    GRPC_PHASE_ACTIVE,  /* calls, each with its own timer */
    GRPC_PHASE_LINGER   /* our side is closed; what the peer still sends is dropped */
};

/* A token bucket. */
struct grpc_allowance {
    uint64_t n_left;
    uint64_t filled_ns; /* when it was last topped up */
};

struct grpc_connection {
    struct ftri_list entry;
    struct grpc_server *server;
    struct peer *peer;
    struct nghttp2_session *session;
    int fd;
    struct event *readable;
    struct event *writable;
    struct event *flush; /* answers of one turn of the loop are written together */
    struct loop_timer *timer;
    struct ftri_list calls; /* struct grpc_call.entry */
    size_t n_calls;
    size_t bytes; /* capacity of what the calls hold */
    enum grpc_phase phase;
    bool has_settings;
    bool is_inside_headers;
    bool is_running; /* inside run, which flushes at its end */
    struct grpc_allowance resets;
    struct grpc_allowance noise;
    struct grpc_scanner scanner;
    struct ftri_bytes out; /* taken from the session, not yet sent */
    size_t n_sent;         /* of out */
};

/* Who answers. */
enum grpc_method { GRPC_OF_HANDLER, GRPC_HEALTH_CHECK, GRPC_HEALTH_WATCH, GRPC_REFLECTION };

struct grpc_call {
    struct ftri_list entry;
    struct grpc_connection *connection;
    int32_t stream_id;
    struct loop_timer *timer;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    uint64_t begun_ns;
    uint64_t progress_ns;     /* when bytes last moved */
    uint64_t n_received;      /* bytes of DATA */
    struct ftri_bytes fields; /* (u16 length, u16 length, name, value)... */
    size_t header_bytes;      /* decoded, also what was not kept */
    size_t n_headers;
    enum ftri_coding encoding;
    struct grpc_reader reader;
    struct ftri_bytes message; /* unpacked */
    size_t held_bytes;         /* counted in the connection */
    bool has_message;
    enum grpc_method method;
    bool peer_ended;  /* the request is complete */
    bool is_held;     /* the handler has it */
    bool is_finished; /* the status is known; what still comes is dropped */
    bool is_plain;    /* not gRPC: out is the body, no trailers */
    bool has_answer;  /* headers were submitted */
    enum grpc_status status;
    struct ftri_bytes status_text; /* percent-encoded */
    struct ftri_bytes details;     /* base64 */
    struct ftri_bytes retry_info;  /* base64 */
    struct ftri_bytes out;         /* messages */
    size_t n_out_sent;
    void *data;
};

/* ---- server ---- */
void grpc_server_forget(struct grpc_server *self, struct grpc_connection *connection);

/* ---- connection ---- */
/* Takes over fd and the peer's place; gives both back when memory is short. */
void grpc_connection_open(struct grpc_server *server, int fd, struct peer *peer);
/* Abandons its calls and tells the server. */
void grpc_connection_free(struct grpc_connection *self);
/* GOAWAY; it ends after its last call. May free it. */
void grpc_connection_drain(struct grpc_connection *self);
/* Something was submitted: it will be written in this turn of the loop. */
void grpc_connection_wake(struct grpc_connection *self);
/* After the number of calls changed. */
void grpc_connection_update_phase(struct grpc_connection *self);
/* A frame has come; is_idle: HEADERS or DATA for nothing. Over the allowance of its kind the
 * connection is closed with ENHANCE_YOUR_CALM. */
void grpc_connection_spend(struct grpc_connection *self, uint8_t type, bool is_idle);
/* The peer's calls go wrong on the wire: a reset that we had to send. */
void grpc_connection_spend_reset(struct grpc_connection *self);
/* A whole request pays for the pings and window updates around it. */
void grpc_connection_earn(struct grpc_connection *self);

/* ---- session: nghttp2's callbacks ---- */
int grpc_session_prepare(struct grpc_server *server) FTRI_MUST_CHECK;
int grpc_session_open(struct grpc_connection *connection) FTRI_MUST_CHECK;
/* Input that nghttp2 has not seen yet: spends for what it will not tell of. */
void grpc_session_scan(struct grpc_connection *connection, struct ftri_view input);

/* ---- call ---- */
struct grpc_call *grpc_call_new(struct grpc_connection *connection,
                                int32_t stream_id) FTRI_MUST_CHECK;
/* Abandons it if the handler has it. */
void grpc_call_free(struct grpc_call *self);
/* Keeps the sums of connection and server in step with what the call holds. */
void grpc_call_account(struct grpc_call *self);
/* The headers are complete. */
void grpc_call_begin(struct grpc_call *self);
void grpc_call_take(struct grpc_call *self, struct ftri_view piece);
void grpc_call_end(struct grpc_call *self);
/* Appends a message to the answer of a stream. */
void grpc_call_send(struct grpc_call *self, struct ftri_view message);
/* Ends the answer. */
void grpc_call_close(struct grpc_call *self, enum grpc_status status, ftr_str message);
void grpc_call_close_plain(struct grpc_call *self, unsigned http_status, const char *text);

/* ---- headers ---- */
/* -EMSGSIZE: so far beyond the limit that the connection should end. */
int grpc_call_add_field(struct grpc_call *self, ftr_str name, ftr_str value) FTRI_MUST_CHECK;
/* Refuses the call, or finds out who answers it. */
void grpc_headers_judge(struct grpc_call *self);

/* ---- answer: what of it goes into frames ---- */
/* Headers, or all of it if there is only a status; later the rest. */
void grpc_answer_submit(struct grpc_call *self, unsigned http_status);

/* ---- built-in methods ---- */
/* GRPC_OF_HANDLER: none of them. */
enum grpc_method grpc_builtin_find(ftr_str path);
void grpc_builtin_message(struct grpc_call *self);
/* The server goes: who watches is told, and the call ends. */
void grpc_builtin_drain(struct grpc_call *self);

/* ---- reflection ---- */
bool grpc_reflection_has_service(const struct grpc_server *server, ftr_str name);
/* ServerReflectionResponse to a ServerReflectionRequest: 0, -EBADMSG, or no memory. */
int grpc_reflection_answer(const struct grpc_server *server, struct ftri_view request,
                           struct ftri_bytes *out) FTRI_MUST_CHECK;
