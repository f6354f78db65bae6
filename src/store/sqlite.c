/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening lists all blocks into the directory. A block whose names, hashes or mentions are damaged
 * is counted and left out of every answer. Blocks of version 1 of the schema get their mentions
 * first. */
#include "store/sqlite.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/zstd.h"
#include "store/mentions.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static int add_block(struct sqlite_store *sqlite, const struct block_entry *block,
                     const struct ftri_view *names, struct ftri_bytes hashes[N_DIRECTORY_INDEXES])
{
    struct directory_entry entry;
    const int r = directory_entry_init(&entry, block, names, hashes);
    if (r == 0)
        directory_add(&sqlite->directory, &entry);
    return r;
}

static int unpack_mentions(struct sqlite_store *sqlite, struct ftri_view packed,
                           struct ftri_bytes *hashes)
{
    struct ftri_bytes piece FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(hashes, SIZE_MAX / 2);
    const int r = block_unpack(packed, sqlite->packer, &piece);
    return r < 0 ? r : mentions_read_hashes(ftri_bytes_view(&piece), hashes);
}

static int unpack_and_add(struct sqlite_store *sqlite, const struct block_entry *block,
                          const struct block_listed *pieces)
{
    struct ftri_bytes names, hashes[N_DIRECTORY_INDEXES] = {{0}};
    int r = block_unpack(pieces->names, sqlite->packer, &names);
    if (r == 0)
        r = block_unpack(pieces->hashes, sqlite->packer, &hashes[DIRECTORY_TRACES]);
    if (r == 0)
        r = unpack_mentions(sqlite, pieces->mentions, &hashes[DIRECTORY_MENTIONS]);
    const struct ftri_view view = ftri_bytes_view(&names);
    if (r == 0)
        r = add_block(sqlite, block, &view, hashes);
    ftri_bytes_deinit(&names);
    for (size_t i = 0; i < N_DIRECTORY_INDEXES; i++)
        ftri_bytes_deinit(&hashes[i]);
    return r;
}

static int add_listed(void *argument, const struct block_entry *block,
                      const struct block_listed *pieces)
{
    struct store *self = argument;
    struct sqlite_store *sqlite = self->backend;
    if (block->summary.order_max >= self->gather.next_order)
        self->gather.next_order = block->summary.order_max + 1;
    atomic_store(&sqlite->last_id, block->id);
    int r = directory_reserve(&sqlite->directory, 1);
    if (r == 0)
        r = unpack_and_add(sqlite, block, pieces);
    if (r == -EBADMSG) {
        atomic_fetch_add(&sqlite->n_corrupt, 1);
        r = add_block(sqlite, block, NULL, NULL);
    }
    return r;
}

/* A ghost is in its directory under the traces of its block; names it has none. */
static int add_ghost(void *argument, const struct block_entry *ghost,
                     const struct block_listed *pieces)
{
    struct sqlite_store *sqlite = argument;
    struct ftri_bytes hashes;
    if (ghost->id > atomic_load(&sqlite->last_id))
        atomic_store(&sqlite->last_id, ghost->id);
    int r = directory_reserve(&sqlite->ghosts, 1);
    if (r == 0) {
        r = block_unpack(pieces->hashes, sqlite->packer, &hashes);
        if (r == 0)
            r = sqlite_add_ghost(sqlite, ghost, &hashes);
        ftri_bytes_deinit(&hashes);
    }
    return r == -EBADMSG ? 0 : r;
}

/* --- blocks of version 1 ------------------------------------------------------------------- */

static int collect_old(void *argument, const struct block_entry *block,
                       const struct block_listed *pieces)
{
    return pieces->has_mentions ? 0 : ftri_bytes_append(argument, &block->id, sizeof block->id);
}

struct renewing {
    struct mention_builder builder;
    const struct block_row *first;
};

static int renew_row(void *argument, const struct block_row *row, struct ftri_view message)
{
    struct renewing *renewing = argument;
    struct ftri_otlp_span span;
    ftri_otlp_span_read(message, &span);
    return span.trace_id && span.span_id
               ? mention_builder_add(&renewing->builder, &span, (uint32_t)(row - renewing->first))
               : -EBADMSG;
}

/* A block that does not decode mentions nobody. */
static int renew_block(struct sqlite_store *sqlite, int64_t id)
{
    struct renewing renewing;
    struct sqlite_block block;
    struct ftri_bytes piece, packed;
    ftri_bytes_init(&piece, SIZE_MAX / 2);
    ftri_bytes_init(&packed, SIZE_MAX / 2);
    mention_builder_init(&renewing.builder);
    int r = sqlite_open_block(sqlite, id, BLOCK_BODIES, NULL, &block);
    renewing.first = block.rows.rows;
    if (r == 0)
        r = block_visit_trace(&block.rows, ftri_bytes_view(&block.pieces[BLOCK_BODIES]), NULL,
                              renew_row, &renewing);
    r = sqlite_pass_over(sqlite, r);
    if (r == 0)
        r = mention_builder_finish(&renewing.builder, &piece);
    if (r == 0)
        r = ftri_zstd_compress(sqlite->packer, ftri_bytes_view(&piece), &packed);
    if (r == 0)
        r = database_set_mentions(sqlite->writing, id, &packed);
    sqlite_block_deinit(&block);
    mention_builder_deinit(&renewing.builder);
    ftri_bytes_deinit(&piece);
    ftri_bytes_deinit(&packed);
    return r;
}

static int renew_old_blocks(struct sqlite_store *sqlite)
{
    struct ftri_bytes ids FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&ids, SIZE_MAX / 2);
    int r = database_list(sqlite->writing, collect_old, &ids);
    const int64_t *each = (const int64_t *)(const void *)ids.data;
    const size_t n = ids.len / sizeof *each;
    if (r < 0 || n == 0)
        return r;
    log_write(LOG_LEVEL_INFO, "store: indexing the lineage of %zu blocks of an older version", n);
    for (size_t i = 0; i < n && r == 0; i++) {
        r = database_begin(sqlite->writing);
        if (r == 0)
            r = renew_block(sqlite, each[i]);
        if (r == 0)
            r = database_commit(sqlite->writing);
    }
    if (r < 0)
        database_rollback(sqlite->writing);
    return r;
}

static int open_file(struct store *self, const char *path, struct ftri_error *error)
{
    struct sqlite_store *sqlite = self->backend;
    sqlite->packer = ftri_zstd_new(SQLITE_ZSTD_LEVEL);
    if (!sqlite->packer)
        return ftri_error_errno(error, -ENOMEM, "opening %.300s", path);
    int r = database_open(path, &sqlite->writing, error);
    if (r == 0)
        r = readers_init(&sqlite->readers, path, error);
    if (r < 0)
        return r;
    r = renew_old_blocks(sqlite);
    if (r == 0)
        r = database_list(sqlite->writing, add_listed, self);
    if (r == 0)
        r = database_list_ghosts(sqlite->writing, add_ghost, sqlite);
    return r < 0 ? ftri_error_errno(error, r, "reading the blocks of %.300s", path) : 0;
}

static int open_directory(struct store *self, struct ftri_error *error)
{
    char path[PATH_MAX];
    const int r = ftri_file_make_directories(self->options.directory);
    if (r < 0)
        return ftri_error_errno(error, r, "making %.300s", self->options.directory);
    const int len = snprintf(path, sizeof path, "%s/flowtrace.db", self->options.directory);
    if (len < 0 || (size_t)len >= sizeof path)
        return ftri_error_errno(error, -ENAMETOOLONG, "the store's directory");
    return open_file(self, path, error);
}

static void sqlite_close(struct store *self)
{
    struct sqlite_store *sqlite = self->backend;
    if (sqlite->is_running) {
        pthread_mutex_lock(&self->gather.mutex);
        sqlite->is_closing = true;
        pthread_cond_signal(&self->gather.changed);
        pthread_mutex_unlock(&self->gather.mutex);
        pthread_join(sqlite->thread, NULL);
    }
    if (sqlite->readers.path)
        readers_deinit(&sqlite->readers);
    database_close(sqlite->writing);
    ftri_zstd_free(sqlite->packer);
    directory_deinit(&sqlite->directory);
    directory_deinit(&sqlite->ghosts);
    ftri_free(sqlite);
}

static int sqlite_open(struct store *self, struct ftri_error *error)
{
    struct sqlite_store *sqlite = ftri_zalloc(sizeof *sqlite);
    if (!sqlite)
        return ftri_error_errno(error, -ENOMEM, "opening the store");
    self->backend = sqlite;
    directory_init(&sqlite->directory);
    directory_init(&sqlite->ghosts);
    int r = open_directory(self, error);
    if (r == 0) {
        r = ftri_thread_start(sqlite_write_run, self, &sqlite->thread);
        sqlite->is_running = r == 0;
        if (r < 0)
            ftri_error_errno(error, r, "starting the store's writer");
    }
    if (r < 0)
        sqlite_close(self);
    return r;
}

static size_t sqlite_count_blocks(struct store *self, const uint8_t trace_id[16])
{
    struct sqlite_store *sqlite = self->backend;
    return directory_count_trace(&sqlite->directory, trace_id);
}

static void sqlite_statistics(struct store *self, struct store_statistics *ret_statistics)
{
    struct sqlite_store *sqlite = self->backend;
    struct store_statistics ghosts = {0};
    directory_count(&sqlite->ghosts, &ghosts);
    directory_count(&sqlite->directory, ret_statistics);
    ret_statistics->n_ghosts = ghosts.n_blocks;
    ret_statistics->n_errors = atomic_load(&sqlite->n_errors);
    ret_statistics->n_corrupt_blocks = atomic_load(&sqlite->n_corrupt);
    ret_statistics->n_expired_blocks = atomic_load(&sqlite->n_expired);
}

const struct store_class store_sqlite = {
    .type = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .appended = sqlite_write_wake,
    .find_trace = sqlite_read_trace,
    .find_matches = sqlite_read_matches,
    .count_blocks = sqlite_count_blocks,
    .read_lineage = sqlite_read_lineage,
    .find_results = sqlite_find_results,
    .explain_absence = sqlite_explain_absence,
    .find_names = sqlite_read_names,
    .find_ledger = sqlite_read_ledger,
    .statistics = sqlite_statistics,
};
