/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: what a receiver answers to the exporter. The input is "name: value" lines, an empty
 * line, and a body; it is judged as gRPC's answer, and its body as HTTP's with two statuses. */
#include "base/text.h"
#include "export/grpc_client.h"
#include "export/http_client.h"
#include "export/otlp_grpc.h"
#include "export/otlp_http.h"
#include "export/otlp_verdict.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNPACKED_BYTES = 4096 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct ftri_otlp_verdict *verdict)
{
    const struct ftri_otlp_answer *answer = &verdict->answer;
    require(memchr(answer->text, '\0', sizeof answer->text) != NULL);
    for (const char *c = answer->text; *c; c++)
        require((uint8_t)*c >= ' ' && *c != 0x7f);
    require(verdict->kind == FTRI_OTLP_ACCEPTED || verdict->reason[0] || answer->text[0]);
}

static void judge_http(struct ftri_view body, int status)
{
    const struct ftri_http_answer answer = {.status = status, .body = body};
    struct ftri_otlp_verdict verdict;
    ftri_otlp_http_judge(&answer, &verdict);
    check(&verdict);
    require((verdict.kind == FTRI_OTLP_ACCEPTED) == (status == 200));
}

static void judge_grpc(const struct ftri_grpc_head *head, struct ftri_view body)
{
    const struct ftri_http_answer answer = {.status = 200, .body = body};
    struct ftri_otlp_verdict verdict;
    struct ftri_bytes unpacked;
    ftri_bytes_init(&unpacked, UNPACKED_BYTES);
    const int r = ftri_grpc_judge(head, &answer, &unpacked, &verdict);
    require(r <= 0 && unpacked.len <= UNPACKED_BYTES);
    if (r == 0)
        check(&verdict);
    ftri_bytes_deinit(&unpacked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ftri_grpc_head head;
    ftri_grpc_head_init(&head);
    ftr_str rest = {(const char *)data, size};
    for (ftr_str line; ftri_text_split(&rest, '\n', &line) && line.len > 0;) {
        ftr_str value = line;
        ftr_str name;
        if (ftri_text_split(&value, ':', &name))
            ftri_grpc_head_take(&head, name, ftri_trim(value));
    }
    const struct ftri_view body = ftri_view_of(rest.data, rest.len);
    judge_grpc(&head, body);
    judge_http(body, 200);
    judge_http(body, 503);
    return 0;
}
