/* SPDX-License-Identifier: Apache-2.0
 *
 * exporter/file: batches as JSON lines appended to a file. Settled when the kernel has the bytes;
 * synced to disk at shutdown, or after every batch with `sync: true`. A batch that was written in
 * part (disk full) is cut back, so that every line in the file is whole and none is there twice.
 * Lines go to the file's end, also when another program has truncated it to rotate it. */
#include "nodes/exporters/exporters.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/node.h"
#include "nodes/exporters/lines.h"
#include "nodes/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_options {
    const char *path;
    bool is_truncated;
    bool is_synced;
};

static const struct option rows[] = {
    {"path", OPTION_STR, offsetof(struct file_options, path), .is_required = true,
     .sentence = "The file; relative to the data directory."},
    {"truncate", OPTION_BOOL, offsetof(struct file_options, is_truncated), "false",
     .sentence = "Start with an empty file."},
    {"sync", OPTION_BOOL, offsetof(struct file_options, is_synced), "false",
     .sentence = "Sync to disk after every batch."},
};

struct file_state {
    int fd;
    struct ftri_bytes lines;
};

static int file_start(struct node *node, struct ftri_error *error)
{
    struct file_state *state = node_state(node);
    const struct file_options *options = node_options(node);
    char path[PATH_MAX];
    const int r = place_resolve(node, options->path, path, error);
    if (r < 0)
        return r;
    const int flags =
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (options->is_truncated ? O_TRUNC : 0);
    state->fd = open(path, flags, 0644);
    if (state->fd < 0)
        return ftri_error_errno(error, -errno, "opening %s", path);
    ftri_bytes_init(&state->lines, SIZE_MAX / 2);
    return 0;
}

static int write_lines(struct file_state *state, bool is_synced)
{
    const off_t end = lseek(state->fd, 0, SEEK_END); /* of the last whole batch */
    int r = ftri_file_write_all(state->fd, state->lines.data, state->lines.len);
    if (r == 0 && is_synced && fdatasync(state->fd) < 0)
        r = -errno;
    if (r < 0 && end >= 0)
        (void)!ftruncate(state->fd, end); /* the first error is the one to tell */
    return r;
}

static void file_consume(struct node *node, struct pdata *pdata)
{
    struct file_state *state = node_state(node);
    const struct file_options *options = node_options(node);
    ftri_bytes_reset(&state->lines);
    int r = lines_write(pdata, &state->lines);
    if (r == 0)
        r = write_lines(state, options->is_synced);
    if (r == 0) {
        node_event(node, pdata, "export_success", NULL, 0);
        node_ack(node, pdata);
        return;
    }
    struct result result = {.is_permanent = false};
    char text[96];
    snprintf(result.reason, sizeof result.reason, "writing: %s", strerror_r(-r, text, sizeof text));
    node_nack(node, pdata, &result);
}

static void file_stop(struct node *node)
{
    struct file_state *state = node_state(node);
    (void)fdatasync(state->fd);
    close(state->fd);
    ftri_bytes_deinit(&state->lines);
}

const struct node_class exporter_file = {
    .type = "exporter/file",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "Appends records and telemetry to a file as JSON lines.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct file_options)},
    .state_size = sizeof(struct file_state),
    .state = STATE_OF_GRAPH,
    .start = file_start,
    .consume = file_consume,
    .stop = file_stop,
};
