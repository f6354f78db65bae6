# SPDX-License-Identifier: Apache-2.0
"""examples/user-tracing.yaml as it stands: spans of two customers and of a third that nobody knows,
over a Unix socket, from the service in examples/user-tracing and from clients that try more than it
would, and what each destination has in the end. The customers' destinations are collectors of their
own."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import tempfile
import unittest

import harness
from harness import Collector, Run, get_json, get_trace, new_id, new_span, span_document, wait_for

EXAMPLE = os.path.join(harness.ROOT, "examples", "user-tracing.yaml")
TIMEOUT_S = harness.PATIENCE_S
NORTH, SOUTH, STRANGER = 1001, 1002, 1003
HEADER = "cf-trace-config"


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def routing(account, **more):
    return json.dumps({"zoneId": 7, "accountId": account, "workspaceId": "w",
                       "destinations": ["own"], "managed": False, **more})


class Router(Run):
    """The example, when it listens."""

    def __init__(self, folder, settings):
        self.socket = os.path.join(folder, "users.sock")
        with open(EXAMPLE, encoding="utf-8") as file:
            graph = file.read()
        super().__init__(os.path.join(folder, "user-tracing.yaml"), graph, SOCKET=self.socket, **settings)
        self.wait_until(lambda: any(line.endswith(f" listening on unix:{self.socket}") for line in self.lines))

    def post(self, spans, values):
        """Status and text of the answer; values: of the header, one after the other."""
        body = json.dumps(span_document(spans)).encode()
        connection = Connection(self.socket)
        connection.putrequest("POST", "/v1/traces")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        for value in values:
            connection.putheader(HEADER, value)
        connection.endheaders(body)
        with contextlib.closing(connection), connection.getresponse() as answer:
            return answer.status, answer.read().decode()


class Service:
    """The application: examples/user-tracing."""

    KEY = "s3cret"

    def __init__(self, path):
        self.process = subprocess.Popen(
            [os.path.join(harness.BUILD, "examples", "user-tracing"), path, self.KEY],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def get(self, path, control, key=KEY):
        """The id of the user's trace; None: there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"X-Proxy-Key": key, "User-Tracing": control})
            traceparent = connection.getresponse().getheader("X-User-Traceparent")
        return None if traceparent == "none" else traceparent.split("-")[1]

    def stop(self):
        """The operator's spans, as text."""
        _, operators = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode == 0, operators
        return operators


class UserTracing(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(self.folder.cleanup)
        self.north = self.collect("north")
        self.south = self.collect("south")
        self.unknown = os.path.join(self.folder.name, "unknown.jsonl")
        self.sent = {}

    def collect(self, name, arguments=()):
        collector = Collector(os.path.join(self.folder.name, name), arguments)
        self.addCleanup(collector.kill_if_alive)
        return collector

    def route(self):
        router = Router(self.folder.name, {
            "NORTH": f"http://127.0.0.1:{self.north.otlp}",
            "SOUTH": f"http://127.0.0.1:{self.south.otlp}",
            "UNKNOWN": self.unknown, "OTEL_METRICS_EXPORTER": "none"})
        self.addCleanup(router.kill_if_alive)
        return router

    def send(self, router, whose, values, n=3, **fields):
        """Spans of a trace of their own, which are whose's."""
        trace_id = new_id(16)
        status, text = router.post([new_span(traceId=trace_id, **fields) for _ in range(n)],
                                   values)
        self.assertEqual(status, 200, text)
        self.sent.setdefault(whose, set()).add(trace_id)

    def found(self, collector):
        """Of every service there is."""
        _, services = get_json(collector.api, "/api/services")
        answers = [get_json(collector.api, f"/api/traces?service={name}&limit=1000")[1]
                   for name in services["data"] or ()]
        return {trace["traceID"] for answer in answers for trace in answer["data"]}

    def found_unknown(self):
        if not os.path.exists(self.unknown):
            return set()
        with open(self.unknown, encoding="utf-8") as file:
            documents = [json.loads(line) for line in file if line.endswith("\n")]
        return {span["traceId"] for document in documents
                for resource in document["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]}

    def destinations(self):
        return {"north": self.found(self.north), "south": self.found(self.south),
                "unknown": self.found_unknown()}

    def check(self):
        """Each destination has its own, whole, and nothing else."""
        expected = {name: self.sent.get(name, set()) for name in ("north", "south", "unknown")}
        wait_for(lambda: sum(map(len, self.destinations().values())) >=
                 sum(map(len, expected.values())), "not everything arrived")
        found = self.destinations()
        for name, traces in found.items():
            print(f"{name}: {len(traces)} traces: {' '.join(sorted(traces))}")
        self.assertEqual(found, expected)

    def test_each_customer_gets_its_own(self):
        router = self.route()
        for _ in range(5):
            self.send(router, "north", [routing(NORTH)])
            self.send(router, "south", [routing(SOUTH)])
            self.send(router, "unknown", [routing(STRANGER)])
        self.check()
        self.assertEqual(router.stop(), 0, router.lines)

    def test_from_the_application_to_each_customer(self):
        router = self.route()
        service = Service(router.socket)
        self.addCleanup(lambda: service.process.poll() is None and service.process.kill())
        for whose, account in [("north", NORTH), ("south", SOUTH), ("unknown", STRANGER)] * 4:
            trace_id = service.get(f"/{whose}", f"-; {routing(account)}")
            self.sent.setdefault(whose, set()).add(trace_id)
        self.assertIsNone(service.get("/stolen", f"-; {routing(NORTH)}", key="guessed"))
        operators = service.stop()
        self.check()
        for trace_id in self.sent["north"]:
            wait_for(lambda: sorted(span["name"] for span in get_trace(self.north.api, trace_id))
                     == ["cache", "look_up", "request"], "not the whole trace arrived")
        for trace_id in set.union(*self.sent.values()):
            self.assertNotIn(trace_id, operators)
        self.assertEqual(operators.count(" request"), 13)
        self.assertEqual(router.stop(), 0, router.lines)

    def test_what_a_stranger_tries(self):
        router = self.route()
        as_north = [{"key": "accountId", "value": {"intValue": str(NORTH)}},
                    {"key": HEADER, "value": {"stringValue": routing(NORTH)}}]
        twice = routing(STRANGER)[:-1] + f', "accountId": {NORTH}}}'
        for value in (routing(STRANGER), routing(f"{NORTH} "), routing([STRANGER]), twice,
                      routing(NORTH) + routing(NORTH), routing({"accountId": NORTH}), str(NORTH),
                      "", routing(f"{NORTH}\u0000")):
            self.send(router, "unknown", [value], attributes=as_north)
        self.send(router, "unknown", [], attributes=as_north)
        self.send(router, "north", [routing(NORTH)])
        status, text = router.post([new_span()], [routing(STRANGER), routing(NORTH)])
        self.assertEqual(status, 400)
        self.assertIn(f"header {HEADER}: it is there more than once", text)
        status, _ = router.post([new_span()], [routing("x" * 40000)])
        self.assertEqual(status, 431)
        self.check()
        self.assertEqual(router.stop(), 0, router.lines)

    def test_one_customer_down_and_the_router_killed(self):
        """What was answered is kept, and goes where it belongs after both are back."""
        router = self.route()
        port = self.north.otlp
        self.north.stop()
        for _ in range(4):
            self.send(router, "north", [routing(NORTH)])
            self.send(router, "south", [routing(SOUTH)])
        wait_for(lambda: len(self.found(self.south)) == 4, "the other customer waits as well")
        router.kill()
        self.north = self.collect("north", ["--otlp-grpc", "off",
                                            "--otlp-http", f"127.0.0.1:{port}"])
        router = self.route()
        self.check()
        self.assertEqual(router.stop(), 0, router.lines)


if __name__ == "__main__":
    harness.main()
