# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is kept: kill -9 at random moments and at every named point between log
append, fsync, answer, block insert and log truncation.

Four clients send without pause; each writes an id to a ledger, and syncs it, only after a success
answer. After every kill the collector starts again on the same data. Every KILLS_A_STORE kills every
id of the ledger must be found exactly once by its id and exactly once by search; then a new store
begins, so that the checks stay short.

    crash_test.py --build DIR [--random N] [--points N]     N kills at random, N at each point
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
from harness import Collector, DidNotStart, find_spans, get_trace, protobuf_request, protobuf_span

POINTS = ["wal.before_append", "wal.after_append", "wal.after_sync", "receiver.before_answer",
          "receiver.after_answer", "store.before_block", "store.after_block",
          "wal.before_truncate", "wal.after_truncate"]
# Small blocks and segments, so that every point is passed many times a second.
GRAPH = """\
nodes:
  otlp: {type: receiver/otlp, config: {grpc: 'off', http: '127.0.0.1:0'}}
  log: {type: processor/wal, config: {segment: 64KiB, commit_delay: 1ms}}
  store: {type: exporter/store, config: {block_spans: 50}}
connections:
  - {from: otlp, to: log}
  - {from: log, to: store}
"""
CLIENTS = 4
KILLS_A_STORE = 25
ROUND_LIMIT_S = 30
options = argparse.Namespace(random=4, points=1)


class Client(threading.Thread):
    """Sends one span a request on one connection until the collector goes away."""

    def __init__(self, number, ledger):
        super().__init__()
        self.number = number
        self.ledger = ledger
        self.port = None
        self.acknowledged = []
        self.problem = None

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=ROUND_LIMIT_S) as peer:
                with peer.makefile("rb") as answers:
                    while self.send_one(peer, answers):
                        pass
        except OSError:
            pass  # the kill

    def send_one(self, peer, answers):
        trace_id = os.urandom(16)
        now = time.time_ns()
        body = protobuf_request(
            [protobuf_span(trace_id, os.urandom(8), f"client-{self.number}", now, now + 1000)],
            service=f"crash-{trace_id.hex()[:2]}")
        peer.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Type: application/x-protobuf\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body)
        status = read_answer(answers)
        if status == 200:
            line = f"{trace_id.hex()} {now}\n".encode()
            os.write(self.ledger, line)
            os.fdatasync(self.ledger)
            self.acknowledged.append((trace_id.hex(), now))
        elif status not in (None, 503):
            self.problem = f"status {status}"
        if status == 503:
            time.sleep(0.01)  # what a client does on Retry-After, only sooner
        return status in (200, 503)


def read_answer(answers):
    """The status, or None when the connection ended first."""
    line = answers.readline()
    if not line.endswith(b"\n"):
        return None
    status = int(line.split()[1])
    length = 0
    while True:
        header = answers.readline()
        if header == b"\r\n":
            break
        if not header.endswith(b"\n"):
            return None
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status if len(answers.read(length)) == length else None


class Crash(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(self.folder.cleanup)
        self.graph = os.path.join(self.folder.name, "graph.yaml")
        with open(self.graph, "w", encoding="utf-8") as file:
            file.write(GRAPH)
        self.ledger = os.open(os.path.join(self.folder.name, "ledger"),
                              os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.addCleanup(os.close, self.ledger)
        self.n_stores = 0
        self.n_acknowledged = 0
        self.begin_store()

    def begin_store(self):
        self.n_stores += 1
        self.data = os.path.join(self.folder.name, f"data-{self.n_stores}")
        self.acknowledged = []

    def start(self, fault=None):
        return Collector(self.data, ["--config", self.graph],
                         {"FTR_FAULT": fault} if fault else None)

    def round(self, fault):
        """One life of the collector under load; true if it died of its fault."""
        try:
            collector = self.start(fault)
        except DidNotStart as died:
            if fault is None or died.code != -signal.SIGKILL:
                raise
            return True  # the point was passed while the log was replayed
        clients = [Client(i, self.ledger) for i in range(CLIENTS)]
        for client in clients:
            client.port = collector.otlp
            client.start()
        if fault is None:
            time.sleep(random.uniform(0.02, 0.5))
            died = True
        else:
            died = collector.process.poll() is not None or self.wait_for_death(collector)
        collector.kill()
        for client in clients:
            client.join()
            self.assertIsNone(client.problem)
            self.acknowledged += client.acknowledged
            self.n_acknowledged += len(client.acknowledged)
        return died

    @staticmethod
    def wait_for_death(collector):
        try:
            collector.process.wait(ROUND_LIMIT_S)
            return True
        except subprocess.TimeoutExpired:  # the caller says which point was never passed
            return False

    def check(self):
        entries = self.acknowledged
        collector = self.start()
        try:
            for trace_id, _ in entries:
                found = get_trace(collector.api, trace_id)
                self.assertEqual(len(found), 1, f"{trace_id} by id: {len(found)} spans")
            self.check_by_search(collector, entries)
        finally:
            collector.kill()

    def check_by_search(self, collector, entries):
        services = {f"crash-{trace_id[:2]}" for trace_id, _ in entries}
        found = {}
        for service in sorted(services):
            for span in find_spans(collector.api, "/api/v3/traces?query.searchDepth=10000"
                                                  f"&query.serviceName={service}"):
                found[span["traceId"]] = found.get(span["traceId"], 0) + 1
        for trace_id, _ in entries:
            self.assertEqual(found.get(trace_id), 1, f"{trace_id} by search: {found.get(trace_id)}")

    def test_acknowledged_spans_survive_every_kill(self):
        random.seed()
        faults = [None] * options.random + [
            f"{point}:{random.randint(1, 8 if point.startswith(('store', 'wal.before_t', 'wal.after_t')) else 200)}"
            for point in POINTS for _ in range(options.points)]
        random.shuffle(faults)
        start = time.monotonic()
        for number, fault in enumerate(faults, 1):
            self.assertTrue(self.round(fault), f"{fault} was never passed")
            if number % KILLS_A_STORE == 0 or number == len(faults):
                self.check()
                print(f"{number} of {len(faults)} kills, {self.n_acknowledged} acknowledged, "
                      f"{time.monotonic() - start:.0f} s", flush=True)
                self.begin_store()
        print(f"{len(faults)} kills ({options.random} at random, {options.points} at each of "
              f"{len(POINTS)} points), {self.n_acknowledged} acknowledged spans, each found "
              "once by id and once by search", flush=True)
        self.assertGreater(self.n_acknowledged, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--random", type=int, default=4)
    parser.add_argument("--points", type=int, default=1)
    options, rest = parser.parse_known_args()
    sys.argv = [sys.argv[0]] + rest
    harness.main()
