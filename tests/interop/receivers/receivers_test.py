# SPDX-License-Identifier: Apache-2.0
"""The OTLP exporter, set up by the environment, against grpcio, Python's HTTP server and our own
collector: what arrives, in which form, and what is tried again."""

import json
import os
import tempfile
import unittest

import grpc

from google.protobuf import json_format

from receiver import GrpcReceiver, HttpReceiver, Sent, harness, process_id, service, span_names, with_base64_ids
from harness import field, varint

NAMES = [f"sent {i}" for i in range(50)]
PREFIX = "OTEL_EXPORTER_OTLP_"


def partial(n_rejected, message):
    answer = service.ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = n_rejected
    answer.partial_success.error_message = message
    return answer.SerializeToString()


def fail(code, message="", seconds=None, nanos=0):
    """A gRPC failure; with seconds, google.rpc.RetryInfo in its details (google/rpc/status.proto,
    error_details.proto)."""
    def entry(context):
        if seconds is not None:
            delay = varint(1 << 3) + varint(seconds) + varint(2 << 3) + varint(nanos)
            info = (field(1, b"type.googleapis.com/google.rpc.RetryInfo") + field(2, field(1, delay)))
            status = varint(1 << 3) + varint(code.value[0]) + field(2, message.encode()) + field(3, info)
            context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(code, message)
    return entry


class Suite(unittest.TestCase):
    def receive(self, kind, *arguments, **options):
        receiver = kind(*arguments, **options)
        self.addCleanup(receiver.stop)
        return receiver

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def send(self, protocol, receiver, spans=50, words=(), shutdown_ms=60000, **variables):
        environment = {PREFIX + "PROTOCOL": protocol,
                       PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}",
                       PREFIX + "TIMEOUT": "50000", "OTEL_BSP_EXPORT_TIMEOUT": "50000"}
        environment.update({PREFIX + name: value for name, value in variables.items()})
        return Sent(spans, environment, shutdown_ms=shutdown_ms, words=words)

    def assert_accounts(self, sent, *expected):
        self.assertEqual(sent.accounts, expected, (sent.lines, sent.stderr))


class Http(Suite):
    def test_protobuf_and_json_with_each_compression(self):
        for protocol, kind in (("http/protobuf", "application/x-protobuf"), ("http/json", "application/json")):
            for compression in ("none", "gzip", "zstd"):
                receiver = self.receive(HttpReceiver)
                sent = self.send(protocol, receiver, COMPRESSION=compression, HEADERS="api-key=a%20b")
                self.assert_accounts(sent, 50, 0, 0)
                self.assertEqual(receiver.names(), sorted(NAMES))
                headers = receiver.headers[0]
                self.assertEqual(headers["content-type"], kind)
                self.assertEqual(headers.get("content-encoding", "none"), compression)
                self.assertEqual(headers["path"], "/v1/traces")
                self.assertEqual(headers["api-key"], "a b")
                self.assertTrue(headers["user-agent"].startswith("OTel-OTLP-Exporter-Flowtrace/"))
                self.assertEqual(sent.diagnostics, "")

    def test_the_protocol_for_traces_beats_the_general_one(self):
        receiver = self.receive(HttpReceiver)
        sent = self.send("grpc", receiver, TRACES_PROTOCOL="http/json")
        self.assert_accounts(sent, 50, 0, 0)

    def test_a_unix_socket(self):
        path = os.path.join(self.folder(), "s")
        receiver = self.receive(HttpReceiver, path=path)
        receiver.port = 0
        for protocol in ("http/protobuf", "http/json"):
            self.assert_accounts(self.send(protocol, receiver, ENDPOINT="unix://" + path), 50, 0, 0)

    def test_partial_success_is_counted_and_told(self):
        for protocol, body in (("http/protobuf", partial(7, "seven are bad")),
                               ("http/json", b'{"partialSuccess":{"rejectedSpans":"7",'
                                             b'"errorMessage":"seven are bad"}}')):
            receiver = self.receive(HttpReceiver, [(200, {}, body)])
            sent = self.send(protocol, receiver)
            self.assert_accounts(sent, 43, 7, 0)
            self.assertEqual(len(receiver.requests), 1)
            self.assertIn("7 rejected", sent.diagnostics)
            self.assertIn("seven are bad", sent.diagnostics)

    def test_what_the_specification_calls_retryable(self):
        receiver = self.receive(HttpReceiver, [(429, {"Retry-After": "1"}, b""), (502, {"Retry-After": "1"}, b""),
                                               (503, {"Retry-After": "1"}, b""), (504, {"Retry-After": "1"}, b"")])
        self.assert_accounts(self.send("http/protobuf", receiver), 50, 0, 0)
        self.assertEqual(len(receiver.requests), 5)
        gaps = [after - before for before, after in zip(receiver.times, receiver.times[1:])]
        self.assertTrue(all(gap >= 0.99 for gap in gaps), gaps)

    def test_everything_else_is_final_and_its_message_is_told(self):
        for status in (400, 401, 404, 413, 500):
            receiver = self.receive(HttpReceiver, [(status, {}, b'{"code":3,"message":"span 3 is bad"}')])
            sent = self.send("http/json", receiver)
            self.assert_accounts(sent, 0, 0, 50)
            self.assertEqual(len(receiver.requests), 1)
            self.assertIn(f"HTTP {status}: span 3 is bad", sent.diagnostics)

    def test_a_delay_beyond_the_deadline_gives_up_at_once(self):
        receiver = self.receive(HttpReceiver, [(503, {"Retry-After": "9999999999999"}, b"")])
        sent = self.send("http/protobuf", receiver)
        self.assert_accounts(sent, 0, 0, 50)
        self.assertIn("no time is left", sent.diagnostics)


class Grpc(Suite):
    def test_plain_and_gzip(self):
        for compression in ("none", "gzip"):
            receiver = self.receive(GrpcReceiver)
            sent = self.send("grpc", receiver, COMPRESSION=compression, HEADERS="api-key=a%20b")
            self.assert_accounts(sent, 50, 0, 0)
            self.assertEqual(receiver.names(), sorted(NAMES))
            headers = receiver.headers[0]
            self.assertEqual(headers["api-key"], "a b")
            self.assertTrue(headers["user-agent"].startswith("OTel-OTLP-Exporter-Flowtrace/"))
            self.assertTrue(0 < headers["time-remaining"] <= 50, headers)
            self.assertEqual(sent.diagnostics, "")

    def test_a_unix_socket(self):
        path = os.path.join(self.folder(), "s")
        receiver = self.receive(GrpcReceiver, address="unix:" + path)
        for endpoint in ("unix://" + path, "unix:" + path):
            self.assert_accounts(self.send("grpc", receiver, ENDPOINT=endpoint), 50, 0, 0)

    def test_a_target_without_a_scheme(self):
        receiver = self.receive(GrpcReceiver)
        sent = self.send("grpc", receiver, ENDPOINT=f"127.0.0.1:{receiver.port}", INSECURE="true")
        self.assert_accounts(sent, 50, 0, 0)

    def test_partial_success_is_counted_and_told(self):
        for compression in (None, grpc.Compression.Gzip):
            receiver = self.receive(GrpcReceiver, [lambda _: partial(7, "seven are bad" + "!" * 200)],
                                    compression=compression)
            sent = self.send("grpc", receiver)
            self.assert_accounts(sent, 43, 7, 0)
            self.assertIn("seven are bad", sent.diagnostics)

    def test_codes_that_are_tried_again(self):
        code = grpc.StatusCode
        for one in (code.CANCELLED, code.DEADLINE_EXCEEDED, code.ABORTED, code.OUT_OF_RANGE, code.UNAVAILABLE,
                    code.DATA_LOSS, code.RESOURCE_EXHAUSTED):
            receiver = self.receive(GrpcReceiver, [fail(one, "later", 0, 300_000_000)])
            self.assert_accounts(self.send("grpc", receiver), 50, 0, 0)
            self.assertEqual(len(receiver.requests), 2, one)
            self.assertGreaterEqual(receiver.times[1] - receiver.times[0], 0.299)

    def test_codes_that_are_final(self):
        code = grpc.StatusCode
        for one in (code.UNKNOWN, code.INVALID_ARGUMENT, code.NOT_FOUND, code.ALREADY_EXISTS,
                    code.PERMISSION_DENIED, code.FAILED_PRECONDITION, code.UNIMPLEMENTED, code.INTERNAL,
                    code.UNAUTHENTICATED, code.RESOURCE_EXHAUSTED):
            receiver = self.receive(GrpcReceiver, [fail(one, "n\u00f6 100%\n")])
            sent = self.send("grpc", receiver)
            self.assert_accounts(sent, 0, 0, 50)
            self.assertEqual(len(receiver.requests), 1, one)
            self.assertIn(f"gRPC {one.name}: n\u00f6 100% ", sent.diagnostics)

    def test_an_answer_without_a_body(self):
        """Trailers-Only: grpcio answers so for a method that nobody handles."""
        receiver = self.receive(GrpcReceiver)
        receiver.service = lambda details: None
        sent = self.send("grpc", receiver)
        self.assert_accounts(sent, 0, 0, 50)
        self.assertIn("gRPC UNIMPLEMENTED", sent.diagnostics)

    def test_batches_larger_than_the_first_window_of_http2(self):
        receiver = self.receive(GrpcReceiver)
        self.assert_accounts(self.send("grpc", receiver, spans=20000), 20000, 0, 0)
        self.assertGreater(max(len(request.SerializeToString()) for request in receiver.requests), 300_000)
        self.assertEqual(len(receiver.names()), 20000)

    def test_a_message_over_the_servers_limit_is_final(self):
        """The server answers and resets before it has read all of the request."""
        receiver = self.receive(GrpcReceiver, options=[("grpc.max_receive_message_length", 100)])
        sent = self.send("grpc", receiver, spans=3000)
        self.assertEqual((sent.accounts[0], sent.accounts[1]), (0, 0), sent.lines)
        self.assertIn("gRPC RESOURCE_EXHAUSTED", sent.diagnostics)

    def test_a_server_that_closes_old_connections(self):
        """GOAWAY after every 0.1 s; batches go on on fresh connections."""
        receiver = self.receive(GrpcReceiver, [fail(grpc.StatusCode.UNAVAILABLE, "", 1)] * 3,
                                options=[("grpc.max_connection_age_ms", 100),
                                         ("grpc.max_connection_age_grace_ms", 100)])
        self.assert_accounts(self.send("grpc", receiver), 50, 0, 0)
        self.assertEqual(len(receiver.requests), 4)

    def test_an_http_server_is_not_taken_for_grpc(self):
        receiver = self.receive(HttpReceiver)
        sent = self.send("grpc", receiver, TIMEOUT="1500")
        self.assert_accounts(sent, 0, 0, 50)

    def test_a_server_that_is_not_there_yet(self):
        receiver = self.receive(GrpcReceiver)
        receiver.stop()
        sent = self.send("grpc", receiver, TIMEOUT="1500")
        self.assert_accounts(sent, 0, 0, 50)
        self.assertIn("no time is left for another try", sent.diagnostics)


class Connections(Suite):
    def test_many_batches_use_one_connection(self):
        for protocol, kind in (("http/protobuf", HttpReceiver), ("grpc", GrpcReceiver)):
            receiver = self.receive(kind)
            environment = {PREFIX + "PROTOCOL": protocol, PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}",
                           PREFIX + "TIMEOUT": "50000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}
            sent = Sent(100, environment, shutdown_ms=60000)
            self.assert_accounts(sent, 100, 0, 0)
            self.assertEqual(len(receiver.requests), 10)
            self.assertEqual(len({headers["peer"] for headers in receiver.headers}), 1)
            self.assertEqual(sent.diagnostics, "")


class Forks(Suite):
    def test_a_child_opens_connections_of_its_own(self):
        if harness.is_sanitized():
            self.skipTest("AddressSanitizer's allocator may hang in a forked child (tests/skips.txt)")
        for protocol, kind in (("http/protobuf", HttpReceiver), ("grpc", GrpcReceiver)):
            receiver = self.receive(kind)
            environment = {PREFIX + "PROTOCOL": protocol,
                           PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}"}
            sent = Sent(20, environment, flush_ms=60000, shutdown_ms=60000, words=["fork"])
            self.assertEqual(sent.code, 0, (sent.lines, sent.stderr))
            self.assertEqual(len(receiver.names()), 60, sent.lines)
            self.assertEqual([line["lost_export"] for line in sent.all("exporter")], [0, 0])
            users = {}
            for request, headers in zip(receiver.requests, receiver.headers):
                users.setdefault(headers["peer"], set()).add(process_id(request))
            self.assertEqual([len(pids) for pids in users.values()], [1, 1], users)


class Several(Suite):
    def test_two_exporters_get_every_span(self):
        receiver = self.receive(HttpReceiver)
        environment = {"OTEL_TRACES_EXPORTER": "console,otlp",
                       PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}"}
        sent = Sent(50, environment)
        self.assertEqual(receiver.names(), sorted(NAMES))
        self.assertEqual([line["delivered"] for line in sent.all("exporter")], [50, 50])
        self.assertEqual(len(sent.stderr.splitlines()), 50)

    def test_standard_output_gets_a_batch_a_line(self):
        """Each is a TracesData in OTLP's JSON (specification, "File Exporter"): read by Google's protobuf."""
        sent = Sent(50, {"OTEL_TRACES_EXPORTER": "otlp/stdout", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "20"})
        names = []
        for line in sent.all("resourceSpans"):
            request = json_format.Parse(with_base64_ids(json.dumps(line)), service.ExportTraceServiceRequest())
            names += span_names(request)
            self.assertGreater(process_id(request), 0)
        self.assertEqual(len(sent.all("resourceSpans")), 3)
        self.assertEqual(sorted(names), sorted(NAMES))
        self.assert_accounts(sent, 50, 0, 0)
        self.assertEqual(sent.one("exporter")["exporter"], "otlp/stdout")

    def test_standard_output_and_a_collector_get_every_span(self):
        receiver = self.receive(HttpReceiver)
        sent = Sent(50, {"OTEL_TRACES_EXPORTER": "otlp/stdout,otlp",
                         PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}"})
        self.assertEqual(receiver.names(), sorted(NAMES))
        self.assertEqual([line["delivered"] for line in sent.all("exporter")], [50, 50])

    def test_a_closed_standard_output_loses_and_tells(self):
        """The write's signal is not the host's to die of."""
        sent = Sent(50, {"OTEL_TRACES_EXPORTER": "otlp/stdout"}, words=["closed"])
        self.assertEqual(sent.code, 0, sent.stderr)
        lines = [json.loads(line) for line in sent.stderr.splitlines()]
        self.assertEqual([line["lost_export"] for line in lines if "exporter" in line], [50])
        self.assertIn("standard output cannot be written", sent.stderr)

    def test_without_any_variable_nothing_is_exported(self):
        sent = Sent(50, {PREFIX + "PROTOCOL": "grpc"}, flush_ms=1000)
        self.assertEqual(sent.all("exporter"), [])
        self.assertEqual(sent.one("sockets")["sockets"], 0)
        self.assertEqual(sent.one("shutdown")["shutdown"], 0)

    def test_an_exporter_has_its_socket(self):
        """So that a count of none means something."""
        receiver = self.receive(HttpReceiver)
        sent = Sent(50, {PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}"}, flush_ms=60000)
        self.assertGreater(sent.one("sockets")["sockets"], 0)

    def test_ignored_variables_are_told(self):
        receiver = self.receive(HttpReceiver)
        sent = self.send("http/protobuf", receiver, COMPRESSION="brotli", TRACES_PROTOCOL="morse")
        self.assert_accounts(sent, 50, 0, 0)
        self.assertIn("OTEL_EXPORTER_OTLP_COMPRESSION: ignored", sent.diagnostics)
        self.assertIn("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ignored", sent.diagnostics)


class OwnCollector(harness.Scenario):
    def send(self, protocol, endpoint):
        for compression in ("none", "gzip", "zstd"):
            sent = Sent(20, {PREFIX + "PROTOCOL": protocol, PREFIX + "ENDPOINT": endpoint,
                             PREFIX + "COMPRESSION": compression, PREFIX + "TIMEOUT": "50000"})
            self.assertEqual(sent.accounts, (20, 0, 0), (protocol, compression, sent.lines))

    def count_stored(self):
        status, _, body = harness.request(
            self.collector.api, "GET", "/api/traces?service=otlp-send&limit=1000")
        self.assertEqual(status, 200)
        return sum(len(trace["spans"]) for trace in json.loads(body)["data"])

    def test_every_protocol_is_stored(self):
        collector = self.start()
        self.send("grpc", f"http://127.0.0.1:{collector.grpc}")
        self.send("http/json", f"http://127.0.0.1:{collector.otlp}")
        self.send("http/protobuf", f"http://127.0.0.1:{collector.otlp}")
        self.assertEqual(self.count_stored(), 180)

    def test_unix_sockets(self):
        grpc_path, http_path = (os.path.join(self.folder.name, name) for name in ("grpc", "http"))
        self.start(["--otlp-grpc", "unix:" + grpc_path, "--otlp-http", "unix:" + http_path])
        self.send("grpc", "unix://" + grpc_path)
        self.send("http/json", "unix://" + http_path)
        self.assertEqual(self.count_stored(), 120)


if __name__ == "__main__":
    harness.main()
