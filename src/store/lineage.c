/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lineage.h"

#include "codec/manifest.h"
#include "store/class.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lineage_version {
    struct span_version version;
};

void store_lineage_init(struct store_lineage *self, size_t limit_bytes)
{
    *self = (struct store_lineage){0};
    ftri_arena_init(&self->arena, limit_bytes);
    ftri_map_init(&self->by_id, SIZE_MAX);
}

void store_lineage_deinit(struct store_lineage *self)
{
    ftri_map_deinit(&self->by_id);
    ftri_arena_deinit(&self->arena);
}

/* --- adding -------------------------------------------------------------------------------- */

static struct store_span_id id_of(const uint8_t *trace_id, const uint8_t *span_id)
{
    struct store_span_id id;
    memcpy(id.trace_id.bytes, trace_id, sizeof id.trace_id.bytes);
    memcpy(id.span_id.bytes, span_id, sizeof id.span_id.bytes);
    return id;
}

static ftr_str key_of(const struct store_span_id *id)
{
    return (ftr_str){(const char *)id, sizeof *id};
}

/* A new one, without a version, or the one that is there. NULL: memory is short. */
static struct store_lineage_span *find_or_make(struct store_lineage *self,
                                               const struct store_span_id *id)
{
    struct store_lineage_span *span = ftri_map_get(&self->by_id, key_of(id));
    if (span)
        return span;
    span = ftri_arena_alloc(&self->arena, sizeof *span);
    if (!span || ftri_map_set(&self->by_id, key_of(id), span) < 0)
        return NULL;
    *span = (struct store_lineage_span){.id = *id};
    if (self->last)
        self->last->next = span;
    else
        self->first = span;
    self->last = span;
    self->n_spans++;
    return span;
}

static int gather_contributor(void *argument, const struct contributor *contributor)
{
    const struct store_contributor found = {id_of(contributor->trace_id, contributor->span_id),
                                            contributor->relation};
    return ftri_bytes_append(argument, &found, sizeof found);
}

static int add_contributors(struct store_lineage *self, const struct ftri_otlp_span *from,
                            struct store_lineage_span *span)
{
    struct ftri_bytes found FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&found, SIZE_MAX / 2);
    const int r = contributors_each(from, gather_contributor, &found, &span->refusal);
    if (r < 0 || found.len == 0)
        return r;
    span->contributors = ftri_arena_alloc(&self->arena, found.len);
    if (!span->contributors)
        return -EMSGSIZE;
    memcpy(span->contributors, found.data, found.len);
    span->n_contributors = found.len / sizeof *span->contributors;
    return 0;
}

/* An attribute that counts something; 0: there is none. */
static uint64_t read_count(const struct ftri_otlp_span *span, ftr_str key)
{
    struct ftri_view value;
    if (!ftri_otlp_attribute_find(FTRI_OTLP_SPAN, span->bytes, key, &value))
        return 0;
    const ftr_value read = ftri_otlp_value_read(value);
    return read.type == FTR_VALUE_I64 && read.as.i64 > 0 ? (uint64_t)read.as.i64 : 0;
}

static int fill(struct store_lineage *self, const struct found_span *found, ftr_str service,
                struct store_lineage_span *span)
{
    const struct ftri_otlp_span *from = &found->span;
    span->has_parent = from->parent_span_id != NULL;
    if (span->has_parent)
        memcpy(span->parent_span_id.bytes, from->parent_span_id, 8);
    span->is_error = from->status_code == FTRI_OTLP_STATUS_ERROR;
    span->is_manifest = contributors_is_manifest(from->name);
    span->has_events_only = found->is_fragment;
    span->start_ns = from->start_time_ns;
    span->end_ns = from->end_time_ns;
    span->service = ftri_arena_copy(&self->arena, service);
    span->name = ftri_arena_copy(&self->arena, from->name);
    span->refusal = STORE_REFUSAL_NONE;
    span->n_contributors = 0;
    if (!span->service.data || !span->name.data)
        return -EMSGSIZE;
    if (from->bytes.len == 0 || !contributors_may_be_named(from))
        return 0;
    span->n_unnamed = read_count(from, FTR_STR(FTRI_MANIFEST_DROPPED_KEY));
    if (span->is_manifest)
        span->n_manifests = read_count(from, FTR_STR(FTRI_MANIFEST_COUNT_KEY));
    return add_contributors(self, from, span);
}

int store_lineage_add(struct store_lineage *self, const struct found_span *found, ftr_str service)
{
    const struct store_span_id id = id_of(found->span.trace_id, found->span.span_id);
    const struct span_version version = result_version(found);
    struct store_lineage_span *span = find_or_make(self, &id);
    if (!span)
        return -EMSGSIZE;
    if (span->version && result_compare_versions(&span->version->version, &version) <= 0)
        return 0;
    struct lineage_version *kept = ftri_arena_alloc(&self->arena, sizeof *kept);
    if (!kept)
        return -EMSGSIZE;
    kept->version = version;
    span->version = kept;
    return fill(self, found, service, span);
}

/* --- reading ------------------------------------------------------------------------------- */

static int add_gathered(void *argument, const struct gathered_span *span)
{
    const struct found_span found = gathered_found(span);
    return store_lineage_add(argument, &found, span->service);
}

int store_read_lineage(struct store *self, const ftr_trace_id *traces, size_t n,
                       bool has_contributors, struct store_lineage *lineage)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = gather_visit_trace(&self->gather, traces[i].bytes, add_gathered, lineage);
    if (r == 0 && self->store_class->read_lineage)
        r = self->store_class->read_lineage(self, traces, n, has_contributors, lineage);
    return r;
}

static int compare_ids(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct store_span_id));
}

struct naming {
    const struct store_wanted *wanted;
    bool is_named;
};

static int look_at(void *argument, const struct contributor *contributor)
{
    struct naming *naming = argument;
    const struct store_span_id id = id_of(contributor->trace_id, contributor->span_id);
    naming->is_named =
        bsearch(&id, naming->wanted->spans, naming->wanted->n, sizeof id, compare_ids) != NULL;
    return naming->is_named;
}

int store_wanted_is_named(const struct store_wanted *self, const struct ftri_otlp_span *span,
                          bool *ret_is_named)
{
    struct naming naming = {self, false};
    enum store_refusal refusal;
    const int r = contributors_each(span, look_at, &naming, &refusal);
    *ret_is_named = naming.is_named;
    return r < 0 ? r : 0;
}

struct finding {
    const struct store_wanted *wanted;
    struct ftri_bytes *out;
};

static int look_at_gathered(void *argument, const struct gathered_span *span)
{
    struct finding *finding = argument;
    bool is_named;
    const int r = store_wanted_is_named(finding->wanted, &span->span, &is_named);
    return r == 0 && is_named ? ftri_bytes_append(finding->out, span->span.trace_id, 16) : r;
}

/* Once for each trace of the wanted ones. */
static int find_in_gather(struct store *self, struct finding *finding)
{
    const struct store_span_id *spans = finding->wanted->spans;
    int r = 0;
    for (size_t i = 0; i < finding->wanted->n && r == 0; i++)
        if (i == 0 || memcmp(&spans[i].trace_id, &spans[i - 1].trace_id, 16) != 0)
            r = gather_find_mentions(&self->gather, spans[i].trace_id.bytes, look_at_gathered,
                                     finding);
    return r;
}

static int compare_traces(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(ftr_trace_id));
}

static void sort_traces(struct ftri_bytes *traces)
{
    ftr_trace_id *ids = (ftr_trace_id *)(void *)traces->data;
    const size_t n = traces->len / sizeof *ids;
    size_t n_left = 0;
    if (n == 0)
        return;
    qsort(ids, n, sizeof *ids, compare_traces);
    for (size_t i = 0; i < n; i++)
        if (n_left == 0 || compare_traces(&ids[n_left - 1], &ids[i]) != 0)
            ids[n_left++] = ids[i];
    traces->len = n_left * sizeof *ids;
}

int store_find_results(struct store *self, const struct store_wanted *wanted,
                       struct ftri_bytes *out)
{
    struct finding finding = {wanted, out};
    int r = find_in_gather(self, &finding);
    if (r == 0 && self->store_class->find_results)
        r = self->store_class->find_results(self, wanted, out);
    if (r == 0 || r == -ETIMEDOUT)
        sort_traces(out);
    return r;
}

int store_explain_absence(struct store *self, const struct store_span_id *spans, size_t n,
                          uint8_t *ret_absences)
{
    return self->store_class->explain_absence(self, spans, n, ret_absences);
}
