/* SPDX-License-Identifier: Apache-2.0
 *
 * What one try to deliver a batch came to. */
#pragma once

#include "otlp/answer.h"

enum ftri_otlp_verdict_kind {
    FTRI_OTLP_ACCEPTED, /* but for what the answer says it rejected */
    FTRI_OTLP_PASSING,  /* worth another try */
    FTRI_OTLP_REFUSED   /* another try would end the same way */
};

struct ftri_otlp_verdict {
    enum ftri_otlp_verdict_kind kind;
    struct ftri_otlp_answer answer;
    char reason[48]; /* "HTTP 503", "gRPC UNAVAILABLE"; empty: the answer's text says all */
};
