/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace loss. */
#include "app/client.h"
#include "app/commands.h"
#include "app/loss_table.h"
#include "app/terminal.h"
#include "base/error.h"
#include "base/file.h"
#include "config/quantity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct loss_options {
    const char *server, *since;
    bool is_json;
};

static const struct argument rows[] = {
    {"since", "D", offsetof(struct loss_options, since),
     "What was counted within this time before now; default 1h."},
    {"json", NULL, offsetof(struct loss_options, is_json),
     "One JSON line a pipeline, node and edge, for programs."},
    {"server", "URL", offsetof(struct loss_options, server), CLIENT_SERVER_SENTENCE},
};

static int draw_line(void *argument, ftr_str element)
{
    return loss_table_add(argument, element);
}

/* Takes the path's answer. */
static int print_tables(const struct loss_options *options, const char *path,
                        struct ftri_error *error)
{
    struct ftri_bytes text;
    struct loss_table table;
    ftri_bytes_init(&text, SIZE_MAX / 2);
    loss_table_init(&table, terminal_columns(), &text);
    int r = client_get_list(client_server(options->server), path, draw_line, &table, error);
    if (r == 0)
        r = loss_table_finish(&table);
    if (r == 0 && !table.has_pipeline)
        fprintf(stderr, "no pipeline has reported within %s; --since D looks further back\n",
                options->since ? options->since : "1h");
    if (r == 0)
        r = ftri_file_write_all(STDOUT_FILENO, text.data, text.len);
    loss_table_deinit(&table);
    ftri_bytes_deinit(&text);
    return r;
}

/* main says whether stdout took it. */
static int print_line(void *argument, ftr_str element)
{
    (void)argument;
    printf("%.*s\n", (int)element.len, element.data);
    return 0;
}

static int build_path(const struct loss_options *options, const char *pipeline,
                      struct ftri_bytes *path)
{
    int r = ftri_bytes_append_str(path, FTR_STR("/api/flow/v1/loss?since="));
    if (r == 0)
        r = client_append_escaped(path, options->since ? options->since : "1h");
    if (r == 0 && pipeline)
        r = ftri_bytes_append_str(path, FTR_STR("&pipeline="));
    if (r == 0 && pipeline)
        r = client_append_escaped(path, pipeline);
    return r == 0 ? ftri_bytes_append_char(path, '\0') : r;
}

static int loss(const void *values, const char *const *operands, size_t n_operands)
{
    const struct loss_options *options = values;
    struct ftri_error error = {.text = "memory is short"};
    struct ftri_bytes path;
    uint64_t since_ns;
    if (options->since && quantity_parse_duration(options->since, &since_ns) < 0)
        return fail(2, "--since %s: expected a duration such as 90s, 15m, 1h30m or 7d",
                    options->since);
    ftri_bytes_init(&path, 16 * 1024);
    int r = build_path(options, n_operands ? operands[0] : NULL, &path);
    if (r < 0) {
        ftri_bytes_deinit(&path);
        return fail(2, "the pipeline's name is too long");
    }
    r = options->is_json ? client_get_list(client_server(options->server), (const char *)path.data,
                                           print_line, NULL, &error)
                         : print_tables(options, (const char *)path.data, &error);
    ftri_bytes_deinit(&path);
    return r < 0 ? fail(1, "%s", error.text) : 0;
}

const struct command command_loss = {
    .name = "loss",
    .operands = "[PIPELINE]",
    .sentence = "Where data was lost: tables of the pipelines, their edges and nodes.",
    .text =
        "From the flow ledger, to which every process that runs a graph reports at each 10 s\n"
        "of the clock and at its end. \"settled\": all that was sent has been accounted for up\n"
        "to \"settled_until\"; until then the difference is \"in_flight\". \"unknown_since\": a\n"
        "process died without its last report; what it held then is \"unknown_items\".",
    .rows = rows,
    .n_rows = FTRI_COUNT(rows),
    .options_size = sizeof(struct loss_options),
    .n_operands_max = 1,
    .run = loss,
};
