/* SPDX-License-Identifier: Apache-2.0 */
#include "api/operations.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/time.h"
#include "otlp/view.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

static const uint64_t time_max_ns = 2 * FTRI_NS_PER_S;
enum { TRACES = 100, NAMES_MAX = 100 * 1000, KIND_END = 6, NAME_BYTES_MAX = 64 << 20 };

struct operations {
    struct store *store;
    ftr_str service;
    struct ftri_map kinds;   /* name to a set of kinds, bit 1 << kind */
    struct ftri_bytes names; /* of the store: each with its length before it */
    uint64_t deadline_ns;
    int error; /* the first one */
};

static uintptr_t kinds_of(const struct operations *self, ftr_str name)
{
    return (uintptr_t)ftri_map_get(&self->kinds, name);
}

static bool is_ours(const struct operations *self, const struct ftri_otlp_span *span)
{
    const ftr_str service = ftri_otlp_service_name(span->resource);
    return service.len == self->service.len &&
           memcmp(service.data, self->service.data, service.len) == 0;
}

static int learn_span(struct operations *self, const struct ftri_otlp_span *span)
{
    const unsigned kind = span->kind > 0 && span->kind < KIND_END ? (unsigned)span->kind : 0;
    const uintptr_t known = kinds_of(self, span->name);
    const uintptr_t kinds = known | (uintptr_t)1 << kind;
    if (kinds == known)
        return 0;
    const int r = ftri_map_set(&self->kinds, span->name, (void *)kinds);
    return r == -ENOSPC ? 0 : r;
}

static int learn_trace(struct operations *self, const uint8_t trace_id[16])
{
    struct store_result trace = {0};
    int r = store_get_trace(self->store, trace_id, &trace);
    for (size_t i = 0; r == 0 && i < trace.n_spans; i++)
        if (is_ours(self, &trace.spans[i]))
            r = learn_span(self, &trace.spans[i]);
    store_result_deinit(&trace);
    return r;
}

/* From the newest traces of the service, or of one of its names. */
static int learn(struct operations *self, ftr_str name, size_t n_traces)
{
    const struct store_query query = {.service = self->service, .name = name, .limit = n_traces};
    struct store_match *matches = NULL;
    size_t n = 0;
    int r = store_search(self->store, &query, &matches, &n);
    for (size_t i = 0; r == 0 && i < n && ftri_time_monotonic_ns() < self->deadline_ns; i++)
        r = learn_trace(self, matches[i].trace_id);
    ftri_free(matches);
    return r;
}

static void keep_name(void *argument, ftr_str name)
{
    struct operations *self = argument;
    if (self->error == 0)
        self->error = ftri_bytes_append(&self->names, &name.len, sizeof name.len);
    if (self->error == 0)
        self->error = ftri_bytes_append_str(&self->names, name);
}

/* The name at *next of the kept ones. */
static bool next_name(const struct operations *self, size_t *next, ftr_str *ret_name)
{
    if (*next == self->names.len)
        return false;
    memcpy(&ret_name->len, self->names.data + *next, sizeof ret_name->len);
    ret_name->data = (const char *)self->names.data + *next + sizeof ret_name->len;
    *next += sizeof ret_name->len + ret_name->len;
    return true;
}

static int learn_all(struct operations *self)
{
    int r = learn(self, (ftr_str){0}, TRACES);
    if (r == 0)
        r = store_names(self->store, self->service, keep_name, self);
    if (r == 0)
        r = self->error;
    ftr_str name;
    for (size_t next = 0; r == 0 && next_name(self, &next, &name);)
        if (kinds_of(self, name) == 0 && ftri_time_monotonic_ns() < self->deadline_ns)
            r = learn(self, name, 1);
    return r;
}

static void visit_name(const struct operations *self, ftr_str name, int32_t kind,
                       const struct operations_visitor *visitor)
{
    const uintptr_t known = kinds_of(self, name);
    const uintptr_t kinds = known ? known : 1;
    for (int32_t i = 0; i < KIND_END; i++)
        if ((kinds & (uintptr_t)1 << i) && (kind == OPERATIONS_KIND_ANY || kind == i))
            visitor->each(visitor->argument, name, i);
}

int operations_run(struct store *store, ftr_str service, int32_t kind,
                   const struct operations_visitor *visitor)
{
    struct operations self = {
        .store = store, .service = service, .deadline_ns = ftri_time_monotonic_ns() + time_max_ns};
    ftri_map_init(&self.kinds, NAMES_MAX);
    ftri_bytes_init(&self.names, NAME_BYTES_MAX);
    const int r = learn_all(&self);
    ftr_str name;
    for (size_t next = 0; r == 0 && next_name(&self, &next, &name);)
        visit_name(&self, name, kind, visitor);
    ftri_map_deinit(&self.kinds);
    ftri_bytes_deinit(&self.names);
    return r;
}
