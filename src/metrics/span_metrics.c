/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table with open addressing, at most half full: most series are where they are looked for
 * first. The series of the overflow stands beside it and exists from the start: counting cannot
 * fail. */
#include "metrics/span_metrics.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/random.h"
#include "metrics/bounds.h"
#include "metrics/exponential.h"
#include "metrics/metric.h"
#include "metrics/span_name.h"
#include "metrics/span_table.h"

#include <math.h>
#include <string.h>

/* Longer names of spans, and values of attributes, have no series of their own. */
enum { FIRST_SLOTS = 128, NAME_BYTES_MAX = 4096 };

static const double standard_ms[] = {2,   4,   6,   8,    10,   50,   100, 200,
                                     400, 800, 1e3, 1400, 2000, 5000, 1e4, 15e3};
static const double standard_s[] = {.002, .004, .006, .008, .01, .05, .1, .2,
                                    .4,   .8,   1,    1.4,  2,   5,   10, 15};

static size_t arena_limit(const struct ftri_span_metrics *self)
{
    const size_t series = NAME_BYTES_MAX + self->shape.n_exemplars * sizeof(struct ftri_exemplar);
    return ((size_t)self->series_max + 1) * series + ((size_t)64 << 10);
}

static void take_bounds(struct ftri_span_metrics *self,
                        const struct ftri_span_metrics_settings *settings)
{
    const bool is_standard = settings->n_bounds == 0;
    const double *standard = settings->is_in_ms ? standard_ms : standard_s;
    ftri_bounds_init(&self->bounds, is_standard ? standard : settings->bounds,
                     is_standard ? FTRI_COUNT(standard_ms) : settings->n_bounds, self->ns_per_unit);
}

static void take_shape(struct ftri_span_metrics *self,
                       const struct ftri_span_metrics_settings *settings)
{
    self->shape.n_dimensions = self->n_dimensions;
    self->shape.n_buckets = settings->is_exponential ? 0 : self->bounds.n + 1;
    if (settings->has_exemplars)
        self->shape.n_exemplars =
            self->shape.n_buckets ? self->shape.n_buckets : FTRI_SPAN_EXPONENTIAL_EXEMPLARS;
}

static bool take_dimensions(struct ftri_span_metrics *self,
                            const struct ftri_span_metrics_settings *settings)
{
    self->n_dimensions = ftri_size_min(settings->n_dimensions, FTRI_SPAN_DIMENSIONS_MAX);
    for (size_t i = 0; i < self->n_dimensions; i++) {
        self->dimensions[i] = ftri_arena_copy(&self->arena, settings->dimensions[i]);
        if (!self->dimensions[i].data)
            return false;
    }
    return true;
}

static struct ftri_span_slot *new_slots(size_t n)
{
    struct ftri_span_slot *slots = ftri_alloc_huge(n * sizeof *slots);
    return slots ? memset(slots, 0, n * sizeof *slots) : NULL;
}

static bool set_up(struct ftri_span_metrics *self,
                   const struct ftri_span_metrics_settings *settings)
{
    static const ftr_value none[FTRI_SPAN_DIMENSIONS_MAX];
    const struct ftri_span_view nobody = {.dimensions = none};
    ftri_arena_init(&self->arena, SIZE_MAX / 2);
    if (!take_dimensions(self, settings))
        return false;
    take_bounds(self, settings);
    take_shape(self, settings);
    self->arena.limit = self->arena.n_bytes + arena_limit(self);
    ftri_span_slabs_init(&self->slabs, ftri_span_series_size(&self->shape));
    ftri_map_init(&self->services, self->series_max);
    self->nobody.hash = ftri_random_u64();
    self->service = &self->nobody;
    self->overflow =
        ftri_span_series_new(&self->arena, &self->slabs, &self->shape, &self->nobody, &nobody);
    self->slots = new_slots(FIRST_SLOTS);
    self->series = ftri_alloc_array(FIRST_SLOTS / 2, sizeof *self->series);
    if (!self->overflow || !self->slots || !self->series)
        return false;
    self->overflow->traits = FTRI_SPAN_IS_OVERFLOW;
    self->n_slots = FIRST_SLOTS;
    return true;
}

struct ftri_span_metrics *ftri_span_metrics_new(const struct ftri_span_metrics_settings *settings)
{
    struct ftri_span_metrics *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->is_in_ms = settings->is_in_ms;
    self->ns_per_unit = settings->is_in_ms ? 1e6 : 1e9;
    self->series_max = settings->series_max ? settings->series_max : FTRI_SPAN_SERIES_STANDARD;
    self->start_ns = settings->start_ns;
    if (!set_up(self, settings)) {
        ftri_span_metrics_free(self);
        return NULL;
    }
    return self;
}

void ftri_span_metrics_free(struct ftri_span_metrics *self)
{
    if (!self)
        return;
    ftri_arena_deinit(&self->arena);
    ftri_span_slabs_deinit(&self->slabs);
    ftri_map_deinit(&self->services);
    ftri_free(self->slots);
    ftri_free(self->series);
    ftri_free(self);
}

static const struct ftri_span_service *add_service(struct ftri_span_metrics *self, ftr_str name)
{
    struct ftri_span_service *service = ftri_arena_alloc(&self->arena, sizeof *service);
    if (!service)
        return NULL;
    service->hash = ftri_random_u64();
    service->name = ftri_arena_copy(&self->arena, name);
    return service->name.data && ftri_map_set(&self->services, name, service) == 0 ? service : NULL;
}

/* Most spans are of the same service as the one before. NULL: there is no room for another. */
static const struct ftri_span_service *find_service(struct ftri_span_metrics *self, ftr_str name)
{
    if (FTRI_LIKELY(ftri_short_same(self->service->name, name)))
        return self->service;
    if (name.len == 0)
        return &self->nobody;
    const struct ftri_span_service *service = ftri_map_get(&self->services, name);
    if (!service && name.len <= NAME_BYTES_MAX)
        service = add_service(self, name);
    if (service)
        self->service = service;
    return service;
}

/* The series' slot, or the empty one where it would be. */
static inline struct ftri_span_slot *find(const struct ftri_span_metrics *self, uint64_t hash,
                                          const struct ftri_span_service *service,
                                          const struct ftri_span_view *span)
{
    const size_t mask = self->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct ftri_span_slot *slot = &self->slots[i];
        if (!slot->series || (slot->hash == hash &&
                              ftri_span_is_of(slot->series, service, span, self->n_dimensions)))
            return slot;
    }
}

static void put(struct ftri_span_slot *slots, size_t n_slots, struct ftri_span_slot entry)
{
    size_t i = entry.hash & (n_slots - 1);
    while (slots[i].series)
        i = (i + 1) & (n_slots - 1);
    slots[i] = entry;
}

static bool grow(struct ftri_span_metrics *self)
{
    const size_t n_slots = self->n_slots * 2;
    struct ftri_span_slot *slots = new_slots(n_slots);
    struct ftri_span_series **series =
        slots ? ftri_realloc(self->series, n_slots / 2 * sizeof *series) : NULL;
    if (!series) {
        ftri_free(slots);
        return false;
    }
    for (size_t i = 0; i < self->n_slots; i++)
        if (self->slots[i].series)
            put(slots, n_slots, self->slots[i]);
    ftri_free(self->slots);
    self->slots = slots;
    self->n_slots = n_slots;
    self->series = series;
    return true;
}

static bool fits(const struct ftri_span_metrics *self, const struct ftri_span_view *span)
{
    size_t len = span->name.len;
    for (size_t i = 0; i < self->n_dimensions; i++)
        if (span->dimensions[i].type == FTR_VALUE_STR)
            len += span->dimensions[i].as.str.len;
    return len <= NAME_BYTES_MAX - FTRI_SPAN_DIMENSIONS_MAX * (sizeof(ftr_value) + 16);
}

/* Where the cap is reached, memory is short or the name too long: the overflow's. */
static struct ftri_span_series *add(struct ftri_span_metrics *self, uint64_t hash,
                                    const struct ftri_span_service *service,
                                    const struct ftri_span_view *span)
{
    if (self->n_series + 1 >= self->series_max || !fits(self, span) ||
        (self->n_series >= self->n_slots / 2 && !grow(self)))
        return self->overflow;
    struct ftri_span_series *series =
        ftri_span_series_new(&self->arena, &self->slabs, &self->shape, service, span);
    if (!series)
        return self->overflow;
    put(self->slots, self->n_slots, (struct ftri_span_slot){hash, series});
    self->series[self->n_series++] = series;
    return series;
}

/* Of a span that was observed; the overflow's if it has none. */
static struct ftri_span_series *series_of(struct ftri_span_metrics *self,
                                          const struct ftri_span_view *span)
{
    const struct ftri_span_service *service = find_service(self, span->service);
    if (!service)
        return self->overflow;
    const uint64_t hash = ftri_span_hash(service, span, self->n_dimensions);
    struct ftri_span_series *series = find(self, hash, service, span)->series;
    return series ? series : self->overflow;
}

static uint64_t duration_of(const struct ftri_span_view *span)
{
    return span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
}

/* How many spans it stands for, with what is left of those before. */
static uint64_t weigh(struct ftri_span_series *series, const struct ftri_span_view *span)
{
    const uint64_t rest = (uint64_t)series->rest + span->frac;
    series->rest = (uint32_t)rest;
    return span->whole + (rest >> 32);
}

bool ftri_span_series_is_own(const struct ftri_span_series *series)
{
    return !(series->traits & FTRI_SPAN_IS_OVERFLOW);
}

/* bucket: of its duration, where there are buckets. */
static inline void count(struct ftri_span_metrics *self, struct ftri_span_series *series,
                         const struct ftri_span_view *span, size_t bucket)
{
    const uint64_t n = weigh(series, span);
    const uint64_t duration_ns = duration_of(span);
    const size_t n_buckets = self->shape.n_buckets;
    series->sum_ns += (ftri_ns_sum)duration_ns * n;
    if (FTRI_LIKELY(n_buckets))
        ftri_span_add(series, n_buckets, bucket, n);
    else
        ftri_exponential_add(ftri_span_exponential(series), (double)duration_ns / self->ns_per_unit,
                             n);
    if (FTRI_UNLIKELY(series->traits & FTRI_SPAN_IS_OVERFLOW))
        self->n_overflowing += n;
}

/* Where spans are looked for; service NULL: it has no room, the span is the overflow's. */
struct search {
    const struct ftri_span_service *service;
    uint64_t hash;
    struct ftri_span_series *likely; /* the first that has its hash: hardly ever another one */
};

/* The service's name is mostly the same text at the same place as that of the span before. */
static inline bool is_same_place(ftr_str a, ftr_str b)
{
    return a.data == b.data && a.len == b.len;
}

static inline struct search expect_slot(const struct ftri_span_metrics *self,
                                        const struct ftri_span_service *service,
                                        const struct ftri_span_view *span)
{
    if (FTRI_UNLIKELY(!service))
        return (struct search){NULL, 0, NULL};
    const uint64_t hash = ftri_span_hash(service, span, self->n_dimensions);
    __builtin_prefetch(&self->slots[hash & (self->n_slots - 1)]);
    return (struct search){service, hash, NULL};
}

static void expect_series(const struct ftri_span_metrics *self, struct search *search)
{
    if (FTRI_UNLIKELY(!search->service))
        return;
    const size_t mask = self->n_slots - 1;
    size_t i = search->hash & mask;
    while (self->slots[i].series && self->slots[i].hash != search->hash)
        i = (i + 1) & mask;
    search->likely = self->slots[i].series;
    __builtin_prefetch(search->likely);
}

/* Spans of the same batch may have added it. */
static __attribute__((noinline)) struct ftri_span_series *
find_or_add(struct ftri_span_metrics *self, const struct ftri_span_view *span,
            const struct search *search)
{
    if (!search->service)
        return self->overflow;
    struct ftri_span_series *series = find(self, search->hash, search->service, span)->series;
    return series ? series : add(self, search->hash, search->service, span);
}

static inline struct ftri_span_series *series_found(struct ftri_span_metrics *self,
                                                    const struct ftri_span_view *span,
                                                    const struct search *search)
{
    if (FTRI_LIKELY(search->likely &&
                    ftri_span_is_of(search->likely, search->service, span, self->n_dimensions)))
        return search->likely;
    return find_or_add(self, span, search);
}

/* Returns the bucket. */
static inline size_t expect_count(const struct ftri_span_metrics *self,
                                  const struct ftri_span_series *series,
                                  const struct ftri_span_view *span)
{
    const size_t bucket = ftri_bounds_find_ns(&self->bounds, duration_of(span));
    __builtin_prefetch(&series->sum_ns, 1);
    __builtin_prefetch(&series->counts[bucket], 1);
    return bucket;
}

static void observe_batch(struct ftri_span_metrics *self, const struct ftri_span_view *spans,
                          struct ftri_span_series **series, size_t n)
{
    struct search searches[FTRI_SPAN_BATCH];
    const struct ftri_span_service *service = NULL;
    const struct ftri_span_view *before = NULL;
    size_t buckets[FTRI_SPAN_BATCH];
    for (size_t i = 0; i < n; i++)
        if (!series[i])
            __builtin_prefetch(spans[i].name.data);
    for (size_t i = 0; i < n; i++) {
        if (series[i])
            continue;
        if (!before || !is_same_place(before->service, spans[i].service))
            service = find_service(self, spans[i].service);
        before = &spans[i];
        searches[i] = expect_slot(self, service, &spans[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (!series[i])
            expect_series(self, &searches[i]);
    for (size_t i = 0; i < n; i++) {
        if (!series[i])
            series[i] = series_found(self, &spans[i], &searches[i]);
        buckets[i] = expect_count(self, series[i], &spans[i]);
    }
    for (size_t i = 0; i < n; i++)
        count(self, series[i], &spans[i], buckets[i]);
}

void ftri_span_metrics_observe_all(struct ftri_span_metrics *self,
                                   const struct ftri_span_view *spans,
                                   struct ftri_span_series **series, size_t n)
{
    for (size_t done = 0; done < n; done += FTRI_SPAN_BATCH)
        observe_batch(self, spans + done, series + done, ftri_size_min(n - done, FTRI_SPAN_BATCH));
}

void ftri_span_metrics_offer(struct ftri_span_metrics *self, const struct ftri_span_view *span)
{
    if (self->shape.n_exemplars > 0)
        ftri_span_metrics_offer_in(self, series_of(self, span), span);
}

void ftri_span_metrics_offer_in(const struct ftri_span_metrics *self,
                                struct ftri_span_series *series, const struct ftri_span_view *span)
{
    if (self->shape.n_exemplars == 0)
        return;
    const uint64_t duration_ns = duration_of(span);
    const double value = (double)duration_ns / self->ns_per_unit;
    size_t slot = 0;
    if (self->shape.n_buckets)
        slot = ftri_bounds_find_ns(&self->bounds, duration_ns);
    else if (duration_ns > 0)
        slot = (uint32_t)ftri_exponential_index(value, ftri_span_exponential(series)->scale) %
               FTRI_SPAN_EXPONENTIAL_EXEMPLARS;
    series->exemplars[slot] = (struct ftri_exemplar){
        .value = value,
        .time_ns = span->end_ns,
        .trace_id = span->trace_id,
        .span_id = span->span_id,
    };
}

struct ftri_span_metrics_counts ftri_span_metrics_count(const struct ftri_span_metrics *self)
{
    return (struct ftri_span_metrics_counts){
        .n_series = self->n_series + (self->n_overflowing > 0),
        .n_overflowing = self->n_overflowing,
    };
}
