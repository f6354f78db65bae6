/* SPDX-License-Identifier: Apache-2.0
 *
 * The naming table. A key of the otel-arrow proposal's document stands as the document has it; what
 * the document has no word for is named below `flow.`, `out.`, `drop.` or `channel.`. */
#include "flow/names.h"

#include "codec/manifest.h"

#define NAME(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const ftr_str table[FTRI_N_CONVENTIONS][FTRI_N_NAMES] = {
    [FTRI_CONVENTION_FLOWTRACE] =
        {
            [FTRI_NAME_NODE_ID] = NAME("node.id"),
            [FTRI_NAME_NODE_TYPE] = NAME("node.type"),
            [FTRI_NAME_PIPELINE] = NAME("flow.pipeline"),
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
            [FTRI_NAME_OUT_COUNT] = NAME("out.count"),
            [FTRI_NAME_DROP_REASON] = NAME("drop.reason"),
            [FTRI_NAME_DROP_ITEMS] = NAME("drop.items"),
            [FTRI_NAME_BLOCKED_MS] = NAME("flow.blocked_ms"),
            [FTRI_NAME_LATENCY_MS] = NAME("latency.ms"),
            [FTRI_NAME_OUTCOME] = NAME("flow.outcome"),
            [FTRI_NAME_ERROR] = NAME("error"),
            [FTRI_NAME_FAN_IN_COUNT] = NAME("flow.fan_in.count"),
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
        },
};

const ftr_str *ftri_names(enum ftri_convention convention)
{
    return table[convention];
}

/* An exporter is a CLIENT, not a PRODUCER: its visit lasts until the destination has answered, so
 * its duration is a round trip, and service graphs pair CLIENT with the destination's SERVER span.
 * A receiver is a CONSUMER: it takes over a batch whose sender does not wait for the flow. */
ftr_span_kind ftri_node_span_kind(ftr_node_kind kind)
{
    switch (kind) {
    case FTR_NODE_RECEIVER:
        return FTR_KIND_CONSUMER;
    case FTR_NODE_EXPORTER:
        return FTR_KIND_CLIENT;
    case FTR_NODE_PROCESSOR:
        break;
    }
    return FTR_KIND_INTERNAL;
}
