/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/file: follows files as they grow; a line is a record, its key the file's path unless it
 * names one.
 *
 * A position is remembered (checkpoint) only when everything below has taken all lines before it:
 * after a restart, or after a retryable refusal, lines may come twice and none is missing. What is
 * refused for good is named in the log and passed over. Files are looked at every poll_interval;
 * they may be renamed or truncated (tail.h); bytes that are truncated away before they were read
 * are lost, as is a truncation that has grown beyond the position before it was seen. */
#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/node.h"
#include "engine/records.h"
#include "nodes/place.h"
#include "nodes/receivers/line_record.h"
#include "nodes/receivers/line_split.h"
#include "nodes/receivers/receivers.h"
#include "nodes/receivers/tail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct file_options {
    struct option_list paths;
    struct line_options lines;
    int from;
    const char *checkpoint;
    bool is_following;
    uint64_t poll_ns;
    uint64_t max_items;
    uint64_t max_bytes;
    uint64_t max_in_flight;
};

enum { FROM_START, FROM_END };
static const char *const from_names[] = {"start", "end", NULL};

#define AT(member) offsetof(struct file_options, member)

static const struct option rows[] = {
    {"paths", OPTION_STR_LIST, AT(paths), .is_required = true, .sentence = "Files to follow."},
    LINE_OPTION_ROWS(struct file_options, lines),
    {"from", OPTION_CHOICE, AT(from), "start", .choices = from_names,
     .sentence = "Where to begin in files that are there at the start and have no checkpoint."},
    {"checkpoint", OPTION_STR, AT(checkpoint), "",
     .sentence = "File that keeps the positions, relative to the data directory; empty: named "
                 "after the node; off: none."},
    {"follow", OPTION_BOOL, AT(is_following), "true",
     .sentence = "Go on when a file's end is reached; else the work is done at the ends of all."},
    {"poll_interval", OPTION_DURATION, AT(poll_ns), "250ms", .min = FTRI_NS_PER_MS,
     .max = 3600 * FTRI_NS_PER_S, .sentence = "How often files are looked at."},
    {"max_items", OPTION_U64, AT(max_items), "1024", .min = 1, .max = 100000,
     .sentence = "Records in one batch."},
    {"max_bytes", OPTION_BYTES, AT(max_bytes), "4MiB", .min = 1, .max = UINT64_C(1) << 30,
     .sentence = "A batch that was made of so much text is sent."},
    {"max_in_flight", OPTION_U64, AT(max_in_flight), "16", .min = 1, .max = 1024,
     .sentence = "Batches of one file that wait for their outcome."},
};

enum { READS_PER_TURN = 16, WARNINGS_MAX = 10 };
static const uint64_t REWIND_DELAY_NS = FTRI_NS_PER_S;

struct follower;

/* In flight, or settled behind one that is. */
struct sent {
    struct ftri_list link;
    struct follower *follower;
    uint64_t end;
    bool is_settled;
    bool is_refused; /* may be tried again */
};

struct follower {
    struct tail tail;
    struct line_split split;
    struct ftri_list sent; /* in the order of the file */
    size_t n_sent;
    struct records *gathered;
    uint64_t n_gathered_bytes, n_wrong;
    uint64_t wait_until_ns; /* after a refusal */
    size_t n_ends;          /* looks in a row that found the end of a renamed file */
    int told_error;         /* why the file could not be opened, as the log says; 0: it could */
    bool is_rewinding;
    bool is_at_end;
};

struct file_state {
    struct node *node;
    struct follower *followers;
    struct checkpoint_entry *entries; /* one a follower */
    size_t n;
    char checkpoint[PATH_MAX]; /* "": none */
    uint64_t n_all_wrong;
    uint64_t written_ns; /* when the checkpoint was */
    bool is_changed;     /* since then */
    bool is_told;        /* that it cannot be written */
    bool is_over;
};

static int file_check(const void *values, struct ftri_error *error)
{
    const struct file_options *options = values;
    if (options->paths.n_items == 0)
        return ftri_error_set(error, -EINVAL, "paths: expected at least one path");
    for (size_t i = 0; i < options->paths.n_items; i++)
        if (options->paths.items[i][0] == '\0' || strchr(options->paths.items[i], '\n'))
            return ftri_error_set(error, -EINVAL, "paths: an empty path, or one with a line end");
    return 0;
}

static void free_all(struct file_state *state)
{
    for (size_t i = 0; i < state->n; i++) {
        struct follower *one = &state->followers[i];
        struct ftri_list *entry;
        while ((entry = ftri_list_pop(&one->sent)) != NULL)
            ftri_free(FTRI_CONTAINER(entry, struct sent, link));
        tail_close(&one->tail);
        line_split_deinit(&one->split);
        records_unref(one->gathered);
    }
    ftri_free(state->followers);
    ftri_free(state->entries);
}

static size_t index_of(const struct file_state *state, const struct follower *one)
{
    return (size_t)(one - state->followers);
}

static void remember(struct file_state *state, const struct follower *one, uint64_t position)
{
    struct checkpoint_entry *entry = &state->entries[index_of(state, one)];
    *entry = (struct checkpoint_entry){.device = one->tail.device,
                                       .inode = one->tail.inode,
                                       .position = position,
                                       .path = one->tail.path,
                                       .is_known = true};
    state->is_changed = true;
}

/* A node's id may have a slash ("receivers::filelog/app"), a file's name may not. */
static bool is_kept_in_name(char c)
{
    return c != '/' && c != '%';
}

static int name_after_node(const struct file_state *state, char ret_name[NAME_MAX + 1],
                           struct ftri_error *error)
{
    static const char ending[] = ".positions";
    const ftr_str id = ftr_str_from(node_id(state->node));
    const size_t len =
        ftri_percent_encode(id, is_kept_in_name, ret_name, NAME_MAX + 1 - sizeof ending);
    if (len == SIZE_MAX)
        return ftri_error_set(error, -ENAMETOOLONG,
                              "checkpoint: the node's id is too long for a file's name; name a "
                              "file here");
    memcpy(ret_name + len, ending, sizeof ending);
    return 0;
}

static int name_checkpoint(struct file_state *state, struct ftri_error *error)
{
    const struct file_options *options = node_options(state->node);
    char name[NAME_MAX + 1];
    if (strcmp(options->checkpoint, "off") == 0)
        return 0;
    if (options->checkpoint[0])
        return place_resolve(state->node, options->checkpoint, state->checkpoint, error);
    const int r = name_after_node(state, name, error);
    return r < 0 ? r : place_resolve(state->node, name, state->checkpoint, error);
}

/* `from: end` holds for files that are there now; what appears later is new from its beginning. */
static void begin_at_ends(struct file_state *state)
{
    for (size_t i = 0; i < state->n; i++) {
        struct follower *one = &state->followers[i];
        uint64_t position;
        bool is_lost;
        if (state->entries[i].is_known ||
            tail_open(&one->tail, &state->entries[i], &position, &is_lost) < 0)
            continue;
        const off_t end = lseek(one->tail.fd, 0, SEEK_END);
        remember(state, one, end > 0 ? (uint64_t)end : 0);
        tail_close(&one->tail);
    }
}

static int file_start(struct node *node, struct ftri_error *error)
{
    struct file_state *state = node_state(node);
    const struct file_options *options = node_options(node);
    const size_t n = options->paths.n_items;
    state->node = node;
    state->followers = ftri_alloc_array(n, sizeof *state->followers);
    state->entries = ftri_alloc_array(n, sizeof *state->entries);
    int r = state->followers && state->entries ? 0 : -ENOMEM;
    if (r < 0)
        (void)ftri_error_errno(error, r, "the list of files");
    for (size_t i = 0; r == 0 && i < n; i++, state->n++) {
        struct follower *one = &state->followers[i];
        one->tail = (struct tail){.path = options->paths.items[i], .fd = -1};
        line_split_init(&one->split, (size_t)options->lines.max_line_bytes);
        ftri_list_init(&one->sent);
        state->entries[i] = (struct checkpoint_entry){.path = options->paths.items[i]};
    }
    if (r == 0)
        r = name_checkpoint(state, error);
    if (r == 0 && state->checkpoint[0])
        r = checkpoint_read(state->checkpoint, state->entries, n, error);
    if (r < 0) {
        free_all(state);
        return r;
    }
    if (options->from == FROM_END)
        begin_at_ends(state);
    node_wakeup(node);
    return 0;
}

static void write_checkpoint(struct file_state *state)
{
    if (!state->checkpoint[0] || !state->is_changed)
        return;
    const int r = checkpoint_write(state->checkpoint, state->entries, state->n);
    state->written_ns = ftri_time_monotonic_ns();
    state->is_changed = r < 0;
    if (r < 0 && !state->is_told)
        log_write(LOG_LEVEL_ERROR,
                  "receiver/file '%s': writing %s: %s; until it can be written, a restart reads "
                  "lines again",
                  node_id(state->node), state->checkpoint, strerror(-r));
    state->is_told = r < 0;
}

/* --- outcomes ------------------------------------------------------------------------------ */

static bool has_outstanding(const struct follower *one)
{
    for (const struct ftri_list *entry = one->sent.next; entry != &one->sent; entry = entry->next)
        if (!FTRI_CONTAINER(entry, const struct sent, link)->is_settled)
            return true;
    return false;
}

static void pop_sent(struct follower *one)
{
    ftri_free(FTRI_CONTAINER(ftri_list_pop(&one->sent), struct sent, link));
    one->n_sent--;
}

/* The position moves over what was taken, in the order of the file, up to what was refused. */
static void advance_position(struct file_state *state, struct follower *one)
{
    while (!ftri_list_is_empty(&one->sent)) {
        const struct sent *first = FTRI_CONTAINER(one->sent.next, struct sent, link);
        if (!first->is_settled || first->is_refused)
            return;
        remember(state, one, first->end);
        pop_sent(one);
    }
}

static void settle(struct file_state *state, struct sent *sent, const struct result *result)
{
    struct follower *one = sent->follower;
    sent->is_settled = true;
    sent->is_refused = !result->is_ack && !result->is_permanent;
    if (sent->is_refused) {
        one->is_rewinding = true;
        one->wait_until_ns = ftri_time_monotonic_ns() +
                             (result->retry_after_ns ? result->retry_after_ns : REWIND_DELAY_NS);
    } else if (!result->is_ack) {
        log_write(LOG_LEVEL_WARNING,
                  "receiver/file '%s': %s: lines up to byte %llu were refused "
                  "for good: %s",
                  node_id(state->node), one->tail.path, (unsigned long long)sent->end,
                  result->reason);
    }
    advance_position(state, one);
}

/* --- sending ------------------------------------------------------------------------------- */

/* False: memory is short, or nothing more may be in flight; what was gathered stays. */
static bool send_gathered(struct file_state *state, struct follower *one)
{
    const struct file_options *options = node_options(state->node);
    const bool has_records = one->gathered && one->gathered->n_items;
    if (!has_records && !one->n_wrong)
        return true;
    if (one->n_sent >= options->max_in_flight)
        return false;
    struct sent *sent = ftri_alloc(sizeof *sent);
    struct pdata *pdata =
        sent ? node_ingest(state->node, FTR_SIGNAL_RECORDS, NULL, true, (uint64_t)(uintptr_t)sent)
             : NULL;
    if (!pdata) {
        ftri_free(sent);
        return false;
    }
    *sent = (struct sent){.follower = one, .end = one->split.n_consumed};
    ftri_list_init(&sent->link);
    ftri_list_append(&one->sent, &sent->link);
    one->n_sent++;
    pdata->received_ns = ftri_time_wall_ns();
    if (one->gathered)
        records_seal(one->gathered);
    pdata_set_records(pdata, one->gathered);
    if (one->n_wrong)
        node_drop_items(state->node, pdata, FTR_DROP_INVALID, one->n_wrong);
    one->gathered = NULL;
    one->n_gathered_bytes = one->n_wrong = 0;
    if (has_records)
        node_send(state->node, 0, pdata);
    else
        node_ack(state->node, pdata);
    return true;
}

static void count_wrong(struct file_state *state, struct follower *one, const char *why)
{
    one->n_wrong++;
    if (state->n_all_wrong++ < WARNINGS_MAX)
        log_write(LOG_LEVEL_WARNING,
                  "receiver/file '%s': %s: the line that ends at byte %llu is dropped: %s",
                  node_id(state->node), one->tail.path, (unsigned long long)one->split.n_consumed,
                  why);
}

/* When memory is short, the file is read again from the last position. */
static void take_line(struct file_state *state, struct follower *one, ftr_str line)
{
    const struct file_options *options = node_options(state->node);
    struct ftri_error error = {.text = "memory is short"};
    if (!one->gathered)
        one->gathered = records_new(SIZE_MAX / 2);
    const int r = one->gathered ? line_record_add(&options->lines, ftr_str_from(one->tail.path),
                                                  line, one->gathered, &error)
                                : -ENOMEM;
    if (r == -ENOMEM)
        one->is_rewinding = true;
    else if (r < 0)
        count_wrong(state, one, error.text);
    one->n_gathered_bytes += line.len;
}

static bool is_batch_full(const struct file_state *state, const struct follower *one)
{
    const struct file_options *options = node_options(state->node);
    const size_t n_items = one->gathered ? one->gathered->n_items : 0;
    return n_items + one->n_wrong >= options->max_items ||
           one->n_gathered_bytes >= options->max_bytes;
}

static void take_lines(struct file_state *state, struct follower *one, bool is_end)
{
    ftr_str line;
    enum line_split_result found;
    while (!one->is_rewinding && !is_batch_full(state, one) &&
           (found = line_split_next(&one->split, is_end, &line)) != LINE_NONE) {
        if (found == LINE_TOO_LONG)
            count_wrong(state, one, "longer than max_line");
        else if (line.len)
            take_line(state, one, line);
    }
}

/* --- following ----------------------------------------------------------------------------- */

static void drop_gathered(struct follower *one)
{
    records_unref(one->gathered);
    one->gathered = NULL;
    one->n_gathered_bytes = one->n_wrong = 0;
}

/* Back to what everything below has taken, when nothing of the file is in flight any more. */
static bool rewind_file(struct file_state *state, struct follower *one)
{
    const uint64_t position = state->entries[index_of(state, one)].position;
    if (has_outstanding(one) || ftri_time_monotonic_ns() < one->wait_until_ns)
        return false;
    while (!ftri_list_is_empty(&one->sent))
        pop_sent(one);
    drop_gathered(one);
    if (lseek(one->tail.fd, (off_t)position, SEEK_SET) < 0)
        return false;
    line_split_reset(&one->split, position);
    one->is_rewinding = false;
    return true;
}

/* Once, until it can be opened or the reason is another one. */
static void tell_unopened(const struct file_state *state, struct follower *one, int error)
{
    const struct file_options *options = node_options(state->node);
    if (one->told_error == error)
        return;
    one->told_error = error;
    log_write(LOG_LEVEL_WARNING, "receiver/file '%s': opening %s: %s%s", node_id(state->node),
              one->tail.path, error == -EINVAL ? "it is no regular file" : strerror(-error),
              options->is_following ? "; it is looked for until it can be read" : "");
}

static bool open_next(struct file_state *state, struct follower *one)
{
    struct checkpoint_entry *entry = &state->entries[index_of(state, one)];
    uint64_t position;
    bool is_lost;
    const int r = tail_open(&one->tail, entry, &position, &is_lost);
    if (r < 0) {
        tell_unopened(state, one, r);
        return false;
    }
    one->told_error = 0;
    if (is_lost)
        log_write(LOG_LEVEL_WARNING,
                  "receiver/file '%s': %s: the file that was read is gone; what it had after "
                  "byte %llu is not known",
                  node_id(state->node), one->tail.path, (unsigned long long)entry->position);
    line_split_reset(&one->split, position);
    remember(state, one, position);
    one->n_ends = 0;
    return true;
}

/* All of the file was taken below: the next one may begin. */
static void leave_file(struct file_state *state, struct follower *one, bool is_truncated)
{
    if (one->n_sent)
        return;
    if (is_truncated) {
        remember(state, one, 0);
        one->is_rewinding = true;
        one->wait_until_ns = 0;
        return;
    }
    tail_close(&one->tail);
    state->entries[index_of(state, one)].is_known = false;
    state->is_changed = true;
    (void)open_next(state, one);
}

/* Nothing more can be read now. A renamed file may still be written to: it is left when its end was
 * found at two looks. */
static void look(struct file_state *state, struct follower *one)
{
    const off_t n_read = lseek(one->tail.fd, 0, SEEK_CUR);
    const enum tail_change change = tail_look(&one->tail, n_read < 0 ? 0 : (uint64_t)n_read);
    one->is_at_end = change == TAIL_SAME;
    one->n_ends = change == TAIL_RENAMED ? one->n_ends + 1 : 0;
    if (change == TAIL_RENAMED && one->n_ends >= 2)
        take_lines(state, one, true);
    if (!send_gathered(state, one) || change == TAIL_SAME)
        return;
    if (change == TAIL_TRUNCATED || one->n_ends >= 2)
        leave_file(state, one, change == TAIL_TRUNCATED);
}

/* True: there is more to do at once. */
static bool follow(struct file_state *state, struct follower *one)
{
    if (one->tail.fd < 0 && !open_next(state, one))
        return false;
    if (one->is_rewinding && !rewind_file(state, one))
        return false;
    for (size_t i = 0; i < READS_PER_TURN; i++) {
        take_lines(state, one, false);
        if (one->is_rewinding)
            return false;
        if (is_batch_full(state, one))
            return send_gathered(state, one);
        const int r = line_split_read(&one->split, one->tail.fd);
        if (r < 0)
            log_write(LOG_LEVEL_ERROR, "receiver/file '%s': reading %s: %s", node_id(state->node),
                      one->tail.path, strerror(-r));
        if (r <= 0) {
            look(state, one);
            return false;
        }
        one->n_ends = 0;
    }
    return true;
}

static bool is_done(const struct file_state *state)
{
    for (size_t i = 0; i < state->n; i++) {
        const struct follower *one = &state->followers[i];
        if (one->n_sent || one->gathered || one->n_wrong || one->is_rewinding ||
            (one->tail.fd >= 0 && !one->is_at_end))
            return false;
    }
    return true;
}

/* What has no end of line is the last line of a file that is not followed. */
static void finish(struct file_state *state)
{
    bool has_more = false;
    for (size_t i = 0; i < state->n; i++) {
        struct follower *one = &state->followers[i];
        take_lines(state, one, true);
        (void)send_gathered(state, one);
        has_more |= one->n_sent || one->n_wrong || one->gathered || one->is_rewinding;
    }
    if (has_more)
        return;
    state->is_over = true;
    write_checkpoint(state);
    node_finished(state->node);
}

static void work(struct file_state *state)
{
    const struct file_options *options = node_options(state->node);
    bool has_more = false;
    for (size_t i = 0; i < state->n && node_can_send(state->node); i++)
        has_more |= follow(state, &state->followers[i]);
    if (ftri_time_monotonic_ns() - state->written_ns >= FTRI_NS_PER_S)
        write_checkpoint(state);
    if (has_more && node_can_send(state->node))
        node_wakeup(state->node);
    else
        node_set_timer(state->node, options->poll_ns);
    if (!has_more && !options->is_following && is_done(state))
        finish(state);
}

static void file_control(struct node *node, const struct control *message)
{
    struct file_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_ACK:
    case CONTROL_NACK:
        settle(state, (struct sent *)(uintptr_t)message->calldata, message->result);
        node_wakeup(node);
        break;
    case CONTROL_WAKEUP:
    case CONTROL_RESUME_DATA:
    case CONTROL_TIMER_TICK:
        if (!state->is_over)
            work(state);
        break;
    case CONTROL_DRAIN_INGRESS: /* what was gathered only is read again at the next start */
        state->is_over = true;
        node_drained(node);
        break;
    default:
        break;
    }
}

static void file_stop(struct node *node)
{
    struct file_state *state = node_state(node);
    write_checkpoint(state);
    free_all(state);
}

const struct node_class receiver_file = {
    .type = "receiver/file",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Follows files as they grow, rotate and are truncated; a line is a record.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct file_options)},
    .state_size = sizeof(struct file_state),
    .state = STATE_OF_GRAPH,
    .check = file_check,
    .start = file_start,
    .control = file_control,
    .stop = file_stop,
};
