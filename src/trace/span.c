/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a span: a slot of this thread's, its head written. The path from start to end
 * (span_end.c) of a sampled child is what this library is for; it is measured by bench/recording.c
 * in multiples of one cycle-counter read.
 */
#include "trace/span.h"

#include "base/count.h"
#include "base/random.h"
#include "trace/clock.h"
#include "trace/current.h"
#include "trace/intern.h"
#include "trace/sampling.h"
#include "trace/short.h"

#include <string.h>

uint32_t ftr_recording_word;
__thread ftr_unsampled ftr_unsampled_child;

extern inline ftr_span ftr_span_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent);
extern inline ftr_span ftr_span_start_site(ftr_call_site *site, const ftr_context *parent);
extern inline ftr_span ftr_span_start_with(const ftr_span_options *options);

static inline uint64_t load_half(const char *from)
{
    uint32_t half;
    memcpy(&half, from, sizeof half);
    return half;
}

/* 1 to 16 bytes into two words, the rest of them 0, without a loop. Reads nothing beyond the text.
 */
static FTRI_ALWAYS_INLINE void store_short_name(uint8_t *room, const char *text, size_t len)
{
    uint64_t first;
    uint64_t second = 0;
    if (FTRI_LIKELY(len > 8)) {
        first = ftri_load_word(text);
        second = ftri_load_word(text + len - 8) >> (8 * (16 - len));
    } else if (len >= 4) {
        first = load_half(text) | load_half(text + len - 4) << (8 * (len - 4));
    } else {
        first = (uint8_t)text[0] | (uint64_t)(uint8_t)text[len / 2] << (8 * (len / 2)) |
                (uint64_t)(uint8_t)text[len - 1] << (8 * (len - 1));
    }
    ftri_store_word(room, first);
    ftri_store_word(room + 8, second);
}

static inline bool is_short(ftr_str name)
{
    return name.data && name.len - 1 < 16;
}

/* What is the same for all spans. In a free slot block and dropped counts are 0. A root has a
 * parent too: its new trace id, a span id of 0. */
static FTRI_ALWAYS_INLINE void store_head(struct ftri_record *record, uint64_t id,
                                          uint64_t kind_and_bits, uint64_t version,
                                          const ftr_span_context *parent)
{
    _Static_assert(offsetof(struct ftri_record, clock) == offsetof(struct ftri_record, kind) + 4,
                   "kind to clock are one word");
    _Static_assert(offsetof(ftr_span_context, is_remote) ==
                       offsetof(ftr_span_context, trace_flags) + 1,
                   "flags and is_remote are one half-word");
    uint16_t flags_and_remote;
    memcpy(&flags_and_remote, &parent->trace_flags, sizeof flags_and_remote);
    ftri_store_word((uint8_t *)record + offsetof(struct ftri_record, kind),
                    kind_and_bits | (uint64_t)flags_and_remote << 16 | version << 32);
    ftri_store_word(&record->span_id, id);
    ftri_store_word(&record->parent_id, ftri_load_word(&parent->span_id));
    record->trace_id = parent->trace_id;
}

/* Length of the name, and no attributes, events or links. */
static inline void store_name_len(struct ftri_record *record, size_t len)
{
    ftri_store_word((uint8_t *)record + offsetof(struct ftri_record, name_len), len);
}

/* The worker may look at the slot from now on. */
static FTRI_ALWAYS_INLINE ftr_span publish_slot(struct ftri_slot *slot, uint32_t version)
{
    const uint64_t generation =
        atomic_load_explicit(&slot->generation, memory_order_relaxed) + FTRI_SLOT_OPEN;
    slot->record.start = ftri_clock_stamp(version);
    atomic_store_explicit(&slot->generation, generation, memory_order_release);
    return (ftr_span){slot->handle, generation};
}

static FTRI_ALWAYS_INLINE ftr_span begin_short(struct ftri_thread *self, struct ftri_slot *slot,
                                               uint64_t version, ftr_str name, ftr_span_kind kind,
                                               const ftr_span_context *parent)
{
    struct ftri_record *record = &slot->record;
    store_head(record, ftri_thread_next_id(self), (uint8_t)kind, version, parent);
    ftri_store_word(record, FTRI_SHORT);
    store_name_len(record, name.len);
    store_short_name(slot->room, name.data, name.len);
    return publish_slot(slot, 0); /* the counter: known at compile time */
}

#define HAS_SITE ((uint64_t)FTRI_RECORD_HAS_SITE << 24)

/* The same for a call site, whose name's number stands in the name's place. */
static FTRI_ALWAYS_INLINE ftr_span begin_of_site(struct ftri_thread *self, struct ftri_slot *slot,
                                                 const ftr_call_site *site, uint32_t number,
                                                 const ftr_span_context *parent)
{
    struct ftri_record *record = &slot->record;
    store_head(record, ftri_thread_next_id(self), (uint8_t)site->kind | HAS_SITE,
               ftri_clock_word_now(), parent);
    ftri_store_word(record, FTRI_SHORT_OF_SITE);
    store_name_len(record, number);
    return publish_slot(slot, 0);
}

/* Without a name when there is no room for it. */
static void store_name(struct ftri_thread *self, struct ftri_slot *slot, ftr_str name)
{
    struct ftri_open open = {self, slot};
    struct ftri_writer writer;
    name.len = name.data ? ftri_size_min(name.len, UINT16_MAX) : 0;
    if (!ftri_stream_append(&open, ftri_pad16(name.len), &writer))
        return;
    ftri_writer_put(&writer, name.data, name.len);
    store_name_len(&slot->record, name.len);
    slot->record.stream_len = (uint32_t)ftri_pad16(name.len);
}

static __attribute__((noinline)) ftr_span begin(struct ftri_thread *self, ftr_str name,
                                                ftr_span_kind kind, const ftr_context *parent)
{
    struct ftri_slot *slot = ftri_slot_take(self);
    if (!slot) {
        ftri_count(&self->counters.no_slot, 1);
        return (ftr_span){0, 0};
    }
    const uint32_t version = ftri_clock_version();
    if (!parent->block && is_short(name) && version < FTRI_CLOCK_SYSTEM)
        return begin_short(self, slot, version, name, kind, &parent->span);
    store_head(&slot->record, ftri_thread_next_id(self), (uint8_t)kind, version, &parent->span);
    ftri_store_word(&slot->record, 0);
    store_name_len(&slot->record, 0);
    slot->record.block = ftri_context_block_ref(parent->block);
    if (parent->block && parent->block->finish)
        slot->at_end = FTRI_END_CALLS_BACK;
    store_name(self, slot, name);
    return publish_slot(slot, version);
}

/* What a root is the child of: no span, but a trace. */
static FTRI_ALWAYS_INLINE void new_trace(ftr_context *ret_parent)
{
    /* A vector, since it is read in one piece right after. The half that samplers look at is the
     * second one: all its bits are random. */
    const uint64_t __attribute__((vector_size(16))) id = {ftri_random_u64() | 1, ftri_random_u64()};
    *ret_parent = FTR_CONTEXT_NONE;
    memcpy(&ret_parent->span.trace_id, &id, sizeof id);
    ret_parent->span.trace_flags = FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RANDOM;
}

/* The same with all of the context around it but what belongs to its trace. */
static void new_trace_within(const ftr_context *around, ftr_context *ret_parent)
{
    struct ftri_context_parts parts = ftri_context_parts(around);
    const bool is_shared = around->block && parts.tracestate.len == 0 && !parts.is_debug;
    parts.tracestate.len = 0;
    parts.is_debug = false;
    new_trace(ret_parent);
    if (is_shared)
        ret_parent->block = ftri_context_block_ref(around->block);
    else
        (void)ftri_context_set_parts(ret_parent, &parts);
}

/* A new trace, or one with a remote parent, that somebody has to decide about. */
static ftr_span begin_judged(struct ftri_thread *self, const ftr_span_options *options,
                             ftr_context *parent)
{
    if (ftri_sampling_judge(self, options, parent))
        return begin(self, options->name, options->kind, parent);
    return ftri_unsampled_new(self, parent);
}

static ftr_span begin_root(struct ftri_thread *self, const ftr_span_options *options,
                           const ftr_context *around)
{
    ftr_context parent;
    new_trace_within(around, &parent);
    const ftr_span span = ftri_sampling_is_needed(options, NULL)
                              ? begin_judged(self, options, &parent)
                              : begin(self, options->name, options->kind, &parent);
    ftr_context_release(&parent);
    return span;
}

static ftr_span begin_below_remote(struct ftri_thread *self, const ftr_span_options *options,
                                   const ftr_context *remote)
{
    ftr_context parent = ftr_context_copy(remote);
    const ftr_span span = begin_judged(self, options, &parent);
    ftr_context_release(&parent);
    return span;
}

/* The quick way is for the running session and the cycle counter. */
static void note_clock_word(struct ftri_thread *self, uint32_t session)
{
    const uint64_t word = ftri_clock_word_now();
    if (self->clock_word == word || word >> 32 != session || (uint32_t)word >= FTRI_CLOCK_SYSTEM)
        return;
    self->clock_word = word;
    self->root_word = ftri_sampling_is_asked(FTRI_SAMPLING_NEW) ? UINT64_MAX : word;
    self->below_word = ftri_sampling_is_asked(FTRI_SAMPLING_REMOTE) ? UINT64_MAX : word;
}

/* NULL: this thread starts none now. The quick way is closed to one that never came by here. */
static struct ftri_thread *starter(uint32_t session)
{
    return ftri_thread_is_own ? NULL : ftri_thread_ready(session);
}

/* Everything that the quick way below does not do. */
static ftr_span start_any(const ftr_span_options *options)
{
    const uint32_t session = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    const ftr_context *parent = options->parent ? options->parent : &ftri_frame_current->context;
    struct ftri_thread *self = starter(session);
    if (!self)
        return (ftr_span){0, 0};
    note_clock_word(self, session);
    if (options->is_root || !ftri_context_has_ids(parent))
        return begin_root(self, options, parent);
    if (ftri_sampling_is_needed(options, parent))
        return begin_below_remote(self, options, parent);
    if (!(parent->span.trace_flags & (FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RECORDED)))
        return ftri_unsampled_start(self, parent);
    return begin(self, options->name, options->kind, parent);
}

/* Below a sampled parent whose trace nobody has to be asked about. */
static bool follows_sampled(const ftr_context *parent)
{
    return (parent->span.trace_flags & FTR_TRACE_FLAG_SAMPLED) && ftri_context_has_ids(parent) &&
           !(parent->span.is_remote && ftri_sampling_is_asked(FTRI_SAMPLING_REMOTE));
}

static __attribute__((noinline)) ftr_span start_slow(ftr_str name, ftr_span_kind kind,
                                                     const ftr_context *parent)
{
    const uint32_t session = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    const ftr_context *from = parent ? parent : &ftri_frame_current->context;
    if (follows_sampled(from)) {
        struct ftri_thread *self = starter(session);
        if (!self)
            return (ftr_span){0, 0};
        note_clock_word(self, session);
        return begin(self, name, kind, from);
    }
    const ftr_span_options options = {
        .size = sizeof options, .name = name, .kind = kind, .parent = parent};
    return start_any(&options);
}

/* A slot for the child of a plain context, if the word of its kind says that there is nothing to
 * ask. NULL: not in the quick way. */
static FTRI_ALWAYS_INLINE struct ftri_slot *take_quickly(struct ftri_thread *self, size_t word_at)
{
    if (FTRI_UNLIKELY(ftri_load_word((const uint8_t *)self + word_at) != ftri_clock_word_now()))
        return NULL;
    struct ftri_slot *slot = self->free_slot;
    if (FTRI_LIKELY(slot != NULL))
        self->free_slot = slot->next_free;
    return slot;
}

/* Calls nothing, so that nothing is saved. */
static FTRI_ALWAYS_INLINE ftr_span start_plain(ftr_str name, ftr_span_kind kind,
                                               const ftr_context *parent, const ftr_context *from,
                                               size_t word_at)
{
    struct ftri_thread *self = ftri_thread_self;
    if (FTRI_UNLIKELY(!is_short(name)))
        return start_slow(name, kind, parent);
    struct ftri_slot *slot = take_quickly(self, word_at);
    if (FTRI_UNLIKELY(!slot))
        return start_slow(name, kind, parent);
    return begin_short(self, slot, ftri_clock_word_now(), name, kind, &from->span);
}

static __attribute__((noinline)) ftr_span start_below(ftr_str name, ftr_span_kind kind,
                                                      const ftr_context *parent)
{
    if (FTRI_UNLIKELY(!ftri_context_is_plain(parent)))
        return start_slow(name, kind, parent);
    return start_plain(name, kind, parent, parent, offsetof(struct ftri_thread, below_word));
}

static __attribute__((noinline)) ftr_span start_root_or_slow(ftr_str name, ftr_span_kind kind,
                                                             const ftr_context *current)
{
    if (current->block || ftri_context_has_ids(current))
        return start_slow(name, kind, NULL);
    ftr_context parent;
    new_trace(&parent);
    return start_plain(name, kind, NULL, &parent, offsetof(struct ftri_thread, root_word));
}

static __attribute__((noinline)) ftr_span start_not_plain(ftr_str name, ftr_span_kind kind,
                                                          const struct ftri_frame *frame)
{
    if (FTRI_LIKELY(frame->session == __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED)))
        return frame->unsampled;
    return start_root_or_slow(name, kind, &frame->context);
}

ftr_span ftr_recording_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent)
{
    if (parent)
        return start_below(name, kind, parent);
    const struct ftri_frame *frame = ftri_frame_current;
    if (FTRI_UNLIKELY(!frame->is_plain))
        return start_not_plain(name, kind, frame);
    return start_plain(name, kind, NULL, &frame->context, offsetof(struct ftri_thread, clock_word));
}

/* 0: the table has no number for its name. */
static uint32_t enter_site(ftr_call_site *site)
{
    uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    if (number == 0) {
        number = ftri_intern(&site->name, 1);
        __atomic_store_n(&site->number, number ? number : UINT32_MAX, __ATOMIC_RELEASE);
    }
    return number <= FTRI_INTERNED_LISTS_MAX ? number : 0;
}

static FTRI_ALWAYS_INLINE ftr_span start_plain_site(const ftr_call_site *site, uint32_t number,
                                                    const ftr_context *parent,
                                                    const ftr_context *from, size_t word_at)
{
    struct ftri_thread *self = ftri_thread_self;
    struct ftri_slot *slot = take_quickly(self, word_at);
    if (FTRI_UNLIKELY(!slot))
        return start_slow(site->name, site->kind, parent);
    return begin_of_site(self, slot, site, number, &from->span);
}

/* A first time, a root, or a parent of its own. */
static __attribute__((noinline)) ftr_span start_other_site(ftr_call_site *site,
                                                           const ftr_context *parent)
{
    const uint32_t number = enter_site(site);
    const ftr_context *current = &ftri_frame_current->context;
    if (number != 0 && parent && ftri_context_is_plain(parent))
        return start_plain_site(site, number, parent, parent,
                                offsetof(struct ftri_thread, below_word));
    if (number == 0 || parent || current->block || ftri_context_has_ids(current))
        return ftr_recording_start(site->name, site->kind, parent);
    ftr_context trace;
    new_trace(&trace);
    return start_plain_site(site, number, NULL, &trace, offsetof(struct ftri_thread, root_word));
}

ftr_span ftr_recording_start_site(ftr_call_site *site, const ftr_context *parent)
{
    const uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    const struct ftri_frame *frame = ftri_frame_current;
    if (FTRI_UNLIKELY(parent || !frame->is_plain || number - 1 >= FTRI_INTERNED_LISTS_MAX))
        return start_other_site(site, parent);
    return start_plain_site(site, number, NULL, &frame->context,
                            offsetof(struct ftri_thread, clock_word));
}

ftr_span ftri_root_start(ftr_str name, ftr_span_kind kind, const ftr_context *around)
{
    struct ftri_thread *self = starter(__atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED));
    if (!self)
        return (ftr_span){0, 0};
    ftr_context parent;
    new_trace_within(around, &parent);
    const ftr_span span = begin(self, name, kind, &parent);
    ftr_context_release(&parent);
    return span;
}

ftr_span ftr_recording_start_with(const ftr_span_options *options)
{
    const ftr_context *parent = options->parent ? options->parent : &ftri_frame_current->context;
    const bool is_simple = !options->is_root && !ftri_sampling_is_needed(options, parent);
    const ftr_span span = is_simple
                              ? ftr_recording_start(options->name, options->kind, options->parent)
                              : start_any(options);
    struct ftri_open open;
    if (span.generation == 0 || !ftri_span_open(span, &open))
        return span;
    if (options->start_time_ns != 0)
        ftr_span_set_start_time(span, options->start_time_ns);
    if (options->is_linked)
        ftri_fork_mark(span, options->name, &ftri_frame_current->context);
    for (size_t i = 0; i < options->n_attributes; i++)
        ftr_recording_set(span, options->attributes[i].key, &options->attributes[i].value);
    for (size_t i = 0; i < options->n_links; i++)
        ftr_recording_link(span, options->links[i].context, options->links[i].attributes,
                           options->links[i].n_attributes);
    return span;
}
