/* SPDX-License-Identifier: Apache-2.0
 *
 * exporter/stdout: batches as JSON lines on the standard output. A batch is settled when the last
 * of its bytes is written; while a slow reader holds it up, nothing more is taken in.
 *
 * The loop must not wait for the reader. The descriptor is shared with others, so it stays as it
 * is: a write of at most PIPE_BUF bytes to a pipe or terminal that poll calls writable does not
 * wait (pipe(7)).
 *
 * There is one standard output, and lines of two nodes must not mix: batches stand in one queue, of
 * which the first is being written. Nodes of this type run on the graph's first loop, so nobody
 * else touches it. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"
#include "engine/node.h"
#include "net/watch.h"
#include "nodes/exporters/exporters.h"
#include "nodes/exporters/lines.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRITES_PER_TURN = 64 };

static struct ftri_list queue = {&queue, &queue};

struct stdout_state {
    struct ftri_list link; /* in the queue, while there is a batch */
    struct node *node;
    struct loop_watch *watch;
    struct pdata *pdata; /* being written */
    struct ftri_bytes lines;
    size_t n_written; /* of them */
};

static void on_writable(void *argument)
{
    node_wakeup(argument);
}

static int stdout_start(struct node *node, struct ftri_error *error)
{
    struct stdout_state *state = node_state(node);
    state->watch = loop_watch_new(node_loop(node), STDOUT_FILENO, true, on_writable, node);
    if (!state->watch)
        return ftri_error_errno(error, -ENOMEM, "watching the standard output");
    state->node = node;
    ftri_list_init(&state->link);
    ftri_bytes_init(&state->lines, SIZE_MAX / 2);
    return 0;
}

/* NULL: the queue is empty. */
static struct stdout_state *first_in_queue(void)
{
    return ftri_list_is_empty(&queue) ? NULL
                                      : FTRI_CONTAINER(queue.next, struct stdout_state, link);
}

static void leave_queue(struct stdout_state *state)
{
    ftri_list_unlink(&state->link);
    const struct stdout_state *next = first_in_queue();
    if (next)
        node_wakeup(next->node);
}

static void finish(struct node *node, int r)
{
    struct stdout_state *state = node_state(node);
    struct pdata *pdata = state->pdata;
    state->pdata = NULL;
    leave_queue(state);
    node_set_accepting(node, true);
    if (r == 0) {
        node_event(node, pdata, "export_success", NULL, 0);
        node_ack(node, pdata);
        return;
    }
    struct result result = {.is_permanent = r == -EPIPE};
    char text[96];
    snprintf(result.reason, sizeof result.reason, "writing: %s", strerror_r(-r, text, sizeof text));
    node_nack(node, pdata, &result);
}

/* 0, -EAGAIN: the reader is slow, or why not. */
static int write_some(struct stdout_state *state)
{
    struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 0)
        return -EAGAIN;
    const size_t n = ftri_size_min(state->lines.len - state->n_written, PIPE_BUF);
    const ssize_t written = write(STDOUT_FILENO, state->lines.data + state->n_written, n);
    if (written < 0)
        return errno == EINTR ? 0 : -errno;
    state->n_written += (size_t)written;
    return 0;
}

static void write_on(struct node *node)
{
    struct stdout_state *state = node_state(node);
    int r = 0;
    for (size_t i = 0; r == 0 && i < WRITES_PER_TURN && state->n_written < state->lines.len; i++)
        r = write_some(state);
    if (r == -EAGAIN)
        r = loop_watch_start(state->watch);
    else if (r == 0 && state->n_written < state->lines.len)
        node_wakeup(node);
    if (r < 0 || state->n_written == state->lines.len)
        finish(node, r);
}

static void stdout_consume(struct node *node, struct pdata *pdata)
{
    struct stdout_state *state = node_state(node);
    state->pdata = pdata;
    state->n_written = 0;
    ftri_bytes_reset(&state->lines);
    node_set_accepting(node, false);
    ftri_list_append(&queue, &state->link);
    const int r = lines_write(pdata, &state->lines);
    if (r < 0)
        finish(node, r);
    else if (first_in_queue() == state)
        write_on(node);
}

static void stdout_control(struct node *node, const struct control *message)
{
    const struct stdout_state *state = node_state(node);
    if (message->kind == CONTROL_WAKEUP && state->pdata && first_in_queue() == state)
        write_on(node);
}

static void stdout_stop(struct node *node)
{
    struct stdout_state *state = node_state(node);
    ftri_list_unlink(&state->link);
    loop_watch_free(state->watch);
    ftri_bytes_deinit(&state->lines);
}

const struct node_class exporter_stdout = {
    .type = "exporter/stdout",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "Writes records and telemetry to the standard output as JSON lines.",
    .state_size = sizeof(struct stdout_state),
    .state = STATE_OF_GRAPH,
    .is_stateful = true,
    .start = stdout_start,
    .consume = stdout_consume,
    .control = stdout_control,
    .stop = stdout_stop,
};
