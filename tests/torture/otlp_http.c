/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP over HTTP into the write-ahead log and the store: protobuf, JSON, packed with gzip. */
#include "collector.h"
#include "spans.h"
#include "wire.h"

#include "codec/gzip.h"

struct request {
    const char *fields;
    struct ftri_bytes body;
};

static struct request good[2 * COLLECTOR_REQUESTS];
static const char bad_body[] =
    "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":7}]}]}]}";

static struct ftri_bytes packed(struct ftri_bytes plain)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    EXPECT(ftri_gzip(ftri_bytes_view(&plain), 6, &out) == 0);
    ftri_bytes_deinit(&plain);
    return out;
}

static void prepare(void)
{
    for (uint8_t i = 0; i < FTRI_COUNT(good); i++) {
        const uint8_t number = (uint8_t)(i + 1);
        if (i % 3 == 0)
            good[i] = (struct request){"Content-Type: application/x-protobuf\r\n",
                                       spans_protobuf(number)};
        else if (i % 3 == 1)
            good[i] = (struct request){"Content-Type: application/json\r\n", spans_json(number)};
        else
            good[i] = (struct request){"Content-Type: application/x-protobuf\r\n"
                                       "Content-Encoding: gzip\r\n",
                                       packed(spans_protobuf(number))};
    }
}

static void clear(void)
{
    for (size_t i = 0; i < FTRI_COUNT(good); i++)
        ftri_bytes_deinit(&good[i].body);
}

/* OTLP/HTTP: 429, 502, 503 and 504 may be sent again, any other failure must not. */
static enum verdict send_one(uint16_t port, const char *fields, struct ftri_view body)
{
    char answer[4096];
    const int status = wire_http(port, "POST /v1/traces", fields, body, answer, sizeof answer);
    if (status == 0)
        return VERDICT_NONE;
    if (status == 200)
        return VERDICT_TAKEN;
    return status == 429 || (status >= 502 && status <= 504) ? VERDICT_LATER : VERDICT_REFUSED;
}

static void send_all(uint16_t port, uint8_t first, struct collector_verdicts *ret_verdicts)
{
    for (size_t i = 0; i < COLLECTOR_REQUESTS; i++) {
        const struct request *request = &good[first - 1 + i];
        ret_verdicts->good[i] = send_one(port, request->fields, ftri_bytes_view(&request->body));
    }
    ret_verdicts->bad = send_one(port, "Content-Type: application/json\r\n",
                                 ftri_view_of(bad_body, sizeof bad_body - 1));
}

void torture_run(void)
{
    static const struct collector_client client = {
        .options = "http: '127.0.0.1:0', grpc: off",
        .store = "memory",
        .prepare = prepare,
        .clear = clear,
        .send = send_all,
    };
    collector_run(&client);
}
