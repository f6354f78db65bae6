/* SPDX-License-Identifier: Apache-2.0
 *
 * A service whose customers get spans of their own: it answers HTTP requests that a proxy in front
 * of it passes on. The proxy says in a header, `user-tracing`, for whom a request is to be traced;
 * since that header decides where spans go, it counts only beside the proxy's key.
 *
 *     user-tracing SOCKET KEY       SOCKET: of the endpoint that takes user spans
 *
 * The operator's spans are written to stderr, one line each; the customers' go to the socket, each
 * request with its routing. The port is the first line on stdout; the end of stdin ends it. */
#include <flowtrace/exporter.h>
#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>
#include <flowtrace/user_scope.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, WAIT_S = 10 };

static const char *key;

/* ---- the work ---- */

struct query {
    const char *path;
    ftr_context context; /* where it belongs */
    size_t n_rows;
};

/* A function of both: the operator sees the shard, the customer what it was about. */
static void look_up(struct query *query)
{
    FTR_DUAL_FUNCTION(lookup);
    query->n_rows = strlen(query->path);
    FTR_SPAN_SET(lookup, "shard", (int)(query->n_rows % 4));
    FTR_USER_SPAN_SET_ALL(lookup, "path", query->path, "rows", (long)query->n_rows);
    FTR_USER_SPAN(cache, "cache");
    FTR_USER_SPAN_EVENT(cache, "miss");
}

/* Another thread does it: the context takes both current spans along. */
static void *run_query(void *argument)
{
    struct query *query = argument;
    FTR_ATTACHED(here, &query->context);
    look_up(query);
    return NULL;
}

static void run_elsewhere(struct query *query)
{
    pthread_t worker;
    query->context = ftr_context_current();
    if (pthread_create(&worker, NULL, run_query, query) == 0)
        (void)pthread_join(worker, NULL);
    ftr_context_release(&query->context);
}

/* ---- requests ---- */

/* The value of a header; NULL: there is none. */
static char *header_of(char *head, const char *name)
{
    const size_t len = strlen(name);
    for (char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

static ftr_str text_of(const char *value)
{
    return value ? (ftr_str){value, strcspn(value, "\r")} : FTR_STR("");
}

static bool is_from_proxy(char *head)
{
    const ftr_str given = text_of(header_of(head, "x-proxy-key"));
    return given.len == strlen(key) && memcmp(given.data, key, given.len) == 0;
}

static void answer(int connection, const struct query *query)
{
    char text[512];
    char traceparent[FTR_TRACEPARENT_LEN + 1];
    (void)ftr_user_traceparent(traceparent); /* for a next hop; here the client is told */
    const int n = snprintf(text, sizeof text,
                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Rows: %zu\r\n"
                           "X-User-Traceparent: %s\r\nConnection: close\r\n\r\n",
                           query->n_rows, traceparent[0] ? traceparent : "none");
    (void)!write(connection, text, (size_t)n);
}

static void serve(int connection, char *head)
{
    FTR_SPAN(request, "request");
    char *path = head + strlen("GET ");
    char *rest = path + strcspn(path, " \r");
    *rest++ = '\0';
    struct query query = {.path = path};
    const ftr_str control =
        is_from_proxy(rest) ? text_of(header_of(rest, "user-tracing")) : FTR_STR("");
    const ftr_span root = ftr_user_trace_activate(FTR_STR("request"), control);
    ftr_context context = ftr_span_context_of(root.generation ? root : request.span);
    {
        FTR_ATTACHED(here, &context);
        run_elsewhere(&query);
        answer(connection, &query);
    }
    ftr_context_release(&context);
    ftr_span_end(root);
}

static void *take(void *argument)
{
    const int connection = (int)(long)argument;
    char head[REQUEST_MAX];
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len < sizeof head - 1; len += (size_t)n) {
        n = read(connection, head + len, sizeof head - 1 - len);
        if (n <= 0)
            break;
        head[len + (size_t)n] = '\0';
        if (strstr(head, "\r\n\r\n") && strncmp(head, "GET ", 4) == 0) {
            serve(connection, head);
            break;
        }
    }
    close(connection);
    return NULL;
}

static void *listen_on(void *argument)
{
    const int listener = (int)(long)argument;
    for (;;) {
        const int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            return NULL;
        (void)take((void *)(long)connection);
    }
}

static int open_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 16) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static bool start(const char *socket_path)
{
    ftr_exporter *operators = ftr_stdio_exporter_new();
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_error error;
    user.is_enabled = true;
    user.socket_path = ftr_str_from(socket_path);
    user.otlp_exporter = ftr_otlp_user_exporter_new;
    config.service_name = FTR_STR("edge");
    config.exporters = &operators;
    config.n_exporters = 1;
    config.user = &user;
    if (ftr_init(&config, &error) == FTR_OK)
        return true;
    fprintf(stderr, "user-tracing: %s\n", error.text);
    return false;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc != 3) {
        fprintf(stderr, "usage: user-tracing SOCKET KEY\n");
        return 2;
    }
    key = argv[2];
    if (!start(argv[1]))
        return 1;
    const int listener = open_listener();
    if (listener < 0 || pthread_create(&thread, NULL, listen_on, (void *)(long)listener) != 0)
        return 1;
    while (getchar() != EOF)
        continue;
    shutdown(listener, SHUT_RDWR);
    (void)pthread_join(thread, NULL);
    close(listener);
    return ftr_shutdown((uint64_t)WAIT_S * 1000000000) == FTR_OK ? 0 : 1;
}
