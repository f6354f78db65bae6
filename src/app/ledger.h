/* SPDX-License-Identifier: Apache-2.0
 *
 * The flow ledger of a running pipeline: cuts at every 10 s of the clock and at the end, handed to
 * the pipeline's own store, or to the collector that gets the process's spans. A cut that cannot be
 * handed on becomes part of the next one. The pipeline's thread. */
#pragma once

#include "base/check.h"

struct ledger;
struct pipeline;

/* Before the pipeline runs and after it was opened. NULL with no error: there is nobody to report
 * to. Warnings go to the log: a ledger is no reason not to run. */
struct ledger *ledger_start_own(struct pipeline *pipeline) FTRI_MUST_CHECK;
/* For the process whose tracing has been set up. */
struct ledger *ledger_start_exported(struct pipeline *pipeline) FTRI_MUST_CHECK;
/* The last cut, while the pipeline's graph is there; waits at most so long for its delivery. False:
 * it was not delivered. NULL is fine. */
bool ledger_stop(struct ledger *self, uint64_t timeout_ns);
