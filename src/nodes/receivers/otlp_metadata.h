/* SPDX-License-Identifier: Apache-2.0
 *
 * Which headers of a request go with its data: the option `metadata_headers`. A header that came
 * more than once says two things about the same data: the request is refused. */
#pragma once

#include "nodes/receivers/otlp.h"

struct ftri_payload;

/* values: struct otlp_options. */
int otlp_metadata_check(const void *values, struct ftri_error *error) FTRI_MUST_CHECK;
/* Of the request; NULL: it has none of them. 0; -EBADMSG with what to tell the sender, up to
 * ret_problem's size; -ENOMEM. */
int otlp_metadata_read(const struct otlp_options *options, const struct otlp_arrival *arrival,
                       struct ftri_payload **ret_metadata, char *ret_problem,
                       size_t problem_size) FTRI_MUST_CHECK;
