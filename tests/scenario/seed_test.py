# SPDX-License-Identifier: Apache-2.0
"""examples/seed-example.yaml as it stands: real requests in, and what `flowtrace trace get`,
`lineage` and `loss` say of them. The tree is that of the dataflow engine's tracing proposal."""

import concurrent.futures
import http.server
import json
import os
import signal
import subprocess
import threading
import time

import harness
from harness import Scenario, free_port, new_span, program, request, span_document

EXAMPLE = os.path.join(harness.ROOT, "examples", "seed-example.yaml")
N_REQUESTS = 6
TIMEOUT_S = 60


class Sink:
    """Takes every POST and keeps its lines, each an OTLP/JSON document."""

    def __init__(self):
        self.lines = []
        lines = self.lines

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lines.extend(json.loads(line) for line in body.splitlines())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def n_spans(self):
        return sum(len(scope["spans"]) for line in self.lines
                   for resource in line["resourceSpans"] for scope in resource["scopeSpans"])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class SeedExample(Scenario):
    def ask(self, *arguments):
        answer = subprocess.run([program(), *arguments, "--server", self.collector.url()],
                                capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""), arguments)
        return answer.stdout

    def send(self, port):
        """One span; the example may not listen yet."""
        document = span_document([new_span("work")])
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return request(port, "POST", "/v1/traces", json.dumps(document).encode(),
                               {"Content-Type": "application/json"})
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "the example does not listen"
                time.sleep(0.02)

    def run_example(self, sink):
        port = free_port()
        settings = {"RECEIVER": f"127.0.0.1:{port}", "SINK": sink.url,
                    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.collector.otlp}",
                    "OTEL_METRICS_EXPORTER": "none", "OTEL_SERVICE_NAME": "seed"}
        example = subprocess.Popen([program(), "run", EXAMPLE], stderr=subprocess.DEVNULL,
                                   env=dict(os.environ, **settings))
        try:
            with concurrent.futures.ThreadPoolExecutor(N_REQUESTS) as senders:
                answers = list(senders.map(lambda _: self.send(port), range(N_REQUESTS)))
            example.send_signal(signal.SIGTERM)
            self.assertEqual(example.wait(TIMEOUT_S), 0)
        finally:
            if example.poll() is None:
                example.kill()
                example.wait()
        self.assertEqual([answer[0] for answer in answers], [200] * N_REQUESTS)

    def traces(self, name):
        """(number of spans, id)"""
        found = self.ask("trace", "query", "--name", name, "--limit", "100")
        rows = [json.loads(line) for line in found.splitlines()]
        return sorted((row["spans"], row["traceId"]) for row in rows)

    def wait_for_traces(self, name, n):
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.traces(name)) < n and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(len(self.traces(name)), n, name)

    def test_the_tree_of_the_proposal(self):
        sink = Sink()
        self.addCleanup(sink.close)
        self.start()
        self.run_example(sink)
        self.assertEqual(sink.n_spans(), N_REQUESTS)
        self.wait_for_traces("receiver/otlp/rcv-1", N_REQUESTS)
        self.wait_for_traces("control/shutdown", 1)
        self.wait_for_traces("control/drain_ingress", 1)
        _, trace_id = self.traces("exporter/http/exp-1")[-1]
        self.check_tree(self.ask("trace", "get", "--tree", trace_id))
        self.check_lineage(trace_id)
        self.check_loss()

    def check_tree(self, text):
        depths, events = {}, {}
        for line in text.splitlines():
            if "[Span]" in line:
                name = line.split("[Span] ")[1].split()[0]
                depths.setdefault(name, line.index("[Span]"))
            elif "Events:" in line:
                events.setdefault(name, []).append(line.split("Events: ")[1])
        names = ["receiver/otlp/rcv-1", "processor/batch/proc-2", "exporter/http/exp-1"]
        self.assertEqual(sorted(depths, key=depths.get), names, text)
        for name, expected in zip(names, ["control/ack", "batch_flush", "export_success"]):
            self.assertIn(expected, " ".join(events[name]), text)
        self.assertIn("queue=", text)
        self.assertIn("out.port=out", text)

    def check_lineage(self, trace_id):
        """What exp-1 posted goes back to each request that was in its batch."""
        edges = [json.loads(line) for line in self.ask("lineage", trace_id).splitlines()]
        edges = [edge for edge in edges if edge["type"] == "edge" and edge["relation"] == "fan_in"]
        others = {edge["contributor"]["traceId"] for edge in edges} - {trace_id}
        batches = len(self.traces("exporter/http/exp-1"))
        self.assertGreaterEqual(len(others), N_REQUESTS // batches - 1)

    def check_loss(self):
        rows = [json.loads(line) for line in self.ask("loss", "--json").splitlines()]
        rows = [row for row in rows if row["pipeline"] == "seed-example"]
        whole = [row for row in rows if row["kind"] == "pipeline"]
        self.assertEqual([(row["lost"], row["in_flight"], row["dropped"], row["settled"])
                          for row in whole], [(0, 0, {}, True)])
        edges = {row["from"]: row for row in rows if row["kind"] == "edge"}
        self.assertEqual({name: (row["sent"], row["received"]) for name, row in edges.items()},
                         dict.fromkeys(("rcv-1", "proc-2"), (N_REQUESTS, N_REQUESTS)))


if __name__ == "__main__":
    harness.main()
