/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite file: the only module that includes sqlite3.h.
 *
 *   blocks  id, n_spans, n_traces, start_min, start_max, duration_max, order_max, received_max,
 *           statuses (1: has error, 2: has ok), size, names, hashes, mentions
 *           (NULL: the block is of version 1, they are still to be made)
 *
 *   pieces  id of the block, columns, bodies  (apart, so that listing blocks skips them)
 *
 *   ghosts  id of a block that retention removed, size, and what tells that a span was in it:
 *           hashes of its traces, hashes of its spans
 *
 *   ledger  id, key, end, received, value     (a row each, otlp/ledger.h; ids rise)
 *
 * user_version is the schema's version; migrations are run one by one in one transaction each.
 * A connection belongs to one thread at a time. WAL journal, synchronous=FULL: a committed block is
 * on disk. All return 0 or a negated errno: -ENOSPC, -EIO, -EBUSY, -ENOMEM, -EBADMSG (corrupt). */
#pragma once

#include "store/block.h"

struct database;

/* What of a block is known without unpacking it. */
struct block_entry {
    int64_t id;
    struct block_summary summary;
    uint64_t received_max_ns;
    uint64_t n_bytes; /* all pieces together */
};

int database_open(const char *path, struct database **ret_database,
                  struct ftri_error *error) FTRI_MUST_CHECK;
void database_close(struct database *self);

int database_begin(struct database *self) FTRI_MUST_CHECK;
int database_commit(struct database *self) FTRI_MUST_CHECK;
void database_rollback(struct database *self);
/* Inside a transaction. */
int database_insert(struct database *self, const struct block *block, uint64_t received_max_ns,
                    struct block_entry *ret_entry) FTRI_MUST_CHECK;
int database_remove(struct database *self, int64_t id) FTRI_MUST_CHECK;
/* Gives room of removed blocks back to the file system when it is much, a bounded piece of it; the
 * rest is used by the next blocks. */
int database_shrink(struct database *self) FTRI_MUST_CHECK;

/* Packed pieces, borrowed. */
struct block_listed {
    struct ftri_view names, hashes, mentions;
    bool has_mentions;
};
/* Calls back for every block by id; stops at the first result below 0. */
typedef int database_each(void *argument, const struct block_entry *entry,
                          const struct block_listed *pieces);
int database_list(struct database *self, database_each *each, void *argument) FTRI_MUST_CHECK;
/* A packed piece of one block, appended. -ENOENT: the block is gone. */
int database_read(struct database *self, int64_t id, enum block_piece piece,
                  struct ftri_bytes *out) FTRI_MUST_CHECK;

/* Inside a transaction: a ledger row, unless it is there. */
int database_insert_ledger(struct database *self, struct ftri_view key, struct ftri_view value,
                           uint64_t end_ns, uint64_t received_ns) FTRI_MUST_CHECK;
/* Removes up to 1,000 of the oldest ledger rows: those received before a time, and as many as there
 * are beyond n_max. */
int database_trim_ledger(struct database *self, uint64_t received_ns, uint64_t n_max,
                         uint64_t *ret_n) FTRI_MUST_CHECK;
/* Calls back for every row that ends after a time, borrowed; stops at the first result below 0. */
typedef int database_each_ledger(void *argument, struct ftri_view key, struct ftri_view value,
                                 uint64_t received_ns);
int database_list_ledger(struct database *self, uint64_t since_ns, database_each_ledger *each,
                         void *argument) FTRI_MUST_CHECK;
/* Of a block of version 1. */
int database_set_mentions(struct database *self, int64_t id,
                          const struct ftri_bytes *packed) FTRI_MUST_CHECK;

/* Ghosts; what is packed is up to their owner. Inside a transaction. */
int database_insert_ghost(struct database *self, const struct block_entry *ghost,
                          const struct ftri_bytes *hashes,
                          const struct ftri_bytes *spans) FTRI_MUST_CHECK;
/* One of its own, if there is none. */
int database_remove_ghost(struct database *self, int64_t id) FTRI_MUST_CHECK;
/* By id, with hashes only. */
int database_list_ghosts(struct database *self, database_each *each,
                         void *argument) FTRI_MUST_CHECK;
/* The packed spans of one, appended. -ENOENT: it is gone. */
int database_read_ghost(struct database *self, int64_t id, struct ftri_bytes *out) FTRI_MUST_CHECK;
