/* SPDX-License-Identifier: Apache-2.0
 *
 * Log records that are events of a span. Such a record has an event name (the field; in older
 * records the attribute `event.name`) and a valid trace id and span id. It becomes a *fragment*
 * (view.h) with one event:
 *
 *   time         of the record; without one its observed time, without that received_ns
 *   name         the event name
 *   attributes   the record's (without an `event.name` that became the name), and, if the record
 *                has them and no attribute of that key, as OpenTelemetry's bridges from log events
 *                to span events name them: `log.record.severity_number`,
 *                `log.record.severity_text`, `log.record.body` (of whatever type)
 *   dropped attributes count
 *
 * Resource, scope and schema URLs are copied as they stand. Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

struct ftri_otlp_log_counts {
    size_t n_events;
    size_t n_others; /* records that are no events */
};

/* Appends a TracesData of fragments, one an event, in the order of the records; nothing when there
 * is none. logs: accepted by ftri_otlp_logs_check; what is written, ftri_otlp_traces_check accepts.
 * 0; -ENOMEM; -EMSGSIZE over the limit of ret_traces; on failure ret_traces is as it was. */
int ftri_otlp_log_events(struct ftri_view logs, uint64_t received_ns, struct ftri_bytes *ret_traces,
                         struct ftri_otlp_log_counts *ret_counts) FTRI_MUST_CHECK;
