/* SPDX-License-Identifier: Apache-2.0 */
#include "api/traces_query.h"

#include "api/parameters.h"
#include "api/search.h"
#include "net/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 64 * 1024 };

/* A parameter by either of its names; an empty one counts as absent. */
static bool parameter(struct http_exchange *exchange, const char *camel, const char *snake,
                      struct ftri_bytes *out)
{
    return (http_exchange_parameter(exchange, camel, out) && out->len) ||
           (http_exchange_parameter(exchange, snake, out) && out->len);
}

enum parameter_kind { PARAMETER_TIME, PARAMETER_DURATION, PARAMETER_NUMBER };

struct parameter_row {
    const char *camel, *snake;
    enum parameter_kind kind;
    size_t offset; /* in struct store_query */
    const char *expected;
};

static const struct parameter_row parameter_rows[] = {
    {"query.startTimeMin", "query.start_time_min", PARAMETER_TIME,
     offsetof(struct store_query, start_min_ns), "a time such as 2026-01-02T03:04:05Z"},
    {"query.startTimeMax", "query.start_time_max", PARAMETER_TIME,
     offsetof(struct store_query, start_max_ns), "a time such as 2026-01-02T03:04:05Z"},
    {"query.durationMin", "query.duration_min", PARAMETER_DURATION,
     offsetof(struct store_query, duration_min_ns), "a duration such as 200ms"},
    {"query.durationMax", "query.duration_max", PARAMETER_DURATION,
     offsetof(struct store_query, duration_max_ns), "a duration such as 200ms"},
    {"query.searchDepth", "query.search_depth", PARAMETER_NUMBER, SIZE_MAX,
     "a number from 1 to 10000"},
    {"query.numTraces", "query.num_traces", PARAMETER_NUMBER, SIZE_MAX, "a number from 1 to 10000"},
};

static bool parse_row(const struct parameter_row *row, ftr_str text, struct store_query *query)
{
    uint64_t value = 0;
    switch (row->kind) {
    case PARAMETER_TIME:
        if (!parameters_time(text, &value))
            return false;
        break;
    case PARAMETER_DURATION:
        if (!parameters_duration(text, &value))
            return false;
        break;
    case PARAMETER_NUMBER:
        if (!parameters_number(text, STORE_SEARCH_LIMIT_MAX, &value) || value == 0)
            return false;
        query->limit = (size_t)value;
        return true;
    }
    memcpy((char *)query + row->offset, &value, sizeof value);
    return true;
}

/* False: the exchange was refused. */
static bool refuse(char *ret_problem, const char *name, const char *expected, ftr_str found)
{
    snprintf(ret_problem, TRACES_PROBLEM_BYTES, "%s: expected %s, found '%.*s'", name, expected,
             (int)ftri_size_min(found.len, 80), found.data);
    return false;
}

static bool read_rows(struct http_exchange *exchange, struct store_query *query, char *ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    bool is_read = true;
    for (size_t i = 0; is_read && i < FTRI_COUNT(parameter_rows); i++) {
        const struct parameter_row *row = &parameter_rows[i];
        if (!parameter(exchange, row->camel, row->snake, &text))
            continue;
        const ftr_str found = ftri_view_str(ftri_bytes_view(&text));
        is_read =
            parse_row(row, found, query) || refuse(ret_problem, row->camel, row->expected, found);
    }
    ftri_bytes_deinit(&text);
    return is_read;
}

static bool read_status(struct http_exchange *exchange, struct store_query *query,
                        char *ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, 64);
    bool is_read = true;
    if (http_exchange_parameter(exchange, "query.status", &text) && text.len) {
        if (text.len == 5 && memcmp(text.data, "error", 5) == 0)
            query->status = STORE_STATUS_ERROR;
        else if (text.len == 2 && memcmp(text.data, "ok", 2) == 0)
            query->status = STORE_STATUS_OK;
        else
            is_read = refuse(ret_problem, "query.status", "ok or error",
                             ftri_view_str(ftri_bytes_view(&text)));
    }
    ftri_bytes_deinit(&text);
    return is_read;
}

static bool read_attributes(struct http_exchange *exchange, struct search *search,
                            char *ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    const char *problem = NULL;
    int r = 0;
    if (http_exchange_parameter(exchange, "query.attributes", &text) && text.len)
        r = search_add_tags(search, ftri_view_str(ftri_bytes_view(&text)), &problem);
    ftri_bytes_deinit(&text);
    if (r == -ENOMEM)
        http_exchange_fail(exchange);
    if (r < 0)
        snprintf(ret_problem, TRACES_PROBLEM_BYTES,
                 "query.attributes: expected a JSON object of texts: %s",
                 problem ? problem : strerror(-r));
    return r == 0;
}

bool traces_query_read(struct http_exchange *exchange, struct search *search,
                       char ret_problem[TRACES_PROBLEM_BYTES])
{
    if (parameter(exchange, "query.serviceName", "query.service_name", &search->service))
        search->query.service = ftri_view_str(ftri_bytes_view(&search->service));
    if (parameter(exchange, "query.operationName", "query.operation_name", &search->name))
        search->query.name = ftri_view_str(ftri_bytes_view(&search->name));
    return read_attributes(exchange, search, ret_problem) &&
           read_rows(exchange, &search->query, ret_problem) &&
           read_status(exchange, &search->query, ret_problem);
}

bool traces_query_check_times(struct http_exchange *exchange,
                              char ret_problem[TRACES_PROBLEM_BYTES])
{
    static const char *const names[][2] = {{"startTime", "start_time"}, {"endTime", "end_time"}};
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    bool is_sound = true;
    uint64_t unused;
    for (size_t i = 0; is_sound && i < FTRI_COUNT(names); i++) {
        if (!parameter(exchange, names[i][0], names[i][1], &text))
            continue;
        const ftr_str found = ftri_view_str(ftri_bytes_view(&text));
        is_sound = parameters_time(found, &unused) ||
                   refuse(ret_problem, names[i][0], "a time such as 2026-01-02T03:04:05Z", found);
    }
    ftri_bytes_deinit(&text);
    return is_sound;
}
