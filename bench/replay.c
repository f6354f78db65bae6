/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include "trace/journal.h"
#include "trace/tail.h"
#include "trace/worker.h"

#include <flowtrace/flowtrace.h>
#include <stdlib.h>
#include <string.h>

static void put_attributes(ftr_span span, const ftr_attribute *attributes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const ftr_value *value = &attributes[i].value;
        if (value->type == FTR_VALUE_STR)
            ftr_span_set_str(span, attributes[i].key, value->as.str);
        else if (value->type == FTR_VALUE_I64)
            ftr_span_set_i64(span, attributes[i].key, value->as.i64);
        else
            ftr_span_set(span, attributes[i].key, value);
    }
}

enum { PLACES = 64, ATTRIBUTES_MAX = 40 };

/* A place in a program: spans of one name with attributes of the same keys. */
struct place {
    ftr_call_site site;
    ftr_keys keys;
    ftr_str names[ATTRIBUTES_MAX];
};

static bool has_keys(const struct place *place, const ftr_span_data *data)
{
    if (place->keys.n_keys != data->n_attributes)
        return false;
    for (size_t i = 0; i < data->n_attributes; i++)
        if (place->names[i].len != data->attributes[i].key.len ||
            memcmp(place->names[i].data, data->attributes[i].key.data, place->names[i].len) != 0)
            return false;
    return true;
}

/* Made when it is not there yet; NULL: this is not a payload of few places. */
static struct place *place_of(const ftr_span_data *data)
{
    static struct place places[PLACES];
    static size_t n_places;
    for (size_t i = 0; i < n_places; i++)
        if (places[i].site.name.len == data->name.len &&
            memcmp(places[i].site.name.data, data->name.data, data->name.len) == 0 &&
            places[i].site.kind == data->kind && has_keys(&places[i], data))
            return &places[i];
    if (n_places == PLACES || data->n_attributes > ATTRIBUTES_MAX)
        return NULL;
    struct place *place = &places[n_places++];
    place->site = (ftr_call_site){.kind = data->kind, .name = data->name};
    for (size_t i = 0; i < data->n_attributes; i++)
        place->names[i] = data->attributes[i].key;
    place->keys = (ftr_keys){0, (uint32_t)data->n_attributes, place->names};
    return place;
}

static void put_values(ftr_span span, struct place *place, const ftr_span_data *data)
{
    ftr_value values[ATTRIBUTES_MAX];
    for (size_t i = 0; i < data->n_attributes; i++)
        values[i] = data->attributes[i].value;
    ftr_span_set_values(span, &place->keys, values);
}

static void fill(ftr_span span, struct place *place, const ftr_span_data *data)
{
    if (place)
        put_values(span, place, data);
    else
        put_attributes(span, data->attributes, data->n_attributes);
    for (size_t i = 0; i < data->n_events; i++)
        ftr_span_event(span, data->events[i].name, data->events[i].attributes,
                       data->events[i].n_attributes);
    for (size_t i = 0; i < data->n_links; i++) {
        const ftr_context context = {.span = data->links[i].context};
        ftr_span_link(span, &context, data->links[i].attributes, data->links[i].n_attributes);
    }
    if (data->status != FTR_SPAN_UNSET)
        ftr_span_set_status(span, data->status, data->status_description);
}

/* The place of a span's parent in its trace. */
static size_t parent_place(const ftr_span_data *trace, size_t i)
{
    size_t parent = 0;
    while (memcmp(&trace[parent].context.span_id, &trace[i].parent_span_id, 8) != 0)
        parent++;
    return parent;
}

/* Ends in the payload's order. The first is a root, since nothing is current. */
static void replay_trace(const ftr_span_data *trace, ftr_span_data *expected, bool has_sites)
{
    ftr_span spans[PAYLOAD_TRACE_SPANS];
    ftr_context contexts[PAYLOAD_TRACE_SPANS];
    for (size_t i = 0; i < PAYLOAD_TRACE_SPANS; i++) {
        const size_t parent = i ? parent_place(trace, i) : 0;
        const ftr_context *below = i ? &contexts[parent] : NULL;
        struct place *place = has_sites ? place_of(&trace[i]) : NULL;
        spans[i] = place ? ftr_span_start_site(&place->site, below)
                         : ftr_span_start(trace[i].name, trace[i].kind, below);
        contexts[i] = ftr_span_context_of(spans[i]);
        fill(spans[i], place, &trace[i]);
        expected[i] = trace[i];
        expected[i].context = contexts[i].span;
        if (i)
            expected[i].parent_span_id = contexts[parent].span.span_id;
    }
    for (size_t i = 0; i < PAYLOAD_TRACE_SPANS; i++) {
        ftr_span_end(spans[i]);
        ftr_context_release(&contexts[i]);
    }
}

static size_t take_records(struct ftri_thread *thread, struct ftri_bytes *out)
{
    const uint64_t head = atomic_load(&thread->journal_head);
    uint64_t position = atomic_load(&thread->journal_tail);
    size_t n = 0;
    for (const struct ftri_record *record; (record = ftri_journal_read(thread, head, &position));
         n++) {
        payload_check(record->block ? -1 : 0, "a record with a trace state");
        payload_check(ftri_bytes_append(out, record, record->size), "copying a record");
    }
    ftri_journal_consume(thread, position);
    return n;
}

void replay_init(struct replay *self, const struct payload *payload, bool has_sites)
{
    *self = (struct replay){.n_spans = payload->n_spans};
    ftri_bytes_init(&self->records, SIZE_MAX / 2);
    self->expected = calloc(payload->n_spans, sizeof *self->expected);
    payload_check(self->expected ? 0 : -1, "memory for a replay");
    payload_check(ftr_flush(UINT64_C(10000000000)) == FTR_OK ? 0 : -1, "flushing");
    ftri_worker_stop(0);
    for (size_t i = 0; i < payload->n_spans; i += PAYLOAD_TRACE_SPANS)
        replay_trace(payload->spans + i, self->expected + i, has_sites);
    size_t n = 0;
    for (uint32_t i = 0; i < atomic_load(&ftri_n_threads); i++)
        n += take_records(atomic_load(&ftri_threads[i]), &self->records);
    payload_check(n == payload->n_spans ? 0 : -1, "records are missing");
    static const struct ftri_tail_settings tail; /* in FTR_MODE_FULL it is not looked at */
    payload_check(ftri_worker_start(NULL, 0, &tail), "starting the worker again");
}

void replay_deinit(struct replay *self)
{
    ftri_bytes_deinit(&self->records);
    free(self->expected);
}
