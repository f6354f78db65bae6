/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading blocks. What the directory does not rule out is read with a connection of the pool, which
 * is given back before anything else is done with the bytes. A block that does not decode is
 * counted and passed over; one that retention removed meanwhile is passed over. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <errno.h>

void sqlite_block_deinit(struct sqlite_block *self)
{
    block_rows_deinit(&self->rows);
    for (size_t i = 0; i < N_BLOCK_PIECES; i++)
        ftri_bytes_deinit(&self->pieces[i]);
}

static int read_piece(struct reader *reader, int64_t id, enum block_piece piece,
                      struct ftri_bytes *ret_plain)
{
    struct ftri_bytes packed;
    ftri_bytes_init(&packed, SIZE_MAX / 2);
    int r = database_read(reader->database, id, piece, &packed);
    if (r == 0)
        r = block_unpack(ftri_bytes_view(&packed), reader->zstd, ret_plain);
    ftri_bytes_deinit(&packed);
    return r;
}

/* The pieces from the names up to the last one that is wanted. */
static int read_pieces(struct sqlite_store *sqlite, int64_t id, enum block_piece last,
                       struct sqlite_block *ret_block)
{
    struct reader *reader;
    *ret_block = (struct sqlite_block){0};
    int r = readers_take(&sqlite->readers, &reader);
    if (r < 0)
        return r;
    for (enum block_piece piece = BLOCK_NAMES; piece <= last && r == 0; piece++)
        r = read_piece(reader, id, piece, &ret_block->pieces[piece]);
    readers_give(&sqlite->readers, reader);
    return r;
}

int sqlite_read_piece(struct sqlite_store *sqlite, int64_t id, enum block_piece piece,
                      struct ftri_bytes *ret_plain)
{
    struct reader *reader;
    *ret_plain = (struct ftri_bytes){0};
    int r = readers_take(&sqlite->readers, &reader);
    if (r < 0)
        return r;
    r = read_piece(reader, id, piece, ret_plain);
    readers_give(&sqlite->readers, reader);
    return r;
}

int sqlite_open_block(struct sqlite_store *sqlite, int64_t id, enum block_piece last,
                      const uint8_t *trace_id, struct sqlite_block *ret_block)
{
    const int r = read_pieces(sqlite, id, last, ret_block);
    return r < 0 ? r
                 : block_read_rows(ftri_bytes_view(&ret_block->pieces[BLOCK_NAMES]),
                                   ftri_bytes_view(&ret_block->pieces[BLOCK_COLUMNS]), trace_id,
                                   &ret_block->rows);
}

int sqlite_pass_over(struct sqlite_store *sqlite, int r)
{
    if (r == -EBADMSG)
        atomic_fetch_add(&sqlite->n_corrupt, 1);
    return r == -EBADMSG || r == -ENOENT ? 0 : r;
}

static int read_trace(struct sqlite_store *sqlite, int64_t id, const uint8_t trace_id[16],
                      struct result_builder *builder)
{
    struct sqlite_block block;
    const size_t n_before = builder->n_items;
    const bool is_judging = builder->query != NULL;
    int r =
        sqlite_open_block(sqlite, id, is_judging ? BLOCK_COLUMNS : BLOCK_BODIES, trace_id, &block);
    if (r == 0 && is_judging)
        r = block_judge_trace(&block.rows, &block.pieces[BLOCK_COLUMNS], trace_id, builder);
    else if (r == 0)
        r = block_read_trace(&block.rows, &block.pieces[BLOCK_BODIES], trace_id, builder);
    if (r < 0)
        builder->n_items = n_before;
    sqlite_block_deinit(&block);
    return sqlite_pass_over(sqlite, r);
}

int sqlite_read_trace(struct store *self, const uint8_t trace_id[16],
                      struct result_builder *builder)
{
    struct sqlite_store *sqlite = self->backend;
    int64_t *ids = NULL;
    size_t n = 0;
    int r = directory_find_trace(&sqlite->directory, DIRECTORY_TRACES, trace_id, &ids, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        r = read_trace(sqlite, ids[i], trace_id, builder);
    ftri_free(ids);
    return r;
}

static int match_rows(const struct block_rows *rows, struct match_set *matches)
{
    struct candidates candidates = {0};
    int r = 0;
    for (size_t i = 0; i < rows->n_rows && r == 0; i++) {
        const struct block_row *row = &rows->rows[i];
        if (match_span(matches->query, &row->fields))
            r = candidates_add(&candidates, row->trace_id, row->fields.start_ns,
                               !match_is_fragment(&row->fields));
    }
    if (r == 0)
        r = match_take(matches, &candidates);
    candidates_deinit(&candidates);
    return r;
}

static int match_block(struct sqlite_store *sqlite, int64_t id, struct match_set *matches)
{
    struct sqlite_block block;
    int r = sqlite_open_block(sqlite, id, BLOCK_COLUMNS, NULL, &block);
    if (r == 0)
        r = match_rows(&block.rows, matches);
    sqlite_block_deinit(&block);
    return sqlite_pass_over(sqlite, r);
}

int sqlite_read_matches(struct store *self, struct match_set *matches)
{
    struct sqlite_store *sqlite = self->backend;
    struct block_candidate *blocks = NULL;
    size_t n = 0;
    int r = directory_find_candidates(&sqlite->directory, matches->query, &blocks, &n);
    for (size_t i = 0; i < n && r == 0; i++) {
        if (match_is_complete(matches, blocks[i].start_max_ns))
            break;
        r = match_block(sqlite, blocks[i].id, matches);
    }
    ftri_free(blocks);
    return r;
}

static int add_name(void *argument, ftr_str service, ftr_str name)
{
    return name_add(argument, service, name);
}

int sqlite_read_names(struct store *self, struct name_set *set)
{
    struct sqlite_store *sqlite = self->backend;
    const struct store_query query = {.service = set->service, .limit = 1};
    struct block_candidate *blocks = NULL;
    size_t n = 0;
    int r = directory_find_candidates(&sqlite->directory, &query, &blocks, &n);
    for (size_t i = 0; i < n && r == 0; i++) {
        struct sqlite_block block;
        r = read_pieces(sqlite, blocks[i].id, BLOCK_NAMES, &block);
        if (r == 0)
            r = block_read_names(ftri_bytes_view(&block.pieces[BLOCK_NAMES]), add_name, set);
        sqlite_block_deinit(&block);
        r = sqlite_pass_over(sqlite, r);
    }
    ftri_free(blocks);
    return r;
}
