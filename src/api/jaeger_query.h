/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameters of Jaeger's legacy API: start and end in microseconds, durations as Go writes
 * them, tags as JSON or as key:value. API's thread. */
#pragma once

#include "base/check.h"

struct http_exchange;
struct search;

enum { JAEGER_PROBLEM_BYTES = 256, JAEGER_LIMIT_DEFAULT = 100 };

/* Of a search. False: *ret_problem says which parameter is wrong and why. */
bool jaeger_query_read(struct http_exchange *exchange, struct search *search,
                       char ret_problem[JAEGER_PROBLEM_BYTES]) FTRI_MUST_CHECK;
/* Those that a look-up by id takes beside the id (start, end): checked only. */
bool jaeger_query_check_times(struct http_exchange *exchange,
                              char ret_problem[JAEGER_PROBLEM_BYTES]) FTRI_MUST_CHECK;
/* endTs and lookback in milliseconds; by default now and a day. */
bool jaeger_query_window(struct http_exchange *exchange, uint64_t *ret_min_ns, uint64_t *ret_max_ns,
                         char ret_problem[JAEGER_PROBLEM_BYTES]) FTRI_MUST_CHECK;
