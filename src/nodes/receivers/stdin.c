/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/stdin: lines of the standard input become records, until its end.
 *
 * A batch leaves when it is full or when nothing more can be read at once. Lines that are wrong are
 * named in the log, the first of them, and all are counted as dropped (invalid) with the batch
 * that they came with. Reads only while the channels below have room, and only when poll says that
 * a read does not wait. */
#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/node.h"
#include "engine/records.h"
#include "net/watch.h"
#include "nodes/receivers/line_record.h"
#include "nodes/receivers/line_split.h"
#include "nodes/receivers/receivers.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct stdin_options {
    struct line_options lines;
    uint64_t max_items;
    uint64_t max_bytes;
};

static const struct option rows[] = {
    LINE_OPTION_ROWS(struct stdin_options, lines),
    {"max_items", OPTION_U64, offsetof(struct stdin_options, max_items), "1024", .min = 1,
     .max = 100000, .sentence = "Records in one batch."},
    {"max_bytes", OPTION_BYTES, offsetof(struct stdin_options, max_bytes), "4MiB", .min = 1,
     .max = UINT64_C(1) << 30, .sentence = "A batch that was made of so much text is sent."},
};

enum { READS_PER_TURN = 16, WARNINGS_MAX = 10 };

struct stdin_state {
    struct node *node;
    struct loop_watch *watch;
    struct line_split split;
    struct records *gathered; /* NULL: none yet */
    uint64_t n_gathered_bytes;
    uint64_t n_wrong; /* of the lines since the last batch */
    uint64_t n_lines, n_all_wrong;
    bool is_end; /* of the input */
    bool is_over;
};

static void on_readable(void *argument)
{
    node_wakeup(argument);
}

static int stdin_start(struct node *node, struct ftri_error *error)
{
    struct stdin_state *state = node_state(node);
    const struct stdin_options *options = node_options(node);
    state->node = node;
    state->watch = loop_watch_new(node_loop(node), STDIN_FILENO, false, on_readable, node);
    if (!state->watch)
        return ftri_error_errno(error, -ENOMEM, "watching the standard input");
    line_split_init(&state->split, (size_t)options->lines.max_line_bytes);
    node_wakeup(node);
    return 0;
}

/* False: memory is short; what was gathered stays for the next try. */
static bool send_gathered(struct stdin_state *state)
{
    const bool has_records = state->gathered && state->gathered->n_items;
    if (!has_records && !state->n_wrong)
        return true;
    struct pdata *pdata = node_ingest(state->node, FTR_SIGNAL_RECORDS, NULL, false, 0);
    if (!pdata)
        return false;
    pdata->received_ns = ftri_time_wall_ns();
    if (state->gathered)
        records_seal(state->gathered);
    pdata_set_records(pdata, state->gathered);
    if (state->n_wrong)
        node_drop_items(state->node, pdata, FTR_DROP_INVALID, state->n_wrong);
    state->gathered = NULL;
    state->n_gathered_bytes = state->n_wrong = 0;
    if (has_records)
        node_send(state->node, 0, pdata);
    else
        node_ack(state->node, pdata);
    return true;
}

static void count_wrong(struct stdin_state *state, const char *why)
{
    state->n_wrong++;
    if (state->n_all_wrong++ < WARNINGS_MAX)
        log_write(LOG_LEVEL_WARNING, "receiver/stdin '%s': line %llu is dropped: %s",
                  node_id(state->node), (unsigned long long)state->n_lines, why);
}

static void take_line(struct stdin_state *state, ftr_str line)
{
    const struct stdin_options *options = node_options(state->node);
    struct ftri_error error = {.text = "memory is short"};
    if (!state->gathered)
        state->gathered = records_new(SIZE_MAX / 2);
    const int r = state->gathered ? line_record_add(&options->lines, (ftr_str){"", 0}, line,
                                                    state->gathered, &error)
                                  : -ENOMEM;
    if (r < 0)
        count_wrong(state, error.text);
    state->n_gathered_bytes += line.len;
}

static bool is_batch_full(const struct stdin_state *state)
{
    const struct stdin_options *options = node_options(state->node);
    const size_t n_items = state->gathered ? state->gathered->n_items : 0;
    return n_items + state->n_wrong >= options->max_items ||
           state->n_gathered_bytes >= options->max_bytes;
}

/* Lines that were read already. False: a batch is full, or none is left. */
static bool take_next(struct stdin_state *state)
{
    ftr_str line;
    const enum line_split_result found = line_split_next(&state->split, state->is_end, &line);
    if (found == LINE_NONE)
        return false;
    state->n_lines++;
    if (found == LINE_TOO_LONG)
        count_wrong(state, "longer than max_line");
    else if (line.len)
        take_line(state, line);
    return !is_batch_full(state);
}

/* False: nothing can be read now. */
static bool read_more(struct stdin_state *state)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    if (state->is_end || poll(&ready, 1, 0) == 0)
        return false;
    const int r = line_split_read(&state->split, STDIN_FILENO);
    if (r == -EAGAIN)
        return false;
    if (r < 0)
        log_write(LOG_LEVEL_ERROR, "receiver/stdin '%s': reading: %s; taken for the end",
                  node_id(state->node), strerror(-r));
    state->is_end = r <= 0;
    return true;
}

static void finish(struct stdin_state *state)
{
    state->is_over = true;
    if (state->n_all_wrong > WARNINGS_MAX)
        log_write(LOG_LEVEL_WARNING, "receiver/stdin '%s': %llu lines were dropped",
                  node_id(state->node), (unsigned long long)state->n_all_wrong);
    node_finished(state->node);
}

/* Nothing is left of what was read, and nothing can be read at once. */
static void rest(struct stdin_state *state)
{
    if (!send_gathered(state))
        node_wakeup(state->node); /* once more when memory may be there */
    else if (state->is_end)
        finish(state);
    else if (loop_watch_start(state->watch) < 0)
        node_failed(state->node, "the standard input cannot be watched");
}

static void work(struct stdin_state *state)
{
    for (size_t n_reads = 0; n_reads < READS_PER_TURN;) {
        while (take_next(state))
            ;
        if (is_batch_full(state)) {
            (void)send_gathered(state);
            break;
        }
        if (!read_more(state)) {
            rest(state);
            return;
        }
        n_reads++;
    }
    node_wakeup(state->node);
}

static void stdin_control(struct node *node, const struct control *message)
{
    struct stdin_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_WAKEUP:
    case CONTROL_RESUME_DATA:
        if (!state->is_over && node_can_send(node))
            work(state);
        break;
    case CONTROL_DRAIN_INGRESS:
        state->is_over = true;
        (void)send_gathered(state);
        node_drained(node);
        break;
    default:
        break;
    }
}

static void stdin_stop(struct node *node)
{
    struct stdin_state *state = node_state(node);
    loop_watch_free(state->watch);
    line_split_deinit(&state->split);
    records_unref(state->gathered);
}

const struct node_class receiver_stdin = {
    .type = "receiver/stdin",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Reads records from the standard input, a line each, until its end.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct stdin_options)},
    .state_size = sizeof(struct stdin_state),
    .state = STATE_OF_GRAPH,
    .start = stdin_start,
    .control = stdin_control,
    .stop = stdin_stop,
};
