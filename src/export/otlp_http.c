/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_http.h"

#include "export/http_client.h"
#include "export/otlp_verdict.h"

#include <stdio.h>

static bool is_retryable(int status)
{
    return status == 429 || (status >= 502 && status <= 504);
}

/* A body that cannot be read changes nothing: the status has said it. */
void ftri_otlp_http_judge(const struct ftri_http_answer *answer,
                          struct ftri_otlp_verdict *ret_verdict)
{
    *ret_verdict = (struct ftri_otlp_verdict){.kind = FTRI_OTLP_ACCEPTED};
    struct ftri_otlp_answer found = {0};
    if (answer->status >= 200 && answer->status < 300) {
        if (ftri_otlp_answer_read_response(&found, answer->body) == 0)
            ret_verdict->answer = found;
        return;
    }
    ret_verdict->kind = is_retryable(answer->status) ? FTRI_OTLP_PASSING : FTRI_OTLP_REFUSED;
    if (ftri_otlp_answer_read_status(&found, answer->body) == 0)
        ret_verdict->answer = found;
    ret_verdict->answer.retry_delay_ns = answer->retry_after_ns;
    snprintf(ret_verdict->reason, sizeof ret_verdict->reason, "HTTP %d", answer->status);
}
