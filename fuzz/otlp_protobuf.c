/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an OTLP request. What the check accepts, every walker must walk, and the JSON made
 * of it must be read back to the same JSON. */
#include "otlp/answer.h"
#include "otlp/json.h"
#include "otlp/view.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 64 << 20 };

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void walk_value(struct ftri_view any_value)
{
    const ftr_value value = ftri_otlp_value_read(any_value);
    struct ftri_otlp_attribute element;
    size_t next = 0;
    const struct ftri_view list = ftri_otlp_value_list(any_value);
    while (ftri_otlp_element_next(list, value.type == FTR_VALUE_MAP, &next, &element))
        walk_value(element.value);
}

static void walk_attributes(enum ftri_otlp_owner owner, struct ftri_view message)
{
    struct ftri_otlp_attribute attribute;
    struct ftri_view found;
    size_t next = 0;
    while (ftri_otlp_attribute_next(owner, message, &next, &attribute)) {
        walk_value(attribute.value);
        require(ftri_otlp_attribute_find(owner, message, attribute.key, &found));
    }
}

static void walk_span(const struct ftri_otlp_span *span)
{
    struct ftri_otlp_event event;
    struct ftri_otlp_link link;
    size_t next = 0;
    require(span->trace_id && span->span_id);
    walk_attributes(FTRI_OTLP_SPAN, span->bytes);
    walk_attributes(FTRI_OTLP_RESOURCE, span->resource);
    walk_attributes(FTRI_OTLP_SCOPE, span->scope);
    require(ftri_otlp_service_name(span->resource).len > 0);
    while (ftri_otlp_event_next(span->bytes, &next, &event))
        walk_attributes(FTRI_OTLP_EVENT, event.bytes);
    next = 0;
    while (ftri_otlp_link_next(span->bytes, &next, &link)) {
        require(link.trace_id && link.span_id);
        walk_attributes(FTRI_OTLP_LINK, link.bytes);
    }
}

static void write_span_by_span(struct ftri_view bytes, size_t n_spans)
{
    struct ftri_bytes json FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_cursor cursor;
    struct ftri_otlp_json_writer writer;
    const struct ftri_otlp_span *span;
    size_t n_seen = 0;
    ftri_bytes_init(&json, OUTPUT_MAX);
    ftri_otlp_cursor_init(&cursor, bytes);
    require(ftri_otlp_json_begin(&writer, &json) == 0);
    for (; ftri_otlp_cursor_next(&cursor, &span); n_seen++) {
        walk_span(span);
        require(ftri_otlp_json_span(&writer, span) == 0);
    }
    require(ftri_otlp_json_end(&writer) == 0 && n_seen == n_spans);
}

static void go_there_and_back(struct ftri_view bytes, size_t n_spans)
{
    struct ftri_bytes json FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes back FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes again FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    ftri_bytes_init(&json, OUTPUT_MAX);
    ftri_bytes_init(&back, OUTPUT_MAX);
    ftri_bytes_init(&again, OUTPUT_MAX);
    require(ftri_otlp_traces_to_json(bytes, &json) == 0);
    /* Protobuf may nest deeper than JSON. */
    if (ftri_otlp_traces_from_json(ftri_bytes_view(&json), &back, &counts, &error) < 0) {
        require(strstr(error.reason, "nested deeper") != NULL);
        return;
    }
    require(counts.n_items == n_spans);
    require(ftri_otlp_traces_to_json(ftri_bytes_view(&back), &again) == 0);
    require(again.len == json.len && memcmp(again.data, json.data, json.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ftri_view bytes = ftri_view_of(data, size);
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error = {0};
    struct ftri_otlp_answer answer = {0};
    (void)!ftri_otlp_answer_read_response(&answer, bytes);
    (void)!ftri_otlp_answer_read_status(&answer, bytes);
    if (ftri_otlp_traces_check(bytes, &counts, &error) < 0) {
        require(error.path[0] && error.reason[0] && error.offset <= size);
        return 0;
    }
    write_span_by_span(bytes, counts.n_spans);
    go_there_and_back(bytes, counts.n_spans);
    return 0;
}
