/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node works on. Nothing in a graph's description says what flows over a connection, so a
 * batch of the wrong kind is found when it arrives. */
#pragma once

#include "engine/node.h"

struct ftri_otlp_message;

/* What a batch of telemetry is made of: the request of its signal (otlp/schema.h). */
const struct ftri_otlp_message *intake_request(const struct pdata *pdata);

/* False: the batch carries something else; it was refused for good and is gone. */
bool intake_is_records(struct node *node, struct pdata *pdata) FTRI_MUST_CHECK;
bool intake_is_telemetry(struct node *node, struct pdata *pdata) FTRI_MUST_CHECK;
/* Traces, and the flow ledger. */
bool intake_is_kept(struct node *node, struct pdata *pdata) FTRI_MUST_CHECK;
