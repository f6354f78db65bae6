/* SPDX-License-Identifier: Apache-2.0 */
#include "api/traces.h"

#include "api/jaeger_tags.h"
#include "api/operations.h"
#include "api/parameters.h"
#include "api/reply.h"
#include "api/search.h"
#include "api/summaries.h"
#include "api/traces_query.h"
#include "codec/json_writer.h"
#include "otlp/json.h"

#include <errno.h>
#include <string.h>

enum { ANSWER_LIMIT_BYTES = 512 << 20, SEARCH_DEPTH_DEFAULT = 20 };

static void reply_failure(struct http_exchange *exchange, int r)
{
    if (r == -EMSGSIZE)
        reply_error(exchange, 413, "the answer is larger than %d MiB; ask for fewer traces",
                    ANSWER_LIMIT_BYTES >> 20);
    else
        reply_error(exchange, 500, "reading the store: %s", strerror(-r));
}

/* Answers what was written, or the failure; frees out. */
static void finish(struct http_exchange *exchange, int r, struct ftri_bytes *out)
{
    if (r == 0)
        reply_json(exchange, 200, ftri_bytes_view(out));
    else
        reply_failure(exchange, r);
    ftri_bytes_deinit(out);
}

static int write_spans(struct ftri_otlp_json_writer *writer, const struct store_result *result)
{
    for (size_t i = 0; i < result->n_spans; i++) {
        const int r = ftri_otlp_json_span(writer, &result->spans[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int begin_result(struct ftri_otlp_json_writer *writer, struct ftri_bytes *out)
{
    const int r = ftri_bytes_append_str(out, FTR_STR("{\"result\":"));
    return r == 0 ? ftri_otlp_json_begin(writer, out) : r;
}

static int end_result(struct ftri_otlp_json_writer *writer, struct ftri_bytes *out)
{
    const int r = ftri_otlp_json_end(writer);
    return r == 0 ? ftri_bytes_append_str(out, FTR_STR("}")) : r;
}

static int write_result(const struct store_result *result, struct ftri_bytes *out)
{
    struct ftri_otlp_json_writer writer;
    int r = begin_result(&writer, out);
    if (r == 0)
        r = write_spans(&writer, result);
    return r == 0 ? end_result(&writer, out) : r;
}

static void reply_trace(struct store *store, struct http_exchange *exchange, ftr_str text,
                        const uint8_t id[16])
{
    struct store_result result = {0};
    int r = store_get_trace(store, id, &result);
    if (r == 0 && result.n_spans == 0) {
        reply_error(exchange, 404, "no span of trace %.*s is stored", (int)text.len, text.data);
    } else {
        struct ftri_bytes out;
        ftri_bytes_init(&out, ANSWER_LIMIT_BYTES);
        if (r == 0)
            r = write_result(&result, &out);
        if (r == 0 && result.is_truncated)
            http_exchange_set_header(exchange, "Flowtrace-Incomplete",
                                     "the trace has more spans; these are the earliest");
        finish(exchange, r, &out);
    }
    store_result_deinit(&result);
}

void traces_get(struct store *store, struct http_exchange *exchange, ftr_str trace_id)
{
    uint8_t id[16];
    const char *why;
    char problem[TRACES_PROBLEM_BYTES];
    if (!parameters_trace_id(trace_id, id, &why))
        reply_error(exchange, 400, "trace id: %s, found %zu characters", why, trace_id.len);
    else if (!traces_query_check_times(exchange, problem))
        reply_error(exchange, 400, "%s", problem);
    else
        reply_trace(store, exchange, trace_id, id);
}

static int visit_spans(void *argument, const struct store_result *trace)
{
    return write_spans(argument, trace);
}

static int visit_summary(void *argument, const struct store_result *trace)
{
    return summary_write(argument, trace->spans, trace->n_spans);
}

static int write_traces(struct store *store, const struct search *search, struct ftri_bytes *out,
                        bool *ret_is_cut)
{
    struct ftri_otlp_json_writer writer;
    const struct search_visitor visitor = {visit_spans, &writer};
    int r = begin_result(&writer, out);
    if (r == 0)
        r = search_run(store, search, &visitor, ret_is_cut);
    return r == 0 ? end_result(&writer, out) : r;
}

static int write_summaries(struct store *store, const struct search *search, struct ftri_bytes *out,
                           bool *ret_is_cut)
{
    struct ftri_json_writer json;
    const struct search_visitor visitor = {visit_summary, &json};
    ftri_json_writer_init(&json, out);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("summaries"));
    ftri_json_begin_array(&json);
    const int r = search_run(store, search, &visitor, ret_is_cut);
    ftri_json_end_array(&json);
    ftri_json_end_object(&json);
    return r == 0 ? ftri_json_writer_status(&json) : r;
}

static void reply_search(struct store *store, struct http_exchange *exchange,
                         int (*write)(struct store *store, const struct search *search,
                                      struct ftri_bytes *out, bool *ret_is_cut))
{
    struct search search;
    char problem[TRACES_PROBLEM_BYTES];
    search_init(&search, SEARCH_DEPTH_DEFAULT);
    if (traces_query_read(exchange, &search, problem)) {
        struct ftri_bytes out;
        bool is_cut = false;
        ftri_bytes_init(&out, ANSWER_LIMIT_BYTES);
        const int r = write(store, &search, &out, &is_cut);
        if (is_cut)
            http_exchange_set_header(exchange, "Flowtrace-Incomplete", search_cut_words);
        finish(exchange, r, &out);
    } else {
        reply_error(exchange, 400, "%s", problem);
    }
    search_deinit(&search);
}

void traces_search(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    reply_search(store, exchange, write_traces);
}

void traces_summaries(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    reply_search(store, exchange, write_summaries);
}

static void write_service(void *argument, ftr_str name)
{
    ftri_json_str(argument, name);
}

void traces_services(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    struct ftri_bytes out;
    ftri_bytes_init(&out, ANSWER_LIMIT_BYTES);
    struct ftri_json_writer json;
    ftri_json_writer_init(&json, &out);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("services"));
    ftri_json_begin_array(&json);
    int r = store_names(store, (ftr_str){0}, write_service, &json);
    ftri_json_end_array(&json);
    ftri_json_end_object(&json);
    if (r == 0)
        r = ftri_json_writer_status(&json);
    finish(exchange, r, &out);
}

/* v3 has no word for the unspecified kind: Jaeger says internal. */
static void write_operation(void *argument, ftr_str name, int32_t kind)
{
    struct ftri_json_writer *json = argument;
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("name"));
    ftri_json_str(json, name);
    ftri_json_name(json, FTR_STR("spanKind"));
    ftri_json_str(json, kind ? jaeger_kind_name(kind) : FTR_STR("internal"));
    ftri_json_end_object(json);
}

static void reply_operations(struct store *store, struct http_exchange *exchange, ftr_str service,
                             int32_t kind)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, ANSWER_LIMIT_BYTES);
    struct ftri_json_writer json;
    const struct operations_visitor visitor = {write_operation, &json};
    ftri_json_writer_init(&json, &out);
    ftri_json_begin_object(&json);
    ftri_json_name(&json, FTR_STR("operations"));
    ftri_json_begin_array(&json);
    int r = operations_run(store, service, kind, &visitor);
    ftri_json_end_array(&json);
    ftri_json_end_object(&json);
    if (r == 0)
        r = ftri_json_writer_status(&json);
    finish(exchange, r, &out);
}

void traces_operations(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    struct ftri_bytes service, name;
    ftri_bytes_init(&service, 64 * 1024);
    ftri_bytes_init(&name, 64);
    int32_t kind = OPERATIONS_KIND_ANY;
    const bool has_kind = http_exchange_parameter(exchange, "spanKind", &name) ||
                          http_exchange_parameter(exchange, "span_kind", &name);
    if (!http_exchange_parameter(exchange, "service", &service) || service.len == 0)
        reply_error(exchange, 400, "service: name the service whose operations you want");
    else if (has_kind && name.len && !jaeger_kind_of(ftri_view_str(ftri_bytes_view(&name)), &kind))
        reply_error(exchange, 400,
                    "spanKind: expected internal, server, client, producer or consumer");
    else
        reply_operations(store, exchange, ftri_view_str(ftri_bytes_view(&service)), kind);
    ftri_bytes_deinit(&service);
    ftri_bytes_deinit(&name);
}
