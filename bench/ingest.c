/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 18: requests of 512 spans into SQLite, as blocks and, as the baseline, as rows. CPU time of
 * the whole process, the store's and the log's threads included.
 *
 * Both read the same requests through the same check and cursor. "Blocks" builds and inserts blocks
 * of 4,096 spans; "end to end" is the collector's way: every request into the write-ahead log
 * (synced, group commit), then into the store, which settles it when its block is committed and its
 * log record is released. A span that is missing in the end fails the run.
 *
 * `bench-ingest blocks`, `end-to-end` or `get` (traces by
 * id out of blocks) runs that alone many times, for a profiler. */
#include "base/error.h"
#include "base/payload.h"
#include "codec/zstd.h"
#include "measure.h"
#include "payload.h"
#include "row_schema.h"
#include "store/block_dictionary.h"
#include "store/block_hashes.h"
#include "store/directory.h"
#include "wal/wal.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAIRS = 11,
    REQUEST_SPANS = 512,
    REQUESTS = 128,
    SPANS = REQUESTS * REQUEST_SPANS,
    BLOCK_SPANS = 4096,
    BLOCK_REQUESTS = BLOCK_SPANS / REQUEST_SPANS,
    BLOCKS_AT_ONCE = 4, /* a transaction, as the store's writer does when it has to catch up */
    PATH_BYTES = 256,
    ITEM_RUNS = 25,
    PROFILED_RUNS = 20
};

struct subject {
    enum payload_kind kind;
    struct payload payload;
    struct ftri_payload *requests[REQUESTS];
    char directory[PATH_BYTES];
    char rows_path[PATH_BYTES + 16], blocks_path[PATH_BYTES + 16];
    char store_path[PATH_BYTES + 16], wal_path[PATH_BYTES + 16];
    double end_to_end_wall_ns;
    sem_t changed; /* something was settled or synced */
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-ingest: %s\n", what);
    exit(1);
}

static void check(struct ftri_view request)
{
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    if (ftri_otlp_traces_check(request, &counts, &error) < 0 || counts.n_spans != REQUEST_SPANS)
        fail("a request is refused");
}

static void remove_files(const char *directory)
{
    DIR *stream = opendir(directory);
    if (!stream)
        return;
    for (struct dirent *entry; (entry = readdir(stream));)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    (void)rmdir(directory);
}

static void remove_database(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char name[PATH_BYTES + 32];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)unlink(name);
    }
}

static double file_bytes(const char *path)
{
    struct stat status;
    payload_check(stat(path, &status), "looking at a file");
    return (double)status.st_size;
}

/* --- rows ---------------------------------------------------------------------------------- */

static void insert_rows(struct row_schema *rows, struct ftri_view request)
{
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    const uint8_t *resource = NULL;
    ftr_str service = {0};
    check(request);
    ftri_otlp_cursor_init(&cursor, request);
    while (ftri_otlp_cursor_next(&cursor, &span)) {
        if (span->resource.data != resource)
            service = ftri_otlp_service_name(span->resource);
        resource = span->resource.data;
        row_schema_insert(rows, span, service);
    }
}

static double run_rows(void *argument)
{
    const struct subject *self = argument;
    remove_database(self->rows_path);
    const double start = measure_process_ns();
    struct row_schema *rows = row_schema_open(self->rows_path);
    for (size_t i = 0; i < REQUESTS; i++)
        insert_rows(rows, ftri_payload_view(self->requests[i]));
    row_schema_close(rows);
    const double ns = (measure_process_ns() - start) / SPANS;
    if (row_schema_ask(self->rows_path, "SELECT count(*) FROM spans") != SPANS)
        fail("rows are missing");
    return ns;
}

/* --- blocks -------------------------------------------------------------------------------- */

/* The spans of the requests from the first on, each once, in a block's order. */
static size_t read_block(const struct subject *self, size_t first, struct found_span *spans)
{
    size_t n = 0;
    for (size_t i = first; i < first + BLOCK_REQUESTS; i++) {
        const struct ftri_view request = ftri_payload_view(self->requests[i]);
        struct ftri_otlp_cursor cursor;
        const struct ftri_otlp_span *span;
        check(request);
        ftri_otlp_cursor_init(&cursor, request);
        for (uint32_t row = 0; ftri_otlp_cursor_next(&cursor, &span); row++)
            spans[n++] =
                (struct found_span){.span = *span, .received_ns = i, .order = i, .row = row};
    }
    return result_deduplicate(spans, n);
}

static size_t insert_block(struct database *database, struct ftri_zstd *zstd,
                           const struct found_span *spans, size_t n)
{
    struct block block;
    struct block_entry entry;
    block_init(&block);
    payload_check(block_build(&block, spans, n, zstd), "building a block");
    payload_check(database_insert(database, &block, 1, &entry), "inserting a block");
    block_deinit(&block);
    return n;
}

static double run_blocks(void *argument)
{
    static struct found_span spans[BLOCK_SPANS];
    const struct subject *self = argument;
    struct ftri_error error = {0};
    struct database *database;
    size_t n = 0;
    remove_database(self->blocks_path);
    const double start = measure_process_ns();
    struct ftri_zstd *zstd = ftri_zstd_new(1);
    if (!zstd || database_open(self->blocks_path, &database, &error) < 0)
        fail(error.text);
    for (size_t i = 0; i < REQUESTS; i += BLOCK_REQUESTS) {
        const size_t block = i / BLOCK_REQUESTS;
        if (block % BLOCKS_AT_ONCE == 0)
            payload_check(database_begin(database), "beginning");
        n += insert_block(database, zstd, spans, read_block(self, i, spans));
        if (block % BLOCKS_AT_ONCE == BLOCKS_AT_ONCE - 1)
            payload_check(database_commit(database), "committing");
    }
    database_close(database);
    ftri_zstd_free(zstd);
    if (n != SPANS)
        fail("spans are missing in the blocks");
    return (measure_process_ns() - start) / SPANS;
}

/* --- end to end ---------------------------------------------------------------------------- */

static void on_changed(void *argument)
{
    sem_post(argument);
}

struct ingest {
    const struct subject *subject;
    struct wal *wal;
    struct store *store;
    uint64_t positions[REQUESTS];
    size_t n_logged, n_appended, n_settled;
};

static void open_ingest(struct ingest *self, struct subject *subject)
{
    struct ftri_error error = {0};
    struct store_options store;
    const struct wal_options wal = {.directory = subject->wal_path,
                                    .sync = WAL_SYNC_ALWAYS,
                                    .commit_delay_ms = 5,
                                    .interval_ms = 1000,
                                    .limit_bytes = (uint64_t)4 << 30,
                                    .on_synced = on_changed,
                                    .argument = &subject->changed};
    struct wal_record record;
    *self = (struct ingest){.subject = subject};
    store_options_default(&store, "sqlite");
    store.directory = subject->store_path;
    store.retention_ns = 0; /* the appends' times are not of today */
    store.on_settled = on_changed;
    store.argument = &subject->changed;
    if (wal_open(&wal, &self->wal, &error) < 0 || store_open(&store, &self->store, &error) < 0)
        fail(error.text);
    if (wal_replay(self->wal, &record) != WAL_END)
        fail("the log is not new");
}

static bool log_next(struct ingest *self)
{
    if (self->n_logged == REQUESTS)
        return false;
    const struct ftri_view request = ftri_payload_view(self->subject->requests[self->n_logged]);
    check(request);
    const int r = wal_append(self->wal, 1, 1, request, &self->positions[self->n_logged]);
    if (r < 0)
        payload_check(r, "appending to the log");
    self->n_logged += r == 0;
    return r == 0;
}

/* What is durable goes on to the store. */
static bool append_next(struct ingest *self)
{
    int error = 0;
    const size_t i = self->n_appended;
    if (i == self->n_logged || self->positions[i] >= wal_synced(self->wal, &error))
        return false;
    payload_check(error, "syncing the log");
    const int r = store_append(self->store, self->subject->requests[i], i + 1, i);
    if (r < 0)
        payload_check(r, "appending to the store");
    self->n_appended += r == 0;
    if (self->n_appended == REQUESTS)
        store_flush(self->store);
    return r == 0;
}

static bool release_settled(struct ingest *self)
{
    struct store_settled settled[16];
    const size_t n = store_collect(self->store, settled, 16);
    for (size_t i = 0; i < n; i++) {
        payload_check(settled[i].error, "writing a block");
        wal_release(self->wal, self->positions[settled[i].token]);
    }
    self->n_settled += n;
    return n > 0;
}

static double run_end_to_end(void *argument)
{
    struct subject *self = argument;
    struct ingest ingest;
    struct store_statistics statistics;
    remove_files(self->store_path);
    remove_files(self->wal_path);
    const double start = measure_process_ns(), wall_start = measure_wall_ns();
    open_ingest(&ingest, self);
    while (ingest.n_settled < REQUESTS) {
        const bool has_released = release_settled(&ingest);
        const bool has_appended = append_next(&ingest);
        if (!log_next(&ingest) && !has_appended && !has_released)
            sem_wait(&self->changed);
    }
    store_get_statistics(ingest.store, &statistics);
    store_close(ingest.store);
    wal_close(ingest.wal);
    self->end_to_end_wall_ns = (measure_wall_ns() - wall_start) / SPANS;
    if (statistics.n_block_spans != SPANS)
        fail("spans are missing in the store");
    return (measure_process_ns() - start) / SPANS;
}

/* --- sizes and items ----------------------------------------------------------------------- */

static void print_value(const char *name, const char *unit, double value, double baseline,
                        double limit)
{
    char goal[32];
    snprintf(goal, sizeof goal, "<= %g %s", limit, unit);
    const double ratio = baseline > 0 ? baseline / value : 0;
    const struct measure_row row = {
        .row = "18",
        .name = name,
        .unit = unit,
        .pairs = {value, baseline, ratio, ratio, ratio},
        .goal = limit > 0 ? goal : NULL,
        .verdict = limit <= 0       ? MEASURE_NO_GOAL
                   : value <= limit ? MEASURE_HOLDS
                                    : MEASURE_FAILS,
    };
    measure_print(&row);
}

static double ask_per_span(const char *path, const char *sql)
{
    return row_schema_ask(path, sql) / SPANS;
}

#define ROW_BYTES(name) "SELECT sum(pgsize) FROM dbstat WHERE name = '" name "'"

/* Of the files that the last runs left. */
static void print_bytes(const struct subject *self)
{
    char path[PATH_BYTES + 32], name[96];
    snprintf(path, sizeof path, "%s/flowtrace.db", self->store_path);
    const double hashes = ask_per_span(path, "SELECT sum(length(hashes)) FROM blocks");
    const double names = ask_per_span(path, "SELECT sum(length(names)) FROM blocks");
    const double columns = ask_per_span(path, "SELECT sum(length(columns)) FROM pieces");
    const double bodies = ask_per_span(path, "SELECT sum(length(bodies)) FROM pieces");
    const double file = file_bytes(path) / SPANS;
    const double rows = file_bytes(self->rows_path) / SPANS;
    const bool is_small = self->kind == PAYLOAD_SMALL;
    const char *payload = payload_names[self->kind];
    snprintf(name, sizeof name, "%s, blocks (columns and bodies) / rows without indexes", payload);
    print_value(name, "B/span", columns + bodies, ask_per_span(self->rows_path, ROW_BYTES("spans")),
                is_small ? 26 : 0);
    snprintf(name, sizeof name, "%s, whole file with default indexes / rows with both", payload);
    print_value(name, "B/span", file, rows, is_small ? 40 : 0);
    if (!is_small)
        return;
    print_value("of it: columns", "B/span", columns, 0, 0);
    print_value("of it: bodies", "B/span", bodies, 0, 0);
    print_value("of it: trace index / index by trace id", "B/span", hashes,
                ask_per_span(self->rows_path, ROW_BYTES("spans_by_trace")), 0);
    print_value("of it: names of services and spans", "B/span", names, 0, 0);
    print_value("of it: SQLite's pages, min and max of times", "B/span",
                file - hashes - names - columns - bodies, 0, 0);
}

struct item {
    const struct found_span *spans;
    size_t n_spans;
    const struct block *block;
};

static void make_hashes(const struct item *item)
{
    struct ftri_bytes hashes;
    ftri_bytes_init(&hashes, SIZE_MAX / 2);
    payload_check(block_hashes_write(item->spans, item->n_spans, &hashes), "hashes");
    ftri_bytes_deinit(&hashes);
}

static void make_dictionary(const struct item *item)
{
    struct block_dictionary dictionary;
    block_dictionary_init(&dictionary, SIZE_MAX / 2);
    payload_check(block_dictionary_make(&dictionary, item->spans, item->n_spans), "dictionary");
    block_dictionary_deinit(&dictionary);
}

static void make_filter(const struct item *item)
{
    struct filter filter;
    payload_check(filter_init(&filter, ftri_bytes_view(&item->block->names)), "filter");
    filter_deinit(&filter);
}

static void print_item(const struct item *item, const char *name,
                       void (*make)(const struct item *item))
{
    double best = 0;
    for (int i = 0; i < ITEM_RUNS; i++) {
        const double start = measure_thread_ns();
        make(item);
        const double ns = (measure_thread_ns() - start) / (double)item->n_spans;
        best = i == 0 || ns < best ? ns : best;
    }
    print_value(name, "ns/span", best, 0, 0);
}

static void print_items(const struct subject *self)
{
    static struct found_span spans[BLOCK_SPANS];
    struct block block;
    struct ftri_zstd *zstd = ftri_zstd_new(1);
    const struct item item = {spans, read_block(self, 0, spans), &block};
    block_init(&block);
    payload_check(zstd ? block_build(&block, spans, item.n_spans, zstd) : -ENOMEM, "a block");
    print_item(&item, "CPU of it: trace index", make_hashes);
    print_item(&item, "CPU of it: names, origins and appends (dictionaries)", make_dictionary);
    print_item(&item, "CPU of it: filter of names", make_filter);
    block_deinit(&block);
    ftri_zstd_free(zstd);
}

/* --- all ----------------------------------------------------------------------------------- */

static void prepare(struct subject *self, enum payload_kind kind, const char *directory)
{
    self->kind = kind;
    sem_init(&self->changed, 0, 0);
    snprintf(self->directory, sizeof self->directory, "%s", directory);
    snprintf(self->rows_path, sizeof self->rows_path, "%s/rows.db", directory);
    snprintf(self->blocks_path, sizeof self->blocks_path, "%s/blocks.db", directory);
    snprintf(self->store_path, sizeof self->store_path, "%s/store", directory);
    snprintf(self->wal_path, sizeof self->wal_path, "%s/wal", directory);
    payload_init(&self->payload, kind, SPANS, 1);
    for (size_t i = 0; i < REQUESTS; i++) {
        struct ftri_bytes bytes;
        ftri_bytes_init(&bytes, SIZE_MAX / 2);
        payload_encode(&self->payload, i * REQUEST_SPANS, REQUEST_SPANS, &bytes);
        self->requests[i] = ftri_payload_new(&bytes);
        payload_check(self->requests[i] ? 0 : -ENOMEM, "a request");
    }
    payload_deinit(&self->payload);
}

static void release(struct subject *self)
{
    for (size_t i = 0; i < REQUESTS; i++)
        ftri_payload_unref(self->requests[i]);
    remove_files(self->store_path);
    remove_files(self->wal_path);
    remove_database(self->rows_path);
    remove_database(self->blocks_path);
    sem_destroy(&self->changed);
}

static void print_speedup(struct subject *self, double (*run)(void *argument), const char *what,
                          double goal)
{
    char name[96], text[32];
    const struct measure_subject ours = {run, self}, rows = {run_rows, self};
    const bool has_goal = self->kind == PAYLOAD_SMALL;
    struct measure_row row = {.row = "18", .name = name, .unit = "ns"};
    snprintf(name, sizeof name, "%s, %s / SQLite rows (CPU per span)", payload_names[self->kind],
             what);
    snprintf(text, sizeof text, ">= %g x", goal);
    row.pairs = measure_as_speedup(measure_in_turn(ours, rows, PAIRS));
    row.goal = has_goal ? text : NULL;
    row.verdict = !has_goal                 ? MEASURE_NO_GOAL
                  : row.pairs.ratio >= goal ? MEASURE_HOLDS
                                            : MEASURE_FAILS;
    measure_print(&row);
}

/* Gets every trace of the store that the last end to end left. */
static double run_get(void *argument)
{
    const struct subject *self = argument;
    struct store_options options;
    struct store *store;
    struct ftri_error error = {0};
    store_options_default(&options, "sqlite");
    options.directory = self->store_path;
    options.retention_ns = 0;
    if (store_open(&options, &store, &error) < 0)
        fail(error.text);
    const double start = measure_process_ns();
    size_t n = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct ftri_otlp_cursor cursor;
        const struct ftri_otlp_span *span;
        struct store_result result;
        ftri_otlp_cursor_init(&cursor, ftri_payload_view(self->requests[i]));
        if (!ftri_otlp_cursor_next(&cursor, &span))
            fail("an empty request");
        payload_check(store_get_trace(store, span->trace_id, &result), "getting a trace");
        n += result.n_spans;
        store_result_deinit(&result);
    }
    const double ns = (measure_process_ns() - start) / (double)n;
    store_close(store);
    if (n != REQUESTS * PAYLOAD_TRACE_SPANS)
        fail("spans of traces are missing");
    return ns;
}

static void profile(struct subject *self, const char *name)
{
    const bool is_get = strcmp(name, "get") == 0;
    double (*const run)(void *argument) = strcmp(name, "blocks") == 0 ? run_blocks
                                          : is_get                    ? run_get
                                                                      : run_end_to_end;
    if (is_get)
        run_end_to_end(self);
    double best = run(self);
    for (int i = 0; i < PROFILED_RUNS; i++) {
        const double ns = run(self);
        best = ns < best ? ns : best;
    }
    printf("%s %s: %.0f ns a span at best\n", name, payload_names[self->kind], best);
}

static void measure(struct subject *self)
{
    print_speedup(self, run_blocks, "blocks", 6);
    print_speedup(self, run_end_to_end, "log, blocks and indexes", 4);
    print_bytes(self);
    if (self->kind != PAYLOAD_SMALL)
        return;
    print_value("small, end to end, wall time", "ns/span", self->end_to_end_wall_ns, 0, 0);
    print_items(self);
}

int main(int argc, char **argv)
{
    static struct subject subjects[N_PAYLOADS];
    const char *parent = getenv("TMPDIR");
    char directory[PATH_BYTES];
    snprintf(directory, sizeof directory, "%.200s/flowtrace-bench-XXXXXX",
             parent ? parent : "/tmp");
    if (!mkdtemp(directory))
        fail("there is no room for temporary files");
    for (enum payload_kind kind = PAYLOAD_SMALL; kind < N_PAYLOADS; kind++) {
        struct subject *subject = &subjects[kind];
        prepare(subject, kind, directory);
        if (argc > 1)
            profile(subject, argv[1]);
        else
            measure(subject);
        release(subject);
    }
    (void)rmdir(directory);
    return 0;
}
