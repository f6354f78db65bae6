/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite backend, in three files: opening (sqlite.c), the writer's thread (sqlite_write.c), and
 * what readers do (sqlite_read.c). */
#pragma once

#include "store/class.h"
#include "store/directory.h"
#include "store/readers.h"

#include <stdatomic.h>

enum { SQLITE_ZSTD_LEVEL = 1 };

struct sqlite_store {
    struct directory directory;
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
};

/* The writer's thread: argument is the struct store. Ends when the store is closing. */
void *sqlite_write_run(void *argument);
void sqlite_write_wake(struct store *self, bool is_flush);

int sqlite_read_trace(struct store *self, const uint8_t trace_id[16],
                      struct result_builder *builder) FTRI_MUST_CHECK;
int sqlite_read_matches(struct store *self, struct match_set *matches) FTRI_MUST_CHECK;
int sqlite_read_names(struct store *self, struct name_set *set) FTRI_MUST_CHECK;
int sqlite_read_ledger(struct store *self, struct ledger_set *set) FTRI_MUST_CHECK;
/* The writer's: the rows of the first entries, inside its transaction; what is too old goes. */
int sqlite_write_ledger(struct store *self, size_t n_entries) FTRI_MUST_CHECK;
int sqlite_trim_ledger(struct store *self, uint64_t now_ns) FTRI_MUST_CHECK;
