/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameters of a search in Jaeger's v3 API: "query." and a name in camelCase or snake_case.
 * API's thread. */
#pragma once

#include "base/check.h"

struct http_exchange;
struct search;

enum { TRACES_PROBLEM_BYTES = 256 };
/* False: *ret_problem says which parameter is wrong and why. */
bool traces_query_read(struct http_exchange *exchange, struct search *search,
                       char ret_problem[TRACES_PROBLEM_BYTES]) FTRI_MUST_CHECK;
/* True: absent or a time; for the parameters that a look-up by id takes beside the id. */
bool traces_query_check_times(struct http_exchange *exchange,
                              char ret_problem[TRACES_PROBLEM_BYTES]) FTRI_MUST_CHECK;
