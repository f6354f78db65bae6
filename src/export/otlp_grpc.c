/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_grpc.h"

#include "export/grpc_client.h"
#include "export/http_client.h"
#include "export/otlp_verdict.h"

#include <errno.h>
#include <stdio.h>

/* By status; retryable by the OTLP specification, "OTLP/gRPC Response". */
enum retry { NEVER, ALWAYS, IF_ASKED };
static const enum retry retries[FTRI_GRPC_N_STATUSES] = {
    NEVER,    /* OK */
    ALWAYS,   /* CANCELLED */
    NEVER,    /* UNKNOWN */
    NEVER,    /* INVALID_ARGUMENT */
    ALWAYS,   /* DEADLINE_EXCEEDED */
    NEVER,    /* NOT_FOUND */
    NEVER,    /* ALREADY_EXISTS */
    NEVER,    /* PERMISSION_DENIED */
    IF_ASKED, /* RESOURCE_EXHAUSTED */
    NEVER,    /* FAILED_PRECONDITION */
    ALWAYS,   /* ABORTED */
    ALWAYS,   /* OUT_OF_RANGE */
    NEVER,    /* UNIMPLEMENTED */
    NEVER,    /* INTERNAL */
    ALWAYS,   /* UNAVAILABLE */
    ALWAYS,   /* DATA_LOSS */
    NEVER,    /* UNAUTHENTICATED */
};

static void judge_failure(const struct ftri_grpc_head *head, int status,
                          struct ftri_otlp_verdict *verdict)
{
    struct ftri_otlp_answer found = {0};
    if (ftri_otlp_answer_read_status(&found, ftri_view_of(head->details, head->details_len)) == 0)
        verdict->answer = found;
    if (head->text_len > 0)
        ftri_otlp_answer_set_text(&verdict->answer, (ftr_str){head->text, head->text_len});
    const enum retry retry = retries[status];
    const bool is_passing = retry == ALWAYS || (retry == IF_ASKED && found.asks_to_retry);
    verdict->kind = is_passing ? FTRI_OTLP_PASSING : FTRI_OTLP_REFUSED;
    snprintf(verdict->reason, sizeof verdict->reason, "gRPC %s", ftri_grpc_status_name(status));
}

/* An accepted batch stays accepted when the message about it cannot be read. */
static int judge_success(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer,
                         struct ftri_bytes *unpacked, struct ftri_otlp_verdict *verdict)
{
    struct ftri_view message;
    struct ftri_otlp_answer found = {0};
    const int r = ftri_grpc_message(head, answer, unpacked, &message);
    if (r == 0 && ftri_otlp_answer_read_response(&found, message) == 0)
        verdict->answer = found;
    return r == -EBADMSG ? 0 : r;
}

/* Without a status nobody knows whether the batch was taken. It is sent again: a server that gets
 * it twice knows its spans by their ids, one that never got it would be told nothing. */
static void judge_cut_off(struct ftri_otlp_verdict *verdict)
{
    verdict->kind = FTRI_OTLP_PASSING;
    ftri_otlp_answer_set_text(&verdict->answer, FTR_STR("the answer ended before its gRPC status"));
}

int ftri_grpc_judge(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer,
                    struct ftri_bytes *unpacked, struct ftri_otlp_verdict *ret_verdict)
{
    const int status = ftri_grpc_status(head, answer);
    *ret_verdict = (struct ftri_otlp_verdict){.kind = FTRI_OTLP_ACCEPTED};
    if (status == FTRI_GRPC_OK)
        return judge_success(head, answer, unpacked, ret_verdict);
    if (status == FTRI_GRPC_CUT_OFF)
        judge_cut_off(ret_verdict);
    else
        judge_failure(head, status, ret_verdict);
    if (ftri_grpc_is_answer(head, answer))
        return 0;
    ret_verdict->answer.retry_delay_ns = answer->retry_after_ns;
    snprintf(ret_verdict->answer.text, sizeof ret_verdict->answer.text,
             "HTTP %d, and no gRPC answer", answer->status);
    return 0;
}
