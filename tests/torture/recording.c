/* SPDX-License-Identifier: Apache-2.0
 *
 * Spans at their limits, with events, links and contexts, on two threads, to an exporter in memory:
 * what was started is delivered or counted, and what is delivered is whole. */
#include "torture.h"

#include <flowtrace/flowtrace.h>
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
static const uint64_t DEADLINE_NS = UINT64_C(60) * 1000 * 1000 * 1000;

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

static ftr_statistics counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    return statistics;
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

static void check(const ftr_statistics *s, ftr_memory_spans *spans, bool has_failed)
{
    const ftr_exporter_statistics *e = &s->exporters[0];
    EXPECT_THAT(s->started + s->no_slot == 2 * SPANS, "started %llu", (long long)s->started);
    EXPECT(s->started == s->ended && s->open == 0);
    EXPECT(s->ended == s->recorded + s->lost_journal_full);
    EXPECT_THAT(s->recorded == e->delivered + e->lost_queue_full + e->lost_export && !e->queued,
                "recorded %llu, delivered %llu, lost %llu and %llu", (long long)s->recorded,
                (long long)e->delivered, (long long)e->lost_queue_full, (long long)e->lost_export);
    EXPECT(e->delivered == ftr_memory_spans_count(spans));
    EXPECT(has_failed || e->delivered == 2 * SPANS);
    EXPECT(s->dropped_attributes == s->started * BEYOND && s->dropped_links == s->started * BEYOND);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        check_span(&span);
}

static ftr_status start(ftr_memory_spans *spans, ftr_error *error)
{
    ftr_exporter *exporter = spans ? ftr_memory_exporter_new(spans) : NULL;
    if (!exporter)
        return FTR_ERR_MEMORY;
    const ftr_attribute resource = {FTR_STR("host.name"), ftr_value_str(FTR_STR("here"))};
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("torture");
    config.resource = &resource;
    config.n_resource = 1;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.batch_bytes = 64 * 1024;
    config.limits.attributes = ATTRIBUTES;
    config.limits.events = EVENTS;
    config.limits.links = LINKS;
    const ftr_status status = ftr_init(&config, error);
    if (status != FTR_OK) {
        EXPECT(counts().n_exporters == 0);
        ftr_exporter_free(exporter); /* still ours */
    }
    return status;
}

/* Nothing of a failure stays: the next session delivers everything. */
static void check_next_session(void)
{
    ftr_error error = {FTR_OK, ""};
    ftr_memory_spans *spans = ftr_memory_spans_new();
    EXPECT_THAT(start(spans, &error) == FTR_OK, "%s", error.text);
    record_on_two_threads();
    EXPECT(ftr_shutdown(DEADLINE_NS) == FTR_OK);
    const ftr_statistics statistics = counts();
    check(&statistics, spans, false);
    ftr_memory_spans_unref(spans);
}

void torture_run(void)
{
    torture_begin();
    ftr_error error = {FTR_OK, ""};
    ftr_memory_spans *spans = ftr_memory_spans_new();
    const ftr_status status = start(spans, &error);
    if (status == FTR_OK) {
        record_on_two_threads();
        EXPECT(ftr_flush(DEADLINE_NS) == FTR_OK);
    }
    torture_end();
    EXPECT_THAT(status == FTR_OK || torture_has_struck(), "%s", error.text);
    EXPECT(status == FTR_OK || status == FTR_ERR_MEMORY || status == FTR_ERR_IO);
    if (status == FTR_OK) {
        const ftr_statistics statistics = counts();
        check(&statistics, spans, torture_has_struck());
        EXPECT(ftr_shutdown(DEADLINE_NS) == FTR_OK);
    }
    ftr_memory_spans_unref(spans);
    check_next_session();
}
