# SPDX-License-Identifier: Apache-2.0
"""Graphs on four loops: real OTLP requests whose spans belong to many traces come in on all of them
by HTTP and gRPC; each trace has to come together on one loop, and the accounts, the flow ledger and
the spans of the visits have to tell the same as what was sent."""

import concurrent.futures
import json
import os
import re
import subprocess
import time

import grpc

import harness
from harness import (Run, Scenario, attributes, field, find_spans, get_trace, new_span, program, protobuf_request,
                     protobuf_span, request, send_json, span_document, wait_for)

LOOPS = 4
TIMEOUT_S = harness.PATIENCE_S
REFUSED = "refused"
WEIGHT, NO_WEIGHT = ([{"key": "weight", "value": {"intValue": value}}] for value in "10")
GRAPH = {
    "loops": LOOPS,
    "pipeline": "spread",
    "nodes": {
        "in": {"type": "receiver/otlp", "config": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}},
        "check": {"type": "processor/filter", "config": {"attribute": "weight", "min": 1}},
        "traces": {"type": "processor/window",
                   "config": {"kind": "session", "time": "arrival", "size": "1s", "by": "trace"}},
        "out": {"type": "exporter/file", "config": {"path": "out.json"}},
    },
    "connections": [{"from": "in", "to": "check"}, {"from": "check", "to": "traces"},
                    {"from": "traces", "to": "out"}],
}


def loop_of(trace_id):
    """As ARCHITECTURE.md says it."""
    number = int(trace_id[16:], 16)
    spread = (number ^ number >> 32) * 0x9e3779b97f4a7c15 % 2**64
    return (spread >> 32) * LOOPS >> 32


def listening_ports(pid):
    """Ports on which a process has listening sockets, and how many sockets each has."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
        if found:
            inodes.add(found.group(1))
    ports = {}
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                port = int(columns[1].split(":")[1], 16)
                ports[port] = ports.get(port, 0) + 1
    return ports


class LoopsScenario(Scenario):
    def run_graph(self):
        """Traced, with listeners on all loops."""
        running = Run(os.path.join(self.folder.name, "run.yaml"), json.dumps(GRAPH), collector=self.collector,
                      OTEL_SERVICE_NAME="spread")
        self.addCleanup(running.kill_if_alive)
        wait_for(lambda: listening_ports(running.process.pid).get(running.port("otlp/http")) == LOOPS,
                 "listeners on all loops")
        return running

    def send_http(self, port, spans):
        status, _, body = send_json(port, span_document(spans))
        self.assertEqual((status, body), (200, b"{}"))

    def send_grpc(self, port, spans):
        one = [protobuf_span(bytes.fromhex(span["traceId"]), bytes.fromhex(span["spanId"]), span["name"],
                             int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
               + field(9, field(1, b"weight") + field(2, bytes([0x18, span["name"] != REFUSED])))
               for span in spans]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            self.assertEqual(call(protobuf_request(one), timeout=TIMEOUT_S), b"")

    def loss(self):
        done = subprocess.run([program(), "loss", "spread", "--json", "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def visits(self):
        """Of all traces of the service, flat."""
        return find_spans(self.collector.api,
                          "/api/v3/traces?query.service_name=spread&query.num_traces=10000")

    def test_traces_come_together_and_the_ledger_is_exact(self):
        self.start()
        running = self.run_graph()
        http_port, grpc_port = running.port("otlp/http"), running.port("otlp/grpc")
        began = time.time()
        traces = [harness.new_id(16) for _ in range(60)]
        requests = []
        for i in range(48):  # each with spans of ten traces, and some that are filtered
            spans = [new_span(traceId=traces[(i * 7 + k) % len(traces)], name=f"r{i}.{k}", attributes=WEIGHT)
                     for k in range(10)]
            spans += [new_span(traceId=traces[i], name=REFUSED, attributes=NO_WEIGHT) for _ in range(i % 3)]
            requests.append(spans)
        n_sent = sum(len(spans) for spans in requests)
        n_filtered = sum(span["name"] == REFUSED for spans in requests for span in spans)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            done = [pool.submit(self.send_grpc if i % 4 == 3 else self.send_http,
                                grpc_port if i % 4 == 3 else http_port, spans)
                    for i, spans in enumerate(requests)]
            for one in done:
                one.result(TIMEOUT_S)
        # At a full 10 s of the clock the loops sum up what all of them counted.
        wait_for(lambda: time.time() // 10 > began // 10, "a cut")
        self.assertEqual(running.stop(), 0, running.lines)
        accounts = running.accounts()
        self.check_output(requests)
        self.check_accounts(accounts, n_sent, n_filtered)
        self.check_loss(accounts)
        self.check_visits(accounts)

    def check_output(self, requests):
        """Each batch that left is a trace; nothing is missing or there twice."""
        names = []
        with open(os.path.join(self.folder.name, "out.json"), encoding="utf-8") as file:
            for line in file:
                spans = [span for resource in json.loads(line)["resourceSpans"]
                         for scope in resource["scopeSpans"] for span in scope["spans"]]
                self.assertEqual(len({span["traceId"] for span in spans}), 1, spans)
                names += [(span["traceId"], span["name"]) for span in spans]
        sent = [(span["traceId"], span["name"]) for spans in requests for span in spans if span["name"] != REFUSED]
        self.assertEqual(sorted(names), sorted(sent))

    def check_accounts(self, accounts, n_sent, n_filtered):
        nodes = {line["node"]: line for line in accounts if "node" in line}
        edges = {line["to"]: line for line in accounts if "from" in line}
        self.assertEqual(set(nodes), set(GRAPH["nodes"]))
        n_kept = n_sent - n_filtered
        self.assertEqual(nodes["in"]["out"], n_sent)
        self.assertEqual(nodes["check"]["dropped"], {"filtered": n_filtered} if n_filtered else {})
        for to, n in (("check", n_sent), ("traces", n_kept), ("out", n_kept)):
            edge = edges[to]
            self.assertEqual((edge["sent"], edge["received"], edge["lost"], edge["queued"]), (n, n, 0, 0))
            self.assertEqual(nodes[to]["in"], n)
        self.assertEqual(nodes["out"]["absorbed"], n_kept)

    def check_loss(self, accounts):
        lines = self.loss()
        self.assertEqual([line["instances"] for line in lines if line["kind"] == "pipeline"], [1])
        nodes = {line["node"]: line for line in lines if line["kind"] == "node"}
        edges = {line["to"]: line for line in lines if line["kind"] == "edge"}
        for account in accounts:
            if "node" in account:
                line = nodes[account["node"]]
                pairs = [("received", "in"), ("emitted", "out"), ("held", "held"), ("failed", "failed"),
                         ("absorbed", "absorbed"), ("created", "created"), ("dropped", "dropped")]
            else:
                line = edges[account["to"]]
                pairs = [(name, name) for name in ("sent", "received", "lost", "queued")]
                self.assertEqual(line["in_flight"], 0)
            for name, counted in pairs:
                self.assertEqual(line[name], account[counted], (account, line))

    def check_visits(self, accounts):
        n_visits = {line["node"]: line["visits"] for line in accounts if "node" in line}
        wait_for(lambda: len([span for span in self.visits() if span["name"].startswith("receiver/")])
                      == n_visits["in"], "visits")
        loops, windows, n_split = {}, {}, 0
        for span in self.visits():
            told = attributes(span)
            if "node.id" not in told or "pdata.batch.size" not in told:
                continue
            loop = told["flow.loop"]
            loops.setdefault(told["node.id"], set()).add(loop)
            n_split += any(attributes(link).get("flow.relation") == "split" for link in span.get("links", []))
            for event in span.get("events", []):
                if event["name"] == "window_close":
                    windows[attributes(event)["window.key"]] = loop
        self.assertEqual(loops["out"], {0})
        self.assertEqual(loops["traces"], set(range(LOOPS)))
        self.assertGreater(len(loops["in"]), 1)
        self.assertGreater(n_split, 0)
        drains = [attributes(span).get("flow.loop") for span in self.visits()
                  if span["name"] == "control/drain_ingress" and "node.id" not in attributes(span)]
        self.assertEqual(sorted(drains), list(range(LOOPS)))
        self.assertEqual(len(windows), 60)
        self.assertEqual(windows, {trace: loop_of(trace) for trace in windows})

    def test_the_collectors_graph_on_four_loops(self):
        path = os.path.join(self.folder.name, "serve.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"loops": LOOPS,
                       "nodes": {"otlp": {"type": "receiver/otlp",
                                          "config": {"grpc": "127.0.0.1:0", "http": "127.0.0.1:0",
                                                     "unix": "unix:" + os.path.join(self.folder.name, "otlp.sock")}},
                                 "memory": {"type": "processor/memory_limiter"},
                                 "log": {"type": "processor/wal"}, "store": {"type": "exporter/store"}},
                       "connections": [{"from": "otlp", "to": "memory"}, {"from": "memory", "to": "log"},
                                       {"from": "log", "to": "store"}]}, file)
        self.start(("--config", path))
        self.assertEqual(listening_ports(self.collector.process.pid)[self.collector.otlp], LOOPS)
        sent = [new_span() for _ in range(200)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: (self.send_grpc(self.collector.grpc, [sent[i]]) if i % 5 == 4
                                     else self.send_http(self.collector.otlp, [sent[i]])), range(len(sent))))
        status, _, body = request(self.collector.api, "GET", "/metrics")
        self.assertEqual(status, 200)
        received = re.findall(r'^flow_channel_received_items_total\{flow_loop="(\d)",edge_from="(\w+)".*\} (\d+)$',
                              body.decode(), re.MULTILINE)
        for edge in ("otlp", "memory"):
            self.assertEqual(sum(int(n) for _, sender, n in received if sender == edge), len(sent))
        self.assertEqual({loop for loop, sender, n in received if sender == "memory" and n != "0"}, {"0"})
        self.collector.kill()  # what was acknowledged is there
        self.start(("--config", path))
        for span in sent:
            self.assertEqual([one["spanId"] for one in get_trace(self.collector.api, span["traceId"])],
                             [span["spanId"]])
        self.assertEqual(self.collector.stop(), 0)

    def test_another_program_on_the_port_is_an_error(self):
        self.start(("--config", self.shared(0)))
        with self.assertRaises(harness.DidNotStart) as failure:
            harness.Collector(os.path.join(self.folder.name, "second"), ("--config", self.shared(self.collector.otlp)))
        self.assertEqual(failure.exception.code, 1)
        self.assertIn("Address already in use", str(failure.exception))

    def shared(self, port):
        path = os.path.join(self.folder.name, f"shared{port}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"loops": 2,
                       "nodes": {"otlp": {"type": "receiver/otlp",
                                          "config": {"grpc": "off", "http": f"127.0.0.1:{port}"}},
                                 "store": {"type": "exporter/store"}},
                       "connections": [{"from": "otlp", "to": "store"}]}, file)
        return path


if __name__ == "__main__":
    harness.main()
