/* SPDX-License-Identifier: Apache-2.0
 *
 * What ledger_write.c and ledger_read.c have to agree on. */
#pragma once

#include "otlp/ledger.h"

#define LEDGER_INSTANCE_METRIC "ftr.instance.cuts"
#define LEDGER_DROPPED_METRIC "ftr.node.dropped"
#define LEDGER_INSTANCE_ID "service.instance.id"

enum ledger_attribute {
    LEDGER_ATTRIBUTE_PIPELINE,
    LEDGER_ATTRIBUTE_FROM,
    LEDGER_ATTRIBUTE_PORT,
    LEDGER_ATTRIBUTE_TO,
    LEDGER_ATTRIBUTE_NODE,
    LEDGER_ATTRIBUTE_REASON,
    LEDGER_ATTRIBUTE_LAST,
    LEDGER_ATTRIBUTES
};
extern const ftr_str ledger_attribute_names[LEDGER_ATTRIBUTES];

/* Of all counters but drops, which share one. */
struct ledger_metric {
    const char *name;
    const char *help;
};
extern const struct ledger_metric ledger_metrics[LEDGER_NODE_DROPPED + 1];

static inline enum ledger_series ledger_series_of(enum ledger_counter counter)
{
    return counter < LEDGER_NODE_RECEIVED ? LEDGER_EDGE : LEDGER_NODE;
}
