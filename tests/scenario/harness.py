# SPDX-License-Identifier: Apache-2.0
"""What the scenarios share: a collector of their own, HTTP without a library in between, and
OTLP requests written by hand. Standard library only."""

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE_S = 100  # of a slow machine; nothing takes as long
BUILD = None


def program():
    return os.environ.get("TESTED_PROGRAM") or os.path.join(BUILD, "bin", "flowtrace")


def setting(name):
    """Of the build that is tested."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        found = re.search(rf"^{name}:\w+=(.*)$", cache.read(), re.MULTILINE)
    return found.group(1) if found else ""


def is_sanitized():
    """True when the program keeps freed memory for a while, as AddressSanitizer does."""
    return setting("FTR_SANITIZE").startswith("address")


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def readme_block(language):
    """The one block of a language in README.md."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", readme(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, (language, len(blocks))
    return blocks[0]


def main():
    """unittest.main with --build taken out of the command line."""
    global BUILD
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--build", required=True)
    options, rest = parser.parse_known_args()
    BUILD = options.build
    sys.modules["harness"] = sys.modules.get("harness", sys.modules[__name__])
    sys.modules["harness"].BUILD = options.build
    unittest.main(module="__main__", argv=[sys.argv[0]] + rest, verbosity=2)


def wait_for(condition, what):
    """What the condition comes to as soon as that is true; what: did not happen otherwise."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class DidNotStart(AssertionError):
    """The program ended before it was ready, with this code."""

    def __init__(self, code, lines):
        super().__init__(f"the program did not start ({code}): {lines}")
        self.code = code


class Program:
    """A command of the program; its stderr is kept line by line, and the ports that it names there."""

    LISTENING = re.compile(r"^(\S+) listening on (?!unix:)(\S+):(\d+)$")

    def __init__(self, arguments, environment=None, executable=None):
        self.ports = {}
        self.lines = []
        self.process = subprocess.Popen(
            [executable or program(), *arguments],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            env=dict(os.environ, **(environment or {})))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            line = line.rstrip("\n")
            found = self.LISTENING.match(line)
            if found:
                self.ports[found.group(1)] = int(found.group(3))
            self.lines.append(line)

    def wait_until(self, is_ready):
        wait_for(lambda: is_ready() or not self.reader.is_alive(), self.lines)
        if not is_ready():
            raise DidNotStart(self.own_end(), self.lines)

    def own_end(self):
        """Its exit code; None when it had to be killed."""
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return self.reap()

    def port(self, name):
        """Where it listens, as soon as it says so."""
        self.wait_until(lambda: name in self.ports)
        return self.ports[name]

    def kill(self):
        self.process.kill()
        return self.reap()

    def kill_if_alive(self):
        if self.is_alive():
            self.kill()

    def reap(self):
        code = self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        unbalanced = [line for line in self.lines if "the accounts do not balance" in line]
        assert not unbalanced, unbalanced
        return code

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self):
        """The exit code of one that ends by itself."""
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end; its last lines: {self.lines[-5:]}") from None
        return self.reap()

    def is_alive(self):
        return self.process.poll() is None


class Run(Program):
    """`flowtrace run` of a graph that is written to a file; traced into a collector if there is one."""

    def __init__(self, path, graph, *arguments, collector=None, **environment):
        self.path = path
        self.write(graph)
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.otlp}"} if collector else {}
        super().__init__(["run", path, "--data", os.path.dirname(path), "--accounts", path + ".accounts",
                          *arguments], {**settings, **environment})

    def write(self, graph):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(graph)

    def metric(self, name, node):
        """Of a node, now; with --metrics."""
        page = request(self.port("metrics"), "GET", "/metrics")[2].decode()
        return float(re.search(rf'^{name}{{[^}}]*node_id="{node}"[^}}]*}} (\S+)$', page, re.MULTILINE)[1])

    def accounts(self):
        """The lines, when it has ended."""
        with open(self.path + ".accounts", encoding="utf-8") as file:
            return [json.loads(line) for line in file]


class Collector(Program):
    """`flowtrace serve` on free ports, when it is ready."""

    def __init__(self, data, arguments=(), environment=None, executable=None):
        super().__init__(["serve", "--data", data, "--http", "127.0.0.1:0"]
                         + (list(arguments) or ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]),
                         environment, executable)
        self.wait_until(lambda: "ready" in self.lines)

    @property
    def otlp(self):
        return self.ports["otlp/http"]

    @property
    def grpc(self):
        return self.ports["otlp/grpc"]

    @property
    def api(self):
        return self.ports["http"]

    def url(self):
        return f"http://127.0.0.1:{self.api}"

    def memory_bytes(self):
        """Resident set, now."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_memory_bytes(self):
        """The largest resident set, since the start or the last reset."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) << 10
        raise AssertionError("no VmHWM")

    def reset_peak_memory(self):
        """Returns the resident set from which the peak counts now (proc(5), clear_refs)."""
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        return self.memory_bytes()


def free_ports(n):
    """As many different ones, which others may take before they are used."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def connect(port, timeout=30):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def request(port, method, path, body=None, headers=None, timeout=30):
    """(status, headers, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
    finally:
        connection.close()


def send_json(port, document, **headers):
    return request(port, "POST", "/v1/traces", json.dumps(document).encode(),
                   dict({"Content-Type": "application/json"}, **headers))


def get_json(port, path):
    status, _, body = request(port, "GET", path)
    return status, json.loads(body)


def find_spans(port, path):
    """All spans of an API answer, flat."""
    status, document = get_json(port, path)
    if status == 404:
        return []
    assert status == 200, (status, document)
    return [span
            for resource in document["result"]["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]]


def get_trace(port, trace_id):
    return find_spans(port, "/api/v3/traces/" + trace_id)


def attributes(owner):
    """Of a span, event or link in JSON: numbers where they are integers."""
    return {one["key"]: int(value) if kind == "intValue" else value
            for one in owner.get("attributes", []) for kind, value in one["value"].items()}


def new_id(n_bytes):
    while True:
        value = os.urandom(n_bytes)
        if any(value):
            return value.hex()


def span_document(spans, service="scenario"):
    return {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"scope": {"name": "scenario"}, "spans": spans}]}]}


def new_span(name="step", **fields):
    now = time.time_ns()
    span = {"traceId": new_id(16), "spanId": new_id(8), "name": name, "kind": 1,
            "startTimeUnixNano": str(now - 1_000_000), "endTimeUnixNano": str(now)}
    span.update(fields)
    return span


# --- OTLP protobuf by hand: field numbers of opentelemetry-proto ---------------------------------

def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    """Length-delimited."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def fields(message):
    """(number, bytes) of each length-delimited field."""
    at = 0

    def take_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = take_varint()
        if tag & 7 == 2:
            length = take_varint()
            yield tag >> 3, message[at:at + length]
            at += length
        elif tag & 7 == 0:
            take_varint()
        else:
            at += 8 if tag & 7 == 1 else 4


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def protobuf_span(trace_id, span_id, name, start_ns, end_ns):
    return (field(1, trace_id) + field(2, span_id) + field(5, name.encode())
            + varint(6 << 3) + varint(1) + fixed64(7, start_ns) + fixed64(8, end_ns))


def protobuf_request(spans, service="scenario"):
    attribute = field(1, b"service.name") + field(2, field(1, service.encode()))
    resource = field(1, attribute)
    scope_spans = b"".join(field(2, span) for span in spans)
    return field(1, field(1, resource) + field(2, scope_spans))


class Scenario(unittest.TestCase):
    """A test with a collector on a data directory that goes away with it."""

    arguments = ()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(self.folder.cleanup)
        self.data = os.path.join(self.folder.name, "data")
        self.collector = None
        self.addCleanup(lambda: self.collector and self.collector.kill_if_alive())

    def start(self, arguments=(), environment=None):
        self.collector = Collector(self.data, arguments, environment)
        return self.collector

    def configure(self, **options):
        """Arguments: the default graph, its receiver with these options."""
        path = os.path.join(self.folder.name, "graph.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"nodes": {"otlp": {"type": "receiver/otlp", "config": options},
                                 "log": {"type": "processor/wal"},
                                 "store": {"type": "exporter/store"}},
                       "connections": [{"from": "otlp", "to": "log"},
                                       {"from": "log", "to": "store"}]}, file)
        return ("--config", path)
