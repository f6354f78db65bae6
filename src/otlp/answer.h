/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's side of otlp/response.h: what a receiver answered, in protobuf or in JSON (a
 * protobuf answer cannot begin with '{', JSON must). Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

enum { FTRI_OTLP_ANSWER_TEXT_BYTES = 512 };

struct ftri_otlp_answer {
    uint64_t n_rejected;                    /* items of its signal */
    bool asks_to_retry;                     /* there was a google.rpc.RetryInfo */
    uint64_t retry_delay_ns;                /* of it */
    char text[FTRI_OTLP_ANSWER_TEXT_BYTES]; /* cut, UTF-8, no control characters */
};

/* Both fill what they find, leave the rest, and return 0, -EBADMSG or -ENOMEM. */
/* ExportTraceServiceResponse, and those of metrics and logs, which are the same. */
int ftri_otlp_answer_read_response(struct ftri_otlp_answer *self,
                                   struct ftri_view bytes) FTRI_MUST_CHECK;
/* google.rpc.Status; its details from protobuf only. */
int ftri_otlp_answer_read_status(struct ftri_otlp_answer *self,
                                 struct ftri_view bytes) FTRI_MUST_CHECK;
/* Text from elsewhere (a header). */
void ftri_otlp_answer_set_text(struct ftri_otlp_answer *self, ftr_str text);
