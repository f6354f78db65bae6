/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace demo: the main job. Reads every regular file under /usr/share/doc and the package log,
 * splits them by kind, parses and hashes them, drops the tiny ones, gathers batches and delivers
 * them to a file and to an HTTP server in another process that admits ten requests a second. Traced
 * into a collector in a third process; at the end one flow's tree and every node's account. */
#include "app/accounts.h"
#include "app/child.h"
#include "app/client.h"
#include "app/commands.h"
#include "app/data_directory.h"
#include "app/pipeline.h"
#include "app/trace_print.h"
#include "app/trace_view.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "engine/account.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>
#include <flowtrace/tracing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t PROGRESS_NS = 250 * FTRI_NS_PER_MS;

struct demo_options {
    const char *data;
    const char *accounts;
    const char *documents;
    const char *server;
    const char *otlp;
    bool is_kept;
};

static const struct argument rows[] = {
    {"keep", NULL, offsetof(struct demo_options, is_kept), "Leave the collector up."},
    {"data", "DIR", offsetof(struct demo_options, data),
     "Where results and traces go; default ~/.local/state/flowtrace/demo."},
    {"documents", "DIR", offsetof(struct demo_options, documents),
     "What to read instead of /usr/share/doc."},
    {"accounts", "FILE", offsetof(struct demo_options, accounts),
     "Write every node's and edge's account as JSON lines."},
    {"server", "URL", offsetof(struct demo_options, server),
     "API of a running collector to use, together with --otlp."},
    {"otlp", "URL", offsetof(struct demo_options, otlp),
     "Its OTLP/HTTP endpoint, e.g. http://127.0.0.1:4318."},
};

struct demo {
    const struct demo_options *options;
    char directory[PATH_MAX];
    char collector_log[PATH_MAX], sink_log[PATH_MAX], deliveries[PATH_MAX],
        collector_data[PATH_MAX];
    struct child collector, sink;
    char sink_address[128];
    char server[160]; /* http://... of the API */
    char otlp[160];
    struct pipeline pipeline;
    struct loop_timer *progress;
};

static int place(const struct demo *demo, const char *name, char *ret_path)
{
    const int len = snprintf(ret_path, PATH_MAX, "%s/%s", demo->directory, name);
    return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int prepare_directory(struct demo *demo, struct ftri_error *error)
{
    int r = data_directory(demo->options->data, demo->options->data ? NULL : "demo",
                           demo->directory, error);
    if (r < 0)
        return r;
    if (place(demo, "collector.log", demo->collector_log) < 0 ||
        place(demo, "sink.log", demo->sink_log) < 0 ||
        place(demo, "deliveries.ndjson", demo->deliveries) < 0 ||
        place(demo, "collector", demo->collector_data) < 0)
        return ftri_error_errno(error, -ENAMETOOLONG, "%.300s", demo->directory);
    if (unlink(demo->deliveries) < 0 && errno != ENOENT)
        return ftri_error_errno(error, -errno, "removing the last run's %.300s", demo->deliveries);
    return 0;
}

static int start_collector(struct demo *demo, struct ftri_error *error)
{
    if (demo->options->server) {
        snprintf(demo->server, sizeof demo->server, "%s", demo->options->server);
        snprintf(demo->otlp, sizeof demo->otlp, "%s", demo->options->otlp);
        return 0;
    }
    const char *const argv[] = {"serve",       "--data",      demo->collector_data, "--otlp-grpc",
                                "127.0.0.1:0", "--otlp-http", "127.0.0.1:0",        "--http",
                                "127.0.0.1:0", NULL};
    char address[128];
    int r = child_start(&demo->collector, argv, demo->collector_log, demo->options->is_kept, error);
    if (r == 0)
        r = child_wait_line(&demo->collector, "otlp/http listening on ", address, sizeof address,
                            error);
    if (r == 0)
        snprintf(demo->otlp, sizeof demo->otlp, "http://%s", address);
    if (r == 0)
        r = child_wait_line(&demo->collector, "http listening on ", address, sizeof address, error);
    if (r == 0)
        snprintf(demo->server, sizeof demo->server, "http://%s", address);
    return r;
}

static int start_sink(struct demo *demo, struct ftri_error *error)
{
    const char *const argv[] = {"sink",    "--listen", "127.0.0.1:0", "--rate",         "10",
                                "--burst", "3",        "--log",       demo->deliveries, NULL};
    const int r = child_start(&demo->sink, argv, demo->sink_log, false, error);
    return r < 0 ? r
                 : child_wait_line(&demo->sink, "sink listening on ", demo->sink_address,
                                   sizeof demo->sink_address, error);
}

static const char *documents(const struct demo *demo)
{
    return demo->options->documents ? demo->options->documents : "/usr/share/doc";
}

static const char connections[] = "connections:\n"
                                  "  - {from: read, to: kinds}\n"
                                  "  - {from: 'kinds[\"package_log\"]', to: parse_log}\n"
                                  "  - {from: 'kinds[\"compressed\"]', to: parse_compressed}\n"
                                  "  - {from: 'kinds[\"image\"]', to: parse_image}\n"
                                  "  - {from: 'kinds[\"plain\"]', to: parse_plain}\n"
                                  "  - {from: parse_log, to: drop_tiny}\n"
                                  "  - {from: parse_compressed, to: drop_tiny}\n"
                                  "  - {from: parse_image, to: drop_tiny}\n"
                                  "  - {from: parse_plain, to: drop_tiny}\n"
                                  "  - {from: drop_tiny, to: gather}\n"
                                  "  - {from: gather, to: write}\n"
                                  "  - {from: gather, to: retry}\n"
                                  "  - {from: retry, to: deliver}\n";

static int write_graph(const struct demo *demo, struct ftri_bytes *out)
{
    const char *log = access("/var/log/dpkg.log", R_OK) == 0 ? ", /var/log/dpkg.log" : "";
    int r = ftri_bytes_append_str(out, FTR_STR("pipeline: demo\n"
                                               "channel_capacity: 16\n"
                                               "nodes:\n"
                                               "  read: {type: receiver/files, config: {paths: ["));
    if (r == 0)
        r = pipeline_append_quoted(out, documents(demo));
    if (r < 0)
        return r;
    r = ftri_bytes_printf(
        out,
        "%s]}}\n"
        "  kinds:\n"
        "    type: processor/route\n"
        "    config:\n"
        "      routes: {package_log: [.log], compressed: [.gz], image: [.png, .jpg, .gif, .ico]}\n"
        "      otherwise: plain\n"
        "  parse_log: {type: processor/parse, config: {kind: package_log}}\n"
        "  parse_compressed: {type: processor/parse, config: {kind: gzip}}\n"
        "  parse_image: {type: processor/parse, config: {kind: binary}}\n"
        "  parse_plain: {type: processor/parse, config: {kind: text}}\n"
        "  drop_tiny: {type: processor/filter, config: {attribute: size, min: 64}}\n"
        "  gather: {type: processor/batch, config: {max_items: 64, max_delay: 200ms}}\n"
        "  write: {type: exporter/file, config: {path: results.ndjson, truncate: true}}\n"
        "  retry: {type: processor/retry, config: {initial_delay: 200ms, max_delay: 2s, "
        "max_elapsed: 50s, max_held: 8}}\n"
        "  deliver: {type: exporter/http, config: {url: 'http://%s/', max_in_flight: 4}}\n",
        log, demo->sink_address);
    return r == 0 ? ftri_bytes_append_str(out, ftr_str_from(connections)) : r;
}

static int start_tracing(const struct demo *demo, struct ftri_error *error)
{
    char endpoint[192];
    const size_t otlp_len = strlen(demo->otlp);
    const bool has_slash = otlp_len && demo->otlp[otlp_len - 1] == '/';
    const int len =
        snprintf(endpoint, sizeof endpoint, "%s%sv1/traces", demo->otlp, has_slash ? "" : "/");
    ftr_error reason = {.text = "memory is short"};
    const ftr_otlp_options otlp = {.size = sizeof otlp, .endpoint = {endpoint, (size_t)len}};
    ftr_exporter *exporter = ftr_otlp_exporter_new(&otlp, &reason);
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("flowtrace-demo");
    config.exporters = &exporter;
    config.n_exporters = 1;
    if (exporter && ftr_init(&config, &reason) == FTR_OK)
        return 0;
    ftr_exporter_free(exporter);
    return ftri_error_set(error, -EINVAL, "tracing: %.300s", reason.text);
}

static void print_progress(const struct demo *demo)
{
    struct graph_node_view node;
    unsigned long long read = 0, delivered = 0, retried = 0;
    for (size_t i = 0; graph_node_view(demo->pipeline.graph, i, &node); i++) {
        if (strcmp(node.id, "read") == 0)
            read = node.account->emitted;
        else if (strcmp(node.id, "deliver") == 0)
            delivered = node.account->received - node.account->failed - node.account->held;
        else if (strcmp(node.id, "retry") == 0)
            retried = node.account->retried;
    }
    fprintf(stderr, "\r  %llu files read, %llu delivered, %llu retries   ", read, delivered,
            retried);
}

static void on_progress(void *argument)
{
    struct demo *demo = argument;
    if (isatty(STDERR_FILENO))
        print_progress(demo);
    loop_timer_start(demo->progress, PROGRESS_NS);
}

static int run_graph(struct demo *demo, struct ftri_error *error)
{
    struct ftri_bytes graph;
    ftri_bytes_init(&graph, 64 * 1024);
    int r = write_graph(demo, &graph);
    if (r == 0)
        r = pipeline_open_text(&demo->pipeline, ftri_view_str(ftri_bytes_view(&graph)),
                               "the demo's graph", demo->directory, error);
    ftri_bytes_deinit(&graph);
    if (r < 0)
        return r;
    demo->progress = loop_timer_new(demo->pipeline.loop, on_progress, demo);
    if (!demo->progress)
        return ftri_error_errno(error, -ENOMEM, "the progress line");
    loop_timer_start(demo->progress, PROGRESS_NS);
    demo->pipeline.drain_timeout_ns = 55 * FTRI_NS_PER_S;
    r = pipeline_start(&demo->pipeline, error);
    if (r == 0 && pipeline_run(&demo->pipeline) < 0)
        r = ftri_error_set(error, -EIO, "%s", demo->pipeline.failure);
    print_progress(demo);
    fputs("\n", stderr);
    loop_timer_free(demo->progress);
    return r;
}

static int write_accounts(const struct demo *demo, struct ftri_bytes *table,
                          struct ftri_error *error)
{
    const int r = accounts_write_table(demo->pipeline.graph, table);
    if (r < 0 || !demo->options->accounts)
        return r;
    return accounts_write_file(demo->pipeline.graph, demo->options->accounts, error);
}

/* Of the flows that reached the server, the one worth showing: retried if there is one, with the
 * most nodes on one screen. */
static double interest(const struct ftri_otlp_span *spans, size_t n)
{
    size_t n_errors = 0;
    for (size_t i = 0; i < n; i++)
        n_errors += spans[i].status_code == FTRI_OTLP_STATUS_ERROR;
    return (n > 40 ? 0.0 : (double)n) + (n_errors ? 100.0 : 0.0);
}

static int show_flow(const struct demo *demo, char ret_trace_id[33], struct ftri_error *error)
{
    struct ftri_bytes otlp;
    ftri_bytes_init(&otlp, 1 << 30);
    int r = client_get_traces(demo->server,
                              "/api/v3/traces?query.serviceName=flowtrace-demo"
                              "&query.operationName=exporter/http/deliver&query.searchDepth=100",
                              &otlp, error);
    struct trace_view view = {0};
    if (r == 0)
        r = trace_view_init(&view, ftri_bytes_view(&otlp));
    const struct ftri_otlp_span *spans, *best = NULL;
    size_t n, n_best = 0;
    for (size_t cursor = 0; r == 0 && (n = trace_view_next(&view, &cursor, &spans)) > 0;) {
        if (!best || interest(spans, n) > interest(best, n_best)) {
            best = spans;
            n_best = n;
        }
    }
    if (r == 0 && !best)
        r = ftri_error_set(error, -ENOENT, "no flow was stored; see %.300s", demo->collector_log);
    if (r == 0) {
        ftr_trace_id id;
        memcpy(id.bytes, best->trace_id, sizeof id.bytes);
        ftr_trace_id_format(&id, ret_trace_id);
        r = trace_print(best, n_best, 80);
    }
    trace_view_deinit(&view);
    ftri_bytes_deinit(&otlp);
    return r;
}

static void show_next(const struct demo *demo, const char *trace_id)
{
    printf("\nresults      %s/results.ndjson\n"
           "deliveries   %s\n",
           demo->directory, demo->deliveries);
    if (demo->options->is_kept || demo->options->server) {
        if (demo->collector.pid)
            printf("collector    pid %d, stop it with: kill %d\n", (int)demo->collector.pid,
                   (int)demo->collector.pid);
        printf("\nlook next    %s trace get %s --tree --server %s\n"
               "             %s trace query --status error --server %s\n"
               "             curl %s/api/v3/traces/%s\n",
               program_invocation_name, trace_id, demo->server, program_invocation_name,
               demo->server, demo->server, trace_id);
        return;
    }
    printf("\nlook next    %s serve --data %s\n"
           "             %s trace get %s --tree\n"
           "             %s trace query --service flowtrace-demo --status error\n",
           program_invocation_name, demo->collector_data, program_invocation_name, trace_id,
           program_invocation_name);
}

/* Everything runs; returns with the graph's work done and every span delivered. */
static int do_main_job(struct demo *demo, struct ftri_bytes *table, struct ftri_error *error)
{
    int r = start_collector(demo, error);
    if (r == 0)
        r = start_sink(demo, error);
    if (r == 0)
        r = start_tracing(demo, error);
    if (r < 0)
        return r;
    fprintf(stderr, "reading %s into %s, traced into %s\n", documents(demo), demo->directory,
            demo->server);
    r = run_graph(demo, error);
    if (r == 0)
        r = write_accounts(demo, table, error);
    pipeline_close(&demo->pipeline);
    if (ftr_shutdown(10 * FTRI_NS_PER_S) != FTR_OK && r == 0)
        r = ftri_error_set(error, -ETIMEDOUT, "the last spans could not be delivered within 10 s");
    return r;
}

static int run(const void *values, const char *const *operands, size_t n_operands)
{
    (void)operands;
    (void)n_operands;
    struct demo demo = {.options = values};
    if (!demo.options->server != !demo.options->otlp)
        return fail(2, "--server and --otlp go together");
    struct ftri_error error = {.text = "memory is short"};
    struct ftri_bytes table;
    ftri_bytes_init(&table, 1 << 20);
    char trace_id[33] = "";
    int r = prepare_directory(&demo, &error);
    if (r == 0 && demo.options->accounts)
        r = accounts_check_file(demo.options->accounts, &error);
    if (r == 0)
        r = do_main_job(&demo, &table, &error);
    child_stop(&demo.sink);
    if (r == 0)
        r = show_flow(&demo, trace_id, &error);
    if (r == 0) {
        printf("\n%.*s", (int)table.len, (const char *)table.data);
        show_next(&demo, trace_id);
    }
    ftri_bytes_deinit(&table);
    if (r < 0 || !demo.options->is_kept)
        child_stop(&demo.collector);
    return r < 0 ? fail(1, "%s", error.text) : 0;
}

const struct command command_demo = {
    .name = "demo",
    .operands = "",
    .sentence = "Run a real pipeline over this machine's documents, traced.",
    .rows = rows,
    .n_rows = FTRI_COUNT(rows),
    .options_size = sizeof(struct demo_options),
    .run = run,
};
