# SPDX-License-Identifier: Apache-2.0
"""What bench/peers.py rests on, without the peers: ours speaks the protocol and loses nothing, the
sink counts what protobuf encoded, a loss shows, and a machine without cargo and go gets a table that
says what is missing. Arguments: BUILD PROTO_DIR."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
BUILD, PROTO_DIR = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import peers

N = 3000
SCRATCH = tempfile.TemporaryDirectory()
LOGS = pathlib.Path(SCRATCH.name)
subprocess.run(["protoc", "-I", PROTO_DIR, "--python_out", LOGS, "trace.proto"], check=True, timeout=60)
sys.path.insert(0, str(LOGS))

import trace_pb2

SETTINGS = types.SimpleNamespace(pairs=1, bursts=2, spans_max=N)


def encode(n_per_scope):
    """A request with so many spans in each scope, with every type of field around them."""
    request = trace_pb2.ExportTraceServiceRequest()
    for n in n_per_scope:
        resource_spans = request.resource_spans.add(schema_url="s")
        resource_spans.resource.dropped_attributes_count = 300
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "scope"
        for i in range(n):
            span = scope_spans.spans.add(name="span", trace_id=bytes(16), start_time_unix_nano=i, flags=i)
            span.links.add(trace_id=bytes(16))
            span.attributes.add(key="k").value.double_value = i
    return request.SerializeToString()


def subject_that_says(folder, text):
    """A peer that answers every line with the same text."""
    path = folder / "peer"
    path.write_text(f"#!/bin/sh\nwhile read -r line; do echo '{text}'; done\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class Ours(unittest.TestCase):
    def setUp(self):
        self.ours = peers.Subject("flowtrace", BUILD / "peers" / "peer-flowtrace", LOGS)

    def tearDown(self):
        self.assertTrue(self.ours.stop())

    def test_every_case_is_delivered(self):
        for case in peers.CASES:
            with self.subTest(case.case):
                answer = self.ours.ask(f"run {case.case} {N}")
                n = 0 if case.case in ("unsampled", "off") else N
                self.assertEqual((answer["case"], answer["spans"], answer["recorded"], answer["delivered"]),
                                 (case.case, N, n, n))
                self.assertGreater(answer["ns"], 0)
                self.assertGreaterEqual(answer["process_ns"], answer["ns"])

    def test_a_wrong_line_is_answered_and_the_next_one_too(self):
        for line, why in (("run root", "a line is"), ("run root 1000 more", "a line is"), ("walk root 1000", "a line is"),
                          ("run tree 1000", "no such case"), ("run root 999", "multiple of 1000"),
                          ("run root 0", "multiple of 1000"), ("run root -1000", "multiple of 1000"),
                          ("run root 20000000", "at most"), ("", "a line is")):
            with self.subTest(line), self.assertRaisesRegex(peers.Failed, why):
                self.ours.ask(line)
        self.assertEqual(self.ours.ask("run root 1000")["delivered"], 1000)


class Sink(unittest.TestCase):
    def setUp(self):
        self.sink = peers.Sink(BUILD / "peers")
        self.connection = http.client.HTTPConnection(self.sink.url.split("/")[2], timeout=60)

    def tearDown(self):
        self.connection.close()
        self.assertTrue(self.sink.stop())

    def post(self, body, path="/v1/traces", **headers):
        self.connection.request("POST", path, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def test_counts_on_one_connection(self):
        bodies = [encode([3, 0, 4]), b"", encode([2000])]
        self.assertEqual([self.post(body) for body in bodies], [200, 200, 200])
        self.assertEqual(self.sink.ask("count"),
                         {"spans": 2007, "requests": 3, "refused": 0, "bytes": sum(map(len, bodies))})

    def test_counts_behind_a_100_continue(self):
        body = encode([5])
        self.connection.connect()
        connection = self.connection.sock
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body))
        self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 100 "))
        connection.sendall(body)
        self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.sink.n_spans(), 5)

    def test_refuses_what_it_cannot_count(self):
        body = encode([2])
        for status, arguments in ((400, [body[:-1]]), (400, [b"\x07"]), (404, [body, "/v1/logs"]),
                                  (413, [b"", "/v1/traces", {"Content-Length": str(1 << 40)}]),
                                  (415, [body, "/v1/traces", {"Content-Encoding": "gzip"}]),
                                  (411, [b"", "/v1/traces", {"Transfer-Encoding": "chunked"}])):
            with self.subTest(status):
                headers = arguments[2] if len(arguments) > 2 else {}
                self.assertEqual(self.post(*arguments[:2], **headers), status)
                self.connection.close()
        counts = self.sink.ask("count")
        self.assertEqual((counts["spans"], counts["refused"]), (0, 6))


class Session(unittest.TestCase):
    def session(self, answer):
        """Ours beside a peer that gives this answer."""
        program = subject_that_says(LOGS, answer)
        peer = peers.builder.Peer("other", "Other 1", program, None)
        session = peers.Session(BUILD, [peer], SETTINGS)
        session.run([peers.CASES[0]._replace(goals={"other": 2.0})], [peer])
        return session

    def test_ratio_goal_and_delivered_share(self):
        session = self.session('{"recorded":1000,"delivered":250,"ns":1000000,"process_ns":1}')
        row, = session.rows
        self.assertTrue(session.is_good)
        self.assertEqual(row["name"], "sampled child, traces of 1000 / Other 1, 25.0 % delivered")
        self.assertEqual((row["baseline"], row["goal"], row["holds"]), (1e6, ">= 2 x", True))
        self.assertAlmostEqual(row["ratio"], 1e6 / row["value"])

    def test_a_peer_that_fails_is_missing(self):
        session = self.session('{"error":"no"}')
        self.assertEqual(session.missing, {"other": "other: no"})
        self.assertEqual((session.rows[0]["ratio"], session.rows[0]["holds"]), (None, None))
        self.assertTrue(session.is_good)

    def test_a_loss_of_ours_is_a_failure(self):
        folder = LOGS / "build" / "peers"
        folder.mkdir(parents=True, exist_ok=True)
        subject_that_says(folder, '{"recorded":1000,"delivered":999,"ns":1,"process_ns":1}').rename(
            folder / "peer-flowtrace")
        session = peers.Session(LOGS / "build", [], SETTINGS)
        session.run(peers.CASES[:1], [])
        self.assertFalse(session.is_good)

    def test_ours_exports_to_the_sink_and_nothing_is_lost(self):
        sink = peers.Sink(BUILD / "peers")
        session = peers.Session(BUILD, [], SETTINGS)
        try:
            session.run([peers.EXPORTING], [], sink)
            self.assertTrue(session.is_good)
            self.assertEqual(sink.n_spans(), 2 * 2 * N)
        finally:
            sink.stop()

    def test_without_toolchains_the_table_says_what_is_missing(self):
        output = LOGS / "table.json"
        done = subprocess.run(
            [sys.executable, HERE / "peers.py", "--build", BUILD, "--output", output, "--pairs", "1", "--bursts", "1",
             "--spans-max", "1000"], env=dict(os.environ, PATH=str(LOGS)), stdout=subprocess.PIPE, text=True,
            check=True, timeout=120)
        first = done.stdout.split("\n")[0]
        self.assertRegex(first, r"^INCOMPLETE: not measured here: fastrace [\d.]+ \(cargo is not in PATH\), "
                                r"OTel Rust [\d.]+ \(.*\), tokio tracing, .* [\d.]+ \(.*\), OTel Go [\d.]+ "
                                r"\(go is not in PATH\)$")
        rows = json.loads(output.read_text(encoding="utf-8"))
        self.assertEqual(len(rows), 4 * len(peers.CASES) + len(peers.EXPORTERS))
        self.assertTrue(all(row["value"] > 0 and row["ratio"] is None and row["holds"] is None for row in rows))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
