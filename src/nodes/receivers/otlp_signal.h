/* SPDX-License-Identifier: Apache-2.0
 *
 * The signals of receiver/otlp: where their requests come in, how these are read, and what of them
 * goes on: a checked TracesData (spans as they came, events out of log records as fragments, see
 * otlp/log_events.h), or a MetricsData of the flow ledger (otlp/ledger.h). What has nowhere to go
 * is counted and rejected. */
#pragma once

#include "otlp/view.h"

#include <flowtrace/flow.h>

struct ftri_bytes;
struct ftri_otlp_error;
struct ftri_payload;

struct otlp_signal {
    ftr_signal signal;
    const char *name; /* "traces" */
    const char *http_path;
    const char *grpc_path;
    const char *rejected_name; /* of the number in an answer's JSON */
    const char *refusal;       /* what the sender is told of the rejected ones */
    const struct otlp_reading *reading;
};

enum { OTLP_SIGNALS = 3 };
extern const struct otlp_signal otlp_signals[OTLP_SIGNALS];
/* By name; NULL: there is no such signal. */
const struct otlp_signal *otlp_signal_find(const char *name);

/* What a request holds. */
struct otlp_content {
    ftr_signal signal;            /* of what goes on: log records may have become spans */
    struct ftri_payload *payload; /* the caller's reference; NULL when n_items is 0 */
    bool is_ledger;               /* rows of the flow ledger: our own telemetry */
    uint64_t n_items;             /* in the payload */
    uint64_t n_rejected;
    uint64_t n_null_numbers; /* doubles sent as null in JSON */
};

/* The offset of an error that is not in the bytes as they came. */
#define OTLP_NO_OFFSET SIZE_MAX

struct otlp_body {
    struct ftri_bytes *bytes; /* replaced or taken over; the caller's to deinit */
    bool is_json;
    bool is_passed; /* all of it goes on as it is, whatever the signal */
    uint64_t received_ns;
    size_t max_bytes; /* also of what JSON becomes */
    struct ftri_otlp_limits limits;
};

/* Checks and converts. 0; -EBADMSG with the error filled; -ENOMEM; -EMSGSIZE. */
int otlp_content_read(const struct otlp_signal *signal, const struct otlp_body *body,
                      struct otlp_content *ret_content,
                      struct ftri_otlp_error *error) FTRI_MUST_CHECK;
