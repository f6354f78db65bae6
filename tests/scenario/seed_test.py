# SPDX-License-Identifier: Apache-2.0
"""examples/seed-example.yaml as it stands: real requests in, and what `flowtrace trace get`,
`lineage` and `loss` say of them. The tree is that of the dataflow engine's tracing proposal. Then the
same graph with other conventions' names: `conventions:` in its file."""

import concurrent.futures
import http.server
import json
import os
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

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

    def example_by(self, conventions):
        """A copy of the example that chooses its names."""
        path = os.path.join(self.folder.name, f"{conventions}.yaml")
        with open(EXAMPLE, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"conventions: {conventions}\n{text}")
        return path

    def run_example(self, sink, path=EXAMPLE):
        port = free_port()
        settings = {"RECEIVER": f"127.0.0.1:{port}", "SINK": sink.url,
                    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.collector.otlp}",
                    "OTEL_METRICS_EXPORTER": "none", "OTEL_SERVICE_NAME": "seed"}
        example = subprocess.Popen([program(), "run", path], stderr=subprocess.DEVNULL,
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

    def test_the_tree_by_otelcol(self):
        """The same questions have the same answers, although the spans have other keys."""
        sink = Sink()
        self.addCleanup(sink.close)
        self.start()
        self.run_example(sink, self.example_by("otelcol"))
        self.wait_for_traces("receiver/otlp/rcv-1", N_REQUESTS)
        self.wait_for_traces("control/shutdown", 1)
        self.wait_for_traces("control/drain_ingress", 1)
        _, trace_id = self.traces("exporter/http/exp-1")[-1]
        tree = self.ask("trace", "get", "--tree", trace_id)
        self.check_tree(tree, ["otelcol.node.ack", "otelcol.node.batch.flush",
                               "otelcol.node.export.complete"])
        for hidden in ("otelcol.component", "otelcol.signal", "otelcol.pipeline"):
            self.assertNotIn(hidden, tree)
        self.check_keys(trace_id, "processor/batch/proc-2", {
            "otelcol.component.id": "proc-2", "otelcol.component.kind": "processor",
            "otelcol.signal": "traces", "otelcol.pipeline.id": "seed-example",
            "otelcol.component.outcome": "success"})
        self.check_keys(trace_id, "receiver/otlp/rcv-1", {
            "otelcol.component.kind": "receiver", "out.port": "out"})
        self.check_lineage(trace_id)
        self.check_loss()
        for key in ("node.id", "otelcol.component.id", "reflow.actor_id"):
            # with the control/drain_ingress of rcv-1
            self.assertEqual(self.found_by({key: "rcv-1"}), N_REQUESTS + 1, key)
        self.assertEqual(self.found_by({"node.id": "rcv-2"}), 0)
        self.assertGreaterEqual(self.found_by({"event": "batch_flush"}), 1)

    def test_spans_by_numaflow_and_reflow(self):
        """What the two projects call the stages; and lineage and loss, which are nobody's words."""
        self.start()
        for conventions, spans, keys in (
                ("numaflow-1.8",
                 ("numaflow.pipeline.source.dispatch", "numaflow.pipeline.sink.write"),
                 {"messaging.system": "numaflow", "messaging.operation.name": "sink.write",
                  "numaflow.topology": "pipeline", "numaflow.pipeline.name": "seed-example",
                  "numaflow.vertex.name": "exp-1"}),
                ("reflow", ("ActorCompleted:rcv-1", "ActorCompleted:exp-1"),
                 {"reflow.actor_id": "exp-1", "reflow.flow_id": "seed-example",
                  "reflow.event_type": "ActorCompleted", "reflow.message.type": "traces"})):
            sink = Sink()
            self.addCleanup(sink.close)
            self.run_example(sink, self.example_by(conventions))
            self.wait_for_traces(spans[0], N_REQUESTS)
            _, trace_id = self.traces(spans[1])[-1]
            self.check_keys(trace_id, spans[1], keys)
            self.check_lineage(trace_id, spans[1])

    def check_keys(self, trace_id, name, expected):
        document = json.loads(self.ask("trace", "get", trace_id))
        spans = [span for resource in document["resourceSpans"]
                 for scope in resource["scopeSpans"] for span in scope["spans"]]
        span = next(span for span in spans if span["name"] == name)
        found = {attribute["key"]: attribute["value"].get("stringValue")
                 for attribute in span["attributes"]}
        self.assertEqual({key: found.get(key) for key in expected}, expected, found)

    def found_by(self, tags):
        """How many traces the query API finds by these tags."""
        query = urllib.parse.urlencode({"service": "seed", "tags": json.dumps(tags), "limit": 100})
        with urllib.request.urlopen(f"{self.collector.url()}/api/traces?{query}",
                                    timeout=TIMEOUT_S) as answer:
            return len(json.load(answer)["data"])

    def check_tree(self, text, expected_events=("control/ack", "batch_flush", "export_success")):
        depths, below = {}, {}
        for line in text.splitlines():
            if "[Span]" in line:
                name = line.split("[Span] ")[1].split()[0]
                depths.setdefault(name, line.index("[Span]"))
            elif depths:
                below.setdefault(name, []).append(line.strip(" │"))
        names = ["receiver/otlp/rcv-1", "processor/batch/proc-2", "exporter/http/exp-1"]
        self.assertEqual(sorted(depths, key=depths.get), names, text)
        for name, expected in zip(names, expected_events):
            events = " ".join(below[name]).partition("Events: ")[2]
            self.assertIn(expected, events, text)
        self.assertIn("queue=", text)
        self.assertIn("out.port=out", text)

    def check_lineage(self, trace_id, last="exporter/http/exp-1"):
        """What exp-1 posted goes back to each request that was in its batch."""
        edges = [json.loads(line) for line in self.ask("lineage", trace_id).splitlines()]
        edges = [edge for edge in edges if edge["type"] == "edge" and edge["relation"] == "fan_in"]
        others = {edge["contributor"]["traceId"] for edge in edges} - {trace_id}
        batches = len(self.traces(last))
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
