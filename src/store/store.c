/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract, on a gather and, where the backend has them, blocks. Every read looks at the gather
 * first and at blocks second, and a backend shows a new block before it takes the entries out of
 * the gather: so a reader may meet a span twice during the hand-over, never not at all. */
#include "store/store.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/class.h"
#include "store/ledger_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_SPANS_FACTOR = 8, BUSY_BYTES_FACTOR = 4 };

static const struct store_class *const classes[] = {&store_memory, &store_sqlite};

void store_options_default(struct store_options *ret_options, const char *type)
{
    const bool is_memory = strcmp(type, "memory") == 0;
    *ret_options = (struct store_options){
        .type = type,
        .directory = ".",
        .block_spans = 4096,
        .block_bytes = 16 << 20,
        .retention_ns = 7 * 24 * 3600 * FTRI_NS_PER_S,
        .retention_bytes = is_memory ? UINT64_C(256) << 20 : UINT64_C(10) << 30,
    };
}

int store_open(const struct store_options *options, struct store **ret_store,
               struct ftri_error *error)
{
    const struct store_class *found = NULL;
    for (size_t i = 0; i < FTRI_COUNT(classes); i++)
        if (strcmp(classes[i]->type, options->type) == 0)
            found = classes[i];
    if (!found)
        return ftri_error_set(error, -EINVAL, "unknown store '%s'; there are memory and sqlite",
                              options->type);
    struct store *self = ftri_zalloc(sizeof *self);
    if (!self || gather_init(&self->gather) < 0) {
        ftri_free(self);
        return ftri_error_errno(error, -ENOMEM, "opening the store");
    }
    self->store_class = found;
    self->options = *options;
    const int r = found->open(self, error);
    if (r < 0) {
        gather_deinit(&self->gather);
        ftri_free(self);
        return r;
    }
    *ret_store = self;
    return 0;
}

void store_close(struct store *self)
{
    if (!self)
        return;
    self->store_class->close(self);
    gather_deinit(&self->gather);
    ftri_free(self);
}

static int append(struct store *self, const struct gathered *values)
{
    const bool has_blocks = self->store_class->find_trace != NULL;
    const int r = gather_append(
        &self->gather, values,
        has_blocks ? (size_t)self->options.block_spans * BUSY_SPANS_FACTOR : SIZE_MAX / 2,
        has_blocks ? self->options.block_bytes * BUSY_BYTES_FACTOR : UINT64_MAX / 2);
    if (r == 0)
        self->store_class->appended(self, false);
    return r;
}

int store_append(struct store *self, struct ftri_payload *payload, uint64_t received_ns,
                 uint64_t token)
{
    const struct gathered values = {.payload = payload, .token = token, .received_ns = received_ns};
    return append(self, &values);
}

int store_append_ledger(struct store *self, struct ftri_payload *payload, uint64_t received_ns,
                        const uint64_t *token)
{
    const struct gathered values = {
        .payload = payload,
        .token = token ? *token : 0,
        .received_ns = received_ns,
        .is_ledger = true,
        .is_unwatched = !token,
    };
    return append(self, &values);
}

void store_flush(struct store *self)
{
    self->store_class->appended(self, true);
}

size_t store_collect(struct store *self, struct store_settled *ret_settled, size_t n)
{
    return gather_collect(&self->gather, ret_settled, n);
}

/* The gather first, blocks second; see above. */
static int find_trace(struct store *self, const uint8_t trace_id[16],
                      struct result_builder *builder)
{
    int r = gather_find_trace(&self->gather, trace_id, builder);
    if (r == 0 && self->store_class->find_trace)
        r = self->store_class->find_trace(self, trace_id, builder);
    return r;
}

int store_get_trace(struct store *self, const uint8_t trace_id[16], struct store_result *ret_result)
{
    struct result_builder builder;
    int r = result_builder_init(&builder);
    if (r == 0)
        r = find_trace(self, trace_id, &builder);
    if (r == 0)
        return result_finish(&builder, STORE_TRACE_SPANS_MAX, ret_result);
    result_builder_deinit(&builder);
    return r;
}

struct verifier {
    struct store *store;
    const struct store_query *query;
};

static int verify(void *argument, const uint8_t trace_id[16], uint64_t *ret_start_ns)
{
    const struct verifier *verifier = argument;
    struct result_builder builder;
    int r = result_builder_init(&builder);
    if (r < 0)
        return r;
    builder.query = verifier->query;
    r = find_trace(verifier->store, trace_id, &builder);
    if (r == 0)
        r = result_find_match(&builder, ret_start_ns) ? 0 : MATCH_NONE;
    result_builder_deinit(&builder);
    return r;
}

static bool is_in_one_block(void *argument, const uint8_t trace_id[16])
{
    const struct verifier *verifier = argument;
    struct store *store = verifier->store;
    return !gather_has_trace(&store->gather, trace_id) &&
           store->store_class->count_blocks(store, trace_id) == 1;
}

static int find_matches(struct store *self, struct match_set *matches)
{
    struct candidates candidates = {0};
    int r = gather_find_matches(&self->gather, matches->query, &candidates);
    if (r == 0)
        r = match_take(matches, &candidates);
    candidates_deinit(&candidates);
    if (r == 0 && self->store_class->find_matches)
        r = self->store_class->find_matches(self, matches);
    return r;
}

int store_search(struct store *self, const struct store_query *query,
                 struct store_match **ret_matches, size_t *ret_n)
{
    if (query->limit == 0 || query->limit > STORE_SEARCH_LIMIT_MAX)
        return -EINVAL;
    struct verifier verifier = {self, query};
    struct match_set matches;
    match_set_init(&matches, query);
    matches.verify = verify;
    matches.is_in_one_block = is_in_one_block;
    matches.argument = &verifier;
    const int r = find_matches(self, &matches);
    if (r == 0)
        match_finish(&matches, ret_matches, ret_n);
    match_set_deinit(&matches);
    return r;
}

static int compare_names(const void *left, const void *right)
{
    const ftr_str *a = left, *b = right;
    return ftri_str_compare(*a, *b);
}

static int report_names(const struct name_set *set, void (*each)(void *argument, ftr_str name),
                        void *argument)
{
    const size_t n = set->names.n_entries;
    ftr_str *sorted = ftri_alloc_array(n, sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    size_t cursor = 0;
    void *value;
    for (size_t i = 0; i < n; i++)
        (void)ftri_map_next(&set->names, &cursor, &sorted[i], &value);
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 0; i < n; i++)
        each(argument, sorted[i]);
    ftri_free(sorted);
    return 0;
}

int store_names(struct store *self, ftr_str service, void (*each)(void *argument, ftr_str name),
                void *argument)
{
    struct name_set set = {.service = service};
    ftri_map_init(&set.names, SIZE_MAX);
    int r = gather_find_names(&self->gather, &set);
    if (r == 0 && self->store_class->find_names)
        r = self->store_class->find_names(self, &set);
    if (r == 0)
        r = report_names(&set, each, argument);
    ftri_map_deinit(&set.names);
    return r;
}

int store_get_ledger(struct store *self, uint64_t since_ns,
                     int (*each)(void *argument, const struct ledger_row *row), void *argument)
{
    struct ledger_set set;
    ledger_set_init(&set, since_ns, each, argument);
    int r = gather_find_ledger(&self->gather, &set);
    if (r == 0 && self->store_class->find_ledger)
        r = self->store_class->find_ledger(self, &set);
    ledger_set_deinit(&set);
    return r;
}

void store_get_statistics(struct store *self, struct store_statistics *ret_statistics)
{
    *ret_statistics = (struct store_statistics){0};
    pthread_mutex_lock(&self->gather.mutex);
    ret_statistics->n_appended_spans = self->gather.n_appended_spans;
    ret_statistics->n_appended_fragments = self->gather.n_appended_fragments;
    ret_statistics->n_gathered_spans = self->gather.n_spans;
    ret_statistics->n_bytes = self->gather.n_bytes;
    memcpy(ret_statistics->refused_manifests, self->gather.refused_manifests,
           sizeof ret_statistics->refused_manifests);
    pthread_mutex_unlock(&self->gather.mutex);
    self->store_class->statistics(self, ret_statistics);
}
