/* SPDX-License-Identifier: Apache-2.0
 *
 * Breadth first, one direction after the other. Traces are read as a whole, those of a level
 * together, since the store then reads each block once. */
#include "query/lineage.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/time.h"
#include "query/lineage_graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRACES_AT_ONCE = 8192 };

struct level {
    struct graph_node *first, *last;
    size_t n;
};

struct walk {
    struct store *store;
    const struct lineage_question *question;
    const struct lineage_visitor *visitor;
    struct lineage_summary *summary;
    struct lineage_graph graph;
    enum lineage_direction direction;
    uint32_t depth;
    struct level level, next;
};

const char *lineage_state_name(enum lineage_state state)
{
    static const char *const names[LINEAGE_N_STATES] = {"stored", "removed", "not_received",
                                                        "unknown"};
    return names[state];
}

/* True: nothing more is read. */
static bool is_over(struct walk *self)
{
    struct lineage_summary *summary = self->summary;
    const uint64_t deadline_ns = self->question->deadline_ns;
    summary->is_late |=
        self->graph.is_late || (deadline_ns && ftri_time_monotonic_ns() > deadline_ns);
    summary->is_over_memory |= self->graph.is_full;
    return summary->is_late || summary->is_over_memory;
}

/* Of this level is only told who is there. */
static bool is_last(const struct walk *self)
{
    return self->depth == self->question->depth || self->summary->is_over_limit;
}

static void join_level(struct level *level, struct graph_node *node)
{
    node->next = NULL;
    if (level->last)
        level->last->next = node;
    else
        level->first = node;
    level->last = node;
    level->n++;
}

/* --- reading ------------------------------------------------------------------------------- */

static int compare_traces(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(ftr_trace_id));
}

static int compare_ids(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct store_span_id));
}

static int report_refusal(void *argument, const struct store_lineage_span *manifest)
{
    const struct walk *self = argument;
    const struct lineage_refusal refusal = {&manifest->id, manifest->refusal};
    return self->visitor->refusal(self->visitor->argument, &refusal);
}

/* traces: sorted, each once. */
static int read_traces(struct walk *self, struct ftri_bytes *traces, bool has_contributors)
{
    ftr_trace_id *ids = (ftr_trace_id *)(void *)traces->data;
    const size_t n =
        lineage_graph_drop_known(&self->graph, ids, traces->len / sizeof *ids, has_contributors);
    int r = 0;
    for (size_t i = 0; i < n && r == 0 && !is_over(self); i += TRACES_AT_ONCE)
        r = lineage_graph_read(&self->graph, self->store, ids + i,
                               ftri_size_min(n - i, TRACES_AT_ONCE), has_contributors);
    return r;
}

/* The ids of the level's spans, sorted. */
static int list_level(const struct level *level, struct ftri_bytes *ids)
{
    int r = 0;
    for (const struct graph_node *node = level->first; node && r == 0; node = node->next)
        r = ftri_bytes_append(ids, &node->id, sizeof node->id);
    if (ids->len)
        qsort(ids->data, ids->len / sizeof(struct store_span_id), sizeof(struct store_span_id),
              compare_ids);
    return r;
}

static int list_traces(const struct ftri_bytes *spans, struct ftri_bytes *traces)
{
    const struct store_span_id *ids = (const struct store_span_id *)(const void *)spans->data;
    const size_t n = spans->len / sizeof *ids;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        if (i == 0 || compare_traces(&ids[i - 1].trace_id, &ids[i].trace_id) != 0)
            r = ftri_bytes_append(traces, &ids[i].trace_id, sizeof ids[i].trace_id);
    return r;
}

/* Other traces whose spans name one of the level. */
static int read_results(struct walk *self, const struct ftri_bytes *spans)
{
    struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&traces, SIZE_MAX / 2);
    const struct store_wanted wanted = {
        .spans = (const struct store_span_id *)(const void *)spans->data,
        .n = spans->len / sizeof(struct store_span_id),
        .deadline_ns = self->question->deadline_ns,
    };
    const int r = store_find_results(self->store, &wanted, &traces);
    self->summary->is_late |= r == -ETIMEDOUT;
    return r == 0 || r == -ETIMEDOUT ? read_traces(self, &traces, true) : r;
}

/* Reads what tells who the level's spans are and, unless it is the last one, where they lead. */
static int read_level(struct walk *self)
{
    struct ftri_bytes spans FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&spans, SIZE_MAX / 2);
    ftri_bytes_init(&traces, SIZE_MAX / 2);
    int r = list_level(&self->level, &spans);
    if (r == 0)
        r = list_traces(&spans, &traces);
    if (r == 0)
        r = read_traces(self, &traces, !is_last(self));
    if (r == 0 && !is_last(self) && self->direction == LINEAGE_DOWN && !is_over(self))
        r = read_results(self, &spans);
    return r;
}

/* --- reporting ----------------------------------------------------------------------------- */

static int report_span(struct walk *self, struct graph_node *node, enum lineage_state state)
{
    const struct lineage_span span = {&node->id, node->span, state, self->depth};
    node->is_reported = true;
    self->summary->n_spans[state]++;
    return self->visitor->span(self->visitor->argument, &span);
}

static enum lineage_state state_of(uint8_t absence)
{
    return absence == STORE_ABSENCE_REMOVED ? LINEAGE_REMOVED
           : absence == STORE_ABSENCE_NEVER ? LINEAGE_NOT_RECEIVED
                                            : LINEAGE_UNKNOWN;
}

/* What is known by name only. */
static int report_absent(struct walk *self, const struct ftri_bytes *absent)
{
    const struct store_span_id *ids = (const struct store_span_id *)(const void *)absent->data;
    const size_t n = absent->len / sizeof *ids;
    if (n == 0)
        return 0;
    FTRI_CLEANUP(ftri_freep) uint8_t *absences = ftri_alloc_array(n, sizeof *absences);
    int r = absences ? store_explain_absence(self->store, ids, n, absences) : -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++) {
        struct graph_node *node = lineage_graph_node(&self->graph, &ids[i]);
        if (node)
            r = report_span(self, node, state_of(absences[i]));
    }
    return r;
}

static int report_level(struct walk *self)
{
    struct ftri_bytes absent FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&absent, SIZE_MAX / 2);
    int r = 0;
    for (struct graph_node *node = self->level.first; node && r == 0; node = node->next) {
        if (node->is_reported)
            continue;
        if (node->span)
            r = report_span(self, node, LINEAGE_STORED);
        else if (lineage_graph_has_read(&self->graph, &node->id.trace_id))
            r = ftri_bytes_append(&absent, &node->id, sizeof node->id);
    }
    /* When not all was read, what is not there may well be. */
    return r == 0 && !is_over(self) ? report_absent(self, &absent) : r;
}

static int report_edge(struct walk *self, struct graph_edge *edge)
{
    const struct lineage_edge reported = {&edge->contributor->id, &edge->result->id, edge->relation,
                                          self->direction, self->depth + 1};
    edge->is_reported = true;
    self->summary->n_edges++;
    return self->visitor->edge(self->visitor->argument, &reported);
}

/* --- walking ------------------------------------------------------------------------------- */

static int follow(struct walk *self, struct graph_edge *edge)
{
    struct graph_node *far = self->direction == LINEAGE_UP ? edge->contributor : edge->result;
    if (!edge->is_reported && self->summary->n_edges == self->question->limit) {
        self->summary->is_over_limit = true;
        return 0;
    }
    const int r = edge->is_reported ? 0 : report_edge(self, edge);
    if (r == 0 && !(far->directions & self->direction)) {
        far->directions |= (uint8_t)self->direction;
        join_level(&self->next, far);
    }
    return r;
}

static int follow_all(struct walk *self, const struct graph_node *node)
{
    const bool is_up = self->direction == LINEAGE_UP;
    int r = 0;
    struct graph_edge *edge = is_up ? node->contributors : node->results;
    while (edge && r == 0 && !self->summary->is_over_limit) {
        struct graph_edge *next = is_up ? edge->next_contributor : edge->next_result;
        r = follow(self, edge);
        edge = next;
    }
    return r;
}

static int walk_level(struct walk *self)
{
    int r = is_over(self) ? 0 : read_level(self);
    if (r == 0)
        r = report_level(self);
    self->next = (struct level){0};
    if (is_last(self))
        return r;
    for (const struct graph_node *node = self->level.first;
         node && r == 0 && !self->summary->is_over_limit; node = node->next)
        r = follow_all(self, node);
    return r;
}

/* --- where it starts ----------------------------------------------------------------------- */

static int begin_with(struct walk *self, const struct store_span_id *id)
{
    struct graph_node *node = lineage_graph_node(&self->graph, id);
    if (!node)
        return -ENOMEM;
    node->directions |= (uint8_t)self->direction;
    join_level(&self->level, node);
    return 0;
}

static int begin_with_trace(struct walk *self)
{
    int r = 0;
    for (const struct store_lineage_span *span = lineage_graph_newest(&self->graph); span && r == 0;
         span = span->next)
        if (!span->is_manifest)
            r = begin_with(self, &span->id);
    return r;
}

/* Reads the trace that is asked about into a batch of its own; it stays the graph's first. */
static int list_trace(struct walk *self, struct ftri_bytes *ids)
{
    const ftr_trace_id *trace = &self->question->id.trace_id;
    int r = lineage_graph_read(&self->graph, self->store, trace, 1, true);
    if (r == 0)
        r = begin_with_trace(self);
    return r == 0 ? list_level(&self->level, ids) : r;
}

static int walk_direction(struct walk *self, enum lineage_direction direction,
                          const struct ftri_bytes *starts)
{
    const struct store_span_id *ids = (const struct store_span_id *)(const void *)starts->data;
    int r = 0;
    self->direction = direction;
    self->depth = 0;
    self->level = (struct level){0};
    for (size_t i = 0; i < starts->len / sizeof *ids && r == 0; i++)
        r = begin_with(self, &ids[i]);
    for (; r == 0 && self->level.n; self->depth++) {
        r = walk_level(self);
        self->level = self->next;
    }
    return r;
}

static int run(struct walk *self)
{
    struct ftri_bytes starts FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&starts, SIZE_MAX / 2);
    const struct lineage_question *question = self->question;
    int r = question->is_whole_trace
                ? list_trace(self, &starts)
                : ftri_bytes_append(&starts, &question->id, sizeof question->id);
    if (r == 0 && question->directions & LINEAGE_UP)
        r = walk_direction(self, LINEAGE_UP, &starts);
    if (r == 0 && question->directions & LINEAGE_DOWN)
        r = walk_direction(self, LINEAGE_DOWN, &starts);
    return r;
}

int lineage_run(struct store *store, const struct lineage_question *question,
                const struct lineage_visitor *visitor, struct lineage_summary *ret_summary)
{
    struct walk walk = {
        .store = store, .question = question, .visitor = visitor, .summary = ret_summary};
    *ret_summary = (struct lineage_summary){0};
    lineage_graph_init(&walk.graph);
    walk.graph.deadline_ns = question->deadline_ns;
    walk.graph.on_refused = report_refusal;
    walk.graph.argument = &walk;
    const int r = run(&walk);
    ret_summary->n_refused = walk.graph.n_refused;
    ret_summary->n_repeats = walk.graph.n_repeats;
    ret_summary->n_unnamed = walk.graph.n_unnamed;
    ret_summary->n_missing = walk.graph.n_missing;
    ret_summary->is_over_memory |= walk.graph.is_full;
    lineage_graph_deinit(&walk.graph);
    return r;
}
