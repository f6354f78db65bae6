# SPDX-License-Identifier: Apache-2.0
"""The memory limiter of a collector whose store stands still: refusals while memory is short, and
nothing lost of what was accepted."""

import os
import sqlite3
import time

import grpc

import harness
from harness import get_trace, protobuf_request, protobuf_span, request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
GRAPH = """\
nodes:
  otlp: {type: receiver/otlp, config: {grpc: "127.0.0.1:0", http: "127.0.0.1:0"}}
  memory: {type: processor/memory_limiter, config: {limit: %d, spike: 1, interval: 10ms}}
  log: {type: processor/wal}
  store: {type: exporter/store}
connections:
  - {from: otlp, to: memory}
  - {from: memory, to: log}
  - {from: log, to: store}
"""
SPAN_BYTES = 256 << 10
ROOM_BYTES = 48 << 20
WAIT_S = 100
# What is freed goes back to the system, as it does without the sanitizer.
ENVIRONMENT = {"ASAN_OPTIONS": "quarantine_size_mb=1:allocator_release_to_os_interval_ms=50"}


def own_memory_bytes(pid):
    """As the limiter counts it."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        _, resident, shared = file.read().split()[:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")


class Memory(harness.Scenario):
    def start_with_room(self):
        self.start_limited(1 << 40)
        used = own_memory_bytes(self.collector.process.pid)
        self.collector.stop()
        self.start_limited(used + ROOM_BYTES)

    def start_limited(self, limit):
        graph = os.path.join(self.folder.name, "graph.yaml")
        with open(graph, "w", encoding="utf-8") as file:
            file.write(GRAPH % limit)
        self.start(["--config", graph], environment=ENVIRONMENT)

    def new_request(self):
        trace_id, now = os.urandom(16), time.time_ns()
        span = protobuf_span(trace_id, os.urandom(8), os.urandom(SPAN_BYTES // 2).hex(), now, now + 1)
        return trace_id.hex(), protobuf_request([span])

    def send(self):
        trace_id, body = self.new_request()
        return trace_id, request(self.collector.otlp, "POST", "/v1/traces", body,
                                 {"Content-Type": "application/x-protobuf"})

    def fill(self):
        """The traces that were accepted until one was refused, and that one."""
        accepted = []
        for _ in range(4 * ROOM_BYTES // SPAN_BYTES):
            trace_id, (status, headers, body) = self.send()
            if status != 200:
                self.assertEqual(status, 503)
                self.assertIn(headers["retry-after"], ("1", "2", "3"))
                self.assertRegex(body, rb"memory is short: \d+ MiB of \d+ MiB are in use")
                return accepted, trace_id
            accepted.append(trace_id)
        raise AssertionError("four times the room was accepted")

    def wait_until_accepted(self):
        deadline = time.monotonic() + WAIT_S
        while True:
            trace_id, (status, _, _) = self.send()
            if status == 200:
                return trace_id
            self.assertLess(time.monotonic(), deadline, "refused although the store works again")
            time.sleep(0.05)

    def test_refuses_while_memory_is_short(self):
        self.start_with_room()
        database = sqlite3.connect(os.path.join(self.data, "flowtrace.db"), timeout=30, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN IMMEDIATE")
        accepted, refused = self.fill()
        with grpc.insecure_channel(f"127.0.0.1:{self.collector.grpc}") as channel:
            with self.assertRaises(grpc.RpcError) as raised:
                channel.unary_unary(EXPORT)(self.new_request()[1], timeout=30)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("memory is short", raised.exception.details())
        self.assertIn("grpc-status-details-bin", dict(raised.exception.trailing_metadata()))
        database.execute("ROLLBACK")
        accepted.append(self.wait_until_accepted())
        self.assertEqual([len(get_trace(self.collector.api, trace_id)) for trace_id in accepted],
                         [1] * len(accepted))
        self.assertEqual(get_trace(self.collector.api, refused), [])
        log = "\n".join(self.collector.lines)
        self.assertIn("batches are refused until there is room", log)
        self.assertIn("batches pass again", log)


if __name__ == "__main__":
    harness.main()
