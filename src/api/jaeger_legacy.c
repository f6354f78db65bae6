/* SPDX-License-Identifier: Apache-2.0 */
#include "api/jaeger_legacy.h"

#include "api/dependencies.h"
#include "api/envelope.h"
#include "api/jaeger_model.h"
#include "api/jaeger_query.h"
#include "api/jaeger_tags.h"
#include "api/operations.h"
#include "api/parameters.h"
#include "api/search.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "net/http_target.h"

#include <errno.h>
#include <string.h>

enum { TRACE_IDS_MAX = 1000 };

static int write_trace(void *argument, const struct store_result *trace)
{
    struct envelope *const envelope = argument;
    envelope->total++;
    return jaeger_write_trace(
        &envelope->json, trace->spans, trace->n_spans,
        trace->is_truncated ? "the trace has more spans; these are the earliest" : NULL);
}

/* *ret_is_found: its spans were written. */
static int write_trace_of(struct store *store, const uint8_t id[16], struct envelope *envelope,
                          bool *ret_is_found)
{
    struct store_result trace = {0};
    int r = store_get_trace(store, id, &trace);
    *ret_is_found = trace.n_spans > 0;
    if (r == 0 && trace.n_spans)
        r = write_trace(envelope, &trace);
    store_result_deinit(&trace);
    return r;
}

static void reply_trace(struct store *store, struct http_exchange *exchange, const uint8_t id[16])
{
    struct envelope envelope;
    bool is_found = false;
    envelope_init(&envelope);
    ftri_json_begin_array(&envelope.json);
    const int r = write_trace_of(store, id, &envelope, &is_found);
    ftri_json_end_array(&envelope.json);
    if (r == 0 && !is_found) {
        envelope_deinit(&envelope);
        envelope_refuse(exchange, 404, "trace not found");
    } else {
        envelope_send(&envelope, exchange, r);
    }
}

void jaeger_trace(struct store *store, struct http_exchange *exchange, ftr_str trace_id)
{
    uint8_t id[16];
    const char *why;
    char problem[JAEGER_PROBLEM_BYTES];
    if (!parameters_trace_id(trace_id, id, &why))
        envelope_refuse(exchange, 400, "trace id: %s, found %zu characters", why, trace_id.len);
    else if (!jaeger_query_check_times(exchange, problem))
        envelope_refuse(exchange, 400, "%s", problem);
    else
        reply_trace(store, exchange, id);
}

/* The ids in the query, 16 bytes each; below 0 with what is wrong, or NULL. */
static int read_ids(const struct http_exchange *exchange, struct ftri_bytes *ids,
                    const char **ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, 4096);
    const ftr_str query = http_exchange_query(exchange);
    uint8_t id[16];
    int r = HTTP_TARGET_PARAMETER;
    *ret_problem = NULL;
    for (size_t next = 0; r == HTTP_TARGET_PARAMETER;) {
        r = http_target_parameter_next(query, "traceID", &next, &text);
        if (r != HTTP_TARGET_PARAMETER)
            break;
        if (!parameters_trace_id(ftri_view_str(ftri_bytes_view(&text)), id, ret_problem)) {
            r = -EBADMSG;
        } else {
            const int appended = ftri_bytes_append(ids, id, sizeof id);
            r = appended < 0 ? appended : r;
        }
    }
    ftri_bytes_deinit(&text);
    return r;
}

/* The traces of these ids, 16 bytes each; what is not there becomes an error beside the data. */
static void reply_traces(struct store *store, struct http_exchange *exchange,
                         const struct ftri_bytes *ids)
{
    struct envelope envelope;
    int r = 0;
    envelope_init(&envelope);
    ftri_json_begin_array(&envelope.json);
    for (size_t i = 0; r == 0 && i < ids->len; i += 16) {
        bool is_found = false;
        r = write_trace_of(store, ids->data + i, &envelope, &is_found);
        if (r == 0 && !is_found)
            envelope_error(&envelope, 0, "trace not found", ids->data + i);
    }
    ftri_json_end_array(&envelope.json);
    envelope_send(&envelope, exchange, r);
}

static void reply_search(struct store *store, struct http_exchange *exchange)
{
    struct search search;
    char problem[JAEGER_PROBLEM_BYTES];
    search_init(&search, JAEGER_LIMIT_DEFAULT);
    if (jaeger_query_read(exchange, &search, problem)) {
        struct envelope envelope;
        const struct search_visitor visitor = {write_trace, &envelope};
        bool is_cut = false;
        envelope_init(&envelope);
        ftri_json_begin_array(&envelope.json);
        const int r = search_run(store, &search, &visitor, &is_cut);
        ftri_json_end_array(&envelope.json);
        if (is_cut)
            envelope_error(&envelope, 0, search_cut_words, NULL);
        envelope_send(&envelope, exchange, r);
    } else {
        envelope_refuse(exchange, 400, "%s", problem);
    }
    search_deinit(&search);
}

void jaeger_search(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    struct ftri_bytes ids;
    const char *problem;
    ftri_bytes_init(&ids, TRACE_IDS_MAX * 16);
    const int r = read_ids(exchange, &ids, &problem);
    if (r < 0)
        envelope_refuse(exchange, r == -ENOMEM ? 500 : 400, "traceID: %s",
                        problem ? problem : strerror(-r));
    else if (ids.len)
        reply_traces(store, exchange, &ids);
    else
        reply_search(store, exchange);
    ftri_bytes_deinit(&ids);
}

static void write_name(void *argument, ftr_str name)
{
    struct envelope *const envelope = argument;
    envelope->total++;
    ftri_json_str(&envelope->json, name);
}

static void reply_names(struct store *store, struct http_exchange *exchange, ftr_str service)
{
    struct envelope envelope;
    envelope_init(&envelope);
    ftri_json_begin_array(&envelope.json);
    const int r = store_names(store, service, write_name, &envelope);
    ftri_json_end_array(&envelope.json);
    envelope_send(&envelope, exchange, r);
}

void jaeger_services(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    reply_names(store, exchange, (ftr_str){0});
}

void jaeger_service_operations(struct store *store, struct http_exchange *exchange, ftr_str rest)
{
    static const char end[] = "/operations";
    const size_t len = sizeof end - 1;
    if (rest.len > len && memcmp(rest.data + rest.len - len, end, len) == 0)
        reply_names(store, exchange, (ftr_str){rest.data, rest.len - len});
    else
        envelope_refuse(exchange, 404, "nothing here; try /api/services/{service}/operations");
}

static void write_operation(void *argument, ftr_str name, int32_t kind)
{
    struct envelope *const envelope = argument;
    struct ftri_json_writer *const json = &envelope->json;
    envelope->total++;
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("name"));
    ftri_json_str(json, name);
    ftri_json_name(json, FTR_STR("spanKind"));
    ftri_json_str(json, jaeger_kind_name(kind));
    ftri_json_end_object(json);
}

static void reply_operations(struct store *store, struct http_exchange *exchange, ftr_str service,
                             int32_t kind)
{
    struct envelope envelope;
    const struct operations_visitor visitor = {write_operation, &envelope};
    envelope_init(&envelope);
    ftri_json_begin_array(&envelope.json);
    const int r = operations_run(store, service, kind, &visitor);
    ftri_json_end_array(&envelope.json);
    envelope_send(&envelope, exchange, r);
}

void jaeger_operations(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    struct ftri_bytes service, name;
    ftri_bytes_init(&service, 64 * 1024);
    ftri_bytes_init(&name, 64 * 1024);
    int32_t kind = OPERATIONS_KIND_ANY;
    if (!http_exchange_parameter(exchange, "service", &service) || service.len == 0)
        envelope_refuse(exchange, 400, "parameter 'service' is required");
    else if (http_exchange_parameter(exchange, "spanKind", &name) && name.len &&
             !jaeger_kind_of(ftri_view_str(ftri_bytes_view(&name)), &kind))
        envelope_refuse(exchange, 400,
                        "spanKind: expected internal, server, client, producer or consumer");
    else
        reply_operations(store, exchange, ftri_view_str(ftri_bytes_view(&service)), kind);
    ftri_bytes_deinit(&service);
    ftri_bytes_deinit(&name);
}

static int add_dependencies(void *argument, const struct store_result *trace)
{
    return dependencies_add_trace(argument, trace->spans, trace->n_spans);
}

static void write_dependency(struct ftri_json_writer *json, const struct dependency *link)
{
    ftri_json_begin_object(json);
    ftri_json_name(json, FTR_STR("parent"));
    ftri_json_str(json, link->parent);
    ftri_json_name(json, FTR_STR("child"));
    ftri_json_str(json, link->child);
    ftri_json_name(json, FTR_STR("callCount"));
    ftri_json_u64(json, link->n_calls);
    ftri_json_end_object(json);
}

static int write_dependencies(struct envelope *envelope, const struct dependencies *dependencies)
{
    struct dependency *links = NULL;
    size_t n = 0;
    const int r = dependencies_list(dependencies, &links, &n);
    for (size_t i = 0; i < n; i++)
        write_dependency(&envelope->json, &links[i]);
    envelope->total = n;
    ftri_free(links);
    return r;
}

static void reply_dependencies(struct store *store, struct http_exchange *exchange,
                               uint64_t start_min_ns, uint64_t start_max_ns)
{
    struct dependencies dependencies;
    struct search search;
    struct envelope envelope;
    bool is_cut = false;
    dependencies_init(&dependencies, start_min_ns, start_max_ns);
    search_init(&search, STORE_SEARCH_LIMIT_MAX);
    search.is_bounded = true;
    search.query.start_min_ns = start_min_ns;
    search.query.start_max_ns = start_max_ns;
    envelope_init(&envelope);
    ftri_json_begin_array(&envelope.json);
    const struct search_visitor visitor = {add_dependencies, &dependencies};
    int r = search_run(store, &search, &visitor, &is_cut);
    if (r == 0)
        r = write_dependencies(&envelope, &dependencies);
    ftri_json_end_array(&envelope.json);
    if (is_cut)
        envelope_error(&envelope, 0, search_cut_words, NULL);
    envelope_send(&envelope, exchange, r);
    search_deinit(&search);
    dependencies_deinit(&dependencies);
}

void jaeger_dependencies(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)unused;
    uint64_t start_min_ns, start_max_ns;
    char problem[JAEGER_PROBLEM_BYTES];
    if (jaeger_query_window(exchange, &start_min_ns, &start_max_ns, problem))
        reply_dependencies(store, exchange, start_min_ns, start_max_ns);
    else
        envelope_refuse(exchange, 400, "%s", problem);
}

void jaeger_metrics(struct store *store, struct http_exchange *exchange, ftr_str unused)
{
    (void)store;
    (void)unused;
    envelope_refuse(exchange, 501, "metrics of services are not kept here");
}
