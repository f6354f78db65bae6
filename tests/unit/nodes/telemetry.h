/* SPDX-License-Identifier: Apache-2.0
 *
 * Telemetry for the rig as OTLP/JSON (the codec is compared with Google's protobuf elsewhere), in
 * single quotes for double ones. */
#pragma once

#include "otlp/json.h"
#include "rig.h"

/* Attributes. */
#define TEXT(key, value) "{'key':'" key "','value':{'stringValue':'" value "'}}"
#define INTEGER(key, value) "{'key':'" key "','value':{'intValue':'" value "'}}"

static ftr_signal telemetry_signal(const char *json)
{
    return strstr(json, "resourceLogs")      ? FTR_SIGNAL_LOGS
           : strstr(json, "resourceMetrics") ? FTR_SIGNAL_METRICS
                                             : FTR_SIGNAL_TRACES;
}

static void telemetry_quote(const char *json, struct ftri_bytes *out)
{
    for (; *json; json++)
        assert_int_equal(ftri_bytes_append_char(out, *json == '\'' ? '"' : *json), 0);
}

static FTRI_UNUSED void telemetry_feed(const char *json)
{
    const ftr_signal signal = telemetry_signal(json);
    struct ftri_otlp_json_counts counts;
    struct ftri_otlp_error error;
    struct ftri_bytes text, bytes;
    ftri_bytes_init(&text, 1 << 20);
    ftri_bytes_init(&bytes, 1 << 20);
    telemetry_quote(json, &text);
    const struct ftri_view view = ftri_bytes_view(&text);
    const int r =
        signal == FTR_SIGNAL_LOGS      ? ftri_otlp_logs_from_json(view, &bytes, &counts, &error)
        : signal == FTR_SIGNAL_METRICS ? ftri_otlp_metrics_from_json(view, &bytes, &counts, &error)
                                       : ftri_otlp_traces_from_json(view, &bytes, &counts, &error);
    if (r < 0)
        fail_msg("%s: %s", error.path, error.reason);
    struct pdata *pdata = node_ingest(rig.source, signal, NULL, true, 0);
    assert_non_null(pdata);
    struct ftri_payload *payload = ftri_payload_new(&bytes);
    assert_non_null(payload);
    pdata_set_otlp(pdata, payload, counts.n_items);
    rig_send(pdata);
    ftri_bytes_deinit(&text);
    ftri_bytes_deinit(&bytes);
}

/* The same, until it was taken. */
static FTRI_UNUSED void telemetry_settle(const char *json)
{
    telemetry_feed(json);
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_acks, rig.n_fed);
}

/* The i-th batch that reached a node. */
static FTRI_UNUSED void telemetry_check(const char *node, size_t i, const char *expected)
{
    const struct rig_arrival *arrival = rig_arrival(node, i);
    assert_non_null(arrival);
    assert_non_null(arrival->otlp);
    struct ftri_bytes wanted, found;
    ftri_bytes_init(&wanted, 1 << 20);
    ftri_bytes_init(&found, 1 << 20);
    telemetry_quote(expected, &wanted);
    assert_int_equal(ftri_bytes_append_char(&wanted, '\0'), 0);
    const struct ftri_view bytes = ftri_payload_view(arrival->otlp);
    const ftr_signal signal = telemetry_signal(expected);
    assert_int_equal(signal == FTR_SIGNAL_LOGS      ? ftri_otlp_logs_to_json(bytes, &found)
                     : signal == FTR_SIGNAL_METRICS ? ftri_otlp_metrics_to_json(bytes, &found)
                                                    : ftri_otlp_traces_to_json(bytes, &found),
                     0);
    assert_int_equal(ftri_bytes_append_char(&found, '\0'), 0);
    assert_string_equal((const char *)found.data, (const char *)wanted.data);
    ftri_bytes_deinit(&wanted);
    ftri_bytes_deinit(&found);
}
