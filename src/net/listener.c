/* SPDX-License-Identifier: Apache-2.0
 *
 * When descriptors or memory run out accepting pauses for a while, instead of spinning on a socket
 * that stays readable. */
#include "net/listener.h"

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/loop.h"
#include "net/socket_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 511, ACCEPTS_PER_TURN = 64 };
#define BACK_OFF_NS (100 * FTRI_NS_PER_MS)

struct listener {
    int fd;
    struct event *event;
    struct loop_timer *back_off;
    bool is_paused;
    struct listener_address address;
    struct socket_access access;
    struct socket_file file;
    uint64_t n_refused; /* by the access list */
    bool is_shared, is_first;
    listener_accept_function on_accept;
    void *argument;
    char text[sizeof(struct sockaddr_un) + sizeof "unix:"];
};

static int parse_port(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    if (*text == '\0')
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        port = port * 10 + (unsigned)(*text - '0');
        if (port > 65535)
            return -EINVAL;
    }
    *ret_port = htons((uint16_t)port);
    return 0;
}

static int parse_unix(const char *path, struct listener_address *ret_address,
                      struct ftri_error *error)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&ret_address->storage;
    const size_t len = strlen(path);
    if (len == 0 || (path[0] != '/' && path[0] != '@'))
        return ftri_error_set(error, -EINVAL, "address unix:%s: expected unix:/path or unix:@name",
                              path);
    if (len >= sizeof address->sun_path)
        return ftri_error_set(error, -ENAMETOOLONG, "address unix:%s: longer than %zu bytes", path,
                              sizeof address->sun_path - 1);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, len + 1);
    if (path[0] == '@')
        address->sun_path[0] = '\0';
    ret_address->len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '@' ? 0 : 1));
    return 0;
}

static int parse_ipv6(const char *host, struct listener_address *ret_address, uint16_t port)
{
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)&ret_address->storage;
    address->sin6_family = AF_INET6;
    address->sin6_port = port;
    ret_address->len = sizeof *address;
    return inet_pton(AF_INET6, host, &address->sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_ipv4(const char *host, struct listener_address *ret_address, uint16_t port)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&ret_address->storage;
    address->sin_family = AF_INET;
    address->sin_port = port;
    ret_address->len = sizeof *address;
    const char *number = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    return inet_pton(AF_INET, number, &address->sin_addr) == 1 ? 0 : -EINVAL;
}

/* host ":" port, host without its brackets. */
static int parse_host(const char *text, size_t len, struct listener_address *ret_address,
                      uint16_t port)
{
    char host[INET6_ADDRSTRLEN];
    const bool has_brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    const size_t host_len = has_brackets ? len - 2 : len;
    if (host_len >= sizeof host)
        return -EINVAL;
    memcpy(host, has_brackets ? text + 1 : text, host_len);
    host[host_len] = '\0';
    return has_brackets ? parse_ipv6(host, ret_address, port) : parse_ipv4(host, ret_address, port);
}

int listener_parse(const char *text, struct listener_address *ret_address, struct ftri_error *error)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(strncmp(text + 5, "///", 3) == 0 ? text + 7 : text + 5, ret_address,
                          error);
    const char *colon = strrchr(text, ':');
    uint16_t port = 0;
    if (!colon)
        return ftri_error_set(error, -EINVAL, "address %s: expected HOST:PORT", text);
    if (parse_port(colon + 1, &port) < 0)
        return ftri_error_set(error, -EINVAL, "address %s: the port is not 0 to 65535", text);
    if (parse_host(text, (size_t)(colon - text), ret_address, port) < 0)
        return ftri_error_set(error, -EINVAL,
                              "address %s: the host is not an IP address (IPv6 in brackets)", text);
    return 0;
}

bool listener_is_local(const struct listener_address *address)
{
    if (address->storage.ss_family == AF_UNIX)
        return true;
    if (address->storage.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address->storage)->sin6_addr);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

static int parse_named(const char *name, const char *address, struct listener_address *ret_parsed,
                       struct ftri_error *error)
{
    struct ftri_error why;
    if (listener_parse(address, ret_parsed, &why) < 0)
        return ftri_error_set(error, -EINVAL, "%s: %s", name, why.text);
    return 0;
}

int listener_check(const char *name, const char *address, struct ftri_error *error)
{
    struct listener_address parsed;
    return parse_named(name, address, &parsed, error);
}

int listener_check_reach(const char *name, const char *address, bool is_insecure,
                         struct ftri_error *error)
{
    struct listener_address parsed;
    const int r = parse_named(name, address, &parsed, error);
    if (r < 0)
        return r;
    if (is_insecure || listener_is_local(&parsed))
        return 0;
    return ftri_error_set(error, -EACCES,
                          "%s: other machines could reach %s, and there is no authentication; use "
                          "a loopback address, or add --insecure",
                          name, address);
}

static const char *unix_path(const struct listener_address *address)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)&address->storage;
    return local->sun_family == AF_UNIX && local->sun_path[0] ? local->sun_path : NULL;
}

static int bind_new(struct listener *self, bool is_shared, struct ftri_error *error)
{
    const int family = self->address.storage.ss_family;
    self->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0)
        return ftri_error_errno(error, -errno, "making a socket");
    const int on = 1;
    if (family != AF_UNIX)
        (void)setsockopt(self->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family != AF_UNIX && is_shared)
        (void)setsockopt(self->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (family == AF_INET6)
        (void)setsockopt(self->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(self->fd, (const struct sockaddr *)&self->address.storage, self->address.len) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return ftri_error_set(error, -EADDRINUSE,
                              "binding: %s; stop what listens there, or choose another address",
                              strerror(EADDRINUSE));
    return ftri_error_errno(error, -errno, "binding");
}

static int bind_socket(struct listener *self, struct ftri_error *error)
{
    int r = 0;
    /* A socket that does not share is refused where any other is bound, one that does is not. */
    if (self->is_shared && self->is_first && self->address.storage.ss_family != AF_UNIX) {
        r = bind_new(self, false, error);
        if (self->fd >= 0)
            close(self->fd);
        self->fd = -1;
    }
    if (r == 0)
        r = bind_new(self, self->is_shared, error);
    if (r < 0)
        return r;
    const char *path = unix_path(&self->address);
    return path ? socket_file_own(&self->file, path, &self->access, error) : 0;
}

/* Nobody can connect before this: the file's mode is right by then. */
static int start_listening(struct listener *self, struct ftri_error *error)
{
    socklen_t len = sizeof self->address.storage;
    if (listen(self->fd, BACKLOG) < 0 ||
        getsockname(self->fd, (struct sockaddr *)&self->address.storage, &len) < 0)
        return ftri_error_errno(error, -errno, "opening the socket");
    self->address.len = len;
    return 0;
}

static void format_address(struct listener *self)
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&self->address.storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&self->address.storage;
    const struct sockaddr_un *local = (const struct sockaddr_un *)&self->address.storage;
    if (v4->sin_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(self->text, sizeof self->text, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
    } else if (v4->sin_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(self->text, sizeof self->text, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
    } else if (local->sun_path[0]) {
        snprintf(self->text, sizeof self->text, "unix:%s", local->sun_path);
    } else {
        const int len = (int)(self->address.len - offsetof(struct sockaddr_un, sun_path)) - 1;
        snprintf(self->text, sizeof self->text, "unix:@%.*s", len, local->sun_path + 1);
    }
}

static void update_event(struct listener *self)
{
    if (self->is_paused)
        (void)event_del(self->event);
    else
        (void)event_add(self->event, NULL);
}

static void on_back_off_over(void *argument)
{
    update_event(argument);
}

/* True when the next accept may be tried at once. */
static bool survive_accept_error(struct listener *self, int error)
{
    if (error == EINTR || error == ECONNABORTED || error == EPROTO)
        return true;
    if (error != EAGAIN) {
        (void)event_del(self->event);
        loop_timer_start(self->back_off, BACK_OFF_NS);
    }
    return false;
}

/* False: the peer is sent away, which the log says of the first and then of ever fewer. */
static bool is_welcome(struct listener *self, int peer)
{
    uid_t uid;
    if (self->address.storage.ss_family != AF_UNIX ||
        socket_access_allows(&self->access, peer, &uid))
        return true;
    self->n_refused++;
    if ((self->n_refused & (self->n_refused - 1)) == 0)
        log_write(LOG_LEVEL_WARNING, "%s: user %lu may not connect (%llu refused so far)",
                  self->text, (unsigned long)uid, (unsigned long long)self->n_refused);
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
    (void)what;
    struct listener *self = argument;
    for (int i = 0; i < ACCEPTS_PER_TURN && !self->is_paused; i++) {
        const int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (peer < 0) {
            if (!survive_accept_error(self, errno))
                return;
            continue;
        }
        if (!is_welcome(self, peer)) {
            close(peer);
            continue;
        }
        const int on = 1;
        if (self->address.storage.ss_family != AF_UNIX)
            (void)setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        self->on_accept(self->argument, peer);
    }
}

static int watch(struct listener *self, struct loop *loop)
{
    self->back_off = loop_timer_new(loop, on_back_off_over, self);
    self->event =
        event_new(loop_event_base(loop), self->fd, EV_READ | EV_PERSIST, on_readable, self);
    return self->back_off && self->event && event_add(self->event, NULL) == 0 ? 0 : -ENOMEM;
}

static int open_socket(struct listener *self, struct ftri_error *error)
{
    int r = 0;
    if (unix_path(&self->address))
        r = socket_file_make_room((const struct sockaddr_un *)&self->address.storage,
                                  self->address.len, error);
    if (r == 0)
        r = bind_socket(self, error);
    if (r == 0)
        r = start_listening(self, error);
    return r;
}

void listener_close(struct listener *self)
{
    if (!self)
        return;
    if (self->event)
        event_free(self->event);
    loop_timer_free(self->back_off);
    const char *path = unix_path(&self->address);
    if (path) /* before the close: until then no other file can get its inode */
        socket_file_remove(&self->file, path);
    if (self->fd >= 0)
        close(self->fd);
    ftri_free(self);
}

/* The address is parsed. */
static int open_and_watch(struct listener *self, struct loop *loop, struct ftri_error *error)
{
    int r = open_socket(self, error);
    if (r < 0)
        return r;
    r = watch(self, loop);
    return r < 0 ? ftri_error_errno(error, r, "watching the socket") : 0;
}

int listener_open(struct loop *loop, const struct listener_options *options,
                  struct listener **ret_listener, struct ftri_error *error)
{
    struct listener *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "listening on %s: out of memory", options->address);
    self->fd = -1;
    self->is_shared = options->is_shared;
    self->is_first = options->is_first;
    self->on_accept = options->on_accept;
    self->argument = options->argument;
    if (options->access)
        self->access = *options->access;
    else
        socket_access_default(&self->access);
    int r = listener_parse(options->address, &self->address, error);
    if (r == 0) {
        r = open_and_watch(self, loop, error);
        if (r < 0)
            (void)ftri_error_prefix(error, r, "listening on %s", options->address);
    }
    if (r < 0) {
        listener_close(self);
        return r;
    }
    format_address(self);
    *ret_listener = self;
    return 0;
}

const char *listener_address_text(const struct listener *self)
{
    return self->text;
}

void listener_pause(struct listener *self)
{
    self->is_paused = true;
    update_event(self);
}

void listener_resume(struct listener *self)
{
    self->is_paused = false;
    update_event(self);
}
