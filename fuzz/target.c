/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: paths, queries and the values in them, as the HTTP API reads them. */
#include "api/parameters.h"
#include "net/http_target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void demand_inside(ftr_str part, ftr_str whole)
{
    demand(part.len <= whole.len && part.data >= whole.data &&
           part.data + part.len <= whole.data + whole.len);
}

static void read_value(ftr_str text)
{
    uint8_t id[16];
    const char *problem = NULL;
    uint64_t number = 0;
    if (parameters_time(text, &number))
        demand(text.len >= sizeof "2026-01-02T03:04:05Z" - 1);
    if (parameters_duration(text, &number))
        demand(number <= INT64_MAX);
    if (parameters_number(text, 1000, &number))
        demand(number <= 1000);
    if (!parameters_trace_id(text, id, &problem))
        demand(problem != NULL);
}

static void read_query(ftr_str query)
{
    struct ftri_bytes value;
    size_t next = 0;
    size_t before = 0;
    int r;
    ftri_bytes_init(&value, VALUE_BYTES);
    do {
        r = http_target_parameter_next(query, "tag", &next, &value);
        demand(r == 0 || r == HTTP_TARGET_PARAMETER || r == -EBADMSG || r == -EMSGSIZE);
        demand(value.len <= VALUE_BYTES && (r == 0 || next > before));
        before = next;
        if (r == HTTP_TARGET_PARAMETER)
            read_value(ftri_view_str(ftri_bytes_view(&value)));
    } while (r != 0);
    if (http_target_parameter(query, "end", &value))
        read_value(ftri_view_str(ftri_bytes_view(&value)));
    ftri_bytes_deinit(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ftr_str text = {(const char *)data, size};
    const struct http_target target = http_target_cut(text);
    struct ftri_bytes path;
    if (target.query.data)
        demand_inside(target.query, text);
    ftri_bytes_init(&path, size + 1);
    const int r = http_target_decode(target.path, &path);
    demand(r == 0 || r == -EBADMSG);
    demand(path.len <= target.path.len);
    demand(!path.len || !memchr(path.data, 0, path.len) || memchr(data, 0, size));
    ftri_bytes_deinit(&path);
    read_query(target.query);
    read_value(text);
    return 0;
}
