/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/entries.h"

#include "trace/intern.h"

#include <string.h>

void ftri_entry_publish(struct ftri_open *open, size_t size)
{
    ftri_stream_publish(open->slot, open->slot->record.stream_len + size);
}

bool ftri_entry_append(struct ftri_open *open, struct ftri_entry *entry, ftr_str key,
                       const ftr_value *value, size_t slack)
{
    entry->size = (uint32_t)ftri_pad8(sizeof *entry + entry->key_len + entry->value_len + slack);
    struct ftri_writer writer;
    if (!ftri_stream_append(open, entry->size, &writer))
        return false;
    ftri_writer_put(&writer, entry, sizeof *entry);
    ftri_writer_put(&writer, key.data, entry->key_len);
    ftri_value_put(&writer, value);
    ftri_entry_publish(open, entry->size);
    return true;
}

static bool key_matches(struct ftri_slot *slot, const struct ftri_found *found, ftr_str key)
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

bool ftri_entry_find(struct ftri_slot *slot, enum ftri_entry_type type, ftr_str key,
                     struct ftri_found *ret_found)
{
    bool is_found = false;
    struct ftri_found at = {.position = ftri_record_entries(&slot->record)};
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

static void write_head(struct ftri_slot *slot, const struct ftri_found *found)
{
    struct ftri_writer writer = ftri_stream_at(slot, found->position);
    ftri_writer_put(&writer, &found->entry, sizeof found->entry);
}

bool ftri_entry_replace(struct ftri_open *open, struct ftri_found *old, struct ftri_entry *entry,
                        ftr_str key, const ftr_value *value)
{
    const size_t head_len = sizeof *entry + entry->key_len;
    if (head_len + entry->value_len > old->entry.size) {
        if (!ftri_entry_append(open, entry, key, value, entry->value_len))
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

/* How many different keys the entries have; each one that a later one hides is marked dead. */
static uint32_t count_distinct(struct ftri_slot *slot)
{
    uint32_t n = 0;
    struct ftri_found at = {.position = ftri_record_entries(&slot->record)};
    for (; at.position < slot->record.stream_len; at.position += at.entry.size) {
        struct ftri_writer reader = ftri_stream_at(slot, at.position);
        ftri_writer_get(&reader, &at.entry, sizeof at.entry);
        if (at.entry.type != FTRI_ENTRY_ATTRIBUTE || at.entry.is_dead)
            continue;
        char key[256];
        struct ftri_found last;
        if (at.entry.key_len <= sizeof key) {
            ftri_writer_get(&reader, key, at.entry.key_len);
            if (ftri_entry_find(slot, FTRI_ENTRY_ATTRIBUTE, (ftr_str){key, at.entry.key_len},
                                &last) &&
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

/* One of an entry's values, in the slot. */
static ftr_value value_of(const struct ftri_values_item *item)
{
    ftr_value value = {.type = item->type};
    if (value.type == FTR_VALUE_STR)
        value.as.str = (ftr_str){(const char *)item->data, item->len};
    else if (value.type == FTR_VALUE_BOOL)
        value.as.boolean = item->data[0] != 0;
    else
        memcpy(&value.as.i64, item->data, sizeof value.as.i64);
    return value;
}

/* What was there before, and where. */
struct before {
    size_t position; /* of the entry with the values */
    size_t end;      /* of the stream */
};

/* Unless a later entry has said something else. */
static void unpack_value(struct ftri_open *open, struct before before, ftr_str key,
                         const ftr_value *value)
{
    struct ftri_entry entry = {
        .type = FTRI_ENTRY_ATTRIBUTE,
        .value_type = (uint8_t)value->type,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)ftri_value_size(value),
    };
    struct ftri_found later;
    if (ftri_entry_find(open->slot, FTRI_ENTRY_ATTRIBUTE, key, &later) &&
        later.position > before.position && later.position < before.end)
        return;
    if (!ftri_entry_append(open, &entry, key, value, 0))
        ftri_drop_attribute(open);
}

/* Values lie in the slot as a whole. */
static void unpack(struct ftri_open *open, struct ftri_found *found, size_t end)
{
    const struct before before = {found->position, end};
    struct ftri_values_head head;
    const uint8_t *at = open->slot->room + found->position + sizeof found->entry;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    const struct ftri_interned *keys = ftri_interned_keys(head.keys, head.n);
    for (uint32_t i = 0; keys && i < head.n; i++) {
        const struct ftri_values_item item = ftri_values_next(&at);
        const ftr_value value = value_of(&item);
        unpack_value(open, before, ftri_interned_str(keys, i), &value);
    }
    found->entry.is_dead = 1;
    write_head(open->slot, found);
}

static void unpack_all(struct ftri_open *open)
{
    struct ftri_slot *slot = open->slot;
    const size_t end = slot->record.stream_len;
    struct ftri_found at = {.position = ftri_record_entries(&slot->record)};
    for (; at.position < end; at.position += at.entry.size) {
        struct ftri_writer reader = ftri_stream_at(slot, at.position);
        ftri_writer_get(&reader, &at.entry, sizeof at.entry);
        if (at.entry.type == FTRI_ENTRY_VALUES && !at.entry.is_dead)
            unpack(open, &at, end);
    }
}

uint32_t ftri_entries_settle(struct ftri_open *open)
{
    unpack_all(open);
    return count_distinct(open->slot);
}
