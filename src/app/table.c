/* SPDX-License-Identifier: Apache-2.0 */
#include "app/table.h"

#include "query/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_BYTES_MAX = 256 << 20, TEXT_COLUMNS_MIN = 8, GAP = 2, REMARK_INDENT = 6 };

void table_init(struct table *self, const struct table_column *columns, size_t n_columns)
{
    *self = (struct table){.columns = columns, .n_columns = n_columns};
    self->end = &self->rows;
    ftri_arena_init(&self->arena, ARENA_BYTES_MAX);
}

void table_deinit(struct table *self)
{
    ftri_arena_deinit(&self->arena);
}

struct table_row *table_add(struct table *self)
{
    struct table_row *row = ftri_arena_alloc(&self->arena, sizeof *row);
    if (!row)
        return NULL;
    *row = (struct table_row){.next = NULL};
    *self->end = row;
    self->end = &row->next;
    return row;
}

int table_set(struct table *self, struct table_row *row, size_t column, ftr_str text)
{
    row->cells[column] = ftri_arena_copy(&self->arena, text);
    return row->cells[column].data ? 0 : -ENOMEM;
}

size_t table_format_number(uint64_t number, char ret_text[TABLE_NUMBER_BYTES])
{
    char digits[24];
    const size_t n = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            ret_text[len++] = ',';
        ret_text[len++] = digits[i];
    }
    ret_text[len] = '\0';
    return len;
}

int table_set_number(struct table *self, struct table_row *row, size_t column, uint64_t number)
{
    char text[TABLE_NUMBER_BYTES];
    const size_t len = table_format_number(number, text);
    return table_set(self, row, column, (ftr_str){text, len});
}

static bool is_number(const struct table *self, size_t column)
{
    const enum table_kind kind = self->columns[column].kind;
    return kind == TABLE_NUMBER || kind == TABLE_COUNT;
}

/* Whether there is something to be seen in it. */
static bool is_shown(const struct table *self, size_t column)
{
    const enum table_kind kind = self->columns[column].kind;
    bool is_shown = kind == TABLE_TEXT || kind == TABLE_COUNT;
    for (const struct table_row *row = self->rows; row && !is_shown; row = row->next) {
        const ftr_str cell = row->cells[column];
        is_shown = cell.len > 0 && !(cell.len == 1 && cell.data[0] == '0');
    }
    return is_shown;
}

/* 0: the column is left out. */
static size_t natural_width(const struct table *self, size_t column)
{
    if (!is_shown(self, column))
        return 0;
    size_t width = strlen(self->columns[column].title);
    for (const struct table_row *row = self->rows; row; row = row->next)
        width = ftri_size_max(width, text_columns(row->cells[column], SIZE_MAX / 2));
    return width;
}

/* Texts give way, the widest first. The remark's column does not count. */
static void fit(const struct table *self, size_t limit, size_t *widths)
{
    for (;;) {
        size_t sum = TABLE_INDENT, widest = SIZE_MAX;
        for (size_t i = 0; i < self->n_columns; i++) {
            if (self->columns[i].kind == TABLE_REMARK || widths[i] == 0)
                continue;
            sum += widths[i] + GAP;
            if (self->columns[i].kind == TABLE_TEXT && widths[i] > TEXT_COLUMNS_MIN &&
                (widest == SIZE_MAX || widths[i] > widths[widest]))
                widest = i;
        }
        if (sum <= limit + GAP || widest == SIZE_MAX)
            return;
        const size_t excess = sum - limit - GAP;
        widths[widest] -= ftri_size_min(excess, widths[widest] - TEXT_COLUMNS_MIN);
    }
}

/* Returns the columns that the line has now. Blanks are put in front of what follows only. */
static size_t put_cell(struct text *text, ftr_str cell, size_t width, bool is_right, size_t *blanks)
{
    const size_t columns = ftri_size_min(text_columns(cell, SIZE_MAX / 2), width);
    const size_t rest = width - columns;
    const size_t before = *blanks + (is_right ? rest : 0);
    *blanks = (is_right ? 0 : rest) + GAP;
    if (cell.len == 0) {
        *blanks += before;
        return 0;
    }
    text_put_spaces(text, before);
    return before + text_put_printable(text, cell, width);
}

static void put_remark(struct text *text, ftr_str remark, size_t at, size_t blanks)
{
    const size_t columns = text_columns(remark, SIZE_MAX / 2);
    if (remark.len == 0)
        return;
    if (at + blanks + columns > text->columns) {
        text_put_words(text, "\n");
        blanks = REMARK_INDENT;
    }
    text_put_spaces(text, blanks);
    text_put_printable(text, remark, ftri_size_max(columns, 1));
}

static void put_line(const struct table *self, struct text *text, const size_t *widths,
                     const ftr_str *cells)
{
    size_t at = 0, blanks = TABLE_INDENT;
    for (size_t i = 0; i < self->n_columns; i++) {
        if (widths[i] == 0)
            continue;
        if (self->columns[i].kind == TABLE_REMARK)
            put_remark(text, cells[i], at, blanks);
        else
            at += put_cell(text, cells[i], widths[i], is_number(self, i), &blanks);
    }
    text_put_words(text, "\n");
}

int table_append_printable(struct ftri_bytes *out, ftr_str text)
{
    struct text printed = {.out = out};
    text_put_printable(&printed, text, SIZE_MAX / 2);
    return printed.error;
}

int table_write(const struct table *self, size_t width, struct ftri_bytes *out)
{
    struct text text = {.out = out, .columns = width};
    size_t widths[TABLE_COLUMNS_MAX];
    ftr_str titles[TABLE_COLUMNS_MAX];
    if (!self->rows)
        return 0;
    for (size_t i = 0; i < self->n_columns; i++) {
        widths[i] = natural_width(self, i);
        titles[i] = ftr_str_from(self->columns[i].title);
    }
    fit(self, width, widths);
    put_line(self, &text, widths, titles);
    for (const struct table_row *row = self->rows; row; row = row->next)
        put_line(self, &text, widths, row->cells);
    return text.error;
}
