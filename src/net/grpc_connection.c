/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection: bytes between the socket and nghttp2's session, the phases of grpc_phase, and
 * what a peer may cost us. Two allowances: resets (each one makes us begin and throw away a call),
 * and frames that do no work (PING, SETTINGS, PRIORITY, empty DATA, unknown types, HEADERS and DATA
 * of streams that are gone). The second is refilled by time and by whole requests: busy clients
 * measure the line with a ping a round trip. Over either: GOAWAY(ENHANCE_YOUR_CALM) and the end.
 * nghttp2 itself limits CONTINUATION frames, entries of SETTINGS and acknowledgements that the peer
 * does not read. */
#include "net/grpc_connection.h"

#include "base/mem.h"
#include "base/time.h"
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READS_PER_TURN = 4,
    OUT_BYTES = 64 * 1024,             /* taken from the session at once */
    OUT_LIMIT = OUT_BYTES + (1 << 18), /* a frame more than that is never made */
    FRAME_COST = 10,                   /* in tenths of a control frame */
    WINDOW_UPDATE_COST = 1,
    REQUEST_EARNS = 40
};
#define LINGER_NS FTRI_NS_PER_S

static uint64_t phase_timeout(const struct grpc_connection *self)
{
    const struct grpc_limits *limits = &self->server->limits;
    switch (self->phase) {
    case GRPC_PHASE_PREFACE:
    case GRPC_PHASE_HEADERS:
        return limits->header_timeout_ns;
    case GRPC_PHASE_IDLE:
        return limits->idle_timeout_ns;
    case GRPC_PHASE_LINGER:
        return LINGER_NS;
    default:
        return 0;
    }
}

static void set_phase(struct grpc_connection *self, enum grpc_phase phase)
{
    if (self->phase == phase)
        return;
    self->phase = phase;
    const uint64_t timeout_ns = phase_timeout(self);
    if (timeout_ns)
        loop_timer_start(self->timer, timeout_ns);
    else
        loop_timer_stop(self->timer);
}

void grpc_connection_update_phase(struct grpc_connection *self)
{
    if (self->phase == GRPC_PHASE_LINGER)
        return;
    if (!self->has_settings)
        set_phase(self, GRPC_PHASE_PREFACE);
    else if (self->is_inside_headers)
        set_phase(self, GRPC_PHASE_HEADERS);
    else
        set_phase(self, self->n_calls ? GRPC_PHASE_ACTIVE : GRPC_PHASE_IDLE);
}

/* ---- allowances ---- */

static bool spend(struct grpc_allowance *self, uint64_t cost, uint64_t most, uint64_t per_s)
{
    const uint64_t now = ftri_time_monotonic_ns();
    const uint64_t step_ns = FTRI_NS_PER_S / per_s;
    const uint64_t n_steps = (now - self->filled_ns) / step_ns;
    self->filled_ns += n_steps * step_ns;
    self->n_left = n_steps >= most - self->n_left ? most : self->n_left + n_steps;
    if (self->n_left < cost)
        return false;
    self->n_left -= cost;
    return true;
}

static void send_away(struct grpc_connection *self)
{
    (void)nghttp2_session_terminate_session(self->session, NGHTTP2_ENHANCE_YOUR_CALM);
    grpc_connection_wake(self);
}

static bool spend_reset(struct grpc_connection *self)
{
    const struct grpc_limits *limits = &self->server->limits;
    return spend(&self->resets, 1, limits->resets, limits->resets_per_s);
}

static uint64_t noise_most(const struct grpc_connection *self)
{
    return self->server->limits.control_frames * FRAME_COST;
}

static bool spend_noise(struct grpc_connection *self, uint64_t cost)
{
    return spend(&self->noise, cost, noise_most(self),
                 self->server->limits.control_frames_per_s * FRAME_COST);
}

void grpc_connection_spend_reset(struct grpc_connection *self)
{
    if (!spend_reset(self))
        send_away(self);
}

void grpc_connection_spend(struct grpc_connection *self, uint8_t type, bool is_idle)
{
    if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) && !is_idle)
        return;
    const uint64_t cost = type == NGHTTP2_WINDOW_UPDATE ? WINDOW_UPDATE_COST : FRAME_COST;
    const bool is_fine = type == NGHTTP2_RST_STREAM ? spend_reset(self) : spend_noise(self, cost);
    if (!is_fine)
        send_away(self);
}

void grpc_connection_earn(struct grpc_connection *self)
{
    self->noise.n_left = ftri_size_min(self->noise.n_left + REQUEST_EARNS, noise_most(self));
}

/* ---- writing ---- */

/* Moves what the session has into out, up to about OUT_BYTES. */
static int fill_out(struct grpc_connection *self)
{
    while (self->out.len < OUT_BYTES) {
        const uint8_t *data = NULL;
        const ssize_t n = nghttp2_session_mem_send(self->session, &data);
        if (n <= 0)
            return n < 0 ? -EPROTO : 0;
        const int r = ftri_bytes_append(&self->out, data, (size_t)n);
        if (r < 0)
            return r;
    }
    return 0;
}

/* 0: all of out is sent; -EAGAIN. */
static int send_out(struct grpc_connection *self)
{
    while (self->n_sent < self->out.len) {
        const ssize_t n = send(self->fd, self->out.data + self->n_sent,
                               self->out.len - self->n_sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            self->n_sent += (size_t)n;
    }
    ftri_bytes_reset(&self->out);
    self->n_sent = 0;
    return 0;
}

static int write_all(struct grpc_connection *self)
{
    int r;
    do {
        r = fill_out(self);
        if (r == 0 && self->out.len == 0)
            return 0;
        if (r == 0)
            r = send_out(self);
    } while (r == 0);
    return r;
}

static void wait_for_room(struct grpc_connection *self)
{
    const uint64_t timeout_ns = self->server->limits.message_timeout_ns;
    const struct timeval timeout = {(time_t)(timeout_ns / FTRI_NS_PER_S),
                                    (suseconds_t)(timeout_ns % FTRI_NS_PER_S / 1000)};
    (void)event_add(self->writable, &timeout);
    (void)event_del(self->readable); /* who does not read is not read */
}

static bool is_over(const struct grpc_connection *self)
{
    return !nghttp2_session_want_read(self->session) && !nghttp2_session_want_write(self->session);
}

/* Closing with unread input would reset the connection, and the peer might never see the GOAWAY. */
static void linger(struct grpc_connection *self)
{
    (void)shutdown(self->fd, SHUT_WR);
    (void)event_add(self->readable, NULL);
    set_phase(self, GRPC_PHASE_LINGER);
}

/* May free the connection. */
static void flush(struct grpc_connection *self)
{
    if (self->phase == GRPC_PHASE_LINGER)
        return;
    self->is_running = true;
    const int r = write_all(self);
    self->is_running = false;
    if (r == -EAGAIN || r == -EWOULDBLOCK) {
        wait_for_room(self);
    } else if (r < 0) {
        grpc_connection_free(self);
    } else if (is_over(self)) {
        linger(self);
    } else {
        (void)event_add(self->readable, NULL);
    }
}

static void on_flush(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what;
    flush(argument);
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    if (what & EV_TIMEOUT)
        grpc_connection_free(argument);
    else
        flush(argument);
}

void grpc_connection_wake(struct grpc_connection *self)
{
    if (!self->is_running)
        event_active(self->flush, EV_TIMEOUT, 0);
}

/* ---- reading ---- */

/* One read: how much, 0 at the end, or a negated errno. */
static ssize_t read_some(struct grpc_connection *self)
{
    ssize_t n;
    do
        n = recv(self->fd, self->server->input, GRPC_INPUT_BYTES, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* False: the connection is to end at once. */
static bool feed(struct grpc_connection *self, size_t n)
{
    grpc_session_scan(self, ftri_view_of(self->server->input, n));
    const ssize_t r = nghttp2_session_mem_recv(self->session, self->server->input, n);
    if (r >= 0)
        return true;
    if (r == NGHTTP2_ERR_BAD_CLIENT_MAGIC || r == NGHTTP2_ERR_NOMEM)
        return false;
    /* Floods that nghttp2 sees, and header blocks without end. */
    return nghttp2_session_terminate_session(self->session, NGHTTP2_ENHANCE_YOUR_CALM) == 0;
}

static void drop_input(struct grpc_connection *self)
{
    for (int i = 0; i < READS_PER_TURN; i++) {
        const ssize_t n = read_some(self);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            grpc_connection_free(self);
            return;
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what;
    struct grpc_connection *self = argument;
    if (self->phase == GRPC_PHASE_LINGER) {
        drop_input(self);
        return;
    }
    self->is_running = true;
    bool is_alive = true;
    for (int i = 0; i < READS_PER_TURN && is_alive; i++) {
        const ssize_t n = read_some(self);
        if (n == -EAGAIN)
            break;
        is_alive = n > 0 && feed(self, (size_t)n);
        if (n < GRPC_INPUT_BYTES)
            break;
    }
    self->is_running = false;
    if (is_alive)
        flush(self);
    else
        grpc_connection_free(self);
}

/* ---- time ---- */

static void on_timeout(void *argument)
{
    struct grpc_connection *self = argument;
    switch (self->phase) {
    case GRPC_PHASE_HEADERS:
        send_away(self);
        break;
    case GRPC_PHASE_IDLE:
        (void)nghttp2_session_terminate_session(self->session, NGHTTP2_NO_ERROR);
        grpc_connection_wake(self);
        break;
    default:
        grpc_connection_free(self);
        break;
    }
}

void grpc_connection_drain(struct grpc_connection *self)
{
    if (self->phase == GRPC_PHASE_LINGER)
        return;
    for (struct ftri_list *entry = self->calls.next; entry != &self->calls; entry = entry->next)
        grpc_builtin_drain(FTRI_CONTAINER(entry, struct grpc_call, entry));
    const int32_t last = nghttp2_session_get_last_proc_stream_id(self->session);
    (void)nghttp2_submit_goaway(self->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    flush(self);
}

/* ---- life ---- */

static int open_events(struct grpc_connection *self)
{
    struct event_base *base = loop_event_base(self->server->loop);
    self->timer = loop_timer_new(self->server->loop, on_timeout, self);
    self->readable = event_new(base, self->fd, EV_READ | EV_PERSIST, on_readable, self);
    self->writable = event_new(base, self->fd, EV_WRITE, on_writable, self);
    self->flush = event_new(base, -1, 0, on_flush, self);
    const bool is_done = self->timer && self->readable && self->writable && self->flush;
    return is_done && event_add(self->readable, NULL) == 0 ? 0 : -ENOMEM;
}

void grpc_connection_open(struct grpc_server *server, int fd, struct peer *peer)
{
    struct grpc_connection *self = ftri_zalloc(sizeof *self);
    if (!self) {
        peers_leave(&server->peers, peer);
        close(fd);
        return;
    }
    self->peer = peer;
    self->server = server;
    self->fd = fd;
    self->phase = GRPC_PHASE_PREFACE;
    const uint64_t now = ftri_time_monotonic_ns();
    self->resets = (struct grpc_allowance){server->limits.resets, now};
    self->noise = (struct grpc_allowance){noise_most(self), now};
    self->scanner.n_left = NGHTTP2_CLIENT_MAGIC_LEN;
    ftri_bytes_init(&self->out, OUT_LIMIT);
    ftri_list_init(&self->calls);
    ftri_list_append(&server->connections, &self->entry);
    server->n_connections++;
    if (open_events(self) < 0 || grpc_session_open(self) < 0) {
        grpc_connection_free(self);
        return;
    }
    loop_timer_start(self->timer, phase_timeout(self));
    grpc_connection_wake(self);
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void grpc_connection_free(struct grpc_connection *self)
{
    self->is_running = true; /* nothing is to be woken any more */
    if (self->session && self->phase != GRPC_PHASE_LINGER)
        (void)write_all(self);
    while (!ftri_list_is_empty(&self->calls))
        grpc_call_free(FTRI_CONTAINER(self->calls.next, struct grpc_call, entry));
    nghttp2_session_del(self->session);
    loop_timer_free(self->timer);
    free_event(self->readable);
    free_event(self->writable);
    free_event(self->flush);
    close(self->fd);
    ftri_bytes_deinit(&self->out);
    grpc_server_forget(self->server, self);
    ftri_free(self);
}
