/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows to OTLP: a family a counter, a point a row that has it. */
#include "otlp/ledger_names.h"
#include "metrics/metric.h"
#include "otlp/encode.h"
#include "otlp/metrics.h"

#include <flowtrace/flow.h>
#include <string.h>

enum { RESOURCE_BYTES = 4096, POINT_ATTRIBUTES = 5 };

const ftr_str ledger_attribute_names[LEDGER_ATTRIBUTES] = {
    [LEDGER_ATTRIBUTE_PIPELINE] = {"ftr.pipeline", 12},
    [LEDGER_ATTRIBUTE_FROM] = {"ftr.from", 8},
    [LEDGER_ATTRIBUTE_PORT] = {"ftr.port", 8},
    [LEDGER_ATTRIBUTE_TO] = {"ftr.to", 6},
    [LEDGER_ATTRIBUTE_NODE] = {"ftr.node", 8},
    [LEDGER_ATTRIBUTE_REASON] = {"ftr.reason", 10},
    [LEDGER_ATTRIBUTE_LAST] = {"ftr.last", 8},
};

const struct ledger_metric ledger_metrics[LEDGER_NODE_DROPPED + 1] = {
    [LEDGER_EDGE_SENT] = {"ftr.edge.sent", "Items put on the edge."},
    [LEDGER_EDGE_REDELIVERED] = {"ftr.edge.redelivered", "Of the sent: again, after a nack."},
    [LEDGER_EDGE_RECEIVED] = {"ftr.edge.received", "Items taken off the edge."},
    [LEDGER_EDGE_LOST] = {"ftr.edge.lost", "Items given up on the edge."},
    [LEDGER_EDGE_QUEUED] = {"ftr.edge.queued", "Items that lie on the edge."},
    [LEDGER_NODE_RECEIVED] = {"ftr.node.received", "Items taken in."},
    [LEDGER_NODE_FORWARDED] = {"ftr.node.forwarded", "Received items that went on."},
    [LEDGER_NODE_ABSORBED] = {"ftr.node.absorbed", "Received items that ended here."},
    [LEDGER_NODE_CREATED] = {"ftr.node.created", "Sent items that were not received."},
    [LEDGER_NODE_EMITTED] = {"ftr.node.emitted", "Items sent."},
    [LEDGER_NODE_FAILED] = {"ftr.node.failed", "Received items that were nacked."},
    [LEDGER_NODE_RETRIED] = {"ftr.node.retried", "Deliveries of batches after the first."},
    [LEDGER_NODE_HELD] = {"ftr.node.held", "Items in the node's hands."},
    [LEDGER_NODE_DROPPED] = {LEDGER_DROPPED_METRIC, "Received items that were given up."},
};

const char *ledger_counter_name(enum ledger_counter counter)
{
    if (counter > LEDGER_NODE_DROPPED)
        return ftr_drop_reason_name((ftr_drop_reason)(counter - LEDGER_NODE_DROPPED));
    return ledger_metrics[counter].name + sizeof "ftr.edge." - 1;
}

static ftr_attribute text_attribute(enum ledger_attribute name, ftr_str value)
{
    return (ftr_attribute){ledger_attribute_names[name], ftr_value_str(value)};
}

static size_t point_attributes(const struct ledger_row *row, ftr_attribute *to)
{
    size_t n = 0;
    to[n++] = text_attribute(LEDGER_ATTRIBUTE_PIPELINE, row->pipeline);
    if (row->series == LEDGER_NODE)
        to[n++] = text_attribute(LEDGER_ATTRIBUTE_NODE, row->node);
    if (row->series == LEDGER_EDGE) {
        to[n++] = text_attribute(LEDGER_ATTRIBUTE_FROM, row->node);
        to[n++] = text_attribute(LEDGER_ATTRIBUTE_PORT, row->port);
        to[n++] = text_attribute(LEDGER_ATTRIBUTE_TO, row->to);
    }
    return n;
}

struct writing {
    const struct ledger_row *rows;
    size_t n_rows;
    struct ftri_metric_sink sink;
    struct ftri_metric family; /* stays where it is until the next one */
};

static int put_point(const struct writing *self, const struct ledger_row *row,
                     const ftr_attribute *last, uint64_t value)
{
    ftr_attribute attributes[POINT_ATTRIBUTES];
    size_t n = point_attributes(row, attributes);
    if (last)
        attributes[n++] = *last;
    const struct ftri_metric_point point = {
        .attributes = attributes,
        .n_attributes = n,
        .start_ns = row->start_ns,
        .time_ns = row->end_ns,
        .count = value,
    };
    return self->sink.point(self->sink.argument, &point);
}

static int put_family(struct writing *self, const char *name, const char *help, bool is_level)
{
    self->family = (struct ftri_metric){
        .scope = FTR_STR("flowtrace"),
        .scope_version = FTR_STR(FTR_VERSION),
        .name = ftr_str_from(name),
        .help = ftr_str_from(help),
        .unit = FTR_STR("{item}"),
        .kind = FTRI_METRIC_SUM,
        .sum = is_level ? FTRI_SUM_LEVEL : FTRI_SUM_DELTA,
    };
    return self->sink.family(self->sink.argument, &self->family);
}

static int put_instances(struct writing *self)
{
    int r = put_family(self, LEDGER_INSTANCE_METRIC, "Cuts of the ledger.", false);
    for (size_t i = 0; r == 0 && i < self->n_rows; i++) {
        const struct ledger_row *row = &self->rows[i];
        const ftr_attribute last = {ledger_attribute_names[LEDGER_ATTRIBUTE_LAST],
                                    ftr_value_bool(row->is_last)};
        if (row->series == LEDGER_INSTANCE)
            r = put_point(self, row, &last, 1);
    }
    return r;
}

static int put_counter(const struct writing *self, enum ledger_counter counter)
{
    const bool is_drop = counter >= LEDGER_NODE_DROPPED;
    const ftr_attribute reason =
        text_attribute(LEDGER_ATTRIBUTE_REASON, ftr_str_from(ledger_counter_name(counter)));
    int r = 0;
    for (size_t i = 0; r == 0 && i < self->n_rows; i++)
        if (self->rows[i].mask & LEDGER_BIT(counter))
            r = put_point(self, &self->rows[i], is_drop ? &reason : NULL,
                          self->rows[i].counters[counter]);
    return r;
}

static bool has_counters(const struct writing *self, uint32_t mask)
{
    for (size_t i = 0; i < self->n_rows; i++)
        if (self->rows[i].mask & mask)
            return true;
    return false;
}

static int put_all(struct writing *self)
{
    int r = put_instances(self);
    for (int counter = 0; r == 0 && counter < LEDGER_COUNTERS; counter++) {
        const bool is_new = counter <= LEDGER_NODE_DROPPED;
        const uint32_t family = counter == LEDGER_NODE_DROPPED
                                    ? ~(LEDGER_BIT(LEDGER_NODE_DROPPED) - 1)
                                    : LEDGER_BIT(counter);
        if (is_new && has_counters(self, family))
            r = put_family(self, ledger_metrics[counter].name, ledger_metrics[counter].help,
                           (LEDGER_BIT(counter) & LEDGER_LEVELS) != 0);
        if (r == 0)
            r = put_counter(self, (enum ledger_counter)counter);
    }
    return r;
}

static int write_resource(ftr_str instance, ftr_str service, struct ftri_bytes *out)
{
    const ftr_attribute attributes[] = {
        {FTR_STR(LEDGER_INSTANCE_ID), ftr_value_str(instance)},
        {FTR_STR("service.name"), ftr_value_str(service)},
    };
    return ftri_otlp_encode_resource(attributes, FTRI_COUNT(attributes), out);
}

int ledger_encode(const struct ledger_row *rows, size_t n_rows, ftr_str service,
                  struct ftri_bytes *out, size_t *ret_n_points)
{
    struct ftri_otlp_metrics metrics;
    struct ftri_bytes resource FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&resource, RESOURCE_BYTES);
    int r = write_resource(rows[0].instance, service, &resource);
    if (r == 0)
        r = ftri_otlp_metrics_begin(&metrics, ftri_bytes_view(&resource), out);
    if (r < 0)
        return r;
    struct writing writing = {
        .rows = rows, .n_rows = n_rows, .sink = ftri_otlp_metrics_sink(&metrics)};
    r = put_all(&writing);
    if (r == 0)
        r = ftri_otlp_metrics_end(&metrics);
    if (r == 0)
        *ret_n_points = metrics.n_points;
    return r;
}
