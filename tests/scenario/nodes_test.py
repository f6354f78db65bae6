# SPDX-License-Identifier: Apache-2.0
"""Graphs of the nodes that no other scenario has, run from files by `flowtrace run`. What
exporter/otlp sends is read by Google's protobuf, over HTTP by Python's server and over gRPC by
grpcio's."""

import concurrent.futures
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc

import harness
from harness import Collector, field, varint

PROTO_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "otlp")
TIMEOUT_S = 90
SIGNALS = {"traces": ("/v1/traces", "trace", "Trace", "ExportTraceServiceRequest"),
           "metrics": ("/v1/metrics", "metrics", "Metrics", "ExportMetricsServiceRequest"),
           "logs": ("/v1/logs", "logs", "Logs", "ExportLogsServiceRequest")}

compiled = tempfile.TemporaryDirectory(prefix="flowtrace-")
subprocess.run(["protoc", "-I", PROTO_DIR, "--python_out", compiled.name, "trace.proto",
                "logs.proto", "metrics.proto"], check=True)
sys.path.insert(0, compiled.name)
sys.path.insert(0, os.path.join(harness.ROOT, "tools"))
import nodes_page  # noqa: E402
import logs_pb2  # noqa: E402
import metrics_pb2  # noqa: E402
import trace_pb2  # noqa: E402


def count_items(signal, body):
    if signal == "traces":
        request = trace_pb2.ExportTraceServiceRequest.FromString(body)
        return sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
    if signal == "logs":
        request = logs_pb2.ExportLogsServiceRequest.FromString(body)
        return sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)
    request = metrics_pb2.ExportMetricsServiceRequest.FromString(body)
    return sum(len(m.gauge.data_points) for r in request.resource_metrics
               for s in r.scope_metrics for m in s.metrics)


class HttpReceiver:
    """Keeps what is posted; answers what it was given, then 200."""

    def __init__(self, answers=()):
        self.requests = []
        answers = list(answers)
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((self.path, dict(self.headers), body))
                status, headers, answer = answers.pop(0) if answers else (200, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class GrpcReceiver(grpc.GenericRpcHandler):
    """Refuses with the codes it was given, then accepts, with partial success if it was given."""

    def __init__(self, codes=(), answer=b""):
        self.requests = []
        self.codes = list(codes)
        self.answer = answer
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, details):
        def call(request, context):
            self.requests.append((details.method, dict(context.invocation_metadata()), request))
            if self.codes:
                context.abort(self.codes.pop(0), "told to")
            return self.answer
        return grpc.unary_unary_rpc_method_handler(call)

    def close(self):
        self.server.stop(None).wait()


class Page(unittest.TestCase):
    def test_the_page_says_what_the_program_says(self):
        with open(os.path.join(harness.ROOT, "docs", "nodes.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), nodes_page.page(harness.program()),
                             "print it anew with tools/nodes_page.py")

    def test_every_type_is_listed(self):
        listed = {line.split()[0] for line in nodes_page.call(harness.program(), "components").splitlines()}
        wanted = {"receiver/" + n for n in ("otlp", "file", "stdin", "generator")}
        wanted |= {"processor/" + n for n in ("batch", "filter", "attributes", "route", "fanout",
                                              "retry", "window", "delay")}
        wanted |= {"exporter/" + n for n in ("otlp", "store", "http", "file", "stdout", "error", "noop")}
        self.assertLessEqual(wanted, listed)


class Nodes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write_graph(self, nodes, connections):
        path = os.path.join(self.folder, "graph.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"nodes": nodes, "connections": connections}, file)
        return path

    def run_graph(self, nodes, connections, given=b""):
        """(standard output, node id -> account) of a graph that comes to its end."""
        path = self.write_graph(nodes, connections)
        accounts = os.path.join(self.folder, "accounts")
        done = subprocess.run([harness.program(), "run", path, "--accounts", accounts],
                              input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=TIMEOUT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        with open(accounts, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        by_node = {row["node"]: row for row in rows if "node" in row}
        for row in by_node.values():  # nothing is left, nothing came from nowhere
            self.assertEqual(row["in"], row["forwarded"] + row["absorbed"] + row["failed"]
                             + sum(row["dropped"].values()) + row["held"], row)
            self.assertEqual(row["held"], 0, row)
        return done.stdout, by_node

    def chain(self, *nodes):
        """Nodes in a row, named by their place."""
        names = [f"n{i}" for i in range(len(nodes))]
        table = {name: {"type": kind, "config": config}
                 for name, (kind, config) in zip(names, nodes)}
        return table, [{"from": a, "to": b} for a, b in zip(names, names[1:])]

    def test_lines_through_windows(self):
        lines = [{"key": key, "at": at, "n": i} for i, (key, at) in enumerate(
            [("a", 1000), ("b", 2000), ("a", 3000), ("a", 11000), ("b", 12000), ("a", 500000)])]
        given = b"".join(json.dumps(line).encode() + b"\n" for line in lines) + b"no json\n"
        out, accounts = self.run_graph(*self.chain(
            ("receiver/stdin", {"time_field": "at", "max_items": 1}),
            ("processor/attributes", {"actions": [
                {"action": "delete", "key": "at"}, {"action": "upsert", "key": "seen", "value": True}]}),
            ("processor/window", {"size": "10s", "by": "key", "max_wait": "2s"}),
            ("exporter/stdout", {})), given=given)
        found = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([(line["key"], line["n"]) for line in found],
                         [("a", 0), ("a", 2), ("b", 1), ("a", 3), ("b", 4), ("a", 5)])
        self.assertTrue(all(line["seen"] is True and "at" not in line for line in found))
        self.assertEqual(accounts["n0"]["dropped"], {"invalid": 1})
        self.assertEqual(accounts["n2"]["created"] + accounts["n2"]["forwarded"], 6)

    def test_a_file_is_followed_across_kill_9(self):
        """Every line arrives at least once though the program is killed and the file rotates."""
        path, written = os.path.join(self.folder, "log"), os.path.join(self.folder, "out")
        graph = self.write_graph(*self.chain(
            ("receiver/file", {"paths": [path], "poll_interval": "5ms", "max_items": 7,
                               "checkpoint": os.path.join(self.folder, "positions")}),
            ("exporter/file", {"path": written})))
        expected = set()

        def arrived():
            if not os.path.exists(written):
                return set()
            with open(written, encoding="utf-8") as file:
                return {json.loads(line)["n"] for line in file if line.endswith("\n")}

        for turn in range(4):
            with open(path, "a", encoding="utf-8") as file:
                for n in range(turn * 100, turn * 100 + 100):
                    file.write(json.dumps({"n": n}) + "\n")
                    expected.add(n)
            process = subprocess.Popen([harness.program(), "run", graph], stderr=subprocess.DEVNULL)
            try:
                deadline = time.monotonic() + TIMEOUT_S
                wanted = expected if turn == 3 else set(range(turn * 100 + 30))
                while not wanted <= arrived():
                    self.assertLess(time.monotonic(), deadline, sorted(wanted - arrived())[:5])
                    time.sleep(0.02)
                if turn == 1:
                    os.rename(path, path + ".1")
            finally:
                process.kill()
                process.wait()
        self.assertEqual(arrived(), expected)

    def test_telemetry_as_lines(self):
        for signal, top in (("traces", "resourceSpans"), ("metrics", "resourceMetrics"),
                            ("logs", "resourceLogs")):
            out, accounts = self.run_graph(*self.chain(
                ("receiver/generator", {"signal": signal, "rate": 0, "count": 40, "batch": 8}),
                ("processor/filter", {"attribute": "tenant", "values": ["a", "b"]}),
                ("processor/attributes", {"actions": [
                    {"action": "insert", "key": "env", "value": "test", "at": "resource"}]}),
                ("processor/delay", {"delay": "5ms"}),
                ("exporter/stdout", {})))
            passed = 40 - accounts["n1"]["dropped"].get("filtered", 0)
            self.assertEqual(accounts["n4"]["in"], passed)
            self.assertEqual(out.count(b'"key":"tenant"'), passed)
            self.assertEqual(out.count(b'{"key":"tenant","value":{"stringValue":"c"}}'), 0)
            for line in out.splitlines():
                resource = json.loads(line)[top][0]["resource"]
                self.assertIn({"key": "env", "value": {"stringValue": "test"}}, resource["attributes"])

    def test_lines_of_two_nodes_do_not_mix(self):
        """Lines that are longer than what a pipe takes at once, read as it comes."""
        graph = self.write_graph({"in": {"type": "receiver/generator", "config": {"count": 8000, "batch": 1000, "rate": 0}},
                                  "one": {"type": "exporter/stdout"}, "two": {"type": "exporter/stdout"}},
                                 [{"from": "in", "to": "one"}, {"from": "in", "to": "two"}])
        with subprocess.Popen([harness.program(), "run", graph], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            self.addCleanup(process.kill)
            parts = []
            while part := process.stdout.read1(4096 * (1 + len(parts) % 5)):
                parts.append(part)
        self.assertEqual(process.returncode, 0)
        lines = b"".join(parts).splitlines()
        self.assertEqual(len(lines), 16)
        self.assertEqual(sum(len(json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in lines),
                         16000)

    def test_every_node_passes_every_signal(self):
        """Each item that is made arrives at each destination that takes, by the accounts of all."""
        receiver = HttpReceiver()
        self.addCleanup(receiver.close)
        written = os.path.join(self.folder, "written")
        line = [("limit", "memory_limiter", {}),
                ("gather", "batch", {"max_items": 20}),
                ("keep", "filter", {"attribute": "tenant", "values": ["a", "b", "c", "d"]}),
                ("mark", "attributes", {"actions": [{"action": "insert", "key": "k", "value": "v"}]}),
                ("again", "retry", {}),
                ("wait", "delay", {"delay": "1ms"}),
                ("window", "window", {"size": "1s", "time": "arrival", "max_wait": "50ms"}),
                ("meet", "forward", {}),
                ("by", "route", {"attribute": "service.name", "routes": {"ours": ["generator"]}}),
                ("each", "fanout", {"destinations": {"one": {}, "two": {}, "three": {}, "four": {},
                                                     "bad": {"best_effort": True}}}),
                ("any", "balance", {"ports": ["left", "right"]})]
        ends = {'each["one"]': ("any", None, None),
                'any["left"]': ("file", "exporter/file", {"path": written}),
                'any["right"]': ("stdout", "exporter/stdout", {}),
                'each["two"]': ("http", "exporter/http", {"url": receiver.url}),
                'each["three"]': ("otlp", "exporter/otlp", {"endpoint": receiver.url}),
                'each["four"]': ("noop", "exporter/noop", {}),
                'each["bad"]': ("error", "exporter/error", {"permanent": True})}
        names = [name for name, *_ in line[:-1]]
        ports = {"by": 'by["ours"]'}
        connections = [{"from": ports.get(a, a), "to": b}
                       for a, b in zip(["make", *names], names)]
        connections += [{"from": port, "to": end[0]} for port, end in ends.items()]
        for signal in SIGNALS:
            nodes = {"make": {"type": "receiver/generator", "config": {
                "signal": signal, "rate": 0, "count": 40, "batch": 8}}}
            nodes.update({name: {"type": f"processor/{kind}", "config": config}
                          for name, kind, config in line})
            nodes.update({name: {"type": kind, "config": config}
                          for name, kind, config in ends.values() if kind})
            _, accounts = self.run_graph(nodes, connections)
            for name in names:
                self.assertEqual(accounts[name]["forwarded"], 40, (signal, name))
            for name in ("http", "otlp", "noop"):
                self.assertEqual(accounts[name]["absorbed"], 40, (signal, name))
            self.assertEqual(accounts["file"]["absorbed"] + accounts["stdout"]["absorbed"], 40)
            self.assertEqual(accounts["error"]["failed"], 40)
        sent = {path for path, *_ in receiver.requests}
        self.assertLessEqual({path for path, *_ in SIGNALS.values()}, sent)

    def test_otlp_over_http(self):
        for signal, (path, *_) in SIGNALS.items():
            for config in ({}, {"compression": "gzip"}, {"protocol": "http/json"}):
                receiver = HttpReceiver()
                self.addCleanup(receiver.close)
                _, accounts = self.run_graph(*self.chain(
                    ("receiver/generator", {"signal": signal, "rate": 0, "count": 30, "batch": 5}),
                    ("processor/batch", {"max_items": 15}),
                    ("exporter/otlp", {"endpoint": receiver.url, "headers": "x-key=a%20b", **config})))
                self.assertEqual([request[0] for request in receiver.requests], [path] * 2)
                self.assertEqual(accounts["n2"]["absorbed"], 30)
                headers = receiver.requests[0][1]
                self.assertEqual(headers["x-key"], "a b")
                if not config:
                    self.assertEqual(sum(count_items(signal, r[2]) for r in receiver.requests), 30)
                elif "protocol" in config:
                    self.assertEqual(headers["Content-Type"], "application/json")
                    self.assertEqual(sum(r[2].count(b'"key":"sequence"') for r in receiver.requests), 30)
                else:
                    self.assertEqual(headers["Content-Encoding"], "gzip")

    def test_otlp_over_grpc(self):
        for signal, (_, package, service, _) in SIGNALS.items():
            receiver = GrpcReceiver()
            self.addCleanup(receiver.close)
            _, accounts = self.run_graph(*self.chain(
                ("receiver/generator", {"signal": signal, "rate": 0, "count": 20, "batch": 5}),
                ("exporter/otlp", {"endpoint": f"127.0.0.1:{receiver.port}", "insecure": True,
                                   "protocol": "grpc", "headers": "x-key=v"})))
            self.assertEqual(len(receiver.requests), 4)
            method, metadata, _ = receiver.requests[0]
            self.assertEqual(method, f"/opentelemetry.proto.collector.{package}.v1.{service}Service/Export")
            self.assertEqual(metadata["x-key"], "v")
            self.assertEqual(sum(count_items(signal, r[2]) for r in receiver.requests), 20)
            self.assertEqual(accounts["n1"]["absorbed"], 20)

    def test_answers_of_otlp(self):
        """What may be tried again is, what was rejected is counted, what is refused stays refused."""
        partial = field(1, varint(1 << 3) + varint(3) + field(2, b"too many"))
        retry = ("processor/retry", {"initial_delay": "1ms", "max_delay": "2ms"})
        source = ("receiver/generator", {"rate": 0, "count": 10, "batch": 10})
        cases = [
            ([(503, {}, b""), (429, {}, b""), (200, {}, partial)], 3,
             {"absorbed": 7, "failed": 20, "dropped": {"rejected": 3}}),
            ([(400, {}, b"")], 1, {"absorbed": 0, "failed": 10, "dropped": {}}),
        ]
        for answers, n_requests, expected in cases:
            receiver = HttpReceiver(answers)
            self.addCleanup(receiver.close)
            _, accounts = self.run_graph(*self.chain(
                source, retry, ("exporter/otlp", {"endpoint": receiver.url})))
            self.assertEqual(len(receiver.requests), n_requests)
            self.assertEqual({name: accounts["n2"][name] for name in expected}, expected)
        receiver = GrpcReceiver([grpc.StatusCode.UNAVAILABLE], partial)
        self.addCleanup(receiver.close)
        target = {"endpoint": f"http://127.0.0.1:{receiver.port}", "protocol": "grpc"}
        _, accounts = self.run_graph(*self.chain(source, retry, ("exporter/otlp", target)))
        self.assertEqual(len(receiver.requests), 2)
        self.assertEqual(accounts["n2"]["dropped"], {"rejected": 3})
        receiver.codes = [grpc.StatusCode.INVALID_ARGUMENT]
        _, accounts = self.run_graph(*self.chain(source, retry, ("exporter/otlp", target)))
        self.assertEqual(len(receiver.requests), 3)
        self.assertEqual(accounts["n2"]["failed"], 10)

    def test_fanout_with_a_fallback(self):
        nodes = {"make": {"type": "receiver/generator",
                          "config": {"signal": "logs", "rate": 0, "count": 60, "batch": 6}},
                 "fan": {"type": "processor/fanout", "config": {"destinations": {
                     "main": {"fallback": ["spare"]}, "mirror": {"best_effort": True}}}},
                 "bad": {"type": "exporter/error", "config": {"after": 4}},
                 "good": {"type": "exporter/noop"},
                 "worse": {"type": "exporter/error", "config": {"permanent": True}}}
        _, accounts = self.run_graph(nodes, [
            {"from": "make", "to": "fan"}, {"from": 'fan["main"]', "to": "bad"},
            {"from": 'fan["spare"]', "to": "good"}, {"from": 'fan["mirror"]', "to": "worse"}])
        self.assertEqual((accounts["bad"]["absorbed"], accounts["bad"]["failed"]), (24, 36))
        self.assertEqual(accounts["good"]["absorbed"], 36)
        self.assertEqual(accounts["worse"]["failed"], 60)
        self.assertEqual(accounts["fan"]["forwarded"], 60)

    def test_a_collector_that_passes_everything_on(self):
        """Metrics and logs from one program to another, by gRPC and by HTTP."""
        written = os.path.join(self.folder, "all.ndjson")
        path = self.write_graph(*self.chain(
            ("receiver/otlp", {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0", "metrics": "pass",
                               "logs": "pass"}),
            ("exporter/file", {"path": written})))
        collector = Collector(os.path.join(self.folder, "data"), ("--config", path, "--http", "off"))
        self.addCleanup(collector.kill_if_alive)
        for signal in SIGNALS:
            for config in ({"endpoint": f"http://127.0.0.1:{collector.otlp}"},
                           {"endpoint": f"http://127.0.0.1:{collector.grpc}", "protocol": "grpc"}):
                _, accounts = self.run_graph(*self.chain(
                    ("receiver/generator", {"signal": signal, "rate": 0, "count": 10}),
                    ("exporter/otlp", config)))
                self.assertEqual(accounts["n1"]["absorbed"], 10)
        self.assertEqual(collector.stop(), 0)
        with open(written, encoding="utf-8") as file:
            tops = sorted(next(iter(json.loads(line))) for line in file)
        self.assertEqual(tops, ["resourceLogs"] * 2 + ["resourceMetrics"] * 2 + ["resourceSpans"] * 2)


if __name__ == "__main__":
    harness.main()
