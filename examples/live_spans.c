/* SPDX-License-Identifier: Apache-2.0
 *
 * The spans that run right now, as /debug/traces of a small HTTP server: `live_spans [PORT]`, then
 * open http://127.0.0.1:PORT/debug/traces and load the answer into chrome://tracing or Perfetto.
 * A span "job" runs as long as the program does; GET /stop ends it. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <flowtrace/flowtrace.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The answer's body goes straight to the socket; its end is the connection's. */
static bool send_all(void *argument, const char *text, size_t len)
{
    const int fd = *(const int *)argument;
    while (len > 0) {
        const ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

static void send_text(int fd, const char *text)
{
    (void)send_all(&fd, text, strlen(text));
}

/* False: the caller asked to stop. */
static bool serve_one(int fd)
{
    char request[1024];
    const ssize_t n = recv(fd, request, sizeof request - 1, 0);
    request[n > 0 ? n : 0] = '\0';
    const bool goes_on = strncmp(request, "GET /stop ", 10) != 0;
    if (!goes_on) {
        send_text(fd, "HTTP/1.0 204 No Content\r\n\r\n");
    } else if (strncmp(request, "GET /debug/traces ", 18) == 0) {
        send_text(fd, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n");
        (void)ftr_live_write_chrome(send_all, &fd);
    } else {
        send_text(fd, "HTTP/1.0 404 Not Found\r\n\r\n");
    }
    return goes_on;
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -1;
    printf("http://127.0.0.1:%d/debug/traces\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    if (ftr_init(NULL, NULL) != FTR_OK)
        return 1;
    const int listener = listen_on(argc > 1 ? argv[1] : "0");
    if (listener < 0) {
        perror("live_spans");
        return 1;
    }
    const ftr_span job = ftr_span_start(FTR_STR("job"), FTR_KIND_INTERNAL, NULL);
    ftr_context context = ftr_span_context_of(job);
    const ftr_span step =
        ftr_span_start(FTR_STR("\"na\xc3\xafve\" step"), FTR_KIND_INTERNAL, &context);
    for (bool goes_on = true; goes_on;) {
        const int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        const ftr_span serving = ftr_span_start(FTR_STR("GET"), FTR_KIND_SERVER, NULL);
        goes_on = serve_one(fd);
        ftr_span_end(serving);
        close(fd);
    }
    close(listener);
    ftr_span_end(step);
    ftr_span_end(job);
    ftr_context_release(&context);
    return ftr_shutdown(1000000000) == FTR_OK ? 0 : 1;
}
