/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace serve: the collector. Its default graph takes in OTLP, keeps it in the write-ahead log,
 * acknowledges, and writes it to the store; the HTTP API reads the store from its own thread. */
#include "api/server.h"
#include "app/commands.h"
#include "app/data_directory.h"
#include "app/ledger.h"
#include "app/pipeline.h"
#include "app/telemetry.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct serve_options {
    const char *config;
    const char *data;
    const char *otlp_grpc;
    const char *otlp_http;
    const char *otlp_unix;
    const char *http;
    bool is_insecure;
};

static const struct argument rows[] = {
    {"config", "FILE", offsetof(struct serve_options, config),
     "The graph to run instead of the default one."},
    {"data", "DIR", offsetof(struct serve_options, data),
     "Log and store; default $FLOWTRACE_DATA or ~/.local/state/flowtrace."},
    {"otlp-grpc", "ADDR", offsetof(struct serve_options, otlp_grpc),
     "OTLP over gRPC, default 127.0.0.1:4317; port 0 picks one; 'off' closes it."},
    {"otlp-http", "ADDR", offsetof(struct serve_options, otlp_http),
     "OTLP over HTTP, default 127.0.0.1:4318; port 0 picks one; 'off' closes it."},
    {"otlp-unix", "PATH", offsetof(struct serve_options, otlp_unix),
     "OTLP over HTTP on a Unix socket as well: /path, or @name for an abstract one."},
    {"http", "ADDR", offsetof(struct serve_options, http),
     "API, default 127.0.0.1:16686; port 0 picks one; 'off' closes it."},
    {"insecure", NULL, offsetof(struct serve_options, is_insecure),
     "Allow addresses that other machines can reach, without authentication."},
};

/* Refuses an address that other machines can reach unless --insecure was given; those in a
 * configuration are the nodes' to check. */
static int check_address(const char *option, const char *address, bool is_insecure)
{
    struct ftri_error error;
    if (strcmp(address, "off") == 0)
        return 0;
    return listener_check_reach(option, address, is_insecure, &error) < 0
               ? fail(2, "%s", error.text)
               : 0;
}

static const char unix_scheme[] = "unix:";

/* PATH with its scheme; one that has it stays as it is. */
static const char *unix_address(const char *path, char room[PATH_MAX])
{
    if (strncmp(path, unix_scheme, sizeof unix_scheme - 1) == 0)
        return path;
    snprintf(room, PATH_MAX, "%s%s", unix_scheme, path);
    return room;
}

static int append_unix(struct ftri_bytes *text, const char *path)
{
    char room[PATH_MAX];
    const int r = ftri_bytes_append_str(text, FTR_STR(", unix: "));
    return r == 0 ? pipeline_append_quoted(text, unix_address(path, room)) : r;
}

static int open_default(struct pipeline *pipeline, const struct serve_options *options,
                        const char *directory, struct ftri_error *error)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, 16 * 1024);
    int r = ftri_bytes_append_str(&text,
                                  FTR_STR("nodes:\n  otlp: {type: receiver/otlp, config: {grpc: "));
    if (r == 0)
        r = pipeline_append_quoted(&text, options->otlp_grpc);
    if (r == 0)
        r = ftri_bytes_append_str(&text, FTR_STR(", http: "));
    if (r == 0)
        r = pipeline_append_quoted(&text, options->otlp_http);
    if (r == 0 && options->otlp_unix)
        r = append_unix(&text, options->otlp_unix);
    if (r == 0)
        r = ftri_bytes_append_str(&text, FTR_STR("}}\n"
                                                 "  memory: {type: processor/memory_limiter}\n"
                                                 "  log: {type: processor/wal}\n"
                                                 "  store: {type: exporter/store}\n"
                                                 "connections:\n"
                                                 "  - {from: otlp, to: memory}\n"
                                                 "  - {from: memory, to: log}\n"
                                                 "  - {from: log, to: store}\n"));
    if (r == 0)
        r = pipeline_open_text(pipeline, ftri_view_str(ftri_bytes_view(&text)), "the default graph",
                               directory, error);
    ftri_bytes_deinit(&text);
    return r;
}

static int start_api(const struct pipeline *pipeline, const char *address, struct api **ret_api,
                     struct ftri_error *error)
{
    if (strcmp(address, "off") == 0)
        return 0;
    if (!pipeline->environment.store)
        return ftri_error_set(error, -EINVAL,
                              "the graph has no exporter/store for the HTTP API to read; add one, "
                              "or use --http off");
    const struct api_options options = {.address = address, .store = pipeline->environment.store};
    const int r = api_start(&options, ret_api, error);
    return r < 0 ? ftri_error_prefix(error, r, "--http") : 0;
}

static void print_ready(const struct pipeline *pipeline, const struct api *api)
{
    pipeline_print_listeners(pipeline);
    if (api)
        fprintf(stderr, "http listening on %s\n", api_address(api));
    fprintf(stderr, "ready\n");
}

struct serving {
    struct pipeline *pipeline;
    const char *http;
    struct api *api;
    bool has_failed;
};

/* What the last run left is back: readers may come. */
static void on_started(void *argument)
{
    struct serving *self = argument;
    struct ftri_error error = {.text = "memory is short"};
    if (start_api(self->pipeline, self->http, &self->api, &error) == 0) {
        print_ready(self->pipeline, self->api);
        return;
    }
    self->has_failed = true;
    fail(1, "%s", error.text);
    pipeline_stop(self->pipeline);
}

/* The pipeline is open. */
static int serve(struct pipeline *pipeline, const char *http)
{
    struct serving serving = {.pipeline = pipeline, .http = http};
    pipeline->environment.on_started = on_started;
    pipeline->environment.argument = &serving;
    struct ftri_error error = {.text = "memory is short"};
    if (pipeline_start(pipeline, &error) < 0)
        return fail(1, "%s", error.text);
    if (pipeline->environment.n_starting == 0)
        on_started(&serving);
    struct ledger *ledger = pipeline->environment.store ? ledger_start_own(pipeline) : NULL;
    const int r = pipeline_run(pipeline);
    (void)ledger_stop(ledger, 0);
    api_stop(serving.api); /* before the store that it reads */
    pipeline_end(pipeline);
    if (r < 0)
        return fail(1, "%s", pipeline->failure);
    return serving.has_failed ? 1 : 0;
}

static int check_unix(const char *path)
{
    char room[PATH_MAX];
    return check_address("--otlp-unix", unix_address(path, room), false);
}

/* With the defaults filled in; 0, or the exit status. */
static int complete(struct serve_options *options)
{
    if (options->config && (options->otlp_grpc || options->otlp_http || options->otlp_unix))
        return fail(2, "--otlp-grpc, --otlp-http and --otlp-unix belong to the default graph; with "
                       "--config, set `grpc`, `http` and `unix` of receiver/otlp in the file");
    options->otlp_grpc = options->otlp_grpc ? options->otlp_grpc : "127.0.0.1:4317";
    options->otlp_http = options->otlp_http ? options->otlp_http : "127.0.0.1:4318";
    options->http = options->http ? options->http : "127.0.0.1:16686";
    int r = check_address("--otlp-grpc", options->otlp_grpc, options->is_insecure);
    if (r == 0)
        r = check_address("--otlp-http", options->otlp_http, options->is_insecure);
    if (r == 0 && options->otlp_unix)
        r = check_unix(options->otlp_unix);
    return r == 0 ? check_address("--http", options->http, options->is_insecure) : r;
}

static int run(const void *values, const char *const *operands, size_t n_operands)
{
    (void)operands;
    (void)n_operands;
    struct serve_options options = *(const struct serve_options *)values;
    int r = complete(&options);
    if (r != 0)
        return r;
    char directory[PATH_MAX];
    struct ftri_error error = {.text = "memory is short"};
    if (data_directory(options.data, NULL, directory, &error) < 0)
        return fail(1, "%s", error.text);
    struct pipeline pipeline;
    r = options.config ? pipeline_open_file(&pipeline, options.config, directory, &error)
                       : open_default(&pipeline, &options, directory, &error);
    if (r < 0)
        return fail(r == -EINVAL ? 2 : 1, "%s", error.text);
    pipeline.environment.is_insecure = options.is_insecure;
    if (telemetry_start_metrics(&error) < 0) {
        pipeline_close(&pipeline);
        return fail(2, "%s", error.text);
    }
    r = serve(&pipeline, options.http);
    if (!telemetry_stop())
        r = fail(1, "the last metrics could not be delivered within 5 s");
    pipeline_close(&pipeline);
    return r;
}

const struct command command_serve = {
    .name = "serve",
    .operands = "",
    .sentence = "Collect, store and query traces.",
    .text = "One line per listener goes to stderr once all are ready. SIGTERM or SIGINT drains "
            "and stops.",
    .rows = rows,
    .n_rows = FTRI_COUNT(rows),
    .options_size = sizeof(struct serve_options),
    .run = run,
};
