/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink of OTLP over HTTP/1.1 that does nothing but count spans: the far end of row 8. It walks
 * the protobuf lengths of ExportTraceServiceRequest (resource_spans = 1, scope_spans = 2, spans =
 * 2), shares no code with what is measured, and believes no count that a client states.
 *
 * Listens on a free port of 127.0.0.1 and prints {"port":N}. Each line on standard input is
 * answered with {"spans":N,"requests":N,"refused":N,"bytes":N} so far; its end ends the program.
 *
 * One blocking thread a connection, which owns its buffers; the counts are atomic. Takes
 * POST /v1/traces with a Content-Length and no Content-Encoding; everything else is refused with a
 * status and counted, and the connection is closed.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES = 16384, BODY_BYTES_MAX = 64 << 20, BACKLOG = 64, LEVELS = 3 };

static _Atomic uint64_t n_spans, n_requests, n_refused, n_bytes;

struct connection {
    int fd;
    char head[HEAD_BYTES + 1]; /* of one request, ended by NUL; perhaps some of its body */
    size_t n_head;             /* bytes of head that were read */
    uint8_t *body;
    size_t n_room; /* of body */
};

struct request {
    size_t n_head; /* up to the blank line, with it */
    size_t n_body;
    bool awaits_continue;
};

static bool read_varint(const uint8_t **next, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *next < end && shift < 64; shift += 7) {
        const uint64_t byte = *(*next)++;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Length of the field's content, *next behind what says so; false: it is cut off or no field. */
static bool read_length(const uint8_t **next, const uint8_t *end, unsigned type, uint64_t *ret_len)
{
    if (type == 0) {
        uint64_t value;
        *ret_len = 0;
        return read_varint(next, end, &value);
    }
    if (type == 1)
        *ret_len = 8;
    else if (type == 5)
        *ret_len = 4;
    else if (type != 2 || !read_varint(next, end, ret_len))
        return false;
    return *ret_len <= (uint64_t)(end - *next);
}

/* Adds the spans below a message of the given level to *n; false: these bytes are no message. */
static bool count_spans(const uint8_t *next, const uint8_t *end, int level, uint64_t *n)
{
    static const uint64_t numbers[LEVELS] = {1, 2, 2};
    while (next < end) {
        uint64_t tag, len;
        if (!read_varint(&next, end, &tag) || tag >> 3 == 0 ||
            !read_length(&next, end, (unsigned)(tag & 7), &len))
            return false;
        const bool is_inside = (tag & 7) == 2 && tag >> 3 == numbers[level];
        if (is_inside && level == LEVELS - 1)
            ++*n;
        else if (is_inside && !count_spans(next, next + len, level + 1, n))
            return false;
        next += len;
    }
    return true;
}

static bool send_all(int fd, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        const ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Always false: the connection is of no more use. */
static bool refuse(struct connection *self, const char *status)
{
    char text[128];
    atomic_fetch_add(&n_refused, 1);
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
             status);
    send_all(self->fd, text);
    return false;
}

/* Reads until the blank line is there; false: the peer has gone, or said too much. */
static bool read_head(struct connection *self)
{
    for (;;) {
        self->head[self->n_head] = 0;
        if (strstr(self->head, "\r\n\r\n"))
            return true;
        if (self->n_head == HEAD_BYTES)
            return refuse(self, "431 Request Header Fields Too Large");
        const ssize_t n = recv(self->fd, self->head + self->n_head, HEAD_BYTES - self->n_head, 0);
        if (n <= 0)
            return false;
        self->n_head += (size_t)n;
    }
}

/* The value of a header field, or NULL. */
static const char *field(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    const char *end = strstr(head, "\r\n\r\n");
    return found && found < end ? found + strlen(name) : NULL;
}

static bool parse_head(struct connection *self, struct request *ret_request)
{
    static const char target[] = "POST /v1/traces HTTP/1.1\r\n";
    const char *length = field(self->head, "\r\nContent-Length:");
    char *end;
    if (strncmp(self->head, target, sizeof target - 1) != 0)
        return refuse(self, "404 Not Found");
    if (field(self->head, "\r\nContent-Encoding:"))
        return refuse(self, "415 Unsupported Media Type");
    if (!length || field(self->head, "\r\nTransfer-Encoding:"))
        return refuse(self, "411 Length Required");
    const unsigned long n_body = strtoul(length, &end, 10);
    if (end == length || *end != '\r')
        return refuse(self, "400 Bad Request");
    if (n_body > BODY_BYTES_MAX)
        return refuse(self, "413 Content Too Large");
    ret_request->n_head = (size_t)(strstr(self->head, "\r\n\r\n") + 4 - self->head);
    ret_request->n_body = n_body;
    ret_request->awaits_continue = field(self->head, "\r\nExpect:") != NULL;
    return true;
}

static bool make_room(struct connection *self, size_t n)
{
    if (n <= self->n_room)
        return true;
    uint8_t *body = realloc(self->body, n);
    if (!body)
        return refuse(self, "503 Service Unavailable");
    self->body = body;
    self->n_room = n;
    return true;
}

/* The body, all of it; what was read behind it stays for the next request. */
static bool read_body(struct connection *self, const struct request *request)
{
    const size_t n_behind = self->n_head - request->n_head;
    size_t n = n_behind < request->n_body ? n_behind : request->n_body;
    if (!make_room(self, request->n_body))
        return false;
    if (n > 0)
        memcpy(self->body, self->head + request->n_head, n);
    self->n_head -= request->n_head + n;
    memmove(self->head, self->head + request->n_head + n, self->n_head);
    if (request->awaits_continue && !send_all(self->fd, "HTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    while (n < request->n_body) {
        const ssize_t got = recv(self->fd, self->body + n, request->n_body - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return true;
}

/* One request; false: it was the last. */
static bool take(struct connection *self)
{
    struct request request = {0};
    uint64_t n = 0;
    if (!read_head(self) || !parse_head(self, &request) || !read_body(self, &request))
        return false;
    if (request.n_body > 0 && !count_spans(self->body, self->body + request.n_body, 0, &n))
        return refuse(self, "400 Bad Request");
    atomic_fetch_add(&n_spans, n);
    atomic_fetch_add(&n_requests, 1);
    atomic_fetch_add(&n_bytes, request.n_body);
    return send_all(self->fd, "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                              "Content-Length: 0\r\n\r\n");
}

static void *serve(void *argument)
{
    struct connection *self = argument;
    while (take(self))
        ;
    close(self->fd);
    free(self->body);
    free(self);
    return NULL;
}

static void *accept_all(void *argument)
{
    const int *listener = argument;
    for (;;) {
        pthread_t thread;
        struct connection *self = calloc(1, sizeof *self);
        if (!self)
            return NULL;
        self->fd = accept(*listener, NULL, NULL);
        if (self->fd < 0 || pthread_create(&thread, NULL, serve, self) != 0) {
            if (self->fd >= 0)
                close(self->fd);
            free(self);
            continue;
        }
        pthread_detach(thread);
    }
}

/* A listening socket on a free port, which is printed; below 0: none. */
static int listen_locally(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    printf("{\"port\":%d}\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(void)
{
    static int listener;
    char line[64];
    pthread_t thread;
    listener = listen_locally();
    if (listener < 0 || pthread_create(&thread, NULL, accept_all, &listener) != 0) {
        perror("bench-sink");
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        printf("{\"spans\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"refused\":%" PRIu64
               ",\"bytes\":%" PRIu64 "}\n",
               atomic_load(&n_spans), atomic_load(&n_requests), atomic_load(&n_refused),
               atomic_load(&n_bytes));
        fflush(stdout);
    }
    return 0;
}
