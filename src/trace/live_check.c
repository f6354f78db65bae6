/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout is drawn in record.h. */
#include "trace/live_check.h"

#include "base/bytes.h"
#include "trace/intern.h"
#include "trace/record.h"

#include <string.h>

enum { DEPTH_MAX = 16, ARRAY_ITEM_HEAD = 5, MAP_ITEM_HEAD = 9, SCALAR = 8 };

static uint32_t read_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static bool is_value(uint8_t type, struct ftri_view bytes, int depth);

static bool is_map(struct ftri_view bytes, int depth)
{
    for (size_t at = 0; at < bytes.len;) {
        const size_t left = bytes.len - at;
        const uint8_t *item = bytes.data + at;
        if (left < MAP_ITEM_HEAD)
            return false;
        const size_t key_len = read_u32(item);
        const size_t len = read_u32(item + 5);
        if (key_len > left - MAP_ITEM_HEAD || len > left - MAP_ITEM_HEAD - key_len ||
            !is_value(item[4], ftri_view_of(item + MAP_ITEM_HEAD + key_len, len), depth))
            return false;
        at += MAP_ITEM_HEAD + key_len + len;
    }
    return true;
}

static bool is_array(struct ftri_view bytes, int depth)
{
    for (size_t at = 0; at < bytes.len;) {
        const size_t left = bytes.len - at;
        const uint8_t *item = bytes.data + at;
        if (left < ARRAY_ITEM_HEAD)
            return false;
        const size_t len = read_u32(item + 1);
        if (len > left - ARRAY_ITEM_HEAD ||
            !is_value(item[0], ftri_view_of(item + ARRAY_ITEM_HEAD, len), depth))
            return false;
        at += ARRAY_ITEM_HEAD + len;
    }
    return true;
}

static bool is_value(uint8_t type, struct ftri_view bytes, int depth)
{
    if (depth == DEPTH_MAX)
        return false;
    switch (type) {
    case FTR_VALUE_EMPTY:
    case FTR_VALUE_STR:
    case FTR_VALUE_BYTES:
        return true;
    case FTR_VALUE_BOOL:
    case FTR_VALUE_I64:
    case FTR_VALUE_F64:
        return bytes.len == SCALAR;
    case FTR_VALUE_ARRAY:
        return is_array(bytes, depth + 1);
    case FTR_VALUE_MAP:
        return is_map(bytes, depth + 1);
    default:
        return false;
    }
}

/* Behind a fixed part a map. */
static bool is_map_behind(struct ftri_view value, size_t fixed_len)
{
    return value.len >= fixed_len &&
           is_map(ftri_view_of(value.data + fixed_len, value.len - fixed_len), 0);
}

static bool is_values(struct ftri_view value)
{
    struct ftri_values_head head;
    if (value.len < sizeof head)
        return false;
    memcpy(&head, value.data, sizeof head);
    if (!ftri_interned_keys(head.keys, head.n))
        return false;
    const uint8_t *at = value.data + sizeof head;
    const uint8_t *const end = value.data + value.len;
    for (size_t i = 0; i < head.n; i++) {
        if ((size_t)(end - at) < sizeof(uint64_t))
            return false;
        const struct ftri_values_item item = ftri_values_next(&at);
        if (item.len > (size_t)(end - item.data) || item.type > FTR_VALUE_F64 ||
            !is_value((uint8_t)item.type, ftri_view_of(item.data, item.len), 0))
            return false;
        at = at < end ? at : end;
    }
    return true;
}

/* The entry lies within its size. */
static bool is_entry(const struct ftri_entry *entry)
{
    const size_t room = entry->size - sizeof *entry;
    if (entry->key_len > room || entry->value_len > room - entry->key_len)
        return false;
    const struct ftri_view value =
        ftri_view_of((const uint8_t *)(entry + 1) + entry->key_len, entry->value_len);
    switch (entry->type) {
    case FTRI_ENTRY_ATTRIBUTE:
        return is_value(entry->value_type, value, 0);
    case FTRI_ENTRY_VALUES:
        return is_values(value);
    case FTRI_ENTRY_EVENT:
        return is_map_behind(value, sizeof(struct ftri_event_head));
    case FTRI_ENTRY_LINK:
        return is_map_behind(value, sizeof(struct ftri_link_head));
    case FTRI_ENTRY_NAME:
    case FTRI_ENTRY_STATUS:
        return true;
    default:
        return false;
    }
}

static uint32_t n_attributes_of(const struct ftri_entry *entry)
{
    struct ftri_values_head head;
    if (entry->type != FTRI_ENTRY_VALUES)
        return entry->type == FTRI_ENTRY_ATTRIBUTE;
    memcpy(&head, entry + 1, sizeof head);
    return head.n;
}

/* False: there are more attributes than a record can count, while some are being replaced. */
static bool count(struct ftri_record *record, const struct ftri_entry *entry)
{
    const uint32_t n = record->n_attributes + n_attributes_of(entry);
    if (n > UINT16_MAX)
        return false;
    record->n_attributes = (uint16_t)n;
    record->n_events += entry->type == FTRI_ENTRY_EVENT;
    record->n_links += entry->type == FTRI_ENTRY_LINK;
    return true;
}

void ftri_live_check(struct ftri_record *record)
{
    uint8_t *stream = (uint8_t *)(record + 1);
    if (record->bits & FTRI_RECORD_HAS_SITE && !ftri_is_interned(record->name_len))
        record->bits &= (uint8_t)~FTRI_RECORD_HAS_SITE;
    size_t at = ftri_record_entries(record);
    if (at > record->stream_len)
        at = record->name_len = 0;
    record->n_attributes = record->n_events = record->n_links = 0;
    while (record->stream_len - at >= sizeof(struct ftri_entry)) {
        struct ftri_entry *entry = (struct ftri_entry *)(void *)(stream + at);
        if (entry->size < sizeof *entry || entry->size % 8 != 0 ||
            entry->size > record->stream_len - at)
            break;
        if (entry->is_dead || !is_entry(entry) || !count(record, entry))
            entry->is_dead = 1;
        at += entry->size;
    }
    record->stream_len = (uint32_t)at;
}
