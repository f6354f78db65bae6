/* SPDX-License-Identifier: Apache-2.0
 *
 * What no node may do, done by the one that the plan names: it must change nothing, and the graph
 * must fail with that node's name. */
#pragma once

#include "act.h"

/* With a batch that has just arrived, if it is time. True: it has met its fate. */
bool misdeeds_break_rules(struct actor *self, struct held *held);
/* When a node is about to be stopped: acts of one that has been stopped already. */
void misdeeds_after_stop(void);
