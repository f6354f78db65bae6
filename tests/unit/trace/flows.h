/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of tail sampling share: sessions in FTR_MODE_TAIL, flows, waiting for verdicts,
 * and the accounts. */
#pragma once

#include "sampled.h"

#include <unistd.h>

static inline ftr_config tail_config_of(const ftr_tail_config *tail)
{
    ftr_config config = config_of("", "");
    config.has_mode = true;
    config.mode = FTR_MODE_TAIL;
    config.tail = tail;
    return config;
}

static inline void start_tail(const ftr_tail_config *tail)
{
    ftr_config config = tail_config_of(tail);
    start(&config);
}

/* Nothing but what the test asks for. */
static inline ftr_tail_config keep_nothing(void)
{
    return (ftr_tail_config){.size = sizeof(ftr_tail_config)};
}

/* recorded + pending = delivered + ... + sampled_out + waiting, for each exporter. */
static inline void assert_accounts(void)
{
    const ftr_statistics s = counts();
    assert_int_equal(s.started, s.ended + s.open);
    assert_int_equal(s.ended, s.recorded + s.lost_journal_full);
    for (size_t i = 0; i < s.n_exporters; i++) {
        const ftr_exporter_statistics *e = &s.exporters[i];
        assert_int_equal(s.recorded + s.pending, e->delivered + e->rejected + e->lost_queue_full +
                                                     e->lost_export + e->queued + s.sampled_out +
                                                     s.waiting);
    }
    uint64_t n_kept = 0;
    for (size_t i = 0; i < FTR_TAIL_REASONS; i++)
        n_kept += s.tail_kept[i];
    assert_int_equal(n_kept + s.tail_dropped,
                     s.tail_by_end + s.tail_by_age + s.tail_by_budget + s.tail_by_order);
}

/* Until nothing waits, on the real clock. */
static inline void wait_for_verdicts(void)
{
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    for (int i = 0; i < 60000 && counts().waiting > 0; i++)
        usleep(1000);
    assert_int_equal(counts().waiting, 0);
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    assert_accounts();
}

/* A flow that is being recorded: its local root is current. */
struct flow {
    ftr_span root;
    ftr_context context;
    ftr_attachment attachment;
};

/* parent NULL: a new trace, whatever is current. */
static inline struct flow begin_flow(const ftr_context *parent)
{
    struct flow flow;
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("root"),
                                      .kind = FTR_KIND_SERVER,
                                      .is_root = !parent,
                                      .parent = parent};
    flow.root = ftr_span_start_with(&options);
    flow.context = ftr_span_context_of(flow.root);
    flow.attachment = ftr_attach(&flow.context);
    return flow;
}

static inline void end_flow(struct flow *flow)
{
    ftr_detach(flow->attachment);
    ftr_span_end(flow->root);
    ftr_context_release(&flow->context);
}

static inline void add_child(const char *name)
{
    ftr_span_end(ftr_span_start(ftr_str_from(name), FTR_KIND_INTERNAL, NULL));
}

/* Three spans. */
static inline ftr_trace_id plain_flow(void)
{
    struct flow flow = begin_flow(NULL);
    const ftr_trace_id id = flow.context.span.trace_id;
    add_child("a");
    add_child("b");
    end_flow(&flow);
    return id;
}

static inline size_t n_exported_of(const ftr_trace_id *id)
{
    ftr_span_data span;
    size_t n = 0;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++)
        n += memcmp(&span.context.trace_id, id, sizeof *id) == 0;
    return n;
}

/* "": it has none. */
static inline void assert_vote(const ftr_trace_id *id, const char *name, const char *expected)
{
    ftr_span_data span;
    bool is_found = false;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        if (memcmp(&span.context.trace_id, id, sizeof *id) != 0 || span.name.len != strlen(name) ||
            memcmp(span.name.data, name, span.name.len) != 0)
            continue;
        ftr_str vote = {"", 0};
        for (size_t k = 0; k < span.n_attributes; k++)
            if (span.attributes[k].key.len == 13 &&
                memcmp(span.attributes[k].key.data, "ftr.tail.vote", 13) == 0)
                vote = span.attributes[k].value.as.str;
        assert_text(vote, expected);
        is_found = true;
    }
    assert_true(is_found);
}
