/* SPDX-License-Identifier: Apache-2.0 */
#include "api/lineage.h"

#include "api/parameters.h"
#include "api/reply.h"
#include "base/hex.h"
#include "base/time.h"
#include "codec/json_writer.h"
#include "query/lineage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_LIMIT_BYTES = 512 << 20, TIME_LIMIT_S = 10 };

/* --- the question -------------------------------------------------------------------------- */

static bool is_text(ftr_str text, const char *expected)
{
    return text.len == strlen(expected) && memcmp(text.data, expected, text.len) == 0;
}

/* False: the exchange was refused. */
static bool refuse(struct http_exchange *exchange, const char *name, const char *expected,
                   ftr_str found)
{
    reply_error(exchange, 400, "%s: expected %s, found '%.*s'", name, expected,
                (int)ftri_size_min(found.len, 80), found.data);
    return false;
}

static bool read_span_id(struct http_exchange *exchange, ftr_str text, ftr_span_id *ret_id)
{
    return (text.len == 16 && ftri_hex_decode(text.data, 8, ret_id->bytes) &&
            ftr_span_id_is_valid(ret_id)) ||
           refuse(exchange, "span id", "16 hex digits that are not all zero", text);
}

static bool read_ids(struct http_exchange *exchange, ftr_str path,
                     struct lineage_question *question)
{
    const char *slash = memchr(path.data, '/', path.len);
    const ftr_str trace = {path.data, slash ? (size_t)(slash - path.data) : path.len};
    const char *why;
    question->is_whole_trace = !slash;
    if (!parameters_trace_id(trace, question->id.trace_id.bytes, &why)) {
        reply_error(exchange, 400, "trace id: %s, found %zu characters", why, trace.len);
        return false;
    }
    const ftr_str span = {slash ? slash + 1 : NULL, slash ? path.len - trace.len - 1 : 0};
    return !slash || read_span_id(exchange, span, &question->id.span_id);
}

static bool read_number(struct http_exchange *exchange, const char *name, uint64_t min,
                        uint64_t max, uint64_t *number)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, 1024);
    bool is_read = true;
    if (http_exchange_parameter(exchange, name, &text) && text.len) {
        char expected[64];
        const ftr_str found = ftri_view_str(ftri_bytes_view(&text));
        snprintf(expected, sizeof expected, "a number from %llu to %llu", (unsigned long long)min,
                 (unsigned long long)max);
        is_read = (parameters_number(found, max, number) && *number >= min) ||
                  refuse(exchange, name, expected, found);
    }
    ftri_bytes_deinit(&text);
    return is_read;
}

static bool read_direction(struct http_exchange *exchange, struct lineage_question *question)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, 1024);
    bool is_read = true;
    if (http_exchange_parameter(exchange, "direction", &text) && text.len) {
        const ftr_str found = ftri_view_str(ftri_bytes_view(&text));
        if (is_text(found, "up"))
            question->directions = LINEAGE_UP;
        else if (is_text(found, "down"))
            question->directions = LINEAGE_DOWN;
        else if (!is_text(found, "both"))
            is_read = refuse(exchange, "direction", "up, down or both", found);
    }
    ftri_bytes_deinit(&text);
    return is_read;
}

static bool read_question(struct http_exchange *exchange, ftr_str path,
                          struct lineage_question *ret_question)
{
    uint64_t depth = LINEAGE_DEPTH_DEFAULT, limit = LINEAGE_LIMIT_DEFAULT;
    *ret_question = (struct lineage_question){.directions = LINEAGE_BOTH};
    if (!read_ids(exchange, path, ret_question) || !read_direction(exchange, ret_question) ||
        !read_number(exchange, "depth", 0, LINEAGE_DEPTH_MAX, &depth) ||
        !read_number(exchange, "limit", 1, LINEAGE_LIMIT_MAX, &limit))
        return false;
    ret_question->depth = (uint32_t)depth;
    ret_question->limit = (size_t)limit;
    ret_question->deadline_ns = ftri_time_monotonic_ns() + TIME_LIMIT_S * FTRI_NS_PER_S;
    return true;
}

/* --- the answer ---------------------------------------------------------------------------- */

static void begin_line(struct ftri_json_writer *json, struct ftri_bytes *out, const char *type)
{
    ftri_json_writer_init(json, out);
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("type"));
    ftri_json_str(json, ftr_str_from(type));
}

static int end_line(struct ftri_json_writer *json, struct ftri_bytes *out)
{
    ftri_json_end_object(json);
    const int r = ftri_json_writer_status(json);
    return r < 0 ? r : ftri_bytes_append_char(out, '\n');
}

static void write_text(struct ftri_json_writer *json, const char *name, const char *text)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_str(json, ftr_str_from(text));
}

static void write_number(struct ftri_json_writer *json, const char *name, uint64_t number)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_u64(json, number);
}

static void write_id(struct ftri_json_writer *json, const struct store_span_id *id)
{
    ftri_json_name(json, FTR_STR("traceId"));
    ftri_json_hex(json, ftri_view_of(id->trace_id.bytes, 16));
    ftri_json_name(json, FTR_STR("spanId"));
    ftri_json_hex(json, ftri_view_of(id->span_id.bytes, 8));
}

static void write_stored(struct ftri_json_writer *json, const struct store_lineage_span *span)
{
    ftri_json_name(json, FTR_STR("service"));
    ftri_json_str(json, span->service);
    ftri_json_name(json, FTR_STR("name"));
    ftri_json_str(json, span->name);
    ftri_json_name(json, FTR_STR("startTimeUnixNano"));
    ftri_json_u64_text(json, span->start_ns);
    if (span->end_ns)
        write_number(json, "durationNs",
                     span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0);
    write_text(json, "status", span->is_error ? "error" : "ok");
}

static int write_span(void *argument, const struct lineage_span *span)
{
    struct ftri_json_writer json;
    begin_line(&json, argument, "span");
    write_id(&json, span->id);
    write_text(&json, "state", lineage_state_name(span->state));
    write_number(&json, "depth", span->depth);
    if (span->stored)
        write_stored(&json, span->stored);
    return end_line(&json, argument);
}

static void write_end(struct ftri_json_writer *json, const char *name,
                      const struct store_span_id *id)
{
    ftri_json_name(json, ftr_str_from(name));
    ftri_json_begin_object(json);
    write_id(json, id);
    ftri_json_end_object(json);
}

static int write_edge(void *argument, const struct lineage_edge *edge)
{
    struct ftri_json_writer json;
    begin_line(&json, argument, "edge");
    write_text(&json, "direction", edge->direction == LINEAGE_UP ? "up" : "down");
    write_number(&json, "depth", edge->depth);
    write_text(&json, "relation", store_relation_name(edge->relation));
    write_end(&json, "contributor", edge->contributor);
    write_end(&json, "result", edge->result);
    return end_line(&json, argument);
}

static int write_refusal(void *argument, const struct lineage_refusal *refusal)
{
    struct ftri_json_writer json;
    begin_line(&json, argument, "refused_manifest");
    write_id(&json, refusal->manifest);
    write_text(&json, "reason", store_refusal_name(refusal->refusal));
    return end_line(&json, argument);
}

static void write_incomplete(struct ftri_json_writer *json, const struct lineage_summary *summary)
{
    ftri_json_name(json, FTR_STR("incomplete"));
    ftri_json_begin_array(json);
    if (summary->is_over_limit)
        ftri_json_str(json, FTR_STR("limit"));
    if (summary->is_late)
        ftri_json_str(json, FTR_STR("time"));
    if (summary->is_over_memory)
        ftri_json_str(json, FTR_STR("memory"));
    ftri_json_end_array(json);
}

static int write_summary(struct ftri_bytes *out, const struct lineage_summary *summary)
{
    struct ftri_json_writer json;
    begin_line(&json, out, "summary");
    write_number(&json, "edges", summary->n_edges);
    for (enum lineage_state state = 0; state < LINEAGE_N_STATES; state++)
        write_number(&json, lineage_state_name(state), summary->n_spans[state]);
    write_number(&json, "refused_manifests", summary->n_refused);
    write_number(&json, "missing_manifests", summary->n_missing);
    write_number(&json, "repeated_in_manifests", summary->n_repeats);
    write_number(&json, "unnamed_by_manifests", summary->n_unnamed);
    write_incomplete(&json, summary);
    return end_line(&json, out);
}

/* Nothing was ever heard of it. */
static bool is_unheard_of(const struct lineage_summary *summary)
{
    return summary->n_edges == 0 && summary->n_refused == 0 &&
           summary->n_spans[LINEAGE_STORED] == 0 && summary->n_spans[LINEAGE_REMOVED] == 0;
}

static void reply(struct http_exchange *exchange, int r, const struct lineage_summary *summary,
                  const struct ftri_bytes *out)
{
    if (r == -EMSGSIZE)
        reply_error(exchange, 413, "the answer is larger than %d MiB; ask with a lower limit",
                    ANSWER_LIMIT_BYTES >> 20);
    else if (r < 0)
        reply_error(exchange, 500, "reading the store: %s", strerror(-r));
    else if (is_unheard_of(summary))
        reply_error(exchange, 404,
                    "no such span is stored or named by a stored one; of a trace that is gone name "
                    "the span, too");
    else
        reply_typed(exchange, 200, "application/x-ndjson", ftri_bytes_view(out));
}

void lineage_get(struct store *store, struct http_exchange *exchange, ftr_str path)
{
    struct lineage_question question;
    struct lineage_summary summary;
    if (!read_question(exchange, path, &question))
        return;
    struct ftri_bytes out;
    ftri_bytes_init(&out, ANSWER_LIMIT_BYTES);
    const struct lineage_visitor visitor = {write_span, write_edge, write_refusal, &out};
    int r = lineage_run(store, &question, &visitor, &summary);
    if (r == 0)
        r = write_summary(&out, &summary);
    reply(exchange, r, &summary, &out);
    ftri_bytes_deinit(&out);
}
