/* SPDX-License-Identifier: Apache-2.0 */
#include "query/loss.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 2048 };
#define ARENA_BYTES ((size_t)256 << 20)
#define MAP_ENTRIES ((size_t)LOSS_SERIES_MAX)

struct instance {
    ftr_str pipeline;
    uint64_t end_ns, received_ns; /* of the last row */
    uint64_t last_cut_ns; /* the end of its last cut, or of what was its last one; 0: none */
};

/* What one instance says of a node or an edge. */
struct series {
    const struct instance *instance;
    struct loss_line line;
    uint64_t level_start_ns; /* of the cut that the levels are of */
};

/* One interval of an edge of which a row has one end only; another row may have the other one. */
struct half {
    struct loss_line line;
    uint64_t start_ns;
    bool has_sent, has_received;
};

void loss_init(struct loss *self, ftr_str pipeline)
{
    *self = (struct loss){.pipeline = pipeline};
    ftri_arena_init(&self->arena, ARENA_BYTES);
    ftri_map_init(&self->series, MAP_ENTRIES);
    ftri_map_init(&self->instances, MAP_ENTRIES);
    ftri_map_init(&self->halves, MAP_ENTRIES);
    ftri_bytes_init(&self->key, KEY_BYTES);
}

void loss_deinit(struct loss *self)
{
    ftri_map_deinit(&self->series);
    ftri_map_deinit(&self->instances);
    ftri_map_deinit(&self->halves);
    ftri_bytes_deinit(&self->key);
    ftri_arena_deinit(&self->arena);
    ftri_free(self->lines);
}

/* A row of the same name has the same key: what else it says is left out of it. */
static int make_key(struct loss *self, const struct ledger_row *row, uint64_t start_ns)
{
    struct ledger_row named = *row;
    named.start_ns = start_ns;
    named.mask = 0;
    ftri_bytes_reset(&self->key);
    return ledger_write_key(&named, &self->key);
}

/* The value of the key, made if it is new: ret_is_new. */
static int find_or_add(struct loss *self, struct ftri_map *map, size_t size, void **ret_value,
                       bool *ret_is_new)
{
    const ftr_str key = ftri_view_str(ftri_bytes_view(&self->key));
    *ret_value = ftri_map_get(map, key);
    *ret_is_new = !*ret_value;
    if (*ret_value)
        return 0;
    *ret_value = ftri_arena_alloc(&self->arena, size);
    if (!*ret_value)
        return -ENOMEM;
    memset(*ret_value, 0, size);
    return ftri_map_set(map, key, *ret_value);
}

static int name_line(struct loss *self, const struct ledger_row *row, struct loss_line *line)
{
    line->series = row->series;
    line->pipeline = ftri_arena_copy(&self->arena, row->pipeline);
    line->node = ftri_arena_copy(&self->arena, row->node);
    line->port = ftri_arena_copy(&self->arena, row->port);
    line->to = ftri_arena_copy(&self->arena, row->to);
    return line->pipeline.data && line->node.data && line->port.data && line->to.data ? 0 : -ENOMEM;
}

static int add_instance(struct loss *self, const struct ledger_row *row,
                        struct instance **ret_instance)
{
    const struct ledger_row named = {
        .instance = row->instance, .pipeline = row->pipeline, .series = LEDGER_INSTANCE};
    void *value;
    bool is_new;
    int r = make_key(self, &named, 0);
    if (r == 0)
        r = find_or_add(self, &self->instances, sizeof **ret_instance, &value, &is_new);
    if (r < 0)
        return r;
    struct instance *instance = value;
    if (is_new)
        instance->pipeline = ftri_arena_copy(&self->arena, row->pipeline);
    if (!instance->pipeline.data)
        return -ENOMEM;
    if (row->end_ns > instance->end_ns)
        instance->end_ns = row->end_ns;
    if (row->received_ns > instance->received_ns)
        instance->received_ns = row->received_ns;
    if (row->is_last && row->end_ns > instance->last_cut_ns)
        instance->last_cut_ns = row->end_ns;
    *ret_instance = instance;
    return 0;
}

static int add_series(struct loss *self, const struct ledger_row *row,
                      const struct instance *instance)
{
    void *value;
    bool is_new;
    int r = make_key(self, row, 0);
    if (r == 0)
        r = find_or_add(self, &self->series, sizeof(struct series), &value, &is_new);
    if (r < 0)
        return r;
    struct series *series = value;
    series->instance = instance;
    if (is_new)
        r = name_line(self, row, &series->line);
    const bool is_latest = row->start_ns >= series->level_start_ns;
    for (size_t i = 0; i < LEDGER_COUNTERS; i++) {
        if (!(LEDGER_LEVELS & LEDGER_BIT(i)))
            series->line.counters[i] += row->counters[i];
        else if (is_latest && (row->mask & LEDGER_BIT(i)))
            series->line.counters[i] = row->counters[i];
    }
    if (row->mask & LEDGER_LEVELS && is_latest)
        series->level_start_ns = row->start_ns;
    return r;
}

static bool is_half(const struct ledger_row *row)
{
    const uint32_t ends = LEDGER_BIT(LEDGER_EDGE_SENT) | LEDGER_BIT(LEDGER_EDGE_RECEIVED);
    return row->series == LEDGER_EDGE && (row->mask & ends) != ends && (row->mask & ends) != 0;
}

static int add_half(struct loss *self, const struct ledger_row *row)
{
    const uint64_t interval_ns = LEDGER_INTERVAL_S * FTRI_NS_PER_S;
    struct ledger_row edge = *row;
    edge.instance = FTR_STR("");
    edge.is_last = false;
    void *value;
    bool is_new;
    int r = make_key(self, &edge, row->start_ns / interval_ns);
    if (r == 0)
        r = find_or_add(self, &self->halves, sizeof(struct half), &value, &is_new);
    if (r < 0)
        return r;
    struct half *half = value;
    half->start_ns = row->start_ns;
    half->has_sent |= (row->mask & LEDGER_BIT(LEDGER_EDGE_SENT)) != 0;
    half->has_received |= (row->mask & LEDGER_BIT(LEDGER_EDGE_RECEIVED)) != 0;
    for (size_t i = 0; i < LEDGER_COUNTERS; i++)
        half->line.counters[i] += row->counters[i];
    return is_new ? name_line(self, row, &half->line) : 0;
}

int loss_add(void *loss, const struct ledger_row *row)
{
    struct loss *self = loss;
    struct instance *instance;
    if (self->pipeline.len && !ftri_text_same(self->pipeline, row->pipeline))
        return 0;
    int r = add_instance(self, row, &instance);
    if (r == 0 && row->series != LEDGER_INSTANCE)
        r = add_series(self, row, instance);
    return r == 0 && is_half(row) ? add_half(self, row) : r;
}

/* --- summing up ------------------------------------------------------------------------------ */

/* One that went on after its last cut had been turned off and on again. */
static bool is_ended(const struct instance *instance)
{
    return instance->last_cut_ns >= instance->end_ns;
}

static bool is_dead(const struct instance *instance, uint64_t now_ns)
{
    return !is_ended(instance) && instance->received_ns + LOSS_SILENCE_S * FTRI_NS_PER_S < now_ns;
}

static int compare_lines(const void *left, const void *right)
{
    const struct loss_line *a = left, *b = right;
    int r = ftri_str_compare(a->pipeline, b->pipeline);
    if (r == 0 && a->series != b->series)
        return a->series < b->series ? -1 : 1;
    if (r == 0)
        r = ftri_str_compare(a->node, b->node);
    if (r == 0)
        r = ftri_str_compare(a->port, b->port);
    return r == 0 ? ftri_str_compare(a->to, b->to) : r;
}

/* 0: none. */
static void take_earliest(uint64_t *to, uint64_t ns)
{
    if (ns && (*to == 0 || ns < *to))
        *to = ns;
}

/* What is queued or held by a process that is no more is not in flight. */
static void settle_levels(struct loss_line *line, const struct instance *instance, uint64_t now_ns)
{
    const bool is_gone = is_ended(instance) || is_dead(instance, now_ns);
    for (size_t i = 0; is_gone && i < LEDGER_COUNTERS; i++) {
        if (!(LEDGER_LEVELS & LEDGER_BIT(i)))
            continue;
        line->unknown_items += line->counters[i];
        line->counters[i] = 0;
    }
    line->in_flight = line->counters[LEDGER_EDGE_QUEUED];
}

static void settle_times(struct loss_line *line, const struct instance *instance, uint64_t now_ns)
{
    line->is_settled = !is_dead(instance, now_ns);
    line->unknown_since_ns = line->is_settled ? 0 : instance->end_ns;
    *(is_ended(instance) ? &line->ended_ns : &line->settled_until_ns) = instance->end_ns;
    line->n_instances = 1;
    line->n_dead = !line->is_settled;
}

static struct loss_line line_of_half(const struct half *half)
{
    struct loss_line line = half->line;
    const uint64_t *n = half->line.counters;
    line.is_settled = half->has_sent && half->has_received;
    if (!line.is_settled && n[LEDGER_EDGE_SENT] > n[LEDGER_EDGE_RECEIVED])
        line.in_flight = n[LEDGER_EDGE_SENT] - n[LEDGER_EDGE_RECEIVED];
    line.settled_until_ns = line.is_settled ? 0 : half->start_ns;
    memset(line.counters, 0, sizeof line.counters); /* the series has them */
    return line;
}

static void collect_lines(struct loss *self, uint64_t now_ns)
{
    ftr_str key;
    void *value;
    for (size_t i = 0; ftri_map_next(&self->instances, &i, &key, &value);) {
        const struct instance *instance = value;
        struct loss_line *line = &self->lines[self->n_lines++];
        const ftr_str none = FTR_STR("");
        *line = (struct loss_line){
            .pipeline = instance->pipeline, .node = none, .port = none, .to = none};
        settle_times(line, instance, now_ns);
    }
    for (size_t i = 0; ftri_map_next(&self->series, &i, &key, &value);) {
        const struct series *series = value;
        struct loss_line *line = &self->lines[self->n_lines++];
        *line = series->line;
        settle_levels(line, series->instance, now_ns);
        settle_times(line, series->instance, now_ns);
    }
    for (size_t i = 0; ftri_map_next(&self->halves, &i, &key, &value);)
        self->lines[self->n_lines++] = line_of_half(value);
}

static void add_line(struct loss_line *to, const struct loss_line *from)
{
    for (size_t i = 0; i < LEDGER_COUNTERS; i++)
        to->counters[i] += from->counters[i];
    to->in_flight += from->in_flight;
    to->unknown_items += from->unknown_items;
    take_earliest(&to->unknown_since_ns, from->unknown_since_ns);
    take_earliest(&to->settled_until_ns, from->settled_until_ns);
    if (from->ended_ns > to->ended_ns)
        to->ended_ns = from->ended_ns;
    to->is_settled &= from->is_settled;
    to->n_instances += from->n_instances;
    to->n_dead += from->n_dead;
}

/* Lines of one name become one. */
static void merge_lines(struct loss *self)
{
    size_t n = 0;
    if (self->n_lines)
        qsort(self->lines, self->n_lines, sizeof *self->lines, compare_lines);
    for (size_t i = 0; i < self->n_lines; i++) {
        if (n && compare_lines(&self->lines[n - 1], &self->lines[i]) == 0)
            add_line(&self->lines[n - 1], &self->lines[i]);
        else
            self->lines[n++] = self->lines[i];
    }
    self->n_lines = n;
}

/* A pipeline's own line sums up what may be added over nodes that pass items on to each other:
 * where items ended other than well, and where they still are. */
static void sum_pipelines(struct loss *self)
{
    struct loss_line *pipeline = NULL;
    const uint32_t summed = LEDGER_LEVELS | LEDGER_BIT(LEDGER_EDGE_LOST) |
                            LEDGER_BIT(LEDGER_EDGE_REDELIVERED) | LEDGER_BIT(LEDGER_NODE_FAILED) |
                            LEDGER_BIT(LEDGER_NODE_RETRIED) |
                            ~(LEDGER_BIT(LEDGER_NODE_DROPPED) - 1);
    for (size_t i = 0; i < self->n_lines; i++) {
        const struct loss_line *line = &self->lines[i];
        if (line->series == LEDGER_INSTANCE) {
            pipeline = &self->lines[i];
            continue;
        }
        for (size_t j = 0; j < LEDGER_COUNTERS; j++)
            if (summed & LEDGER_BIT(j))
                pipeline->counters[j] += line->counters[j];
        pipeline->in_flight += line->in_flight;
        pipeline->unknown_items += line->unknown_items;
        pipeline->is_settled &= line->is_settled;
        if (!line->is_settled)
            take_earliest(&pipeline->settled_until_ns, line->settled_until_ns);
    }
}

int loss_finish(struct loss *self, uint64_t now_ns)
{
    const size_t n = self->series.n_entries + self->instances.n_entries + self->halves.n_entries;
    self->lines = ftri_alloc_array(n ? n : 1, sizeof *self->lines);
    if (!self->lines)
        return -ENOMEM;
    collect_lines(self, now_ns);
    merge_lines(self);
    sum_pipelines(self);
    for (size_t i = 0; i < self->n_lines; i++)
        if (self->lines[i].settled_until_ns == 0)
            self->lines[i].settled_until_ns = self->lines[i].ended_ns;
    return 0;
}
