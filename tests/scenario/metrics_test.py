# SPDX-License-Identifier: Apache-2.0
"""A running graph's metrics against what this script works out from what it sent: every counter and
every bucket, whatever share of the flows is kept. /metrics in both forms and OTLP say the same.

    in (receiver/otlp) > keep (processor/filter) > good (exporter/file)
                                                 > bad  (exporter/error: refuses from some batch on)
"""

import collections
import http.server
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import Run, Scenario, get_json, protobuf_request, protobuf_span, program, request

# Of each request: spans that the filter passes, and others.
REQUESTS = [(1, 0), (2, 3), (0, 4), (64, 1), (65, 0), (7, 9), (0, 1), (500, 300), (3, 3), (1, 0), (128, 128)]
N_TAKEN = 4  # batches, by exporter/error
GRAPH = """\
pipeline: shop
nodes:
  in: {{type: receiver/otlp, config: {{http: "127.0.0.1:0", grpc: "off"}}}}
  keep: {{type: processor/filter, config: {{name: "^keep", drop: others}}}}
  good: {{type: exporter/file, config: {{path: good.jsonl}}}}
  bad: {{type: exporter/error, config: {{permanent: true, after: {taken}}}}}
connections:
  - {{from: in, to: keep}}
  - {{from: keep, to: good}}
  - {{from: keep, to: bad}}
"""
MODES = {"full": {"FLOWTRACE_MODE": "full"}, "off": {"FLOWTRACE_MODE": "off"}}
for share in ("0", "0.01", "1"):
    MODES["tail " + share] = {"FLOWTRACE_MODE": "tail", "FLOWTRACE_TAIL_SHARE": share}
TYPES = {"in": "receiver/otlp", "keep": "processor/filter", "good": "exporter/file", "bad": "exporter/error"}
EDGES = [("in", "keep"), ("keep", "good"), ("keep", "bad")]
SIZE_BOUNDS = [2 ** i for i in range(17)]
WORDS = {"s": "seconds", "By": "bytes", "{batch}": "batches", "{item}": "items", "{message}": "messages"}
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PATIENCE_S = harness.PATIENCE_S
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')
SAMPLE = re.compile(r"^(flow_\w+)\{(.*)\} (\S+)$", re.M)


class Sink:
    """Takes OTLP/JSON: the last metrics, and how many spans of each name."""

    def __init__(self):
        sink = self
        self.metrics = None
        self.n_spans = collections.Counter()
        self.lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with sink.lock:
                    sink.take(document)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, document):
        for resource in document.get("resourceSpans", []):
            for scope in resource["scopeSpans"]:
                self.n_spans.update(span["name"] for span in scope["spans"])
        if '"flow.node.' in json.dumps(document):  # else it is a cut of the ledger
            self.metrics = document

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def text_samples(text):
    """{(name, labels): value} of the graph's metrics."""
    found = {}
    for name, labels, value in SAMPLE.findall(text):
        labels = dict(LABEL.findall(labels))
        if "le" in labels:  # 1.0 in one form is 1 in the other
            labels["le"] = float(labels["le"])
        key = name, frozenset(labels.items())
        assert key not in found, key
        found[key] = float(value)
    return found


def number(point):
    return float(point["asInt"]) if "asInt" in point else point["asDouble"]


def otlp_samples(document):
    """The same of OTLP, by the rules of OpenTelemetry's Prometheus compatibility."""
    suffixes = {"s": "_seconds", "By": "_bytes"}
    found = {}
    for metric in (metric for resource in document["resourceMetrics"]
                   for scope in resource["scopeMetrics"] for metric in scope["metrics"]):
        name = metric["name"].replace(".", "_")
        if not name.startswith("flow_"):
            continue
        suffix = suffixes.get(metric["unit"], "")
        name += "" if name.endswith(suffix) else suffix
        data = metric.get("sum") or metric["histogram"]
        assert data["aggregationTemporality"] == 2, metric
        for point in data.get("dataPoints", []):
            labels = {label["key"].replace(".", "_"): label["value"]["stringValue"]
                      for label in point["attributes"]}
            put = lambda end, value, **more: found.__setitem__(  # noqa: B023
                (name + end, frozenset({**labels, **more}.items())), value)
            if "sum" in metric:
                put("_total" if data.get("isMonotonic") else "", number(point))
                continue
            put("_count", float(point["count"]))
            put("_sum", point["sum"])
            counts = [int(count) for count in point["bucketCounts"]]
            for i, bound in enumerate(point["explicitBounds"] + [float("inf")]):
                put("_bucket", float(sum(counts[:i + 1])), le=bound)
    return found


def is_timed(name):
    return "_seconds" in name


class Expected:
    """What REQUESTS come to. Times are left out."""

    def __init__(self):
        self.samples = {}
        self.bodies, kept_bodies = [], []
        for n_kept, n_others in REQUESTS:
            kept = [self.span("keep", i) for i in range(n_kept)]
            self.bodies.append(protobuf_request(kept + [self.span("other", i) for i in range(n_others)]))
            kept_bodies.append(protobuf_request(kept))
        sizes = [sum(row) for row in REQUESTS]
        passed = [i for i, row in enumerate(REQUESTS) if row[0]]
        kept = [REQUESTS[i][0] for i in passed]
        self.statuses = [400 if i in passed[N_TAKEN:] else 200 for i in range(len(REQUESTS))]
        n_bytes = sum(map(len, self.bodies))
        n_kept_bytes = sum(len(kept_bodies[i]) for i in passed)
        n_refused = len(passed) - N_TAKEN
        self.node("in", [], 0, sizes, n_bytes)
        self.node("keep", sizes, n_bytes, kept + kept, 2 * n_kept_bytes)
        self.node("good", kept, n_kept_bytes, [], 0)
        self.node("bad", kept, n_kept_bytes, [], 0, n_failed=sum(kept[N_TAKEN:]))
        self.put("flow_node_dropped_items_total", sum(sizes) - sum(kept), **self.labels("keep"), drop_reason="filtered")
        for kind, n in (("ack", len(sizes) - n_refused), ("nack", n_refused)):
            self.put("flow_node_control_messages_total", n, **self.labels("in"), control_kind=kind,
                     control_result="done")
        for (origin, to), batches in zip(EDGES, (sizes, kept, kept)):
            self.edge(origin, to, batches)
        self.path("in>keep", "success", [size for size, row in zip(sizes, REQUESTS) if not row[0]])
        self.path("in>keep>good", "success", kept)
        self.path("in>keep>bad", "success", kept[:N_TAKEN])
        self.path("in>keep>bad", "failure", kept[N_TAKEN:])
        self.visits = {
            ("in", "success"): len(sizes) - n_refused, ("in", "refused"): n_refused,
            ("keep", "success"): len(sizes) - n_refused, ("keep", "refused"): n_refused,
            ("good", "success"): len(kept),
            ("bad", "success"): N_TAKEN, ("bad", "failure"): n_refused,
        }
        for (node, outcome), n in self.visits.items():
            self.put("flow_node_duration_seconds_count", n, **self.labels(node), flow_outcome=outcome)
        self.n_spans = {f"{TYPES[node]}/{node}": sum(n for (of, _), n in self.visits.items() if of == node)
                        for node in TYPES}

    @staticmethod
    def span(name, i):
        return protobuf_span(os.urandom(16), os.urandom(8), f"{name} {i}", 10 ** 18, 10 ** 18 + i)

    @staticmethod
    def labels(node):
        return {"node_id": node, "node_type": TYPES[node]}

    def put(self, name, value, **labels):
        self.samples[name, frozenset({"flow_pipeline": "shop", **labels}.items())] = float(value)

    def sizes(self, name, batches, labels):
        for bound in SIZE_BOUNDS + [float("inf")]:
            self.put(name + "_bucket", sum(size <= bound for size in batches), **labels, le=float(bound))
        self.put(name + "_sum", sum(batches), **labels)
        self.put(name + "_count", len(batches), **labels)

    def node(self, node, received, received_bytes, emitted, emitted_bytes, n_failed=0):
        labels = self.labels(node)
        for what, batches, n_bytes in (("received", received, received_bytes), ("emitted", emitted, emitted_bytes)):
            self.put(f"flow_node_{what}_items_total", sum(batches), **labels)
            self.put(f"flow_node_{what}_bytes_total", n_bytes, **labels)
            if node not in {"received": ("in",), "emitted": ("good", "bad")}[what]:
                self.sizes(f"flow_node_{what}_batch_size", batches, labels)
        self.put("flow_node_arrivals_total", len(received), **labels)
        self.put("flow_node_departures_total", len(emitted), **labels)
        self.put("flow_node_held_items", 0, **labels)
        self.put("flow_node_failed_items_total", n_failed, **labels)
        self.put("flow_node_retries_total", 0, **labels)

    def edge(self, origin, to, batches):
        labels = {"edge_from": origin, "edge_port": "out", "edge_to": to}
        for way in ("sent", "received"):
            self.put(f"flow_channel_{way}_batches_total", len(batches), **labels)
            self.put(f"flow_channel_{way}_items_total", sum(batches), **labels)
        for name in ("redelivered_items_total", "lost_items_total", "depth", "depth_items"):
            self.put("flow_channel_" + name, 0, **labels)
        self.put("flow_channel_capacity", 128, **labels)
        self.put("flow_channel_wait_seconds_count", len(batches), **labels)

    def path(self, path, outcome, batches):
        labels = {"flow_path": path, "flow_outcome": outcome}
        self.put("flow_path_items_total", sum(batches), **labels)
        self.put("flow_path_duration_seconds_count", len(batches), **labels)


class Shop(Run):
    """The graph, with /metrics."""

    def __init__(self, folder, environment, sink):
        super().__init__(os.path.join(folder, "graph.yaml"), GRAPH.format(taken=N_TAKEN),
                         "--metrics", "127.0.0.1:0",
                         **{"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
                            "OTEL_METRICS_EXPORTER": "otlp", **environment})

    def page(self, accept=None):
        """(type, text)"""
        status, headers, body = request(self.port("metrics"), "GET", "/metrics",
                                        headers={"Accept": accept} if accept else {})
        assert status == 200, (status, body)
        return headers["content-type"], body.decode()

    def send(self, body):
        """(status, headers, body)"""
        return request(self.port("otlp/http"), "POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})


def untimed(samples):
    return {key: value for key, value in samples.items() if not is_timed(key[0]) or key[0].endswith("_count")}


def without_control(samples, *kept):
    """Of control messages only those of these kinds: when the others come, the clock decides."""
    return {key: value for key, value in samples.items()
            if "_control_" not in key[0] or dict(key[1])["control_kind"] in kept}


def differences(found, expected):
    return {f"{name} {dict(labels)}": (found.get((name, labels)), expected.get((name, labels)))
            for name, labels in set(found) | set(expected)
            if found.get((name, labels)) != expected.get((name, labels))}


class Metrics(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(self.folder.cleanup)
        self.sink = Sink()
        self.addCleanup(self.sink.close)

    def start(self, environment):
        run = Shop(self.folder.name, environment, self.sink)
        self.addCleanup(run.kill_if_alive)
        return run

    def send(self, run, expected):
        for body, status in zip(expected.bodies, expected.statuses):
            answer = run.send(body)
            self.assertEqual(answer[0], status, answer)

    def read_at_rest(self, run, expected):
        """A message is counted when it was handled, which is after the answer that it caused."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = text_samples(run.page()[1])
            if without_control(untimed(found), "ack", "nack") == expected.samples or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def check_times(self, samples, accounts):
        """Every histogram adds up, and its sum is what the accounts say."""
        nodes = {line["node"]: line for line in accounts if "node" in line}
        sums = collections.Counter()
        for (name, labels), value in samples.items():
            labels = dict(labels)
            if not name.endswith("_seconds_bucket"):
                if name.endswith("_seconds_sum"):
                    sums[name, labels.get("node_id") or labels.get("edge_to") or labels.get("flow_path")] += value
                continue
            rest = {key: text for key, text in labels.items() if key != "le"}
            row = {dict(key[1])["le"]: n for key, n in samples.items()
                   if key[0] == name and {**rest, "le": dict(key[1])["le"]} == dict(key[1])}
            self.assertEqual(len(row), 25)
            counts = [row[le] for le in sorted(row)]
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(counts[-1], samples[name[:-6] + "count", frozenset(rest.items())])
        for node, line in nodes.items():
            self.assertAlmostEqual(sums["flow_node_duration_seconds_sum", node], line["work_ns"] / 1e9, 9)
            self.assertAlmostEqual(sums["flow_channel_wait_seconds_sum", node], line["queue_ns"] / 1e9, 9)
            busy = samples["flow_node_busy_seconds_total",
                           frozenset({"flow_pipeline": "shop", **Expected.labels(node)}.items())]
            self.assertLessEqual(busy, line["work_ns"] / 1e9 + 1e-9)
            self.assertGreater(busy, 0)

    def check(self, mode, environment):
        expected = Expected()
        run = self.start(environment)
        self.send(run, expected)
        found = self.read_at_rest(run, expected)
        self.assertEqual(differences(without_control(untimed(found), "ack", "nack"), expected.samples), {})
        media_type, text = run.page(OPENMETRICS)
        self.assertTrue(media_type.startswith("application/openmetrics-text"), media_type)
        self.assertTrue(text.endswith("# EOF\n"))
        self.assertEqual(differences(without_control(text_samples(text)), without_control(found)), {})
        self.assertEqual(run.stop(), 0, run.lines)
        accounts = run.accounts()
        last = otlp_samples(self.sink.metrics)
        self.assertEqual(differences(without_control(untimed(last), "ack", "nack"), expected.samples), {})
        self.check_times(found, accounts)
        self.check_times(last, accounts)
        drained = {dict(key[1])["node_id"]: (dict(key[1])["control_result"], value) for key, value in last.items()
                   if "_control_" in key[0] and dict(key[1])["control_kind"] in ("drain_ingress", "shutdown")}
        self.assertEqual(set(drained), set(TYPES))
        self.assertEqual(drained["in"], ("done", 1))
        self.assertEqual(drained["keep"], ("ignored", 1))
        self.check_spans(mode, expected)
        os.unlink(os.path.join(self.folder.name, "good.jsonl"))

    def check_spans(self, mode, expected):
        """The metrics were the same; of the spans there are as many as the mode keeps."""
        n_spans = {name: self.sink.n_spans[name] for name in expected.n_spans}
        self.sink.n_spans.clear()
        if mode in ("full", "tail 1"):
            self.assertEqual(n_spans, expected.n_spans)
        elif mode == "off":
            self.assertEqual(sum(n_spans.values()), 0)
        else:
            self.assertLess(sum(n_spans.values()), sum(expected.n_spans.values()))

    def test_exact_in_every_mode(self):
        for mode, environment in MODES.items():
            with self.subTest(mode):
                self.check(mode, {**environment, "FLOWTRACE_TAIL_DROPS": "false"})


class Pages(Scenario):
    def test_who_may_read_and_what_else_is_there(self):
        folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(folder.cleanup)
        sink = Sink()
        self.addCleanup(sink.close)
        run = Shop(folder.name, {"OTEL_METRICS_EXPORTER": "none"}, sink)
        self.addCleanup(run.kill_if_alive)
        self.assertEqual(run.page()[0], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(request(run.port("metrics"), "GET", "/metrics", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(request(run.port("metrics"), "POST", "/metrics")[0], 405)
        self.assertEqual(request(run.port("metrics"), "GET", "/api/traces/1")[0], 404)
        self.assertEqual(get_json(run.port("metrics"), "/healthz")[1]["status"], "ok")
        self.assertEqual(run.stop(), 0, run.lines)
        self.assertIsNone(sink.metrics)

    def test_an_address_that_others_reach_is_refused(self):
        done = subprocess.run([program(), "run", "graph.yaml", "--metrics", "0.0.0.0:0"], capture_output=True,
                              text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--metrics", done.stderr)

    def test_the_collector_has_its_graphs(self):
        self.start()
        harness.send_json(self.collector.otlp, harness.span_document([harness.new_span(), harness.new_span()]))
        deadline = time.monotonic() + PATIENCE_S
        store = frozenset({"node_id": "store", "node_type": "exporter/store"}.items())
        while True:
            _, headers, body = request(self.collector.api, "GET", "/metrics")
            found = text_samples(body.decode())
            if found["flow_node_received_items_total", store] or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        self.assertTrue(headers["content-type"].startswith("text/plain"))
        self.assertEqual(found["flow_node_received_items_total", store], 2)
        for origin, to in (("otlp", "memory"), ("memory", "log"), ("log", "store")):
            edge = frozenset({"edge_from": origin, "edge_port": "out", "edge_to": to}.items())
            self.assertEqual(found["flow_channel_received_items_total", edge], 2, edge)
        self.assertEqual(self.collector.stop(), 0)

    def test_the_collector_sends_its_own_when_told_to(self):
        for asked in (True, False):
            with self.subTest(asked=asked):
                sink = Sink()
                self.addCleanup(sink.close)
                environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
                               "FLOWTRACE_MODE": "full"}
                self.start(environment={**environment, "OTEL_METRICS_EXPORTER": "otlp"} if asked else environment)
                harness.send_json(self.collector.otlp, harness.span_document([harness.new_span()]))
                self.assertEqual(self.collector.stop(), 0)
                self.assertEqual(sum(sink.n_spans.values()), 0)
                if not asked:
                    self.assertIsNone(sink.metrics)
                    continue
                found = otlp_samples(sink.metrics)  # the last, when all of it was in the store
                self.assertEqual(found["flow_path_items_total", frozenset(
                    {"flow_path": "otlp>memory>log>store", "flow_outcome": "success"}.items())], 1)


class Documentation(unittest.TestCase):
    """docs/metrics.md has a row for each metric, with the type, unit and sentence of the text."""

    ROW = re.compile(r"^\| `(flow\.[\w.]+)` \| (\w+) \| (\w+) \| ([^|]*) \| ([^|]*) \|$", re.M)

    def test_every_metric_has_its_row(self):
        with tempfile.TemporaryDirectory(prefix="flowtrace-") as folder:
            sink = Sink()
            self.addCleanup(sink.close)
            run = Shop(folder, {}, sink)
            self.addCleanup(run.kill_if_alive)
            expected = Expected()
            for body in expected.bodies:
                run.send(body)
            text = run.page(OPENMETRICS)[1]
            self.assertEqual(run.stop(), 0, run.lines)
        sent = {metric["name"]: metric["unit"] for resource in sink.metrics["resourceMetrics"]
                for scope in resource["scopeMetrics"] for metric in scope["metrics"]}
        types = dict(re.findall(r"^# TYPE (flow_\w+) (\w+)$", text, re.M))
        units = dict(re.findall(r"^# UNIT (flow_\w+) (\w+)$", text, re.M))
        helps = dict(re.findall(r"^# HELP (flow_\w+) (.*)$", text, re.M))
        labels = collections.defaultdict(set)
        for name, keys in text_samples(text):
            family = max((family for family in types if name.startswith(family)), key=len)
            labels[family] |= {key for key, _ in keys} - {"le", "flow_pipeline"}
        with open(os.path.join(harness.ROOT, "docs", "metrics.md"), encoding="utf-8") as file:
            rows = self.ROW.findall(file.read())
        documented = set()
        for name, kind, unit, keys, sentence in rows:
            family = name.replace(".", "_")
            if unit in ("seconds", "bytes") and not family.endswith("_" + unit):
                family += "_" + unit
            documented.add(family)
            self.assertEqual(types.get(family), kind, name)
            self.assertEqual(units.get(family, ""), unit if unit in ("seconds", "bytes") else "", name)
            self.assertEqual(WORDS[sent[name]], unit, name)
            self.assertEqual(helps[family], sentence.strip(), name)
            written = {key.replace(".", "_") for key in re.findall("`([^`]+)`", keys)}
            self.assertEqual(labels[family], written, name)
        self.assertEqual(documented, set(types))


if __name__ == "__main__":
    harness.main()
