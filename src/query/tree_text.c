/* SPDX-License-Identifier: Apache-2.0 */
#include "query/tree_text.h"

#include "base/hex.h"
#include "base/time.h"
#include "otlp/view.h"
#include "query/duration.h"
#include "query/phrase.h"
#include "query/text.h"

#include <flowtrace/flow.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    FIGURE_COLUMNS = 9,
    FIGURES = 3,
    MARK_COLUMNS = 10, /* "└─ [Span] " */
    INDENT_COLUMNS = 3,
    NAME_COLUMNS_MIN = 7,
    DEPTH_MAX = 32,
};

static void put_figure(struct text *self, bool is_known, uint64_t ns)
{
    char figure[16] = "-";
    if (is_known)
        (void)duration_format(ns, figure);
    const size_t len = strlen(figure);
    text_put_spaces(self, len < FIGURE_COLUMNS ? FIGURE_COLUMNS - len : 1);
    text_put(self, figure, len);
}

static bool find_ms(const struct ftri_otlp_span *span, ftr_str key, uint64_t *ret_ns)
{
    struct ftri_view value;
    if (!ftri_otlp_attribute_find(FTRI_OTLP_SPAN, span->bytes, key, &value))
        return false;
    const ftr_value read = ftri_otlp_value_read(value);
    if (read.type != FTR_VALUE_F64 || !(read.as.f64 >= 0) || read.as.f64 > 1e13)
        return false;
    *ret_ns = (uint64_t)(read.as.f64 * 1e6);
    return true;
}

/* The vertical lines of the ancestors that have further children, deepest levels only. Returns the
 * columns written. */
static size_t put_ancestry(struct text *self, const struct tree *tree, size_t i)
{
    const struct tree_node *node = &tree->nodes[i];
    const unsigned shown = node->depth < self->max_depth ? node->depth : self->max_depth;
    bool has_more[DEPTH_MAX];
    size_t up = node->parent;
    for (unsigned level = shown; level-- > 0; up = tree->nodes[up].parent)
        has_more[level] = tree->nodes[up].next != TREE_NONE;
    for (unsigned level = 0; level < shown; level++)
        text_put_words(self, has_more[level] ? "│  " : "   ");
    return (size_t)shown * INDENT_COLUMNS;
}

static void put_span_line(struct text *self, const struct tree *tree, size_t i)
{
    const struct tree_node *node = &tree->nodes[i];
    const struct ftri_otlp_span *span = node->span;
    const size_t room = self->columns - FIGURES * FIGURE_COLUMNS;
    size_t columns = put_ancestry(self, tree, i);
    text_put_words(self, node->next == TREE_NONE ? "└─ [Span] " : "├─ [Span] ");
    columns += MARK_COLUMNS;
    columns += text_put_printable(self, span->name, room - columns);
    text_put_spaces(self, room - columns);
    uint64_t worked_ns = 0, waited_ns = 0;
    const bool is_finished = span->end_time_ns >= span->start_time_ns && span->end_time_ns;
    put_figure(self, is_finished, span->end_time_ns - span->start_time_ns);
    const bool has_worked = find_ms(span, FTR_STR("latency.ms"), &worked_ns);
    put_figure(self, has_worked, worked_ns);
    const bool has_waited = find_ms(span, FTR_STR("flow.queue.wait_ms"), &waited_ns);
    put_figure(self, has_waited, waited_ns);
    text_put_words(self, "\n");
}

/* A list of short phrases wrapped below its span, with the ancestors' lines kept. */
struct details {
    struct text *text;
    const struct tree *tree;
    size_t node;
    const char *title; /* "Events: " */
    size_t columns;    /* of the open line; 0: none is open */
};

static void details_begin(struct details *self, struct text *text, const struct tree *tree,
                          size_t node, const char *title)
{
    *self = (struct details){text, tree, node, title, 0};
}

static void details_open_line(struct details *self, const char *lead)
{
    self->columns = put_ancestry(self->text, self->tree, self->node);
    const bool has_more = self->tree->nodes[self->node].next != TREE_NONE;
    text_put_words(self->text, has_more ? "│  " : "   ");
    text_put_words(self->text, lead);
    self->columns += INDENT_COLUMNS + strlen(lead);
}

static void details_add(struct details *self, ftr_str phrase)
{
    const size_t limit = self->text->columns - 1; /* a comma may follow */
    if (self->columns == 0) {
        details_open_line(self, self->title);
    } else if (self->columns + 2 + text_columns(phrase, limit) > limit) {
        text_put_words(self->text, ",\n");
        details_open_line(self, "  ");
    } else {
        text_put_words(self->text, ", ");
        self->columns += 2;
    }
    self->columns += text_put_printable(self->text, phrase, limit - self->columns);
}

static void details_add_number(struct details *self, const char *before, size_t n,
                               const char *after)
{
    char phrase[64];
    snprintf(phrase, sizeof phrase, "%s%zu%s", before, n, after);
    details_add(self, ftr_str_from(phrase));
}

static void details_end(const struct details *self)
{
    if (self->columns)
        text_put_words(self->text, "\n");
}

enum { EVENTS_SHOWN = 12, NUMBER_BYTES = 32 };

/* Equal events in a row become one with a count. */
struct event_row {
    struct details details;
    struct phrase phrase;
    size_t n_same;
    size_t n_shown, n_hidden;
};

static void event_row_end_same(struct event_row *self)
{
    if (self->n_same == 0)
        return;
    if (self->n_shown == EVENTS_SHOWN) {
        self->n_hidden += self->n_same;
        return;
    }
    char times[NUMBER_BYTES] = "";
    if (self->n_same > 1)
        snprintf(times, sizeof times, " (x%zu)", self->n_same);
    phrase_add(&self->phrase, ftr_str_from(times), NUMBER_BYTES);
    details_add(&self->details, (ftr_str){self->phrase.text, self->phrase.len});
    self->n_shown++;
}

static void put_events(struct text *self, const struct tree *tree, size_t i)
{
    const struct ftri_view span = tree->nodes[i].span->bytes;
    struct event_row row = {.n_same = 0};
    details_begin(&row.details, self, tree, i, "Events: ");
    struct ftri_otlp_event event;
    for (size_t next = 0; ftri_otlp_event_next(span, &next, &event);) {
        struct phrase phrase;
        phrase_set_event(&phrase, &event);
        if (row.n_same && phrase.len == row.phrase.len &&
            memcmp(phrase.text, row.phrase.text, phrase.len) == 0) {
            row.n_same++;
            continue;
        }
        event_row_end_same(&row);
        row.phrase = phrase;
        row.n_same = 1;
    }
    event_row_end_same(&row);
    if (row.n_hidden)
        details_add_number(&row.details, "and ", row.n_hidden, " more");
    details_end(&row.details);
}

/* How a visit's attributes are drawn: under a short name, or (empty) not at all, being drawn
 * elsewhere or saying nothing that the line above did not. Other keys are drawn as they are. */
struct shown_key {
    const char *key, *name;
};

static const struct shown_key shown_keys[] = {
    {"pdata.batch.size", "items"},
    {"channel.queue.depth", "queue"},
    {"out.queue.depth", "out.queue"},
    {"flow.attempt", "attempt"},
    {"flow.fan_in.count", "fan_in"},
    {"flow.blocked_ms", "blocked_ms"},
    {"channel.queue.capacity", ""},
    {"out.queue.capacity", ""},
    {"node.id", ""},
    {"node.type", ""},
    {"latency.ms", ""},
    {"flow.queue.wait_ms", ""},
    {"flow.manifest", ""},
    {"flow.pipeline", ""},
    {"error", ""},
    {"flow.outcome", ""},
    {"pdata.batch.bytes", ""},
    {"stateful", ""},
    {"signal.type", ""},
    {"out.bytes", ""},
    {"flow.hops", ""},
};

static bool is_key(ftr_str key, const char *wanted)
{
    return key.len == strlen(wanted) && memcmp(key.data, wanted, key.len) == 0;
}

/* By any convention; keys that are nobody's are drawn as they are. */
static ftr_str shown_name(ftr_str key)
{
    ftr_str own;
    (void)ftr_convention_names(key, &own, 1);
    for (size_t i = 0; i < FTRI_COUNT(shown_keys); i++)
        if (is_key(own, shown_keys[i].key))
            return ftr_str_from(shown_keys[i].name);
    return key;
}

/* "queue=12/16": the depth with the capacity, where it is known. */
static void phrase_add_capacity(struct phrase *self, struct ftri_view span, ftr_str key)
{
    struct ftri_view value;
    if (!ftri_otlp_attribute_find(FTRI_OTLP_SPAN, span, key, &value))
        return;
    const ftr_value capacity = ftri_otlp_value_read(value);
    phrase_add(self, FTR_STR("/"), 1);
    phrase_add_scalar(self, &capacity);
}

enum { ATTRIBUTES_SHOWN = 16 };

static void put_attributes(struct text *self, const struct tree *tree, size_t i)
{
    const struct ftri_view span = tree->nodes[i].span->bytes;
    struct details details;
    details_begin(&details, self, tree, i, "");
    struct ftri_otlp_attribute attribute;
    size_t n = 0;
    for (size_t next = 0; ftri_otlp_attribute_next(FTRI_OTLP_SPAN, span, &next, &attribute);) {
        const ftr_value value = ftri_otlp_value_read(attribute.value);
        const ftr_str name = shown_name(attribute.key);
        if (name.len == 0 || !phrase_can_hold(&value))
            continue;
        if (n++ >= ATTRIBUTES_SHOWN)
            continue;
        struct phrase phrase = {.len = 0};
        phrase_add(&phrase, name, PHRASE_NAME_BYTES);
        phrase_add(&phrase, FTR_STR("="), 1);
        phrase_add_scalar(&phrase, &value);
        if (is_key(attribute.key, "channel.queue.depth"))
            phrase_add_capacity(&phrase, span, FTR_STR("channel.queue.capacity"));
        else if (is_key(attribute.key, "out.queue.depth"))
            phrase_add_capacity(&phrase, span, FTR_STR("out.queue.capacity"));
        details_add(&details, (ftr_str){phrase.text, phrase.len});
    }
    if (n > ATTRIBUTES_SHOWN)
        details_add_number(&details, "and ", n - ATTRIBUTES_SHOWN, " more");
    details_end(&details);
}

static void put_links(struct text *self, const struct tree *tree, size_t i)
{
    const struct ftri_otlp_span *span = tree->nodes[i].span;
    struct ftri_otlp_link link;
    size_t n = 0, n_other_traces = 0;
    for (size_t next = 0; ftri_otlp_link_next(span->bytes, &next, &link); n++)
        n_other_traces += memcmp(link.trace_id, span->trace_id, 16) != 0;
    if (n == 0)
        return;
    struct details details;
    details_begin(&details, self, tree, i, "Links: ");
    if (n > n_other_traces)
        details_add_number(&details, "", n - n_other_traces, " within the trace");
    if (n_other_traces)
        details_add_number(&details, "", n_other_traces, " to other traces");
    details_end(&details);
}

static void put_error(struct text *self, const struct tree *tree, size_t i)
{
    const struct ftri_otlp_span *span = tree->nodes[i].span;
    if (span->status_code != FTRI_OTLP_STATUS_ERROR)
        return;
    struct details details;
    details_begin(&details, self, tree, i, "ERROR: ");
    details_add(&details, span->status_message.len ? span->status_message : FTR_STR("no reason"));
    details_end(&details);
}

static void put_start(struct text *self, uint64_t start_ns, uint64_t end_ns)
{
    const time_t seconds = (time_t)(start_ns / FTRI_NS_PER_S);
    struct tm utc;
    char start[32], took[16] = "unfinished";
    gmtime_r(&seconds, &utc);
    strftime(start, sizeof start, "%Y-%m-%d %H:%M:%S UTC", &utc);
    if (end_ns >= start_ns)
        (void)duration_format(end_ns - start_ns, took);
    text_put_words(self, "\n       ");
    text_put_words(self, start);
    text_put_words(self, ", ");
    text_put_words(self, took);
    text_put_words(self, "\n\n");
}

static void put_head(struct text *self, const struct tree *tree)
{
    const struct ftri_otlp_span *first = tree->nodes[0].span;
    uint64_t end_ns = 0;
    size_t n_errors = 0;
    for (size_t i = 0; i < tree->n_nodes; i++) {
        const struct ftri_otlp_span *span = tree->nodes[i].span;
        end_ns = span->end_time_ns > end_ns ? span->end_time_ns : end_ns;
        n_errors += span->status_code == FTRI_OTLP_STATUS_ERROR;
    }
    char id[32], counts[64];
    ftri_hex_encode(first->trace_id, 16, id);
    text_put_words(self, "Trace: ");
    text_put(self, id, sizeof id);
    text_put_words(self, "\n       ");
    const int len = snprintf(counts, sizeof counts, ", %zu span%s, %zu error%s", tree->n_nodes,
                             tree->n_nodes == 1 ? "" : "s", n_errors, n_errors == 1 ? "" : "s");
    (void)text_put_printable(self, ftri_otlp_service_name(first->resource),
                             self->columns - 7 - (size_t)len);
    text_put_words(self, counts);
    put_start(self, first->start_time_ns, end_ns);
    text_put_spaces(self, self->columns - FIGURES * FIGURE_COLUMNS);
    text_put_words(self, "     took   worked   waited\n");
}

enum { COLUMNS_MIN = 60 };

static void text_init(struct text *self, size_t columns, struct ftri_bytes *out)
{
    *self = (struct text){.out = out, .columns = ftri_size_max(columns, COLUMNS_MIN)};
    const size_t depth =
        (self->columns - FIGURES * FIGURE_COLUMNS - MARK_COLUMNS - NAME_COLUMNS_MIN) /
        INDENT_COLUMNS;
    self->max_depth = (unsigned)ftri_size_min(depth, DEPTH_MAX);
}

int tree_text_write(const struct tree *tree, const struct tree_text_options *options,
                    struct ftri_bytes *out)
{
    if (tree->n_nodes == 0)
        return 0;
    struct text text;
    text_init(&text, options->columns, out);
    put_head(&text, tree);
    size_t n = 0;
    for (size_t i = tree_next(tree, TREE_NONE); i != TREE_NONE; i = tree_next(tree, i)) {
        if (options->max_spans && n++ >= options->max_spans)
            continue;
        put_span_line(&text, tree, i);
        put_events(&text, tree, i);
        put_attributes(&text, tree, i);
        put_links(&text, tree, i);
        put_error(&text, tree, i);
    }
    if (options->max_spans && n > options->max_spans) {
        char line[64];
        snprintf(line, sizeof line, "... and %zu more spans\n", n - options->max_spans);
        text_put_words(&text, line);
    }
    return text.error;
}
