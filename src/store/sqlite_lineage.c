/* SPDX-License-Identifier: Apache-2.0
 *
 * Lineage out of blocks. What is asked for is sorted by the blocks that may hold it, so that a
 * block is read once however much of it is wanted. */
#include "store/sqlite.h"

#include "base/mem.h"
#include "base/time.h"
#include "store/block_hashes.h"
#include "store/ghosts.h"
#include "store/lineage.h"
#include "store/mentions.h"
#include "store/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_places(struct directory *directory, enum directory_index index,
                      const uint8_t trace_id[16], size_t nth, struct ftri_bytes *places)
{
    int64_t *ids = NULL;
    size_t n = 0;
    int r = directory_find_trace(directory, index, trace_id, &ids, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        r = places_add(places, ids[i], nth);
    ftri_free(ids);
    return r;
}

static bool is_late(uint64_t deadline_ns)
{
    return deadline_ns && ftri_time_monotonic_ns() > deadline_ns;
}

/* --- spans of traces ----------------------------------------------------------------------- */

struct reading {
    struct sqlite_store *sqlite;
    const ftr_trace_id *traces;
    bool has_contributors;
    struct store_lineage *lineage;
};

static int add_row(struct store_lineage *lineage, const struct block_row *row,
                   struct found_span *found)
{
    found->received_ns = row->received_ns;
    found->order = row->order;
    found->is_fragment = match_is_fragment(&row->fields);
    return store_lineage_add(lineage, found, row->fields.service);
}

static int add_message(void *argument, const struct block_row *row, struct ftri_view message)
{
    const struct reading *reading = argument;
    struct found_span found = {0};
    ftri_otlp_span_read(message, &found.span);
    return found.span.trace_id && found.span.span_id ? add_row(reading->lineage, row, &found)
                                                     : -EBADMSG;
}

/* What the columns alone say. */
static int add_columns(const struct block_rows *rows, const uint8_t *trace_id,
                       struct store_lineage *lineage)
{
    const struct block_trace trace = block_find_trace(rows, trace_id);
    int r = 0;
    for (size_t i = 0; i < trace.n && r == 0; i++) {
        const struct block_row *row = &trace.rows[i];
        struct found_span found = {
            .span = {.trace_id = row->trace_id,
                     .span_id = row->span_id,
                     .parent_span_id = row->parent_span_id,
                     .name = row->fields.name,
                     .start_time_ns = row->fields.start_ns,
                     .end_time_ns = row->fields.end_ns,
                     .status_code = row->fields.is_error ? FTRI_OTLP_STATUS_ERROR : 0}};
        r = add_row(lineage, row, &found);
    }
    return r;
}

static int read_traces(void *argument, int64_t id, const struct place *places, size_t n)
{
    const struct reading *reading = argument;
    const enum block_piece last = reading->has_contributors ? BLOCK_BODIES : BLOCK_COLUMNS;
    const uint8_t *only = n == 1 ? reading->traces[places[0].n].bytes : NULL;
    struct sqlite_block block;
    if (is_late(reading->lineage->deadline_ns))
        return -ETIMEDOUT;
    int r = sqlite_open_block(reading->sqlite, id, last, only, &block);
    for (size_t i = 0; i < n && r == 0; i++) {
        const uint8_t *trace_id = reading->traces[places[i].n].bytes;
        r = reading->has_contributors
                ? block_visit_trace(&block.rows, ftri_bytes_view(&block.pieces[BLOCK_BODIES]),
                                    trace_id, add_message, argument)
                : add_columns(&block.rows, trace_id, reading->lineage);
    }
    sqlite_block_deinit(&block);
    return sqlite_pass_over(reading->sqlite, r);
}

int sqlite_read_lineage(struct store *self, const ftr_trace_id *traces, size_t n,
                        bool has_contributors, struct store_lineage *lineage)
{
    struct reading reading = {self->backend, traces, has_contributors, lineage};
    struct ftri_bytes places FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&places, SIZE_MAX / 2);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_places(&reading.sqlite->directory, DIRECTORY_TRACES, traces[i].bytes, i, &places);
    return r == 0 ? places_each(&places, read_traces, &reading) : r;
}

/* --- who names a span ---------------------------------------------------------------------- */

struct finding {
    struct sqlite_store *sqlite;
    const struct store_wanted *wanted;
    struct ftri_bytes *out;
};

static int look_at(void *argument, const struct block_row *row, struct ftri_view message)
{
    const struct finding *finding = argument;
    struct ftri_otlp_span span;
    bool is_named;
    ftri_otlp_span_read(message, &span);
    if (!span.trace_id || !span.span_id)
        return -EBADMSG;
    const int r = store_wanted_is_named(finding->wanted, &span, &is_named);
    return r == 0 && is_named ? ftri_bytes_append(finding->out, row->trace_id, 16) : r;
}

static int compare_rows(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* A span that names several of the wanted ones is looked at once. */
static int look_at_rows(struct finding *finding, int64_t id, struct ftri_bytes *found)
{
    uint32_t *rows = (uint32_t *)(void *)found->data;
    const size_t n = found->len / sizeof *rows;
    size_t n_left = 0;
    if (n == 0)
        return 0;
    qsort(rows, n, sizeof *rows, compare_rows);
    for (size_t i = 0; i < n; i++)
        if (n_left == 0 || rows[n_left - 1] != rows[i])
            rows[n_left++] = rows[i];
    struct sqlite_block block;
    int r = sqlite_open_block(finding->sqlite, id, BLOCK_BODIES, NULL, &block);
    if (r == 0)
        r = block_visit_rows(&block.rows, ftri_bytes_view(&block.pieces[BLOCK_BODIES]), rows,
                             n_left, look_at, finding);
    sqlite_block_deinit(&block);
    return r;
}

/* The rows of all mentions that are asked for. */
static int find_rows(const struct finding *finding, const struct ftri_bytes *all,
                     const struct place *places, size_t n, struct ftri_bytes *rows)
{
    const struct mention *mentions = (const struct mention *)(const void *)all->data;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        const struct store_span_id *wanted = &finding->wanted->spans[places[i].n];
        size_t first;
        const size_t n_found = mentions_find(mentions, all->len / sizeof *mentions,
                                             mention_hash(wanted->trace_id.bytes), &first);
        for (size_t j = first; j < first + n_found && r == 0; j++)
            r = ftri_bytes_append(rows, &mentions[j].row, sizeof mentions[j].row);
    }
    return r;
}

static int find_in_block(void *argument, int64_t id, const struct place *places, size_t n)
{
    struct finding *finding = argument;
    const size_t n_before = finding->out->len;
    if (is_late(finding->wanted->deadline_ns))
        return -ETIMEDOUT;
    struct ftri_bytes piece, mentions, rows;
    ftri_bytes_init(&mentions, SIZE_MAX / 2);
    ftri_bytes_init(&rows, SIZE_MAX / 2);
    int r = sqlite_read_piece(finding->sqlite, id, BLOCK_MENTIONS, &piece);
    if (r == 0)
        r = mentions_read(ftri_bytes_view(&piece), &mentions);
    if (r == 0)
        r = find_rows(finding, &mentions, places, n, &rows);
    ftri_bytes_deinit(&piece);
    ftri_bytes_deinit(&mentions);
    if (r == 0)
        r = look_at_rows(finding, id, &rows);
    ftri_bytes_deinit(&rows);
    if (r < 0)
        finding->out->len = n_before;
    return sqlite_pass_over(finding->sqlite, r);
}

int sqlite_find_results(struct store *self, const struct store_wanted *wanted,
                        struct ftri_bytes *out)
{
    struct finding finding = {self->backend, wanted, out};
    struct ftri_bytes places FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&places, SIZE_MAX / 2);
    int r = 0;
    for (size_t i = 0; i < wanted->n && r == 0; i++) {
        const uint8_t *trace_id = wanted->spans[i].trace_id.bytes;
        if (i == 0 || memcmp(trace_id, &wanted->spans[i - 1].trace_id, 16) != 0)
            r = add_places(&finding.sqlite->directory, DIRECTORY_MENTIONS, trace_id, i, &places);
    }
    return r == 0 ? places_each(&places, find_in_block, &finding) : r;
}

/* --- what was there ------------------------------------------------------------------------ */

struct explaining {
    struct sqlite_store *sqlite;
    const struct store_span_id *spans;
    uint8_t *absences;
};

static int read_ghost(struct sqlite_store *sqlite, int64_t id, struct ftri_bytes *ret_hashes)
{
    struct reader *reader;
    struct ftri_bytes packed;
    ftri_bytes_init(&packed, SIZE_MAX / 2);
    *ret_hashes = (struct ftri_bytes){0};
    int r = readers_take(&sqlite->readers, &reader);
    if (r < 0)
        return r;
    r = database_read_ghost(reader->database, id, &packed);
    if (r == 0)
        r = block_unpack(ftri_bytes_view(&packed), reader->zstd, ret_hashes);
    readers_give(&sqlite->readers, reader);
    ftri_bytes_deinit(&packed);
    return r;
}

static int look_at_ghost(void *argument, int64_t id, const struct place *places, size_t n)
{
    const struct explaining *self = argument;
    struct ftri_bytes hashes;
    const int r = read_ghost(self->sqlite, id, &hashes);
    for (size_t i = 0; i < n && r == 0; i++) {
        const struct store_span_id *span = &self->spans[places[i].n];
        const uint64_t hash = ghost_hash(span->trace_id.bytes, span->span_id.bytes);
        if (block_hashes_have(ftri_bytes_view(&hashes), hash))
            self->absences[places[i].n] = STORE_ABSENCE_REMOVED;
    }
    ftri_bytes_deinit(&hashes);
    return sqlite_pass_over(self->sqlite, r);
}

/* Every block that ever was is there or has left a ghost; else some have been forgotten. Looked at
 * in the order in which a block goes through them: number, directory, ghosts. */
static bool has_forgotten(struct sqlite_store *sqlite)
{
    struct store_statistics blocks = {0}, ghosts = {0};
    const int64_t last_id = atomic_load(&sqlite->last_id);
    directory_count(&sqlite->directory, &blocks);
    directory_count(&sqlite->ghosts, &ghosts);
    return blocks.n_blocks + ghosts.n_blocks < (uint64_t)last_id;
}

int sqlite_explain_absence(struct store *self, const struct store_span_id *spans, size_t n,
                           uint8_t *ret_absences)
{
    struct explaining explaining = {self->backend, spans, ret_absences};
    struct ftri_bytes places FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&places, SIZE_MAX / 2);
    const enum store_absence otherwise =
        has_forgotten(explaining.sqlite) ? STORE_ABSENCE_UNKNOWN : STORE_ABSENCE_NEVER;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        ret_absences[i] = otherwise;
        r = add_places(&explaining.sqlite->ghosts, DIRECTORY_TRACES, spans[i].trace_id.bytes, i,
                       &places);
    }
    return r == 0 ? places_each(&places, look_at_ghost, &explaining) : r;
}
