# SPDX-License-Identifier: Apache-2.0
"""The flow ledger: what `flowtrace loss` says of real graphs, against what their server and the
writer of their input counted, and against the engine's own accounts; through retries, drops, nacks,
drains and kills."""

import fcntl
import hashlib
import http.server
import json
import os
import pty
import struct
import subprocess
import termios
import threading
import time

import harness
from harness import Run, Scenario, get_json, program, request, wait_for

TIMEOUT_S = harness.PATIENCE_S
SECOND_NS = 1_000_000_000
GRAPH = """\
pipeline: %s
nodes:
  read: {type: receiver/files, config: {paths: ['%s'], max_files: 10}}
  parse: {type: processor/parse}
  filter: {type: processor/filter, config: {attribute: size, min: 64}}
  gather: {type: processor/batch, config: {max_items: 10, max_delay: 50ms}}
  retry: {type: processor/retry, config: {initial_delay: 50ms, max_delay: 100ms}}
  deliver: {type: exporter/http, config: {url: 'http://127.0.0.1:%d/'}}
connections:
  - {from: read, to: parse}
  - {from: parse, to: filter}
  - {from: filter, to: gather}
  - {from: gather, to: retry}
  - {from: retry, to: deliver}
"""


class Destination:
    """A server that answers the first try of every third batch 503 and of every seventh 400, and
    counts lines; or one that never answers."""

    def __init__(self, is_stuck=False):
        self.lock = threading.Lock()
        self.end = threading.Event()
        self.seen = {}
        self.requests = []  # (status, lines, is_again)
        destination = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = destination.take(body)
                if is_stuck:
                    destination.end.wait()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body):
        key = hashlib.sha256(body).digest()
        with self.lock:
            is_again = key in self.seen
            n = self.seen.setdefault(key, len(self.seen))
            status = 200 if is_again else 400 if n % 7 == 6 else 503 if n % 3 == 2 else 200
            self.requests.append((status, body.count(b"\n"), is_again))
        return status

    def lines(self, accept):
        return sum(lines for status, lines, is_again in self.requests if accept(status, is_again))

    def close(self):
        self.end.set()
        self.server.shutdown()
        self.server.server_close()


def terminal_output(command, columns):
    """Of a command whose standard output is a terminal of this width."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(command, stdout=terminal, stderr=subprocess.PIPE)
    os.close(terminal)
    chunks = []
    try:
        while True:
            chunk = os.read(controller, 65536)
            if not chunk:
                break
            chunks.append(chunk)
    except OSError:  # how a terminal ends
        pass
    finally:
        os.close(controller)
    assert (process.wait(TIMEOUT_S), process.stderr.read()) == (0, b"")
    process.stderr.close()
    return b"".join(chunks).decode().replace("\r\n", "\n")


class LossScenario(Scenario):
    maxDiff = None

    def destination(self, **options):
        destination = Destination(**options)
        self.addCleanup(destination.close)
        return destination

    def write_input(self, name, n_files, n_small):
        folder = os.path.join(self.folder.name, name)
        os.mkdir(folder)
        for i in range(n_files):
            with open(os.path.join(folder, f"{i}.txt"), "w", encoding="ascii") as file:
                file.write("x" * (10 if i < n_small else 100) + f"{i}\n")
        return folder

    def run_graph(self, pipeline, folder, port, **environment):
        running = Run(os.path.join(self.folder.name, pipeline + ".yaml"), GRAPH % (pipeline, folder, port),
                      collector=self.collector, **environment)
        self.addCleanup(running.kill_if_alive)
        return running

    def finish(self, running):
        self.assertEqual(running.end(), 0, running.lines)

    def loss(self, *arguments):
        done = subprocess.run([program(), "loss", "--json", *arguments, "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def lines(self, pipeline):
        """(of the pipeline, {node: line}, {(from, to): line})"""
        lines = self.loss(pipeline)
        self.assertEqual([line["kind"] for line in lines].count("pipeline"), 1)
        return (next(line for line in lines if line["kind"] == "pipeline"),
                {line["node"]: line for line in lines if line["kind"] == "node"},
                {(line["from"], line["to"]): line for line in lines if line["kind"] == "edge"})

    def check_accounts(self, running, pipeline):
        _, nodes, edges = self.lines(pipeline)
        accounts = running.accounts()
        self.assertEqual(len(accounts), 11)  # 6 nodes, 5 edges
        for account in accounts:
            if "node" in account:
                line = nodes[account["node"]]
                pairs = [("received", "in"), ("emitted", "out"), ("held", "held"),
                         ("failed", "failed"), ("retried", "retried"), ("dropped", "dropped")]
            else:
                line = edges[(account["from"], account["to"])]
                pairs = [(name, name) for name in ("sent", "received", "lost", "queued")]
            for name, counted in pairs:
                self.assertEqual(line[name], account[counted], (account, line))
            self.assertEqual(line["in_flight"] if "in_flight" in line else 0, 0)

    def check_sums(self, pipeline, destination, n_files, n_small):
        whole, nodes, edges = self.lines(pipeline)
        failed = destination.lines(lambda status, _: status != 200)
        again = destination.lines(lambda _, is_again: is_again)
        self.assertGreater(again, 0, (pipeline, destination.requests))
        self.assertGreater(destination.lines(lambda status, _: status == 400), 0)
        self.assertEqual(edges["read", "parse"]["sent"], n_files)
        self.assertEqual(nodes["filter"]["dropped"], {"filtered": n_small})
        self.assertEqual(edges["filter", "gather"]["sent"], n_files - n_small)
        last = edges["retry", "deliver"]
        self.assertEqual(last["sent"], destination.lines(lambda *_: True))
        self.assertEqual(last["redelivered"], again)
        self.assertEqual(last["sent"] - last["redelivered"], n_files - n_small)
        self.assertEqual(nodes["deliver"]["failed"], failed)
        self.assertEqual(nodes["deliver"]["absorbed"],
                         destination.lines(lambda status, _: status == 200))
        self.assertEqual(nodes["retry"]["retried"],
                         sum(is_again for _, _, is_again in destination.requests))
        self.assertEqual((whole["instances"], whole["died"]), (1, 0))
        for line in [whole, *nodes.values(), *edges.values()]:
            self.assertTrue(line["settled"], line)
            self.assertIsNone(line["unknown_since"])
            self.assertEqual(line["unknown_items"], 0)
        self.assertEqual((whole["in_flight"], whole["held"], whole["lost"]), (0, 0, 0))

    def test_sums_equal_what_was_written_and_what_the_server_got(self):
        self.start()
        grpc = f"http://127.0.0.1:{self.collector.grpc}"
        folder = self.write_input("in", 400, 37)
        ways = {
            "protobuf": {},
            "json": {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "grpc": {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": grpc},
            "own": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
                    f"http://127.0.0.1:{self.collector.otlp}/v1/traces"},
            "unsampled": {"OTEL_TRACES_SAMPLER": "always_off"},
        }
        destinations = {}
        for pipeline, environment in ways.items():
            destinations[pipeline] = self.destination()
            running = self.run_graph(pipeline, folder, destinations[pipeline].port, **environment)
            self.finish(running)
            self.check_sums(pipeline, destinations[pipeline], 400, 37)
            self.check_accounts(running, pipeline)
        # The same after the collector died, and was started again; and out of the table.
        self.collector.kill()
        self.start()
        for pipeline, destination in destinations.items():
            self.check_sums(pipeline, destination, 400, 37)
        self.assertEqual(self.collector.stop(), 0)
        self.start()
        for pipeline, destination in destinations.items():
            self.check_sums(pipeline, destination, 400, 37)

    def test_a_drain_is_accounted_for(self):
        self.start()
        destination = self.destination(is_stuck=True)
        running = self.run_graph("drained", self.write_input("in", 100, 5), destination.port)
        wait_for(lambda: destination.requests, "no batch arrived")
        self.wait_for_cut("drained", lambda node: node["dropped"].get("filtered") == 5)  # all was read
        self.assertEqual(running.stop(), 0, running.lines)
        whole, nodes, _ = self.lines("drained")
        self.check_accounts(running, "drained")
        self.assertTrue(whole["settled"])
        self.assertIsNone(whole["unknown_since"])
        dropped = {}
        for node in nodes.values():
            for reason, n in node["dropped"].items():
                dropped[reason] = dropped.get(reason, 0) + n
        self.assertEqual(whole["dropped"], dropped)
        self.assertEqual(dropped["filtered"], 5)
        self.assertEqual(whole["held"] + whole["in_flight"] + whole["unknown_items"], 0)

    def test_what_a_killed_process_held_is_unknown_and_not_lost(self):
        self.start()
        destination = self.destination(is_stuck=True)
        running = self.run_graph("killed", self.write_input("in", 100, 5), destination.port)
        self.wait_for_cut("killed", lambda node: node["dropped"].get("filtered") == 5)  # all was read
        self.wait_for_cut("killed", lambda node: node["node"] == "deliver" and node["held"] > 0)
        whole, nodes, edges = self.lines("killed")
        self.assertEqual((whole["instances"], whole["died"]), (1, 0))
        self.assertTrue(whole["settled"])
        self.assertGreater(whole["held"] + whole["in_flight"], 0)
        self.assertEqual(nodes["filter"]["dropped"], {"filtered": 5})
        held = whole["held"] + whole["in_flight"]
        running.kill()
        whole = wait_for(lambda: self.lines("killed")[0]["died"] and self.lines("killed")[0],
                         "the process is not missed")
        self.assertFalse(whole["settled"])
        self.assertIsNotNone(whole["unknown_since"])
        self.assertEqual(whole["unknown_since"], whole["settled_until"])
        self.assertRegex(whole["unknown_since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d0\.000Z$")
        self.assertEqual((whole["lost"], whole["held"], whole["in_flight"]), (0, 0, 0))
        self.assertEqual(whole["unknown_items"], held)
        self.assertEqual(self.lines("killed")[2]["read", "parse"]["unknown_since"],
                         whole["unknown_since"])
        since = whole["unknown_since"].replace("T", " ").replace(".000Z", "Z")
        self.assertIn(f"""pipeline killed
  unknown since {since}; 1 process, which died without a last report
  items: 0 lost, {held} unknown; dropped: 5 filtered
""", self.tables("killed"))

    def wait_for_cut(self, pipeline, is_it):
        """One at a boundary of the clock, in which a node is like that."""
        def is_there():
            status, document = get_json(self.collector.api, "/api/flow/v1/loss")
            self.assertEqual(status, 200)
            return any(line["pipeline"] == pipeline and line["kind"] == "node" and is_it(line)
                       for line in document["result"])
        wait_for(is_there, "there was no cut")

    def test_the_collector_keeps_its_own_ledger(self):
        self.start()
        status, _, _ = harness.send_json(self.collector.otlp, harness.span_document(
            [harness.new_span() for _ in range(25)]))
        self.assertEqual(status, 200)
        self.assertEqual(self.collector.stop(), 0)
        self.start()
        _, nodes, edges = self.lines("default")
        self.assertEqual(nodes["otlp"]["created"], 25)  # what a receiver sends on
        self.assertEqual(edges["otlp", "memory"]["sent"], 25)
        self.assertEqual(nodes["store"]["absorbed"], 25)

    def test_nothing_is_reported_with_tracing_off(self):
        self.start()
        destination = self.destination()
        folder = self.write_input("in", 10, 1)
        for setting in ({"OTEL_SDK_DISABLED": "true"}, {"FLOWTRACE_MODE": "off"}):
            self.finish(self.run_graph("off", folder, destination.port, **setting))
        done = subprocess.run([program(), "loss", "off", "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no pipeline 'off' has reported", done.stderr)
        self.assertEqual(done.stdout, "")

    # --- ledgers written by hand: opentelemetry-proto's JSON ---------------------------------------

    def metrics(self, instance, points):
        """points: (metric, attributes, start, end, value)"""
        metrics = []
        for name, attributes, start_ns, end_ns, value in points:
            is_level = name in ("ftr.edge.queued", "ftr.node.held")
            metrics.append({"name": name, "sum": {
                "aggregationTemporality": 2 if is_level else 1, "isMonotonic": not is_level,
                "dataPoints": [{
                    "startTimeUnixNano": str(start_ns), "timeUnixNano": str(end_ns),
                    "asInt": str(value),
                    "attributes": [{"key": key, "value": {"stringValue": text}}
                                   for key, text in attributes.items()]}]}})
        resource = [{"key": "service.instance.id", "value": {"stringValue": instance}}]
        return {"resourceMetrics": [{"resource": {"attributes": resource if instance else []},
                                     "scopeMetrics": [{"metrics": metrics}]}]}

    def post(self, document):
        status, _, body = request(self.collector.otlp, "POST", "/v1/metrics",
                                  json.dumps(document).encode(),
                                  {"Content-Type": "application/json"})
        self.assertEqual(status, 200, body)
        return int(json.loads(body).get("partialSuccess", {}).get("rejectedDataPoints", 0))

    EDGE = {"ftr.pipeline": "far", "ftr.from": "a", "ftr.port": "out", "ftr.to": "b"}

    def interval(self):
        end_ns = time.time_ns() // (10 * SECOND_NS) * 10 * SECOND_NS
        return end_ns - 10 * SECOND_NS, end_ns

    def test_an_interval_is_settled_when_both_ends_have_reported_it(self):
        self.start()
        start_ns, end_ns = self.interval()
        sender = self.metrics("one", [("ftr.edge.sent", self.EDGE, start_ns, end_ns, 10)])
        self.assertEqual(self.post(sender), 0)
        edge = self.lines("far")[2]["a", "b"]
        self.assertEqual((edge["sent"], edge["received"], edge["in_flight"]), (10, 0, 10))
        self.assertFalse(edge["settled"])
        self.assertEqual(self.post(sender), 0)  # delivered again: no more than before
        self.assertEqual(self.lines("far")[2]["a", "b"]["sent"], 10)
        receiver = self.metrics("two", [("ftr.edge.received", self.EDGE, start_ns, end_ns, 9),
                                        ("ftr.edge.lost", self.EDGE, start_ns, end_ns, 1)])
        self.assertEqual(self.post(receiver), 0)
        edge = self.lines("far")[2]["a", "b"]
        self.assertEqual((edge["sent"], edge["received"], edge["lost"], edge["in_flight"]),
                         (10, 9, 1, 0))
        self.assertTrue(edge["settled"])

    def tables(self, *arguments, columns=None):
        """What a person sees: through a pipe, or on a terminal of so many columns."""
        command = [program(), "loss", *arguments, "--server", self.collector.url()]
        if columns is None:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return done.stdout
        return terminal_output(command, columns)

    def test_the_tables(self):
        # Drawn by hand from the points: numbers on the right, with commas; columns of noughts are
        # left out, but for what was sent, received and lost.
        self.start()
        start_ns, end_ns = self.interval()
        logs = dict(self.EDGE, **{"ftr.port": "logs", "ftr.to": "c"})
        node = {"ftr.pipeline": "far", "ftr.node": "a"}
        late = dict(node, **{"ftr.node": "c"})
        points = [
            ("ftr.edge.sent", self.EDGE, 1234567), ("ftr.edge.received", self.EDGE, 1234500),
            ("ftr.edge.lost", self.EDGE, 67),
            ("ftr.edge.sent", logs, 12), ("ftr.edge.redelivered", logs, 2),
            ("ftr.node.created", node, 1234579), ("ftr.node.emitted", node, 1234579),
            ("ftr.node.received", late, 12), ("ftr.node.forwarded", late, 9),
            ("ftr.node.dropped", dict(late, **{"ftr.reason": "late"}), 2),
            ("ftr.node.dropped", dict(late, **{"ftr.reason": "filtered"}), 1),
        ]
        self.assertEqual(self.post(self.metrics("one", [
            (name, attributes, start_ns, end_ns, value) for name, attributes, value in points])), 0)
        end = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(end_ns // SECOND_NS))
        start = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(start_ns // SECOND_NS))
        text = self.tables("far")
        self.assertEqual(text, f"""\
pipeline far
  not settled after {start}; 1 process
  items: 67 lost, 12 in flight; dropped: 1 filtered, 2 late

  edge                 sent  again   received  in flight  lost
  a["logs"] -> c         12      2          0         12     0
      not settled after {start}
  a -> b          1,234,567      0  1,234,500          0    67

  node  received    created  forwarded
  a            0  1,234,579          0
  c           12          0          9  dropped: 1 filtered, 2 late
""", end)
        self.assertEqual(self.tables("far", columns=80), text)
        joined = text.replace("     0\n      not", "     0  not")
        self.assertEqual(self.tables("far", columns=120), joined)

    def test_tables_of_long_names_fit(self):
        self.start()
        start_ns, end_ns = self.interval()
        edge = dict(self.EDGE, **{"ftr.from": "from-" + "x" * 100, "ftr.to": "to-\x1b[31m" + "y" * 99})
        self.assertEqual(self.post(self.metrics("one", [
            ("ftr.edge.sent", edge, start_ns, end_ns, 10 ** 12),
            ("ftr.edge.received", edge, start_ns, end_ns, 10 ** 12)])), 0)
        for columns in (80, 120):
            text = self.tables(columns=columns)
            self.assertLessEqual(max(map(len, text.splitlines())), columns, text)
            self.assertIn("1,000,000,000,000  1,000,000,000,000     0", text)
            self.assertIn("from-xxx", text)
            self.assertNotIn("\x1b", text)  # a terminal obeys none of it

    def test_no_pipeline_is_said_so(self):
        self.start(arguments=("--otlp-http", "127.0.0.1:0", "--otlp-grpc", "off"))
        done = subprocess.run([program(), "loss", "--since", "1ms", "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("no pipeline has reported within 1ms", done.stderr)

    def test_other_metrics_are_answered_as_before(self):
        self.start()
        start_ns, end_ns = self.interval()
        right = ("ftr.edge.sent", self.EDGE, start_ns, end_ns, 1)
        wrong = [
            ("requests", self.EDGE, start_ns, end_ns, 1),
            ("ftr.edge.unheard", self.EDGE, start_ns, end_ns, 1),
            ("ftr.edge.sent", {"ftr.pipeline": "far"}, start_ns, end_ns, 1),
            ("ftr.edge.sent", self.EDGE, end_ns, start_ns, 1),
            ("ftr.edge.sent", self.EDGE, start_ns, end_ns, -1),
            ("ftr.edge.sent", dict(self.EDGE, **{"ftr.to": "b" * 256}), start_ns, end_ns, 1),
            ("ftr.node.dropped", {"ftr.pipeline": "far", "ftr.node": "a", "ftr.reason": "bored"},
             start_ns, end_ns, 1),
        ]
        for point in wrong:
            self.assertEqual(self.post(self.metrics("one", [point])), 1, point)
        self.assertEqual(self.post(self.metrics("", [right])), 1)
        cumulative = self.metrics("one", [right])
        cumulative["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"][
            "aggregationTemporality"] = 2
        self.assertEqual(self.post(cumulative), 1)
        self.assertEqual(get_json(self.collector.api, "/api/flow/v1/loss"), (200, {"result": []}))
        self.assertEqual(self.post(self.metrics("one", [right, *wrong])), len(wrong))
        self.assertEqual(self.lines("far")[2]["a", "b"]["sent"], 1)

    def test_requests_that_are_wrong_say_what_to_do(self):
        self.start()
        status, document = get_json(self.collector.api, "/api/flow/v1/loss?since=soon")
        self.assertEqual(status, 400)
        self.assertIn("since: expected a duration", document["error"]["message"])
        done = subprocess.run([program(), "loss", "--since", "soon"], capture_output=True, text=True,
                              timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--since soon: expected a duration", done.stderr)
        done = subprocess.run([program(), "loss", "--server", "http://127.0.0.1:1"],
                              capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 1)
        self.assertIn("flowtrace serve", done.stderr)
        done = subprocess.run([program(), "loss", "--help"], capture_output=True, text=True,
                              timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--since D", done.stdout)


if __name__ == "__main__":
    harness.main()
