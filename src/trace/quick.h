/* SPDX-License-Identifier: Apache-2.0
 *
 * The quick ways to write into an open span of the calling thread: what fits in its slot, copied
 * without a loop or a call. Each is given up, with nothing changed, for a way that can do all. */
#pragma once

#include "trace/span.h"

#include <string.h>

static FTRI_ALWAYS_INLINE void ftri_quick_pair(uint8_t *to, const char *from, size_t len,
                                               size_t width)
{
    memcpy(to, from, width);
    memcpy(to + len - width, from + len - width, width);
}

/* memcpy for up to FTRI_QUICK_LEN bytes that calls nothing. */
static FTRI_ALWAYS_INLINE void ftri_quick_copy(uint8_t *to, const char *from, size_t len)
{
    if (FTRI_LIKELY(len - 16 <= 32 - 16))
        ftri_quick_pair(to, from, len, 16);
    else if (len > 32)
        ftri_quick_pair(to, from, len, 32);
    else if (len >= 8)
        ftri_quick_pair(to, from, len, 8);
    else if (len >= 4)
        ftri_quick_pair(to, from, len, 4);
    else
        for (size_t i = 0; i < len; i++)
            to[i] = (uint8_t)from[i];
}

static FTRI_ALWAYS_INLINE void ftri_quick_head(uint8_t *at, uint32_t types, size_t size,
                                               size_t key_len, size_t value_len)
{
    _Static_assert(offsetof(struct ftri_entry, size) == 4, "types and size are one word");
    const uint64_t words[2] = {types | (uint64_t)size << 32, key_len | (uint64_t)value_len << 32};
    memcpy(at, words, sizeof words);
}

/* Room for an entry that fits in the slot, its head written; NULL: it does not. */
static FTRI_ALWAYS_INLINE uint8_t *ftri_quick_entry(struct ftri_slot *slot, uint32_t types,
                                                    size_t key_len, size_t value_len)
{
    const size_t size = ftri_pad8(sizeof(struct ftri_entry) + key_len + value_len);
    if (FTRI_UNLIKELY(slot->record.stream_len + size > FTRI_SLOT_ROOM))
        return NULL;
    uint8_t *at = slot->room + slot->record.stream_len;
    ftri_quick_head(at, types, size, key_len, value_len);
    return at + sizeof(struct ftri_entry);
}

/* After the payload: the stream goes up to `end`, and one of the four counts from name_len on has
 * grown by n. */
static FTRI_ALWAYS_INLINE void ftri_quick_publish(struct ftri_slot *slot, const uint8_t *end,
                                                  size_t count_offset, uint64_t n)
{
    struct ftri_record *record = &slot->record;
    uint8_t *counts = (uint8_t *)record + offsetof(struct ftri_record, name_len);
    uint64_t word;
    memcpy(&word, counts, sizeof word);
    word += n << (8 * (count_offset - offsetof(struct ftri_record, name_len)));
    memcpy(counts, &word, sizeof word);
    ftri_stream_publish(slot, ftri_pad8((size_t)(end - slot->room)));
}

/* ---- values of interned keys ---- */

enum {
    FTRI_VALUES_HEAD = sizeof(struct ftri_entry) + sizeof(struct ftri_values_head),
    FTRI_VALUE_BYTES_MAX = sizeof(uint64_t) + FTRI_QUICK_LEN,
};
_Static_assert(sizeof(struct ftri_values_head) == 8 && sizeof(uint64_t) == 8, "one word each");

static FTRI_ALWAYS_INLINE void ftri_quick_word(uint8_t *at, uint64_t word)
{
    memcpy(at, &word, sizeof word);
}

static inline bool ftri_is_scalar(const ftr_value *value)
{
    return value->type >= FTR_VALUE_BOOL && value->type <= FTR_VALUE_F64;
}

static inline void ftri_quick_scalar(uint8_t *at, const ftr_value *value)
{
    uint64_t word;
    if (value->type == FTR_VALUE_BOOL)
        word = value->as.boolean;
    else
        memcpy(&word, &value->as.i64, sizeof word);
    ftri_quick_word(at, ftri_values_item(value->type, sizeof word));
    ftri_quick_word(at + sizeof word, word);
}

/* *at moves behind it. False: not in this way. */
static FTRI_ALWAYS_INLINE bool ftri_quick_text(uint8_t **at, const ftr_value *value)
{
    const struct ftri_thread_settings *settings = &ftri_thread_settings;
    const size_t len = value->as.str.len;
    const char *const data = value->as.str.data;
    uint8_t *const to = *at + sizeof(uint64_t);
    if (FTRI_UNLIKELY(data == NULL))
        return false;
    if (FTRI_LIKELY(len - 16 < settings->n_usual_lengths))
        ftri_quick_pair(to, data, len, 16);
    else if (len - 1 < settings->quick_bytes)
        ftri_quick_copy(to, data, len);
    else
        return false;
    ftri_quick_word(*at, ftri_values_item(FTR_VALUE_STR, len));
    *at = to + ftri_pad8(len);
    return true;
}

/* The same with a value of FTRI_VALUE_BYTES_MAX at most. */
static FTRI_ALWAYS_INLINE bool ftri_quick_value(uint8_t **at, const ftr_value *value)
{
    if (FTRI_LIKELY(value->type == FTR_VALUE_STR))
        return ftri_quick_text(at, value);
    if (FTRI_UNLIKELY(!ftri_is_scalar(value)))
        return false;
    ftri_quick_scalar(*at, value);
    *at += 2 * sizeof(uint64_t);
    return true;
}

/* Where the values end; NULL: not in this way. There is room for any n of them. */
static FTRI_ALWAYS_INLINE uint8_t *ftri_quick_values(uint8_t *at, uint32_t n,
                                                     const ftr_value *values)
{
    for (const ftr_value *value = values; value < values + n; value++)
        if (FTRI_UNLIKELY(!ftri_quick_value(&at, value)))
            return NULL;
    return at;
}

/* The same where the last one has to begin at last_place at the latest. */
static inline uint8_t *ftri_quick_values_within(uint8_t *at, const uint8_t *last_place, uint32_t n,
                                                const ftr_value *values)
{
    for (const ftr_value *value = values; value < values + n; value++)
        if (at > last_place || !ftri_quick_value(&at, value))
            return NULL;
    return at;
}

/* In front of the values, which end at `end`. */
static FTRI_ALWAYS_INLINE void ftri_quick_values_head(uint8_t *entry, uint32_t number, uint32_t n,
                                                      const uint8_t *end)
{
    const size_t size = (size_t)(end - entry);
    ftri_quick_head(entry, FTRI_ENTRY_VALUES, size, 0, size - sizeof(struct ftri_entry));
    ftri_quick_word(entry + sizeof(struct ftri_entry), number | (uint64_t)n << 32);
}
