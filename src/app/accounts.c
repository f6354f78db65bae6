/* SPDX-License-Identifier: Apache-2.0 */
#include "app/accounts.h"

#include "base/error.h"
#include "base/file.h"
#include "codec/json_writer.h"
#include "engine/account.h"
#include "engine/graph.h"
#include "query/duration.h"

#include <flowtrace/flow.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "3 filtered, 1 late"; "-" when nothing was dropped. */
static void format_drops(const struct node_account *account, char *ret_text, size_t size)
{
    size_t len = 0;
    snprintf(ret_text, size, "-");
    for (size_t i = 0; i < ACCOUNT_DROP_REASONS && len + 1 < size; i++) {
        if (account->dropped[i] == 0)
            continue;
        const int n = snprintf(ret_text + len, size - len, "%s%llu %s", len ? ", " : "",
                               (unsigned long long)account->dropped[i],
                               ftr_drop_reason_name((ftr_drop_reason)i));
        len = n < 0 ? size : len + (size_t)n;
    }
}

/* Ids are not cut unless they are very long. */
static int id_width(const struct graph *graph)
{
    enum { LEAST = 17, MOST = 60 };
    size_t width = LEAST;
    struct graph_node_view node;
    for (size_t i = 0; graph_node_view(graph, i, &node); i++)
        if (strlen(node.id) > width)
            width = strlen(node.id);
    return (int)ftri_size_min(width, MOST);
}

int accounts_write_table(const struct graph *graph, struct ftri_bytes *out)
{
    const int width = id_width(graph);
    int r = ftri_bytes_printf(out, "%-*s %7s %7s  %-14s %7s %10s %10s\n", width, "node", "in",
                              "out", "dropped", "retried", "queue time", "work time");
    struct graph_node_view node;
    for (size_t i = 0; r == 0 && graph_node_view(graph, i, &node); i++) {
        char drops[64], queue[16], work[16];
        format_drops(node.account, drops, sizeof drops);
        (void)duration_format(node.account->queue_ns, queue);
        (void)duration_format(node.account->work_ns, work);
        r = ftri_bytes_printf(out, "%-*.*s %7llu %7llu  %-14s %7llu %10s %10s\n", width, width,
                              node.id, (unsigned long long)node.account->received,
                              (unsigned long long)node.account->emitted, drops,
                              (unsigned long long)node.account->retried, queue, work);
    }
    return r;
}

static void write_number(struct ftri_json_writer *json, const char *name, uint64_t value)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_u64(json, value);
}

static void write_text(struct ftri_json_writer *json, const char *name, const char *value)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_str(json, ftr_str_from(value));
}

static void write_drops(struct ftri_json_writer *json, const struct node_account *account)
{
    ftri_json_name(json, FTR_STR("dropped"));
    ftri_json_begin_object(json);
    for (size_t i = 0; i < ACCOUNT_DROP_REASONS; i++)
        if (account->dropped[i])
            write_number(json, ftr_drop_reason_name((ftr_drop_reason)i), account->dropped[i]);
    ftri_json_end_object(json);
}

static int write_node(const struct graph_node_view *node, struct ftri_bytes *out)
{
    const struct node_account *account = node->account;
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, out);
    ftri_json_begin_object(&json);
    write_text(&json, "node", node->id);
    write_text(&json, "type", node->type);
    write_number(&json, "in", account->received);
    write_number(&json, "out", account->emitted);
    write_number(&json, "forwarded", account->forwarded);
    write_number(&json, "created", account->created);
    write_number(&json, "absorbed", account->absorbed);
    write_number(&json, "held", account->held);
    write_number(&json, "bytes_in", account->received_bytes);
    write_number(&json, "bytes_out", account->emitted_bytes);
    write_drops(&json, account);
    write_number(&json, "failed", account->failed);
    write_number(&json, "retried", account->retried);
    write_number(&json, "visits", account->n_visits);
    write_number(&json, "queue_ns", account->queue_ns);
    write_number(&json, "work_ns", account->work_ns);
    write_number(&json, "blocked_ns", account->blocked_ns);
    ftri_json_end_object(&json);
    const int r = ftri_json_writer_status(&json);
    return r == 0 ? ftri_bytes_append_char(out, '\n') : r;
}

static int write_edge(const struct graph_edge_view *edge, struct ftri_bytes *out)
{
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, out);
    ftri_json_begin_object(&json);
    write_text(&json, "from", edge->from);
    write_text(&json, "port", edge->port);
    write_text(&json, "to", edge->to);
    write_number(&json, "sent", edge->account->sent);
    write_number(&json, "received", edge->account->received);
    write_number(&json, "queued", edge->account->queued);
    write_number(&json, "lost", edge->account->lost);
    ftri_json_end_object(&json);
    const int r = ftri_json_writer_status(&json);
    return r == 0 ? ftri_bytes_append_char(out, '\n') : r;
}

static int write_lines(const struct graph *graph, struct ftri_bytes *out)
{
    int r = 0;
    struct graph_node_view node;
    for (size_t i = 0; r == 0 && graph_node_view(graph, i, &node); i++)
        r = write_node(&node, out);
    struct graph_edge_view edge;
    for (size_t i = 0; r == 0 && graph_edge_view(graph, i, &edge); i++)
        r = write_edge(&edge, out);
    return r;
}

static int write_file(const char *path, const struct ftri_bytes *lines)
{
    if (strcmp(path, "-") == 0)
        return ftri_file_write_all(STDOUT_FILENO, lines->data, lines->len);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    const int r = ftri_file_write_all(fd, lines->data, lines->len);
    return close(fd) < 0 && r == 0 ? -errno : r;
}

int accounts_check_file(const char *path, struct ftri_error *error)
{
    if (strcmp(path, "-") == 0)
        return 0;
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return ftri_error_errno(error, -errno, "--accounts: opening %.300s", path);
    close(fd);
    return 0;
}

int accounts_write_file(const struct graph *graph, const char *path, struct ftri_error *error)
{
    struct ftri_bytes lines;
    ftri_bytes_init(&lines, 16 << 20);
    int r = write_lines(graph, &lines);
    if (r == 0)
        r = write_file(path, &lines);
    ftri_bytes_deinit(&lines);
    return r < 0 ? ftri_error_errno(error, r, "writing the accounts to %.300s", path) : 0;
}
