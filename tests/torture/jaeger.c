/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP API over a store in memory: both of Jaeger's APIs by id, by search and by names. An
 * answer is the one that it always is, or a 5xx, or none: never another one. */
#include "api/server.h"
#include "base/error.h"
#include "base/payload.h"
#include "spans.h"
#include "store/store.h"
#include "torture.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { TRACES = 4, ANSWER_BYTES = 64 * 1024 };

static const struct {
    const char *line;
    int status;
} requests[] = {
    {"GET /healthz", 200},
    {"GET /api/services", 200},
    {"GET /api/services/shop/operations", 200},
    {"GET /api/operations?service=shop&spanKind=server", 200},
    {"GET /api/operations?service=sho%70&spanKind=client", 200},
    {"GET /api/traces/01010101010101010101010101010101", 200},
    {"GET /api/traces?service=shop&operation=work-3&limit=2&lookback=custom"
     "&start=1800000000000000&end=1900000000000000",
     200},
    {"GET /api/traces?service=shop&tags=%7B%22step%22%3A%224%22%7D&start=1800000000000000"
     "&end=1900000000000000",
     200},
    {"GET /api/traces?service=shop&operation=none&start=1800000000000000&end=1900000000000000",
     200},
    {"GET /api/traces?service=shop&minDuration=1h&start=1800000000000000&end=1900000000000000",
     200},
    {"GET /api/traces?limit=2", 400},
    {"GET /api/dependencies?endTs=1900000000000&lookback=100000000000", 200},
    {"GET /api/v3/services", 200},
    {"GET /api/v3/operations?service=shop&spanKind=client", 200},
    {"GET /api/v3/traces/02020202020202020202020202020202", 200},
    {"GET /api/v3/traces/ff", 404},
    {"GET /api/traces?traceID=01010101010101010101010101010101&traceID=AgICAgICAgICAgICAgICAg",
     200},
    {"GET /api/traces/ff", 404},
    {"GET /api/v3/services?a=%25zz", 200},
    {"GET /api/v3/services?a=%zz", 400},
    {"GET /api/v3/traces?query.serviceName=shop&query.operationName=work-3&query.searchDepth=2"
     "&query.startTimeMin=2027-01-01T00:00:00Z&query.startTimeMax=2028-01-01T00:00:00Z",
     200},
    {"GET /api/v3/traces?query.service_name=shop&query.attributes=%7B%22step%22%3A%224%22%7D"
     "&query.startTimeMin=2027-01-01T00:00:00Z&query.startTimeMax=2028-01-01T00:00:00Z",
     200},
    {"GET /api/v3/trace-summaries?query.serviceName=shop&query.status=ok"
     "&query.startTimeMin=2027-01-01T00:00:00Z&query.startTimeMax=2028-01-01T00:00:00Z",
     200},
    {"GET /api/v3/trace-summaries?query.serviceName=shop&query.durationMin=1h"
     "&query.startTimeMin=2027-01-01T00:00:00Z&query.startTimeMax=2028-01-01T00:00:00Z",
     200},
    {"GET /api/v3/trace-summaries?query.serviceName=shop"
     "&query.startTimeMin=2027-01-01T00:00:00Z&query.startTimeMax=2028-01-01T00:00:00Z",
     200},
};

struct answer {
    int status;
    char text[ANSWER_BYTES];
};

static struct answer expected[FTRI_COUNT(requests)], found[FTRI_COUNT(requests)];

static struct store *fill_store(void)
{
    struct store *store = NULL;
    struct store_options options;
    store_options_default(&options, "memory");
    options.retention_ns = 0;
    EXPECT(store_open(&options, &store, NULL) == 0);
    for (uint8_t i = 1; i <= TRACES; i++) {
        struct ftri_payload *payload = spans_payload(i);
        EXPECT(store_append(store, payload, i, i) == 0);
        ftri_payload_unref(payload);
    }
    return store;
}

static int ask(struct store *store, struct answer *ret_answers)
{
    const struct api_options options = {.address = "127.0.0.1:0", .store = store};
    struct api *api = NULL;
    struct ftri_error error = {{0}};
    const int r = api_start(&options, &api, &error);
    EXPECT(r == 0 || error.text[0]);
    if (r < 0)
        return r;
    const uint16_t port = wire_port(api_address(api));
    for (size_t i = 0; i < FTRI_COUNT(requests); i++)
        ret_answers[i].status = wire_http(port, requests[i].line, "", ftri_view_of("", 0),
                                          ret_answers[i].text, sizeof ret_answers[i].text);
    api_stop(api);
    return 0;
}

static const char *body_of(const struct answer *answer)
{
    const char *body = strstr(answer->text, "\r\n\r\n");
    EXPECT(body);
    return body;
}

/* One failed call costs one answer at most. */
static void compare(void)
{
    size_t n_spoilt = 0;
    for (size_t i = 0; i < FTRI_COUNT(requests); i++) {
        const struct answer *answer = &found[i];
        if (answer->status == 0 || answer->status >= 500) {
            n_spoilt++;
            continue;
        }
        EXPECT_THAT(answer->status == expected[i].status &&
                        strcmp(body_of(answer), body_of(&expected[i])) == 0,
                    "%s: %s\ninstead of %s", requests[i].line, answer->text, expected[i].text);
    }
    EXPECT_THAT(n_spoilt <= (torture_has_struck() ? 1 : 0), "%zu answers are spoilt", n_spoilt);
}

void torture_run(void)
{
    struct store *store = fill_store();
    EXPECT(ask(store, expected) == 0);
    for (size_t i = 0; i < FTRI_COUNT(requests); i++)
        EXPECT_THAT(expected[i].status == requests[i].status, "%s: %s", requests[i].line,
                    expected[i].text);
    torture_begin();
    int r = ask(store, found);
    torture_end();
    EXPECT_THAT(r == 0 || (r == torture_errno() && torture_has_struck()), "%d", r);
    if (r == 0)
        compare();
    EXPECT(ask(store, found) == 0);
    for (size_t i = 0; i < FTRI_COUNT(requests); i++)
        EXPECT(strcmp(body_of(&found[i]), body_of(&expected[i])) == 0);
    store_close(store);
}
