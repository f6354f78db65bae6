/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts are copied in words: up to 7 bytes too many are read, which are padding, and written, which
 * what follows replaces. Words are this machine's: what waits never leaves it. */
#include "trace/record_pack.h"

#include <stddef.h>

enum { AS_IT_IS = 255, SCALAR = 128, TEXT_MOST = 64, WORD = sizeof(uint64_t) };

struct head {
    uint8_t traits[4]; /* from kind to bits */
    uint16_t name_len;
    uint16_t n_attributes;
    ftr_span_id span_id;
    ftr_span_id parent_id;
    uint64_t start;
    uint32_t lasted;
    uint16_t clock;
    uint8_t has_rest;
    uint8_t reserved;
};
_Static_assert(sizeof(struct head) == 40, "it has no gaps");

/* What is mostly 0. */
struct rest {
    uint32_t lasted; /* the upper half */
    uint32_t clock;
    uint16_t n_events;
    uint16_t n_links;
    uint32_t n_dropped_attributes;
    uint32_t n_dropped_events;
    uint32_t n_dropped_links;
    uint32_t n_fields;
};

/* ---- packing ---- */

static inline uint8_t *put(uint8_t *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

static inline uint8_t *put_words(uint8_t *to, const void *from, size_t len)
{
    for (size_t i = 0; i < len; i += WORD)
        memcpy(to + i, (const uint8_t *)from + i, WORD);
    return to + len;
}

/* One word of a head, in one store: what is made of pieces is read in words. */
static inline uint8_t *put_word(uint8_t *to, uint64_t word)
{
    memcpy(to, &word, WORD);
    return to + WORD;
}

static inline uint64_t word_at(const struct ftri_record *record, size_t at)
{
    uint64_t word;
    memcpy(&word, (const uint8_t *)record + at, sizeof word);
    return word;
}

/* Of name_len to n_links the last two, the dropped ones, n_fields. */
static inline bool has_rest(const struct ftri_record *record)
{
    _Static_assert(offsetof(struct ftri_record, n_dropped_attributes) ==
                           offsetof(struct ftri_record, name_len) + WORD &&
                       offsetof(struct ftri_record, n_fields) + sizeof record->n_fields ==
                           offsetof(struct ftri_record, name_len) + 3 * WORD,
                   "they are three words");
    const size_t at = offsetof(struct ftri_record, name_len);
    return ((record->end - record->start) >> 32 | record->clock >> 16 | word_at(record, at) >> 32 |
            word_at(record, at + WORD) | word_at(record, at + 2 * WORD)) != 0;
}

static uint8_t *put_rest(uint8_t *to, const struct ftri_record *record)
{
    const struct rest rest = {
        .lasted = (uint32_t)((record->end - record->start) >> 32),
        .clock = record->clock,
        .n_events = record->n_events,
        .n_links = record->n_links,
        .n_dropped_attributes = record->n_dropped_attributes,
        .n_dropped_events = record->n_dropped_events,
        .n_dropped_links = record->n_dropped_links,
        .n_fields = record->n_fields,
    };
    return put(to, &rest, sizeof rest);
}

/* A struct head. */
static uint8_t *put_head(uint8_t *to, const struct ftri_record *record)
{
    _Static_assert(offsetof(struct head, name_len) == 4 && offsetof(struct head, lasted) == 32 &&
                       offsetof(struct head, clock) == 36 && offsetof(struct head, has_rest) == 38,
                   "these are the words");
    const bool is_followed = has_rest(record);
    uint32_t traits;
    memcpy(&traits, &record->kind, sizeof traits);
    to = put_word(to,
                  traits | (uint64_t)record->name_len << 32 | (uint64_t)record->n_attributes << 48);
    to = put_word(to, word_at(record, offsetof(struct ftri_record, span_id)));
    to = put_word(to, word_at(record, offsetof(struct ftri_record, parent_id)));
    to = put_word(to, record->start);
    to = put_word(to, (uint32_t)(record->end - record->start) |
                          (uint64_t)(uint16_t)record->clock << 32 | (uint64_t)is_followed << 48);
    return is_followed ? put_rest(to, record) : to;
}

/* Bytes of a word that are not leading zeros. */
static inline unsigned length_of(uint64_t word)
{
    return word ? 8 - (unsigned)__builtin_clzll(word) / 8 : 0;
}

/* Behind `to`; NULL: it is no value as ftr_span_set_values makes them. */
static inline uint8_t *put_value(uint8_t *to, const struct ftri_values_item *item)
{
    if (FTRI_LIKELY(item->type == FTR_VALUE_STR && item->len - 1 < TEXT_MOST)) {
        *to = (uint8_t)item->len;
        return put_words(to + 1, item->data, item->len);
    }
    if (item->type == FTR_VALUE_STR || item->len != WORD)
        return NULL;
    uint64_t word;
    memcpy(&word, item->data, sizeof word);
    const unsigned len = length_of(word);
    *to = (uint8_t)(SCALAR | (unsigned)item->type << 4 | len);
    memcpy(to + 1, item->data, WORD);
    return to + 1 + len;
}

/* NULL: there is something unusual about them. */
static uint8_t *put_values(uint8_t *to, const struct ftri_entry *entry)
{
    struct ftri_values_head head;
    const uint8_t *at = (const uint8_t *)(entry + 1);
    const uint8_t *const end = (const uint8_t *)entry + entry->size;
    memcpy(&head, at, sizeof head);
    if (head.n > UINT8_MAX || head.keys > UINT16_MAX)
        return NULL;
    const uint16_t keys = (uint16_t)head.keys;
    *to++ = FTRI_ENTRY_VALUES;
    *to++ = (uint8_t)head.n;
    to = put(to, &keys, sizeof keys);
    at += sizeof head;
    for (uint32_t i = 0; i < head.n && to; i++) {
        const struct ftri_values_item item = ftri_values_next(&at);
        to = put_value(to, &item);
    }
    return at == end ? to : NULL;
}

static bool is_usual(const struct ftri_entry *entry)
{
    const size_t len = (size_t)entry->key_len + entry->value_len;
    return !entry->is_dead && entry->size == ftri_pad8(sizeof *entry + len);
}

static uint8_t *put_small(uint8_t *to, const struct ftri_entry *entry)
{
    if (entry->key_len > UINT8_MAX || entry->value_len > UINT8_MAX)
        return NULL;
    *to++ = entry->type;
    *to++ = entry->value_type;
    *to++ = (uint8_t)entry->key_len;
    *to++ = (uint8_t)entry->value_len;
    return put_words(to, entry + 1, entry->key_len + entry->value_len);
}

static uint8_t *put_entry(uint8_t *to, const struct ftri_entry *entry)
{
    uint8_t *end = NULL;
    if (FTRI_LIKELY(is_usual(entry)))
        end = entry->type == FTRI_ENTRY_VALUES ? put_values(to, entry) : put_small(to, entry);
    if (FTRI_LIKELY(end))
        return end;
    *to++ = AS_IT_IS;
    return put(to, entry, entry->size);
}

size_t ftri_record_pack(const struct ftri_record *self, uint8_t *to)
{
    const uint8_t *stream = ftri_record_stream(self);
    uint8_t *end = put_head(to, self);
    size_t at = ftri_record_entries(self);
    if (at > 0)
        end = put(end, stream, self->name_len);
    while (at < self->stream_len) {
        const struct ftri_entry *entry = (const struct ftri_entry *)(const void *)(stream + at);
        end = put_entry(end, entry);
        at += entry->size;
    }
    return (size_t)(end - to);
}

/* ---- unpacking ---- */

/* What is packed from `at` on, and where the record's stream goes on. */
struct unpacking {
    const uint8_t *at;
    uint8_t *to;
};

static void take(struct unpacking *self, void *to, size_t len)
{
    memcpy(to, self->at, len);
    self->at += len;
}

/* The padding is 0. */
static void take_text(struct unpacking *self, size_t len)
{
    const size_t padded = ftri_pad8(len);
    if (padded > 0)
        memset(self->to + padded - WORD, 0, WORD);
    take(self, self->to, len);
    self->to += padded;
}

static void give_word(struct unpacking *self, uint64_t word)
{
    memcpy(self->to, &word, sizeof word);
    self->to += sizeof word;
}

static void take_value(struct unpacking *self)
{
    const unsigned first = *self->at++;
    if (!(first & SCALAR)) {
        give_word(self, ftri_values_item(FTR_VALUE_STR, first));
        take_text(self, first);
        return;
    }
    uint64_t word = 0;
    take(self, &word, first & 15);
    give_word(self, ftri_values_item((ftr_value_type)(first >> 4 & 7), sizeof word));
    give_word(self, word);
}

static void take_values(struct unpacking *self)
{
    uint8_t *const place = self->to;
    uint16_t keys;
    const uint32_t n = *self->at++;
    take(self, &keys, sizeof keys);
    self->to += sizeof(struct ftri_entry);
    const struct ftri_values_head head = {keys, n};
    memcpy(self->to, &head, sizeof head);
    self->to += sizeof head;
    for (uint32_t i = 0; i < n; i++)
        take_value(self);
    const struct ftri_entry entry = {
        .type = FTRI_ENTRY_VALUES,
        .size = (uint32_t)(self->to - place),
        .value_len = (uint32_t)(self->to - place) - (uint32_t)sizeof entry,
    };
    memcpy(place, &entry, sizeof entry);
}

static void take_small(struct unpacking *self, uint8_t type)
{
    const uint8_t *head = self->at;
    const uint32_t len = (uint32_t)head[1] + head[2];
    const struct ftri_entry entry = {
        .type = type,
        .value_type = head[0],
        .size = (uint32_t)ftri_pad8(sizeof entry + len),
        .key_len = head[1],
        .value_len = head[2],
    };
    memcpy(self->to, &entry, sizeof entry);
    self->to += sizeof entry;
    self->at += 3;
    take_text(self, len);
}

static void take_as_it_is(struct unpacking *self)
{
    struct ftri_entry entry;
    memcpy(&entry, self->at, sizeof entry);
    take(self, self->to, entry.size);
    self->to += entry.size;
}

static void take_entry(struct unpacking *self)
{
    const uint8_t type = *self->at++;
    if (type == FTRI_ENTRY_VALUES)
        take_values(self);
    else if (type == AS_IT_IS)
        take_as_it_is(self);
    else
        take_small(self, type);
}

static void take_rest(struct unpacking *self, struct ftri_record *record)
{
    struct rest rest;
    take(self, &rest, sizeof rest);
    record->end += (uint64_t)rest.lasted << 32;
    record->clock = rest.clock;
    record->n_events = rest.n_events;
    record->n_links = rest.n_links;
    record->n_dropped_attributes = rest.n_dropped_attributes;
    record->n_dropped_events = rest.n_dropped_events;
    record->n_dropped_links = rest.n_dropped_links;
    record->n_fields = rest.n_fields;
}

static void take_head(struct unpacking *self, struct ftri_record *record)
{
    struct head head;
    take(self, &head, sizeof head);
    memcpy(&record->kind, head.traits, sizeof head.traits);
    record->clock = head.clock;
    record->span_id = head.span_id;
    record->parent_id = head.parent_id;
    record->start = head.start;
    record->end = head.start + head.lasted;
    record->name_len = head.name_len;
    record->n_attributes = head.n_attributes;
    if (head.has_rest)
        take_rest(self, record);
}

void ftri_record_unpack(struct ftri_view packed, const ftr_trace_id *trace_id, void *to)
{
    struct ftri_record *record = to;
    struct unpacking self = {packed.data, (uint8_t *)(record + 1)};
    *record = (struct ftri_record){.trace_id = *trace_id};
    take_head(&self, record);
    const size_t name_room = ftri_record_entries(record);
    if (name_room > 0)
        take(&self, self.to, record->name_len);
    self.to += name_room;
    while (self.at < packed.data + packed.len)
        take_entry(&self);
    record->stream_len = (uint32_t)(self.to - (uint8_t *)(record + 1));
    record->size = (uint32_t)ftri_pad16(sizeof *record + record->stream_len);
}
