/* SPDX-License-Identifier: Apache-2.0
 *
 * User spans of two customers on two threads, to an exporter in memory: what was started is
 * delivered or counted, and what is delivered is with its customer; the operator's likewise. */
#include "library.h"

#include <pthread.h>
#include <string.h>

enum { TRACES = 20, CHILDREN = 5, SPANS = 2 * TRACES * (CHILDREN + 1) };
static ftr_memory_spans *users; /* of the session that runs */
static ftr_user_config user;

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

/* A root that found no room for its routing, or no slot, has no children. */
static void check_users(bool is_whole)
{
    ftr_statistics s = {.size = sizeof s};
    ftr_get_user_statistics(&s);
    const ftr_exporter_statistics *e = &s.exporters[0];
    EXPECT(s.started == s.ended && s.open == 0);
    EXPECT(s.ended == s.recorded + s.lost_journal_full);
    EXPECT(s.recorded ==
           e->delivered + e->lost_queue_full + e->lost_export + e->queued + s.lost_no_routing);
    EXPECT_THAT(e->delivered == ftr_memory_spans_count(users), "delivered %llu",
                (long long)e->delivered);
    EXPECT_THAT(!is_whole || e->delivered == SPANS, "delivered %llu", (long long)e->delivered);
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(users, i, &span); i++) {
        const ftr_str who = span.attributes[0].value.as.str;
        const ftr_str routing = ftr_memory_spans_routing(users, i);
        EXPECT(span.n_attributes == 1 && who.len == routing.len);
        EXPECT(memcmp(who.data, routing.data, who.len) == 0);
    }
}

static void check(const struct library *self, bool is_whole)
{
    if (self->status == FTR_OK && user.is_enabled)
        check_users(is_whole);
    if (self->status != FTR_OK)
        ftr_exporter_free(user.exporter); /* still ours */
    ftr_memory_spans_unref(users);
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    (void)exporters;
    user = FTR_USER_CONFIG_INIT;
    users = ftr_memory_spans_new();
    user.exporter = users ? ftr_memory_exporter_new(users) : NULL;
    user.is_enabled = user.exporter != NULL;
    config->user = &user;
}

void torture_run(void)
{
    static const struct library_use use = {.configure = configure,
                                           .act = record_on_two_threads,
                                           .check = check,
                                           .n_delivered = (size_t)2 * TRACES * CHILDREN};
    library_run(&use);
}
