/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes of a place that are the same each time but for a few numbers: the entry that sets them
 * all (trace/values), kept as bytes, is copied into the span and the numbers are written over.
 *
 *     head | list, n | item, text ... | item, NUMBER | item, text | item, NUMBER | ...
 *                                             ^ at[0]                     ^ at[1]
 *
 * Made once, at the first use, by one thread; read by any from then on. What was made counts as
 * long as texts have the limits that they had then: a later session may have others. */
#pragma once

#include "trace/quick.h"

enum { FTRI_TEMPLATE_NUMBERS = 8, FTRI_TEMPLATE_BYTES = 448 };

struct ftri_template {
    _Atomic uint32_t n_bytes; /* 0: not made */
    _Atomic uint32_t is_begun;
    uint32_t n_keys;
    uint32_t longest; /* of a text; see FTRI_QUICK_LEN */
    uint32_t n_numbers;
    uint16_t at[FTRI_TEMPLATE_NUMBERS];
    uint8_t bytes[FTRI_TEMPLATE_BYTES];
};

/* Scalars are the numbers, in their order; texts stay. Without effect when the template was begun
 * before, or the values are too many or too long. */
void ftri_template_make(struct ftri_template *self, const ftr_keys *keys, const ftr_value *values);

/* Whether the first value is this text; of one that was made. */
static inline bool ftri_template_text_is(const struct ftri_template *self, ftr_str text)
{
    uint64_t item;
    memcpy(&item, self->bytes + FTRI_VALUES_HEAD, sizeof item);
    return item == ftri_values_item(FTR_VALUE_STR, text.len) &&
           memcmp(self->bytes + FTRI_VALUES_HEAD + sizeof item, text.data, text.len) == 0;
}

/* False: nothing has changed; the values have to be set in another way. slot: of an open span of
 * the calling thread (NULL: it is none). n: of the numbers, known where this is compiled. */
static FTRI_ALWAYS_INLINE bool ftri_template_put(const struct ftri_template *self,
                                                 struct ftri_slot *slot, const uint64_t *numbers,
                                                 uint32_t n)
{
    const uint32_t n_bytes = atomic_load_explicit(&self->n_bytes, memory_order_acquire);
    if (FTRI_UNLIKELY(!slot || n_bytes == 0 || self->n_numbers != n))
        return false;
    const struct ftri_thread_settings *settings = &ftri_thread_settings;
    const size_t place = slot->record.stream_len;
    if (FTRI_UNLIKELY(place + n_bytes > FTRI_SLOT_ROOM || self->longest != settings->quick_bytes ||
                      slot->record.n_attributes + self->n_keys > settings->limits.attributes))
        return false;
    uint8_t *const to = slot->room + place;
    memcpy(to, self->bytes, n_bytes);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < n; i++)
        ftri_quick_word(to + self->at[i], numbers[i]);
    ftri_quick_publish(slot, to + n_bytes, offsetof(struct ftri_record, n_attributes),
                       self->n_keys);
    return true;
}
