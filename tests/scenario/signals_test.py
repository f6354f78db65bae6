# SPDX-License-Identifier: Apache-2.0
"""Logs and metrics over every transport: log records that are events of a span are kept and shown on
it, whatever came first; the rest is counted and rejected. Requests are made, and answers read, by
Google's protobuf."""

import base64
import gzip
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse

import grpc
from google.protobuf import json_format

import harness
from harness import (Run, Scenario, get_json, get_trace, new_id, new_span, request, send_json, span_document,
                     wait_for)

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "otlp")
compiled = tempfile.TemporaryDirectory(prefix="flowtrace-proto-")
subprocess.run(["protoc", "-I", PROTO, "--python_out", compiled.name, "trace.proto", "logs.proto",
                "metrics.proto"], check=True)
sys.path.insert(0, compiled.name)
import logs_pb2 as logs  # noqa: E402
import metrics_pb2 as metrics  # noqa: E402
import trace_pb2 as traces  # noqa: E402

NO_SPAN = "(span not received)"
TIMEOUT_S = harness.PATIENCE_S
JSON, PROTOBUF = "application/json", "application/x-protobuf"
LOGS = ("/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        logs.ExportLogsServiceResponse, "rejected_log_records")
METRICS = ("/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
           metrics.ExportMetricsServiceResponse, "rejected_data_points")

GRAPH = """\
nodes:
  otlp: {type: receiver/otlp, config: {grpc: '%s', http: '%s', max_body: 8KiB}}
  log: {type: processor/wal}
  store: {type: exporter/store, config: {block_spans: 1}}
connections:
  - {from: otlp, to: log}
  - {from: log, to: store}
"""


def hex_ids(node):
    """Google's JSON has ids in base64, OTLP's in hexadecimal."""
    if isinstance(node, list):
        return [hex_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: base64.b64decode(value).hex() if name in ("traceId", "spanId") else hex_ids(value)
            for name, value in node.items()}


def json_of(message):
    return json.dumps(hex_ids(json_format.MessageToDict(message))).encode()


def status_of(body):
    """google.rpc.Status of protobuf bytes."""
    return traces.RpcStatus.FromString(body)


def event(trace_id, span_id, name, time_ns, **fields):
    return logs.LogRecord(trace_id=bytes.fromhex(trace_id), span_id=bytes.fromhex(span_id),
                          event_name=name, time_unix_nano=time_ns, **fields)


def logs_request(*records, service="scenario"):
    out = logs.ExportLogsServiceRequest()
    resource_logs = out.resource_logs.add()
    resource_logs.resource.attributes.add(key="service.name").value.string_value = service
    resource_logs.scope_logs.add().log_records.extend(records)
    return out


def metrics_request():
    """(request, number of its data points): every kind of metric."""
    out = metrics.ExportMetricsServiceRequest()
    members = out.resource_metrics.add().scope_metrics.add().metrics
    for i, kind in enumerate(["gauge", "sum", "histogram", "exponential_histogram", "summary"]):
        metric = members.add(name=kind)
        for j in range(i + 1):
            point = getattr(metric, kind).data_points.add(time_unix_nano=j)
            if kind == "histogram":
                point.bucket_counts.extend([1, 2])
                point.explicit_bounds.extend([0.5])
    members.add(name="none")
    return out, 1 + 2 + 3 + 4 + 5


class SignalScenario(Scenario):
    def post(self, path, content_type, body, **headers):
        return request(self.collector.otlp, "POST", path, body, dict({"Content-Type": content_type}, **headers))

    def call(self, method, body):
        with grpc.insecure_channel(f"127.0.0.1:{self.collector.grpc}") as channel:
            return channel.unary_unary(method)(body, timeout=TIMEOUT_S)

    def refuse_call(self, method, body):
        with self.assertRaises(grpc.RpcError) as caught:
            self.call(method, body)
        return caught.exception

    def transports(self, service, message):
        """(name, answer as a message) of the request over each of them."""
        path, method, answer_type, _ = service
        binary, text = message.SerializeToString(), json_of(message)
        for name, kind, body, headers in [
                ("protobuf", PROTOBUF, binary, {}), ("JSON", JSON, text, {}),
                ("packed protobuf", PROTOBUF, gzip.compress(binary), {"Content-Encoding": "gzip"}),
                ("packed JSON", JSON, gzip.compress(text), {"Content-Encoding": "gzip"})]:
            status, found, answer = self.post(path, kind, body, **headers)
            self.assertEqual((status, found["content-type"]), (200, kind), answer)
            yield name, (answer_type.FromString(answer) if kind == PROTOBUF
                         else json_format.Parse(answer, answer_type()))
        yield "gRPC", answer_type.FromString(self.call(method, binary))

    def send_logs(self, *records):
        """Of the answer: (rejected, message)."""
        status, _, answer = self.post("/v1/logs", PROTOBUF, logs_request(*records).SerializeToString())
        self.assertEqual(status, 200, answer)
        partial = logs.ExportLogsServiceResponse.FromString(answer).partial_success
        return partial.rejected_log_records, partial.error_message

    def send_span(self, span):
        self.assertEqual(send_json(self.collector.otlp, span_document([span]))[0], 200)

    def check_events(self, span, name, expected):
        """The span's name and [(event, time)] in v3 by id, in v3's search and in Jaeger's JSON."""
        trace_id = span["traceId"]
        query = urllib.parse.urlencode({"query.service_name": "scenario"})
        for path in ("/api/v3/traces/" + trace_id, "/api/v3/traces?" + query):
            found = [s for s in harness.find_spans(self.collector.api, path) if s["traceId"] == trace_id]
            self.assertEqual([s["name"] for s in found], [name], path)
            self.assertEqual([(e["name"], int(e["timeUnixNano"])) for e in found[0].get("events", [])],
                             expected, path)
        status, document = get_json(self.collector.api, "/api/traces/" + trace_id)
        self.assertEqual(status, 200)
        legacy, = document["data"][0]["spans"]
        self.assertEqual(legacy["operationName"], name)
        self.assertEqual([({f["key"]: f["value"] for f in log["fields"]}["event"], log["timestamp"])
                          for log in legacy["logs"]], [(e, t // 1000) for e, t in expected])


class Answers(SignalScenario):
    def test_metrics_are_rejected_and_counted(self):
        self.start()
        message, n_points = metrics_request()
        for name, answer in self.transports(METRICS, message):
            with self.subTest(transport=name):
                self.assertEqual(answer.partial_success.rejected_data_points, n_points)
                self.assertIn("metrics are not kept", answer.partial_success.error_message)
                self.assertIn("OTEL_METRICS_EXPORTER=none", answer.partial_success.error_message)

    def test_log_records_that_are_no_events_are_rejected_and_counted(self):
        self.start()
        trace_id, span_id = new_id(16), new_id(8)
        message = logs_request(logs.LogRecord(severity_number=9), logs.LogRecord(event_name="no span"),
                               event(trace_id, span_id, "", 5), event("00" * 16, span_id, "e", 5))
        for name, answer in self.transports(LOGS, message):
            with self.subTest(transport=name):
                self.assertEqual(answer.partial_success.rejected_log_records, 4)
                self.assertIn("event name", answer.partial_success.error_message)
                self.assertIn("span id", answer.partial_success.error_message)
        self.assertEqual(get_trace(self.collector.api, trace_id), [])

    def test_events_are_accepted_without_a_word(self):
        self.start()
        span = new_span()
        message = logs_request(event(span["traceId"], span["spanId"], "e", 5),
                               event(span["traceId"], span["spanId"], "f", 6))
        for name, answer in self.transports(LOGS, message):
            with self.subTest(transport=name):
                self.assertEqual(answer, logs.ExportLogsServiceResponse())
        self.check_events(span, NO_SPAN, [("e", 5), ("f", 6)])

    def test_of_a_mixed_request_the_events_are_kept(self):
        self.start()
        span = new_span()
        n_rejected, message = self.send_logs(
            logs.LogRecord(severity_text="INFO"), event(span["traceId"], span["spanId"], "e", 5),
            logs.LogRecord(event_name="x"), event(span["traceId"], span["spanId"], "f", 6))
        self.assertEqual(n_rejected, 2)
        self.assertIn("event name", message)
        self.check_events(span, NO_SPAN, [("e", 5), ("f", 6)])

    def test_empty_requests_are_accepted(self):
        self.start()
        for path, method, _, _ in (LOGS, METRICS):
            self.assertEqual(self.post(path, PROTOBUF, b"")[::2], (200, b""))
            self.assertEqual(self.post(path, JSON, b"{}")[::2], (200, b"{}"))
            self.assertEqual(self.call(method, b""), b"")


class Refusals(SignalScenario):
    def setUp(self):
        super().setUp()
        config = os.path.join(self.folder.name, "graph.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(GRAPH % ("127.0.0.1:0", "127.0.0.1:0"))
        self.start(["--config", config])

    def test_what_is_wrong_is_named(self):
        # fields 1 and 2 down to the item; there 0x08: field 1 as a varint
        record = harness.field(1, harness.field(2, harness.field(2, b"\x08\x01")))
        point = harness.field(1, harness.field(2, harness.field(2, harness.field(5, harness.field(1, b"\x10\x01")))))
        record_place = "resourceLogs[0].scopeLogs[0].logRecords[0]."
        point_place = "resourceMetrics[0].scopeMetrics[0].metrics[0]."
        for service, kind, body, words in [
                (LOGS, PROTOBUF, record, record_place + "timeUnixNano: wrong wire type"),
                (LOGS, PROTOBUF, b"\x0a\xff", "resourceLogs"),
                (LOGS, PROTOBUF, b"{}", "request"),
                (LOGS, JSON, b"[]", "request: expected an object"),
                (LOGS, JSON, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":1}]}]}]}',
                 record_place + "body: expected an object"),
                (METRICS, PROTOBUF, point, point_place + "gauge.dataPoints[0].startTimeUnixNano"),
                (METRICS, PROTOBUF, b"\xff\xff\xff\xff", "request"),
                (METRICS, JSON, b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":'
                                b'[{"asInt":"x"}]}}]}]}]}', point_place + "sum.dataPoints[0].asInt")]:
            with self.subTest(path=service[0], body=body):
                status, headers, answer = self.post(service[0], kind, body)
                self.assertEqual((status, headers["content-type"]), (400, kind), answer)
                found = (status_of(answer) if kind == PROTOBUF
                         else json_format.Parse(answer, traces.RpcStatus()))
                self.assertEqual(found.code, 3)  # INVALID_ARGUMENT
                self.assertIn(words, found.message)
                if kind == PROTOBUF:
                    error = self.refuse_call(service[1], body)
                    self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
                    self.assertIn(words, error.details())

    def test_the_rules_of_http(self):
        for path, _, _, _ in (LOGS, METRICS):
            status, headers, _ = request(self.collector.otlp, "GET", path)
            self.assertEqual((status, headers["allow"]), (405, "POST"))
            self.assertEqual(self.post(path, "text/plain", b"{}")[0], 415)
            self.assertEqual(self.post(path, JSON, b"{}", **{"Content-Encoding": "br"})[0], 415)
            self.assertEqual(self.post(path, JSON, b"{}", **{"Content-Encoding": "gzip"})[0], 400)
            for body, more in ((b" " * 9000, {}), (gzip.compress(b" " * 9000), {"Content-Encoding": "gzip"})):
                status, _, answer = self.post(path, PROTOBUF, body, **more)
                self.assertEqual((status, status_of(answer).code), (413, 8))  # RESOURCE_EXHAUSTED
        status, _, answer = self.post("/v1/profiles", JSON, b"{}")
        self.assertEqual(status, 404)
        self.assertIn(b"/v1/logs", answer)
        self.assertTrue(self.collector.is_alive())


class Events(SignalScenario):
    def restart(self, kill):
        if kill:
            self.collector.kill()
        else:
            self.assertEqual(self.collector.stop(), 0)
        self.start()

    def test_an_event_comes_first(self):
        """In the log, over a kill, in a block, over a restart; then the span."""
        for kill in (True, False):
            self.start()
            span = new_span()
            start = int(span["startTimeUnixNano"])
            self.send_logs(event(span["traceId"], span["spanId"], "begun", start + 5000))
            self.check_events(span, NO_SPAN, [("begun", start + 5000)])
            self.restart(kill)
            self.check_events(span, NO_SPAN, [("begun", start + 5000)])
            self.send_span(span)
            self.check_events(span, "step", [("begun", start + 5000)])
            self.restart(kill)
            self.check_events(span, "step", [("begun", start + 5000)])
            self.collector.stop()

    def test_a_span_comes_first(self):
        for kill in (True, False):
            self.start()
            span = new_span()
            start = int(span["startTimeUnixNano"])
            own = {"timeUnixNano": str(start + 3000), "name": "own"}
            self.send_span(dict(span, events=[own]))
            self.restart(kill)
            self.send_logs(event(span["traceId"], span["spanId"], "late", start + 9000),
                           event(span["traceId"], span["spanId"], "early", start + 1000))
            expected = [("early", start + 1000), ("own", start + 3000), ("late", start + 9000)]
            self.check_events(span, "step", expected)
            self.restart(kill)
            self.check_events(span, "step", expected)
            self.collector.stop()

    def test_what_an_event_carries(self):
        self.start()
        span = new_span()
        body = traces.AnyValue(kvlist_value=traces.KeyValueList(
            values=[traces.KeyValue(key="rows", value=traces.AnyValue(int_value=7))]))
        attributes = [traces.KeyValue(key="k", value=traces.AnyValue(string_value="v")),
                      traces.KeyValue(key="event.name", value=traces.AnyValue(string_value="older form"))]
        self.send_span(span)
        self.assertEqual(self.send_logs(event(span["traceId"], span["spanId"], "", 0, body=body,
                                              attributes=attributes, severity_number=17,
                                              observed_time_unix_nano=77, dropped_attributes_count=3)),
                         (0, ""))
        found, = get_trace(self.collector.api, span["traceId"])
        self.assertEqual(found["events"], [{
            "timeUnixNano": "77", "name": "older form", "attributes": [
                {"key": "k", "value": {"stringValue": "v"}},
                {"key": "log.record.severity_number", "value": {"intValue": "17"}},
                {"key": "log.record.body", "value": {"kvlistValue": {"values": [
                    {"key": "rows", "value": {"intValue": "7"}}]}}}],
            "droppedAttributesCount": 3}])

    def test_sent_twice_is_shown_once(self):
        self.start()
        span = new_span()
        for _ in range(3):
            self.send_logs(event(span["traceId"], span["spanId"], "e", 5))
        self.send_span(span)
        self.check_events(span, "step", [("e", 5)])

    def test_events_without_a_span_are_found_by_that(self):
        self.start()
        missing, whole = new_span(), new_span()
        for span in (missing, whole):
            self.send_logs(event(span["traceId"], span["spanId"], "e", int(span["startTimeUnixNano"])))
        self.send_span(whole)

        def found(name):
            query = urllib.parse.urlencode({"query.service_name": "scenario", "query.operation_name": name})
            return {s["traceId"] for s in harness.find_spans(self.collector.api, "/api/v3/traces?" + query)}
        for _ in range(2):
            self.assertEqual(found(NO_SPAN), {missing["traceId"]})
            self.assertEqual(found("step"), {whole["traceId"]})
            status, document = get_json(self.collector.api, "/api/services/scenario/operations")
            self.assertEqual((status, document["data"]), (200, ["step"]))
            listed = subprocess.run(
                [harness.program(), "trace", "query", "--server", self.collector.url(), "--name", NO_SPAN],
                stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=True).stdout.splitlines()
            self.assertEqual(len(listed), 1, listed)
            self.assertIn(missing["traceId"], listed[0])
            self.restart(False)


class Accounts(SignalScenario):
    def test_what_is_rejected_is_dropped_in_the_receivers_account(self):
        running = Run(os.path.join(self.folder.name, "graph.yaml"), GRAPH % ("off", "127.0.0.1:0"))
        self.addCleanup(running.kill_if_alive)

        def send(path, message):
            return request(running.port("otlp/http"), "POST", path, message.SerializeToString(),
                           {"Content-Type": PROTOBUF})[0]
        message, n_points = metrics_request()
        self.assertEqual(send("/v1/metrics", message), 200)
        mixed = logs_request(event(new_id(16), new_id(8), "e", 5), logs.LogRecord(), logs.LogRecord())
        statuses = []

        def is_accepted():  # 503 while the log is replayed
            statuses.append(send("/v1/logs", mixed))
            return statuses[-1] == 200
        wait_for(is_accepted, "the log is replayed for ever")
        self.assertEqual(running.stop(), 0, running.lines)
        rows = running.accounts()
        receiver = next(row for row in rows if row.get("node") == "otlp")
        self.assertEqual(receiver["dropped"], {"no_route": n_points + 2 * len(statuses)})
        stored = next(row for row in rows if row.get("node") == "store")
        self.assertEqual(stored["in"], 1)


if __name__ == "__main__":
    harness.main()
