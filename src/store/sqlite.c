/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening lists all blocks into the directory. A block whose names or hashes are damaged is counted
 * and left out of every answer. */
#include "store/sqlite.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/zstd.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static int add_block(struct sqlite_store *sqlite, const struct block_entry *block,
                     const struct ftri_view *names, struct ftri_bytes *hashes)
{
    struct directory_entry entry;
    const int r = directory_entry_init(&entry, block, names, hashes);
    if (r == 0)
        directory_add(&sqlite->directory, &entry);
    return r;
}

static int add_listed(void *argument, const struct block_entry *block, struct ftri_view names,
                      struct ftri_view hashes)
{
    struct store *self = argument;
    struct sqlite_store *sqlite = self->backend;
    struct ftri_bytes plain_names = {0}, plain_hashes = {0};
    if (block->summary.order_max >= self->gather.next_order)
        self->gather.next_order = block->summary.order_max + 1;
    int r = directory_reserve(&sqlite->directory, 1);
    if (r == 0)
        r = block_unpack(names, sqlite->packer, &plain_names);
    if (r == 0)
        r = block_unpack(hashes, sqlite->packer, &plain_hashes);
    const struct ftri_view view = ftri_bytes_view(&plain_names);
    if (r == 0)
        r = add_block(sqlite, block, &view, &plain_hashes);
    if (r == -EBADMSG) {
        atomic_fetch_add(&sqlite->n_corrupt, 1);
        r = add_block(sqlite, block, NULL, NULL);
    }
    ftri_bytes_deinit(&plain_names);
    ftri_bytes_deinit(&plain_hashes);
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
    r = database_list(sqlite->writing, add_listed, self);
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
    ftri_free(sqlite);
}

static int sqlite_open(struct store *self, struct ftri_error *error)
{
    struct sqlite_store *sqlite = ftri_zalloc(sizeof *sqlite);
    if (!sqlite)
        return ftri_error_errno(error, -ENOMEM, "opening the store");
    self->backend = sqlite;
    directory_init(&sqlite->directory);
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
    directory_count(&sqlite->directory, ret_statistics);
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
    .find_names = sqlite_read_names,
    .find_ledger = sqlite_read_ledger,
    .statistics = sqlite_statistics,
};
