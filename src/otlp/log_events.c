/* SPDX-License-Identifier: Apache-2.0
 *
 * ResourceLogs and ScopeLogs have the shape of ResourceSpans and ScopeSpans (origin 1, entries 2,
 * schema URL 3), so that only the entries are written anew. What has no event leaves no trace. */
#include "otlp/log_events.h"

#include "codec/wire.h"
#include "otlp/view.h"

#include <string.h>

static const ftr_str event_name_key = {"event.name", 10};

struct record {
    struct ftri_view bytes;
    uint64_t time_ns, observed_ns;
    uint64_t severity;
    ftr_str severity_text;
    struct ftri_view body;
    uint64_t n_dropped;
    struct ftri_view trace_id, span_id;
    ftr_str name;
    bool is_named_by_attribute;
};

struct conversion {
    struct ftri_bytes *out;
    uint64_t received_ns;
    struct ftri_otlp_log_counts counts;
};

static void read_field(const struct ftri_wire_field *field, struct record *record)
{
    switch (field->number) {
    case 1:
        record->time_ns = field->value;
        break;
    case 2:
        record->severity = field->value;
        break;
    case 3:
        record->severity_text = ftri_view_str(field->bytes);
        break;
    case 5:
        record->body = field->bytes;
        break;
    case 7:
        record->n_dropped = field->value;
        break;
    case 9:
        record->trace_id = field->bytes;
        break;
    case 10:
        record->span_id = field->bytes;
        break;
    case 11:
        record->observed_ns = field->value;
        break;
    case 12:
        record->name = ftri_view_str(field->bytes);
        break;
    default:
        break;
    }
}

static void read_record(struct ftri_view bytes, struct record *ret_record)
{
    *ret_record = (struct record){.bytes = bytes};
    struct ftri_wire_field field;
    size_t next = 0;
    while (ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD)
        read_field(&field, ret_record);
    struct ftri_view value;
    if (ret_record->name.len ||
        !ftri_otlp_attribute_find(FTRI_OTLP_LOG_RECORD, bytes, event_name_key, &value))
        return;
    const ftr_value name = ftri_otlp_value_read(value);
    if (name.type != FTR_VALUE_STR || name.as.str.len == 0)
        return;
    ret_record->name = name.as.str;
    ret_record->is_named_by_attribute = true;
}

static bool is_id(struct ftri_view id, size_t size)
{
    static const uint8_t zeros[16];
    return id.len == size && memcmp(id.data, zeros, size) != 0;
}

static bool is_event(const struct record *record)
{
    return record->name.len && is_id(record->trace_id, 16) && is_id(record->span_id, 8);
}

static uint64_t time_of(const struct conversion *self, const struct record *record)
{
    if (record->time_ns)
        return record->time_ns;
    return record->observed_ns ? record->observed_ns : self->received_ns;
}

static int put_text(struct ftri_bytes *out, uint32_t number, ftr_str text)
{
    return ftri_wire_put_bytes(out, number, ftri_view_of(text.data, text.len));
}

static bool has_attribute(const struct record *record, ftr_str key)
{
    struct ftri_view value;
    return ftri_otlp_attribute_find(FTRI_OTLP_LOG_RECORD, record->bytes, key, &value);
}

/* One attribute of an Event more, unless the record has it itself: key 1, value 2. */
static int put_attribute(struct ftri_bytes *out, const struct record *record, ftr_str key,
                         struct ftri_view any_value)
{
    size_t mark;
    if (any_value.len == 0 || has_attribute(record, key))
        return 0;
    int r = ftri_wire_begin(out, 3, &mark);
    if (r == 0)
        r = put_text(out, 1, key);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, any_value);
    return r < 0 ? r : ftri_wire_end(out, mark);
}

static int put_severity(struct ftri_bytes *out, const struct record *record)
{
    struct ftri_bytes value FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&value, record->severity_text.len + 32);
    int r = record->severity ? ftri_wire_put_varint(&value, 3, record->severity) : 0;
    if (r == 0)
        r = put_attribute(out, record, FTR_STR("log.record.severity_number"),
                          ftri_bytes_view(&value));
    ftri_bytes_reset(&value);
    if (r == 0 && record->severity_text.len)
        r = put_text(&value, 1, record->severity_text);
    return r < 0 ? r
                 : put_attribute(out, record, FTR_STR("log.record.severity_text"),
                                 ftri_bytes_view(&value));
}

/* The record's own, as they stand. */
static int copy_attributes(struct ftri_bytes *out, const struct record *record)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r = 0;
    while (r == 0 && ftri_wire_next(record->bytes, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number != 6)
            continue;
        const bool is_name =
            record->is_named_by_attribute && ftri_otlp_key_is(field.bytes, event_name_key);
        r = is_name ? 0 : ftri_wire_put_bytes(out, 3, field.bytes);
    }
    return r;
}

/* Event: time 1, name 2, attributes 3, dropped 4. */
static int put_event(const struct conversion *self, const struct record *record)
{
    size_t mark;
    int r = ftri_wire_begin(self->out, 11, &mark);
    if (r == 0)
        r = ftri_wire_put_fixed64(self->out, 1, time_of(self, record));
    if (r == 0)
        r = put_text(self->out, 2, record->name);
    if (r == 0)
        r = copy_attributes(self->out, record);
    if (r == 0)
        r = put_severity(self->out, record);
    if (r == 0)
        r = put_attribute(self->out, record, FTR_STR("log.record.body"), record->body);
    if (r == 0 && record->n_dropped)
        r = ftri_wire_put_varint(self->out, 4, record->n_dropped);
    return r < 0 ? r : ftri_wire_end(self->out, mark);
}

/* Span: trace id 1, span id 2, name 5, start 7, event 11. */
static int put_fragment(const struct conversion *self, const struct record *record)
{
    size_t mark;
    int r = ftri_wire_begin(self->out, 2, &mark);
    if (r == 0)
        r = ftri_wire_put_bytes(self->out, 1, record->trace_id);
    if (r == 0)
        r = ftri_wire_put_bytes(self->out, 2, record->span_id);
    if (r == 0)
        r = put_text(self->out, 5, FTR_STR(FTRI_OTLP_FRAGMENT_NAME));
    if (r == 0)
        r = ftri_wire_put_fixed64(self->out, 7, time_of(self, record));
    if (r == 0)
        r = put_event(self, record);
    return r < 0 ? r : ftri_wire_end(self->out, mark);
}

static int convert_record(struct conversion *self, struct ftri_view bytes)
{
    struct record record;
    read_record(bytes, &record);
    if (!is_event(&record)) {
        self->counts.n_others++;
        return 0;
    }
    self->counts.n_events++;
    return put_fragment(self, &record);
}

typedef int convert_entry(struct conversion *self, struct ftri_view bytes);

/* A message of origin, entries and schema URL, as field `number`; none of it without an event. */
static int convert_group(struct conversion *self, uint32_t number, struct ftri_view bytes,
                         convert_entry *convert)
{
    const size_t n_before = self->counts.n_events, start = self->out->len;
    struct ftri_wire_field field;
    size_t next = 0, mark;
    int r = ftri_wire_begin(self->out, number, &mark);
    while (r == 0 && ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD) {
        if (field.number == 2)
            r = convert(self, field.bytes);
        else if (field.number == 1 || field.number == 3)
            r = ftri_wire_put_bytes(self->out, field.number, field.bytes);
    }
    if (r == 0 && self->counts.n_events > n_before)
        return ftri_wire_end(self->out, mark);
    self->out->len = start;
    return r;
}

static int convert_scope(struct conversion *self, struct ftri_view bytes)
{
    return convert_group(self, 2, bytes, convert_record);
}

int ftri_otlp_log_events(struct ftri_view logs, uint64_t received_ns, struct ftri_bytes *ret_traces,
                         struct ftri_otlp_log_counts *ret_counts)
{
    struct conversion conversion = {.out = ret_traces, .received_ns = received_ns};
    const size_t before = ret_traces->len;
    struct ftri_wire_field field;
    size_t next = 0;
    int r = 0;
    while (r == 0 && ftri_wire_next(logs, &next, &field) == FTRI_WIRE_FIELD)
        if (field.number == 1)
            r = convert_group(&conversion, 1, field.bytes, convert_scope);
    if (r < 0) {
        ret_traces->len = before;
        return r;
    }
    *ret_counts = conversion.counts;
    return 0;
}
