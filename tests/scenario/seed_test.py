# SPDX-License-Identifier: Apache-2.0
"""examples/seed-example.yaml as it stands: real requests in, and what `flowtrace trace get`,
`lineage` and `loss` say of them. The tree is that of the dataflow engine's tracing proposal. Then the
same graph with other conventions' names: `conventions:` in its file."""

import concurrent.futures
import http.server
import json
import os
import subprocess
import threading
import urllib.parse
import urllib.request

import harness
from harness import Run, Scenario, new_span, program, send_json, span_document, wait_for

EXAMPLE = os.path.join(harness.ROOT, "examples", "seed-example.yaml")
N_REQUESTS = 6
TIMEOUT_S = harness.PATIENCE_S


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
        return send_json(port, span_document([new_span("work")]))[0]

    def run_example(self, sink, conventions=None):
        """As it stands, or with other names."""
        with open(EXAMPLE, encoding="utf-8") as file:
            graph = file.read()
        running = Run(os.path.join(self.folder.name, "example.yaml"),
                      f"conventions: {conventions}\n{graph}" if conventions else graph, collector=self.collector,
                      RECEIVER="127.0.0.1:0", SINK=sink.url, OTEL_METRICS_EXPORTER="none", OTEL_SERVICE_NAME="seed")
        self.addCleanup(running.kill_if_alive)
        port = running.port("otlp/http")
        with concurrent.futures.ThreadPoolExecutor(N_REQUESTS) as senders:
            answers = list(senders.map(self.send, [port] * N_REQUESTS))
        self.assertEqual(running.stop(), 0, running.lines)
        self.assertEqual(answers, [200] * N_REQUESTS)

    def traces(self, name):
        """(number of spans, id)"""
        found = self.ask("trace", "query", "--name", name, "--limit", "100")
        rows = [json.loads(line) for line in found.splitlines()]
        return sorted((row["spans"], row["traceId"]) for row in rows)

    def wait_for_traces(self, name, n):
        wait_for(lambda: len(self.traces(name)) >= n, name)
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
        self.run_example(sink, "otelcol")
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
            self.run_example(sink, conventions)
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
