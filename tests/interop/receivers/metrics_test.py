#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Metrics that the OTLP exporter sends, set up by the environment, decoded by Google's protobuf:
grpcio, Python's HTTP server with protobuf and JSON, our own collector."""

import tempfile
import unittest

from receiver import GrpcReceiver, HttpReceiver, Sent, harness, metrics_service

PREFIX = "OTEL_EXPORTER_OTLP_"
N_SPANS = 50
CUMULATIVE = 2
STANDARD_MS = [2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10000, 15000]
PROTOCOLS = {"grpc": GrpcReceiver, "http/protobuf": HttpReceiver, "http/json": HttpReceiver}


def attributes_of(point):
    return {item.key: item.value.string_value for item in point.attributes}


class Metrics(unittest.TestCase):
    def receive(self, kind):
        receiver = kind()
        self.addCleanup(receiver.stop)
        return receiver

    def send(self, receiver, spans=N_SPANS, flush_ms=0, **variables):
        environment = {PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}", PREFIX + "TIMEOUT": "50000"}
        environment.update(variables)
        sent = Sent(spans, environment, flush_ms=flush_ms, shutdown_ms=60000)
        self.assertEqual(sent.one("shutdown")["shutdown"], 0, (sent.lines, sent.stderr))
        return sent

    def families(self, request):
        (resource_metrics,) = request.resource_metrics
        self.assertEqual(attributes_of(resource_metrics.resource)["service.name"], "otlp-send")
        (scope_metrics,) = resource_metrics.scope_metrics
        self.assertEqual(scope_metrics.scope.name, "flowtrace")
        return {metric.name: metric for metric in scope_metrics.metrics}

    def check(self, request, receiver):
        families = self.families(request)
        self.assertEqual(set(families), {"traces.span.metrics.calls", "traces.span.metrics.duration"})
        calls, duration = families["traces.span.metrics.calls"], families["traces.span.metrics.duration"]
        self.assertTrue(calls.sum.is_monotonic)
        self.assertEqual((calls.sum.aggregation_temporality, duration.histogram.aggregation_temporality),
                         (CUMULATIVE, CUMULATIVE))
        self.assertEqual(duration.unit, "ms")
        by_name = {attributes_of(point)["span.name"]: point for point in calls.sum.data_points}
        self.assertEqual(set(by_name), {f"sent {i}" for i in range(N_SPANS)})
        self.assertEqual({point.as_int for point in by_name.values()}, {1})
        spans = {span.name: span for exported in receiver.requests for resource in exported.resource_spans
                 for scope in resource.scope_spans for span in scope.spans}
        for point in duration.histogram.data_points:
            self.check_duration(point, spans[attributes_of(point)["span.name"]])

    def check_duration(self, point, span):
        self.assertEqual(list(point.explicit_bounds), STANDARD_MS)
        took_ms = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        self.assertEqual((point.count, point.sum), (1, took_ms))
        self.assertEqual(list(point.bucket_counts),
                         [int(low < took_ms <= high) for low, high in
                          zip([-1] + STANDARD_MS, STANDARD_MS + [float("inf")])])
        self.assertEqual(attributes_of(point), {"service.name": "otlp-send", "span.name": span.name,
                                                "span.kind": "SPAN_KIND_INTERNAL",
                                                "status.code": "STATUS_CODE_UNSET"})
        (exemplar,) = point.exemplars
        self.assertEqual((exemplar.trace_id, exemplar.span_id, exemplar.as_double,
                          exemplar.time_unix_nano),
                         (span.trace_id, span.span_id, took_ms, span.end_time_unix_nano))
        self.assertLessEqual(point.start_time_unix_nano, point.time_unix_nano)

    def test_every_protocol(self):
        for protocol, kind in PROTOCOLS.items():
            for compression in ("none", "gzip"):
                with self.subTest(protocol=protocol, compression=compression):
                    receiver = self.receive(kind)
                    sent = self.send(receiver, **{PREFIX + "PROTOCOL": protocol,
                                                  PREFIX + "COMPRESSION": compression})
                    self.assertEqual(sent.diagnostics, "")
                    ((request, headers),) = receiver.metrics
                    if kind is HttpReceiver:
                        self.assertEqual(headers["path"], "/v1/metrics")
                    self.check(request, receiver)

    def test_signals_have_endpoints_of_their_own(self):
        traces, metrics = self.receive(HttpReceiver), self.receive(GrpcReceiver)
        self.send(traces, **{PREFIX + "METRICS_ENDPOINT": f"http://127.0.0.1:{metrics.port}",
                             PREFIX + "METRICS_PROTOCOL": "grpc", PREFIX + "METRICS_HEADERS": "x-for=metrics",
                             PREFIX + "TRACES_HEADERS": "x-for=traces"})
        self.assertEqual((len(traces.metrics), len(metrics.requests)), (0, 0))
        ((request, headers),) = metrics.metrics
        self.assertEqual((headers["x-for"], traces.headers[0]["x-for"]), ("metrics", "traces"))
        self.check(request, traces)

    def test_only_metrics(self):
        receiver = self.receive(HttpReceiver)
        sent = self.send(receiver, OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="otlp")
        self.assertEqual((receiver.requests, sent.all("exporter")), ([], []))
        families = self.families(receiver.metrics[0][0])
        self.assertEqual(len(families["traces.span.metrics.calls"].sum.data_points), N_SPANS)

    def test_none_is_none(self):
        for variables in ({"OTEL_METRICS_EXPORTER": "none"}, {"OTEL_METRICS_EXPORTER": "prometheus"},
                          {"OTEL_SDK_DISABLED": "true", "OTEL_METRICS_EXPORTER": "otlp"}):
            receiver = self.receive(HttpReceiver)
            self.send(receiver, **variables)
            self.assertEqual(receiver.metrics, [])

    def test_exemplars_by_the_filter(self):
        for word, expected in (("always_off", 0), ("ALWAYS_ON", 1), ("nonsense", 1)):
            receiver = self.receive(HttpReceiver)
            sent = self.send(receiver, spans=1, OTEL_METRICS_EXEMPLAR_FILTER=word)
            families = self.families(receiver.metrics[0][0])
            (point,) = families["traces.span.metrics.duration"].histogram.data_points
            self.assertEqual(len(point.exemplars), expected, word)
            self.assertEqual("OTEL_METRICS_EXEMPLAR_FILTER" in sent.diagnostics, word == "nonsense")

    def test_a_flush_sends_and_so_does_the_shutdown(self):
        receiver = self.receive(HttpReceiver)
        self.send(receiver, flush_ms=60000, OTEL_METRIC_EXPORT_INTERVAL="100000")
        self.assertEqual(len(receiver.metrics), 2)
        starts = {point.start_time_unix_nano for request, _ in receiver.metrics
                  for point in self.families(request)["traces.span.metrics.calls"].sum.data_points}
        self.assertEqual(len(starts), 1)

    def test_what_is_rejected_is_said_when_it_was_asked_for(self):
        answer = metrics_service.ExportMetricsServiceResponse()
        answer.partial_success.rejected_data_points = 7
        answer.partial_success.error_message = "no room"
        for variables, expected in (({}, ""), ({"OTEL_METRICS_EXPORTER": "otlp"}, "7 of 100 points")):
            receiver = self.receive(HttpReceiver)
            receiver.metrics_script = [(200, {}, answer.SerializeToString())]
            sent = self.send(receiver, **variables)
            self.assertIn(expected, sent.diagnostics)
            self.assertEqual("no room" in sent.diagnostics, expected != "")

    def test_a_refusal_is_not_tried_again_and_costs_no_span(self):
        receiver = self.receive(HttpReceiver)
        receiver.metrics_script = [(503, {"Retry-After": "1"}, b"")] * 5
        sent = self.send(receiver, OTEL_METRICS_EXPORTER="otlp")
        self.assertEqual(len(receiver.metrics), 1)
        self.assertEqual(sent.accounts, (N_SPANS, 0, 0))
        self.assertIn("HTTP 503", sent.diagnostics)

    def test_our_collector_says_that_it_keeps_none(self):
        with tempfile.TemporaryDirectory() as data:
            collector = harness.Collector(data)
            try:
                for protocol, port in (("http/protobuf", collector.otlp), ("grpc", collector.grpc)):
                    variables = {PREFIX + "ENDPOINT": f"http://127.0.0.1:{port}", PREFIX + "PROTOCOL": protocol}
                    sent = Sent(N_SPANS, dict(variables, OTEL_METRICS_EXPORTER="otlp"))
                    self.assertIn("100 of 100 points not delivered: metrics are not kept", sent.diagnostics)
                    self.assertEqual(sent.accounts, (N_SPANS, 0, 0))
                    self.assertEqual(Sent(N_SPANS, variables).diagnostics, "")
            finally:
                collector.stop()


if __name__ == "__main__":
    harness.main()
