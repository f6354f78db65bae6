/* SPDX-License-Identifier: Apache-2.0
 *
 * A flow whose lineage is known: sources, each a trace of its own, sent a few a request; then one
 * batch of all their outputs and of some from sources that never report; then sinks that take a
 * part each. The ledger goes to standard output, a line a span: "source TRACE SPAN".
 *
 *     lineage-generator SOURCES A_REQUEST ABSENT SINKS
 *
 * Where to: OTEL_EXPORTER_OTLP_ENDPOINT. */
#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_NS UINT64_C(1000000000)

static void fail(const char *what)
{
    fprintf(stderr, "lineage-generator: %s\n", what);
    exit(1);
}

static ftr_node *new_node(ftr_str type, ftr_str id, ftr_node_kind kind)
{
    const ftr_node_options options = {
        .size = sizeof options, .id = id, .type = type, .kind = kind, .lineage = FTR_LINEAGE_FULL};
    ftr_node *const node = ftr_node_new(&options);
    if (!node)
        fail("no node");
    return node;
}

static void note(const char *what, const ftr_context *context)
{
    char trace_id[33], span_id[17];
    ftr_trace_id_format(&context->span.trace_id, trace_id);
    ftr_span_id_format(&context->span.span_id, span_id);
    printf("%s %s %s\n", what, trace_id, span_id);
}

static void note_visit(const char *what, const ftr_visit *visit)
{
    ftr_context context = ftr_span_context_of(ftr_visit_span(visit));
    note(what, &context);
    ftr_context_release(&context);
}

static void flush(void)
{
    if (ftr_flush(60 * SECONDS_NS) != FTR_OK)
        fail("the collector did not take a request");
}

static void send_sources(const ftr_node *node, ftr_hop *hops, size_t n, size_t a_request)
{
    for (size_t i = 0; i < n; i++) {
        ftr_visit visit;
        ftr_visit_start(&visit, node, NULL, 0, NULL);
        note_visit("source", &visit);
        ftr_visit_emit(&visit, FTR_STR("out"), 1, 100, &hops[i]);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
        if (i % a_request == a_request - 1)
            flush();
    }
    flush();
}

/* Sources that somebody else should have reported. */
static void invent_sources(ftr_hop *hops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ftr_span_context *span = &hops[i].context.span;
        ftr_hop_init(&hops[i]);
        for (size_t j = 0; j < 8; j++) {
            span->trace_id.bytes[j] = (uint8_t)rand();
            span->span_id.bytes[j] = (uint8_t)(i + 1 + j);
        }
        span->trace_id.bytes[15] = (uint8_t)(i + 1);
        span->trace_flags = FTR_TRACE_FLAG_SAMPLED;
        note("absent", &hops[i].context);
    }
}

static void send_batch(const ftr_node *batcher, const ftr_node *sink, const ftr_hop *hops, size_t n,
                       uint32_t n_sinks)
{
    ftr_visit batch;
    ftr_visit_start(&batch, batcher, hops, n, NULL);
    note_visit("batch", &batch);
    for (uint32_t i = 0; i < n_sinks; i++) {
        const ftr_split split = {i, n_sinks};
        ftr_visit visit;
        ftr_hop hop;
        ftr_visit_emit_split(&batch, FTR_STR("out"), split, n / n_sinks, 100, &hop);
        ftr_visit_start(&visit, sink, &hop, 1, NULL);
        note_visit("sink", &visit);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
        ftr_hop_release(&hop);
    }
    ftr_visit_end(&batch, FTR_OUTCOME_SUCCESS, FTR_STR(""));
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fail("expected SOURCES A_REQUEST ABSENT SINKS");
    const size_t n_sources = strtoul(argv[1], NULL, 10), a_request = strtoul(argv[2], NULL, 10);
    const size_t n_absent = strtoul(argv[3], NULL, 10), n = n_sources + n_absent;
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("generator");
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK)
        fail(error.text);
    ftr_node *const source = new_node(FTR_STR("receiver/feed"), FTR_STR("feed"), FTR_NODE_RECEIVER);
    ftr_node *const batcher =
        new_node(FTR_STR("processor/batch"), FTR_STR("batch"), FTR_NODE_PROCESSOR);
    ftr_node *const sink = new_node(FTR_STR("exporter/file"), FTR_STR("file"), FTR_NODE_EXPORTER);
    ftr_hop *const hops = calloc(n, sizeof *hops);
    if (!hops)
        fail("no memory");
    send_sources(source, hops, n_sources, a_request);
    invent_sources(hops + n_sources, n_absent);
    send_batch(batcher, sink, hops, n, (uint32_t)strtoul(argv[4], NULL, 10));
    flush();
    for (size_t i = 0; i < n; i++)
        ftr_hop_release(&hops[i]);
    free(hops);
    const ftr_status status = ftr_shutdown(60 * SECONDS_NS);
    ftr_node_free(source);
    ftr_node_free(batcher);
    ftr_node_free(sink);
    return status == FTR_OK ? 0 : 1;
}
