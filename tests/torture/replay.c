/* SPDX-License-Identifier: Apache-2.0
 *
 * A start after a crash: what the log holds goes to a store on disk while the first requests come.
 * Nothing of it is lost, whatever fails on its way. */
#include "collector.h"
#include "spans.h"
#include "wire.h"

static struct ftri_bytes requests[2 * COLLECTOR_REQUESTS];

static void prepare(void)
{
    for (uint8_t i = 0; i < FTRI_COUNT(requests); i++)
        requests[i] = spans_protobuf((uint8_t)(i + 1));
}

static void clear(void)
{
    for (size_t i = 0; i < FTRI_COUNT(requests); i++)
        ftri_bytes_deinit(&requests[i]);
}

static enum verdict send_one(uint16_t port, struct ftri_view body)
{
    char answer[4096];
    const int status =
        wire_http(port, "POST /v1/traces", "Content-Type: application/x-protobuf\r\n", body, answer,
                  sizeof answer);
    return status == 200   ? VERDICT_TAKEN
           : status == 503 ? VERDICT_LATER
           : status == 0   ? VERDICT_NONE
                           : VERDICT_REFUSED;
}

static void send_all(uint16_t port, uint8_t first, struct collector_verdicts *ret_verdicts)
{
    for (size_t i = 0; i < COLLECTOR_REQUESTS; i++)
        ret_verdicts->good[i] = send_one(port, ftri_bytes_view(&requests[first - 1 + i]));
    ret_verdicts->bad = send_one(port, ftri_view_of("\x0a\x7f", 2));
}

void torture_run(void)
{
    static const struct collector_client client = {
        .options = "http: '127.0.0.1:0', grpc: off",
        .store = "sqlite",
        .n_logged = COLLECTOR_REQUESTS,
        .prepare = prepare,
        .clear = clear,
        .send = send_all,
    };
    collector_run(&client);
}
