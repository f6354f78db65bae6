/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tail_reader.h"

#include "sampling/flow_buffer.h"
#include "trace/clock.h"
#include "trace/intern.h"
#include "trace/record.h"

#include <flowtrace/exporter.h>

void ftri_tail_reader_init(struct ftri_tail_reader *self, const struct ftri_policy *policy)
{
    *self = (struct ftri_tail_reader){.policy = policy};
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
    ftr_str key;
    for (size_t i = 0; (key = ftri_policy_key(policy, i)).data; i++)
        self->key_bits |= ftri_key_bit(key);
}

void ftri_tail_reader_deinit(struct ftri_tail_reader *self)
{
    ftri_bytes_deinit(&self->scratch);
}

bool ftri_tail_is_root(const struct ftri_record *record)
{
    uint64_t parent;
    _Static_assert(sizeof parent == sizeof record->parent_id, "all of it");
    memcpy(&parent, &record->parent_id, sizeof parent);
    return parent == 0 || (record->bits & FTRI_RECORD_PARENT_IS_REMOTE);
}

static uint64_t bits_of_values(const struct ftri_entry *entry)
{
    struct ftri_values_head head;
    memcpy(&head, entry + 1, sizeof head);
    const struct ftri_interned *keys = ftri_interned_keys(head.keys, head.n);
    return keys ? keys->key_bits : 0;
}

/* The bits of what a policy may look for in it; all: it may be anything. */
static uint64_t bits_of_entry(const struct ftri_entry *entry)
{
    switch ((enum ftri_entry_type)entry->type) {
    case FTRI_ENTRY_VALUES:
        return bits_of_values(entry);
    case FTRI_ENTRY_ATTRIBUTE:
    case FTRI_ENTRY_EVENT:
        return ftri_key_bit((ftr_str){(const char *)(entry + 1), entry->key_len});
    case FTRI_ENTRY_LINK:
    case FTRI_ENTRY_NAME:
    case FTRI_ENTRY_STATUS:
        return 0;
    default:
        return UINT64_MAX;
    }
}

/* Nothing beside the head can be a reason. */
static bool is_plain(const struct ftri_tail_reader *self, const struct ftri_record *record)
{
    if (record->block || record->n_fields > 0 ||
        atomic_load_explicit(&ftri_record_form, memory_order_relaxed) != FTRI_FORM_PLAIN)
        return false;
    const uint8_t *stream = ftri_record_stream(record);
    for (size_t at = ftri_record_entries(record); at < record->stream_len;) {
        const struct ftri_entry *entry = (const struct ftri_entry *)(const void *)(stream + at);
        const uint64_t bits = bits_of_entry(entry);
        if (bits == UINT64_MAX || (bits & self->key_bits))
            return false;
        at += entry->size;
    }
    return true;
}

/* False: memory is short. */
static bool read_stream(struct ftri_tail_reader *self, const struct ftri_record *record,
                        struct ftri_flow_span *span)
{
    ftr_span_data data;
    ftri_bytes_reset(&self->scratch);
    if (ftri_bytes_reserve(&self->scratch, ftri_record_scratch(record->stream_len)) < 0)
        return false;
    (void)ftri_record_read(record, self->scratch.data, &data);
    span->is_error = data.status == FTR_SPAN_ERROR; /* the form may say so */
    span->tracestate = data.tracestate;
    span->attributes = data.attributes;
    span->n_attributes = data.n_attributes;
    span->events = data.events;
    span->n_events = data.n_events;
    return true;
}

/* As ftri_record_times, without a call for most. */
static void read_times(const struct ftri_record *record, struct ftri_flow_span *span)
{
    enum { OTHER = FTRI_RECORD_START_IS_WALL | FTRI_RECORD_END_IS_WALL | FTRI_RECORD_IS_OPEN };
    if (FTRI_UNLIKELY((record->bits & OTHER) || record->clock >= FTRI_CLOCK_FAKE)) {
        ftri_record_times(record, &span->start_ns, &span->end_ns);
        return;
    }
    const struct ftri_calibration *calibration = ftri_clock_calibration(record->clock);
    const uint64_t end_ns = ftri_clock_convert(calibration, record->end);
    span->start_ns = ftri_clock_convert(calibration, record->start);
    span->end_ns = end_ns > span->start_ns ? end_ns : span->start_ns;
}

void ftri_tail_judge(struct ftri_tail_reader *self, const struct ftri_record *record,
                     uint64_t since_ns, struct ftri_flow_arrival *arrival)
{
    struct ftri_flow_span span;
    span.trace_id = record->trace_id;
    span.tracestate = (ftr_str){"", 0};
    span.reasons = arrival->reasons;
    span.is_error = record->status == FTR_SPAN_ERROR;
    read_times(record, &span);
    if (record->bits & FTRI_RECORD_PARENT_IS_REMOTE)
        span.reasons |= FTRI_REASON(FTR_TAIL_CROSSED);
    if (!(record->bits & FTRI_RECORD_START_IS_WALL) && span.start_ns < since_ns)
        span.reasons |= FTRI_REASON(FTR_TAIL_MODE);
    arrival->reasons = FTRI_LIKELY(is_plain(self, record)) || !read_stream(self, record, &span)
                           ? ftri_policy_judge_plain(self->policy, &span)
                           : ftri_policy_judge(self->policy, &span);
    arrival->start_ns = span.start_ns;
    arrival->end_ns = span.end_ns;
    arrival->is_root = ftri_tail_is_root(record);
}
