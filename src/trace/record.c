/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading: a record into ftr_span_data; and copies that outlive their context block. Records come
 * from this process alone (stream.c writes them), so their lengths are trusted. */
#include "trace/record.h"

#include "context/block.h"
#include "context/fields.h"
#include "trace/clock.h"
#include "trace/intern.h"
#include "trace/log_entry.h"

#include <flowtrace/exporter.h>
#include <string.h>

_Atomic uint8_t ftri_record_form;

/* Hands out working memory in order; its room was computed beforehand. */
struct reader {
    const struct ftri_record *record;
    uint8_t *scratch;
    uint8_t form; /* enum ftri_record_form */
};

static void *take(struct reader *self, size_t n, size_t size)
{
    void *room = self->scratch;
    self->scratch += n * size;
    return room;
}

static uint32_t read_u32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static ftr_value read_value(struct reader *self, ftr_value_type type, const uint8_t *bytes,
                            size_t len);

/* Behind n_free items that are left to the caller. */
static size_t read_map_behind(struct reader *self, size_t n_free, const uint8_t *bytes, size_t len,
                              ftr_attribute **ret_items)
{
    size_t n = 0;
    for (size_t at = 0; at < len; n++)
        at += 9 + read_u32(bytes + at) + read_u32(bytes + at + 5);
    *ret_items = take(self, n_free + n, sizeof **ret_items);
    ftr_attribute *items = *ret_items + n_free;
    for (size_t i = 0; i < n; i++) {
        const uint32_t key_len = read_u32(bytes);
        const uint32_t value_len = read_u32(bytes + 5);
        const uint8_t *key = bytes + 9;
        items[i].key = (ftr_str){(const char *)key, key_len};
        items[i].value = read_value(self, bytes[4], key + key_len, value_len);
        bytes = key + key_len + value_len;
    }
    return n;
}

static size_t read_map(struct reader *self, const uint8_t *bytes, size_t len,
                       ftr_attribute **ret_items)
{
    return read_map_behind(self, 0, bytes, len, ret_items);
}

static ftr_value read_array(struct reader *self, const uint8_t *bytes, size_t len)
{
    size_t n = 0;
    for (size_t at = 0; at < len; n++)
        at += 5 + read_u32(bytes + at + 1);
    ftr_value *items = take(self, n, sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const uint32_t value_len = read_u32(bytes + 1);
        items[i] = read_value(self, bytes[0], bytes + 5, value_len);
        bytes += 5 + value_len;
    }
    return ftr_value_array(items, n);
}

static ftr_value read_value(struct reader *self, ftr_value_type type, const uint8_t *bytes,
                            size_t len)
{
    ftr_value value = {.type = type};
    ftr_attribute *items;
    size_t n_items;
    switch (type) {
    case FTR_VALUE_STR:
    case FTR_VALUE_BYTES:
        value.as.str = (ftr_str){(const char *)bytes, len};
        break;
    case FTR_VALUE_BOOL:
        value.as.boolean = bytes[0] != 0;
        break;
    case FTR_VALUE_I64:
        memcpy(&value.as.i64, bytes, sizeof value.as.i64);
        break;
    case FTR_VALUE_F64:
        memcpy(&value.as.f64, bytes, sizeof value.as.f64);
        break;
    case FTR_VALUE_ARRAY:
        return read_array(self, bytes, len);
    case FTR_VALUE_MAP:
        n_items = read_map(self, bytes, len, &items);
        return ftr_value_map(items, n_items);
    case FTR_VALUE_EMPTY:
        break;
    }
    return value;
}

static bool same_key(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* What the entries are collected into; the public struct has them const. */
struct lists {
    ftr_attribute *attributes;
    ftr_event_data *events;
    ftr_link_data *links;
    uint64_t seen;
};

/* NULL: the key is new, and may be added behind the n that are there. */
static ftr_attribute *find_attribute(struct lists *self, size_t n, ftr_str key)
{
    const uint64_t bit = ftri_key_bit(key);
    if (self->seen & bit)
        for (size_t i = 0; i < n; i++)
            if (same_key(self->attributes[i].key, key))
                return &self->attributes[i];
    self->seen |= bit;
    return NULL;
}

/* The last value of a key counts. */
static void put_attribute(struct lists *self, size_t *n, const ftr_attribute *added)
{
    ftr_attribute *same = find_attribute(self, *n, added->key);
    if (same)
        same->value = added->value;
    else
        self->attributes[(*n)++] = *added;
}

/* What the span says itself counts. */
static void inherit(struct lists *self, size_t *n, ftr_str fields)
{
    ftr_attribute field;
    while (ftri_field_next(&fields, &field))
        if (!find_attribute(self, *n, field.key))
            self->attributes[(*n)++] = field;
}

static uint64_t wall_ns(const struct ftri_record *record, uint64_t time, uint8_t is_wall_bit)
{
    return record->bits & is_wall_bit ? time : ftri_clock_wall_ns(record->clock, time);
}

static void read_event(struct reader *self, const struct ftri_entry *entry, const uint8_t *payload,
                       ftr_event_data *ret_event)
{
    struct ftri_event_head head;
    const uint8_t *value = payload + entry->key_len;
    memcpy(&head, value, sizeof head);
    ftr_attribute *items;
    const size_t n_free = self->form == FTRI_FORM_FOUNDATIONS ? 1 : 0;
    const size_t n =
        read_map_behind(self, n_free, value + sizeof head, entry->value_len - sizeof head, &items);
    *ret_event = (ftr_event_data){
        .time_ns = ftri_clock_wall_ns(self->record->clock, head.time),
        .name = {(const char *)payload, entry->key_len},
        .attributes = items,
        .n_attributes = n,
        .n_dropped_attributes = head.n_dropped,
    };
    if (n_free)
        self->scratch += ftri_log_entry_make(ret_event, items, (char *)self->scratch);
}

static void read_link(struct reader *self, const struct ftri_entry *entry, const uint8_t *payload,
                      ftr_link_data *ret_link)
{
    struct ftri_link_head head;
    const uint8_t *value = payload + entry->key_len;
    memcpy(&head, value, sizeof head);
    ftr_attribute *items;
    const size_t n = read_map(self, value + sizeof head, entry->value_len - sizeof head, &items);
    head.context.trace_flags = ftri_record_w3c_flags(head.context.trace_flags);
    *ret_link = (ftr_link_data){
        .context = head.context,
        .tracestate = {(const char *)payload, entry->key_len},
        .attributes = items,
        .n_attributes = n,
        .n_dropped_attributes = head.n_dropped,
    };
}

static void read_values(struct reader *self, const uint8_t *bytes, struct lists *lists,
                        ftr_span_data *span)
{
    struct ftri_values_head head;
    memcpy(&head, bytes, sizeof head);
    const struct ftri_interned *keys = ftri_interned_keys(head.keys, head.n);
    if (!keys)
        return;
    const uint8_t *at = bytes + sizeof head;
    for (size_t i = 0; i < head.n; i++) {
        const struct ftri_values_item item = ftri_values_next(&at);
        const ftr_attribute attribute = {ftri_interned_str(keys, i),
                                         read_value(self, item.type, item.data, item.len)};
        put_attribute(lists, &span->n_attributes, &attribute);
    }
}

/* An entry without a key that says something about the span itself. */
static void read_text_entry(const struct ftri_entry *entry, ftr_str text, ftr_span_data *span)
{
    switch ((enum ftri_entry_type)entry->type) {
    case FTRI_ENTRY_NAME:
        span->name = text;
        break;
    case FTRI_ENTRY_STATUS:
        span->status_description = text;
        break;
    case FTRI_ENTRY_TRACESTATE:
        span->tracestate = text;
        break;
    default:
        break;
    }
}

static void read_entry(struct reader *self, const struct ftri_entry *entry, struct lists *lists,
                       ftr_span_data *span)
{
    const uint8_t *payload = (const uint8_t *)(entry + 1);
    const ftr_str text = {(const char *)payload + entry->key_len, entry->value_len};
    ftr_attribute attribute;
    switch ((enum ftri_entry_type)entry->type) {
    case FTRI_ENTRY_ATTRIBUTE:
        attribute.key = (ftr_str){(const char *)payload, entry->key_len};
        attribute.value.type = entry->value_type;
        attribute.value.as.str = text;
        if (entry->value_type != FTR_VALUE_STR)
            attribute.value =
                read_value(self, entry->value_type, (const uint8_t *)text.data, text.len);
        put_attribute(lists, &span->n_attributes, &attribute);
        break;
    case FTRI_ENTRY_VALUES:
        read_values(self, payload, lists, span);
        break;
    case FTRI_ENTRY_EVENT:
        read_event(self, entry, payload, &lists->events[span->n_events++]);
        break;
    case FTRI_ENTRY_LINK:
        read_link(self, entry, payload, &lists->links[span->n_links++]);
        break;
    case FTRI_ENTRY_NAME:
    case FTRI_ENTRY_STATUS:
    case FTRI_ENTRY_TRACESTATE:
        read_text_entry(entry, text, span);
        break;
    case FTRI_ENTRY_FIELDS:
        inherit(lists, &span->n_attributes, text);
        break;
    }
}

static ftr_str name_of(const struct ftri_record *self)
{
    if (!(self->bits & FTRI_RECORD_HAS_SITE))
        return (ftr_str){(const char *)ftri_record_stream(self), self->name_len};
    return ftri_interned_name(self->name_len);
}

void ftri_record_times(const struct ftri_record *self, uint64_t *ret_start_ns, uint64_t *ret_end_ns)
{
    const uint64_t start_ns = wall_ns(self, self->start, FTRI_RECORD_START_IS_WALL);
    const uint64_t end_ns = wall_ns(self, self->end, FTRI_RECORD_END_IS_WALL);
    *ret_start_ns = start_ns;
    if (self->bits & FTRI_RECORD_IS_OPEN)
        *ret_end_ns = 0;
    else
        *ret_end_ns = end_ns > start_ns ? end_ns : start_ns;
}

static void read_head(const struct ftri_record *self, ftr_span_data *ret_span)
{
    *ret_span = (ftr_span_data){
        .size = sizeof *ret_span,
        .context =
            {self->trace_id, self->span_id, ftri_record_w3c_flags(self->trace_flags), false, {0}},
        .parent_span_id = self->parent_id,
        .parent_is_remote = (self->bits & FTRI_RECORD_PARENT_IS_REMOTE) != 0,
        .tracestate = {"", 0},
        .name = name_of(self),
        .kind = self->kind,
        .n_dropped_attributes = self->n_dropped_attributes,
        .n_dropped_events = self->n_dropped_events,
        .n_dropped_links = self->n_dropped_links,
        .status = self->status,
        .status_description = {"", 0},
    };
    ftri_record_times(self, &ret_span->start_time_ns, &ret_span->end_time_ns);
    if (self->block)
        ret_span->tracestate = ftri_context_block_tracestate(self->block);
}

static void add_attribute(struct lists *self, size_t *n, const char *key, ftr_str text)
{
    const ftr_attribute added = {ftr_str_from(key), ftr_value_str(text)};
    if (!find_attribute(self, *n, added.key))
        self->attributes[(*n)++] = added;
}

/* The context that the span was for those below it. */
static void add_own_context(struct reader *self, struct lists *lists, ftr_span_data *span)
{
    _Static_assert((int)FTRI_OWN_TEXT == (int)FTR_TRACEPARENT_LEN + 1, "a multiple of 8");
    char *text = take(self, FTRI_OWN_TEXT, 1);
    if (ftri_traceparent_write(&span->context, text))
        add_attribute(lists, &span->n_attributes, "traceparent",
                      (ftr_str){text, FTR_TRACEPARENT_LEN});
    if (span->tracestate.len > 0)
        add_attribute(lists, &span->n_attributes, "tracestate", span->tracestate);
}

void ftri_record_read_head(const struct ftri_record *self, ftr_span_data *ret_span)
{
    read_head(self, ret_span);
    const uint8_t *stream = ftri_record_stream(self);
    for (size_t at = ftri_record_entries(self); at < self->stream_len;) {
        const struct ftri_entry *entry = (const struct ftri_entry *)(const void *)(stream + at);
        if (!entry->is_dead)
            read_text_entry(entry, (ftr_str){(const char *)(entry + 1), entry->value_len},
                            ret_span);
        at += entry->size;
    }
}

size_t ftri_record_read(const struct ftri_record *self, void *scratch, ftr_span_data *ret_span)
{
    const uint8_t form = atomic_load_explicit(&ftri_record_form, memory_order_relaxed);
    struct reader reader = {self, scratch, form};
    read_head(self, ret_span);
    const size_t n_fields = (self->block ? self->block->n_fields : self->n_fields) +
                            (form == FTRI_FORM_KRISHIV ? FTRI_OWN_ATTRIBUTES : 0);
    struct lists lists = {
        .attributes = take(&reader, self->n_attributes + n_fields, sizeof *lists.attributes),
        .events = take(&reader, self->n_events, sizeof *lists.events),
        .links = take(&reader, self->n_links, sizeof *lists.links),
    };
    const uint8_t *stream = ftri_record_stream(self);
    for (size_t at = ftri_record_entries(self); at < self->stream_len;) {
        const struct ftri_entry *entry = (const struct ftri_entry *)(const void *)(stream + at);
        if (!entry->is_dead)
            read_entry(&reader, entry, &lists, ret_span);
        at += entry->size;
    }
    if (self->block)
        inherit(&lists, &ret_span->n_attributes, ftri_context_block_fields(self->block));
    if (form == FTRI_FORM_KRISHIV)
        add_own_context(&reader, &lists, ret_span);
    ret_span->attributes = lists.attributes;
    ret_span->events = lists.events;
    ret_span->links = lists.links;
    if (form == FTRI_FORM_FOUNDATIONS)
        ftri_log_entry_close(ret_span);
    return (size_t)(reader.scratch - (uint8_t *)scratch);
}

/* ---- copies ---- */

static size_t entry_size(ftr_str value)
{
    return value.len > 0 ? ftri_pad8(sizeof(struct ftri_entry) + value.len) : 0;
}

/* An entry that is nothing but a value, or nothing. */
static uint8_t *put_entry(uint8_t *at, enum ftri_entry_type type, ftr_str value)
{
    const size_t size = entry_size(value);
    if (size == 0)
        return at;
    const struct ftri_entry entry = {
        .type = (uint8_t)type, .size = (uint32_t)size, .value_len = (uint32_t)value.len};
    memcpy(at, &entry, sizeof entry);
    memcpy(at + sizeof entry, value.data, value.len);
    return at + size;
}

/* The entries that stand for the block. */
static size_t inside_size(const struct ftr_context_block *block)
{
    return block ? entry_size(ftri_context_block_tracestate(block)) +
                       entry_size(ftri_context_block_fields(block))
                 : 0;
}

size_t ftri_record_copy_size(const struct ftri_record *self)
{
    return ftri_pad16(sizeof *self + self->stream_len + inside_size(self->block));
}

void ftri_record_copy(const struct ftri_record *self, void *to)
{
    const struct ftr_context_block *block = self->block;
    struct ftri_record head = *self;
    head.block = NULL;
    head.stream_len += (uint32_t)inside_size(block);
    head.size = (uint32_t)ftri_record_copy_size(self);
    head.n_fields = block ? block->n_fields : self->n_fields;
    uint8_t *at = to;
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, self + 1, self->stream_len);
    if (!block)
        return;
    at += sizeof head + self->stream_len;
    at = put_entry(at, FTRI_ENTRY_TRACESTATE, ftri_context_block_tracestate(block));
    (void)put_entry(at, FTRI_ENTRY_FIELDS, ftri_context_block_fields(block));
}

static size_t text_size(ftr_str key, ftr_str value)
{
    return ftri_pad8(sizeof(struct ftri_entry) + key.len + value.len);
}

size_t ftri_record_size_with_text(const struct ftri_record *self, ftr_str key, ftr_str value)
{
    if (self->n_attributes == UINT16_MAX)
        return SIZE_MAX;
    return ftri_pad16(sizeof *self + self->stream_len + text_size(key, value));
}

/* Behind inherited fields, too: reading looks for the key among what is there. */
void ftri_record_copy_with_text(const struct ftri_record *self, ftr_str key, ftr_str value,
                                void *to)
{
    struct ftri_record head = *self;
    const struct ftri_entry entry = {
        .type = FTRI_ENTRY_ATTRIBUTE,
        .value_type = FTR_VALUE_STR,
        .size = (uint32_t)text_size(key, value),
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)value.len,
    };
    head.size = (uint32_t)ftri_record_size_with_text(self, key, value);
    head.stream_len += entry.size;
    head.n_attributes++;
    uint8_t *at = to;
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, self + 1, self->stream_len);
    at += sizeof head + self->stream_len;
    memcpy(at, &entry, sizeof entry);
    memcpy(at + sizeof entry, key.data, key.len);
    memcpy(at + sizeof entry + key.len, value.data, value.len);
}
