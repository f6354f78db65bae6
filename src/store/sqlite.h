/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite backend: opening (sqlite.c), the writer's thread (sqlite_write.c), what readers do
 * (sqlite_read.c), also for lineage (sqlite_lineage.c). */
#pragma once

#include "store/class.h"
#include "store/directory.h"
#include "store/readers.h"

#include <stdatomic.h>

enum { SQLITE_ZSTD_LEVEL = 1 };

struct sqlite_store {
    struct directory directory;
    struct directory ghosts; /* of removed blocks, by their ids */
    struct readers readers;
    /* The writer's. */
    struct database *writing;
    struct ftri_zstd *packer;
    pthread_t thread;
    bool is_running;
    /* Under the gather's mutex. */
    uint64_t flush_order; /* entries of lower orders are to be written without waiting */
    bool is_flush_asked;
    bool is_closing;
    _Atomic uint64_t n_errors, n_corrupt, n_expired;
    _Atomic int64_t last_id; /* of the blocks that ever were */
};

/* The writer's thread: argument is the struct store. Ends when the store is closing. */
void *sqlite_write_run(void *argument);
void sqlite_write_wake(struct store *self, bool is_flush);

/* A block of a reader: unpacked pieces (those that were asked for) and rows. */
struct sqlite_block {
    struct ftri_bytes pieces[N_BLOCK_PIECES];
    struct block_rows rows;
};
/* The pieces from the names up to the last one that is wanted, and the rows of a trace (NULL: all);
 * the caller's to deinit, also on failure. */
int sqlite_open_block(struct sqlite_store *sqlite, int64_t id, enum block_piece last,
                      const uint8_t *trace_id, struct sqlite_block *ret_block) FTRI_MUST_CHECK;
void sqlite_block_deinit(struct sqlite_block *self);
/* One piece, unpacked; the caller's to deinit, also on failure. */
int sqlite_read_piece(struct sqlite_store *sqlite, int64_t id, enum block_piece piece,
                      struct ftri_bytes *ret_plain) FTRI_MUST_CHECK;
/* 0 for a block that is damaged (counted) or gone. */
int sqlite_pass_over(struct sqlite_store *sqlite, int r) FTRI_MUST_CHECK;

int sqlite_read_trace(struct store *self, const uint8_t trace_id[16],
                      struct result_builder *builder) FTRI_MUST_CHECK;
int sqlite_read_matches(struct store *self, struct match_set *matches) FTRI_MUST_CHECK;
int sqlite_read_names(struct store *self, struct name_set *set) FTRI_MUST_CHECK;

/* Shows a ghost; room in its directory was made. Takes over the hashes of its traces. */
int sqlite_add_ghost(struct sqlite_store *sqlite, const struct block_entry *ghost,
                     struct ftri_bytes *hashes) FTRI_MUST_CHECK;

/* As store/lineage.h says, of blocks. */
int sqlite_read_lineage(struct store *self, const ftr_trace_id *traces, size_t n,
                        bool has_contributors, struct store_lineage *lineage) FTRI_MUST_CHECK;
int sqlite_find_results(struct store *self, const struct store_wanted *wanted,
                        struct ftri_bytes *out) FTRI_MUST_CHECK;
int sqlite_explain_absence(struct store *self, const struct store_span_id *spans, size_t n,
                           uint8_t *ret_absences) FTRI_MUST_CHECK;
int sqlite_read_ledger(struct store *self, struct ledger_set *set) FTRI_MUST_CHECK;
/* The writer's: the rows of the first entries, inside its transaction; what is too old goes. */
int sqlite_write_ledger(struct store *self, size_t n_entries) FTRI_MUST_CHECK;
int sqlite_trim_ledger(struct store *self, uint64_t now_ns) FTRI_MUST_CHECK;
