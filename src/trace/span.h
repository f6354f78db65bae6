/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the recording path: from a handle to its slot, and appending to the slot's stream.
 * Called by the thread that uses the span. */
#pragma once

#include "trace/thread.h"

#include <flowtrace/span.h>
#include <string.h>

/* A span that is open, as a function on it sees it. */
struct ftri_open {
    struct ftri_thread *thread; /* the caller's */
    struct ftri_slot *slot;
};

/* The slot of an open span of the calling thread; NULL: look closer (ftri_span_open). Handles that
 * were given out never have the generation of a slot that is not open. */
static inline struct ftri_slot *ftri_own_slot(const struct ftri_thread *self, ftr_span span)
{
    const uint64_t index = span.handle - self->first_handle;
    if (FTRI_UNLIKELY(index >= atomic_load_explicit(&self->n_live_slots, memory_order_relaxed)))
        return NULL;
    struct ftri_slot *slot = &self->slots[index];
    const uint64_t generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);
    return FTRI_LIKELY(generation == span.generation) ? slot : NULL;
}

/* False: stale (counted), or the library is not running. */
bool ftri_span_open(ftr_span span, struct ftri_open *ret_open);
/* The calling thread's, ready for the running session; NULL: nothing can be recorded. */
struct ftri_thread *ftri_thread_ready(enum ftri_pipeline pipeline, uint32_t session);
/* Whose a handle says that it is; the system's if there is no such thread. */
enum ftri_pipeline ftri_handle_pipeline(ftr_span span);
/* The slot of an open span and the thread whose it is; NULL: stale. */
struct ftri_slot *ftri_handle_find(struct ftri_thread *self, ftr_span span,
                                   struct ftri_thread **ret_owner);
/* A span of a call site, below a plain context or (NULL) the root of a new trace whatever context
 * is current, that began at a moment by ftri_clock_passed_ns, some microseconds ago at most. It is
 * not started, and nothing has changed, where a sampler has to be asked, or for any other reason
 * this takes more than a slot. */
ftr_span ftri_site_start_at(ftr_call_site *site, const ftr_context *parent, uint64_t passed_ns);
/* Both halves of a dual span, at one moment where both are as most are. */
void ftri_end_both(ftr_span span, ftr_span user);
/* A sampled root, whatever a sampler says, with all of the context around it but what belongs to
 * its trace. */
ftr_span ftri_root_start(ftr_str name, ftr_span_kind kind, const ftr_context *around);
/* The new trace's root and a marker below the span of `from` name each other, if that is sampled
 * and of another trace. */
void ftri_fork_mark(ftr_span root, ftr_str name, const ftr_context *from);
/* A span that only passes this context on. */
ftr_span ftri_unsampled_new(struct ftri_thread *self, const ftr_context *context);
/* The same with its parent's, shared with its siblings where that is the current one. */
ftr_span ftri_unsampled_start(struct ftri_thread *self, const ftr_context *parent);
/* False: it is no more. */
bool ftri_span_release_unsampled(ftr_span span);
/* Where the span of a scope starts, as attributes. */
void ftri_say_where(ftr_span span, const ftr_call_site *site);
/* A call on something that is no more, or never was. */
void ftri_count_stale(void);

/* An open span as others see it, in words: see short.h. */
static inline void ftri_open_show(const struct ftri_record *record, ftr_span_context *ret_span)
{
    _Static_assert(offsetof(ftr_span_context, routing) ==
                       offsetof(ftr_span_context, trace_flags) + 4,
                   "flags to routing are one word");
    const uint64_t word = record->trace_flags | (uint64_t)record->routing << 32;
    ret_span->trace_id = record->trace_id;
    ret_span->span_id = record->span_id;
    memcpy(&ret_span->trace_flags, &word, sizeof word);
}

/* A result that goes by way of memory: in one piece, since callers read it in one or in two. */
static inline void ftri_store_span(ftr_span *to, ftr_span span)
{
    const uint64_t __attribute__((vector_size(16))) words = {span.handle, span.generation};
    memcpy(to, &words, sizeof words);
}

/* Room for one entry of `size` bytes (a multiple of 8) at the end of the stream; written piece by
 * piece. False: the pool or the record's greatest size is exhausted. */
struct ftri_writer {
    uint8_t *at;
    uint8_t *end;
    struct ftri_page *page; /* what follows */
};
bool ftri_stream_append(struct ftri_open *open, size_t size,
                        struct ftri_writer *ret_writer) FTRI_MUST_CHECK;
void ftri_writer_put(struct ftri_writer *self, const void *data, size_t len);
/* The same over what is there already. */
struct ftri_writer ftri_stream_at(struct ftri_slot *slot, size_t position);
void ftri_writer_get(struct ftri_writer *self, void *data, size_t len);

/* The stream is that long from now on, and the span no longer one that ends in the quickest way. */
static inline void ftri_stream_publish(struct ftri_slot *slot, size_t stream_len)
{
    _Static_assert(offsetof(struct ftri_record, stream_len) == 4, "size and length are one word");
    __atomic_store_n((uint64_t __attribute__((may_alias)) *)(void *)&slot->record,
                     (uint64_t)stream_len << 32, __ATOMIC_RELEASE);
}

/* Values in their encoded form. SIZE_MAX: nested too deep, or too large. */
size_t ftri_value_size(const ftr_value *value);
void ftri_value_put(struct ftri_writer *writer, const ftr_value *value);
/* The same for the first of `n` attributes that fit in; *ret_n how many they are. */
size_t ftri_attributes_size(const ftr_attribute *attributes, size_t n, size_t *ret_n);
void ftri_attributes_put(struct ftri_writer *writer, const ftr_attribute *attributes, size_t n);
