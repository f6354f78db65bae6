/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/files: every regular file below some directories (and single files), once.
 *
 * A batch is one directory's files, split where it would exceed a limit; a record is one file: key
 * = path, value = content, event time = modification time. Symbolic links are not followed, but for
 * the given paths themselves. A turn of the loop reads one directory or some hundred entries, and
 * only while the channels below have room. What cannot be read is logged and counted, and the walk
 * goes on. */
#include "nodes/receivers/receivers.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/node.h"
#include "engine/records.h"

#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

struct files_options {
    struct option_list paths;
    uint64_t max_files;
    uint64_t max_bytes;
    uint64_t max_file_bytes;
};

static const struct option rows[] = {
    {"paths", OPTION_STR_LIST, offsetof(struct files_options, paths), .is_required = true,
     .sentence = "Directories and files to read."},
    {"max_files", OPTION_U64, offsetof(struct files_options, max_files), "256", .min = 1,
     .max = 100000, .sentence = "Files in one batch."},
    {"max_bytes", OPTION_BYTES, offsetof(struct files_options, max_bytes), "4MiB", .min = 1,
     .max = UINT64_C(1) << 30, .sentence = "A batch that has reached this size is sent."},
    {"max_file", OPTION_BYTES, offsetof(struct files_options, max_file_bytes), "256MiB", .min = 1,
     .max = UINT64_C(1) << 31, .sentence = "Larger files are skipped and counted."},
};

enum { ENTRIES_PER_TURN = 512 };

struct files_state {
    struct node *node;
    char **paths; /* NULL-terminated, as fts wants them */
    FTS *walk;
    struct records *gathered;
    uint64_t n_skipped;
    bool is_begun; /* fts_read was called */
    bool is_over;
};

static int files_check(const void *values, struct ftri_error *error)
{
    const struct files_options *options = values;
    if (options->paths.n_items == 0)
        return ftri_error_set(error, -EINVAL, "paths: expected at least one path");
    for (size_t i = 0; i < options->paths.n_items; i++)
        if (options->paths.items[i][0] == '\0')
            return ftri_error_set(error, -EINVAL, "paths: an empty path names no file");
    return 0;
}

static int files_start(struct node *node, struct ftri_error *error)
{
    struct files_state *state = node_state(node);
    const struct files_options *options = node_options(node);
    state->node = node;
    state->paths = ftri_alloc_array(options->paths.n_items + 1, sizeof *state->paths);
    if (!state->paths)
        return ftri_error_errno(error, -ENOMEM, "the list of paths");
    for (size_t i = 0; i < options->paths.n_items; i++)
        state->paths[i] = (char *)(uintptr_t)options->paths.items[i];
    state->walk = fts_open(state->paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!state->walk) {
        const int r = -errno;
        ftri_free(state->paths);
        return ftri_error_errno(error, r, "opening %s", options->paths.items[0]);
    }
    node_wakeup(node);
    return 0;
}

/* False: memory is short; what was gathered stays for the next try. */
static bool send_gathered(struct files_state *state)
{
    struct records *records = state->gathered;
    if (!records || records->n_items == 0)
        return true;
    struct pdata *pdata = node_ingest(state->node, FTR_SIGNAL_RECORDS, NULL, false, 0);
    if (!pdata)
        return false;
    records_seal(records);
    state->gathered = NULL;
    pdata->received_ns = ftri_time_wall_ns();
    pdata_set_records(pdata, records);
    node_send(state->node, 0, pdata);
    return true;
}

static void skip(struct files_state *state, const char *path, int r)
{
    state->n_skipped++;
    log_write(LOG_LEVEL_WARNING, "receiver/files '%s': %s is skipped: %s", node_id(state->node),
              path, strerror(-r));
}

static int add_record(struct files_state *state, const FTSENT *entry, ftr_str content)
{
    if (!state->gathered)
        state->gathered = records_new(SIZE_MAX / 2);
    if (!state->gathered)
        return -ENOMEM;
    const struct timespec *changed = &entry->fts_statp->st_mtim;
    const bool is_known = changed->tv_sec >= 0;
    const struct record record = {
        .key = {entry->fts_path, entry->fts_pathlen},
        .value = content,
        .event_time_ns =
            is_known ? (uint64_t)changed->tv_sec * FTRI_NS_PER_S + (uint64_t)changed->tv_nsec : 0,
    };
    return records_add(state->gathered, &record);
}

static void read_file(struct files_state *state, const FTSENT *entry)
{
    const struct files_options *options = node_options(state->node);
    struct ftri_bytes content;
    ftri_bytes_init(&content, (size_t)options->max_file_bytes + 1);
    int r = ftri_file_read(entry->fts_path, &content);
    if (r == 0)
        r = add_record(state, entry, ftri_view_str(ftri_bytes_view(&content)));
    if (r < 0)
        skip(state, entry->fts_path, r);
    ftri_bytes_deinit(&content);
}

static bool is_batch_full(const struct files_state *state)
{
    const struct files_options *options = node_options(state->node);
    return state->gathered && (state->gathered->n_items >= options->max_files ||
                               state->gathered->n_bytes >= options->max_bytes);
}

static void finish(struct files_state *state)
{
    if (state->is_over)
        return;
    state->is_over = true;
    if (state->n_skipped)
        log_write(LOG_LEVEL_WARNING, "receiver/files '%s': %llu paths were skipped",
                  node_id(state->node), (unsigned long long)state->n_skipped);
    node_finished(state->node);
}

/* The end of the tree, or of what can be read of it. True: call again. */
static bool end_walk(struct files_state *state, int error)
{
    if (error)
        skip(state, "the rest", -error);
    return !send_gathered(state);
}

/* Walks until a batch was sent, the tree ends or enough was looked at. True: there is more. */
static bool walk_one_batch(struct files_state *state)
{
    for (size_t n = 0; n < ENTRIES_PER_TURN; n++) {
        errno = 0;
        state->is_begun = true;
        FTSENT *entry = fts_read(state->walk);
        if (!entry)
            return end_walk(state, errno);
        bool is_boundary = false;
        if (entry->fts_info == FTS_F)
            read_file(state, entry);
        else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
                 entry->fts_info == FTS_NS)
            skip(state, entry->fts_path, -entry->fts_errno);
        else
            is_boundary = entry->fts_info == FTS_D || entry->fts_info == FTS_DP;
        const bool has_some = state->gathered && state->gathered->n_items > 0;
        if (has_some && (is_boundary || is_batch_full(state))) {
            (void)send_gathered(state);
            return true;
        }
    }
    return true;
}

static void files_control(struct node *node, const struct control *message)
{
    struct files_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_WAKEUP:
    case CONTROL_RESUME_DATA:
        if (state->is_over || !node_can_send(node))
            break;
        if (walk_one_batch(state))
            node_wakeup(node);
        else
            finish(state);
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

static void files_stop(struct node *node)
{
    struct files_state *state = node_state(node);
    if (state->walk && !state->is_begun)
        (void)fts_read(state->walk); /* before it, glibc's fts_close leaks the roots */
    if (state->walk)
        fts_close(state->walk);
    records_unref(state->gathered);
    ftri_free(state->paths);
}

const struct node_class receiver_files = {
    .type = "receiver/files",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Reads every regular file below some directories, one batch a directory.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct files_options)},
    .state_size = sizeof(struct files_state),
    .state = STATE_OF_GRAPH,
    .check = files_check,
    .start = files_start,
    .control = files_control,
    .stop = files_stop,
};
