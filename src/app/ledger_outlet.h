/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivers cuts of the flow ledger to the collector that gets the process's spans: by the exporter
 * of spans, configured alike, on a thread of its own. In order, each until it is taken; at most
 * LEDGER_OUTLET_CUTS wait. */
#pragma once

#include "base/bytes.h"

struct ledger_outlet;
struct ftri_error;

enum { LEDGER_OUTLET_CUTS = 64 };

/* 0 with NULL: spans go to no collector, so neither does the ledger. After ftr_init. */
int ledger_outlet_open(struct ledger_outlet **ret_outlet, struct ftri_error *error) FTRI_MUST_CHECK;
/* Takes over the bytes; false: too many wait, or memory is short, and nothing was taken. */
bool ledger_outlet_put(struct ledger_outlet *self, struct ftri_bytes *metrics,
                       size_t n_points) FTRI_MUST_CHECK;
/* Waits until all is delivered, at most so long; then closes. False: something was not. */
bool ledger_outlet_close(struct ledger_outlet *self, uint64_t timeout_ns);
