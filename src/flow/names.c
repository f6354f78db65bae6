/* SPDX-License-Identifier: Apache-2.0
 *
 * The naming table. Our own names: a key of the otel-arrow proposal's document stands as the
 * document has it; what the document has no word for is named below `flow.`, `out.`, `drop.` or
 * `channel.`. Those of links and manifests are the same everywhere: stores read lineage by them.
 *
 *   otelcol   The later draft of that document (its attributes), the event guide beside it
 *             (otelcol.<entity>[.<thing>].<verb>, with its verbs), the Collector's RFC on its
 *             components' telemetry, and what its engine calls the generation.
 *   numaflow  What 1.8 writes; it drops without a word on the span, so the event is the one that
 *             its maintainers asked for in the proposal's review, the reasons are of its metrics.
 *   reflow    The spans that its collector makes of events when it exports OTLP.
 *
 * Foundations and Krishiv know no dataflow on spans. */
#include "flow/names.h"

#include "base/text.h"
#include "codec/manifest_names.h"

#define NAME(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const ftr_str own[FTRI_N_NAMES] = {
    [FTRI_NAME_NODE_ID] = NAME("node.id"),
    [FTRI_NAME_NODE_TYPE] = NAME("node.type"),
    [FTRI_NAME_PIPELINE] = NAME("flow.pipeline"),
    [FTRI_NAME_LOOP] = NAME("flow.loop"),
    [FTRI_NAME_GENERATION] = NAME("flow.generation"),
    [FTRI_NAME_STATEFUL] = NAME("stateful"),
    [FTRI_NAME_SIGNAL_TYPE] = NAME("signal.type"),
    [FTRI_NAME_BATCH_SIZE] = NAME("pdata.batch.size"),
    [FTRI_NAME_BATCH_BYTES] = NAME("pdata.batch.bytes"),
    [FTRI_NAME_QUEUE_WAIT_MS] = NAME("flow.queue.wait_ms"),
    [FTRI_NAME_QUEUE_DEPTH] = NAME("channel.queue.depth"),
    [FTRI_NAME_QUEUE_CAPACITY] = NAME("channel.queue.capacity"),
    [FTRI_NAME_ATTEMPT] = NAME("flow.attempt"),
    [FTRI_NAME_HOPS] = NAME("flow.hops"),
    [FTRI_NAME_OUT_PORT] = NAME("out.port"),
    [FTRI_NAME_OUT_ITEMS] = NAME("out.items"),
    [FTRI_NAME_OUT_BYTES] = NAME("out.bytes"),
    [FTRI_NAME_OUT_QUEUE_DEPTH] = NAME("out.queue.depth"),
    [FTRI_NAME_OUT_QUEUE_CAPACITY] = NAME("out.queue.capacity"),
    [FTRI_NAME_OUT_COUNT] = NAME("out.count"),
    [FTRI_NAME_DROP_REASON] = NAME("drop.reason"),
    [FTRI_NAME_DROP_ITEMS] = NAME("drop.items"),
    [FTRI_NAME_BLOCKED_MS] = NAME("flow.blocked_ms"),
    [FTRI_NAME_LATENCY_MS] = NAME("latency.ms"),
    [FTRI_NAME_OUTCOME] = NAME("flow.outcome"),
    [FTRI_NAME_ERROR] = NAME("error"),
    [FTRI_NAME_FAN_IN_COUNT] = NAME("flow.fan_in.count"),
    [FTRI_NAME_TOUCHED] = NAME("flow.touched"),
    [FTRI_NAME_RELATION] = NAME(FTRI_MANIFEST_RELATION_KEY),
    [FTRI_NAME_INPUT_INDEX] = NAME("flow.input.index"),
    [FTRI_NAME_SPLIT_INDEX] = NAME("flow.split.index"),
    [FTRI_NAME_SPLIT_COUNT] = NAME("flow.split.count"),
    [FTRI_NAME_MANIFEST] = NAME(FTRI_MANIFEST_KEY),
    [FTRI_NAME_MANIFEST_INDEX] = NAME("flow.manifest.index"),
    [FTRI_NAME_MANIFEST_COUNT] = NAME(FTRI_MANIFEST_COUNT_KEY),
    [FTRI_NAME_MANIFEST_DROPPED] = NAME(FTRI_MANIFEST_DROPPED_KEY),
    [FTRI_NAME_EVENT_EMIT] = NAME("emit"),
    [FTRI_NAME_EVENT_DROP] = NAME("flow.drop"),
    [FTRI_NAME_EVENT_BACKPRESSURE] = NAME("backpressure"),
    [FTRI_NAME_SPAN_MANIFEST] = NAME(FTRI_MANIFEST_SPAN_NAME),
    [FTRI_NAME_ACK] = NAME("control/ack"),
    [FTRI_NAME_NACK] = NAME("control/nack"),
    [FTRI_NAME_CONFIG] = NAME("control/config"),
    [FTRI_NAME_TIMER_TICK] = NAME("control/timer_tick"),
    [FTRI_NAME_COLLECT_TELEMETRY] = NAME("control/collect_telemetry"),
    [FTRI_NAME_WAKEUP] = NAME("control/wakeup"),
    [FTRI_NAME_RESUME_DATA] = NAME("control/resume_data"),
    [FTRI_NAME_MEMORY_PRESSURE] = NAME("control/memory_pressure_changed"),
    [FTRI_NAME_DRAIN_INGRESS] = NAME("control/drain_ingress"),
    [FTRI_NAME_SHUTDOWN] = NAME("control/shutdown"),
    [FTRI_NAME_RETRY] = NAME("retry"),
    [FTRI_NAME_BATCH_FLUSH] = NAME("batch_flush"),
    [FTRI_NAME_WINDOW_CLOSE] = NAME("window_close"),
    [FTRI_NAME_EXPORT_SUCCESS] = NAME("export_success"),
    [FTRI_NAME_EXPORT_PARTIAL_SUCCESS] = NAME("export_partial_success"),
    [FTRI_NAME_FANOUT_FALLBACK] = NAME("fanout_fallback"),
    [FTRI_NAME_FANOUT_FAILED] = NAME("fanout_failed"),
};

static const ftr_str numaflow[FTRI_N_NAMES] = {
    [FTRI_NAME_NODE_ID] = NAME("numaflow.vertex.name"),
    [FTRI_NAME_PIPELINE] = NAME("numaflow.pipeline.name"),
    [FTRI_NAME_EVENT_DROP] = NAME("message.dropped"),
};

static const ftr_str otelcol[FTRI_N_NAMES] = {
    [FTRI_NAME_NODE_ID] = NAME("otelcol.component.id"),
    [FTRI_NAME_NODE_TYPE] = NAME("otelcol.component.kind"),
    [FTRI_NAME_PIPELINE] = NAME("otelcol.pipeline.id"),
    [FTRI_NAME_GENERATION] = NAME("deployment.generation"),
    [FTRI_NAME_SIGNAL_TYPE] = NAME("otelcol.signal"),
    [FTRI_NAME_OUTCOME] = NAME("otelcol.component.outcome"),
    [FTRI_NAME_EVENT_EMIT] = NAME("otelcol.channel.send.complete"),
    [FTRI_NAME_EVENT_DROP] = NAME("otelcol.node.drop"),
    [FTRI_NAME_EVENT_BACKPRESSURE] = NAME("otelcol.channel.backpressure"),
    [FTRI_NAME_ACK] = NAME("otelcol.node.ack"),
    [FTRI_NAME_NACK] = NAME("otelcol.node.nack"),
    [FTRI_NAME_CONFIG] = NAME("otelcol.node.config.apply"),
    [FTRI_NAME_TIMER_TICK] = NAME("otelcol.node.timer.tick"),
    [FTRI_NAME_COLLECT_TELEMETRY] = NAME("otelcol.node.telemetry.collect"),
    [FTRI_NAME_WAKEUP] = NAME("otelcol.node.wakeup"),
    [FTRI_NAME_RESUME_DATA] = NAME("otelcol.node.resume"),
    [FTRI_NAME_MEMORY_PRESSURE] = NAME("otelcol.node.memory_pressure.apply"),
    [FTRI_NAME_DRAIN_INGRESS] = NAME("otelcol.node.drain_ingress"),
    [FTRI_NAME_SHUTDOWN] = NAME("otelcol.node.shutdown"),
    [FTRI_NAME_RETRY] = NAME("otelcol.node.retry"),
    [FTRI_NAME_BATCH_FLUSH] = NAME("otelcol.node.batch.flush"),
    [FTRI_NAME_WINDOW_CLOSE] = NAME("otelcol.node.window.complete"),
    [FTRI_NAME_EXPORT_SUCCESS] = NAME("otelcol.node.export.complete"),
    [FTRI_NAME_EXPORT_PARTIAL_SUCCESS] = NAME("otelcol.node.export.partial.complete"),
    [FTRI_NAME_FANOUT_FALLBACK] = NAME("otelcol.node.fanout.retry"),
    [FTRI_NAME_FANOUT_FAILED] = NAME("otelcol.node.fanout.fail"),
};

static const ftr_str reflow[FTRI_N_NAMES] = {
    [FTRI_NAME_NODE_ID] = NAME("reflow.actor_id"),
    [FTRI_NAME_PIPELINE] = NAME("reflow.flow_id"),
    [FTRI_NAME_SIGNAL_TYPE] = NAME("reflow.message.type"),
    [FTRI_NAME_BATCH_BYTES] = NAME("reflow.message.size_bytes"),
    [FTRI_NAME_OUT_PORT] = NAME("reflow.port"),
    [FTRI_NAME_OUTCOME] = NAME("reflow.event_type"),
    [FTRI_NAME_EVENT_EMIT] = NAME("MessageSent"),
};

/* NULL: our own. */
static const ftr_str *const columns[FTRI_N_CONVENTIONS] = {
    [FTRI_CONVENTION_FLOWTRACE] = own,
    [FTRI_CONVENTION_NUMAFLOW] = numaflow,
    [FTRI_CONVENTION_OTELCOL] = otelcol,
    [FTRI_CONVENTION_REFLOW] = reflow,
};

static const ftr_str numaflow_reasons[] = {
    [FTR_DROP_NO_ROUTE] = NAME("forwarding-rules-not-met"),
    [FTR_DROP_BUFFER_FULL] = NAME("buffer-full"),
    [FTR_DROP_DUPLICATE] = NAME("duplicate"),
    [FTR_DROP_LATE] = NAME("late-message"),
};

/* Empty: it has no word of its own. */
static ftr_str word_in(size_t convention, size_t name)
{
    return columns[convention] ? columns[convention][name] : (ftr_str){0};
}

ftr_str ftri_name(enum ftri_convention convention, enum ftri_name name)
{
    const ftr_str word = word_in(convention, name);
    return word.len ? word : own[name];
}

/* From the end: what is asked for while a graph runs are the events of nodes. */
ftr_str ftri_name_of(enum ftri_convention convention, ftr_str name)
{
    for (size_t i = FTRI_N_NAMES; i-- > 0;)
        if (ftri_text_same(own[i], name))
            return ftri_name(convention, (enum ftri_name)i);
    return name;
}

ftr_str ftri_drop_reason_word(enum ftri_convention convention, ftr_drop_reason reason)
{
    const size_t i = (size_t)reason;
    if (convention == FTRI_CONVENTION_NUMAFLOW && i < FTRI_COUNT(numaflow_reasons) &&
        numaflow_reasons[i].len)
        return numaflow_reasons[i];
    return ftr_str_from(ftr_drop_reason_name(reason));
}

/* What has this name by any convention; FTRI_N_NAMES: nothing. */
static size_t find(ftr_str name)
{
    for (size_t i = 0; i < FTRI_N_NAMES && name.len; i++)
        for (size_t k = 0; k < FTRI_N_CONVENTIONS; k++)
            if (ftri_text_same(word_in(k, i), name))
                return i;
    return FTRI_N_NAMES;
}

size_t ftr_convention_names(ftr_str name, ftr_str *ret_names, size_t limit)
{
    const size_t found = find(name);
    size_t n = 0;
    if (found == FTRI_N_NAMES && n < limit)
        ret_names[n++] = name;
    for (size_t k = 0; found < FTRI_N_NAMES && k < FTRI_N_CONVENTIONS && n < limit; k++)
        if (word_in(k, found).len)
            ret_names[n++] = word_in(k, found);
    return n;
}
