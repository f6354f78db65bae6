/* SPDX-License-Identifier: Apache-2.0
 *
 * A settled token needs a place in `settled`; it is reserved when the payload is appended, so that
 * settling cannot fail. */
#include "store/gather.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/random.h"
#include "store/contributors.h"
#include "store/ledger_set.h"

#include <errno.h>
#include <string.h>

enum { BUCKETS_FIRST = 1024 };

int gather_init(struct gather *self)
{
    *self = (struct gather){.n_buckets = BUCKETS_FIRST, .seed = ftri_random_u64()};
    self->buckets = ftri_alloc_array(self->n_buckets, sizeof(*self->buckets));
    self->mention_buckets = ftri_alloc_array(self->n_buckets, sizeof(*self->mention_buckets));
    if (!self->buckets || !self->mention_buckets) {
        ftri_free(self->buckets);
        ftri_free(self->mention_buckets);
        return -ENOMEM;
    }
    ftri_list_init(&self->entries);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return 0;
}

static void entry_free(struct gathered *entry)
{
    ftri_payload_unref(entry->payload);
    gathered_mentions_deinit(&entry->mentions);
    ftri_free(entry);
}

void gather_deinit(struct gather *self)
{
    struct ftri_list *link;
    while ((link = ftri_list_pop(&self->entries)))
        entry_free(FTRI_CONTAINER(link, struct gathered, link));
    ftri_free(self->buckets);
    ftri_free(self->mention_buckets);
    ftri_free(self->settled);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
}

static size_t bucket_of(const struct gather *self, const uint8_t trace_id[16])
{
    return ftri_hash(self->seed, trace_id, 16) & (self->n_buckets - 1);
}

static struct gathered_span **bucket(const struct gather *self, const uint8_t trace_id[16])
{
    return &self->buckets[bucket_of(self, trace_id)];
}

static void index_mention(const struct gather *self, struct gathered_mention *mention)
{
    struct gathered_mention **head = &self->mention_buckets[bucket_of(self, mention->trace_id)];
    mention->next = *head;
    mention->link = head;
    if (mention->next)
        mention->next->link = &mention->next;
    *head = mention;
}

static void index_span(const struct gather *self, struct gathered_span *span)
{
    struct gathered_span **head = bucket(self, span->span.trace_id);
    span->next = *head;
    span->link = head;
    if (span->next)
        span->next->link = &span->next;
    *head = span;
}

static void index_entry(const struct gather *self, struct gathered *entry)
{
    for (size_t i = 0; i < entry->n_spans; i++)
        index_span(self, &entry->spans[i]);
    for (size_t i = 0; i < entry->mentions.n_items; i++)
        index_mention(self, &entry->mentions.items[i]);
}

/* Longer chains are the fallback when memory is short. */
static void grow_index(struct gather *self)
{
    const size_t n = self->n_buckets * 4;
    struct gathered_span **grown = ftri_alloc_array(n, sizeof(*grown));
    struct gathered_mention **grown_mentions = ftri_alloc_array(n, sizeof(*grown_mentions));
    if (!grown || !grown_mentions) {
        ftri_free(grown);
        ftri_free(grown_mentions);
        return;
    }
    ftri_free(self->buckets);
    ftri_free(self->mention_buckets);
    self->buckets = grown;
    self->mention_buckets = grown_mentions;
    self->n_buckets = n;
    for (struct ftri_list *i = self->entries.next; i != &self->entries; i = i->next)
        index_entry(self, FTRI_CONTAINER(i, struct gathered, link));
}

/* Spans of one resource stand in a row. */
static void read_spans(struct gathered *entry, struct ftri_view otlp)
{
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    const uint8_t *resource = NULL;
    ftr_str service = ftri_otlp_service_name((struct ftri_view){0});
    ftri_otlp_cursor_init(&cursor, otlp);
    for (size_t i = 0; ftri_otlp_cursor_next(&cursor, &span); i++) {
        if (span->resource.data != resource)
            service = ftri_otlp_service_name(span->resource);
        resource = span->resource.data;
        entry->spans[i] = (struct gathered_span){.span = *span, .service = service, .entry = entry};
        entry->n_fragments += ftri_otlp_is_fragment(span->name, span->end_time_ns);
    }
}

/* An entry with its spans read, not yet in the gather. */
static struct gathered *entry_new(const struct gathered *values)
{
    const struct ftri_view otlp = ftri_payload_view(values->payload);
    const size_t n = values->is_ledger ? 0 : ftri_otlp_count_spans(otlp);
    const size_t size = sizeof(struct gathered) + n * sizeof(struct gathered_span);
    struct gathered *entry = ftri_alloc(size);
    if (!entry)
        return NULL;
    *entry = (struct gathered){.payload = ftri_payload_ref(values->payload),
                               .token = values->token,
                               .received_ns = values->received_ns,
                               .n_bytes = otlp.len + size,
                               .n_spans = n,
                               .is_ledger = values->is_ledger,
                               .is_unwatched = values->is_unwatched};
    if (n)
        read_spans(entry, otlp);
    if (gathered_mentions_init(&entry->mentions, entry->spans, n) < 0) {
        entry_free(entry);
        return NULL;
    }
    entry->n_bytes += entry->mentions.n_items * sizeof *entry->mentions.items;
    return entry;
}

/* Room for the tokens of every unsettled entry, of one more, and of those not yet collected. */
static int reserve_settled(struct gather *self)
{
    const size_t n = self->n_settled + self->n_unsettled + 1;
    if (n <= self->settled_capacity)
        return 0;
    const size_t capacity = n * 2;
    struct store_settled *grown = ftri_realloc(self->settled, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    self->settled = grown;
    self->settled_capacity = capacity;
    return 0;
}

/* Each reason is logged once. */
static void count_refusals(struct gather *self, const struct gathered *entry)
{
    for (enum store_refusal i = 0; i < STORE_N_REFUSALS; i++) {
        const uint32_t n = entry->mentions.refused[i];
        if (n && self->refused_manifests[i] == 0)
            log_write(LOG_LEVEL_WARNING,
                      "store: a manifest of flows is refused: %s; later ones are "
                      "only counted",
                      store_refusal_name(i));
        self->refused_manifests[i] += n;
    }
}

static int insert(struct gather *self, struct gathered *entry)
{
    const int r = reserve_settled(self);
    if (r < 0)
        return r;
    if (self->n_spans + self->n_mentions + entry->n_spans + entry->mentions.n_items >
        self->n_buckets * 2)
        grow_index(self);
    entry->order = self->next_order++;
    index_entry(self, entry);
    ftri_list_append(&self->entries, &entry->link);
    self->n_unsettled += !entry->is_unwatched;
    self->n_spans += entry->n_spans;
    self->n_appended_spans += entry->n_spans;
    self->n_appended_fragments += entry->n_fragments;
    self->n_mentions += entry->mentions.n_items;
    count_refusals(self, entry);
    self->n_bytes += entry->n_bytes;
    return 0;
}

int gather_append(struct gather *self, const struct gathered *values, size_t max_spans,
                  uint64_t max_bytes)
{
    pthread_mutex_lock(&self->mutex);
    const bool is_busy = self->n_spans > max_spans || self->n_bytes > max_bytes;
    pthread_mutex_unlock(&self->mutex);
    if (is_busy)
        return STORE_BUSY;
    struct gathered *entry = entry_new(values);
    if (!entry)
        return -ENOMEM;
    pthread_mutex_lock(&self->mutex);
    const int r = insert(self, entry);
    pthread_mutex_unlock(&self->mutex);
    if (r < 0)
        entry_free(entry);
    return r;
}

struct gathered *gather_next(struct gather *self, const struct gathered *after)
{
    pthread_mutex_lock(&self->mutex);
    struct ftri_list *link = after ? after->link.next : self->entries.next;
    const bool is_end = link == &self->entries;
    pthread_mutex_unlock(&self->mutex);
    return is_end ? NULL : FTRI_CONTAINER(link, struct gathered, link);
}

/* Without a walk: a bucket may hold a trace of many thousand spans. */
static void unindex_span(const struct gathered_span *span)
{
    *span->link = span->next;
    if (span->next)
        span->next->link = span->link;
}

static void unindex_mention(const struct gathered_mention *mention)
{
    *mention->link = mention->next;
    if (mention->next)
        mention->next->link = mention->link;
}

static void put_settled(struct gather *self, const struct gathered *entry, int error)
{
    if (entry->is_unwatched)
        return;
    assert(self->n_settled < self->settled_capacity);
    self->n_unsettled--;
    self->settled[self->n_settled++] = (struct store_settled){entry->token, error};
}

/* Takes the first entry out; the caller holds the mutex and frees it outside. */
static struct gathered *take_first(struct gather *self)
{
    struct gathered *entry = FTRI_CONTAINER(self->entries.next, struct gathered, link);
    for (size_t i = 0; i < entry->n_spans; i++)
        unindex_span(&entry->spans[i]);
    for (size_t i = 0; i < entry->mentions.n_items; i++)
        unindex_mention(&entry->mentions.items[i]);
    ftri_list_unlink(&entry->link);
    self->n_spans -= entry->n_spans;
    self->n_mentions -= entry->mentions.n_items;
    self->n_bytes -= entry->n_bytes;
    return entry;
}

void gather_remove(struct gather *self, size_t n, int error)
{
    struct ftri_list removed;
    ftri_list_init(&removed);
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < n && !ftri_list_is_empty(&self->entries); i++) {
        struct gathered *entry = take_first(self);
        put_settled(self, entry, error);
        ftri_list_append(&removed, &entry->link);
    }
    pthread_mutex_unlock(&self->mutex);
    struct ftri_list *link;
    while ((link = ftri_list_pop(&removed)))
        entry_free(FTRI_CONTAINER(link, struct gathered, link));
}

void gather_settle_last(struct gather *self)
{
    pthread_mutex_lock(&self->mutex);
    const struct gathered *last = FTRI_CONTAINER(self->entries.previous, struct gathered, link);
    put_settled(self, last, 0);
    pthread_mutex_unlock(&self->mutex);
}

void gather_expire_first(struct gather *self)
{
    pthread_mutex_lock(&self->mutex);
    struct gathered *entry = take_first(self);
    pthread_mutex_unlock(&self->mutex);
    entry_free(entry);
}

size_t gather_collect(struct gather *self, struct store_settled *ret_settled, size_t n)
{
    pthread_mutex_lock(&self->mutex);
    const size_t n_taken = ftri_size_min(n, self->n_settled);
    if (n_taken)
        memcpy(ret_settled, self->settled, n_taken * sizeof *ret_settled);
    self->n_settled -= n_taken;
    if (n_taken && self->n_settled)
        memmove(self->settled, self->settled + n_taken, self->n_settled * sizeof *self->settled);
    pthread_mutex_unlock(&self->mutex);
    return n_taken;
}

struct found_span gathered_found(const struct gathered_span *span)
{
    const struct gathered *entry = span->entry;
    return (struct found_span){.span = span->span,
                               .received_ns = entry->received_ns,
                               .order = entry->order,
                               .row = (uint32_t)(span - entry->spans),
                               .is_fragment =
                                   ftri_otlp_is_fragment(span->span.name, span->span.end_time_ns)};
}

static struct match_fields fields_of(const struct gathered_span *gathered)
{
    const struct ftri_otlp_span *span = &gathered->span;
    return (struct match_fields){
        .service = gathered->service,
        .name = span->name,
        .start_ns = span->start_time_ns,
        .end_ns = span->end_time_ns,
        .is_error = span->status_code == FTRI_OTLP_STATUS_ERROR,
    };
}

static int add_found(struct result_builder *builder, const struct gathered_span *span)
{
    const struct match_fields fields = fields_of(span);
    struct found_span found = gathered_found(span);
    found.is_match = builder->query && match_span(builder->query, &fields);
    return result_add(builder, &found);
}

int gather_find_trace(struct gather *self, const uint8_t trace_id[16],
                      struct result_builder *builder)
{
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    for (const struct gathered_span *i = *bucket(self, trace_id); i && r == 0; i = i->next) {
        if (memcmp(i->span.trace_id, trace_id, 16) != 0)
            continue;
        r = result_keep_payload(builder, i->entry->payload);
        if (r == 0)
            r = add_found(builder, i);
    }
    pthread_mutex_unlock(&self->mutex);
    return r;
}

int gather_visit_trace(struct gather *self, const uint8_t trace_id[16], gather_visit *visit,
                       void *argument)
{
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    for (const struct gathered_span *i = *bucket(self, trace_id); i && r == 0; i = i->next)
        if (memcmp(i->span.trace_id, trace_id, 16) == 0)
            r = visit(argument, i);
    pthread_mutex_unlock(&self->mutex);
    return r;
}

int gather_find_mentions(struct gather *self, const uint8_t trace_id[16], gather_visit *visit,
                         void *argument)
{
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    const struct gathered_mention *i = self->mention_buckets[bucket_of(self, trace_id)];
    for (; i && r == 0; i = i->next)
        if (memcmp(i->trace_id, trace_id, 16) == 0)
            r = visit(argument, i->span);
    pthread_mutex_unlock(&self->mutex);
    return r;
}

bool gather_has_trace(struct gather *self, const uint8_t trace_id[16])
{
    pthread_mutex_lock(&self->mutex);
    const struct gathered_span *i = *bucket(self, trace_id);
    while (i && memcmp(i->span.trace_id, trace_id, 16) != 0)
        i = i->next;
    pthread_mutex_unlock(&self->mutex);
    return i != NULL;
}

static int add_matching(const struct gathered *entry, const struct store_query *query,
                        struct candidates *candidates)
{
    int r = 0;
    for (size_t i = 0; i < entry->n_spans && r == 0; i++) {
        const struct ftri_otlp_span *span = &entry->spans[i].span;
        const struct match_fields fields = fields_of(&entry->spans[i]);
        if (match_span(query, &fields))
            r = candidates_add(candidates, span->trace_id, span->start_time_ns, false);
    }
    return r;
}

int gather_find_matches(struct gather *self, const struct store_query *query,
                        struct candidates *candidates)
{
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    for (struct ftri_list *i = self->entries.next; i != &self->entries && r == 0; i = i->next)
        r = add_matching(FTRI_CONTAINER(i, struct gathered, link), query, candidates);
    pthread_mutex_unlock(&self->mutex);
    return r;
}

int gather_find_names(struct gather *self, struct name_set *names)
{
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    for (struct ftri_list *i = self->entries.next; i != &self->entries && r == 0; i = i->next) {
        const struct gathered *entry = FTRI_CONTAINER(i, struct gathered, link);
        for (size_t j = 0; j < entry->n_spans && r == 0; j++)
            r = name_add(names, entry->spans[j].service, entry->spans[j].span.name);
    }
    pthread_mutex_unlock(&self->mutex);
    return r;
}

int gather_find_ledger(struct gather *self, struct ledger_set *set)
{
    int r = 0;
    pthread_mutex_lock(&self->mutex);
    for (struct ftri_list *i = self->entries.next; i != &self->entries && r == 0; i = i->next) {
        const struct gathered *entry = FTRI_CONTAINER(i, struct gathered, link);
        if (entry->is_ledger)
            r = ledger_set_add_payload(set, entry->payload, entry->received_ns);
    }
    pthread_mutex_unlock(&self->mutex);
    return r;
}
