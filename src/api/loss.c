/* SPDX-License-Identifier: Apache-2.0 */
#include "api/loss.h"

#include "api/parameters.h"
#include "api/reply.h"
#include "base/time.h"
#include "codec/json_writer.h"
#include "query/loss.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { ANSWER_BYTES = 1 << 28, PARAMETER_BYTES = 4096 };

static const uint64_t SINCE_NS = 3600 * FTRI_NS_PER_S;

static void write_text(struct ftri_json_writer *json, const char *name, ftr_str value)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_str(json, value);
}

static void write_number(struct ftri_json_writer *json, const char *name, uint64_t value)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_u64(json, value);
}

/* RFC 3339 with milliseconds; null for none. */
static void write_time(struct ftri_json_writer *json, const char *name, uint64_t ns)
{
    const time_t seconds = (time_t)(ns / FTRI_NS_PER_S);
    struct tm utc;
    char day[40], text[48];
    ftri_json_name(json, ftr_str_from(name));
    if (ns == 0 || !gmtime_r(&seconds, &utc)) {
        ftri_json_null(json);
        return;
    }
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof text, "%s.%03uZ", day, (unsigned)(ns % FTRI_NS_PER_S / FTRI_NS_PER_MS));
    ftri_json_str(json, ftr_str_from(text));
}

static void write_counters(struct ftri_json_writer *json, const struct loss_line *line, int first,
                           int end)
{
    for (int i = first; i < end; i++)
        write_number(json, ledger_counter_name((enum ledger_counter)i), line->counters[i]);
}

static void write_drops(struct ftri_json_writer *json, const struct loss_line *line)
{
    ftri_json_name(json, FTR_STR("dropped"));
    ftri_json_begin_object(json);
    for (int i = LEDGER_NODE_DROPPED; i < LEDGER_COUNTERS; i++)
        if (line->counters[i])
            write_counters(json, line, i, i + 1);
    ftri_json_end_object(json);
}

static void write_pipeline(struct ftri_json_writer *json, const struct loss_line *line)
{
    write_number(json, "instances", line->n_instances);
    write_number(json, "died", line->n_dead);
    write_number(json, "lost", line->counters[LEDGER_EDGE_LOST]);
    write_number(json, "redelivered", line->counters[LEDGER_EDGE_REDELIVERED]);
    write_number(json, "failed", line->counters[LEDGER_NODE_FAILED]);
    write_number(json, "retried", line->counters[LEDGER_NODE_RETRIED]);
    write_number(json, "held", line->counters[LEDGER_NODE_HELD]);
    write_number(json, "in_flight", line->in_flight);
    write_drops(json, line);
}

static void write_node(struct ftri_json_writer *json, const struct loss_line *line)
{
    write_text(json, "node", line->node);
    write_counters(json, line, LEDGER_NODE_RECEIVED, LEDGER_NODE_DROPPED);
    write_drops(json, line);
}

static void write_edge(struct ftri_json_writer *json, const struct loss_line *line)
{
    write_text(json, "from", line->node);
    write_text(json, "port", line->port);
    write_text(json, "to", line->to);
    write_counters(json, line, LEDGER_EDGE_SENT, LEDGER_NODE_RECEIVED);
    write_number(json, "in_flight", line->in_flight);
}

static void write_line(struct ftri_json_writer *json, const struct loss_line *line)
{
    static void (*const writers[])(struct ftri_json_writer *, const struct loss_line *) = {
        [LEDGER_INSTANCE] = write_pipeline, [LEDGER_NODE] = write_node, [LEDGER_EDGE] = write_edge};
    static const char *const kinds[] = {
        [LEDGER_INSTANCE] = "pipeline", [LEDGER_NODE] = "node", [LEDGER_EDGE] = "edge"};
    ftri_json_begin_object(json);
    write_text(json, "kind", ftr_str_from(kinds[line->series]));
    write_text(json, "pipeline", line->pipeline);
    writers[line->series](json, line);
    ftri_json_name(json, FTR_STR("settled"));
    ftri_json_bool(json, line->is_settled);
    write_time(json, "settled_until", line->settled_until_ns);
    write_time(json, "unknown_since", line->unknown_since_ns);
    write_number(json, "unknown_items", line->unknown_items);
    ftri_json_end_object(json);
}

static void send_lines(struct http_exchange *exchange, const struct loss *loss)
{
    struct ftri_bytes body;
    struct ftri_json_writer json;
    ftri_bytes_init(&body, ANSWER_BYTES);
    ftri_json_writer_init(&json, &body);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("result"));
    ftri_json_begin_array(&json);
    for (size_t i = 0; i < loss->n_lines; i++)
        write_line(&json, &loss->lines[i]);
    ftri_json_end_array(&json);
    ftri_json_end_object(&json);
    if (ftri_json_writer_status(&json) < 0)
        reply_error(exchange, 500, "the answer does not fit into memory; ask for one pipeline");
    else
        reply_json(exchange, 200, ftri_bytes_view(&body));
    ftri_bytes_deinit(&body);
}

static void answer(struct store *store, struct http_exchange *exchange, ftr_str pipeline,
                   uint64_t back_ns)
{
    const uint64_t now_ns = ftri_time_wall_ns();
    struct loss loss;
    loss_init(&loss, pipeline);
    int r = store_get_ledger(store, back_ns < now_ns ? now_ns - back_ns : 0, loss_add, &loss);
    if (r == 0)
        r = loss_finish(&loss, now_ns);
    if (r == -ENOSPC)
        reply_error(exchange, 413,
                    "more than %d nodes and edges; ask for one pipeline, or a "
                    "shorter time",
                    LOSS_SERIES_MAX);
    else if (r < 0)
        reply_error(exchange, 500, "reading the ledger failed; the collector's log may say why");
    else if (pipeline.len && loss.n_lines == 0)
        reply_error(exchange, 404,
                    "no pipeline '%.*s' has reported within this time; ask without a name for "
                    "those that have, or with a longer since",
                    (int)ftri_size_min(pipeline.len, 100), pipeline.data);
    else
        send_lines(exchange, &loss);
    loss_deinit(&loss);
}

/* False: the exchange was refused. */
static bool read_since(struct http_exchange *exchange, struct ftri_bytes *text, uint64_t *back_ns)
{
    if (!http_exchange_parameter(exchange, "since", text) || text->len == 0)
        return true;
    const ftr_str found = ftri_view_str(ftri_bytes_view(text));
    if (parameters_duration(found, back_ns))
        return true;
    reply_error(exchange, 400, "since: expected a duration such as 90s, 15m or 7d, found '%.*s'",
                (int)ftri_size_min(found.len, 80), found.data);
    return false;
}

void loss_get(struct store *store, struct http_exchange *exchange, ftr_str argument)
{
    (void)argument;
    uint64_t back_ns = SINCE_NS;
    struct ftri_bytes pipeline, since;
    ftri_bytes_init(&pipeline, PARAMETER_BYTES);
    ftri_bytes_init(&since, PARAMETER_BYTES);
    (void)http_exchange_parameter(exchange, "pipeline", &pipeline);
    if (read_since(exchange, &since, &back_ns))
        answer(store, exchange, ftri_view_str(ftri_bytes_view(&pipeline)), back_ns);
    ftri_bytes_deinit(&pipeline);
    ftri_bytes_deinit(&since);
}
