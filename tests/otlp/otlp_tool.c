/* SPDX-License-Identifier: Apache-2.0
 *
 * The OTLP codec as a program, for comparison with Google's protobuf by differential.py.
 *   otlp-tool sample: one fixed request made by our encoder; the script holds the same as literals.
 *   otlp-tool metrics-sample: the same of metrics.
 *   otlp-tool MODE: frames on stdin, frames on stdout, until the end of stdin. Modes:
 *     to-json, from-json               requests of traces
 *     logs, metrics                    protobuf; the result is the number of items, as text
 *     logs-from-json, metrics-from-json, logs-to-json, metrics-to-json
 *     log-events                       protobuf of logs to protobuf of traces; received at 9 ns
 *     in:  length (4 bytes, little-endian), payload
 *     out: 0 or 1 (refused), length, the result or "path: reason" */
#include "base/bytes.h"
#include "codec/wire.h"
#include "metrics/metric.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "otlp/log_events.h"
#include "otlp/metrics.h"
#include "otlp/signals.h"
#include "otlp/view.h"

#include <flowtrace/exporter.h>
#include <flowtrace/span.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const ftr_value items[] = {
    {.type = FTR_VALUE_I64, .as.i64 = -1},
    {.type = FTR_VALUE_STR, .as.str = {"two", 3}},
    {.type = FTR_VALUE_EMPTY},
    {.type = FTR_VALUE_ARRAY},
    {.type = FTR_VALUE_F64, .as.f64 = -0.5},
};

static const ftr_attribute entries[] = {
    {{"inner", 5}, {.type = FTR_VALUE_ARRAY, .as.array = {items, 5}}},
    {{"none", 4}, {.type = FTR_VALUE_MAP}},
};

static const ftr_attribute attributes[] = {
    {{"text", 4}, {.type = FTR_VALUE_STR, .as.str = {"gr\xc3\xbc\xc3\x9f", 6}}},
    {{"empty text", 10}, {.type = FTR_VALUE_STR}},
    {{"broken", 6}, {.type = FTR_VALUE_STR, .as.str = {"a\xff\xe2\x82z", 5}}},
    {{"yes", 3}, {.type = FTR_VALUE_BOOL, .as.boolean = true}},
    {{"no", 2}, {.type = FTR_VALUE_BOOL}},
    {{"least", 5}, {.type = FTR_VALUE_I64, .as.i64 = INT64_MIN}},
    {{"most", 4}, {.type = FTR_VALUE_I64, .as.i64 = INT64_MAX}},
    {{"infinite", 8}, {.type = FTR_VALUE_F64, .as.f64 = INFINITY}},
    {{"raw", 3}, {.type = FTR_VALUE_BYTES, .as.str = {"\x00\xff", 2}}},
    {{"map", 3}, {.type = FTR_VALUE_MAP, .as.map = {entries, 2}}},
    {{"nothing", 7}, {.type = FTR_VALUE_EMPTY}},
    {{"", 0}, {.type = FTR_VALUE_I64, .as.i64 = 300}},
};

static const ftr_event_data events[] = {
    {.time_ns = 1700000000000000001, .name = {"first", 5}},
    {.time_ns = UINT64_MAX,
     .name = {"second", 6},
     .attributes = attributes,
     .n_attributes = 12,
     .n_dropped_attributes = UINT32_MAX},
};

static const ftr_link_data links[] = {
    {.context = {.trace_id = {{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6}},
                 .span_id = {{8, 7, 6, 5, 4, 3, 2, 1}},
                 .trace_flags = 1,
                 .is_remote = true},
     .tracestate = {"a=b", 3},
     .attributes = attributes,
     .n_attributes = 1,
     .n_dropped_attributes = 200},
    {.context = {.trace_id = {{1}}, .span_id = {{2}}}},
};

static const ftr_span_data full = {
    .context = {.trace_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
                .span_id = {{1, 2, 3, 4, 5, 6, 7, 8}},
                .trace_flags = 3},
    .parent_span_id = {{0, 0, 0, 0, 0, 0, 0, 1}},
    .parent_is_remote = true,
    .tracestate = {"x=y,z=w", 7},
    .name = {"full span", 9},
    .kind = FTR_KIND_CONSUMER,
    .start_time_ns = 1700000000000000000,
    .end_time_ns = 1700000000000000999,
    .attributes = attributes,
    .n_attributes = 12,
    .events = events,
    .n_events = 2,
    .links = links,
    .n_links = 2,
    .n_dropped_attributes = 1,
    .n_dropped_events = 128,
    .n_dropped_links = 16384,
    .status = FTR_SPAN_ERROR,
    .status_description = {"it broke", 8},
};

static const ftr_span_data bare = {
    .context = {.trace_id = {{0xff}}, .span_id = {{0xee}}},
    .name = {"bare", 4},
    .status = FTR_SPAN_OK,
};

static int write_sample(void)
{
    struct ftri_bytes resource, spans, request;
    ftri_bytes_init(&resource, 1 << 20);
    ftri_bytes_init(&spans, 1 << 20);
    ftri_bytes_init(&request, 1 << 20);
    int r = ftri_otlp_encode_resource(attributes, 2, &resource);
    if (r == 0)
        r = ftri_otlp_encode_span(&full, &spans);
    if (r == 0)
        r = ftri_otlp_encode_span(&bare, &spans);
    if (r == 0)
        r = ftri_otlp_encode_traces(ftri_bytes_view(&resource), FTR_STR("scope"), FTR_STR("1.2"),
                                    ftri_bytes_view(&spans), &request);
    if (r == 0)
        fwrite(request.data, 1, request.len, stdout);
    ftri_bytes_deinit(&resource);
    ftri_bytes_deinit(&spans);
    ftri_bytes_deinit(&request);
    return r;
}

static const double bounds[] = {0.5, 1, 1e300};
static const uint64_t sample_counts[] = {3, 0, UINT64_MAX, 128};
static const struct ftri_exemplar exemplars[] = {
    {.value = 0.25, .time_ns = 5, .trace_id = {{1, 2}}, .span_id = {{3}}},
    {.value = 0, .time_ns = UINT64_MAX, .trace_id = {{0xff}}, .span_id = {{0xee}}},
};
static const struct ftri_metric families[] = {
    {.scope = {"scope", 5},
     .scope_version = {"1.2", 3},
     .name = {"calls", 5},
     .help = {"gr\xc3\xbc\xc3\x9f", 6},
     .unit = {"{call}", 6},
     .kind = FTRI_METRIC_SUM},
    {.scope = {"scope", 5},
     .name = {"duration", 8},
     .kind = FTRI_METRIC_HISTOGRAM,
     .bounds = bounds,
     .n_bounds = 3},
    {.name = {"fine", 4}, .unit = {"s", 1}, .kind = FTRI_METRIC_EXPONENTIAL},
};
static const struct ftri_metric_point points[] = {
    {.attributes = attributes, .n_attributes = 5, .start_ns = 1, .time_ns = 2, .count = 7},
    {.attributes = attributes,
     .n_attributes = 1,
     .start_ns = 1700000000000000000,
     .time_ns = UINT64_MAX,
     .count = 130,
     .sum = -0.5,
     .counts = sample_counts,
     .n_counts = 4,
     .exemplars = exemplars,
     .n_exemplars = 2},
    {.time_ns = 3,
     .count = 9,
     .sum = 1e300,
     .counts = sample_counts,
     .n_counts = 4,
     .scale = -4,
     .offset = -300,
     .zero_count = 6,
     .exemplars = exemplars,
     .n_exemplars = 1},
};

/* Each family with its point twice. */
static int write_metrics_sample(void)
{
    struct ftri_bytes resource, request;
    struct ftri_otlp_metrics metrics;
    ftri_bytes_init(&resource, 1 << 20);
    ftri_bytes_init(&request, 1 << 20);
    int r = ftri_otlp_encode_resource(attributes, 2, &resource);
    if (r == 0)
        r = ftri_otlp_metrics_begin(&metrics, ftri_bytes_view(&resource), &request);
    const struct ftri_metric_sink sink = ftri_otlp_metrics_sink(&metrics);
    for (size_t i = 0; i < 3 && r == 0; i++) {
        r = sink.family(sink.argument, &families[i]);
        for (int k = 0; k < 2 && r == 0; k++)
            r = sink.point(sink.argument, &points[i]);
    }
    if (r == 0)
        r = ftri_otlp_metrics_end(&metrics);
    if (r == 0 && metrics.n_points == 6)
        fwrite(request.data, 1, request.len, stdout);
    ftri_bytes_deinit(&resource);
    ftri_bytes_deinit(&request);
    return r;
}

enum { FRAME_MAX = 16 << 20 };

/* False at the end of stdin. */
static bool read_frame(struct ftri_bytes *frame)
{
    uint8_t header[4];
    ftri_bytes_reset(frame);
    if (fread(header, 1, sizeof header, stdin) != sizeof header)
        return false;
    const uint32_t len = ftri_wire_load32(header);
    if (ftri_bytes_reserve(frame, len) < 0 || fread(frame->data, 1, len, stdin) != len)
        return false;
    frame->len = len;
    return true;
}

static void write_frame(bool is_refused, struct ftri_view payload)
{
    const uint8_t header[5] = {is_refused, (uint8_t)payload.len, (uint8_t)(payload.len >> 8),
                               (uint8_t)(payload.len >> 16), (uint8_t)(payload.len >> 24)};
    fwrite(header, 1, sizeof header, stdout);
    if (payload.len)
        fwrite(payload.data, 1, payload.len, stdout);
    fflush(stdout);
}

static int to_json(struct ftri_view frame, struct ftri_bytes *out, struct ftri_otlp_error *error)
{
    struct ftri_otlp_counts counts;
    const int r = ftri_otlp_traces_check(frame, &counts, error);
    return r < 0 ? r : ftri_otlp_traces_to_json(frame, out);
}

static int from_json(struct ftri_view frame, struct ftri_bytes *out, struct ftri_otlp_error *error)
{
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_counts checked;
    const int r = ftri_otlp_traces_from_json(frame, out, &counts, error);
    return r < 0 ? r : ftri_otlp_traces_check(ftri_bytes_view(out), &checked, error);
}

static int count_logs(struct ftri_view frame, struct ftri_bytes *out, struct ftri_otlp_error *error)
{
    size_t n;
    const int r = ftri_otlp_logs_check(frame, &ftri_otlp_unlimited, &n, error);
    return r < 0 ? r : ftri_bytes_printf(out, "%zu", n);
}

static int count_points(struct ftri_view frame, struct ftri_bytes *out,
                        struct ftri_otlp_error *error)
{
    size_t n;
    const int r = ftri_otlp_metrics_check(frame, &ftri_otlp_unlimited, &n, error);
    return r < 0 ? r : ftri_bytes_printf(out, "%zu", n);
}

static int logs_from_json(struct ftri_view frame, struct ftri_bytes *out,
                          struct ftri_otlp_error *error)
{
    struct ftri_otlp_json_counts counts;
    size_t n;
    const int r = ftri_otlp_logs_from_json(frame, out, &counts, error);
    return r < 0 ? r : ftri_otlp_logs_check(ftri_bytes_view(out), &ftri_otlp_unlimited, &n, error);
}

static int metrics_from_json(struct ftri_view frame, struct ftri_bytes *out,
                             struct ftri_otlp_error *error)
{
    struct ftri_otlp_json_counts counts;
    size_t n;
    const int r = ftri_otlp_metrics_from_json(frame, out, &counts, error);
    return r < 0 ? r
                 : ftri_otlp_metrics_check(ftri_bytes_view(out), &ftri_otlp_unlimited, &n, error);
}

static int logs_to_json(struct ftri_view frame, struct ftri_bytes *out,
                        struct ftri_otlp_error *error)
{
    size_t n;
    const int r = ftri_otlp_logs_check(frame, &ftri_otlp_unlimited, &n, error);
    return r < 0 ? r : ftri_otlp_logs_to_json(frame, out);
}

static int metrics_to_json(struct ftri_view frame, struct ftri_bytes *out,
                           struct ftri_otlp_error *error)
{
    size_t n_points = 0;
    const int r = ftri_otlp_metrics_check(frame, &ftri_otlp_unlimited, &n_points, error);
    return r < 0 ? r : ftri_otlp_metrics_to_json(frame, out);
}

static int log_events(struct ftri_view frame, struct ftri_bytes *out, struct ftri_otlp_error *error)
{
    struct ftri_otlp_log_counts counts;
    struct ftri_otlp_counts checked;
    size_t n;
    int r = ftri_otlp_logs_check(frame, &ftri_otlp_unlimited, &n, error);
    if (r == 0)
        r = ftri_otlp_log_events(frame, 9, out, &counts);
    return r < 0 ? r : ftri_otlp_traces_check(ftri_bytes_view(out), &checked, error);
}

typedef int convert_frame(struct ftri_view frame, struct ftri_bytes *out,
                          struct ftri_otlp_error *error);

static const struct {
    const char *name;
    convert_frame *convert;
} modes[] = {
    {"to-json", to_json},
    {"from-json", from_json},
    {"logs", count_logs},
    {"metrics", count_points},
    {"logs-from-json", logs_from_json},
    {"metrics-from-json", metrics_from_json},
    {"logs-to-json", logs_to_json},
    {"metrics-to-json", metrics_to_json},
    {"log-events", log_events},
};

static int convert_frames(convert_frame *convert)
{
    struct ftri_bytes frame, out;
    ftri_bytes_init(&frame, FRAME_MAX);
    ftri_bytes_init(&out, FRAME_MAX);
    while (read_frame(&frame)) {
        struct ftri_otlp_error error = {0};
        char text[sizeof error.path + sizeof error.reason + 2];
        ftri_bytes_reset(&out);
        const struct ftri_view view = ftri_bytes_view(&frame);
        const int r = convert(view, &out, &error);
        const int len = snprintf(text, sizeof text, "%s: %s", error.path, error.reason);
        write_frame(r < 0, r < 0 ? ftri_view_of(text, (size_t)len) : ftri_bytes_view(&out));
    }
    ftri_bytes_deinit(&frame);
    ftri_bytes_deinit(&out);
    return 0;
}

int main(int argc, char **argv)
{
    const char *const mode = argc == 2 ? argv[1] : "";
    int r = strcmp(mode, "sample") == 0 ? write_sample() : -1;
    if (strcmp(mode, "metrics-sample") == 0)
        r = write_metrics_sample();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(mode, modes[i].name) == 0)
            r = convert_frames(modes[i].convert);
    return r == 0 ? 0 : 1;
}
