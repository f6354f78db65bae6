/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include "torture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int wire_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const struct timeval limit = {60, 0};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    EXPECT(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

uint16_t wire_port(const char *address)
{
    const char *colon = strrchr(address, ':');
    EXPECT(colon);
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

static bool send_all(int fd, const void *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static size_t read_all(int fd, char *ret_text, size_t size)
{
    size_t len = 0;
    ssize_t n = 1;
    while (len < size && (n = recv(fd, ret_text + len, size - len, 0)) > 0)
        len += (size_t)n;
    EXPECT(n >= 0 || errno != EAGAIN);
    return len;
}

/* The status of an answer that has all the body it promised; else 0. */
static int status_of(const char *answer, size_t len)
{
    const char *const body = memmem(answer, len, "\r\n\r\n", 4);
    const char *const field = strcasestr(answer, "content-length:");
    if (!body || !field || strncmp(answer, "HTTP/1.1 ", 9) != 0)
        return 0;
    const size_t n_promised = strtoul(field + sizeof "content-length:" - 1, NULL, 10);
    return (size_t)(answer + len - body) - 4 == n_promised ? (int)strtol(answer + 9, NULL, 10) : 0;
}

int wire_http(uint16_t port, const char *line, const char *fields, struct ftri_view body,
              char *ret_answer, size_t size)
{
    char head[512];
    size_t n = 0;
    const int fd = wire_connect(port);
    const int len = snprintf(head, sizeof head,
                             "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                             "%sContent-Length: %zu\r\n\r\n",
                             line, fields, body.len);
    if (fd >= 0 && send_all(fd, head, (size_t)len) &&
        (body.len == 0 || send_all(fd, body.data, body.len)))
        n = read_all(fd, ret_answer, size - 1);
    ret_answer[n] = '\0';
    if (fd >= 0)
        close(fd);
    return status_of(ret_answer, n);
}
