/* SPDX-License-Identifier: Apache-2.0
 *
 * User spans of two customers on two threads, to an exporter in memory: what was started is
 * delivered or counted, and what is delivered is with its customer. */
#include "torture.h"

#include <flowtrace/flowtrace.h>
#include <pthread.h>
#include <string.h>

enum { TRACES = 20, CHILDREN = 5, SPANS = 2 * TRACES * (CHILDREN + 1) };
static const uint64_t DEADLINE_NS = UINT64_C(60) * 1000 * 1000 * 1000;

static void record_trace(ftr_str customer)
{
    const ftr_routing routing = ftr_text_routing_of(&customer);
    const ftr_span root = ftr_user_trace_start(FTR_STR("root"), &routing, NULL);
    ftr_context context = ftr_span_context_of(root);
    ftr_span_set_str(root, FTR_STR("who"), customer);
    const ftr_attachment attachment = ftr_attach(&context);
    for (int i = 0; i < CHILDREN; i++) {
        const ftr_dual_span both =
            ftr_dual_span_start(FTR_STR("child of both"), FTR_KIND_INTERNAL, &context);
        ftr_span_set_str(both.user, FTR_STR("who"), customer);
        ftr_dual_span_end(both);
    }
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(root);
}

static void *record(void *argument)
{
    for (int i = 0; i < TRACES; i++)
        record_trace(ftr_str_from(argument));
    return NULL;
}

static void record_on_two_threads(void)
{
    static char one[] = "customer one", two[] = "customer two";
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, record, one) == 0);
    record(two);
    pthread_join(thread, NULL);
}

static ftr_statistics counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_user_statistics(&statistics);
    return statistics;
}

/* A root that found no room for its routing, or no slot, has no children. */
static void check(const ftr_statistics *s, ftr_memory_spans *spans, bool has_failed)
{
    const ftr_exporter_statistics *e = &s->exporters[0];
    EXPECT(s->started == s->ended && s->open == 0);
    EXPECT(s->ended == s->recorded + s->lost_journal_full);
    EXPECT(s->recorded ==
           e->delivered + e->lost_queue_full + e->lost_export + e->queued + s->lost_no_routing);
    EXPECT_THAT(e->delivered == ftr_memory_spans_count(spans), "delivered %llu",
                (long long)e->delivered);
    EXPECT_THAT(has_failed || e->delivered == SPANS, "delivered %llu", (long long)e->delivered);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        const ftr_str who = span.attributes[0].value.as.str;
        const ftr_str routing = ftr_memory_spans_routing(spans, i);
        EXPECT(span.n_attributes == 1 && who.len == routing.len);
        EXPECT(memcmp(who.data, routing.data, who.len) == 0);
    }
}

static ftr_status start(ftr_memory_spans *spans, ftr_error *error)
{
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    ftr_config config = FTR_CONFIG_INIT;
    user.is_enabled = true;
    user.exporter = spans ? ftr_memory_exporter_new(spans) : NULL;
    config.user = &user;
    if (!user.exporter)
        return FTR_ERR_MEMORY;
    const ftr_status status = ftr_init(&config, error);
    if (status != FTR_OK)
        ftr_exporter_free(user.exporter); /* still ours */
    return status;
}

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
