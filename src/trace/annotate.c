/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said about an open span: attributes, name, status, events, links. */
#include "base/bytes.h"
#include "base/count.h"
#include "context/block.h"
#include "trace/clock.h"
#include "trace/entries.h"
#include "trace/quick.h"
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

static void count_dropped(uint32_t *in_record, _Atomic uint64_t *in_thread)
{
    (*in_record)++;
    ftri_count(in_thread, 1);
}

static FTRI_ALWAYS_INLINE bool set_str_quickly(struct ftri_slot *slot, ftr_str key, ftr_str value)
{
    const struct ftri_thread_settings *settings = &ftri_thread_settings;
    if (FTRI_UNLIKELY(!key.data || !value.data || key.len - 1 >= FTRI_QUICK_LEN ||
                      value.len - 1 >= settings->quick_bytes ||
                      slot->record.n_attributes >= settings->limits.attributes))
        return false;
    uint8_t *at =
        ftri_quick_entry(slot, FTRI_ENTRY_ATTRIBUTE | FTR_VALUE_STR << 8, key.len, value.len);
    if (!at)
        return false;
    ftri_quick_copy(at, key.data, key.len);
    ftri_quick_copy(at + key.len, value.data, value.len);
    ftri_quick_publish(slot, at + key.len + value.len, offsetof(struct ftri_record, n_attributes),
                       1);
    return true;
}

/* An event or a link without attributes, whose value is a fixed part alone. */
static FTRI_ALWAYS_INLINE bool put_quickly(struct ftri_slot *slot, enum ftri_entry_type type,
                                           ftr_str key, const void *fixed, size_t fixed_len)
{
    if (FTRI_UNLIKELY(key.len > FTRI_QUICK_LEN))
        return false;
    uint8_t *at = ftri_quick_entry(slot, type | FTR_VALUE_EMPTY << 8, key.len, fixed_len);
    if (!at)
        return false;
    ftri_quick_copy(at, key.data, key.len);
    memcpy(at + key.len, fixed, fixed_len);
    ftri_quick_publish(slot, at + key.len + fixed_len,
                       type == FTRI_ENTRY_EVENT ? offsetof(struct ftri_record, n_events)
                                                : offsetof(struct ftri_record, n_links),
                       1);
    return true;
}

void ftri_drop_attribute(struct ftri_open *open)
{
    count_dropped(&open->slot->record.n_dropped_attributes,
                  &open->thread->counters.dropped_attributes);
}

/* Entries without a key of which one is wanted: the name, the status' description. */
static void put_single(struct ftri_open *open, enum ftri_entry_type type, ftr_str text)
{
    const ftr_value value = ftr_value_bytes(text.data, text.len); /* no limit on its length */
    const size_t value_len = ftri_value_size(&value);
    if (value_len == SIZE_MAX)
        return;
    struct ftri_entry entry = {.type = (uint8_t)type, .value_len = (uint32_t)value_len};
    struct ftri_found old;
    if (ftri_entry_find(open->slot, type, no_text, &old))
        (void)ftri_entry_replace(open, &old, &entry, no_text, &value);
    else
        (void)ftri_entry_append(open, &entry, no_text, &value, 0);
}

/* As many entries as attributes are allowed are there. */
static __attribute__((noinline)) void set_at_limit(struct ftri_open *open, struct ftri_entry *entry,
                                                   ftr_str key, const ftr_value *value)
{
    struct ftri_slot *slot = open->slot;
    if (slot->n_distinct == 0)
        slot->n_distinct = (uint16_t)ftri_entries_settle(open);
    struct ftri_found old;
    if (ftri_entry_find(slot, FTRI_ENTRY_ATTRIBUTE, key, &old)) {
        if (!ftri_entry_replace(open, &old, entry, key, value))
            ftri_drop_attribute(open);
        return;
    }
    if (slot->n_distinct >= ftri_thread_settings.limits.attributes ||
        slot->record.n_attributes == UINT16_MAX || !ftri_entry_append(open, entry, key, value, 0)) {
        ftri_drop_attribute(open);
        return;
    }
    slot->n_distinct++;
    slot->record.n_attributes++;
}

static void set(struct ftri_open *open, ftr_str key, const ftr_value *value)
{
    const size_t value_len = ftri_value_size(value);
    if (!key.data || key.len == 0 || key.len > KEY_BYTES_MAX || value_len == SIZE_MAX) {
        ftri_drop_attribute(open);
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
    if (FTRI_LIKELY(ftri_entry_append(open, &entry, key, value, 0)))
        record->n_attributes++;
    else
        ftri_drop_attribute(open);
}

void ftr_recording_set(ftr_span span, ftr_str key, const ftr_value *value)
{
    struct ftri_open open;
    if (ftri_span_open(span, &open))
        set(&open, key, value);
}

/* A user span; or in another way. */
static __attribute__((noinline)) void set_str_slowly(ftr_span span, ftr_str key, ftr_str value)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_USER], span);
    if (slot && set_str_quickly(slot, key, value))
        return;
    const ftr_value text = ftr_value_str(value);
    ftr_recording_set(span, key, &text);
}

void ftr_recording_set_str(ftr_span span, ftr_str key, ftr_str value)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
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
    if (!ftri_span_open(span, &open))
        return;
    open.slot->record.bits |= FTRI_RECORD_IS_RENAMED;
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
    ftri_entry_publish(open, entry.size);
    return true;
}

static FTRI_ALWAYS_INLINE bool event_quickly(struct ftri_slot *slot, ftr_str name)
{
    struct ftri_record *record = &slot->record;
    if (FTRI_UNLIKELY(!name.data || record->n_events >= ftri_thread_settings.limits.events))
        return false;
    const struct ftri_event_head head = {.time = ftri_clock_stamp(record->clock)};
    return put_quickly(slot, FTRI_ENTRY_EVENT, name, &head, sizeof head);
}

/* A user span; or with attributes, or in another way. */
static __attribute__((noinline)) void
event_slowly(ftr_span span, ftr_str name, const ftr_attribute *attributes, size_t n_attributes)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_USER], span);
    if (slot && n_attributes == 0 && event_quickly(slot, name))
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

void ftr_recording_event(ftr_span span, ftr_str name, const ftr_attribute *attributes,
                         size_t n_attributes)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
    if (FTRI_UNLIKELY(!slot || n_attributes > 0 || !event_quickly(slot, name)))
        event_slowly(span, name, attributes, n_attributes);
}

/* The context's ids are valid. */
static bool link_quickly(struct ftri_slot *slot, const ftr_context *context)
{
    if (FTRI_UNLIKELY(context->block || slot->record.n_links >= ftri_thread_settings.limits.links))
        return false;
    const struct ftri_link_head head = {.context = context->span};
    return put_quickly(slot, FTRI_ENTRY_LINK, no_text, &head, sizeof head);
}

/* What a link names: a user span knows of user spans alone. */
static ftr_context target_of(const struct ftri_open *open, const ftr_context *context)
{
    if (open->thread->pipeline == FTRI_USER)
        return (ftr_context){.span = context->user};
    return (ftr_context){.span = context->span, .block = context->block};
}

void ftr_recording_link(ftr_span span, const ftr_context *context, const ftr_attribute *attributes,
                        size_t n_attributes)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
    if (FTRI_LIKELY(slot && context && n_attributes == 0 && ftri_context_has_ids(context) &&
                    link_quickly(slot, context)))
        return;
    struct ftri_open open;
    if (!context || !ftri_span_open(span, &open))
        return;
    const ftr_context target = target_of(&open, context);
    if (!ftri_context_has_ids(&target))
        return;
    const ftr_limits *limits = &ftri_thread_settings.limits;
    struct ftri_record *record = &open.slot->record;
    const struct kept kept = keep(attributes, n_attributes, limits->attributes_per_link);
    const struct ftri_link_head head = {
        .context = target.span,
        .n_attributes = (uint32_t)kept.n,
        .n_dropped = (uint32_t)(n_attributes - kept.n),
    };
    if (record->n_links < limits->links &&
        append_with_map(&open, FTRI_ENTRY_LINK, ftr_context_tracestate(&target),
                        ftri_view_of(&head, sizeof head), &kept)) {
        record->n_links++;
        return;
    }
    count_dropped(&record->n_dropped_links, &open.thread->counters.dropped_links);
}
