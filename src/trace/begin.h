/* SPDX-License-Identifier: Apache-2.0
 *
 * What starting a span of either pipeline is made of: a slot of this thread's, its head written.
 * All of it is inline: the quick ways call nothing. A user span's routing is stored first. */
#pragma once

#include "base/random.h"
#include "context/block.h"
#include "trace/clock.h"
#include "trace/intern.h"
#include "trace/short.h"
#include "trace/span.h"

#include <string.h>

static inline uint64_t ftri_load_half(const char *from)
{
    uint32_t half;
    memcpy(&half, from, sizeof half);
    return half;
}

/* 1 to 16 bytes into two words, the rest of them 0, without a loop. Reads nothing beyond the text.
 */
static FTRI_ALWAYS_INLINE void ftri_store_short_name(uint8_t *room, const char *text, size_t len)
{
    uint64_t first;
    uint64_t second = 0;
    if (FTRI_LIKELY(len > 8)) {
        first = ftri_load_word(text);
        second = ftri_load_word(text + len - 8) >> (8 * (16 - len));
    } else if (len >= 4) {
        first = ftri_load_half(text) | ftri_load_half(text + len - 4) << (8 * (len - 4));
    } else {
        first = (uint8_t)text[0] | (uint64_t)(uint8_t)text[len / 2] << (8 * (len / 2)) |
                (uint64_t)(uint8_t)text[len - 1] << (8 * (len - 1));
    }
    ftri_store_word(room, first);
    ftri_store_word(room + 8, second);
}

static inline bool ftri_is_short(ftr_str name)
{
    return name.data && name.len - 1 < 16;
}

/* What is the same for all spans. In a free slot block and dropped counts are 0. A root has a
 * parent too: its new trace id, a span id of 0. */
static FTRI_ALWAYS_INLINE void ftri_store_head(struct ftri_record *record, uint64_t id,
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
static inline void ftri_store_name_len(struct ftri_record *record, size_t len)
{
    ftri_store_word((uint8_t *)record + offsetof(struct ftri_record, name_len), len);
}

/* The worker may look at the slot from now on. */
static FTRI_ALWAYS_INLINE ftr_span ftri_publish_slot(struct ftri_slot *slot, uint32_t version)
{
    const uint64_t generation =
        atomic_load_explicit(&slot->generation, memory_order_relaxed) + FTRI_SLOT_OPEN;
    slot->record.start = ftri_clock_stamp(version);
    atomic_store_explicit(&slot->generation, generation, memory_order_release);
    return (ftr_span){slot->handle, generation};
}

/* A user span's; of other records this is 0. */
static FTRI_ALWAYS_INLINE void ftri_store_routing(struct ftri_record *record, uint32_t routing)
{
    _Static_assert(offsetof(struct ftri_record, routing) ==
                           offsetof(struct ftri_record, n_dropped_links) + 4 &&
                       offsetof(struct ftri_record, n_dropped_links) % 8 == 0,
                   "they are one word");
    ftri_store_word(&record->n_dropped_links, (uint64_t)routing << 32);
}

static FTRI_ALWAYS_INLINE ftr_span ftri_begin_short(struct ftri_thread *self,
                                                    struct ftri_slot *slot, uint64_t version,
                                                    ftr_str name, ftr_span_kind kind,
                                                    const ftr_span_context *parent)
{
    struct ftri_record *record = &slot->record;
    ftri_store_head(record, ftri_thread_next_id(self), (uint8_t)kind, version, parent);
    ftri_store_word(record, FTRI_SHORT);
    ftri_store_name_len(record, name.len);
    ftri_store_short_name(slot->room, name.data, name.len);
    return ftri_publish_slot(slot, 0); /* the counter: known at compile time */
}

#define FTRI_HAS_SITE ((uint64_t)FTRI_RECORD_HAS_SITE << 24)

/* The same for a call site, whose name's number stands in the name's place. */
static FTRI_ALWAYS_INLINE ftr_span ftri_begin_of_site(struct ftri_thread *self,
                                                      struct ftri_slot *slot,
                                                      const ftr_call_site *site, uint32_t number,
                                                      const ftr_span_context *parent)
{
    struct ftri_record *record = &slot->record;
    ftri_store_head(record, ftri_thread_next_id(self), (uint8_t)site->kind | FTRI_HAS_SITE,
                    ftri_clock_word_now(), parent);
    ftri_store_word(record, FTRI_SHORT_OF_SITE);
    ftri_store_name_len(record, number);
    return ftri_publish_slot(slot, 0);
}

/* Without a name when there is no room for it. */
static inline void ftri_store_name(struct ftri_thread *self, struct ftri_slot *slot, ftr_str name)
{
    struct ftri_open open = {self, slot};
    struct ftri_writer writer;
    name.len = name.data ? ftri_size_min(name.len, UINT16_MAX) : 0;
    if (!ftri_stream_append(&open, ftri_pad16(name.len), &writer))
        return;
    ftri_writer_put(&writer, name.data, name.len);
    ftri_store_name_len(&slot->record, name.len);
    slot->record.stream_len = (uint32_t)ftri_pad16(name.len);
}

/* Beyond the quick ways: any name, any clock, a block (may be NULL) to keep. */
static FTRI_ALWAYS_INLINE ftr_span ftri_begin_any(struct ftri_thread *self, struct ftri_slot *slot,
                                                  ftr_str name, ftr_span_kind kind,
                                                  const ftr_span_context *parent,
                                                  struct ftr_context_block *block)
{
    const uint32_t version = ftri_clock_version();
    ftri_store_head(&slot->record, ftri_thread_next_id(self), (uint8_t)kind, version, parent);
    ftri_store_word(&slot->record, 0);
    ftri_store_name_len(&slot->record, 0);
    slot->record.block = ftri_context_block_ref(block);
    ftri_store_name(self, slot, name);
    return ftri_publish_slot(slot, version);
}

/* What a root is the child of: no span, but a trace. */
static FTRI_ALWAYS_INLINE void ftri_new_trace(ftr_span_context *ret_parent)
{
    /* A vector, since it is read in one piece right after. The half that samplers look at is the
     * second one: all its bits are random. */
    const uint64_t __attribute__((vector_size(16))) id = {ftri_random_u64() | 1, ftri_random_u64()};
    *ret_parent = (ftr_span_context){.span_id = {{0}}};
    memcpy(&ret_parent->trace_id, &id, sizeof id);
    ret_parent->trace_flags = FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RANDOM;
}

/* A slot for the child of a plain context, if the word of its kind says that there is nothing to
 * ask. NULL: not in the quick way. */
static FTRI_ALWAYS_INLINE struct ftri_slot *ftri_take_quickly(struct ftri_thread *self,
                                                              size_t word_at)
{
    if (FTRI_UNLIKELY(ftri_load_word((const uint8_t *)self + word_at) != ftri_clock_word_now()))
        return NULL;
    struct ftri_slot *slot = self->free_slot;
    if (FTRI_LIKELY(slot != NULL))
        self->free_slot = slot->next_free;
    return slot;
}

/* 0: the table has no number for its name. */
static inline uint32_t ftri_site_enter(ftr_call_site *site)
{
    uint32_t number = __atomic_load_n(&site->number, __ATOMIC_ACQUIRE);
    if (number == 0) {
        number = ftri_intern(&site->name, 1);
        __atomic_store_n(&site->number, number ? number : UINT32_MAX, __ATOMIC_RELEASE);
    }
    return number <= FTRI_INTERNED_LISTS_MAX ? number : 0;
}
