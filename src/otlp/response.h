/* SPDX-License-Identifier: Apache-2.0
 *
 * What an OTLP receiver answers: Export{Trace,Logs,Metrics}ServiceResponse after success,
 * google.rpc.Status in the body of an HTTP failure (OTLP specification, "OTLP/HTTP Response").
 * Sans-I/O, any thread. All append; 0, -ENOMEM or -EMSGSIZE. */
#pragma once

#include "base/bytes.h"

/* What was refused for good out of an accepted request. */
struct ftri_otlp_partial_success {
    uint64_t n_rejected; /* items of the signal */
    ftr_str message;     /* with 0 rejected: a warning */
};

/* Everything accepted and nothing to say: no bytes, and {}. */
int ftri_otlp_response_to_bytes(const struct ftri_otlp_partial_success *partial,
                                struct ftri_bytes *out) FTRI_MUST_CHECK;
/* rejected_name: the signal's own name for the number, such as "rejectedSpans". */
int ftri_otlp_response_to_json(const struct ftri_otlp_partial_success *partial,
                               ftr_str rejected_name, struct ftri_bytes *out) FTRI_MUST_CHECK;

/* code: of google.rpc.Code, the same numbers as gRPC's. */
int ftri_otlp_status_to_bytes(int32_t code, ftr_str message,
                              struct ftri_bytes *out) FTRI_MUST_CHECK;
int ftri_otlp_status_to_json(int32_t code, ftr_str message, struct ftri_bytes *out) FTRI_MUST_CHECK;
