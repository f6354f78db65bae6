/* SPDX-License-Identifier: Apache-2.0 */
#include "app/loss_table.h"

#include "app/client.h"
#include "codec/json_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 4096 };

enum { EDGE, SENT, AGAIN, RECEIVED, IN_FLIGHT, LOST, EDGE_UNKNOWN, EDGE_STATE };
enum { NODE, GOT, CREATED, FORWARDED, ABSORBED, FAILED, HELD, RETRIED, NODE_UNKNOWN, NODE_STATE };

static const struct table_column edge_columns[] = {
    [EDGE] = {"edge", TABLE_TEXT},
    [SENT] = {"sent", TABLE_COUNT},
    [AGAIN] = {"again", TABLE_NUMBER},
    [RECEIVED] = {"received", TABLE_COUNT},
    [IN_FLIGHT] = {"in flight", TABLE_NUMBER},
    [LOST] = {"lost", TABLE_COUNT},
    [EDGE_UNKNOWN] = {"unknown", TABLE_NUMBER},
    [EDGE_STATE] = {"", TABLE_REMARK},
};
static const struct table_column node_columns[] = {
    [NODE] = {"node", TABLE_TEXT},
    [GOT] = {"received", TABLE_COUNT},
    [CREATED] = {"created", TABLE_NUMBER},
    [FORWARDED] = {"forwarded", TABLE_NUMBER},
    [ABSORBED] = {"absorbed", TABLE_NUMBER},
    [FAILED] = {"failed", TABLE_NUMBER},
    [HELD] = {"held", TABLE_NUMBER},
    [RETRIED] = {"retries", TABLE_NUMBER},
    [NODE_UNKNOWN] = {"unknown", TABLE_NUMBER},
    [NODE_STATE] = {"", TABLE_REMARK},
};

/* --- reading ------------------------------------------------------------------------------- */

/* Of a text, unescaped; "" for anything else. */
static ftr_str text_of(struct ftri_view line, const char *name, char room[TEXT_BYTES])
{
    struct ftri_json_reader reader;
    size_t len = 0;
    ftri_json_reader_init(&reader, client_find_member(line, name));
    if (ftri_json_reader_next(&reader) == FTRI_JSON_STRING) {
        len = ftri_size_min(reader.text.len, TEXT_BYTES - 1);
        memcpy(room, reader.text.data, len);
    }
    room[len] = '\0';
    ftri_json_reader_deinit(&reader);
    return (ftr_str){room, len};
}

static uint64_t number_in(struct ftri_view text)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    return number;
}

static uint64_t number_of(struct ftri_view line, const char *name)
{
    return number_in(client_find_member(line, name));
}

static bool is_settled(struct ftri_view line)
{
    const struct ftri_view found = client_find_member(line, "settled");
    return found.len == 4 && memcmp(found.data, "true", 4) == 0;
}

/* "37 filtered, 2 late", with the words before it; nothing when there are none, or for an edge. */
static int append_drops(struct ftri_view line, const char *before, struct ftri_bytes *out)
{
    const struct ftri_view drops = client_find_member(line, "dropped");
    struct ftri_json_reader reader;
    char number[TABLE_NUMBER_BYTES], reason[64];
    if (drops.len == 0)
        return 0;
    ftri_json_reader_init(&reader, drops);
    int r = ftri_json_reader_next(&reader) == FTRI_JSON_OBJECT ? 0 : -EBADMSG;
    for (; r == 0 && ftri_json_reader_next(&reader) == FTRI_JSON_NAME; before = ", ") {
        snprintf(reason, sizeof reason, "%.*s", (int)ftri_size_min(reader.text.len, 60),
                 reader.text.data);
        if (ftri_json_reader_next(&reader) != FTRI_JSON_NUMBER)
            break;
        (void)table_format_number(number_in(ftri_view_of(reader.text.data, reader.text.len)),
                                  number);
        r = ftri_bytes_printf(out, "%s%s %s", before, number, reason);
    }
    ftri_json_reader_deinit(&reader);
    return r;
}

/* "2026-11-21T20:50:10.000Z" to the second. */
static void format_time(ftr_str time, char ret_text[40])
{
    snprintf(ret_text, 40, "%.*sZ", (int)ftri_size_min(time.len, 19), time.data);
    char *const t = strchr(ret_text, 'T');
    if (t)
        *t = ' ';
}

/* --- what is known ------------------------------------------------------------------------- */

/* unknown_since, else settled_until; false: neither. */
static bool find_time(struct ftri_view line, const char *name, char ret_text[40])
{
    char room[TEXT_BYTES];
    const ftr_str time = text_of(line, name, room);
    format_time(time, ret_text);
    return time.len > 0;
}

static int append_state(struct ftri_view line, struct ftri_bytes *out)
{
    char time[40];
    if (find_time(line, "unknown_since", time))
        return ftri_bytes_printf(out, "unknown since %s", time);
    const bool has_time = find_time(line, "settled_until", time);
    if (!is_settled(line))
        return ftri_bytes_printf(out, has_time ? "not settled after %s" : "not settled", time);
    return ftri_bytes_printf(out, has_time ? "settled until %s" : "settled, and ended", time);
}

static int append_count(struct ftri_bytes *out, struct ftri_view line, const char *name,
                        const char *words)
{
    char number[TABLE_NUMBER_BYTES];
    (void)table_format_number(number_of(line, name), number);
    return ftri_bytes_printf(out, "%s %s", number, words);
}

static int append_processes(struct ftri_view line, struct ftri_bytes *out)
{
    const uint64_t n = number_of(line, "instances"), n_died = number_of(line, "died");
    int r = append_count(out, line, "instances", n == 1 ? "process" : "processes");
    if (r < 0 || n_died == 0)
        return r;
    if (n == 1)
        return ftri_bytes_append_str(out, FTR_STR(", which died without a last report"));
    r = ftri_bytes_append_str(out, FTR_STR(", "));
    return r == 0 ? append_count(out, line, "died", "of which died without a last report") : r;
}

/* The losses always, the rest when there is some. */
static int append_sums(struct ftri_view line, struct ftri_bytes *out)
{
    static const char *const sums[][2] = {
        {"lost", "lost"}, {"failed", "failed"},         {"in_flight", "in flight"},
        {"held", "held"}, {"unknown_items", "unknown"},
    };
    int r = ftri_bytes_append_str(out, FTR_STR("  items: "));
    for (size_t i = 0; r == 0 && i < FTRI_COUNT(sums); i++) {
        if (i > 0 && number_of(line, sums[i][0]) == 0)
            continue;
        r = i > 0 ? ftri_bytes_append_str(out, FTR_STR(", ")) : 0;
        if (r == 0)
            r = append_count(out, line, sums[i][0], sums[i][1]);
    }
    if (r == 0)
        r = append_drops(line, "; dropped: ", out);
    return r == 0 ? ftri_bytes_append_char(out, '\n') : r;
}

static int write_pipeline(struct loss_table *self, struct ftri_view line)
{
    char room[TEXT_BYTES];
    int r = ftri_bytes_append_str(self->out, self->has_pipeline ? FTR_STR("\npipeline ")
                                                                : FTR_STR("pipeline "));
    self->has_pipeline = true;
    if (r == 0)
        r = table_append_printable(self->out, text_of(line, "pipeline", room));
    if (r == 0)
        r = ftri_bytes_append_str(self->out, FTR_STR("\n  "));
    if (r == 0)
        r = append_state(line, self->out);
    if (r == 0)
        r = ftri_bytes_append_str(self->out, FTR_STR("; "));
    if (r == 0)
        r = append_processes(line, self->out);
    if (r == 0)
        r = ftri_bytes_append_char(self->out, '\n');
    return r == 0 ? append_sums(line, self->out) : r;
}

/* --- rows ---------------------------------------------------------------------------------- */

/* "dropped: 37 filtered; not settled"; empty when there is nothing of note. */
static int append_remark(struct ftri_view line, struct ftri_bytes *out)
{
    int r = append_drops(line, "dropped: ", out);
    if (is_settled(line))
        return r;
    if (r == 0 && out->len)
        r = ftri_bytes_append_str(out, FTR_STR("; "));
    return r == 0 ? append_state(line, out) : r;
}

static int set_numbers(struct table *table, struct table_row *row, struct ftri_view line,
                       const char *const *names, size_t n_names)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_names; i++)
        r = table_set_number(table, row, i + 1, number_of(line, names[i]));
    return r;
}

/* As the configuration writes it: read -> parse, router["logs"] -> store. */
static int set_edge(struct table *table, struct table_row *row, struct ftri_view line)
{
    char from[TEXT_BYTES], port[TEXT_BYTES], to[TEXT_BYTES];
    struct ftri_bytes name;
    ftri_bytes_init(&name, 4 * TEXT_BYTES);
    (void)text_of(line, "from", from);
    (void)text_of(line, "port", port);
    (void)text_of(line, "to", to);
    int r = strcmp(port, "out") == 0 ? ftri_bytes_printf(&name, "%s -> %s", from, to)
                                     : ftri_bytes_printf(&name, "%s[\"%s\"] -> %s", from, port, to);
    if (r == 0)
        r = table_set(table, row, EDGE, ftri_view_str(ftri_bytes_view(&name)));
    ftri_bytes_deinit(&name);
    return r;
}

static int set_remark(struct table *table, struct table_row *row, size_t column,
                      struct ftri_view line)
{
    struct ftri_bytes remark;
    ftri_bytes_init(&remark, 2 * TEXT_BYTES);
    int r = append_remark(line, &remark);
    if (r == 0)
        r = table_set(table, row, column, ftri_view_str(ftri_bytes_view(&remark)));
    ftri_bytes_deinit(&remark);
    return r;
}

static int add_edge(struct loss_table *self, struct ftri_view line)
{
    static const char *const names[] = {"sent",      "redelivered", "received",
                                        "in_flight", "lost",        "unknown_items"};
    struct table_row *row = table_add(&self->edges);
    int r = row ? set_edge(&self->edges, row, line) : -ENOMEM;
    if (r == 0)
        r = set_numbers(&self->edges, row, line, names, FTRI_COUNT(names));
    return r == 0 ? set_remark(&self->edges, row, EDGE_STATE, line) : r;
}

static int add_node(struct loss_table *self, struct ftri_view line)
{
    static const char *const names[] = {"received", "created", "forwarded", "absorbed",
                                        "failed",   "held",    "retried",   "unknown_items"};
    char room[TEXT_BYTES];
    struct table_row *row = table_add(&self->nodes);
    int r = row ? table_set(&self->nodes, row, NODE, text_of(line, "node", room)) : -ENOMEM;
    if (r == 0)
        r = set_numbers(&self->nodes, row, line, names, FTRI_COUNT(names));
    return r == 0 ? set_remark(&self->nodes, row, NODE_STATE, line) : r;
}

static void init_tables(struct loss_table *self)
{
    table_init(&self->nodes, node_columns, FTRI_COUNT(node_columns));
    table_init(&self->edges, edge_columns, FTRI_COUNT(edge_columns));
}

void loss_table_init(struct loss_table *self, size_t width, struct ftri_bytes *out)
{
    *self = (struct loss_table){.width = width, .out = out};
    init_tables(self);
}

void loss_table_deinit(struct loss_table *self)
{
    table_deinit(&self->nodes);
    table_deinit(&self->edges);
}

/* The tables of the pipeline that was read. */
static int write_tables(struct loss_table *self)
{
    int r = 0;
    const struct table *const tables[] = {&self->edges, &self->nodes};
    for (size_t i = 0; r == 0 && i < FTRI_COUNT(tables); i++) {
        if (!tables[i]->rows)
            continue;
        r = ftri_bytes_append_char(self->out, '\n');
        if (r == 0)
            r = table_write(tables[i], self->width, self->out);
    }
    loss_table_deinit(self);
    init_tables(self);
    return r;
}

int loss_table_add(struct loss_table *self, ftr_str line)
{
    char kind[TEXT_BYTES];
    const struct ftri_view view = ftri_view_of(line.data, line.len);
    (void)text_of(view, "kind", kind);
    if (strcmp(kind, "node") == 0)
        return add_node(self, view);
    if (strcmp(kind, "edge") == 0)
        return add_edge(self, view);
    if (strcmp(kind, "pipeline") != 0)
        return -EBADMSG;
    const int r = write_tables(self);
    return r == 0 ? write_pipeline(self, view) : r;
}

int loss_table_finish(struct loss_table *self)
{
    return write_tables(self);
}
