/* SPDX-License-Identifier: Apache-2.0
 *
 * The member `ot` of a tracestate, as far as sampling goes (OpenTelemetry, "TraceState Handling"):
 *
 *     ot=th:<threshold>;rv:<randomness>;<key>:<value>...      at most 256 characters behind "ot="
 *
 * Everything that is not th stays as it is. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_ot_state {
    bool has_member;    /* th, valid or not */
    bool has_threshold; /* th, valid */
    bool has_randomness;
    uint64_t threshold;
    uint64_t randomness;
};

struct ftri_ot_state ftri_ot_read(ftr_str tracestate);
/* The randomness of a trace: rv, else that of its id. */
uint64_t ftri_ot_randomness(const struct ftri_ot_state *self, const ftr_trace_id *id);
/* Writes the tracestate with this th, without th if it is FTRI_THRESHOLD_NEVER or there is no room
 * for it (then the threshold counts as unknown), into FTRI_TRACESTATE_MAX bytes. Returns the
 * length; 0: nothing is left. */
size_t ftri_ot_write(ftr_str tracestate, uint64_t threshold, char *ret_text);
