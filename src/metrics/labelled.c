/* SPDX-License-Identifier: Apache-2.0
 *
 * The table is as large as it will ever be and never more than half full, so that whoever looks for
 * a series needs no lock: slots go from NULL to a whole series, and stay. */
#include "metrics/labelled.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "metrics/bounds.h"
#include "metrics/metric.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { LABEL_BYTES_MAX = 1024 };

struct series {
    uint64_t hash;
    ftr_str label;
    _Atomic double sum;
    _Atomic uint64_t counts[]; /* one more than there are bounds */
};

struct ftri_labelled {
    struct ftri_arena arena;
    pthread_mutex_t *lock;
    ftr_str name;
    ftr_str help;
    ftr_str unit;
    ftr_str key;
    struct ftri_bounds bounds;
    uint64_t start_ns;
    uint64_t seed;
    size_t n_slots;           /* power of two */
    size_t series_max;        /* without that of the overflow */
    size_t n_series;          /* with the lock */
    struct series **in_order; /* with the lock */
    struct series *overflow;
    _Atomic uint64_t n_dropped;
    _Atomic(struct series *) *slots;
};

static struct series *new_series(struct ftri_labelled *self, uint64_t hash, ftr_str label)
{
    const size_t size = sizeof(struct series) + (self->bounds.n + 1) * sizeof(uint64_t);
    struct series *series = ftri_arena_alloc(&self->arena, size);
    if (!series)
        return NULL;
    memset(series, 0, size);
    series->hash = hash;
    series->label = ftri_arena_copy(&self->arena, label);
    return series->label.data ? series : NULL;
}

static bool copy_text(struct ftri_labelled *self, ftr_str text, ftr_str *ret_copy)
{
    *ret_copy = ftri_arena_copy(&self->arena, text);
    return ret_copy->data != NULL;
}

static bool set_up(struct ftri_labelled *self, const struct ftri_labelled_settings *settings)
{
    const size_t size =
        sizeof(struct series) + LABEL_BYTES_MAX + (settings->n_bounds + 1) * sizeof(uint64_t);
    ftri_arena_init(&self->arena, (self->series_max + 1) * size + ((size_t)128 << 10));
    ftri_bounds_init(&self->bounds, settings->bounds, settings->n_bounds, 1e9);
    for (self->n_slots = 2; self->n_slots < self->series_max * 2;)
        self->n_slots *= 2;
    self->slots = ftri_alloc_array(self->n_slots, sizeof *self->slots);
    self->in_order = ftri_alloc_array(self->series_max + 1, sizeof *self->in_order);
    self->overflow = new_series(self, 0, (ftr_str){NULL, 0});
    return self->slots && self->in_order && self->overflow &&
           copy_text(self, settings->name, &self->name) &&
           copy_text(self, settings->help, &self->help) &&
           copy_text(self, settings->unit, &self->unit) &&
           copy_text(self, settings->label, &self->key);
}

struct ftri_labelled *ftri_labelled_new(const struct ftri_labelled_settings *settings)
{
    struct ftri_labelled *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->lock = settings->lock;
    self->start_ns = settings->start_ns;
    self->seed = settings->seed;
    self->series_max = settings->series_max > 1 ? settings->series_max - 1 : 0;
    if (!set_up(self, settings)) {
        ftri_labelled_free(self);
        return NULL;
    }
    return self;
}

void ftri_labelled_free(struct ftri_labelled *self)
{
    if (!self)
        return;
    ftri_arena_deinit(&self->arena);
    ftri_free(self->in_order);
    ftri_free((void *)self->slots);
    ftri_free(self);
}

ftr_str ftri_labelled_name(const struct ftri_labelled *self)
{
    return self->name;
}

ftr_str ftri_labelled_unit(const struct ftri_labelled *self)
{
    return self->unit;
}

uint64_t ftri_labelled_start_ns(const struct ftri_labelled *self)
{
    return self->start_ns;
}

static bool is_of(const struct series *series, uint64_t hash, ftr_str label)
{
    return series->hash == hash && series->label.len == label.len &&
           (label.len == 0 || memcmp(series->label.data, label.data, label.len) == 0);
}

/* NULL: there is none; *ret_slot is where it would be. */
static struct series *find(const struct ftri_labelled *self, uint64_t hash, ftr_str label,
                           size_t *ret_slot)
{
    const size_t mask = self->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct series *series = atomic_load_explicit(&self->slots[i], memory_order_acquire);
        if (!series || is_of(series, hash, label)) {
            *ret_slot = i;
            return series;
        }
    }
}

/* Beyond the cap, when memory is short or the label too long: the overflow's. */
static struct series *add(struct ftri_labelled *self, uint64_t hash, ftr_str label)
{
    size_t slot = 0;
    struct series *series = find(self, hash, label, &slot);
    if (series)
        return series;
    if (self->n_series >= self->series_max || label.len > LABEL_BYTES_MAX)
        return self->overflow;
    series = new_series(self, hash, label);
    if (!series)
        return self->overflow;
    self->in_order[self->n_series++] = series;
    atomic_store_explicit(&self->slots[slot], series, memory_order_release);
    return series;
}

static void add_to(_Atomic double *sum, double value)
{
    double before = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &before, before + value,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void ftri_labelled_record(struct ftri_labelled *self, ftr_str label, double value)
{
    if (!(value >= 0) || !isfinite(value)) {
        atomic_fetch_add_explicit(&self->n_dropped, 1, memory_order_relaxed);
        return;
    }
    if (self->key.len == 0)
        label.len = 0;
    const uint64_t hash = ftri_hash(self->seed, label.data, label.len);
    size_t slot = 0;
    struct series *series = find(self, hash, label, &slot);
    if (FTRI_UNLIKELY(!series)) {
        pthread_mutex_lock(self->lock);
        series = add(self, hash, label);
        pthread_mutex_unlock(self->lock);
    }
    add_to(&series->sum, value);
    atomic_fetch_add_explicit(&series->counts[ftri_bounds_find(&self->bounds, value)], 1,
                              memory_order_relaxed);
}

uint64_t ftri_labelled_n_dropped(struct ftri_labelled *self)
{
    return atomic_load_explicit(&self->n_dropped, memory_order_relaxed);
}

/* The count is that of the buckets, whatever is recorded meanwhile. */
static int write_series(struct ftri_labelled *self, struct series *series, uint64_t now_ns,
                        const struct ftri_metric_sink *sink)
{
    uint64_t counts[FTRI_BOUNDS_MAX + 1];
    ftr_attribute attribute = {self->key, {.type = FTR_VALUE_STR, .as.str = series->label}};
    if (series == self->overflow)
        attribute = (ftr_attribute){FTR_STR("otel.metric.overflow"),
                                    {.type = FTR_VALUE_BOOL, .as.boolean = true}};
    struct ftri_metric_point point = {
        .attributes = &attribute,
        .n_attributes = self->key.len > 0 || series == self->overflow,
        .start_ns = self->start_ns,
        .time_ns = now_ns,
        .counts = counts,
        .n_counts = self->bounds.n + 1,
    };
    for (size_t i = 0; i < point.n_counts; i++) {
        counts[i] = atomic_load_explicit(&series->counts[i], memory_order_relaxed);
        point.count += counts[i];
    }
    point.sum = atomic_load_explicit(&series->sum, memory_order_relaxed);
    return point.count > 0 ? sink->point(sink->argument, &point) : 0;
}

int ftri_labelled_write(struct ftri_labelled *self, uint64_t now_ns,
                        const struct ftri_metric_sink *sink)
{
    const struct ftri_metric metric = {
        .name = self->name,
        .help = self->help,
        .unit = self->unit,
        .kind = FTRI_METRIC_HISTOGRAM,
        .bounds = self->bounds.values,
        .n_bounds = self->bounds.n,
    };
    int r = sink->family(sink->argument, &metric);
    for (size_t i = 0; i < self->n_series && r == 0; i++)
        r = write_series(self, self->in_order[i], now_ns, sink);
    return r < 0 ? r : write_series(self, self->overflow, now_ns, sink);
}

static void restart_series(struct ftri_labelled *self, struct series *series)
{
    atomic_store(&series->sum, 0);
    for (size_t i = 0; i <= self->bounds.n; i++)
        atomic_store(&series->counts[i], 0);
}

void ftri_labelled_restart(struct ftri_labelled *self, uint64_t now_ns)
{
    for (size_t i = 0; i < self->n_series; i++)
        restart_series(self, self->in_order[i]);
    restart_series(self, self->overflow);
    atomic_store(&self->n_dropped, 0);
    self->start_ns = now_ns;
}
