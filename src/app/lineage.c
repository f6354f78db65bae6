/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace lineage. */
#include "app/client.h"
#include "app/commands.h"
#include "app/lineage_tree.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct lineage_options {
    const char *direction, *depth, *limit, *server;
    bool is_tree;
};

static const struct argument rows[] = {
    {"direction", "up|down|both", offsetof(struct lineage_options, direction),
     "Only what it was made from (up), or what was made from it (down); default both."},
    {"depth", "N", offsetof(struct lineage_options, depth),
     "At most N edges away, 0 to 1000; default 32."},
    {"limit", "N", offsetof(struct lineage_options, limit),
     "At most N edges, up to 1000000; default 100000."},
    {"tree", NULL, offsetof(struct lineage_options, is_tree),
     "Draw it instead of printing JSON lines."},
    {"server", "URL", offsetof(struct lineage_options, server), CLIENT_SERVER_SENTENCE},
};

static int add_parameter(struct ftri_bytes *path, char mark, const char *name, const char *value)
{
    if (!value)
        return 0;
    const int r = ftri_bytes_printf(path, "%c%s=", mark, name);
    return r < 0 ? r : client_append_escaped(path, value);
}

/* operand: TRACE or TRACE/SPAN. */
static int build_path(const struct lineage_options *options, const char *operand,
                      struct ftri_bytes *path)
{
    char trace[128];
    const char *slash = strchr(operand, '/');
    const size_t len = slash ? (size_t)(slash - operand) : strlen(operand);
    if (len == 0 || len >= sizeof trace || (slash && !slash[1]))
        return -EINVAL;
    snprintf(trace, sizeof trace, "%.*s", (int)len, operand);
    int r = ftri_bytes_append_str(path, FTR_STR("/api/flow/v1/lineage/"));
    if (r == 0)
        r = client_append_escaped(path, trace);
    if (r == 0 && slash)
        r = ftri_bytes_append_char(path, '/');
    if (r == 0 && slash)
        r = client_append_escaped(path, slash + 1);
    if (r == 0)
        r = add_parameter(path, '?', "direction", options->direction ? options->direction : "both");
    if (r == 0)
        r = add_parameter(path, '&', "depth", options->depth);
    if (r == 0)
        r = add_parameter(path, '&', "limit", options->limit);
    return r == 0 ? ftri_bytes_append_char(path, '\0') : r;
}

/* The last line says what was left out. */
static void warn_if_incomplete(struct ftri_view lines)
{
    size_t start = lines.len;
    while (start > 1 && lines.data[start - 2] != '\n')
        start--;
    const struct ftri_view last = {lines.data + (start ? start - 1 : 0),
                                   lines.len - (start ? start - 1 : 0)};
    const struct ftri_view words = client_find_member(last, "incomplete");
    if (words.len > 2)
        (void)fail(0,
                   "the answer is incomplete: %.*s; ask with --direction, a lower --depth or a "
                   "higher --limit",
                   (int)words.len, (const char *)words.data);
}

static int print(const struct lineage_options *options, struct ftri_view lines)
{
    struct ftri_bytes drawn;
    ftri_bytes_init(&drawn, SIZE_MAX / 2);
    int r = options->is_tree ? lineage_tree_draw(lines, &drawn) : 0;
    const struct ftri_view shown = options->is_tree ? ftri_bytes_view(&drawn) : lines;
    if (r == 0)
        r = ftri_file_write_all(STDOUT_FILENO, shown.data, shown.len);
    ftri_bytes_deinit(&drawn);
    if (r == -EBADMSG)
        return fail(1, "the server did not answer as a Flowtrace server does; is --server right?");
    return r < 0 ? fail(1, "printing: %s", strerror(-r)) : 0;
}

static int ask(const struct lineage_options *options, const char *path)
{
    struct ftri_bytes body;
    int status = client_fetch(options->server, path, &body);
    if (status == 0)
        status = print(options, ftri_bytes_view(&body));
    if (status == 0)
        warn_if_incomplete(ftri_bytes_view(&body));
    ftri_bytes_deinit(&body);
    return status;
}

static int lineage(const void *values, const char *const *operands, size_t n_operands)
{
    (void)n_operands;
    struct ftri_bytes path;
    ftri_bytes_init(&path, 8192);
    const int r = build_path(values, operands[0], &path);
    const int status = r == -EINVAL
                           ? fail(2,
                                  "'%.100s': expected TRACE or TRACE/SPAN, ids in hexadecimal as "
                                  "'flowtrace trace query' prints them",
                                  operands[0])
                       : r < 0 ? fail(2, "the options are too long")
                               : ask(values, (const char *)path.data);
    ftri_bytes_deinit(&path);
    return status;
}

const struct command command_lineage = {
    .name = "lineage",
    .operands = "TRACE[/SPAN]",
    .sentence = "What a span, or a trace, was made from, and what was made from it.",
    .text = "Prints one JSON line for each span and each edge between two, nearest first, and a\n"
            "summary. An edge leads from a contributor to its result: by a parent, a link or a\n"
            "manifest, across traces. Spans that are not stored are listed with the reason:\n"
            "removed (by retention), not_received, or unknown.",
    .rows = rows,
    .n_rows = FTRI_COUNT(rows),
    .options_size = sizeof(struct lineage_options),
    .n_operands_min = 1,
    .n_operands_max = 1,
    .run = lineage,
};
