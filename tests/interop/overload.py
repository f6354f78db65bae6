# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry SDKs against a collector that cannot take more: `overload.py --build DIR`.

Somebody else holds the store's database, so that the write-ahead log fills up to its limit and
requests are refused: 503 with Retry-After, UNAVAILABLE with RetryInfo. The SDKs find it so, try again
when the database is free, and every span arrives, once.
"""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scenario"))

import grpc

import harness
from clients import CLIENTS, N_SPANS
from compare import compare
from harness import field, get_trace, protobuf_request, protobuf_span, request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
GRAPH = """\
nodes:
  otlp: {type: receiver/otlp, config: {grpc: "127.0.0.1:0", http: "127.0.0.1:0"}}
  log: {type: processor/wal, config: {limit: 8MiB}}
  store: {type: exporter/store}
connections:
  - {from: otlp, to: log}
  - {from: log, to: store}
"""
LOG_BYTES = 8 << 20
SPAN_BYTES = 64 << 10  # of a request; a batch of any SDK here is larger
DELAYS_S = ("1", "2", "3")
WAIT_S = 100  # for a sender to do its part
UNAVAILABLE = 14
GRPC_HEADERS, GRPC_END_STREAM = 1, 1


class Refusals:
    """Counts the refusals in what a collector answers."""

    def __init__(self, protocol):
        self.count = self.count_grpc if protocol == "grpc" else self.count_http
        self.rest = b""
        self.n = 0

    def count_http(self, piece):
        self.rest += piece
        *heads, self.rest = self.rest.split(b"HTTP/1.1 503 ")
        self.n += len(heads)

    def count_grpc(self, piece):
        """HEADERS that end a stream: the trailers of an answer, which is a refusal while none succeeds."""
        self.rest += piece
        while len(self.rest) >= 9 and len(self.rest) >= 9 + int.from_bytes(self.rest[:3], "big"):
            self.n += self.rest[3] == GRPC_HEADERS and self.rest[4] & GRPC_END_STREAM
            self.rest = self.rest[9 + int.from_bytes(self.rest[:3], "big"):]


class Relay:
    """A port in front of the collector's that holds connections back until the gate opens, and counts
    the refusals that pass it."""

    def __init__(self, protocol, port, gate):
        self.protocol, self.port, self.gate = protocol, port, gate
        self.is_called = threading.Event()
        self.streams = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def n_refusals(self):
        return sum(stream.n for stream in self.streams)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            self.is_called.set()
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        self.gate.wait(WAIT_S)
        refusals = Refusals(self.protocol)
        self.streams.append(refusals)
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            there = threading.Thread(target=self.pump, args=(client, server, lambda piece: None), daemon=True)
            there.start()
            self.pump(server, client, refusals.count)
            there.join()

    @staticmethod
    def pump(source, sink, look):
        try:
            while piece := source.recv(65536):
                look(piece)
                sink.sendall(piece)
        except OSError:
            pass  # the other direction ended it
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def new_request():
    """(trace id, request with one large span)"""
    trace_id, now = os.urandom(16), time.time_ns()
    return trace_id.hex(), protobuf_request([protobuf_span(trace_id, os.urandom(8), "x" * SPAN_BYTES, now, now + 1)])


class Overload(harness.Scenario):
    def setUp(self):
        super().setUp()
        self.clients = [cls(harness.BUILD) for cls in CLIENTS.values()]
        for client in self.clients:
            client.install()
        graph = os.path.join(self.folder.name, "graph.yaml")
        with open(graph, "w", encoding="utf-8") as file:
            file.write(GRAPH)
        self.start(["--config", graph])
        self.accepted = []
        self.senders = []
        self.addCleanup(self.end_senders)

    def end_senders(self):
        for sender in self.senders:
            sender.kill()
            sender.wait()

    def send(self, body=None, kind="application/x-protobuf"):
        trace_id, protobuf = new_request()
        return trace_id, request(self.collector.otlp, "POST", "/v1/traces", body or protobuf, {"Content-Type": kind})

    def fill(self):
        """Sends until the log is full; the trace that was refused."""
        for _ in range(2 * LOG_BYTES // SPAN_BYTES):
            trace_id, (status, _, _) = self.send()
            if status != 200:
                return trace_id
            self.accepted.append(trace_id)
        raise AssertionError("the log takes twice its limit")

    def check_http(self):
        status, headers, body = self.send()[1]
        self.assertEqual((status, headers["content-type"]), (503, "application/x-protobuf"))
        self.assertIn(headers["retry-after"], DELAYS_S)
        # google.rpc.Status: code 1, message 2
        self.assertEqual(body[:3], bytes([1 << 3, UNAVAILABLE, 2 << 3 | 2]))
        self.assertIn(b"log is full", body)

    def check_http_json(self):
        span = harness.new_span("x" * SPAN_BYTES)
        status, headers, body = harness.send_json(self.collector.otlp, harness.span_document([span]))
        self.assertEqual((status, headers["content-type"]), (503, "application/json"))
        self.assertIn(headers["retry-after"], DELAYS_S)
        self.assertEqual(json.loads(body)["code"], UNAVAILABLE)

    def check_grpc(self):
        with grpc.insecure_channel(f"127.0.0.1:{self.collector.grpc}") as channel:
            with self.assertRaises(grpc.RpcError) as raised:
                channel.unary_unary(EXPORT)(new_request()[1], timeout=30)
        error = raised.exception
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE, error.details())
        status = dict(error.trailing_metadata())["grpc-status-details-bin"]
        # google.rpc.Status: details 3; Any: type_url 1, value 2; RetryInfo: retry_delay 1; Duration: seconds 1
        self.assertIn(status[-1:], [bytes([int(delay)]) for delay in DELAYS_S])
        delay = field(2, field(1, bytes([1 << 3]) + status[-1:]))
        self.assertTrue(status.endswith(field(3, field(1, b"type.googleapis.com/google.rpc.RetryInfo") + delay)))
        alone = dict(error.trailing_metadata())["google.rpc.retryinfo-bin"]
        self.assertEqual(field(2, alone), delay)
        self.assertEqual(status[:2], bytes([1 << 3, UNAVAILABLE]))

    def start_senders(self, gate):
        """All SDKs that try again, each through a relay of its own: (relays, files of what was sent)."""
        relays, files = [], []
        for client in self.clients:
            for protocol in client.retrying:
                port = self.collector.grpc if protocol == "grpc" else self.collector.otlp
                relays.append(Relay(protocol, port, gate))
                self.addCleanup(relays[-1].close)
                files.append(os.path.join(self.folder.name, f"sent-{len(files)}.jsonl"))
                self.senders.append(subprocess.Popen(
                    client.program() + [protocol, relays[-1].url, "none", str(len(files)), files[-1]],
                    stdin=subprocess.DEVNULL))
        return relays, files

    def wait_until(self, what, condition):
        deadline = time.monotonic() + WAIT_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def be_refused(self):
        """All senders begin at once, as some of them give up after five refusals; each is refused."""
        gate = threading.Event()
        relays, files = self.start_senders(gate)
        self.wait_until("a sender did not connect", lambda: all(relay.is_called.is_set() for relay in relays))
        gate.set()
        self.wait_until("a sender was not refused", lambda: all(relay.n_refusals() for relay in relays))
        self.assertEqual([sender.poll() for sender in self.senders], [None] * len(self.senders))
        return files

    def count_stored(self):
        """Of the spans in the blocks, duplicates included."""
        database = sqlite3.connect(os.path.join(self.data, "flowtrace.db"))
        try:
            return database.execute("SELECT sum(n_spans) FROM blocks").fetchone()[0]
        finally:
            database.close()

    def test_every_span_arrives_once(self):
        database = sqlite3.connect(os.path.join(self.data, "flowtrace.db"), timeout=30, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN IMMEDIATE")
        refused = self.fill()
        self.check_http()
        self.check_http_json()
        self.check_grpc()
        files = self.be_refused()
        database.execute("ROLLBACK")
        for sender in self.senders:
            self.assertEqual(sender.wait(WAIT_S), 0, sender.args)
        self.assertTrue(compare(self.collector.api, files, len(files) * N_SPANS))
        self.assertEqual([len(get_trace(self.collector.api, trace_id)) for trace_id in self.accepted],
                         [1] * len(self.accepted))
        self.assertEqual(get_trace(self.collector.api, refused), [])
        self.assertEqual(self.collector.stop(), 0)
        self.assertEqual(self.count_stored(), len(self.accepted) + len(files) * N_SPANS)


if __name__ == "__main__":
    harness.main()
