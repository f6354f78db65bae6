/* SPDX-License-Identifier: Apache-2.0
 *
 * flowtrace trace get, trace query. */
#include "api/parameters.h"
#include "app/client.h"
#include "app/commands.h"
#include "app/terminal.h"
#include "app/trace_print.h"
#include "app/trace_view.h"
#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "codec/json_writer.h"
#include "config/quantity.h"
#include "otlp/json.h"

#include <errno.h>
#include <flowtrace/flow.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct get_options {
    const char *server;
    bool is_tree;
};

static const struct argument get_rows[] = {
    {"tree", NULL, offsetof(struct get_options, is_tree), "Draw it instead of printing JSON."},
    {"server", "URL", offsetof(struct get_options, server), CLIENT_SERVER_SENTENCE},
};

static int print_json(struct ftri_view otlp)
{
    struct ftri_bytes json;
    ftri_bytes_init(&json, SIZE_MAX / 2);
    int r = ftri_otlp_traces_to_json(otlp, &json);
    if (r == 0)
        r = ftri_bytes_append_char(&json, '\n');
    if (r == 0)
        r = ftri_file_write_all(STDOUT_FILENO, json.data, json.len);
    ftri_bytes_deinit(&json);
    return r;
}

static int print_trees(struct ftri_view otlp)
{
    struct trace_view view;
    int r = trace_view_init(&view, otlp);
    if (r < 0)
        return r;
    const struct ftri_otlp_span *spans;
    size_t n;
    for (size_t cursor = 0; r == 0 && (n = trace_view_next(&view, &cursor, &spans)) > 0;)
        r = trace_print(spans, n, terminal_columns());
    trace_view_deinit(&view);
    return r;
}

/* Asks for what path names and prints the answer; takes over the path. */
static int fetch_and_print(const char *server, struct ftri_bytes *path,
                           int (*print)(struct ftri_view otlp))
{
    struct ftri_error error = {.text = "memory is short"};
    struct ftri_bytes otlp;
    ftri_bytes_init(&otlp, SIZE_MAX / 2);
    int r = ftri_bytes_append_char(path, '\0');
    if (r == 0)
        r = client_get_traces(client_server(server), (const char *)path->data, &otlp, &error);
    ftri_bytes_deinit(path);
    int status = 0;
    if (r < 0) {
        status = fail(1, "%s", error.text);
    } else {
        r = print(ftri_bytes_view(&otlp));
        status = r < 0 ? fail(1, "printing: %s", strerror(-r)) : 0;
    }
    ftri_bytes_deinit(&otlp);
    return status;
}

static int get(const void *values, const char *const *operands, size_t n_operands)
{
    (void)n_operands;
    const struct get_options *options = values;
    struct ftri_bytes path;
    ftri_bytes_init(&path, 4096);
    int r = ftri_bytes_append_str(&path, FTR_STR("/api/v3/traces/"));
    if (r == 0)
        r = client_append_escaped(&path, operands[0]);
    if (r < 0) {
        ftri_bytes_deinit(&path);
        return fail(2, "the id is too long");
    }
    return fetch_and_print(options->server, &path, options->is_tree ? print_trees : print_json);
}

const struct command command_trace_get = {
    .name = "trace get",
    .operands = "ID",
    .sentence = "One trace by its id, as OTLP JSON or as a tree.",
    .rows = get_rows,
    .n_rows = FTRI_COUNT(get_rows),
    .options_size = sizeof(struct get_options),
    .n_operands_min = 1,
    .n_operands_max = 1,
    .run = get,
};

struct query_options {
    const char *server, *service, *name, *status, *min_duration, *max_duration, *since, *limit;
    const char *until, *node, *pipeline;
    struct argument_values attributes;
};

static const struct argument query_rows[] = {
    {"service", "NAME", offsetof(struct query_options, service), "Of this service."},
    {"name", "NAME", offsetof(struct query_options, name),
     "With a span of this name; * stands for any characters: 'control/*'."},
    {"status", "ok|error", offsetof(struct query_options, status), "With a span of this status."},
    {"min-duration", "D", offsetof(struct query_options, min_duration),
     "With a span that took at least this long, e.g. 200ms."},
    {"max-duration", "D", offsetof(struct query_options, max_duration), "... at most this long."},
    {"node", "ID", offsetof(struct query_options, node), "With a visit of this node."},
    {"pipeline", "NAME", offsetof(struct query_options, pipeline),
     "With a visit in this pipeline."},
    {"attribute", "KEY=VALUE", offsetof(struct query_options, attributes),
     "With a span of this attribute, its own or of an event; may be given again.", true},
    {"since", "WHEN", offsetof(struct query_options, since),
     "Started at or after this time, or within so long before now, e.g. 1h."},
    {"until", "WHEN", offsetof(struct query_options, until),
     "Started at or before this time (2026-01-02T03:04:05Z), or so long before now."},
    {"limit", "N", offsetof(struct query_options, limit), "At most N traces; default 20."},
    {"server", "URL", offsetof(struct query_options, server), CLIENT_SERVER_SENTENCE},
};

static int add_parameter(struct ftri_bytes *path, const char *name, const char *value)
{
    if (!value)
        return 0;
    int r = ftri_bytes_printf(path, "&query.%s=", name);
    if (r == 0)
        r = client_append_escaped(path, value);
    return r;
}

enum { TOLD = 1 }; /* what is wrong with an option */

/* A time, or a duration before now, as the API wants it. */
static int add_when(struct ftri_bytes *path, const char *name, const char *option, const char *when)
{
    uint64_t ns;
    if (!when || parameters_time(ftr_str_from(when), &ns))
        return add_parameter(path, name, when);
    if (quantity_parse_duration(when, &ns) < 0) {
        fail(2,
             "--%s %s: expected a duration such as 90s, 15m, 1h30m or 7d, or a time such as "
             "2026-01-02T03:04:05Z",
             option, when);
        return TOLD;
    }
    const uint64_t now_ns = ftri_time_wall_ns();
    const uint64_t then_ns = ns < now_ns ? now_ns - ns : 0;
    const time_t seconds = (time_t)(then_ns / FTRI_NS_PER_S);
    struct tm utc;
    char text[40], whole[24];
    gmtime_r(&seconds, &utc);
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof text, "%s.%09uZ", whole, (unsigned)(then_ns % FTRI_NS_PER_S));
    return add_parameter(path, name, text);
}

static int put_attributes(const struct argument_values *attributes, struct ftri_json_writer *json)
{
    for (size_t i = 0; i < attributes->n; i++) {
        const char *const item = attributes->items[i];
        const char *const equals = strchr(item, '=');
        if (!equals || equals == item) {
            fail(2, "--attribute %s: expected KEY=VALUE", item);
            return TOLD;
        }
        ftri_json_name(json, (ftr_str){item, (size_t)(equals - item)});
        ftri_json_str(json, ftr_str_from(equals + 1));
    }
    return 0;
}

static void put_attribute(struct ftri_json_writer *json, ftr_str key, const char *value)
{
    if (!value)
        return;
    ftri_json_name(json, key);
    ftri_json_str(json, ftr_str_from(value));
}

static int add_attributes(struct ftri_bytes *path, const struct query_options *options)
{
    if (options->attributes.n == 0 && !options->node && !options->pipeline)
        return 0;
    struct ftri_bytes text;
    ftri_bytes_init(&text, 64 * 1024);
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, &text);
    ftri_json_begin_object(&json);
    put_attribute(&json, FTR_STR("node.id"), options->node);
    put_attribute(&json, FTR_STR("flow.pipeline"), options->pipeline);
    int r = put_attributes(&options->attributes, &json);
    ftri_json_end_object(&json);
    if (r == 0)
        r = ftri_json_writer_status(&json);
    if (r == 0)
        r = ftri_bytes_append_char(&text, '\0');
    if (r == 0)
        r = add_parameter(path, "attributes", (const char *)text.data);
    ftri_bytes_deinit(&text);
    return r;
}

static int build_path(const struct query_options *options, struct ftri_bytes *path)
{
    const char *const pairs[][2] = {
        {"serviceName", options->service},
        {"operationName", options->name},
        {"status", options->status},
        {"durationMin", options->min_duration},
        {"durationMax", options->max_duration},
        {"searchDepth", options->limit},
    };
    int r = ftri_bytes_append_str(path, FTR_STR("/api/v3/traces?"));
    for (size_t i = 0; r == 0 && i < FTRI_COUNT(pairs); i++)
        r = add_parameter(path, pairs[i][0], pairs[i][1]);
    if (r == 0)
        r = add_when(path, "startTimeMin", "since", options->since);
    if (r == 0)
        r = add_when(path, "startTimeMax", "until", options->until);
    return r == 0 ? add_attributes(path, options) : r;
}

struct summary {
    const struct ftri_otlp_span *first; /* the root, or the earliest */
    uint64_t start_ns, end_ns;
    size_t n_errors;
};

static void summarize(const struct ftri_otlp_span *spans, size_t n, struct summary *ret_summary)
{
    struct summary summary = {.first = &spans[0], .start_ns = UINT64_MAX};
    for (size_t i = 0; i < n; i++) {
        const struct ftri_otlp_span *span = &spans[i];
        const bool is_better = !span->parent_span_id && summary.first->parent_span_id;
        const bool is_earlier = span->start_time_ns < summary.first->start_time_ns &&
                                !span->parent_span_id == !summary.first->parent_span_id;
        if (is_better || is_earlier)
            summary.first = span;
        summary.start_ns =
            span->start_time_ns < summary.start_ns ? span->start_time_ns : summary.start_ns;
        summary.end_ns = span->end_time_ns > summary.end_ns ? span->end_time_ns : summary.end_ns;
        summary.n_errors += span->status_code == FTRI_OTLP_STATUS_ERROR;
    }
    *ret_summary = summary;
}

/* What came of it, as its first span says: a visit, or an action. */
static void put_outcome(struct ftri_json_writer *json, const struct ftri_otlp_span *span)
{
    ftr_str names[FTR_CONVENTION_NAMES_MAX];
    struct ftri_view value;
    const size_t n = ftr_convention_names(FTR_STR("flow.outcome"), names, FTR_CONVENTION_NAMES_MAX);
    size_t i = 0;
    while (i < n && !ftri_otlp_attribute_find(FTRI_OTLP_SPAN, span->bytes, names[i], &value))
        i++;
    if (i == n)
        return;
    const ftr_value outcome = ftri_otlp_value_read(value);
    if (outcome.type != FTR_VALUE_STR)
        return;
    ftri_json_name(json, FTR_STR("outcome"));
    ftri_json_str(json, outcome.as.str);
}

static int print_summary(const struct ftri_otlp_span *spans, size_t n)
{
    struct summary summary;
    summarize(spans, n, &summary);
    struct ftri_bytes line;
    ftri_bytes_init(&line, 1 << 20);
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, &line);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("traceId"));
    ftri_json_hex(&json, ftri_view_of(summary.first->trace_id, 16));
    ftri_json_name(&json, FTR_STR("service"));
    ftri_json_str(&json, ftri_otlp_service_name(summary.first->resource));
    ftri_json_name(&json, FTR_STR("name"));
    ftri_json_str(&json, summary.first->name);
    ftri_json_name(&json, FTR_STR("startTimeUnixNano"));
    ftri_json_u64_text(&json, summary.start_ns);
    ftri_json_name(&json, FTR_STR("durationNs"));
    ftri_json_u64(&json, summary.end_ns > summary.start_ns ? summary.end_ns - summary.start_ns : 0);
    ftri_json_name(&json, FTR_STR("spans"));
    ftri_json_u64(&json, n);
    ftri_json_name(&json, FTR_STR("errors"));
    ftri_json_u64(&json, summary.n_errors);
    put_outcome(&json, summary.first);
    ftri_json_end_object(&json);
    int r = ftri_json_writer_status(&json);
    if (r == 0)
        r = ftri_bytes_append_char(&line, '\n');
    if (r == 0)
        r = ftri_file_write_all(STDOUT_FILENO, line.data, line.len);
    ftri_bytes_deinit(&line);
    return r;
}

static int print_summaries(struct ftri_view otlp)
{
    struct trace_view view;
    int r = trace_view_init(&view, otlp);
    if (r < 0)
        return r;
    const struct ftri_otlp_span *spans;
    size_t n;
    for (size_t cursor = 0; r == 0 && (n = trace_view_next(&view, &cursor, &spans)) > 0;)
        r = print_summary(spans, n);
    trace_view_deinit(&view);
    return r;
}

static int query(const void *values, const char *const *operands, size_t n_operands)
{
    (void)operands;
    (void)n_operands;
    const struct query_options *options = values;
    struct ftri_bytes path;
    ftri_bytes_init(&path, 64 * 1024);
    const int r = build_path(options, &path);
    if (r == 0)
        return fetch_and_print(options->server, &path, print_summaries);
    ftri_bytes_deinit(&path);
    return r == TOLD ? 2 : fail(2, "the options are too long");
}

const struct command command_trace_query = {
    .name = "trace query",
    .operands = "",
    .sentence = "Find traces; one JSON line each, newest first.",
    .text = "One span of a trace has to meet all conditions.",
    .rows = query_rows,
    .n_rows = FTRI_COUNT(query_rows),
    .options_size = sizeof(struct query_options),
    .run = query,
};
