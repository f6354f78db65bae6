/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/receivers/otlp_signal.h"

#include "base/payload.h"
#include "otlp/json.h"
#include "otlp/ledger.h"
#include "otlp/log_events.h"
#include "otlp/signals.h"

#include <errno.h>
#include <string.h>

struct otlp_reading {
    int (*check)(struct ftri_view bytes, const struct ftri_otlp_limits *limits, size_t *ret_n_items,
                 struct ftri_otlp_error *ret_error);
    int (*from_json)(struct ftri_view json, struct ftri_bytes *ret_bytes,
                     struct ftri_otlp_json_counts *ret_counts, struct ftri_otlp_error *ret_error);
    /* content->n_items is what the request has; leaves what goes on. */
    int (*select)(struct ftri_bytes *bytes, uint64_t received_ns, struct otlp_content *content);
};

static int check_traces(struct ftri_view bytes, const struct ftri_otlp_limits *limits,
                        size_t *ret_n_items, struct ftri_otlp_error *ret_error)
{
    struct ftri_otlp_counts counts;
    const int r = ftri_otlp_traces_check_within(bytes, limits, &counts, ret_error);
    if (r == 0)
        *ret_n_items = counts.n_spans;
    return r;
}

static int select_all(struct ftri_bytes *bytes, uint64_t received_ns, struct otlp_content *content)
{
    (void)received_ns;
    if (content->n_items)
        content->payload = ftri_payload_new(bytes);
    return content->n_items && !content->payload ? -ENOMEM : 0;
}

static int select_ledger(struct ftri_bytes *bytes, uint64_t received_ns,
                         struct otlp_content *content)
{
    size_t n_points, n_others;
    struct ftri_bytes ledger FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&ledger, UINT32_MAX);
    const int r = ledger_select(ftri_bytes_view(bytes), &ledger, &n_points, &n_others);
    if (r < 0)
        return r;
    content->n_items = n_points;
    content->n_rejected = n_others;
    content->signal = FTR_SIGNAL_METRICS;
    content->is_ledger = true;
    return select_all(&ledger, received_ns, content);
}

static int select_events(struct ftri_bytes *bytes, uint64_t received_ns,
                         struct otlp_content *content)
{
    struct ftri_otlp_log_counts counts;
    struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&traces, UINT32_MAX);
    const int r = ftri_otlp_log_events(ftri_bytes_view(bytes), received_ns, &traces, &counts);
    if (r < 0)
        return r;
    content->n_items = counts.n_events;
    content->n_rejected = counts.n_others;
    return select_all(&traces, received_ns, content);
}

static const struct otlp_reading traces = {check_traces, ftri_otlp_traces_from_json, select_all};
static const struct otlp_reading metrics = {ftri_otlp_metrics_check, ftri_otlp_metrics_from_json,
                                            select_ledger};
static const struct otlp_reading logs = {ftri_otlp_logs_check, ftri_otlp_logs_from_json,
                                         select_events};

#define SERVICE(name) "opentelemetry.proto.collector." name

const struct otlp_signal otlp_signals[OTLP_SIGNALS] = {
    {FTR_SIGNAL_TRACES, "traces", "/v1/traces", "/" SERVICE("trace.v1.TraceService/Export"),
     "rejectedSpans", "", &traces},
    {FTR_SIGNAL_METRICS, "metrics", "/v1/metrics", "/" SERVICE("metrics.v1.MetricsService/Export"),
     "rejectedDataPoints",
     "metrics are not kept: this collector keeps traces and the flow ledger (ftr.edge.*, "
     "ftr.node.*, ftr.instance.cuts); send metrics to another endpoint, or turn their exporter "
     "off (OTEL_METRICS_EXPORTER=none)",
     &metrics},
    {FTR_SIGNAL_LOGS, "logs", "/v1/logs", "/" SERVICE("logs.v1.LogsService/Export"),
     "rejectedLogRecords",
     "log records are kept as events of spans only: these have no event name, or no valid trace id "
     "and span id; give them these, send them to another endpoint, or turn their exporter off "
     "(OTEL_LOGS_EXPORTER=none)",
     &logs},
};

const struct otlp_signal *otlp_signal_find(const char *name)
{
    for (size_t i = 0; i < OTLP_SIGNALS; i++)
        if (strcmp(otlp_signals[i].name, name) == 0)
            return &otlp_signals[i];
    return NULL;
}

/* JSON becomes protobuf; the body's bytes are replaced. */
static int convert_json(const struct otlp_reading *reading, const struct otlp_body *body,
                        struct otlp_content *content, struct ftri_otlp_error *error)
{
    struct ftri_bytes *bytes = body->bytes;
    struct ftri_otlp_json_counts counts = {0};
    struct ftri_bytes converted;
    ftri_bytes_init(&converted, body->max_bytes);
    const int r = reading->from_json(ftri_bytes_view(bytes), &converted, &counts, error);
    ftri_bytes_deinit(bytes);
    *bytes = converted;
    content->n_null_numbers = counts.n_null_numbers;
    if (r != -EMSGSIZE)
        return r;
    *error = (struct ftri_otlp_error){.path = "request",
                                      .reason = "as protobuf it is larger than the limit",
                                      .offset = OTLP_NO_OFFSET};
    return -EBADMSG;
}

int otlp_content_read(const struct otlp_signal *signal, const struct otlp_body *body,
                      struct otlp_content *ret_content, struct ftri_otlp_error *error)
{
    const struct otlp_reading *reading = signal->reading;
    struct otlp_content content = {.signal = FTR_SIGNAL_TRACES};
    size_t n_items = 0;
    int r = body->is_json ? convert_json(reading, body, &content, error) : 0;
    if (r < 0)
        return r;
    r = reading->check(ftri_bytes_view(body->bytes), &body->limits, &n_items, error);
    if (r < 0 && body->is_json)
        error->offset = OTLP_NO_OFFSET; /* it is in the converted bytes */
    content.n_items = n_items;
    content.signal = body->is_passed ? signal->signal : FTR_SIGNAL_TRACES;
    if (r == 0)
        r = (body->is_passed ? select_all : reading->select)(body->bytes, body->received_ns,
                                                             &content);
    if (r == 0)
        *ret_content = content;
    return r;
}
