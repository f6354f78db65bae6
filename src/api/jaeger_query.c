/* SPDX-License-Identifier: Apache-2.0 */
#include "api/jaeger_query.h"

#include "api/parameters.h"
#include "api/search.h"
#include "base/time.h"
#include "net/http_server.h"
#include "net/http_target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 64 * 1024 };
static const uint64_t lookback_default_ms = 24 * 3600 * UINT64_C(1000);

static bool refuse(char *ret_problem, const char *name, const char *expected, ftr_str found)
{
    snprintf(ret_problem, JAEGER_PROBLEM_BYTES,
             "unable to parse param '%s': expected %s, found '%.*s'", name, expected,
             (int)ftri_size_min(found.len, 80), found.data);
    return false;
}

/* A number of units; absent or empty leaves *value as it is. */
static bool read_number(struct http_exchange *exchange, const char *name, uint64_t max,
                        uint64_t *value, char *ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    bool is_read = true;
    if (http_exchange_parameter(exchange, name, &text) && text.len) {
        const ftr_str found = ftri_view_str(ftri_bytes_view(&text));
        char expected[64];
        snprintf(expected, sizeof expected, "a number up to %llu", (unsigned long long)max);
        is_read =
            parameters_number(found, max, value) || refuse(ret_problem, name, expected, found);
    }
    ftri_bytes_deinit(&text);
    return is_read;
}

static bool read_duration(struct http_exchange *exchange, const char *name, uint64_t *ns,
                          char *ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    bool is_read = true;
    if (http_exchange_parameter(exchange, name, &text) && text.len) {
        const ftr_str found = ftri_view_str(ftri_bytes_view(&text));
        is_read = parameters_duration(found, ns) ||
                  refuse(ret_problem, name, "a duration such as 200ms", found);
    }
    ftri_bytes_deinit(&text);
    return is_read;
}

static bool read_durations(struct http_exchange *exchange, struct store_query *query,
                           char *ret_problem)
{
    if (!read_duration(exchange, "minDuration", &query->duration_min_ns, ret_problem) ||
        !read_duration(exchange, "maxDuration", &query->duration_max_ns, ret_problem))
        return false;
    if (query->duration_max_ns && query->duration_max_ns < query->duration_min_ns) {
        snprintf(ret_problem, JAEGER_PROBLEM_BYTES, "maxDuration is less than minDuration");
        return false;
    }
    return true;
}

/* "1h" before now, for who gives no start; "custom" and the like say nothing. */
static uint64_t lookback_start(struct http_exchange *exchange)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    uint64_t ns = 0;
    const uint64_t now = ftri_time_wall_ns();
    const bool has_one = http_exchange_parameter(exchange, "lookback", &text) && text.len &&
                         parameters_duration(ftri_view_str(ftri_bytes_view(&text)), &ns);
    ftri_bytes_deinit(&text);
    return has_one && ns < now ? now - ns : 0;
}

static bool read_times(struct http_exchange *exchange, struct store_query *query, char *ret_problem)
{
    uint64_t start_us = 0, end_us = 0;
    const uint64_t max = UINT64_MAX / FTRI_NS_PER_US - 1;
    if (!read_number(exchange, "start", max, &start_us, ret_problem) ||
        !read_number(exchange, "end", max, &end_us, ret_problem))
        return false;
    query->start_min_ns = start_us ? start_us * FTRI_NS_PER_US : lookback_start(exchange);
    /* The whole last microsecond. */
    query->start_max_ns = end_us ? end_us * FTRI_NS_PER_US + (FTRI_NS_PER_US - 1) : 0;
    return true;
}

bool jaeger_query_check_times(struct http_exchange *exchange,
                              char ret_problem[JAEGER_PROBLEM_BYTES])
{
    struct store_query unused = {0};
    return read_times(exchange, &unused, ret_problem);
}

static bool read_limit(struct http_exchange *exchange, struct store_query *query, char *ret_problem)
{
    uint64_t limit = query->limit;
    if (!read_number(exchange, "limit", STORE_SEARCH_LIMIT_MAX, &limit, ret_problem))
        return false;
    query->limit = limit ? (size_t)limit : JAEGER_LIMIT_DEFAULT;
    return true;
}

/* "key:value"; the value may hold further colons. */
static int add_pair(struct search *search, ftr_str pair, const char **ret_problem)
{
    const char *const colon = pair.len ? memchr(pair.data, ':', pair.len) : NULL;
    if (!colon) {
        *ret_problem = "expected key:value";
        return -EBADMSG;
    }
    const size_t key_len = (size_t)(colon - pair.data);
    return search_add_tag(search, (ftr_str){pair.data, key_len},
                          (ftr_str){colon + 1, pair.len - key_len - 1});
}

/* Every occurrence of one of the two parameters that name tags. */
static bool read_tags(struct http_exchange *exchange, const char *name,
                      int (*add)(struct search *search, ftr_str text, const char **ret_problem),
                      struct search *search, char *ret_problem)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, TEXT_BYTES);
    const ftr_str query = http_exchange_query(exchange);
    const char *problem = NULL;
    int r = HTTP_TARGET_PARAMETER;
    for (size_t next = 0; r == HTTP_TARGET_PARAMETER;) {
        r = http_target_parameter_next(query, name, &next, &text);
        const int added = r == HTTP_TARGET_PARAMETER && text.len
                              ? add(search, ftri_view_str(ftri_bytes_view(&text)), &problem)
                              : 0;
        r = added < 0 ? added : r;
    }
    if (r == -ENOMEM)
        http_exchange_fail(exchange);
    if (r < 0)
        snprintf(ret_problem, JAEGER_PROBLEM_BYTES, "malformed '%s' parameter: %s: '%.*s'", name,
                 problem ? problem : strerror(-r), (int)ftri_size_min(text.len, 80),
                 (const char *)text.data);
    ftri_bytes_deinit(&text);
    return r == 0;
}

bool jaeger_query_read(struct http_exchange *exchange, struct search *search,
                       char ret_problem[JAEGER_PROBLEM_BYTES])
{
    if (!http_exchange_parameter(exchange, "service", &search->service) ||
        search->service.len == 0) {
        snprintf(ret_problem, JAEGER_PROBLEM_BYTES, "parameter 'service' is required");
        return false;
    }
    search->query.service = ftri_view_str(ftri_bytes_view(&search->service));
    if (http_exchange_parameter(exchange, "operation", &search->name))
        search->query.name = ftri_view_str(ftri_bytes_view(&search->name));
    return read_times(exchange, &search->query, ret_problem) &&
           read_durations(exchange, &search->query, ret_problem) &&
           read_limit(exchange, &search->query, ret_problem) &&
           read_tags(exchange, "tag", add_pair, search, ret_problem) &&
           read_tags(exchange, "tags", search_add_tags, search, ret_problem);
}

bool jaeger_query_window(struct http_exchange *exchange, uint64_t *ret_min_ns, uint64_t *ret_max_ns,
                         char ret_problem[JAEGER_PROBLEM_BYTES])
{
    const uint64_t max = UINT64_MAX / FTRI_NS_PER_MS - 1;
    uint64_t end_ms = ftri_time_wall_ns() / FTRI_NS_PER_MS, lookback_ms = lookback_default_ms;
    if (!read_number(exchange, "endTs", max, &end_ms, ret_problem) ||
        !read_number(exchange, "lookback", max, &lookback_ms, ret_problem))
        return false;
    *ret_min_ns = lookback_ms < end_ms ? (end_ms - lookback_ms) * FTRI_NS_PER_MS : 0;
    *ret_max_ns = end_ms * FTRI_NS_PER_MS + (FTRI_NS_PER_MS - 1);
    return true;
}
