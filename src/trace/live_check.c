/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking the copy of a record that was being written. The layout is drawn in record.h. */
#include "trace/live.h"

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

static void count(struct ftri_record *record, const struct ftri_entry *entry)
{
    record->n_attributes += entry->type == FTRI_ENTRY_ATTRIBUTE;
    record->n_events += entry->type == FTRI_ENTRY_EVENT;
    record->n_links += entry->type == FTRI_ENTRY_LINK;
}

void ftri_live_check(struct ftri_record *record)
{
    uint8_t *stream = (uint8_t *)(record + 1);
    size_t at = ftri_pad16(record->name_len);
    if (at > record->stream_len)
        at = record->name_len = 0;
    record->n_attributes = record->n_events = record->n_links = 0;
    while (record->stream_len - at >= sizeof(struct ftri_entry)) {
        struct ftri_entry *entry = (struct ftri_entry *)(void *)(stream + at);
        if (entry->size < sizeof *entry || entry->size % 8 != 0 ||
            entry->size > record->stream_len - at)
            break;
        if (!entry->is_dead && is_entry(entry))
            count(record, entry);
        else
            entry->is_dead = 1;
        at += entry->size;
    }
    record->stream_len = (uint32_t)at;
}
