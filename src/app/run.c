/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace run, validate, components: graphs from files. */
#include "app/accounts.h"
#include "app/commands.h"
#include "app/data_directory.h"
#include "app/ledger.h"
#include "app/pipeline.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "config/options.h"
#include "config/quantity.h"
#include "engine/node.h"
#include "nodes/registry.h"

#include <errno.h>
#include <flowtrace/otlp.h>
#include <flowtrace/tracing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t DELIVERY_NS = 5 * FTRI_NS_PER_S;

struct run_options {
    const char *data;
    const char *accounts;
    bool is_insecure;
};

static const struct argument run_rows[] = {
    {"data", "DIR", offsetof(struct run_options, data),
     "Base of relative paths in the graph; default the working directory."},
    {"accounts", "FILE", offsetof(struct run_options, accounts),
     "Write every node's and edge's account as JSON lines; '-': stdout."},
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

static int run_pipeline(struct pipeline *pipeline, const struct run_options *options)
{
    struct ftri_error error = {.text = "memory is short"};
    if (pipeline_start(pipeline, &error) < 0)
        return fail(1, "%s", error.text);
    struct ledger *ledger = ledger_start_exported(pipeline);
    int status = pipeline_run(pipeline) < 0 ? fail(1, "%s", pipeline->failure) : 0;
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

static void log_diagnostic(void *argument, const char *text)
{
    (void)argument;
    log_write(LOG_LEVEL_WARNING, "tracing: %s", text);
}

static int run(const void *values, const char *const *operands, size_t n_operands)
{
    (void)n_operands;
    const struct run_options *options = values;
    struct pipeline pipeline;
    struct ftri_error error = {.text = "memory is short"};
    const int r = pipeline_open_file(&pipeline, operands[0], options->data, &error);
    if (r < 0)
        return fail(r == -EINVAL ? 2 : 1, "%s", error.text);
    pipeline.environment.is_insecure = options->is_insecure;
    ftr_config config = FTR_CONFIG_INIT;
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    config.otlp_stdout_exporter = ftr_otlp_stdout_exporter_new;
    config.on_diagnostic = log_diagnostic;
    config.conventions = ftr_str_from(pipeline.conventions);
    ftr_error reason;
    if (ftr_init(&config, &reason) != FTR_OK) {
        pipeline_close(&pipeline);
        return fail(2, "tracing: %s", reason.text);
    }
    int status = run_pipeline(&pipeline, options);
    pipeline_close(&pipeline);
    if (ftr_shutdown(DELIVERY_NS) != FTR_OK)
        status = fail(1, "the last spans could not be delivered within 5 s; is the collector up?");
    return status;
}

const struct command command_run_graph = {
    .name = "run",
    .operands = "FILE",
    .sentence = "Run a graph until its work is done or a signal comes.",
    .text = "Traced as the OTEL_* variables say, e.g. "
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318.",
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

static void format_bound(const struct option *row, uint64_t bound, char text[QUANTITY_TEXT_BYTES])
{
    if (row->type == OPTION_BYTES)
        quantity_format_bytes(bound, text);
    else if (row->type == OPTION_DURATION)
        quantity_format_duration(bound, text);
    else
        snprintf(text, QUANTITY_TEXT_BYTES, "%llu", (unsigned long long)bound);
}

static void print_range(const struct option *row)
{
    char min[QUANTITY_TEXT_BYTES], max[QUANTITY_TEXT_BYTES];
    if (row->max == 0)
        return;
    format_bound(row, row->min, min);
    format_bound(row, row->max, max);
    printf(" %s to %s.", min, max);
}

static void print_option(const struct option *row)
{
    printf("  %-25s %s", row->name, row->sentence);
    if (row->is_required)
        printf(" Required.");
    else if (row->fallback && row->fallback[0])
        printf(" Default %s.", row->fallback);
    print_range(row);
    for (size_t i = 0; row->choices && row->choices[i]; i++)
        printf("%s%s", i ? ", " : " One of: ", row->choices[i]);
    printf("\n");
}

static void print_ports(const struct node_class *class)
{
    static const char *const only_out[] = {"out", NULL};
    if (class->kind == FTR_NODE_EXPORTER)
        return;
    printf("output ports:");
    if (class->configured_ports)
        printf(" as configured");
    const char *const *ports = class->configured_ports ? NULL
                               : class->ports          ? class->ports
                                                       : only_out;
    for (; ports && *ports; ports++)
        printf(" %s", *ports);
    printf("\n\n");
}

static void print_loops(const struct node_class *class)
{
    if (class->configured_state)
        printf("several loops: as configured\n\n");
    else if (class->state == STATE_OF_TRACE)
        printf("several loops: each has its traces\n\n");
    else if (class->state == STATE_OF_GRAPH)
        printf("several loops: on the first\n\n");
}

static int print_component(const char *type)
{
    const char *types[64];
    size_t n = 0;
    for (const struct node_class *const *i = nodes_registry; *i && n < FTRI_COUNT(types); i++) {
        types[n++] = (*i)->type;
        if (strcmp((*i)->type, type) != 0)
            continue;
        printf("%s\n  %s\n\n", (*i)->type, (*i)->sentence);
        print_ports(*i);
        print_loops(*i);
        printf((*i)->options.n_rows ? "options:\n" : "no options\n");
        for (size_t row = 0; row < (*i)->options.n_rows; row++)
            print_option(&(*i)->options.rows[row]);
        return 0;
    }
    const char *nearest = ftri_text_nearest(type, types, n);
    if (nearest)
        return fail(2, "unknown node type '%s'; did you mean '%s'?", type, nearest);
    return fail(2, "unknown node type '%s'; 'flowtrace components' lists them", type);
}

static int components(const void *values, const char *const *operands, size_t n_operands)
{
    (void)values;
    if (n_operands)
        return print_component(operands[0]);
    for (const struct node_class *const *i = nodes_registry; *i; i++)
        printf("%-20s %s\n", (*i)->type, (*i)->sentence);
    return 0;
}

const struct command command_components = {
    .name = "components",
    .operands = "[TYPE]",
    .sentence = "List the node types, or one type's options.",
    .n_operands_max = 1,
    .run = components,
};
