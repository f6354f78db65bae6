/* SPDX-License-Identifier: Apache-2.0
 *
 * A sampler of the program's that writes a tracestate, a limit on new traces, spans that say their
 * own ratio: what is dropped is recorded all the same, and what is exported was meant to be. */
#include "library.h"

#include <flowtrace/sampler.h>
#include <string.h>

enum { ROOTS = 60, PER_SECOND = 1000 };

static ftr_decision decide(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate)
{
    static const char state[] = "sampler=took";
    (void)instance;
    if (question->trace_id.bytes[15] % 2 == 0)
        return FTR_DECISION_DROP;
    memcpy(question->room, state, sizeof state - 1);
    *tracestate = (ftr_str){question->room, sizeof state - 1};
    return FTR_DECISION_SAMPLE;
}

static const ftr_sampler_class sampler = {.size = sizeof sampler, .name = "odd", .decide = decide};

static void record_root(int i)
{
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("root"),
                                      .is_root = true,
                                      .has_sampling_ratio = i % 3 == 0,
                                      .sampling_ratio = i % 2};
    const ftr_span root = ftr_span_start_with(&options);
    ftr_context here = ftr_span_context_of(root);
    ftr_span_end(ftr_span_start(FTR_STR("below"), FTR_KIND_INTERNAL, &here));
    ftr_context_release(&here);
    ftr_span_end(root);
}

static void act(void)
{
    for (int i = 0; i < ROOTS; i++)
        record_root(i);
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    (void)exporters;
    config->sampler_class = &sampler;
    config->max_traces_per_second = PER_SECOND;
    config->records_dropped = true;
}

static void check(const struct library *self, bool is_whole)
{
    const ftr_statistics *s = &self->statistics;
    ftr_span_data span;
    for (size_t i = 0; self->status == FTR_OK && ftr_memory_spans_get(self->spans, i, &span); i++)
        EXPECT(span.context.trace_flags & FTR_TRACE_FLAG_SAMPLED);
    EXPECT(!is_whole || (s->started == 2 * ROOTS && s->roots_dropped == 0));
    EXPECT(!is_whole || s->sampled_out == 2 * s->roots_recorded);
}

void torture_run(void)
{
    static const struct library_use use = {.configure = configure, .act = act, .check = check};
    library_run(&use);
}
