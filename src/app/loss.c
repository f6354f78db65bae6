/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace loss. */
#include "app/client.h"
#include "app/commands.h"
#include "base/error.h"
#include "config/quantity.h"

#include <stdio.h>

struct loss_options {
    const char *server, *since;
};

static const struct argument rows[] = {
    {"since", "D", offsetof(struct loss_options, since),
     "What was counted within this time before now; default 1h."},
    {"server", "URL", offsetof(struct loss_options, server), CLIENT_SERVER_SENTENCE},
};

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
    r = client_get_list(client_server(options->server), (const char *)path.data, print_line, NULL,
                        &error);
    ftri_bytes_deinit(&path);
    return r < 0 ? fail(1, "%s", error.text) : 0;
}

const struct command command_loss = {
    .name = "loss",
    .operands = "[PIPELINE]",
    .sentence = "Where data was lost: one JSON line a pipeline, node and edge.",
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
