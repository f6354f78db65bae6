/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/intake.h"

#include "otlp/schema.h"

#include <stdio.h>

static bool refuse(struct node *node, struct pdata *pdata, const char *reason)
{
    struct result result = {.is_permanent = true};
    snprintf(result.reason, sizeof result.reason, "%s", reason);
    node_nack(node, pdata, &result);
    return false;
}

bool intake_is_records(struct node *node, struct pdata *pdata)
{
    return pdata->records || refuse(node, pdata, "telemetry was sent to a node that takes records");
}

bool intake_is_telemetry(struct node *node, struct pdata *pdata)
{
    return pdata->otlp || refuse(node, pdata, "records were sent to a node that takes telemetry");
}

/* Of metrics only our own go untraced: the flow ledger. */
static bool is_ledger(const struct pdata *pdata)
{
    return pdata->signal == FTR_SIGNAL_METRICS && pdata->is_untraced;
}

bool intake_is_kept(struct node *node, struct pdata *pdata)
{
    return intake_is_telemetry(node, pdata) &&
           (pdata->signal == FTR_SIGNAL_TRACES || is_ledger(pdata) ||
            refuse(node, pdata, "metrics or logs were sent to a node that keeps traces"));
}

const struct ftri_otlp_message *intake_request(const struct pdata *pdata)
{
    return pdata->signal == FTR_SIGNAL_LOGS      ? &ftri_otlp_logs_request
           : pdata->signal == FTR_SIGNAL_METRICS ? &ftri_otlp_metrics_request
                                                 : &ftri_otlp_request;
}
