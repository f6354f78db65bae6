/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread turns the oldest entries of the gather into blocks, in one transaction, and only then
 * takes them out of the gather and settles them; between, it removes what retention asks for. A
 * failed write is counted and tried again, after a growing pause (a flush ends it), for as long as
 * the store is open: the entries stay in the gather and stay readable. */
#include "store/sqlite.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/ghosts.h"
#include "store/mentions.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BLOCKS_AT_ONCE = 4, GHOST_SHARE = 4 /* of what all may take */ };

static const uint64_t PAUSE_FIRST_NS = 100 * FTRI_NS_PER_MS;
static const uint64_t PAUSE_MAX_NS = 5 * FTRI_NS_PER_S;
static const uint64_t RETENTION_INTERVAL_NS = 30 * FTRI_NS_PER_S;

/* The spans of some entries from the front, each once. */
struct work {
    struct found_span *spans;
    size_t n_spans;
    uint64_t received_max_ns;
    size_t n_ledgers;               /* entries that hold ledger rows */
    struct directory_entry *blocks; /* written ones */
    size_t n_blocks, capacity;
};

static void work_deinit(struct work *self)
{
    for (size_t i = 0; i < self->n_blocks; i++)
        directory_entry_deinit(&self->blocks[i]);
    ftri_free(self->blocks);
    ftri_free(self->spans);
}

static int collect_spans(struct gather *gather, size_t n_entries, struct work *work)
{
    size_t n = 0;
    const struct gathered *entry = NULL;
    for (size_t i = 0; i < n_entries; i++) {
        entry = gather_next(gather, entry);
        n += entry->n_spans;
        work->n_ledgers += entry->is_ledger;
        if (entry->received_ns > work->received_max_ns)
            work->received_max_ns = entry->received_ns;
    }
    work->spans = ftri_alloc_array(n, sizeof *work->spans);
    if (!work->spans)
        return -ENOMEM;
    entry = NULL;
    for (size_t i = 0; i < n_entries; i++) {
        entry = gather_next(gather, entry);
        for (size_t j = 0; j < entry->n_spans; j++)
            work->spans[work->n_spans++] = gathered_found(&entry->spans[j]);
    }
    work->n_spans = result_deduplicate(work->spans, n);
    return 0;
}

/* About `wanted` spans from the start, cut at the end of a trace. */
static size_t block_end(const struct work *work, size_t start, size_t wanted)
{
    const struct found_span *spans = work->spans;
    const size_t n = work->n_spans;
    if (n - start <= wanted + wanted / 2)
        return n;
    size_t end = start + wanted;
    while (end < n && memcmp(spans[end].span.trace_id, spans[end - 1].span.trace_id, 16) == 0)
        end++;
    return end;
}

/* Both indexes of a written block. */
static int index_block(struct block *block, const struct block_entry *entry,
                       struct directory_entry *ret_entry)
{
    const struct ftri_view names = ftri_bytes_view(&block->names);
    struct ftri_bytes hashes[N_DIRECTORY_INDEXES] = {[DIRECTORY_TRACES] = block->hashes};
    block->hashes = (struct ftri_bytes){0};
    ftri_bytes_init(&hashes[DIRECTORY_MENTIONS], SIZE_MAX / 2);
    int r = mentions_read_hashes(ftri_bytes_view(&block->mentions), &hashes[DIRECTORY_MENTIONS]);
    if (r == 0)
        r = directory_entry_init(ret_entry, entry, &names, hashes);
    for (size_t i = 0; i < N_DIRECTORY_INDEXES; i++)
        ftri_bytes_deinit(&hashes[i]);
    return r;
}

static int insert_block(struct sqlite_store *sqlite, const struct found_span *spans, size_t n,
                        struct work *work)
{
    struct block block;
    struct block_entry entry;
    block_init(&block);
    int r = block_build(&block, spans, n, sqlite->packer);
    if (r == 0)
        r = database_insert(sqlite->writing, &block, work->received_max_ns, &entry);
    if (r == 0)
        r = index_block(&block, &entry, &work->blocks[work->n_blocks]);
    work->n_blocks += r == 0;
    block_deinit(&block);
    return r;
}

static int make_room(struct work *work)
{
    if (work->n_blocks < work->capacity)
        return 0;
    const size_t capacity = work->capacity ? work->capacity * 2 : BLOCKS_AT_ONCE;
    struct directory_entry *grown = ftri_realloc(work->blocks, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    work->blocks = grown;
    work->capacity = capacity;
    return 0;
}

static int insert_blocks(struct store *self, struct work *work)
{
    struct sqlite_store *sqlite = self->backend;
    int r = 0;
    for (size_t start = 0, end; start < work->n_spans && r == 0; start = end) {
        end = block_end(work, start, self->options.block_spans);
        r = make_room(work);
        if (r == 0)
            r = insert_block(sqlite, work->spans + start, end - start, work);
    }
    return r;
}

/* Room in the directory is made before the commit: nothing behind it can fail. */
static int commit(struct store *self, size_t n_entries, struct work *work)
{
    struct sqlite_store *sqlite = self->backend;
    int r = database_begin(sqlite->writing);
    if (r == 0)
        r = insert_blocks(self, work);
    if (r == 0 && work->n_ledgers)
        r = sqlite_write_ledger(self, n_entries);
    if (r == 0)
        r = directory_reserve(&sqlite->directory, work->n_blocks);
    if (r == 0)
        r = database_commit(sqlite->writing);
    if (r < 0)
        database_rollback(sqlite->writing);
    return r;
}

/* The blocks become visible before the entries go. */
static int write_entries(struct store *self, size_t n_entries)
{
    struct sqlite_store *sqlite = self->backend;
    struct work work = {0};
    int r = collect_spans(&self->gather, n_entries, &work);
    FTRI_FAULT_POINT("store.before_block");
    if (r == 0 && (work.n_spans || work.n_ledgers))
        r = commit(self, n_entries, &work);
    FTRI_FAULT_POINT("store.after_block");
    if (r == 0) {
        for (size_t i = 0; i < work.n_blocks; i++) {
            directory_add(&sqlite->directory, &work.blocks[i]);
            atomic_store(&sqlite->last_id, work.blocks[i].block.id);
        }
        work.n_blocks = 0;
        gather_remove(&self->gather, n_entries, 0);
    }
    work_deinit(&work);
    return r;
}

/* --- retention ----------------------------------------------------------------------------- */

static bool is_over(const struct store_options *options, uint64_t now,
                    const struct block_entry *oldest, uint64_t n_bytes)
{
    if (options->retention_bytes && n_bytes > options->retention_bytes)
        return true;
    return options->retention_ns && now > oldest->received_max_ns &&
           now - oldest->received_max_ns > options->retention_ns;
}

/* What is left of a block: packed hashes of its spans, plain and packed ones of its traces. */
struct remains {
    struct ftri_bytes spans, hashes, packed_hashes;
};

static void remains_deinit(struct remains *self)
{
    ftri_bytes_deinit(&self->spans);
    ftri_bytes_deinit(&self->hashes);
    ftri_bytes_deinit(&self->packed_hashes);
}

static int make_remains(struct sqlite_store *sqlite, int64_t id, struct remains *ret_remains)
{
    struct sqlite_block block;
    *ret_remains = (struct remains){{0}, {0}, {0}};
    ftri_bytes_init(&ret_remains->spans, SIZE_MAX / 2);
    ftri_bytes_init(&ret_remains->packed_hashes, SIZE_MAX / 2);
    int r = sqlite_open_block(sqlite, id, BLOCK_COLUMNS, NULL, &block);
    if (r == 0)
        r = ghost_pack(&block.rows, sqlite->packer, &ret_remains->spans);
    sqlite_block_deinit(&block);
    if (r == 0)
        r = database_read(sqlite->writing, id, BLOCK_HASHES, &ret_remains->packed_hashes);
    return r < 0 ? r
                 : block_unpack(ftri_bytes_view(&ret_remains->packed_hashes), sqlite->packer,
                                &ret_remains->hashes);
}

int sqlite_add_ghost(struct sqlite_store *sqlite, const struct block_entry *ghost,
                     struct ftri_bytes *hashes)
{
    static const uint8_t no_names[] = {0};
    const struct ftri_view names = ftri_view_of(no_names, sizeof no_names);
    struct ftri_bytes indexes[N_DIRECTORY_INDEXES] = {[DIRECTORY_TRACES] = *hashes};
    struct directory_entry entry;
    const int r = directory_entry_init(&entry, ghost, &names, indexes);
    if (r < 0)
        return r;
    *hashes = (struct ftri_bytes){.limit = hashes->limit};
    directory_add(&sqlite->ghosts, &entry);
    return 0;
}

static int replace_block(struct sqlite_store *sqlite, const struct block_entry *ghost,
                         const struct remains *remains)
{
    int r = database_begin(sqlite->writing);
    if (r == 0)
        r = database_remove(sqlite->writing, ghost->id);
    if (r == 0 && ghost->n_bytes)
        r = database_insert_ghost(sqlite->writing, ghost, &remains->packed_hashes, &remains->spans);
    if (r == 0)
        r = database_commit(sqlite->writing);
    if (r < 0)
        database_rollback(sqlite->writing);
    return r;
}

/* A damaged block leaves no ghost, and is thereby known as forgotten. */
static int remove_block(struct sqlite_store *sqlite, int64_t id)
{
    struct remains remains;
    struct block_entry ghost = {.id = id};
    int r = make_remains(sqlite, id, &remains);
    if (r == 0)
        ghost.n_bytes = remains.spans.len + remains.packed_hashes.len;
    r = sqlite_pass_over(sqlite, r);
    if (r == 0)
        r = directory_reserve(&sqlite->ghosts, 1);
    if (r == 0)
        r = replace_block(sqlite, &ghost, &remains);
    if (r == 0 && ghost.n_bytes)
        r = sqlite_add_ghost(sqlite, &ghost, &remains.hashes);
    remains_deinit(&remains);
    return r;
}

/* The newest stays: by it is known that others went. */
static int trim_ghosts(struct store *self, uint64_t n_block_bytes)
{
    struct sqlite_store *sqlite = self->backend;
    const uint64_t limit =
        (self->options.retention_bytes ? self->options.retention_bytes : n_block_bytes) /
        GHOST_SHARE;
    struct block_entry oldest;
    uint64_t n_bytes;
    int r = 0;
    while (r == 0 && directory_oldest(&sqlite->ghosts, &oldest, &n_bytes) && n_bytes > limit &&
           n_bytes > oldest.n_bytes) {
        r = database_remove_ghost(sqlite->writing, oldest.id);
        if (r == 0)
            directory_remove_oldest(&sqlite->ghosts);
    }
    return r;
}

static uint64_t count_ghost_bytes(struct sqlite_store *sqlite)
{
    struct store_statistics ghosts = {0};
    directory_count(&sqlite->ghosts, &ghosts);
    return ghosts.n_bytes;
}

static void apply_retention(struct store *self)
{
    struct sqlite_store *sqlite = self->backend;
    const uint64_t now = ftri_time_wall_ns();
    struct block_entry oldest;
    uint64_t n_bytes = 0;
    int r = 0;
    while (r == 0 && directory_oldest(&sqlite->directory, &oldest, &n_bytes) &&
           is_over(&self->options, now, &oldest, n_bytes + count_ghost_bytes(sqlite))) {
        r = remove_block(sqlite, oldest.id);
        if (r < 0)
            break;
        directory_remove_oldest(&sqlite->directory);
        atomic_fetch_add(&sqlite->n_expired, 1);
    }
    if (r == 0)
        r = trim_ghosts(self, n_bytes);
    if (r == 0)
        r = sqlite_trim_ledger(self, now);
    if (r == 0)
        r = database_shrink(sqlite->writing);
    if (r < 0)
        atomic_fetch_add(&sqlite->n_errors, 1);
}

/* --- the thread ---------------------------------------------------------------------------- */

/* The oldest entry was there when a flush was asked for. */
static bool has_to_flush(const struct store *self)
{
    const struct sqlite_store *sqlite = self->backend;
    const struct ftri_list *first = self->gather.entries.next;
    return first != &self->gather.entries &&
           FTRI_CONTAINER(first, struct gathered, link)->order < sqlite->flush_order;
}

static bool is_due(const struct store *self)
{
    const struct sqlite_store *sqlite = self->backend;
    const struct gather *gather = &self->gather;
    return gather->n_spans >= self->options.block_spans ||
           gather->n_bytes >= self->options.block_bytes || has_to_flush(self) || sqlite->is_closing;
}

/* How many entries from the front are to be written now. Called with the mutex. */
static size_t count_due(const struct store *self)
{
    const struct gather *gather = &self->gather;
    const uint64_t max_spans = (uint64_t)self->options.block_spans * BLOCKS_AT_ONCE;
    size_t n_entries = 0;
    uint64_t n_spans = 0, n_bytes = 0;
    if (!is_due(self))
        return 0;
    for (const struct ftri_list *i = gather->entries.next; i != &gather->entries; i = i->next) {
        const struct gathered *entry = FTRI_CONTAINER(i, struct gathered, link);
        n_spans += entry->n_spans;
        n_bytes += entry->n_bytes;
        n_entries++;
        if (n_spans >= max_spans || n_bytes >= self->options.block_bytes)
            break;
    }
    return n_entries;
}

/* Until the time has passed, or there is work (unless only the pause counts), a flush, the end. */
static void wait_for(struct store *self, uint64_t delay_ns, bool is_pause)
{
    const struct sqlite_store *sqlite = self->backend;
    struct gather *gather = &self->gather;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t ns = (uint64_t)until.tv_nsec + delay_ns;
    until.tv_sec += (time_t)(ns / FTRI_NS_PER_S);
    until.tv_nsec = (long)(ns % FTRI_NS_PER_S);
    int r = 0;
    while (r == 0 && !sqlite->is_flush_asked && !sqlite->is_closing && (is_pause || !is_due(self)))
        r = pthread_cond_timedwait(&gather->changed, &gather->mutex, &until);
}

/* The number of entries to write; 0: look after retention, or end. */
static size_t wait_for_work(struct store *self, uint64_t pause_ns, bool *ret_is_closing)
{
    struct sqlite_store *sqlite = self->backend;
    struct gather *gather = &self->gather;
    pthread_mutex_lock(&gather->mutex);
    if (pause_ns)
        wait_for(self, pause_ns, true);
    else
        wait_for(self, RETENTION_INTERVAL_NS, false);
    sqlite->is_flush_asked = false;
    const size_t n_entries = count_due(self);
    *ret_is_closing = sqlite->is_closing;
    pthread_mutex_unlock(&gather->mutex);
    return n_entries;
}

static void after_write(struct store *self, size_t n_entries)
{
    if (n_entries && self->options.on_settled)
        self->options.on_settled(self->options.argument);
    apply_retention(self);
}

static uint64_t note_failure(struct sqlite_store *sqlite, int r, uint64_t pause_ns)
{
    atomic_fetch_add(&sqlite->n_errors, 1);
    if (pause_ns == 0)
        log_write(LOG_LEVEL_ERROR, "store: writing a block: %s; trying again until it succeeds",
                  strerror(-r));
    pause_ns = pause_ns ? pause_ns * 2 : PAUSE_FIRST_NS;
    return pause_ns > PAUSE_MAX_NS ? PAUSE_MAX_NS : pause_ns;
}

void *sqlite_write_run(void *argument)
{
    struct store *self = argument;
    struct sqlite_store *sqlite = self->backend;
    uint64_t pause_ns = 0;
    for (;;) {
        bool is_closing;
        const size_t n_entries = wait_for_work(self, pause_ns, &is_closing);
        if (n_entries == 0 && is_closing)
            return NULL;
        const int r = n_entries ? write_entries(self, n_entries) : 0;
        if (r < 0) {
            pause_ns = note_failure(sqlite, r, pause_ns);
            if (is_closing)
                return NULL; /* not settled: the log replays it */
            continue;
        }
        if (pause_ns)
            log_write(LOG_LEVEL_INFO, "store: writing works again");
        pause_ns = 0;
        after_write(self, n_entries);
    }
}

void sqlite_write_wake(struct store *self, bool is_flush)
{
    struct sqlite_store *sqlite = self->backend;
    struct gather *gather = &self->gather;
    pthread_mutex_lock(&gather->mutex);
    if (is_flush) {
        sqlite->flush_order = gather->next_order;
        sqlite->is_flush_asked = true;
    }
    if (is_flush || is_due(self))
        pthread_cond_signal(&gather->changed);
    pthread_mutex_unlock(&gather->mutex);
}
