/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said about an open span: attributes, name, status, events, links.
 *
 * Keys are not compared while recording: the reader lets the last value of a key win. Only when as
 * many entries as attributes are allowed have been written, every further one is looked up: the
 * same key is written over (or marked dead and written anew with room to grow), a new one is
 * dropped and counted unless doubles leave room. So a span's memory stays bounded however often it
 * is set. */
#include "base/bytes.h"
#include "trace/clock.h"
#include "trace/span.h"

#include <string.h>

extern inline void ftr_span_set_str(ftr_span span, ftr_str key, ftr_str value);
extern inline void ftr_span_set_i64(ftr_span span, ftr_str key, int64_t value);
extern inline void ftr_span_set(ftr_span span, ftr_str key, const ftr_value *value);
extern inline void ftr_span_set_name(ftr_span span, ftr_str name);
extern inline void ftr_span_set_status(ftr_span span, ftr_span_status status, ftr_str description);
extern inline void ftr_span_event(ftr_span span, ftr_str name, const ftr_attribute *attributes,
                                  size_t n_attributes);
extern inline void ftr_span_link(ftr_span span, const ftr_context *context,
                                 const ftr_attribute *attributes, size_t n_attributes);

enum { KEY_BYTES_MAX = 1 << 16 };

static const ftr_str no_text = {"", 0};

/* An entry's head with its place in the stream. */
struct found {
    struct ftri_entry entry;
    size_t position;
};

static void count_dropped(uint32_t *in_record, _Atomic uint64_t *in_thread)
{
    (*in_record)++;
    ftri_count(in_thread, 1);
}

static inline void copy_pair(uint8_t *to, const char *from, size_t len, size_t width)
{
    memcpy(to, from, width);
    memcpy(to + len - width, from + len - width, width);
}

enum { QUICK_LEN = 64 };

/* memcpy for up to QUICK_LEN bytes that calls nothing. */
static FTRI_ALWAYS_INLINE void copy_text(uint8_t *to, const char *from, size_t len)
{
    if (FTRI_LIKELY(len - 16 <= 32 - 16))
        copy_pair(to, from, len, 16);
    else if (len > 32)
        copy_pair(to, from, len, 32);
    else if (len >= 8)
        copy_pair(to, from, len, 8);
    else if (len >= 4)
        copy_pair(to, from, len, 4);
    else
        for (size_t i = 0; i < len; i++)
            to[i] = (uint8_t)from[i];
}

/* The quick way: room for an entry that fits in the slot, its head written; NULL: it does not. */
static FTRI_ALWAYS_INLINE uint8_t *quick_entry(struct ftri_slot *slot, uint32_t types,
                                               size_t key_len, size_t value_len)
{
    _Static_assert(offsetof(struct ftri_entry, size) == 4, "types and size are one word");
    const size_t size = ftri_pad8(sizeof(struct ftri_entry) + key_len + value_len);
    if (FTRI_UNLIKELY(slot->record.stream_len + size > FTRI_SLOT_ROOM))
        return NULL;
    uint8_t *at = slot->room + slot->record.stream_len;
    const uint64_t words[2] = {types | (uint64_t)size << 32, key_len | (uint64_t)value_len << 32};
    memcpy(at, words, sizeof words);
    return at + sizeof words;
}

/* After the payload: ends where the next entry starts, and counts in one of the four counts. */
static FTRI_ALWAYS_INLINE void quick_publish(struct ftri_slot *slot, const uint8_t *end,
                                             size_t count_offset)
{
    struct ftri_record *record = &slot->record;
    uint8_t *counts = (uint8_t *)record + offsetof(struct ftri_record, name_len);
    uint64_t word;
    memcpy(&word, counts, sizeof word);
    word += UINT64_C(1) << (8 * (count_offset - offsetof(struct ftri_record, name_len)));
    memcpy(counts, &word, sizeof word);
    const uint64_t stream_len = ftri_pad8((size_t)(end - slot->room));
    /* size becomes 0 */
    __atomic_store_n((uint64_t __attribute__((may_alias)) *)(void *)record, stream_len << 32,
                     __ATOMIC_RELEASE);
}

static FTRI_ALWAYS_INLINE bool set_str_quickly(struct ftri_slot *slot, ftr_str key, ftr_str value)
{
    const ftr_limits *limits = &ftri_thread_settings.limits;
    if (FTRI_UNLIKELY(!key.data || !value.data || key.len - 1 >= QUICK_LEN ||
                      value.len > QUICK_LEN || value.len - 1 >= limits->value_length - 1U ||
                      slot->record.n_attributes >= limits->attributes ||
                      slot->record.n_attributes == UINT16_MAX))
        return false;
    uint8_t *at = quick_entry(slot, FTRI_ENTRY_ATTRIBUTE | FTR_VALUE_STR << 8, key.len, value.len);
    if (!at)
        return false;
    copy_text(at, key.data, key.len);
    copy_text(at + key.len, value.data, value.len);
    quick_publish(slot, at + key.len + value.len, offsetof(struct ftri_record, n_attributes));
    return true;
}

/* An event or a link without attributes, whose value is a fixed part alone. */
static FTRI_ALWAYS_INLINE bool put_quickly(struct ftri_slot *slot, enum ftri_entry_type type,
                                           ftr_str key, const void *fixed, size_t fixed_len)
{
    if (FTRI_UNLIKELY(key.len > QUICK_LEN))
        return false;
    uint8_t *at = quick_entry(slot, type | FTR_VALUE_EMPTY << 8, key.len, fixed_len);
    if (!at)
        return false;
    copy_text(at, key.data, key.len);
    memcpy(at + key.len, fixed, fixed_len);
    quick_publish(slot, at + key.len + fixed_len,
                  type == FTRI_ENTRY_EVENT ? offsetof(struct ftri_record, n_events)
                                           : offsetof(struct ftri_record, n_links));
    return true;
}

static void drop_attribute(struct ftri_open *open)
{
    count_dropped(&open->slot->record.n_dropped_attributes,
                  &open->thread->counters.dropped_attributes);
}

static void publish(struct ftri_open *open, size_t size)
{
    uint32_t *len = &open->slot->record.stream_len;
    __atomic_store_n(len, *len + (uint32_t)size, __ATOMIC_RELEASE);
}

/* Appends head, key and value; `slack` bytes behind them stay free for a longer value. */
static bool append(struct ftri_open *open, struct ftri_entry *entry, ftr_str key,
                   const ftr_value *value, size_t slack)
{
    entry->size = (uint32_t)ftri_pad8(sizeof *entry + entry->key_len + entry->value_len + slack);
    struct ftri_writer writer;
    if (!ftri_stream_append(open, entry->size, &writer))
        return false;
    ftri_writer_put(&writer, entry, sizeof *entry);
    ftri_writer_put(&writer, key.data, entry->key_len);
    ftri_value_put(&writer, value);
    publish(open, entry->size);
    return true;
}

static bool key_matches(struct ftri_slot *slot, const struct found *found, ftr_str key)
{
    if (found->entry.key_len != key.len)
        return false;
    struct ftri_writer reader = ftri_stream_at(slot, found->position + sizeof found->entry);
    for (size_t at = 0; at < key.len;) {
        char piece[64];
        const size_t n = ftri_size_min(sizeof piece, key.len - at);
        ftri_writer_get(&reader, piece, n);
        if (memcmp(piece, key.data + at, n) != 0)
            return false;
        at += n;
    }
    return true;
}

/* The last living entry of a type and key. */
static bool find_entry(struct ftri_slot *slot, enum ftri_entry_type type, ftr_str key,
                       struct found *ret_found)
{
    bool is_found = false;
    struct found at = {.position = ftri_pad16(slot->record.name_len)};
    for (; at.position < slot->record.stream_len; at.position += at.entry.size) {
        struct ftri_writer reader = ftri_stream_at(slot, at.position);
        ftri_writer_get(&reader, &at.entry, sizeof at.entry);
        if (at.entry.type != type || at.entry.is_dead || !key_matches(slot, &at, key))
            continue;
        *ret_found = at;
        is_found = true;
    }
    return is_found;
}

static void write_head(struct ftri_slot *slot, const struct found *found)
{
    struct ftri_writer writer = ftri_stream_at(slot, found->position);
    ftri_writer_put(&writer, &found->entry, sizeof found->entry);
}

/* Over the old value when the room is enough, else anew with as much slack as it is long: values
 * that keep growing then cost at most twice their last length. False: no room. */
static bool replace(struct ftri_open *open, struct found *old, struct ftri_entry *entry,
                    ftr_str key, const ftr_value *value)
{
    const size_t head_len = sizeof *entry + entry->key_len;
    if (head_len + entry->value_len > old->entry.size) {
        if (!append(open, entry, key, value, entry->value_len))
            return false;
        old->entry.is_dead = 1;
        write_head(open->slot, old);
        return true;
    }
    entry->size = old->entry.size;
    old->entry = *entry;
    write_head(open->slot, old);
    struct ftri_writer writer = ftri_stream_at(open->slot, old->position + head_len);
    ftri_value_put(&writer, value);
    return true;
}

/* Entries without a key of which one is wanted: the name, the status' description. */
static void put_single(struct ftri_open *open, enum ftri_entry_type type, ftr_str text)
{
    const ftr_value value = ftr_value_bytes(text.data, text.len); /* no limit on its length */
    const size_t value_len = ftri_value_size(&value);
    if (value_len == SIZE_MAX)
        return;
    struct ftri_entry entry = {.type = (uint8_t)type, .value_len = (uint32_t)value_len};
    struct found old;
    if (find_entry(open->slot, type, no_text, &old))
        (void)replace(open, &old, &entry, no_text, &value);
    else
        (void)append(open, &entry, no_text, &value, 0);
}

/* How many different keys the entries have; each one that a later one hides is marked dead. */
static uint32_t count_distinct(struct ftri_slot *slot)
{
    uint32_t n = 0;
    struct found at = {.position = ftri_pad16(slot->record.name_len)};
    for (; at.position < slot->record.stream_len; at.position += at.entry.size) {
        struct ftri_writer reader = ftri_stream_at(slot, at.position);
        ftri_writer_get(&reader, &at.entry, sizeof at.entry);
        if (at.entry.type != FTRI_ENTRY_ATTRIBUTE || at.entry.is_dead)
            continue;
        char key[256];
        struct found last;
        if (at.entry.key_len <= sizeof key) {
            ftri_writer_get(&reader, key, at.entry.key_len);
            if (find_entry(slot, FTRI_ENTRY_ATTRIBUTE, (ftr_str){key, at.entry.key_len}, &last) &&
                last.position != at.position) {
                at.entry.is_dead = 1;
                write_head(slot, &at);
                continue;
            }
        }
        n++;
    }
    return n;
}

/* As many entries as attributes are allowed are there. */
static __attribute__((noinline)) void set_at_limit(struct ftri_open *open, struct ftri_entry *entry,
                                                   ftr_str key, const ftr_value *value)
{
    struct ftri_slot *slot = open->slot;
    if (slot->n_distinct == 0)
        slot->n_distinct = (uint16_t)count_distinct(slot);
    struct found old;
    if (find_entry(slot, FTRI_ENTRY_ATTRIBUTE, key, &old)) {
        if (!replace(open, &old, entry, key, value))
            drop_attribute(open);
        return;
    }
    if (slot->n_distinct >= ftri_thread_settings.limits.attributes ||
        slot->record.n_attributes == UINT16_MAX || !append(open, entry, key, value, 0)) {
        drop_attribute(open);
        return;
    }
    slot->n_distinct++;
    slot->record.n_attributes++;
}

static void set(struct ftri_open *open, ftr_str key, const ftr_value *value)
{
    const size_t value_len = ftri_value_size(value);
    if (!key.data || key.len == 0 || key.len > KEY_BYTES_MAX || value_len == SIZE_MAX) {
        drop_attribute(open);
        return;
    }
    struct ftri_entry entry = {
        .type = FTRI_ENTRY_ATTRIBUTE,
        .value_type = (uint8_t)value->type,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)value_len,
    };
    struct ftri_record *record = &open->slot->record;
    if (FTRI_UNLIKELY(record->n_attributes >= ftri_thread_settings.limits.attributes)) {
        set_at_limit(open, &entry, key, value);
        return;
    }
    if (FTRI_LIKELY(append(open, &entry, key, value, 0)))
        record->n_attributes++;
    else
        drop_attribute(open);
}

void ftr_recording_set(ftr_span span, ftr_str key, const ftr_value *value)
{
    struct ftri_open open;
    if (ftri_span_open(span, &open))
        set(&open, key, value);
}

static __attribute__((noinline)) void set_str_slowly(ftr_span span, ftr_str key, ftr_str value)
{
    const ftr_value text = ftr_value_str(value);
    ftr_recording_set(span, key, &text);
}

void ftr_recording_set_str(ftr_span span, ftr_str key, ftr_str value)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self, span);
    if (FTRI_UNLIKELY(!slot || !set_str_quickly(slot, key, value)))
        set_str_slowly(span, key, value);
}

void ftr_recording_set_i64(ftr_span span, ftr_str key, int64_t value)
{
    const ftr_value number = ftr_value_i64(value);
    ftr_recording_set(span, key, &number);
}

void ftr_recording_set_name(ftr_span span, ftr_str name)
{
    struct ftri_open open;
    if (ftri_span_open(span, &open))
        put_single(&open, FTRI_ENTRY_NAME, name);
}

void ftr_recording_set_status(ftr_span span, ftr_span_status status, ftr_str description)
{
    struct ftri_open open;
    if (!ftri_span_open(span, &open))
        return;
    struct ftri_record *record = &open.slot->record;
    if (record->status == FTR_SPAN_OK || (status != FTR_SPAN_OK && status != FTR_SPAN_ERROR))
        return;
    const bool had_error = record->status == FTR_SPAN_ERROR;
    record->status = (uint8_t)status;
    if (status == FTR_SPAN_OK)
        description = no_text;
    if (description.len > 0 || had_error)
        put_single(&open, FTRI_ENTRY_STATUS, description);
}

/* The attributes of an event or a link that are kept. */
struct kept {
    const ftr_attribute *attributes;
    size_t n;
    size_t size;
};

static struct kept keep(const ftr_attribute *attributes, size_t n, uint32_t limit)
{
    struct kept kept = {.attributes = attributes};
    kept.size = ftri_attributes_size(attributes, ftri_size_min(n, limit), &kept.n);
    return kept;
}

/* Head, key, a fixed part and a map. */
static bool append_with_map(struct ftri_open *open, enum ftri_entry_type type, ftr_str key,
                            struct ftri_view fixed, const struct kept *kept)
{
    struct ftri_entry entry = {
        .type = (uint8_t)type,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)(fixed.len + kept->size),
    };
    entry.size = (uint32_t)ftri_pad8(sizeof entry + entry.key_len + entry.value_len);
    struct ftri_writer writer;
    if (!ftri_stream_append(open, entry.size, &writer))
        return false;
    ftri_writer_put(&writer, &entry, sizeof entry);
    ftri_writer_put(&writer, key.data, key.len);
    ftri_writer_put(&writer, fixed.data, fixed.len);
    ftri_attributes_put(&writer, kept->attributes, kept->n);
    publish(open, entry.size);
    return true;
}

static bool event_quickly(struct ftri_slot *slot, ftr_str name)
{
    struct ftri_record *record = &slot->record;
    if (FTRI_UNLIKELY(!name.data || record->n_events >= ftri_thread_settings.limits.events ||
                      record->n_events == UINT16_MAX))
        return false;
    const struct ftri_event_head head = {.time = ftri_clock_stamp(record->clock)};
    return put_quickly(slot, FTRI_ENTRY_EVENT, name, &head, sizeof head);
}

void ftr_recording_event(ftr_span span, ftr_str name, const ftr_attribute *attributes,
                         size_t n_attributes)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self, span);
    if (FTRI_LIKELY(slot && n_attributes == 0 && event_quickly(slot, name)))
        return;
    struct ftri_open open;
    if (!ftri_span_open(span, &open))
        return;
    const ftr_limits *limits = &ftri_thread_settings.limits;
    struct ftri_record *record = &open.slot->record;
    const struct kept kept = keep(attributes, n_attributes, limits->attributes_per_event);
    const struct ftri_event_head head = {
        .time = ftri_clock_stamp(record->clock),
        .n_attributes = (uint32_t)kept.n,
        .n_dropped = (uint32_t)(n_attributes - kept.n),
    };
    name.len = name.data ? ftri_size_min(name.len, KEY_BYTES_MAX) : 0;
    if (record->n_events < limits->events &&
        append_with_map(&open, FTRI_ENTRY_EVENT, name, ftri_view_of(&head, sizeof head), &kept)) {
        record->n_events++;
        return;
    }
    count_dropped(&record->n_dropped_events, &open.thread->counters.dropped_events);
}

/* The context's ids are valid. */
static bool link_quickly(struct ftri_slot *slot, const ftr_context *context)
{
    if (FTRI_UNLIKELY(context->block || slot->record.n_links == UINT16_MAX ||
                      slot->record.n_links >= ftri_thread_settings.limits.links))
        return false;
    const struct ftri_link_head head = {.context = context->span};
    return put_quickly(slot, FTRI_ENTRY_LINK, no_text, &head, sizeof head);
}

void ftr_recording_link(ftr_span span, const ftr_context *context, const ftr_attribute *attributes,
                        size_t n_attributes)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self, span);
    if (FTRI_LIKELY(slot && context && n_attributes == 0 && ftri_context_has_ids(context) &&
                    link_quickly(slot, context)))
        return;
    struct ftri_open open;
    if (!context || !ftr_trace_id_is_valid(&context->span.trace_id) ||
        !ftr_span_id_is_valid(&context->span.span_id) || !ftri_span_open(span, &open))
        return;
    const ftr_limits *limits = &ftri_thread_settings.limits;
    struct ftri_record *record = &open.slot->record;
    const struct kept kept = keep(attributes, n_attributes, limits->attributes_per_link);
    const struct ftri_link_head head = {
        .context = context->span,
        .n_attributes = (uint32_t)kept.n,
        .n_dropped = (uint32_t)(n_attributes - kept.n),
    };
    if (record->n_links < limits->links &&
        append_with_map(&open, FTRI_ENTRY_LINK, ftr_context_tracestate(context),
                        ftri_view_of(&head, sizeof head), &kept)) {
        record->n_links++;
        return;
    }
    count_dropped(&record->n_dropped_links, &open.thread->counters.dropped_links);
}
