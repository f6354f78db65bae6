/* SPDX-License-Identifier: Apache-2.0
 *
 * Ledger rows in SQLite. They have an eighth of the bytes that retention allows, at what a row
 * takes with names of usual length. */
#include "store/sqlite.h"

#include "otlp/ledger.h"
#include "base/payload.h"
#include "store/ledger_set.h"

#include <errno.h>

enum { ROW_BYTES = 256, LEDGER_SHARE = 8, PAIR_BYTES = 4096, TRIMS_AT_ONCE = 100 };

struct inserting {
    struct database *database;
    uint64_t received_ns;
    struct ftri_bytes key, value;
};

static int insert_row(void *argument, const struct ledger_row *row)
{
    struct inserting *self = argument;
    ftri_bytes_reset(&self->key);
    ftri_bytes_reset(&self->value);
    int r = ledger_write_key(row, &self->key);
    if (r == 0)
        r = ledger_write_value(row, &self->value);
    return r < 0 ? r
                 : database_insert_ledger(self->database, ftri_bytes_view(&self->key),
                                          ftri_bytes_view(&self->value), row->end_ns,
                                          self->received_ns);
}

int sqlite_write_ledger(struct store *self, size_t n_entries)
{
    struct sqlite_store *sqlite = self->backend;
    struct inserting inserting = {.database = sqlite->writing};
    ftri_bytes_init(&inserting.key, PAIR_BYTES);
    ftri_bytes_init(&inserting.value, PAIR_BYTES);
    const struct gathered *entry = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_entries; i++) {
        entry = gather_next(&self->gather, entry);
        inserting.received_ns = entry->received_ns;
        if (entry->is_ledger)
            r = ledger_read(ftri_payload_view(entry->payload), insert_row, &inserting);
    }
    ftri_bytes_deinit(&inserting.key);
    ftri_bytes_deinit(&inserting.value);
    return r;
}

int sqlite_trim_ledger(struct store *self, uint64_t now_ns)
{
    const struct sqlite_store *sqlite = self->backend;
    const struct store_options *options = &self->options;
    const uint64_t oldest_ns = options->retention_ns && options->retention_ns < now_ns
                                   ? now_ns - options->retention_ns
                                   : 0;
    const uint64_t n_max =
        options->retention_bytes ? options->retention_bytes / LEDGER_SHARE / ROW_BYTES : INT64_MAX;
    uint64_t n = 1;
    int r = 0;
    for (size_t i = 0; r == 0 && n > 0 && i < TRIMS_AT_ONCE; i++)
        r = database_trim_ledger(sqlite->writing, oldest_ns, n_max, &n);
    return r;
}

struct reading {
    struct sqlite_store *sqlite;
    struct ledger_set *set;
};

static int read_row(void *argument, struct ftri_view key, struct ftri_view value,
                    uint64_t received_ns)
{
    const struct reading *self = argument;
    const int r = ledger_set_add_pair(self->set, key, value, received_ns);
    if (r == -EBADMSG)
        atomic_fetch_add(&self->sqlite->n_corrupt, 1);
    return r == -EBADMSG ? 0 : r;
}

int sqlite_read_ledger(struct store *self, struct ledger_set *set)
{
    struct sqlite_store *sqlite = self->backend;
    struct reading reading = {sqlite, set};
    struct reader *reader;
    int r = readers_take(&sqlite->readers, &reader);
    if (r < 0)
        return r;
    r = database_list_ledger(reader->database, set->since_ns, read_row, &reading);
    readers_give(&sqlite->readers, reader);
    return r;
}
