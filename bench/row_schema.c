/* SPDX-License-Identifier: Apache-2.0 */
#include "row_schema.h"

#include "codec/wire.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS_A_TRANSACTION = 5000, LAST_COLUMN_FIELD = 8 };

struct row_schema {
    sqlite3 *connection;
    sqlite3_stmt *insert;
    size_t n_rows; /* of the open transaction */
};

static void expect(bool is_good, sqlite3 *connection)
{
    if (is_good)
        return;
    fprintf(stderr, "row schema: %s\n", sqlite3_errmsg(connection));
    exit(1);
}

static void execute(const struct row_schema *self, const char *sql)
{
    expect(sqlite3_exec(self->connection, sql, NULL, NULL, NULL) == SQLITE_OK, self->connection);
}

struct row_schema *row_schema_open(const char *path)
{
    struct row_schema *self = calloc(1, sizeof *self);
    if (!self)
        exit(1);
    (void)unlink(path);
    expect(sqlite3_open(path, &self->connection) == SQLITE_OK, self->connection);
    execute(self, "PRAGMA journal_mode = WAL");
    execute(self, "PRAGMA synchronous = NORMAL");
    execute(self, "CREATE TABLE spans (trace_id BLOB, span_id BLOB, parent_span_id BLOB,"
                  " service TEXT, name TEXT, kind INTEGER, start_ns INTEGER, end_ns INTEGER,"
                  " status INTEGER, rest BLOB)");
    execute(self, "CREATE INDEX spans_by_trace ON spans (trace_id)");
    execute(self, "CREATE INDEX spans_by_start ON spans (start_ns)");
    expect(sqlite3_prepare_v2(self->connection, "INSERT INTO spans VALUES (?,?,?,?,?,?,?,?,?,?)",
                              -1, &self->insert, NULL) == SQLITE_OK,
           self->connection);
    execute(self, "BEGIN");
    return self;
}

void row_schema_close(struct row_schema *self)
{
    execute(self, "COMMIT");
    sqlite3_finalize(self->insert);
    expect(sqlite3_close(self->connection) == SQLITE_OK, self->connection);
    free(self);
}

/* What of the message is in no column: all behind the end time. */
static struct ftri_view rest_of(struct ftri_view message)
{
    struct ftri_wire_field field;
    size_t next = 0;
    size_t start = 0;
    while (ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD &&
           field.number <= LAST_COLUMN_FIELD)
        start = next;
    return ftri_view_of(message.data + start, message.len - start);
}

static void bind_text(sqlite3_stmt *statement, int column, ftr_str text)
{
    sqlite3_bind_text(statement, column, text.data, (int)text.len, SQLITE_STATIC);
}

void row_schema_insert(struct row_schema *self, const struct ftri_otlp_span *span, ftr_str service)
{
    sqlite3_stmt *row = self->insert;
    const struct ftri_view rest = rest_of(span->bytes);
    sqlite3_bind_blob(row, 1, span->trace_id, 16, SQLITE_STATIC);
    sqlite3_bind_blob(row, 2, span->span_id, 8, SQLITE_STATIC);
    sqlite3_bind_blob(row, 3, span->parent_span_id, span->parent_span_id ? 8 : 0, SQLITE_STATIC);
    bind_text(row, 4, service);
    bind_text(row, 5, span->name);
    sqlite3_bind_int(row, 6, span->kind);
    sqlite3_bind_int64(row, 7, (sqlite3_int64)span->start_time_ns);
    sqlite3_bind_int64(row, 8, (sqlite3_int64)span->end_time_ns);
    sqlite3_bind_int(row, 9, span->status_code);
    sqlite3_bind_blob(row, 10, rest.data, (int)rest.len, SQLITE_STATIC);
    expect(sqlite3_step(row) == SQLITE_DONE, self->connection);
    sqlite3_reset(row);
    if (++self->n_rows < ROWS_A_TRANSACTION)
        return;
    self->n_rows = 0;
    execute(self, "COMMIT; BEGIN");
}

double row_schema_ask(const char *path, const char *sql)
{
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    expect(sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, connection);
    expect(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK, connection);
    expect(sqlite3_step(statement) == SQLITE_ROW, connection);
    const double answer = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return answer;
}
