/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans kept in memory, for tests. Every span is a deep copy in one arena. The store has one lock
 * and two owners, the exporter and the caller; the last one frees it. */
#include <flowtrace/exporter.h>

#include "base/arena.h"
#include "base/mem.h"
#include "trace/resource.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FIRST_ROOM = 64 };
#define ARENA_LIMIT ((size_t)1 << 30)

struct kept {
    ftr_span_data span;
    ftr_str routing;
};

struct ftr_memory_spans {
    pthread_mutex_t lock;
    _Atomic uint32_t n_refs;
    struct ftri_arena arena;
    struct kept *spans;
    size_t n_spans;
    size_t room;
};

ftr_memory_spans *ftr_memory_spans_new(void)
{
    ftr_memory_spans *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    pthread_mutex_init(&self->lock, NULL);
    atomic_init(&self->n_refs, 1);
    ftri_arena_init(&self->arena, ARENA_LIMIT);
    return self;
}

void ftr_memory_spans_unref(ftr_memory_spans *self)
{
    if (!self || atomic_fetch_sub(&self->n_refs, 1) != 1)
        return;
    ftri_arena_deinit(&self->arena);
    ftri_free(self->spans);
    pthread_mutex_destroy(&self->lock);
    ftri_free(self);
}

static bool copy_text(struct ftri_arena *arena, ftr_str *text)
{
    *text = ftri_arena_copy(arena, *text);
    return text->data != NULL;
}

static bool copy_events(struct ftri_arena *arena, ftr_span_data *span)
{
    ftr_event_data *events = ftri_arena_alloc(arena, (span->n_events + 1) * sizeof *events);
    if (!events)
        return false;
    for (size_t i = 0; i < span->n_events; i++) {
        events[i] = span->events[i];
        events[i].attributes =
            ftri_attributes_copy(arena, events[i].attributes, events[i].n_attributes);
        if (!events[i].attributes || !copy_text(arena, &events[i].name))
            return false;
    }
    span->events = events;
    return true;
}

static bool copy_links(struct ftri_arena *arena, ftr_span_data *span)
{
    ftr_link_data *links = ftri_arena_alloc(arena, (span->n_links + 1) * sizeof *links);
    if (!links)
        return false;
    for (size_t i = 0; i < span->n_links; i++) {
        links[i] = span->links[i];
        links[i].attributes =
            ftri_attributes_copy(arena, links[i].attributes, links[i].n_attributes);
        if (!links[i].attributes || !copy_text(arena, &links[i].tracestate))
            return false;
    }
    span->links = links;
    return true;
}

static bool copy_span(struct ftri_arena *arena, const ftr_span_data *span, ftr_span_data *ret_copy)
{
    *ret_copy = *span;
    ret_copy->attributes = ftri_attributes_copy(arena, span->attributes, span->n_attributes);
    return ret_copy->attributes && copy_text(arena, &ret_copy->name) &&
           copy_text(arena, &ret_copy->tracestate) &&
           copy_text(arena, &ret_copy->status_description) && copy_events(arena, ret_copy) &&
           copy_links(arena, ret_copy);
}

static bool has_room(ftr_memory_spans *self)
{
    if (self->n_spans < self->room)
        return true;
    const size_t room = self->room ? self->room * 2 : FIRST_ROOM;
    struct kept *spans = ftri_realloc(self->spans, room * sizeof *spans);
    if (!spans)
        return false;
    self->spans = spans;
    self->room = room;
    return true;
}

/* False: memory is short. */
static bool keep(struct ftr_memory_spans *self, const ftr_span_data *span, ftr_str routing)
{
    if (!has_room(self))
        return false;
    struct kept *kept = &self->spans[self->n_spans];
    kept->routing = routing;
    if (!copy_span(&self->arena, span, &kept->span) || !copy_text(&self->arena, &kept->routing))
        return false;
    self->n_spans++;
    return true;
}

static void export_batch(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)deadline_ns;
    ftr_memory_spans *self = instance;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < batch->n_spans; i++) {
        if (keep(self, &batch->spans[i], batch->routing)) {
            ret_result->n_delivered++;
        } else {
            ret_result->n_lost++;
        }
    }
    pthread_mutex_unlock(&self->lock);
}

static void close_store(void *instance)
{
    ftr_memory_spans_unref(instance);
}

/* The forking thread may have been anywhere; the exporting one held the lock. */
static void renew_lock(void *instance)
{
    ftr_memory_spans *self = instance;
    pthread_mutex_init(&self->lock, NULL);
}

static const ftr_exporter_class memory_class = {
    .size = sizeof memory_class,
    .name = "memory",
    .form = FTR_EXPORT_SPANS,
    .export_batch = export_batch,
    .close = close_store,
    .after_fork = renew_lock,
};

ftr_exporter *ftr_memory_exporter_new(ftr_memory_spans *spans)
{
    ftr_exporter *exporter = ftr_exporter_new(&memory_class, spans);
    if (exporter)
        atomic_fetch_add(&spans->n_refs, 1);
    return exporter;
}

size_t ftr_memory_spans_count(ftr_memory_spans *self)
{
    pthread_mutex_lock(&self->lock);
    const size_t n = self->n_spans;
    pthread_mutex_unlock(&self->lock);
    return n;
}

bool ftr_memory_spans_get(ftr_memory_spans *self, size_t i, ftr_span_data *ret_span)
{
    pthread_mutex_lock(&self->lock);
    const bool is_there = i < self->n_spans;
    if (is_there)
        *ret_span = self->spans[i].span;
    pthread_mutex_unlock(&self->lock);
    return is_there;
}

ftr_str ftr_memory_spans_routing(ftr_memory_spans *self, size_t i)
{
    pthread_mutex_lock(&self->lock);
    const ftr_str routing = i < self->n_spans ? self->spans[i].routing : FTR_STR("");
    pthread_mutex_unlock(&self->lock);
    return routing;
}

void ftr_memory_spans_reset(ftr_memory_spans *self)
{
    pthread_mutex_lock(&self->lock);
    self->n_spans = 0;
    ftri_arena_reset(&self->arena);
    pthread_mutex_unlock(&self->lock);
}
