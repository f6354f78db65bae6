/* SPDX-License-Identifier: Apache-2.0 */
#include "api/search.h"

#include "base/mem.h"
#include "base/time.h"
#include "codec/json_reader.h"
#include "otlp/view.h"
#include "store/match.h"

#include <errno.h>
#include <string.h>

/* Jaeger's UI gives up after 10 s. */
static const uint64_t time_max_ns = 5 * FTRI_NS_PER_S;
enum { SPANS_MAX = 4000 * 1000, NAME_BYTES = 64 * 1024 };

const char search_cut_words[] =
    "incomplete: only the newest traces were searched (bounds of 10000 traces, 4000000 spans, 5 "
    "s); narrow the time range or add conditions";

void search_init(struct search *self, size_t limit)
{
    *self = (struct search){.query = {.limit = limit}};
    ftri_bytes_init(&self->service, NAME_BYTES);
    ftri_bytes_init(&self->name, NAME_BYTES);
    conditions_init(&self->conditions);
}

void search_deinit(struct search *self)
{
    ftri_bytes_deinit(&self->service);
    ftri_bytes_deinit(&self->name);
    conditions_deinit(&self->conditions);
}

static bool is(ftr_str text, const char *words)
{
    return text.len == strlen(words) && memcmp(text.data, words, text.len) == 0;
}

int search_add_tag(struct search *self, ftr_str key, ftr_str value)
{
    if (!is(key, "error") || (!is(value, "true") && !is(value, "false")))
        return conditions_add(&self->conditions, key, value);
    self->query.status = is(value, "true") ? STORE_STATUS_ERROR : STORE_STATUS_OK;
    return 0;
}

/* The text of a member's value; false: it is no text, number or boolean. */
static bool scalar_text(const struct ftri_json_reader *reader, int token, ftr_str *ret_text)
{
    if (token == FTRI_JSON_TRUE)
        *ret_text = FTR_STR("true");
    else if (token == FTRI_JSON_FALSE)
        *ret_text = FTR_STR("false");
    else if (token == FTRI_JSON_STRING || token == FTRI_JSON_NUMBER)
        *ret_text = reader->text;
    else
        return false;
    return true;
}

static int add_member(struct search *self, struct ftri_json_reader *reader, struct ftri_bytes *key,
                      const char **ret_problem)
{
    ftr_str value;
    ftri_bytes_reset(key);
    int r = ftri_bytes_append_str(key, reader->text);
    if (r < 0)
        return r;
    r = ftri_json_reader_next(reader);
    if (r < 0)
        return r;
    if (!scalar_text(reader, r, &value)) {
        *ret_problem = "a value is neither a text nor a number nor true or false";
        return -EBADMSG;
    }
    return search_add_tag(self, ftri_view_str(ftri_bytes_view(key)), value);
}

static int add_members(struct search *self, struct ftri_json_reader *reader,
                       const char **ret_problem)
{
    struct ftri_bytes key;
    ftri_bytes_init(&key, CONDITIONS_TEXT_BYTES);
    int r = ftri_json_reader_next(reader);
    if (r >= 0 && r != FTRI_JSON_OBJECT) {
        *ret_problem = "no JSON object";
        r = -EBADMSG;
    }
    while (r >= 0) {
        r = ftri_json_reader_next(reader);
        if (r != FTRI_JSON_NAME)
            break;
        r = add_member(self, reader, &key, ret_problem);
    }
    if (r == FTRI_JSON_OBJECT_END)
        r = ftri_json_reader_next(reader);
    ftri_bytes_deinit(&key);
    return r;
}

int search_add_tags(struct search *self, ftr_str json, const char **ret_problem)
{
    struct ftri_json_reader reader;
    *ret_problem = NULL;
    ftri_json_reader_init(&reader, ftri_view_of(json.data, json.len));
    const int r = add_members(self, &reader, ret_problem);
    if (r == -EBADMSG && !*ret_problem)
        *ret_problem = reader.problem;
    ftri_json_reader_deinit(&reader);
    return r;
}

/* A search under way. */
struct run {
    const struct search *search;
    const struct search_visitor *visitor;
    struct store_result last; /* what the visitor saw last */
    bool is_bounded;
    uint64_t deadline_ns;
    size_t n_spans, n_visited;
    bool is_cut;
};

static int check_span(const struct search *search, const struct ftri_otlp_span *span)
{
    const struct match_fields fields = {
        .service = ftri_otlp_service_name(span->resource),
        .name = span->name,
        .start_ns = span->start_time_ns,
        .end_ns = span->end_time_ns,
        .is_error = span->status_code == FTRI_OTLP_STATUS_ERROR,
    };
    return match_span(&search->query, &fields) ? conditions_check(&search->conditions, span)
                                               : CONDITIONS_UNMET;
}

static int check_trace(const struct search *search, const struct store_result *trace)
{
    if (search->conditions.n == 0)
        return trace->n_spans ? 0 : CONDITIONS_UNMET;
    int r = CONDITIONS_UNMET;
    for (size_t i = 0; r == CONDITIONS_UNMET && i < trace->n_spans; i++)
        r = check_span(search, &trace->spans[i]);
    return r;
}

static int visit(struct run *run, struct store *store, const struct store_match *match)
{
    struct store_result trace = {0};
    int r = store_get_trace(store, match->trace_id, &trace);
    run->n_spans += trace.n_spans;
    if (r == 0)
        r = check_trace(run->search, &trace);
    if (r != 0) {
        store_result_deinit(&trace);
        return r == CONDITIONS_UNMET ? 0 : r;
    }
    run->n_visited++;
    r = run->visitor->visit(run->visitor->argument, &trace);
    store_result_deinit(&run->last);
    run->last = trace;
    return r;
}

static bool is_spent(const struct run *run)
{
    return run->is_bounded &&
           (run->n_spans > SPANS_MAX || ftri_time_monotonic_ns() > run->deadline_ns);
}

static int visit_all(struct run *run, struct store *store, const struct store_match *matches,
                     size_t n)
{
    int r = 0;
    size_t i = 0;
    for (; r == 0 && i < n && run->n_visited < run->search->query.limit && !is_spent(run); i++)
        r = visit(run, store, &matches[i]);
    const bool wants_more = run->n_visited < run->search->query.limit;
    const bool had_all = i == n && n < STORE_SEARCH_LIMIT_MAX;
    run->is_cut = run->is_bounded && !had_all && (wants_more || run->search->is_bounded);
    store_result_deinit(&run->last);
    return r;
}

int search_run(struct store *store, const struct search *self, const struct search_visitor *visitor,
               bool *ret_is_cut)
{
    struct run run = {.search = self,
                      .visitor = visitor,
                      .is_bounded = self->is_bounded || self->conditions.n > 0,
                      .deadline_ns = ftri_time_monotonic_ns() + time_max_ns};
    struct store_query query = self->query;
    if (self->conditions.n)
        query.limit = STORE_SEARCH_LIMIT_MAX;
    struct store_match *matches = NULL;
    size_t n = 0;
    int r = store_search(store, &query, &matches, &n);
    if (r == 0)
        r = visit_all(&run, store, matches, n);
    ftri_free(matches);
    *ret_is_cut = run.is_cut;
    return r;
}
