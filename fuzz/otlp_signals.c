/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as requests of OTLP logs and of OTLP metrics, as JSON when they begin with a brace (no
 * protobuf does). What is accepted is counted; what is made of JSON is accepted as protobuf; every
 * log record becomes one fragment with one event or is counted as another. */
#include "otlp/json.h"
#include "otlp/log_events.h"
#include "otlp/signals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 64 << 20, RECEIVED_NS = 9 };

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void check_fragment(const struct ftri_otlp_span *span)
{
    struct ftri_otlp_event event;
    size_t next = 0;
    require(ftri_otlp_is_fragment(span->name, span->end_time_ns));
    require(ftri_otlp_event_next(span->bytes, &next, &event) && event.name.len > 0);
    require(event.time_ns != 0 && event.time_ns == span->start_time_ns);
    require(!ftri_otlp_event_next(span->bytes, &next, &event));
}

static void make_events(struct ftri_view logs, size_t n_records)
{
    struct ftri_bytes traces FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_log_counts counts;
    struct ftri_otlp_counts checked;
    struct ftri_otlp_error error;
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    ftri_bytes_init(&traces, OUTPUT_MAX);
    require(ftri_otlp_log_events(logs, RECEIVED_NS, &traces, &counts) == 0);
    require(counts.n_events + counts.n_others == n_records);
    require(ftri_otlp_traces_check(ftri_bytes_view(&traces), &checked, &error) == 0);
    require(checked.n_spans == counts.n_events);
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&traces));
    while (ftri_otlp_cursor_next(&cursor, &span))
        check_fragment(span);
}

static void check_refusal(const struct ftri_otlp_error *error, size_t size)
{
    require(error->path[0] && error->reason[0] && error->offset <= size);
}

static void read_protobuf(struct ftri_view bytes)
{
    struct ftri_otlp_error error = {0};
    size_t n;
    if (ftri_otlp_metrics_check(bytes, &ftri_otlp_unlimited, &n, &error) < 0)
        check_refusal(&error, bytes.len);
    if (ftri_otlp_logs_check(bytes, &ftri_otlp_unlimited, &n, &error) < 0)
        check_refusal(&error, bytes.len);
    else
        make_events(bytes, n);
}

static void read_json(struct ftri_view json)
{
    struct ftri_bytes bytes FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error = {0};
    size_t n;
    ftri_bytes_init(&bytes, OUTPUT_MAX);
    if (ftri_otlp_metrics_from_json(json, &bytes, &counts, &error) < 0)
        check_refusal(&error, json.len);
    else
        require(ftri_otlp_metrics_check(ftri_bytes_view(&bytes), &ftri_otlp_unlimited, &n,
                                        &error) == 0 &&
                n == counts.n_items);
    ftri_bytes_reset(&bytes);
    if (ftri_otlp_logs_from_json(json, &bytes, &counts, &error) < 0) {
        check_refusal(&error, json.len);
        return;
    }
    require(ftri_otlp_logs_check(ftri_bytes_view(&bytes), &ftri_otlp_unlimited, &n, &error) == 0 &&
            n == counts.n_items);
    make_events(ftri_bytes_view(&bytes), n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ftri_view input = ftri_view_of(data, size);
    if (size && data[0] == '{')
        read_json(input);
    else
        read_protobuf(input);
    return 0;
}
