/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of families; a row says of what its points are and who writes those of one. What has
 * never happened (an outcome, a reason, a kind of message) has no point; the other numbers have one
 * from the beginning, so that a rate can be taken. */
#include "engine/graph_metrics.h"

#include "base/time.h"
#include "engine/instance.h"
#include "engine/path.h"
#include "engine/runtime.h"

#include <string.h>

enum { OF_NODE, OF_EDGE, OF_PATH };

enum { ATTRIBUTES_MAX = 6 };

/* What a family is written with, and of what. */
struct page {
    ftr_metric_writer *writer;
    const struct graph *graph;
    const struct family *family;
    uint64_t now_ns; /* CLOCK_MONOTONIC */
    ftr_attribute attributes[ATTRIBUTES_MAX];
    size_t n_attributes;
    union {
        const struct node *node;
        const struct edge *edge;
        const struct path *path;
    };
};

struct family {
    ftr_str name, unit, help;
    ftr_metric_kind kind;
    uint8_t subject;
    bool is_fractional;
    bool is_in_items; /* of histograms: else in seconds */
    void (*write)(struct page *page);
};

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void add_label(struct page *page, ftr_str key, ftr_str value)
{
    page->attributes[page->n_attributes++] = (ftr_attribute){key, ftr_value_str(value)};
}

static void put_point(struct page *page, ftr_metric_point point)
{
    point.size = sizeof point;
    point.attributes = page->attributes;
    point.n_attributes = page->n_attributes;
    point.start_time_ns = page->graph->start_ns;
    (void)ftr_metric_write_point(page->writer, &point);
}

static void put_count(struct page *page, const uint64_t *term)
{
    put_point(page, (ftr_metric_point){.count = count_read(term)});
}

static void put_seconds(struct page *page, uint64_t ns)
{
    put_point(page, (ftr_metric_point){.sum = seconds(ns)});
}

static void put_times(struct page *page, const struct meter_times *times)
{
    uint64_t counts[METER_BUCKETS];
    (void)meter_read(times->counts, counts, METER_BUCKETS);
    put_point(page,
              (ftr_metric_point){.sum = seconds(count_read(&times->sum_ns)), .counts = counts});
}

static uint64_t count_times(const struct meter_times *times)
{
    uint64_t counts[METER_BUCKETS];
    return meter_read(times->counts, counts, METER_BUCKETS);
}

static void put_sizes(struct page *page, const struct meter_sizes *sizes, uint64_t n_items)
{
    uint64_t counts[METER_SIZE_BOUNDS + 1];
    (void)meter_read(sizes->counts, counts, METER_SIZE_BOUNDS + 1);
    put_point(page, (ftr_metric_point){.sum = (double)n_items, .counts = counts});
}

static uint64_t count_sizes(const struct meter_sizes *sizes)
{
    uint64_t counts[METER_SIZE_BOUNDS + 1];
    return meter_read(sizes->counts, counts, METER_SIZE_BOUNDS + 1);
}

/* A point more, with another label, for what has happened. */
static void put_labelled(struct page *page, ftr_str key, const char *value, const uint64_t *term)
{
    if (count_read(term) == 0)
        return;
    add_label(page, key, ftr_str_from(value));
    if (page->family->is_fractional)
        put_seconds(page, count_read(term));
    else
        put_count(page, term);
    page->n_attributes--;
}

_Static_assert((int)METER_OUTCOMES == FTR_OUTCOME_REFUSED + 1, "a place for each");

static void put_outcomes(struct page *page, const struct meter_times times[METER_OUTCOMES])
{
    for (size_t i = FTR_OUTCOME_SUCCESS; i < METER_OUTCOMES; i++) {
        if (count_times(&times[i]) == 0)
            continue;
        add_label(page, FTR_STR("flow.outcome"), ftr_str_from(ftr_outcome_name((ftr_outcome)i)));
        put_times(page, &times[i]);
        page->n_attributes--;
    }
}

static void node_arrivals(struct page *page)
{
    put_point(page, (ftr_metric_point){.count = count_sizes(&page->node->meter->received)});
}

static void node_departures(struct page *page)
{
    put_point(page, (ftr_metric_point){.count = count_sizes(&page->node->meter->emitted)});
}

static void node_received_items(struct page *page)
{
    put_count(page, &page->node->account.received);
}

static void node_received_bytes(struct page *page)
{
    put_count(page, &page->node->account.received_bytes);
}

static void node_emitted_items(struct page *page)
{
    put_count(page, &page->node->account.emitted);
}

static void node_emitted_bytes(struct page *page)
{
    put_count(page, &page->node->account.emitted_bytes);
}

/* Over its edges: what it took in itself is no batch that it received. */
static uint64_t count_received(const struct node *node)
{
    uint64_t n = 0;
    for (size_t i = 0; i < node->n_inputs; i++)
        n += count_read(&node->inputs[i]->account.received);
    return n;
}

static void node_received_size(struct page *page)
{
    if (page->node->n_inputs)
        put_sizes(page, &page->node->meter->received, count_received(page->node));
}

static void node_emitted_size(struct page *page)
{
    if (page->node->n_outputs)
        put_sizes(page, &page->node->meter->emitted, count_read(&page->node->account.emitted));
}

static void node_work(struct page *page)
{
    put_outcomes(page, page->node->meter->work);
}

static void node_busy(struct page *page)
{
    put_seconds(page, meter_busy_ns(page->node->meter, page->now_ns));
}

static void node_held(struct page *page)
{
    put_count(page, &page->node->account.held);
}

static void node_failed_items(struct page *page)
{
    put_count(page, &page->node->account.failed);
}

static void node_retries(struct page *page)
{
    put_count(page, &page->node->account.retried);
}

static void node_dropped(struct page *page)
{
    for (size_t i = 0; i < ACCOUNT_DROP_REASONS; i++)
        put_labelled(page, FTR_STR("drop.reason"), ftr_drop_reason_name((ftr_drop_reason)i),
                     &page->node->account.dropped[i]);
}

static void node_delay(struct page *page)
{
    const struct node *const node = page->node;
    static const char *const names[METER_DELAYS] = {
        [METER_DELAY_HOLD] = "hold",
        [METER_DELAY_RETRY] = "retry",
    };
    const ftr_str key = FTR_STR("delay.reason");
    put_labelled(page, key, "queue", &node->account.queue_ns);
    put_labelled(page, key, "backpressure", &node->account.blocked_ns);
    for (size_t i = 0; i < METER_DELAYS; i++)
        put_labelled(page, key, names[i], &node->meter->delay_ns[i]);
}

static void node_control(struct page *page)
{
    static const char *const results[METER_RESULTS] = {
        [METER_RESULT_DONE] = "done",
        [METER_RESULT_IGNORED] = "ignored",
        [METER_RESULT_FAILED] = "failed",
    };
    _Static_assert((int)METER_CONTROLS == (int)CONTROL_KINDS, "a counter for each");
    for (size_t i = 0; i < CONTROL_KINDS; i++) {
        add_label(page, FTR_STR("control.kind"),
                  ftr_str_from(strchr(control_name((enum control_kind)i), '/') + 1));
        for (size_t j = 0; j < METER_RESULTS; j++)
            put_labelled(page, FTR_STR("control.result"), results[j],
                         &page->node->meter->controls[i][j]);
        page->n_attributes--;
    }
}

static void edge_sent_batches(struct page *page)
{
    put_count(page, &page->edge->account.n_sent_batches);
}

static void edge_received_batches(struct page *page)
{
    put_point(page, (ftr_metric_point){.count = count_times(&page->edge->meter->wait)});
}

static void edge_sent_items(struct page *page)
{
    put_count(page, &page->edge->account.sent);
}

static void edge_received_items(struct page *page)
{
    put_count(page, &page->edge->account.received);
}

static void edge_redelivered_items(struct page *page)
{
    put_count(page, &page->edge->account.redelivered);
}

static void edge_lost_items(struct page *page)
{
    put_count(page, &page->edge->account.lost);
}

static void edge_depth(struct page *page)
{
    put_count(page, &page->edge->meter->depth);
}

static void edge_depth_items(struct page *page)
{
    put_count(page, &page->edge->account.queued);
}

static void edge_capacity(struct page *page)
{
    put_point(page, (ftr_metric_point){.count = page->graph->capacity});
}

static void edge_wait(struct page *page)
{
    put_times(page, &page->edge->meter->wait);
}

static void edge_blocked(struct page *page)
{
    put_seconds(page, count_read(&page->edge->meter->blocked_ns));
}

static void path_duration(struct page *page)
{
    put_outcomes(page, page->path->meter.duration);
}

static void path_items(struct page *page)
{
    for (size_t i = FTR_OUTCOME_SUCCESS; i < METER_OUTCOMES; i++)
        put_labelled(page, FTR_STR("flow.outcome"), ftr_outcome_name((ftr_outcome)i),
                     &page->path->meter.n_items[i]);
}

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define COUNTER(name, unit, help, subject, write)                                                  \
    {                                                                                              \
        TEXT(name), TEXT(unit), TEXT(help), FTR_METRIC_COUNTER, subject, false, false, write       \
    }
#define SECONDS(name, help, subject, write)                                                        \
    {                                                                                              \
        TEXT(name), TEXT("s"), TEXT(help), FTR_METRIC_COUNTER, subject, true, false, write         \
    }
#define GAUGE(name, unit, help, subject, write)                                                    \
    {                                                                                              \
        TEXT(name), TEXT(unit), TEXT(help), FTR_METRIC_GAUGE, subject, false, false, write         \
    }
#define TIMES(name, help, subject, write)                                                          \
    {                                                                                              \
        TEXT(name), TEXT("s"), TEXT(help), FTR_METRIC_HISTOGRAM, subject, false, false, write      \
    }
#define SIZES(name, help, subject, write)                                                          \
    {                                                                                              \
        TEXT(name), TEXT("{item}"), TEXT(help), FTR_METRIC_HISTOGRAM, subject, false, true, write  \
    }

static const struct family families[] = {
    COUNTER("flow.node.arrivals", "{batch}", "Batches that a node received.", OF_NODE,
            node_arrivals),
    COUNTER("flow.node.departures", "{batch}", "Batches that a node sent.", OF_NODE,
            node_departures),
    COUNTER("flow.node.received.items", "{item}",
            "Items that a node received, or took in and did not send.", OF_NODE,
            node_received_items),
    COUNTER("flow.node.received.bytes", "By", "Bytes that a node received.", OF_NODE,
            node_received_bytes),
    COUNTER("flow.node.emitted.items", "{item}", "Items that a node sent.", OF_NODE,
            node_emitted_items),
    COUNTER("flow.node.emitted.bytes", "By", "Bytes that a node sent.", OF_NODE,
            node_emitted_bytes),
    SIZES("flow.node.received.batch.size", "Items in a batch that a node received.", OF_NODE,
          node_received_size),
    SIZES("flow.node.emitted.batch.size", "Items in a batch that a node sent.", OF_NODE,
          node_emitted_size),
    TIMES("flow.node.duration", "Time that a node worked on a batch, by outcome.", OF_NODE,
          node_work),
    SECONDS("flow.node.busy", "Time in which a node worked on at least one batch.", OF_NODE,
            node_busy),
    GAUGE("flow.node.held.items", "{item}", "Items that a node holds.", OF_NODE, node_held),
    COUNTER("flow.node.failed.items", "{item}", "Items that a node refused.", OF_NODE,
            node_failed_items),
    COUNTER("flow.node.retries", "{batch}", "Batches that a node decided to send once more.",
            OF_NODE, node_retries),
    COUNTER("flow.node.dropped.items", "{item}", "Items that a node dropped, by reason.", OF_NODE,
            node_dropped),
    SECONDS("flow.node.delay", "Time that batches did not move, summed, by reason.", OF_NODE,
            node_delay),
    COUNTER("flow.node.control.messages", "{message}",
            "Control messages that a node was given, by kind and result.", OF_NODE, node_control),
    COUNTER("flow.channel.sent.batches", "{batch}", "Batches sent into a channel.", OF_EDGE,
            edge_sent_batches),
    COUNTER("flow.channel.received.batches", "{batch}", "Batches taken out of a channel.", OF_EDGE,
            edge_received_batches),
    COUNTER("flow.channel.sent.items", "{item}", "Items sent into a channel.", OF_EDGE,
            edge_sent_items),
    COUNTER("flow.channel.received.items", "{item}", "Items taken out of a channel.", OF_EDGE,
            edge_received_items),
    COUNTER("flow.channel.redelivered.items", "{item}",
            "Items sent into a channel in a delivery after the first.", OF_EDGE,
            edge_redelivered_items),
    COUNTER("flow.channel.lost.items", "{item}", "Items that were lost in a channel.", OF_EDGE,
            edge_lost_items),
    GAUGE("flow.channel.depth", "{batch}", "Batches in a channel, or waiting for room in it.",
          OF_EDGE, edge_depth),
    GAUGE("flow.channel.depth.items", "{item}", "Items in a channel, or waiting for room in it.",
          OF_EDGE, edge_depth_items),
    GAUGE("flow.channel.capacity", "{batch}",
          "Batches that the receiving node's channel takes, of all its senders.", OF_EDGE,
          edge_capacity),
    TIMES("flow.channel.wait", "Time from sending a batch to its reception.", OF_EDGE, edge_wait),
    SECONDS("flow.channel.blocked", "Time that batches waited for room in a channel, summed.",
            OF_EDGE, edge_blocked),
    TIMES(
        "flow.path.duration",
        "Time from a batch's beginning to its end, by path and outcome; of a merged batch, of the "
        "oldest in it.",
        OF_PATH, path_duration),
    COUNTER("flow.path.items", "{item}", "Items that came to the end of a path, by outcome.",
            OF_PATH, path_items),
};

static void begin_labels(struct page *page)
{
    const char *pipeline = page->graph->options.pipeline;
    page->n_attributes = 0;
    if (pipeline && pipeline[0])
        add_label(page, FTR_STR("flow.pipeline"), ftr_str_from(pipeline));
    if (page->graph->instance)
        page->attributes[page->n_attributes++] = (ftr_attribute){
            FTR_STR("flow.loop"), ftr_value_i64((int64_t)page->graph->options.loop)};
}

static void write_nodes(struct page *page)
{
    for (size_t i = 0; i < page->graph->n_nodes; i++) {
        page->node = page->graph->nodes[i];
        begin_labels(page);
        add_label(page, FTR_STR("node.id"), ftr_str_from(page->node->id));
        add_label(page, FTR_STR("node.type"), ftr_str_from(page->node->class->type));
        page->family->write(page);
    }
}

static void write_edges(struct page *page)
{
    for (size_t i = 0; i < page->graph->n_edges; i++) {
        const struct edge *const edge = page->graph->edges[i];
        page->edge = edge;
        begin_labels(page);
        add_label(page, FTR_STR("edge.from"), ftr_str_from(edge->from->id));
        add_label(page, FTR_STR("edge.port"), edge->port->name);
        add_label(page, FTR_STR("edge.to"), ftr_str_from(edge->to->id));
        page->family->write(page);
    }
}

static void write_paths(struct page *page)
{
    const struct paths *const paths = page->graph->paths;
    const size_t n = paths_count(paths);
    for (size_t i = 0; i < n; i++) {
        page->path = paths->list[i];
        begin_labels(page);
        add_label(page, FTR_STR("flow.path"), page->path->text);
        page->family->write(page);
    }
    page->path = &paths->overflow;
    begin_labels(page);
    page->attributes[page->n_attributes++] =
        (ftr_attribute){FTR_STR("otel.metric.overflow"), ftr_value_bool(true)};
    page->family->write(page);
}

static void write_family(struct page *page, const struct family *family)
{
    const bool is_histogram = family->kind == FTR_METRIC_HISTOGRAM;
    const ftr_metric_family written = {
        .size = sizeof written,
        .name = family->name,
        .help = family->help,
        .unit = family->unit,
        .kind = family->kind,
        .is_fractional = family->is_fractional,
        .bounds = family->is_in_items ? meter_size_bounds : meter_time_bounds,
        .n_bounds = !is_histogram         ? 0
                    : family->is_in_items ? METER_SIZE_BOUNDS
                                          : METER_TIME_BOUNDS,
    };
    static void (*const writers[])(struct page *) = {
        [OF_NODE] = write_nodes, [OF_EDGE] = write_edges, [OF_PATH] = write_paths};
    page->family = family;
    if (!ftr_metric_write_family(page->writer, &written))
        return;
    const struct instance *const first = page->graph->instance;
    writers[family->subject](page);
    for (size_t i = 1; first && i < instance_n_loops(first); i++) {
        page->graph = instance_at(first, i)->graph;
        writers[family->subject](page);
    }
    page->graph = first ? first->graph : page->graph;
}

void graph_write_metrics(void *graph, ftr_metric_writer *writer)
{
    struct page page = {.writer = writer, .graph = graph, .now_ns = ftri_time_monotonic_ns()};
    for (size_t i = 0; i < FTRI_COUNT(families); i++)
        write_family(&page, &families[i]);
}
