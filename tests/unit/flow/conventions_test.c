/* SPDX-License-Identifier: Apache-2.0
 *
 * What a visit leaves by each convention, and how one is chosen. Expected names are those of the
 * projects' own documents and sources:
 *   otelcol       otel-arrow docs/telemetry/tracing-draft-not-for-review.md
 *   numaflow-1.8  rust/numaflow-core/src/shared/otel.rs: span names, kinds, common attributes
 *   reflow        its collector's OTLP export: "<EventType>:<actor>", reflow.* */
#include "recorded.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const receiver_type = "receiver/otlp", *const processor_type = "processor/map",
                         *const batch_type = "processor/batch",
                         *const exporter_type = "exporter/http";

static ftr_node *node_by(const char *conventions, const char *type, ftr_node_kind kind)
{
    const ftr_node_options options = {
        .size = sizeof options,
        .id = FTR_STR("n-1"),
        .type = ftr_str_from(type),
        .kind = kind,
        .pipeline = FTR_STR("main"),
        .is_stateful = type == batch_type,
        .conventions = ftr_str_from(conventions),
    };
    ftr_node *const node = ftr_node_new(&options);
    assert_non_null(node);
    return node;
}

static ftr_span_data only_span(void)
{
    ftr_span_data span;
    assert_int_equal(ftr_flush(10 * SECONDS_NS), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 1);
    assert_true(ftr_memory_spans_get(spans, 0, &span));
    return span;
}

/* The way to the span: at a channel below a sampled visit, elsewhere, below one that is not
 * sampled, with a sampled contributor that comes late; and there because the sampler takes it all
 * the same. */
enum way { USUAL, ROOT, LATE, N_WAYS, TAKEN };

static void visit_by(const ftr_node *node, enum way way, ftr_outcome outcome)
{
    ftr_hop input = hop_from(1, way == USUAL), later = hop_from(2, true), sent;
    ftr_arrival arrival = arrival_of(7);
    ftr_visit visit;
    input.context.span.is_remote = way == TAKEN;
    input.sent_ns = 1;
    input.n_hops = 3;
    ftr_memory_spans_reset(spans);
    ftr_visit_start(&visit, node, &input, way == ROOT ? 0 : 1, &arrival);
    if (way == LATE)
        ftr_visit_add_input(&visit, &later);
    ftr_visit_emit(&visit, FTR_STR("main"), 7, 70, &sent);
    ftr_hop_release(&sent);
    ftr_visit_end(&visit, outcome, FTR_STR(""));
}

static ftr_node *generation_of(uint64_t generation, const char *conventions)
{
    const ftr_node_options options = {
        .size = sizeof options,
        .id = FTR_STR("n-1"),
        .type = FTR_STR("exporter/http"),
        .kind = FTR_NODE_EXPORTER,
        .conventions = ftr_str_from(conventions),
        .has_loop = true,
        .loop = 3,
        .generation = generation,
    };
    ftr_node *const node = ftr_node_new(&options);
    assert_non_null(node);
    return node;
}

/* node: NULL, then on loop 2. */
static void act_at(const ftr_node *node, uint64_t generation)
{
    ftr_control control;
    ftr_control_start(&control, &(ftr_control_options){.size = sizeof(ftr_control_options),
                                                       .name = FTR_STR("control/shutdown"),
                                                       .node = node,
                                                       .generation = generation,
                                                       .has_loop = !node,
                                                       .loop = 2});
    ftr_control_end(&control, FTR_OUTCOME_SUCCESS, FTR_STR(""));
}

struct expected {
    const char *key, *text;
};

struct visit_case {
    const char *conventions;
    const char *const *type;
    ftr_node_kind kind;
    ftr_outcome outcome;
    const char *name;
    ftr_span_kind span_kind;
    struct expected texts[12];
    const char *absent[8];
};

static const struct visit_case cases[] = {
    {"otelcol",
     &batch_type,
     FTR_NODE_PROCESSOR,
     FTR_OUTCOME_SUCCESS,
     "processor/batch/n-1",
     FTR_KIND_INTERNAL,
     {{"otelcol.component.id", "n-1"},
      {"otelcol.component.kind", "processor"},
      {"otelcol.signal", "logs"},
      {"otelcol.pipeline.id", "main"},
      {"otelcol.component.outcome", "success"},
      {"out.port", "main"}},
     {"node.id", "node.type", "signal.type", "flow.pipeline", "flow.outcome", "error"}},
    {"OTelCol",
     &exporter_type,
     FTR_NODE_EXPORTER,
     FTR_OUTCOME_FAILURE,
     "exporter/http/n-1",
     FTR_KIND_CLIENT,
     {{"otelcol.component.kind", "exporter"},
      {"otelcol.component.outcome", "failure"},
      {"error", "failure"}},
     {"flow.outcome"}},
    {"otelcol",
     &receiver_type,
     FTR_NODE_RECEIVER,
     FTR_OUTCOME_REFUSED,
     "receiver/otlp/n-1",
     FTR_KIND_CONSUMER,
     {{"otelcol.component.kind", "receiver"},
      {"otelcol.component.outcome", "refused"},
      {"error", "refused"}},
     {"flow.outcome"}},
    {"numaflow-1.8",
     &receiver_type,
     FTR_NODE_RECEIVER,
     FTR_OUTCOME_SUCCESS,
     "numaflow.pipeline.source.dispatch",
     FTR_KIND_CONSUMER,
     {{"messaging.system", "numaflow"},
      {"messaging.operation.name", "source.dispatch"},
      {"numaflow.topology", "pipeline"},
      {"numaflow.pipeline.name", "main"},
      {"numaflow.vertex.name", "n-1"},
      {"node.type", "receiver/otlp"}},
     {"node.id", "flow.pipeline"}},
    {"numaflow-1.8",
     &processor_type,
     FTR_NODE_PROCESSOR,
     FTR_OUTCOME_SUCCESS,
     "numaflow.pipeline.map",
     FTR_KIND_CLIENT,
     {{"messaging.system", "numaflow"},
      {"messaging.operation.name", "map"},
      {"numaflow.topology", "pipeline"}},
     {"node.id"}},
    {"numaflow-1.8",
     &exporter_type,
     FTR_NODE_EXPORTER,
     FTR_OUTCOME_SUCCESS,
     "numaflow.pipeline.sink.write",
     FTR_KIND_CLIENT,
     {{"messaging.operation.name", "sink.write"}, {"numaflow.vertex.name", "n-1"}},
     {"node.id"}},
    {"numaflow-1.8",
     &batch_type,
     FTR_NODE_PROCESSOR,
     FTR_OUTCOME_SUCCESS,
     "processor/batch/n-1",
     FTR_KIND_INTERNAL,
     {{"messaging.system", "numaflow"}, {"numaflow.topology", "pipeline"}},
     {"messaging.operation.name"}},
    {"reflow",
     &processor_type,
     FTR_NODE_PROCESSOR,
     FTR_OUTCOME_SUCCESS,
     "ActorCompleted:n-1",
     FTR_KIND_INTERNAL,
     {{"reflow.actor_id", "n-1"},
      {"reflow.flow_id", "main"},
      {"reflow.port", "main"},
      {"reflow.message.type", "logs"},
      {"reflow.event_type", "ActorCompleted"}},
     {"node.id", "out.port", "flow.outcome", "error"}},
    {"reflow",
     &exporter_type,
     FTR_NODE_EXPORTER,
     FTR_OUTCOME_REFUSED,
     "ActorFailed:n-1",
     FTR_KIND_INTERNAL,
     {{"reflow.event_type", "ActorFailed"}, {"flow.outcome", "refused"}, {"error", "refused"}},
     {"node.id"}},
    {"foundations-5.8",
     &batch_type,
     FTR_NODE_PROCESSOR,
     FTR_OUTCOME_SUCCESS,
     "processor/batch/n-1",
     FTR_KIND_INTERNAL,
     {{"node.id", "n-1"}, {"flow.outcome", "success"}},
     {"messaging.system"}},
    {"krishiv",
     &batch_type,
     FTR_NODE_PROCESSOR,
     FTR_OUTCOME_FAILURE,
     "processor/batch/n-1",
     FTR_KIND_INTERNAL,
     {{"node.id", "n-1"}, {"flow.outcome", "failure"}},
     {"otelcol.signal"}},
};

static void assert_case(const struct visit_case *expected, enum way way)
{
    ftr_node *const node = node_by(expected->conventions, *expected->type, expected->kind);
    visit_by(node, way, expected->outcome);
    const ftr_span_data span = only_span();
    if (!is_text(span.name, expected->name) || span.kind != expected->span_kind)
        fail_msg("%s, way %d: '%.*s', kind %d", expected->name, (int)way, (int)span.name.len,
                 span.name.data, (int)span.kind);
    for (size_t i = 0; expected->texts[i].key; i++)
        assert_str(attribute(&span, expected->texts[i].key), expected->texts[i].text);
    for (size_t i = 0; expected->absent[i]; i++)
        assert_null(attribute(&span, expected->absent[i]));
    assert_i64(attribute(&span, "pdata.batch.size"), 7);
    assert_non_null(attribute(&span, "stateful"));
    ftr_node_free(node);
}

static void test_a_visit_by_each_convention(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(cases); i++)
        for (int way = 0; way < N_WAYS; way++)
            assert_case(&cases[i], (enum way)way);
}

/* By otelcol as that project's engine has it on its own telemetry: deployment.generation. */
static void test_visits_and_actions_tell_generation_and_loop(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"flowtrace", "flow.generation"},
                                          {"otelcol", "deployment.generation"},
                                          {"numaflow-1.8", "flow.generation"},
                                          {"reflow", "flow.generation"}};
    for (size_t i = 0; i < FTRI_COUNT(rows) * N_WAYS; i++) {
        const char *const *const row = rows[i / N_WAYS];
        ftr_node *const node = generation_of(7, row[0]);
        visit_by(node, (enum way)(i % N_WAYS), FTR_OUTCOME_SUCCESS);
        const ftr_span_data visit = only_span();
        assert_i64(attribute(&visit, row[1]), 7);
        assert_i64(attribute(&visit, "flow.loop"), 3);
        ftr_memory_spans_reset(spans);
        act_at(node, 0);
        const ftr_span_data action = only_span();
        assert_i64(attribute(&action, "flow.generation"), 7);
        assert_i64(attribute(&action, "flow.loop"), 3);
        ftr_node_free(node);
    }
    ftr_memory_spans_reset(spans);
    act_at(NULL, 8);
    const ftr_span_data whole = only_span();
    assert_i64(attribute(&whole, "flow.generation"), 8);
    assert_i64(attribute(&whole, "flow.loop"), 2);
    visit_by(processor, USUAL, FTR_OUTCOME_SUCCESS);
    const ftr_span_data none = only_span();
    assert_null(attribute(&none, "flow.generation"));
    ftr_memory_spans_reset(spans);
    act_at(processor, 0);
    const ftr_span_data alone = only_span();
    assert_null(attribute(&alone, "flow.loop"));
}

/* Events, by the convention: drop, with the span's own attribute; backpressure; a second emit. */
static void test_events_by_each_convention(void **state)
{
    (void)state;
    static const struct {
        const char *conventions, *drop, *reason, *backpressure, *emit;
    } rows[] = {
        {"flowtrace", "flow.drop", "no_route", "backpressure", "emit"},
        {"otelcol", "otelcol.node.drop", "no_route", "otelcol.channel.backpressure",
         "otelcol.channel.send.complete"},
        {"numaflow-1.8", "message.dropped", "forwarding-rules-not-met", "backpressure", "emit"},
        {"reflow", "flow.drop", "no_route", "backpressure", "MessageSent"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        ftr_node *const node = node_by(rows[i].conventions, processor_type, FTR_NODE_PROCESSOR);
        ftr_visit visit;
        ftr_hop sent;
        ftr_memory_spans_reset(spans);
        ftr_visit_start(&visit, node, NULL, 0, NULL);
        ftr_visit_drop(&visit, FTR_DROP_NO_ROUTE, 1);
        ftr_visit_blocked(&visit, 1000000);
        for (int n = 0; n < 2; n++) {
            ftr_visit_emit(&visit, FTR_STR("main"), 1, 1, &sent);
            ftr_hop_release(&sent);
        }
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
        const ftr_span_data span = only_span();
        assert_int_equal(span.n_events, 3);
        assert_true(is_text(span.events[0].name, rows[i].drop));
        assert_true(is_text(span.events[1].name, rows[i].backpressure));
        assert_true(is_text(span.events[2].name, rows[i].emit));
        assert_str(find(span.events[0].attributes, span.events[0].n_attributes, "drop.reason"),
                   rows[i].reason);
        assert_str(attribute(&span, "drop.reason"), rows[i].reason);
        ftr_node_free(node);
    }
}

static void test_words_for_engines(void **state)
{
    (void)state;
    ftr_node *const node = node_by("otelcol", batch_type, FTR_NODE_PROCESSOR);
    assert_true(is_text(ftr_node_word(node, FTR_STR("control/ack")), "otelcol.node.ack"));
    assert_true(is_text(ftr_node_word(node, FTR_STR("node.id")), "otelcol.component.id"));
    assert_true(is_text(ftr_node_word(node, FTR_STR("latency.ms")), "latency.ms"));
    assert_true(is_text(ftr_node_word(node, FTR_STR("cache_miss")), "cache_miss"));
    assert_true(is_text(ftr_node_word(processor, FTR_STR("control/ack")), "control/ack"));
    assert_true(is_text(ftr_node_word(NULL, FTR_STR("control/ack")), "control/ack"));
    ftr_memory_spans_reset(spans);
    const ftr_span span = ftr_span_start(FTR_STR("control/drain"), FTR_KIND_INTERNAL, NULL);
    ftr_node_annotate(node, span);
    ftr_node_annotate(NULL, span);
    ftr_span_end(span);
    const ftr_span_data about = only_span();
    assert_int_equal(about.n_attributes, 2);
    assert_str(attribute(&about, "otelcol.component.id"), "n-1");
    assert_str(attribute(&about, "otelcol.component.kind"), "processor");
    ftr_node_free(node);
}

static char diagnostics[1024];

static void keep_diagnostic(void *argument, const char *text)
{
    (void)argument;
    snprintf(diagnostics + strlen(diagnostics), sizeof diagnostics - strlen(diagnostics), "%s\n",
             text);
}

static void start_with(const char *conventions, const char *sampler)
{
    ftr_exporter *const memory = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &memory;
    config.n_exporters = 1;
    config.conventions = ftr_str_from(conventions);
    config.sampler = ftr_str_from(sampler);
    config.on_diagnostic = keep_diagnostic;
    diagnostics[0] = '\0';
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
}

static void assert_id_key(const ftr_node *node, const char *key)
{
    visit_by(node, ROOT, FTR_OUTCOME_SUCCESS);
    const ftr_span_data span = only_span();
    assert_str(attribute(&span, key), "n-1");
}

/* The node's own before the session's before the variable's, which counts while there is no
 * session; ftr_init says which nodes came too early for it. */
static void test_who_chooses(void **state)
{
    (void)state;
    assert_int_equal(ftr_shutdown(10 * SECONDS_NS), FTR_OK);
    setenv("FLOWTRACE_CONVENTIONS", "OTELCOL", 1);
    ftr_node *const early = node_by("", batch_type, FTR_NODE_PROCESSOR);
    ftr_node *const sure = node_by("flowtrace", batch_type, FTR_NODE_PROCESSOR);
    start_with("reflow", "");
    assert_string_equal(diagnostics, "conventions: 1 node made before ftr_init keeps the names of "
                                     "otelcol, not those of reflow\n");
    assert_id_key(early, "otelcol.component.id");
    assert_id_key(sure, "node.id");
    ftr_node *const late = node_by("", batch_type, FTR_NODE_PROCESSOR);
    ftr_node *const wrong = node_by("otelkol", batch_type, FTR_NODE_PROCESSOR);
    assert_id_key(late, "reflow.actor_id");
    assert_id_key(wrong, "reflow.actor_id");
    assert_non_null(strstr(diagnostics, "the conventions of a node: ignored, 'otelkol' is not "
                                        "known; did you mean 'otelcol'?"));
    assert_int_equal(ftr_shutdown(10 * SECONDS_NS), FTR_OK);
    ftr_node *const next = node_by("", batch_type, FTR_NODE_PROCESSOR);
    start_with("", "");
    assert_string_equal(diagnostics, "");
    assert_id_key(next, "otelcol.component.id");
    unsetenv("FLOWTRACE_CONVENTIONS");
    ftr_node *const all[] = {early, sure, late, wrong, next};
    for (size_t i = 0; i < FTRI_COUNT(all); i++)
        ftr_node_free(all[i]);
}

static void test_a_visit_that_the_sampler_takes(void **state)
{
    (void)state;
    assert_int_equal(ftr_shutdown(10 * SECONDS_NS), FTR_OK);
    start_with("", "always_on");
    for (size_t i = 0; i < FTRI_COUNT(cases); i++)
        assert_case(&cases[i], TAKEN);
    assert_int_equal(ftr_shutdown(10 * SECONDS_NS), FTR_OK);
    start_with("", "");
}

static void test_checking_a_name(void **state)
{
    (void)state;
    ftr_error error;
    assert_int_equal(ftr_convention_check(FTR_STR("Numaflow-1.8"), &error), FTR_OK);
    assert_int_equal(ftr_convention_check(FTR_STR("numaflow"), NULL), FTR_ERR_INVALID);
    assert_int_equal(ftr_convention_check(FTR_STR(""), NULL), FTR_ERR_INVALID);
    assert_int_equal(ftr_convention_check(FTR_STR("reflows"), &error), FTR_ERR_INVALID);
    assert_int_equal(error.status, FTR_ERR_INVALID);
    assert_string_equal(error.text, "'reflows' is not known; did you mean 'reflow'?");
}

/* A program that was built before there were conventions. */
static void test_options_of_an_older_size(void **state)
{
    (void)state;
    ftr_node_options options = {.id = FTR_STR("n-1"), .conventions = FTR_STR("otelcol")};
    options.size = offsetof(ftr_node_options, conventions);
    ftr_node *const node = ftr_node_new(&options);
    assert_id_key(node, "node.id");
    ftr_node_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_visit_by_each_convention),
        cmocka_unit_test(test_a_visit_that_the_sampler_takes),
        cmocka_unit_test(test_visits_and_actions_tell_generation_and_loop),
        cmocka_unit_test(test_events_by_each_convention),
        cmocka_unit_test(test_words_for_engines),
        cmocka_unit_test(test_checking_a_name),
        cmocka_unit_test(test_options_of_an_older_size),
        cmocka_unit_test(test_who_chooses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
