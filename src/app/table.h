/* SPDX-License-Identifier: Apache-2.0
 *
 * A table for a terminal. Numbers stand on the right of their column and have commas; a column of
 * noughts is left out unless it has to be there; where a line would be too long, texts are cut with
 * an ellipsis, but never a number; what is said at a row's end goes to a line of its own if it
 * does not fit. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum { TABLE_COLUMNS_MAX = 12, TABLE_INDENT = 2 };

enum table_kind {
    TABLE_TEXT,
    TABLE_NUMBER, /* left out when all are 0 */
    TABLE_COUNT,  /* a number that is always there */
    TABLE_REMARK  /* the last column only: text of any length; left out when there is none */
};

struct table_column {
    const char *title;
    enum table_kind kind;
};

struct table_row {
    struct table_row *next;
    ftr_str cells[TABLE_COLUMNS_MAX];
};

struct table {
    struct ftri_arena arena;
    const struct table_column *columns;
    size_t n_columns;
    struct table_row *rows, **end;
};

void table_init(struct table *self, const struct table_column *columns, size_t n_columns);
void table_deinit(struct table *self);
/* A row of empty cells, to be filled; they belong to the table. NULL: memory is short. */
struct table_row *table_add(struct table *self) FTRI_MUST_CHECK;
int table_set(struct table *self, struct table_row *row, size_t column,
              ftr_str text) FTRI_MUST_CHECK;
int table_set_number(struct table *self, struct table_row *row, size_t column,
                     uint64_t number) FTRI_MUST_CHECK;
/* Nothing for a table without rows. width: of the terminal. */
int table_write(const struct table *self, size_t width, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Without control characters, which a terminal would obey. */
int table_append_printable(struct ftri_bytes *out, ftr_str text) FTRI_MUST_CHECK;
/* "1,234,567" */
enum { TABLE_NUMBER_BYTES = 32 };
size_t table_format_number(uint64_t number, char ret_text[TABLE_NUMBER_BYTES]);
