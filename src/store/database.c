/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

enum {
    SCHEMA_VERSION = 3,
    BUSY_TIMEOUT_MS = 5000,
    SHRINK_PAGES = 2048, /* at once */
    FREE_SHARE = 8,      /* an eighth of the file may be free */
    JOURNAL_BYTES = 64 << 20,
    LEDGER_TRIM = 1000,
};

/* migrations[i] takes version i to i + 1. */
static const char *const migrations[SCHEMA_VERSION] = {
    "CREATE TABLE blocks ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " n_spans INTEGER NOT NULL, n_traces INTEGER NOT NULL,"
    " start_min INTEGER NOT NULL, start_max INTEGER NOT NULL, duration_max INTEGER NOT NULL,"
    " order_max INTEGER NOT NULL, received_max INTEGER NOT NULL, statuses INTEGER NOT NULL,"
    " size INTEGER NOT NULL, names BLOB NOT NULL, hashes BLOB NOT NULL);"
    "CREATE TABLE pieces ("
    " id INTEGER PRIMARY KEY, columns BLOB NOT NULL, bodies BLOB NOT NULL);",
    "ALTER TABLE blocks ADD COLUMN mentions BLOB;"
    "CREATE TABLE ghosts ("
    " id INTEGER PRIMARY KEY, size INTEGER NOT NULL, hashes BLOB NOT NULL, spans BLOB NOT NULL);",
    "CREATE TABLE ledger ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, \"end\" INTEGER NOT NULL,"
    " received INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE INDEX ledger_end ON ledger (\"end\");",
};

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_INSERT_BLOCK,
    STATEMENT_INSERT_PIECES,
    STATEMENT_REMOVE_BLOCK,
    STATEMENT_REMOVE_PIECES,
    STATEMENT_LIST,
    STATEMENT_READ_HASHES,
    STATEMENT_READ_MENTIONS,
    STATEMENT_READ_NAMES,
    STATEMENT_READ_COLUMNS,
    STATEMENT_READ_BODIES,
    STATEMENT_SET_MENTIONS,
    STATEMENT_INSERT_GHOST,
    STATEMENT_REMOVE_GHOST,
    STATEMENT_LIST_GHOSTS,
    STATEMENT_READ_GHOST,
    STATEMENT_INSERT_LEDGER,
    STATEMENT_TRIM_LEDGER,
    STATEMENT_LIST_LEDGER,
    N_STATEMENTS
};

static const char *const statements[N_STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_INSERT_BLOCK] =
        "INSERT INTO blocks (n_spans, n_traces, start_min, start_max, duration_max, order_max,"
        " received_max, statuses, size, names, hashes, mentions)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_INSERT_PIECES] = "INSERT INTO pieces (id, columns, bodies) VALUES (?,?,?)",
    [STATEMENT_REMOVE_BLOCK] = "DELETE FROM blocks WHERE id = ?",
    [STATEMENT_REMOVE_PIECES] = "DELETE FROM pieces WHERE id = ?",
    [STATEMENT_LIST] = "SELECT id, n_spans, n_traces, start_min, start_max, duration_max,"
                       " order_max, received_max, statuses, size, names, hashes, mentions"
                       " FROM blocks ORDER BY id",
    [STATEMENT_READ_HASHES] = "SELECT hashes FROM blocks WHERE id = ?",
    [STATEMENT_READ_MENTIONS] = "SELECT mentions FROM blocks WHERE id = ?",
    [STATEMENT_READ_NAMES] = "SELECT names FROM blocks WHERE id = ?",
    [STATEMENT_READ_COLUMNS] = "SELECT columns FROM pieces WHERE id = ?",
    [STATEMENT_READ_BODIES] = "SELECT bodies FROM pieces WHERE id = ?",
    [STATEMENT_SET_MENTIONS] = "UPDATE blocks SET mentions = ? WHERE id = ?",
    [STATEMENT_INSERT_GHOST] = "INSERT INTO ghosts (id, size, hashes, spans) VALUES (?,?,?,?)",
    [STATEMENT_REMOVE_GHOST] = "DELETE FROM ghosts WHERE id = ?",
    [STATEMENT_LIST_GHOSTS] = "SELECT id, size, hashes FROM ghosts ORDER BY id",
    [STATEMENT_READ_GHOST] = "SELECT spans FROM ghosts WHERE id = ?",
    [STATEMENT_INSERT_LEDGER] =
        "INSERT OR IGNORE INTO ledger (key, \"end\", received, value) VALUES (?,?,?,?)",
    /* Ids are nearly without gaps. */
    [STATEMENT_TRIM_LEDGER] = "DELETE FROM ledger WHERE id IN (SELECT id FROM"
                              " (SELECT id, received FROM ledger ORDER BY id LIMIT ?1)"
                              " WHERE received < ?2 OR id <= (SELECT max(id) FROM ledger) - ?3)",
    [STATEMENT_LIST_LEDGER] = "SELECT key, value, received FROM ledger WHERE \"end\" > ?",
};

struct database {
    sqlite3 *connection;
    sqlite3_stmt *prepared[N_STATEMENTS];
};

static int to_errno(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return -EACCES;
    case SQLITE_TOOBIG:
        return -EMSGSIZE;
    default:
        return -EIO;
    }
}

static int execute(struct database *self, const char *sql)
{
    return to_errno(sqlite3_exec(self->connection, sql, NULL, NULL, NULL));
}

/* The one number that a PRAGMA answers. */
static int read_number(struct database *self, const char *sql, int *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->connection, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return to_errno(code);
}

static int migrate_one(struct database *self, int version)
{
    char set_version[64];
    sqlite3_snprintf(sizeof set_version, set_version, "PRAGMA user_version = %d", version + 1);
    int r = execute(self, "BEGIN IMMEDIATE");
    if (r == 0)
        r = execute(self, migrations[version]);
    if (r == 0)
        r = execute(self, set_version);
    if (r == 0)
        r = execute(self, "COMMIT");
    if (r < 0)
        (void)execute(self, "ROLLBACK");
    return r;
}

static int migrate(struct database *self, const char *path, struct ftri_error *error)
{
    int version = 0;
    int r = read_number(self, "PRAGMA user_version", &version);
    if (r == 0 && version > SCHEMA_VERSION)
        return ftri_error_set(error, -EPROTO,
                              "%.300s has schema version %d; this program knows up to %d: use a "
                              "newer one, or another directory",
                              path, version, SCHEMA_VERSION);
    for (; r == 0 && version < SCHEMA_VERSION; version++)
        r = migrate_one(self, version);
    if (r == -EBADMSG)
        return ftri_error_set(error, r,
                              "%.300s is not a database, or is damaged; move it away to start "
                              "with an empty store",
                              path);
    return r < 0 ? ftri_error_set(error, r, "preparing %.300s: %s", path,
                                  sqlite3_errmsg(self->connection))
                 : 0;
}

static int prepare(struct database *self)
{
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        const int code = sqlite3_prepare_v3(self->connection, statements[i], -1,
                                            SQLITE_PREPARE_PERSISTENT, &self->prepared[i], NULL);
        if (code != SQLITE_OK)
            return to_errno(code);
    }
    return 0;
}

/* A failure shows when the schema is read. auto_vacuum counts only before the first table. */
static void configure(struct database *self)
{
    char journal_limit[64];
    sqlite3_snprintf(sizeof journal_limit, journal_limit, "PRAGMA journal_size_limit = %d",
                     JOURNAL_BYTES);
    (void)execute(self, "PRAGMA auto_vacuum = INCREMENTAL");
    (void)execute(self, "PRAGMA journal_mode = WAL");
    (void)execute(self, "PRAGMA synchronous = FULL");
    (void)execute(self, journal_limit);
}

static int open_connection(struct database *self, const char *path, struct ftri_error *error)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &self->connection, flags, NULL);
    if (code != SQLITE_OK)
        return ftri_error_set(error, to_errno(code), "opening %.300s: %s", path,
                              self->connection ? sqlite3_errmsg(self->connection)
                                               : "memory is short");
    sqlite3_busy_timeout(self->connection, BUSY_TIMEOUT_MS);
    if (sqlite3_db_readonly(self->connection, "main"))
        return ftri_error_set(error, -EACCES, "opening %.300s: the file cannot be written", path);
    configure(self);
    int r = migrate(self, path, error);
    if (r < 0)
        return r;
    r = prepare(self);
    return r < 0 ? ftri_error_set(error, r, "%.300s holds other tables than expected: %s", path,
                                  sqlite3_errmsg(self->connection))
                 : 0;
}

int database_open(const char *path, struct database **ret_database, struct ftri_error *error)
{
    struct database *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_errno(error, -ENOMEM, "opening %.300s", path);
    const int r = open_connection(self, path, error);
    if (r < 0) {
        database_close(self);
        return r;
    }
    *ret_database = self;
    return 0;
}

void database_close(struct database *self)
{
    if (!self)
        return;
    for (size_t i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(self->prepared[i]);
    sqlite3_close(self->connection);
    ftri_free(self);
}

/* One step of a statement that answers nothing. */
static int step(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return to_errno(code);
}

int database_begin(struct database *self)
{
    return step(self->prepared[STATEMENT_BEGIN]);
}

int database_commit(struct database *self)
{
    return step(self->prepared[STATEMENT_COMMIT]);
}

void database_rollback(struct database *self)
{
    if (!sqlite3_get_autocommit(self->connection))
        (void)step(self->prepared[STATEMENT_ROLLBACK]);
}

static void bind_blob(sqlite3_stmt *statement, int column, const struct ftri_bytes *bytes)
{
    sqlite3_bind_blob64(statement, column, bytes->len ? (const void *)bytes->data : "", bytes->len,
                        SQLITE_STATIC);
}

static int insert_summary(struct database *self, const struct block *block,
                          const struct block_entry *entry)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_INSERT_BLOCK];
    const struct block_summary *summary = &block->summary;
    const uint64_t values[] = {
        summary->n_spans,         summary->n_traces,
        summary->start_min_ns,    summary->start_max_ns,
        summary->duration_max_ns, summary->order_max,
        entry->received_max_ns,   (uint64_t)(summary->has_error | summary->has_ok << 1),
        entry->n_bytes,
    };
    int column = 1;
    for (size_t i = 0; i < FTRI_COUNT(values); i++)
        sqlite3_bind_int64(statement, column++, (sqlite3_int64)values[i]);
    bind_blob(statement, column++, &block->packed[BLOCK_NAMES]);
    bind_blob(statement, column++, &block->packed[BLOCK_HASHES]);
    bind_blob(statement, column, &block->packed[BLOCK_MENTIONS]);
    return step(statement);
}

int database_insert(struct database *self, const struct block *block, uint64_t received_max_ns,
                    struct block_entry *ret_entry)
{
    struct block_entry entry = {.summary = block->summary, .received_max_ns = received_max_ns};
    for (size_t i = 0; i < N_BLOCK_PIECES; i++)
        entry.n_bytes += block->packed[i].len;
    int r = insert_summary(self, block, &entry);
    if (r < 0)
        return r;
    entry.id = sqlite3_last_insert_rowid(self->connection);
    sqlite3_stmt *statement = self->prepared[STATEMENT_INSERT_PIECES];
    sqlite3_bind_int64(statement, 1, entry.id);
    bind_blob(statement, 2, &block->packed[BLOCK_COLUMNS]);
    bind_blob(statement, 3, &block->packed[BLOCK_BODIES]);
    r = step(statement);
    if (r == 0)
        *ret_entry = entry;
    return r;
}

static int remove_row(sqlite3_stmt *statement, int64_t id)
{
    sqlite3_bind_int64(statement, 1, id);
    return step(statement);
}

int database_remove(struct database *self, int64_t id)
{
    const int r = remove_row(self->prepared[STATEMENT_REMOVE_BLOCK], id);
    return r < 0 ? r : remove_row(self->prepared[STATEMENT_REMOVE_PIECES], id);
}

int database_shrink(struct database *self)
{
    char sql[64];
    int n_free = 0, n_pages = 0;
    int r = read_number(self, "PRAGMA freelist_count", &n_free);
    if (r == 0)
        r = read_number(self, "PRAGMA page_count", &n_pages);
    if (r < 0 || n_free <= n_pages / FREE_SHARE)
        return r;
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA incremental_vacuum(%d)",
                     n_free < SHRINK_PAGES ? n_free : SHRINK_PAGES);
    return execute(self, sql);
}

/* Borrowed until the statement's next step. False: memory is short, or the page is damaged. */
static bool read_blob(sqlite3_stmt *statement, int column, struct ftri_view *ret_blob)
{
    const void *data = sqlite3_column_blob(statement, column);
    *ret_blob = ftri_view_of(data, data ? (size_t)sqlite3_column_bytes(statement, column) : 0);
    return data || sqlite3_column_bytes(statement, column) == 0;
}

static void read_entry(sqlite3_stmt *statement, struct block_entry *ret_entry)
{
    uint64_t values[10];
    for (int i = 0; i < 10; i++)
        values[i] = (uint64_t)sqlite3_column_int64(statement, i);
    *ret_entry = (struct block_entry){
        .id = (int64_t)values[0],
        .summary = {.n_spans = values[1],
                    .n_traces = values[2],
                    .start_min_ns = values[3],
                    .start_max_ns = values[4],
                    .duration_max_ns = values[5],
                    .order_max = values[6],
                    .has_error = (values[8] & 1) != 0,
                    .has_ok = (values[8] & 2) != 0},
        .received_max_ns = values[7],
        .n_bytes = values[9],
    };
}

static int report_row(struct database *self, database_each *each, void *argument)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_LIST];
    struct block_entry entry;
    struct block_listed pieces = {.has_mentions =
                                      sqlite3_column_type(statement, 12) != SQLITE_NULL};
    read_entry(statement, &entry);
    if (!read_blob(statement, 10, &pieces.names) || !read_blob(statement, 11, &pieces.hashes) ||
        !read_blob(statement, 12, &pieces.mentions))
        return to_errno(sqlite3_errcode(self->connection));
    return each(argument, &entry, &pieces);
}

static int list(struct database *self, enum statement which,
                int (*report)(struct database *self, database_each *each, void *argument),
                database_each *each, void *argument)
{
    sqlite3_stmt *statement = self->prepared[which];
    int code, r = 0;
    while (r == 0 && (code = sqlite3_step(statement)) != SQLITE_DONE)
        r = code == SQLITE_ROW ? report(self, each, argument) : to_errno(code);
    sqlite3_reset(statement);
    return r;
}

int database_list(struct database *self, database_each *each, void *argument)
{
    return list(self, STATEMENT_LIST, report_row, each, argument);
}

/* The one blob of a row by its id. */
static int read_one(struct database *self, enum statement which, int64_t id, struct ftri_bytes *out)
{
    sqlite3_stmt *statement = self->prepared[which];
    sqlite3_bind_int64(statement, 1, id);
    const int code = sqlite3_step(statement);
    int r = code == SQLITE_DONE ? -ENOENT : to_errno(code);
    struct ftri_view blob;
    if (r == 0 && !read_blob(statement, 0, &blob))
        r = to_errno(sqlite3_errcode(self->connection));
    else if (r == 0)
        r = ftri_bytes_append(out, blob.data, blob.len);
    sqlite3_reset(statement);
    return r;
}

int database_read(struct database *self, int64_t id, enum block_piece piece, struct ftri_bytes *out)
{
    static const enum statement readers[N_BLOCK_PIECES] = {
        [BLOCK_HASHES] = STATEMENT_READ_HASHES, [BLOCK_MENTIONS] = STATEMENT_READ_MENTIONS,
        [BLOCK_NAMES] = STATEMENT_READ_NAMES,   [BLOCK_COLUMNS] = STATEMENT_READ_COLUMNS,
        [BLOCK_BODIES] = STATEMENT_READ_BODIES,
    };
    return read_one(self, readers[piece], id, out);
}

int database_set_mentions(struct database *self, int64_t id, const struct ftri_bytes *packed)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_SET_MENTIONS];
    bind_blob(statement, 1, packed);
    sqlite3_bind_int64(statement, 2, id);
    return step(statement);
}

/* --- ghosts -------------------------------------------------------------------------------- */

int database_insert_ghost(struct database *self, const struct block_entry *ghost,
                          const struct ftri_bytes *hashes, const struct ftri_bytes *spans)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_INSERT_GHOST];
    sqlite3_bind_int64(statement, 1, ghost->id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)ghost->n_bytes);
    bind_blob(statement, 3, hashes);
    bind_blob(statement, 4, spans);
    return step(statement);
}

int database_remove_ghost(struct database *self, int64_t id)
{
    return remove_row(self->prepared[STATEMENT_REMOVE_GHOST], id);
}

static int report_ghost(struct database *self, database_each *each, void *argument)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_LIST_GHOSTS];
    const struct block_entry ghost = {.id = sqlite3_column_int64(statement, 0),
                                      .n_bytes = (uint64_t)sqlite3_column_int64(statement, 1)};
    struct block_listed pieces = {.has_mentions = false};
    if (!read_blob(statement, 2, &pieces.hashes))
        return to_errno(sqlite3_errcode(self->connection));
    return each(argument, &ghost, &pieces);
}

int database_list_ghosts(struct database *self, database_each *each, void *argument)
{
    return list(self, STATEMENT_LIST_GHOSTS, report_ghost, each, argument);
}

int database_read_ghost(struct database *self, int64_t id, struct ftri_bytes *out)
{
    return read_one(self, STATEMENT_READ_GHOST, id, out);
}

/* --- ledger -------------------------------------------------------------------------------- */

static void bind_view(sqlite3_stmt *statement, int column, struct ftri_view bytes)
{
    sqlite3_bind_blob64(statement, column, bytes.data, bytes.len, SQLITE_STATIC);
}

int database_insert_ledger(struct database *self, struct ftri_view key, struct ftri_view value,
                           uint64_t end_ns, uint64_t received_ns)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_INSERT_LEDGER];
    bind_view(statement, 1, key);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)end_ns);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)received_ns);
    bind_view(statement, 4, value);
    return step(statement);
}

int database_trim_ledger(struct database *self, uint64_t received_ns, uint64_t n_max,
                         uint64_t *ret_n)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_TRIM_LEDGER];
    sqlite3_bind_int64(statement, 1, LEDGER_TRIM);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)received_ns);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)n_max);
    const int r = step(statement);
    if (r == 0)
        *ret_n = (uint64_t)sqlite3_changes(self->connection);
    return r;
}

int database_list_ledger(struct database *self, uint64_t since_ns, database_each_ledger *each,
                         void *argument)
{
    sqlite3_stmt *statement = self->prepared[STATEMENT_LIST_LEDGER];
    struct ftri_view key, value;
    int code, r = 0;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)since_ns);
    while (r == 0 && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        if (code != SQLITE_ROW)
            r = to_errno(code);
        else if (!read_blob(statement, 0, &key) || !read_blob(statement, 1, &value))
            r = to_errno(sqlite3_errcode(self->connection));
        else
            r = each(argument, key, value, (uint64_t)sqlite3_column_int64(statement, 2));
    }
    sqlite3_reset(statement);
    return r;
}
