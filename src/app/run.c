/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace run, validate: graphs from files. */
#include "api/server.h"
#include "app/accounts.h"
#include "app/commands.h"
#include "app/data_directory.h"
#include "app/ledger.h"
#include "app/pipeline.h"
#include "app/telemetry.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "net/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t DELIVERY_NS = 5 * FTRI_NS_PER_S;

struct run_options {
    const char *data;
    const char *accounts;
    const char *metrics;
    bool is_insecure;
};

static const struct argument run_rows[] = {
    {"data", "DIR", offsetof(struct run_options, data),
     "Base of relative paths in the graph; default the working directory."},
    {"accounts", "FILE", offsetof(struct run_options, accounts),
     "Write every node's and edge's account as JSON lines; '-': stdout."},
    {"metrics", "ADDR", offsetof(struct run_options, metrics),
     "Serve /metrics there, over HTTP; port 0 picks one. Default: nowhere."},
    {"insecure", NULL, offsetof(struct run_options, is_insecure),
     "Allow addresses that other machines can reach, without authentication."},
};

static int print_table(const struct graph *graph)
{
    struct ftri_bytes table;
    ftri_bytes_init(&table, 1 << 20);
    int r = accounts_write_table(graph, &table);
    if (r == 0)
        r = ftri_file_write_all(STDERR_FILENO, table.data, table.len);
    ftri_bytes_deinit(&table);
    return r < 0 ? fail(1, "printing the accounts: %s", strerror(-r)) : 0;
}

/* NULL: it is not asked for. */
static int start_metrics(const struct run_options *options, struct api **ret_api,
                         struct ftri_error *error)
{
    *ret_api = NULL;
    if (!options->metrics)
        return 0;
    const struct api_options api = {.address = options->metrics};
    const int r = api_start(&api, ret_api, error);
    if (r < 0)
        return ftri_error_prefix(error, r, "--metrics");
    fprintf(stderr, "metrics listening on %s\n", api_address(*ret_api));
    return 0;
}

static int run_pipeline(struct pipeline *pipeline, const struct run_options *options)
{
    struct ftri_error error = {.text = "memory is short"};
    struct api *api = NULL;
    if (pipeline_start(pipeline, &error) < 0)
        return fail(1, "%s", error.text);
    pipeline_print_listeners(pipeline);
    if (start_metrics(options, &api, &error) < 0)
        return fail(1, "%s", error.text);
    struct ledger *ledger = ledger_start_exported(pipeline);
    int status = pipeline_run(pipeline) < 0 ? fail(1, "%s", pipeline->failure) : 0;
    api_stop(api);
    if (!ledger_stop(ledger, DELIVERY_NS))
        status =
            fail(1, "the last cut of the flow ledger could not be delivered within 5 s; is the "
                    "collector up?");
    if (print_table(pipeline->graph) != 0)
        status = 1;
    if (options->accounts && accounts_write_file(pipeline->graph, options->accounts, &error) < 0)
        status = fail(1, "%s", error.text);
    return status;
}

/* What could not be written at the end is said before anything begins. */
static int prepare_files(const struct run_options *options, struct ftri_error *error)
{
    const int r = options->data ? ftri_file_make_directories(options->data) : 0;
    if (r < 0)
        return ftri_error_errno(error, r, "--data: making %.300s", options->data);
    return options->accounts ? accounts_check_file(options->accounts, error) : 0;
}

static int run(const void *values, const char *const *operands, size_t n_operands)
{
    (void)n_operands;
    const struct run_options *options = values;
    struct pipeline pipeline;
    struct ftri_error error = {.text = "memory is short"};
    if (options->metrics &&
        listener_check_reach("--metrics", options->metrics, options->is_insecure, &error) < 0)
        return fail(2, "%s", error.text);
    const int r = pipeline_open_file(&pipeline, operands[0], options->data, &error);
    if (r < 0)
        return fail(r == -EINVAL ? 2 : 1, "%s", error.text);
    if (prepare_files(options, &error) < 0) {
        pipeline_close(&pipeline);
        return fail(1, "%s", error.text);
    }
    pipeline.environment.is_insecure = options->is_insecure;
    if (telemetry_start(pipeline.conventions, &error) < 0) {
        pipeline_close(&pipeline);
        return fail(2, "%s", error.text);
    }
    int status = run_pipeline(&pipeline, options);
    pipeline_end(&pipeline); /* ends the last visits; the last metrics are read after that */
    if (!telemetry_stop())
        status = fail(1, "the last spans could not be delivered within 5 s; is the collector up?");
    pipeline_close(&pipeline);
    return status;
}

const struct command command_run_graph = {
    .name = "run",
    .operands = "FILE",
    .sentence = "Run a graph until its work is done or a signal comes.",
    .text = "Traced as the OTEL_* variables say, e.g. "
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318.\n"
            "One line per listener of the graph goes to stderr.",
    .rows = run_rows,
    .n_rows = FTRI_COUNT(run_rows),
    .options_size = sizeof(struct run_options),
    .n_operands_min = 1,
    .n_operands_max = 1,
    .run = run,
};

static int validate(const void *values, const char *const *operands, size_t n_operands)
{
    (void)values;
    (void)n_operands;
    struct pipeline pipeline;
    struct ftri_error error = {.text = "memory is short"};
    const int r = pipeline_open_file(&pipeline, operands[0], NULL, &error);
    if (r < 0)
        return fail(r == -EINVAL ? 2 : 1, "%s", error.text);
    pipeline_close(&pipeline);
    printf("%s is valid\n", operands[0]);
    return 0;
}

const struct command command_validate = {
    .name = "validate",
    .operands = "FILE",
    .sentence = "Check a graph's file without starting anything.",
    .n_operands_min = 1,
    .n_operands_max = 1,
    .run = validate,
};
