/* SPDX-License-Identifier: Apache-2.0
 *
 * One span against the conditions of a search. */
#include "store/match.h"

#include "otlp/view.h"
#include "store/pattern.h"

#include <string.h>

static bool is_equal(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool match_duration(const struct store_query *query, const struct match_fields *fields)
{
    if (!query->duration_min_ns && !query->duration_max_ns)
        return true;
    if (!fields->end_ns)
        return false;
    const uint64_t duration_ns =
        fields->end_ns > fields->start_ns ? fields->end_ns - fields->start_ns : 0;
    return duration_ns >= query->duration_min_ns &&
           (!query->duration_max_ns || duration_ns <= query->duration_max_ns);
}

bool match_is_fragment(const struct match_fields *fields)
{
    return ftri_otlp_is_fragment(fields->name, fields->end_ns);
}

bool match_span(const struct store_query *query, const struct match_fields *fields)
{
    if (fields->start_ns < query->start_min_ns ||
        (query->start_max_ns && fields->start_ns > query->start_max_ns))
        return false;
    if (query->status != STORE_STATUS_ANY &&
        fields->is_error != (query->status == STORE_STATUS_ERROR))
        return false;
    if (query->service.len && !is_equal(query->service, fields->service))
        return false;
    if (query->name.len && !pattern_match(query->name, fields->name))
        return false;
    return match_duration(query, fields);
}
