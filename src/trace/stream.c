/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing entries into an open span: first the slot's room, then pages. The layout of values is
 * drawn in record.h. */
#include "trace/span.h"

#include <string.h>

enum { DEPTH_MAX = 16, ARRAY_ITEM_HEAD = 5, MAP_ITEM_HEAD = 9 };

/* Larger values are refused before anybody looks for room. */
#define VALUE_BYTES_MAX ((size_t)64 << 20)

/* A slot that its stream does not overflow has no pages. */
static void give_unused_back(struct ftri_open *open)
{
    struct ftri_slot *slot = open->slot;
    if (slot->record.stream_len > FTRI_SLOT_ROOM)
        return;
    ftri_pages_return(open->thread, slot->pages);
    slot->pages = slot->last_page = NULL;
    slot->n_pages = 0;
}

static bool has_page_for(struct ftri_open *open, size_t stream_len)
{
    struct ftri_slot *slot = open->slot;
    while (FTRI_SLOT_ROOM + (size_t)slot->n_pages * FTRI_PAGE_ROOM < stream_len) {
        struct ftri_page *page = ftri_page_take(open->thread);
        if (!page) {
            give_unused_back(open);
            return false;
        }
        if (slot->n_pages++ == 0)
            slot->pages = page;
        else
            slot->last_page->next = page;
        slot->last_page = page;
    }
    return true;
}

bool ftri_stream_append(struct ftri_open *open, size_t size, struct ftri_writer *ret_writer)
{
    struct ftri_slot *slot = open->slot;
    const size_t position = slot->record.stream_len;
    const size_t stream_len = position + size;
    if (FTRI_LIKELY(stream_len <= FTRI_SLOT_ROOM)) {
        *ret_writer =
            (struct ftri_writer){slot->room + position, slot->room + FTRI_SLOT_ROOM, NULL};
        return true;
    }
    const size_t record_max = (open->thread->journal_mask + 1) / 4;
    if (sizeof(struct ftri_record) + stream_len + 16 > record_max ||
        !has_page_for(open, stream_len))
        return false;
    *ret_writer = ftri_stream_at(slot, position);
    return true;
}

struct ftri_writer ftri_stream_at(struct ftri_slot *slot, size_t position)
{
    if (position < FTRI_SLOT_ROOM)
        return (struct ftri_writer){slot->room + position, slot->room + FTRI_SLOT_ROOM,
                                    slot->pages};
    position -= FTRI_SLOT_ROOM;
    struct ftri_page *page = slot->pages;
    for (; position >= FTRI_PAGE_ROOM; position -= FTRI_PAGE_ROOM)
        page = page->next;
    return (struct ftri_writer){page->data + position, page->data + FTRI_PAGE_ROOM, page->next};
}

/* Bytes that lie together at the writer's place, at most len; goes to the next page when needed. */
static size_t piece(struct ftri_writer *self, size_t len)
{
    if (self->at == self->end) {
        self->at = self->page->data;
        self->end = self->at + FTRI_PAGE_ROOM;
        self->page = self->page->next;
    }
    return ftri_size_min(len, (size_t)(self->end - self->at));
}

void ftri_writer_put(struct ftri_writer *self, const void *data, size_t len)
{
    const uint8_t *from = data;
    while (len > 0) {
        const size_t n = piece(self, len);
        memcpy(self->at, from, n);
        self->at += n;
        from += n;
        len -= n;
    }
}

void ftri_writer_get(struct ftri_writer *self, void *data, size_t len)
{
    uint8_t *to = data;
    while (len > 0) {
        const size_t n = piece(self, len);
        memcpy(to, self->at, n);
        self->at += n;
        to += n;
        len -= n;
    }
}

/* The first `limit` characters of UTF-8 text; never half a character. */
static size_t cut_text(ftr_str text, uint32_t limit)
{
    if (limit == 0 || text.len <= limit)
        return text.len;
    uint32_t n_characters = 0;
    for (size_t i = 0; i < text.len; i++)
        if (((uint8_t)text.data[i] & 0xc0) != 0x80 && n_characters++ == limit)
            return i;
    return text.len;
}

static size_t text_len(ftr_str text)
{
    if (!text.data || ftri_thread_settings.has_no_text)
        return 0;
    return cut_text(text, ftri_thread_settings.limits.value_length);
}

static size_t size_at_depth(const ftr_value *value, int depth, size_t budget);

static size_t map_size(const ftr_attribute *items, size_t n, int depth, size_t budget)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t head = MAP_ITEM_HEAD + items[i].key.len;
        if (items[i].key.len > budget || size + head > budget)
            return SIZE_MAX;
        const size_t value = size_at_depth(&items[i].value, depth, budget - size - head);
        if (value == SIZE_MAX)
            return SIZE_MAX;
        size += head + value;
    }
    return size;
}

static size_t array_size(const ftr_value *items, size_t n, int depth, size_t budget)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += ARRAY_ITEM_HEAD;
        if (size > budget)
            return SIZE_MAX;
        const size_t value = size_at_depth(&items[i], depth, budget - size);
        if (value == SIZE_MAX)
            return SIZE_MAX;
        size += value;
    }
    return size;
}

/* Gives up as soon as the budget is spent, so shared or circular values cannot keep it busy. */
static size_t size_at_depth(const ftr_value *value, int depth, size_t budget)
{
    if (depth == DEPTH_MAX)
        return SIZE_MAX;
    size_t size = 0;
    switch (value->type) {
    case FTR_VALUE_STR:
        size = text_len(value->as.str);
        break;
    case FTR_VALUE_BYTES:
        size = value->as.str.data ? value->as.str.len : 0;
        break;
    case FTR_VALUE_BOOL:
    case FTR_VALUE_I64:
    case FTR_VALUE_F64:
        size = 8;
        break;
    case FTR_VALUE_ARRAY:
        size = array_size(value->as.array.items, value->as.array.n_items, depth + 1, budget);
        break;
    case FTR_VALUE_MAP:
        size = map_size(value->as.map.items, value->as.map.n_items, depth + 1, budget);
        break;
    case FTR_VALUE_EMPTY:
        break;
    default:
        return SIZE_MAX;
    }
    return size > budget ? SIZE_MAX : size;
}

size_t ftri_value_size(const ftr_value *value)
{
    return size_at_depth(value, 0, VALUE_BYTES_MAX);
}

static void put_scalar(struct ftri_writer *writer, const void *data, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, data, len);
    ftri_writer_put(writer, &word, sizeof word);
}

static void put_item(struct ftri_writer *writer, const ftr_value *value)
{
    const uint8_t type = (uint8_t)value->type;
    const uint32_t len = (uint32_t)ftri_value_size(value);
    ftri_writer_put(writer, &type, sizeof type);
    ftri_writer_put(writer, &len, sizeof len);
    ftri_value_put(writer, value);
}

void ftri_value_put(struct ftri_writer *writer, const ftr_value *value)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        ftri_writer_put(writer, value->as.str.data, text_len(value->as.str));
        break;
    case FTR_VALUE_BYTES:
        if (value->as.str.data)
            ftri_writer_put(writer, value->as.str.data, value->as.str.len);
        break;
    case FTR_VALUE_BOOL:
        put_scalar(writer, &value->as.boolean, sizeof value->as.boolean);
        break;
    case FTR_VALUE_I64:
        put_scalar(writer, &value->as.i64, sizeof value->as.i64);
        break;
    case FTR_VALUE_F64:
        put_scalar(writer, &value->as.f64, sizeof value->as.f64);
        break;
    case FTR_VALUE_ARRAY:
        for (size_t i = 0; i < value->as.array.n_items; i++)
            put_item(writer, &value->as.array.items[i]);
        break;
    case FTR_VALUE_MAP:
        ftri_attributes_put(writer, value->as.map.items, value->as.map.n_items);
        break;
    case FTR_VALUE_EMPTY:
        break;
    }
}

size_t ftri_attributes_size(const ftr_attribute *attributes, size_t n, size_t *ret_n)
{
    size_t size = 0;
    size_t i = 0;
    for (; i < n; i++) {
        const size_t item = map_size(&attributes[i], 1, 0, VALUE_BYTES_MAX);
        if (item == SIZE_MAX || size + item > VALUE_BYTES_MAX)
            break;
        size += item;
    }
    *ret_n = i;
    return size;
}

void ftri_attributes_put(struct ftri_writer *writer, const ftr_attribute *attributes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t key_len = (uint32_t)attributes[i].key.len;
        const uint8_t type = (uint8_t)attributes[i].value.type;
        const uint32_t value_len = (uint32_t)ftri_value_size(&attributes[i].value);
        ftri_writer_put(writer, &key_len, sizeof key_len);
        ftri_writer_put(writer, &type, sizeof type);
        ftri_writer_put(writer, &value_len, sizeof value_len);
        ftri_writer_put(writer, attributes[i].key.data, key_len);
        ftri_value_put(writer, &attributes[i].value);
    }
}
