/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include "torture.h"

#include "base/payload.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "otlp/view.h"
#include "store/store.h"

#include <flowtrace/exporter.h>
#include <stdio.h>
#include <string.h>

/* Today's, so that retention leaves them alone. */
static const uint64_t START_NS = UINT64_C(1800000000) * 1000 * 1000 * 1000;

void spans_trace_id(uint8_t number, uint8_t ret_id[16])
{
    memset(ret_id, number, 16);
}

static void put_span(uint8_t number, uint8_t i, struct ftri_bytes *out)
{
    char name[32];
    snprintf(name, sizeof name, "work-%u", i);
    const ftr_attribute attribute = {FTR_STR("step"), ftr_value_i64(i)};
    ftr_span_data span = {
        .size = sizeof span,
        .context.span_id = {{number, i + 1}},
        .name = ftr_str_from(name),
        .kind = FTR_KIND_SERVER,
        .start_time_ns = START_NS + number * UINT64_C(1000000) + i,
        .end_time_ns = START_NS + number * UINT64_C(1000000) + i + 500,
        .attributes = &attribute,
        .n_attributes = 1,
    };
    if (i > 0)
        span.parent_span_id = (ftr_span_id){{number, i}};
    spans_trace_id(number, span.context.trace_id.bytes);
    EXPECT(ftri_otlp_encode_span(&span, out) == 0);
}

struct ftri_bytes spans_protobuf(uint8_t number)
{
    const ftr_attribute service = {FTR_STR("service.name"), ftr_value_str(FTR_STR("shop"))};
    struct ftri_bytes spans, resource, request;
    ftri_bytes_init(&spans, 1 << 20);
    ftri_bytes_init(&resource, 1 << 20);
    ftri_bytes_init(&request, 1 << 20);
    for (uint8_t i = 0; i < SPANS_EACH; i++)
        put_span(number, i, &spans);
    EXPECT(ftri_otlp_encode_resource(&service, 1, &resource) == 0);
    EXPECT(ftri_otlp_encode_traces(ftri_bytes_view(&resource), FTR_STR("torture"), FTR_STR("1"),
                                   ftri_bytes_view(&spans), &request) == 0);
    ftri_bytes_deinit(&spans);
    ftri_bytes_deinit(&resource);
    return request;
}

static void put_json_span(uint8_t number, uint8_t i, struct ftri_bytes *out)
{
    uint8_t id[16];
    spans_trace_id(number, id);
    EXPECT(ftri_bytes_printf(out, "%s{\"traceId\":\"", i ? "," : "") == 0);
    for (size_t j = 0; j < sizeof id; j++)
        EXPECT(ftri_bytes_printf(out, "%02x", id[j]) == 0);
    EXPECT(ftri_bytes_printf(out,
                             "\",\"spanId\":\"%02x%02x000000000000\",\"name\":\"work-%u\","
                             "\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%llu\"}",
                             number, i + 1, i, (unsigned long long)START_NS,
                             (unsigned long long)START_NS + 500) == 0);
}

struct ftri_bytes spans_json(uint8_t number)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    EXPECT(ftri_bytes_append_str(
               &out, FTR_STR("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[")) == 0);
    for (uint8_t i = 0; i < SPANS_EACH; i++)
        put_json_span(number, i, &out);
    EXPECT(ftri_bytes_append_str(&out, FTR_STR("]}]}]}")) == 0);
    return out;
}

struct ftri_payload *spans_payload(uint8_t number)
{
    struct ftri_bytes bytes = spans_protobuf(number);
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    EXPECT(ftri_otlp_traces_check(ftri_bytes_view(&bytes), &counts, &error) == 0);
    struct ftri_payload *payload = ftri_payload_new(&bytes);
    EXPECT(payload);
    return payload;
}

bool spans_are_stored(struct store *store, uint8_t number)
{
    uint8_t id[16];
    spans_trace_id(number, id);
    struct store_result result;
    EXPECT(store_get_trace(store, id, &result) == 0);
    EXPECT_THAT(result.n_spans == 0 || result.n_spans == SPANS_EACH, "trace %u: %zu spans", number,
                result.n_spans);
    bool seen[SPANS_EACH + 1] = {false};
    for (size_t i = 0; i < result.n_spans; i++) {
        const uint8_t which = result.spans[i].span_id[1];
        EXPECT(which >= 1 && which <= SPANS_EACH && !seen[which]);
        seen[which] = true;
    }
    const bool is_there = result.n_spans > 0;
    store_result_deinit(&result);
    return is_there;
}
