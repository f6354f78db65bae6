/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields are written in the order of their numbers, from the first to the last. Short texts are
 * copied in pieces of 32 bytes: what is too much is written over by what follows, and the room has
 * space for the last one.
 *
 *     12 len  0a 10 trace_id  12 08 span_id  22 08 parent  2a len name  30 kind  39 start  41 end
 *     { 4a len  0a len key 12 len value } * n  7a 02 18 status  85 01 flags */
#include "trace/encode.h"

#include "codec/utf8.h"
#include "codec/wire.h"
#include "trace/clock.h"
#include "trace/intern.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum {
    FIXED_BYTES = 192,    /* of everything but the name and the attributes, with what is too much */
    ATTRIBUTE_BYTES = 96, /* of an attribute beyond its entry: its key, tags and lengths */
    SHORT_BYTES = FTRI_INTERNED_TEXT_BYTES, /* a key and a value have lengths of one byte */
    KEYS_MAX = 48,                          /* that are compared one with another */
    SPAN_BYTES_MAX = 1 << 20
};

/* The keys so far. */
struct keys {
    uint64_t bits; /* ftri_key_bit */
    size_t n;
    ftr_str keys[KEYS_MAX];
};

static FTRI_ALWAYS_INLINE void put_word(uint8_t *to, uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    memcpy(to, &word, sizeof word);
}

static FTRI_ALWAYS_INLINE uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static FTRI_ALWAYS_INLINE void put_fixed64(uint8_t *to, uint8_t tag, uint64_t value)
{
    to[0] = tag;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(to + 1, &value, sizeof value);
}

/* Up to SHORT_BYTES; more is read and written, see FTRI_ENCODE_BEHIND. */
static FTRI_ALWAYS_INLINE void copy_short(uint8_t *to, const uint8_t *from, size_t len)
{
#if defined(__SANITIZE_THREAD__)
    memcpy(to, from, len); /* what is behind may be being written */
#else
    memcpy(to, from, 32);
    if (FTRI_UNLIKELY(len > 32))
        memcpy(to + 32, from + 32, 32);
#endif
}

static FTRI_ALWAYS_INLINE bool is_valid(const uint8_t *text, size_t len)
{
    const ftr_str str = {(const char *)text, len};
#if !defined(__SANITIZE_THREAD__)
    if (FTRI_LIKELY(len <= FTRI_UTF8_SHORT_BYTES))
        return ftri_utf8_is_short_valid(str);
#endif
    return ftri_utf8_is_valid(str);
}

/* A scalar of an AnyValue with its tag, at most 11 bytes; returns their number. */
static size_t put_scalar(uint8_t *at, ftr_value_type type, const uint8_t *value)
{
    uint64_t word;
    memcpy(&word, value, sizeof word);
    if (type == FTR_VALUE_F64) {
        put_fixed64(at, 4 << 3 | FTRI_WIRE_FIXED64, word);
        return 9;
    }
    at[0] = (uint8_t)((type == FTR_VALUE_BOOL ? 2 : 3) << 3 | FTRI_WIRE_VARINT);
    return (size_t)(put_varint(at + 1, type == FTR_VALUE_BOOL ? value[0] : word) - at);
}

static size_t field_size(size_t len)
{
    return 1 + ftri_wire_varint_size(len) + len;
}

static uint8_t *put_text(uint8_t *at, uint8_t tag, ftr_str text)
{
    *at++ = tag;
    at = put_varint(at, text.len);
    memcpy(at, text.data, text.len);
    return at + text.len;
}

/* A key and a text of any length; NULL: it is not UTF-8. */
static __attribute__((noinline)) uint8_t *put_long(uint8_t *at, ftr_str key, ftr_str value)
{
    const size_t any_len = field_size(value.len);
    *at++ = 0x4a;
    at = put_varint(at, field_size(key.len) + field_size(any_len));
    at = put_text(at, 0x0a, key);
    *at++ = 0x12;
    at = put_varint(at, any_len);
    return ftri_utf8_is_valid(value) && ftri_utf8_is_valid(key) ? put_text(at, 0x0a, value) : NULL;
}

/* False: it was there before, or there are too many to tell. */
static FTRI_ALWAYS_INLINE bool note_key(struct keys *keys, ftr_str key)
{
    const uint64_t bit = ftri_key_bit(key);
    if (FTRI_UNLIKELY(keys->n == KEYS_MAX))
        return false;
    if (FTRI_UNLIKELY(keys->bits & bit))
        for (size_t i = 0; i < keys->n; i++)
            if (keys->keys[i].len == key.len && memcmp(keys->keys[i].data, key.data, key.len) == 0)
                return false;
    keys->bits |= bit;
    keys->keys[keys->n++] = key;
    return true;
}

/* Whether none of the list was there before. */
static bool note_list(struct keys *keys, const struct ftri_interned *list)
{
    for (size_t i = 0; i < list->n_texts; i++)
        if (!note_key(keys, ftri_interned_str(list, i)))
            return false;
    return true;
}

static FTRI_ALWAYS_INLINE bool is_scalar(uint32_t type)
{
    return type >= FTR_VALUE_BOOL && type <= FTR_VALUE_F64;
}

/* "4a len 0a len key 12 len", of an AnyValue of n bytes. */
static FTRI_ALWAYS_INLINE uint8_t *put_key(uint8_t *at, const uint8_t *key, size_t len, size_t n)
{
    put_word(at, 0x4a | (uint32_t)(len + n + 4) << 8 | 0x0a << 16 | (uint32_t)len << 24);
    copy_short(at + 4, key, len);
    at += 4 + len;
    at[0] = 0x12;
    at[1] = (uint8_t)n;
    return at + 2;
}

static FTRI_ALWAYS_INLINE uint8_t *put_short(uint8_t *at, const uint8_t *value, size_t len)
{
    at[0] = 0x0a;
    at[1] = (uint8_t)len;
    copy_short(at + 2, value, len);
    return at + 2 + len;
}

static uint8_t *put_scalar_attribute(uint8_t *at, const struct ftri_entry *entry)
{
    const uint8_t *key = (const uint8_t *)(entry + 1);
    uint8_t scalar[16];
    if (!is_scalar(entry->value_type) || entry->key_len > SHORT_BYTES ||
        !is_valid(key, entry->key_len))
        return NULL;
    const size_t n = put_scalar(scalar, entry->value_type, key + entry->key_len);
    at = put_key(at, key, entry->key_len, n);
    memcpy(at, scalar, sizeof scalar);
    return at + n;
}

/* NULL: not in this way. */
static FTRI_ALWAYS_INLINE uint8_t *put_attribute(uint8_t *at, const struct ftri_entry *entry,
                                                 struct keys *keys)
{
    const uint8_t *key = (const uint8_t *)(entry + 1);
    const size_t key_len = entry->key_len;
    const uint8_t *value = key + key_len;
    const size_t len = entry->value_len;
    const ftr_str name = {(const char *)key, key_len};
    if (FTRI_UNLIKELY(!note_key(keys, name)))
        return NULL;
    if (FTRI_UNLIKELY(entry->value_type != FTR_VALUE_STR))
        return put_scalar_attribute(at, entry);
    if (FTRI_UNLIKELY(key_len > SHORT_BYTES || len > SHORT_BYTES))
        return put_long(at, name, (ftr_str){(const char *)value, len});
    if (FTRI_UNLIKELY(!is_valid(key, key_len) || !is_valid(value, len)))
        return NULL;
    return put_short(put_key(at, key, key_len, 2 + len), value, len);
}

/* "4a len 0a len key 12 len" by the table, of an AnyValue of n bytes. */
static FTRI_ALWAYS_INLINE uint8_t *put_interned(uint8_t *at, const struct ftri_interned_text *text,
                                                size_t n)
{
    const size_t len = text->len;
    at[0] = 0x4a;
    at[1] = (uint8_t)(len + 4 + n);
    memcpy(at + 2, text->key, 32);
    if (FTRI_UNLIKELY(len > 32 - 3))
        memcpy(at + 2 + 32, text->key + 32, 32);
    at[len + 5] = (uint8_t)n;
    return at + len + 6;
}

/* Any value; NULL: not UTF-8. */
static __attribute__((noinline)) uint8_t *
put_any(uint8_t *at, const struct ftri_interned_text *text, const uint8_t *next)
{
    const struct ftri_values_item item = ftri_values_next(&next);
    if (item.type == FTR_VALUE_STR)
        return put_long(at, (ftr_str){(const char *)text->key + 2, text->len},
                        (ftr_str){(const char *)item.data, item.len});
    at = put_interned(at, text, 0); /* the length comes after */
    const size_t n = put_scalar(at, item.type, item.data);
    at[-1] = (uint8_t)n;
    at[-(ptrdiff_t)text->len - 5] = (uint8_t)(text->len + 4 + n);
    return at + n;
}

static FTRI_ALWAYS_INLINE uint8_t *put_value(uint8_t *at, const struct ftri_interned_text *text,
                                             const uint8_t *next)
{
    const struct ftri_values_item item = ftri_values_next(&next);
    if (FTRI_UNLIKELY(item.type != FTR_VALUE_STR || item.len > SHORT_BYTES ||
                      !is_valid(item.data, item.len)))
        return put_any(at, text, item.data - sizeof(uint64_t));
    return put_short(put_interned(at, text, item.len + 2), item.data, item.len);
}

/* NULL: not in this way. */
static FTRI_ALWAYS_INLINE uint8_t *put_values(uint8_t *at, const struct ftri_entry *entry,
                                              bool is_only, struct keys *keys)
{
    struct ftri_values_head head;
    memcpy(&head, entry + 1, sizeof head);
    const struct ftri_interned *list = ftri_interned_keys(head.keys, head.n);
    if (FTRI_UNLIKELY(!list || (!is_only && !note_list(keys, list))))
        return NULL;
    const uint8_t *next = (const uint8_t *)(entry + 1) + sizeof head;
    const struct ftri_interned_text *const end = list->texts + head.n;
    for (const struct ftri_interned_text *text = list->texts; text < end; text++) {
        at = put_value(at, text, next);
        (void)ftri_values_next(&next);
        if (FTRI_UNLIKELY(!at))
            return NULL;
    }
    return at;
}

/* The same, of any entries. */
static __attribute__((noinline)) uint8_t *put_entries(uint8_t *at, const struct ftri_entry *first,
                                                      const uint8_t *end)
{
    struct keys keys;
    keys.bits = keys.n = 0;
    for (const uint8_t *next = (const uint8_t *)first; at && next < end;) {
        const struct ftri_entry *entry = (const struct ftri_entry *)(const void *)next;
        next += entry->size;
        if (entry->is_dead)
            at = NULL;
        else if (FTRI_LIKELY(entry->type == FTRI_ENTRY_ATTRIBUTE))
            at = put_attribute(at, entry, &keys);
        else
            at = entry->type == FTRI_ENTRY_VALUES ? put_values(at, entry, false, &keys) : NULL;
    }
    return at;
}

static FTRI_ALWAYS_INLINE uint8_t *put_attributes(uint8_t *at, const struct ftri_record *record)
{
    const uint8_t *stream = ftri_record_stream(record);
    const uint8_t *const end = stream + record->stream_len;
    const struct ftri_entry *first =
        (const struct ftri_entry *)(const void *)(stream + ftri_record_entries(record));
    if ((const uint8_t *)first == end)
        return at;
    if (FTRI_LIKELY(first->type == FTRI_ENTRY_VALUES && !first->is_dead &&
                    (const uint8_t *)first + first->size == end))
        return put_values(at, first, true, NULL);
    return put_entries(at, first, end);
}

static FTRI_ALWAYS_INLINE uint8_t *put_ids(uint8_t *at, const struct ftri_record *record)
{
    at[0] = 0x0a;
    at[1] = 16;
    memcpy(at + 2, &record->trace_id, 16);
    at[18] = 0x12;
    at[19] = 8;
    memcpy(at + 20, &record->span_id, 8);
    at[28] = 0x22;
    at[29] = 8;
    memcpy(at + 30, &record->parent_id, 8);
    return at + (ftri_wire_load64(record->parent_id.bytes) ? 38 : 28);
}

/* NULL: not in this way. */
static FTRI_ALWAYS_INLINE uint8_t *put_name(uint8_t *at, const struct ftri_record *record)
{
    const uint8_t *name = ftri_record_stream(record);
    size_t len = record->name_len;
    if (FTRI_LIKELY(record->bits & FTRI_RECORD_HAS_SITE)) {
        const struct ftri_interned *list = ftri_interned(record->name_len);
        if (FTRI_UNLIKELY(!list))
            return NULL;
        name = list->texts[0].key + 2;
        len = list->texts[0].len;
    } else if (len > SHORT_BYTES || !is_valid(name, len)) {
        return NULL;
    }
    at[0] = 0x2a;
    at[1] = (uint8_t)len;
    copy_short(at + 2, name, len);
    return at + (len ? 2 + len : 0);
}

static FTRI_ALWAYS_INLINE uint8_t *put_kind_and_times(uint8_t *at, const struct ftri_record *record)
{
    const struct ftri_calibration *calibration = ftri_clock_calibration(record->clock);
    const uint64_t start = ftri_clock_convert(calibration, record->start);
    const uint64_t end = ftri_clock_convert(calibration, record->end);
    at[0] = 0x30;
    at[1] = record->kind;
    at += record->kind ? 2 : 0;
    put_fixed64(at, 0x39, start);
    put_fixed64(at + 9, 0x41, end < start ? start : end);
    return at + 18;
}

static FTRI_ALWAYS_INLINE uint8_t *put_status_and_flags(uint8_t *at,
                                                        const struct ftri_record *record)
{
    const uint32_t remote = record->bits & FTRI_RECORD_PARENT_IS_REMOTE ? 0x300 : 0x100;
    put_word(at, 0x7a | 2 << 8 | 0x18 << 16 | (uint32_t)record->status << 24);
    at += record->status ? 4 : 0;
    at[0] = 0x85;
    at[1] = 0x01;
    put_word(at + 2, ftri_record_w3c_flags(record->trace_flags) | remote);
    return at + 6;
}

/* Tag and length in front of the span, which moves if its length does not take the bytes that were
 * left for it. Returns the bytes of all. */
static FTRI_ALWAYS_INLINE size_t close_span(uint8_t *first, uint8_t *body, const uint8_t *end)
{
    const size_t len = (size_t)(end - body);
    const size_t head = 1 + ftri_wire_varint_size(len);
    if (FTRI_UNLIKELY(first + head != body))
        memmove(first + head, body, len);
    first[0] = 0x12;
    put_varint(first + 1, len);
    return head + len;
}

/* The bytes to leave for tag and length. */
static FTRI_ALWAYS_INLINE size_t likely_head(const struct ftri_record *record)
{
    if (record->n_attributes == 0)
        return 2;
    return record->stream_len < 12000 ? 3 : 4;
}

static bool is_simple(const struct ftri_record *record)
{
    enum { OTHER = FTRI_RECORD_START_IS_WALL | FTRI_RECORD_END_IS_WALL | FTRI_RECORD_IS_OPEN };
    return !record->block && !(record->bits & OTHER) && !(record->clock & FTRI_CLOCK_FAKE) &&
           record->kind < 0x80 && /* one byte */
           record->n_events == 0 && record->n_links == 0 && record->n_dropped_attributes == 0 &&
           record->n_dropped_events == 0 && record->n_dropped_links == 0 &&
           record->stream_len < SPAN_BYTES_MAX &&
           atomic_load_explicit(&ftri_record_form, memory_order_relaxed) == FTRI_FORM_PLAIN;
}

int ftri_encode_record(const struct ftri_record *record, struct ftri_bytes *out)
{
    if (!is_simple(record))
        return FTRI_ENCODE_NOT_SIMPLE;
    const size_t most =
        FIXED_BYTES + record->stream_len + (size_t)record->n_attributes * ATTRIBUTE_BYTES;
    if (FTRI_UNLIKELY(out->capacity - out->len < most)) {
        const int rc = ftri_bytes_reserve(out, most);
        if (rc < 0)
            return rc;
    }
    uint8_t *const first = out->data + out->len;
    uint8_t *const body = first + likely_head(record);
    uint8_t *at = put_name(put_ids(body, record), record);
    if (at)
        at = put_attributes(put_kind_and_times(at, record), record);
    if (!at)
        return FTRI_ENCODE_NOT_SIMPLE;
    at = put_status_and_flags(at, record);
    out->len += close_span(first, body, at);
    return 0;
}
