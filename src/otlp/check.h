/* SPDX-License-Identifier: Apache-2.0
 *
 * What the check of received bytes noted when it stopped, and the words for it. Internal to otlp.
 */
#pragma once

#include "otlp/view.h"

struct ftri_otlp_failure {
    const uint8_t *message; /* first byte of the innermost message that is wrong */
    const uint8_t *at;      /* its field */
    uint32_t number;        /* of that field; 0: the message as a whole */
    const char *problem;    /* "size", "count", "depth": said with the numbers below; NULL: none */
    size_t expected;
    size_t found;
};

/* Walks down from the request to the message and names the way. */
void ftri_otlp_failure_describe(const struct ftri_otlp_failure *failure, struct ftri_view request,
                                struct ftri_otlp_error *ret_error);
