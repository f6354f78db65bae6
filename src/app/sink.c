/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace sink: a small HTTP server that takes POSTed JSON lines, for the main job and for trying
 * exporters out. It admits requests by a token bucket and answers 503 beyond it; every request is a
 * line in its log. It knows nothing of the pipelines that send to it. */
#include "app/bucket.h"
#include "app/commands.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sink_options {
    const char *listen;
    const char *rate;
    const char *burst;
    const char *log;
    bool is_insecure;
};

static const struct argument rows[] = {
    {"listen", "ADDR", offsetof(struct sink_options, listen),
     "Default 127.0.0.1:8000; port 0 picks one."},
    {"rate", "N", offsetof(struct sink_options, rate), "Requests a second; default 10."},
    {"burst", "N", offsetof(struct sink_options, burst), "Requests at once; default 5."},
    {"log", "FILE", offsetof(struct sink_options, log),
     "One JSON line a request, appended; default stdout."},
    {"insecure", NULL, offsetof(struct sink_options, is_insecure),
     "Allow an address that other machines can reach."},
};

struct sink {
    struct loop *loop;
    struct bucket bucket;
    int log_fd;
};

static size_t count_lines(struct ftri_view body)
{
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        n += body.data[i] == '\n';
    return n;
}

static void log_request(const struct sink *sink, int status, struct ftri_view body)
{
    char line[160];
    const int len =
        snprintf(line, sizeof line,
                 "{\"timeUnixNano\":\"%llu\",\"status\":%d,\"bytes\":%zu,"
                 "\"lines\":%zu}\n",
                 (unsigned long long)ftri_time_wall_ns(), status, body.len, count_lines(body));
    if (ftri_file_write_all(sink->log_fd, line, (size_t)len) < 0)
        fail(1, "sink: the log cannot be written");
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    const ftr_str method = http_exchange_method(exchange);
    if (method.len == 4 && memcmp(method.data, "POST", 4) == 0)
        return;
    http_exchange_set_header(exchange, "Allow", "POST");
    http_exchange_send(exchange, 405, "text/plain", ftri_view_of("only POST\n", 10));
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    struct sink *sink = argument;
    const int status = bucket_take(&sink->bucket) ? 200 : 503;
    log_request(sink, status, http_exchange_body(exchange));
    if (status == 503)
        http_exchange_set_header(exchange, "Retry-After", "1");
    http_exchange_send(exchange, status, "text/plain",
                       status == 200 ? ftri_view_of("taken\n", 6)
                                     : ftri_view_of("too many requests\n", 18));
}

static void on_signal(void *argument)
{
    const struct sink *sink = argument;
    loop_stop(sink->loop);
}

/* A positive number, or the default when text is NULL; below 0: not a number. */
static double positive(const char *text, double fallback)
{
    if (!text)
        return fallback;
    char *end;
    const double value = strtod(text, &end);
    return end != text && *end == '\0' && value >= 1 && value <= 1e9 ? value : -1;
}

static int serve(struct sink *sink, const char *address)
{
    struct ftri_error error;
    struct http_server_options options = {
        .address = address,
        .handler = {.on_request = on_request, .on_body = on_body, .argument = sink},
    };
    http_limits_default(&options.limits);
    struct http_server *server = NULL;
    if (http_server_open(sink->loop, &options, &server, &error) < 0)
        return fail(1, "%s", error.text);
    fprintf(stderr, "sink listening on %s\n", http_server_address(server));
    loop_run(sink->loop);
    http_server_close(server);
    return 0;
}

static int run(const void *values, const char *const *operands, size_t n_operands)
{
    (void)operands;
    (void)n_operands;
    const struct sink_options *options = values;
    const char *address = options->listen ? options->listen : "127.0.0.1:8000";
    struct sink sink = {.log_fd = STDOUT_FILENO};
    const double rate = positive(options->rate, 10);
    const double burst = positive(options->burst, 5);
    if (rate < 0 || burst < 0)
        return fail(2, "--rate and --burst: expected a number of 1 or more");
    struct ftri_error error;
    if (listener_check_reach("--listen", address, options->is_insecure, &error) < 0)
        return fail(2, "%s", error.text);
    bucket_init(&sink.bucket, rate, burst);
    if (options->log)
        sink.log_fd = open(options->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (sink.log_fd < 0)
        return fail(1, "opening %s: %s", options->log, strerror(errno));
    sink.loop = loop_new(&error);
    if (!sink.loop)
        return fail(1, "%s", error.text);
    int status = 1;
    if (loop_on_signal(sink.loop, SIGTERM, on_signal, &sink) < 0 ||
        loop_on_signal(sink.loop, SIGINT, on_signal, &sink) < 0)
        fail(1, "memory is short");
    else
        status = serve(&sink, address);
    loop_free(sink.loop);
    if (sink.log_fd != STDOUT_FILENO)
        close(sink.log_fd);
    return status;
}

const struct command command_sink = {
    .name = "sink",
    .operands = "",
    .sentence = "An HTTP server that takes JSON lines at a limited rate (for demo).",
    .rows = rows,
    .n_rows = FTRI_COUNT(rows),
    .options_size = sizeof(struct sink_options),
    .run = run,
};
