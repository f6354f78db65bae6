/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans at their limits, with events, links and contexts, on two threads, to an exporter in memory:
 * what was started is delivered or counted, and what is delivered is whole. */
#include "library.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    SPANS = 100, /* each thread's */
    ATTRIBUTES = 8,
    EVENTS = 4,
    LINKS = 3,
    BEYOND = 2, /* set more than the limit allows by so many */
};

static void decorate(ftr_span span, const ftr_context *origin)
{
    char key[16], text[700];
    memset(text, 'v', sizeof text);
    for (int i = 0; i < ATTRIBUTES + BEYOND; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        ftr_span_set_str(span, ftr_str_from(key), (ftr_str){text, sizeof text});
    }
    const ftr_value items[] = {ftr_value_i64(1), ftr_value_bool(true)};
    const ftr_attribute list = {FTR_STR("list"), ftr_value_array(items, 2)};
    for (int i = 0; i < EVENTS + BEYOND; i++)
        ftr_span_event(span, FTR_STR("event"), &list, 1);
    for (int i = 0; i < LINKS + BEYOND; i++)
        ftr_span_link(span, origin, &list, 1);
}

static void *record(void *argument)
{
    (void)argument;
    ftr_field fields[] = {
        {FTR_STR("traceparent"),
         FTR_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
        {FTR_STR("tracestate"), FTR_STR("vendor=some-opaque-value,other=1")},
        {FTR_STR("baggage"), FTR_STR("customer=7,region=north;kept")},
    };
    ftr_field_list headers = {.fields = fields, .n_fields = FTRI_COUNT(fields)};
    ftr_context origin = ftr_extract(&ftr_http_carrier, &headers);
    const ftr_attachment outer = ftr_attach(&origin);
    for (int i = 0; i < SPANS; i++) {
        const ftr_span span = ftr_span_start(FTR_STR("work"), FTR_KIND_INTERNAL, NULL);
        ftr_context context = ftr_span_context_of(span);
        const ftr_attachment inner = ftr_attach(&context);
        decorate(span, &origin);
        ftr_detach(inner);
        ftr_context_release(&context);
        ftr_span_end(span);
    }
    ftr_detach(outer);
    ftr_context_release(&origin);
    return NULL;
}

static void record_on_two_threads(void)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, record, NULL) == 0);
    record(NULL);
    pthread_join(thread, NULL);
}

/* Each span is as large as its limits, whatever failed: no part of one is ever lost unseen. */
static void check_span(const ftr_span_data *span)
{
    EXPECT(span->n_attributes == ATTRIBUTES && span->n_dropped_attributes == BEYOND);
    EXPECT(span->n_events == EVENTS && span->n_dropped_events == BEYOND);
    EXPECT(span->n_links == LINKS && span->n_dropped_links == BEYOND);
    EXPECT(span->name.len == 4 && memcmp(span->name.data, "work", 4) == 0);
    for (size_t i = 0; i < span->n_attributes; i++)
        EXPECT(span->attributes[i].value.as.str.len == 700);
    EXPECT(span->events[EVENTS - 1].attributes[0].value.as.array.n_items == 2);
    EXPECT(span->links[0].context.span_id.bytes[0] == 0xb7);
}

static void check(const struct library *self, bool is_whole)
{
    const ftr_statistics *s = &self->statistics;
    (void)is_whole;
    if (self->status != FTR_OK)
        return;
    EXPECT_THAT(s->started + s->no_slot == 2 * SPANS, "started %llu", (long long)s->started);
    EXPECT(s->open == 0);
    EXPECT(s->dropped_attributes == s->started * BEYOND && s->dropped_links == s->started * BEYOND);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(self->spans, i, &span); i++)
        check_span(&span);
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    static const ftr_attribute resource = {
        {"host.name", 9},
        {.type = FTR_VALUE_STR, .as.str = {"here", 4}},
    };
    (void)exporters;
    config->resource = &resource;
    config->n_resource = 1;
    config->batch_bytes = 64 * 1024;
    config->limits.attributes = ATTRIBUTES;
    config->limits.events = EVENTS;
    config->limits.links = LINKS;
}

void torture_run(void)
{
    static const struct library_use use = {.configure = configure,
                                           .act = record_on_two_threads,
                                           .check = check,
                                           .n_delivered = (size_t)2 * SPANS};
    library_run(&use);
}
