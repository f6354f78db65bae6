# SPDX-License-Identifier: Apache-2.0
"""Configurations in the OpenTelemetry Collector's form, what is sent through each, and what has to be
delivered: worked out by hand from the Collector's documentation. collector_form_test.py holds
`flowtrace run` against it, tests/interop/collector/parity.py the Collector itself as well."""

import concurrent.futures
import gzip
import http.server
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

import grpc

import harness

PATIENCE_S = 90
PROTO = os.path.join(harness.ROOT, "tests", "otlp")
compiled = tempfile.TemporaryDirectory(prefix="flowtrace-proto-")
subprocess.run(["protoc", "-I", PROTO, "--python_out", compiled.name, "trace.proto", "logs.proto", "metrics.proto"],
               check=True, timeout=60)
sys.path.insert(0, compiled.name)
import logs_pb2 as logs  # noqa: E402
import metrics_pb2 as metrics  # noqa: E402
import trace_pb2 as traces  # noqa: E402

# signal: (request, path, method, list of resources, of scopes, of items)
SIGNALS = {
    "traces": (traces.ExportTraceServiceRequest, "/v1/traces",
               "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
               "resource_spans", "scope_spans", "spans"),
    "metrics": (metrics.ExportMetricsServiceRequest, "/v1/metrics",
                "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
                "resource_metrics", "scope_metrics", "metrics"),
    "logs": (logs.ExportLogsServiceRequest, "/v1/logs",
             "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
             "resource_logs", "scope_logs", "log_records"),
}


def set_attributes(owner, attributes):
    for key, value in attributes.items():
        entry = owner.attributes.add(key=key).value
        if isinstance(value, int):
            entry.int_value = value
        else:
            entry.string_value = value


def read_attributes(owner):
    return tuple(sorted((entry.key, entry.value.int_value or entry.value.string_value)
                        for entry in owner.attributes))


def span(name, status=0, **attributes):
    one = traces.Span(trace_id=os.urandom(16), span_id=os.urandom(8), name=name, kind=1,
                      start_time_unix_nano=1, end_time_unix_nano=2)
    one.status.code = status
    set_attributes(one, attributes)
    return one


def record(body, severity=9, **attributes):
    one = logs.LogRecord(time_unix_nano=1, severity_number=severity)
    one.body.string_value = body
    set_attributes(one, attributes)
    return one


def gauge(name, **attributes):
    one = metrics.Metric(name=name)
    point = one.gauge.data_points.add(time_unix_nano=1, as_int=5)
    set_attributes(point, attributes)
    return one


def message(name, items, **resource):
    """A request with one resource."""
    kind, _, _, resources, scopes, members = SIGNALS[name]
    out = kind()
    group = getattr(out, resources).add()
    set_attributes(group.resource, resource)
    getattr(getattr(group, scopes).add(), members).extend(items)
    return out


def item_of(name, one):
    """What is compared of an item: its name or text, and its attributes."""
    if name == "metrics":
        return one.name, read_attributes(one.gauge.data_points[0])
    return (one.name if name == "traces" else one.body.string_value), read_attributes(one)


class Sink:
    """Takes OTLP over HTTP and gRPC in, while `gate` is open; refuses the first `refuse` requests
    retryably."""

    def __init__(self, refuse=0):
        self.lock = threading.Lock()
        self.refuse = refuse
        self.gate = threading.Event()
        self.gate.set()
        self.requests = []  # (where, signal, request, metadata)
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                where, _, path = self.path.rpartition("/v1/")
                taken = sink.take(where, path, body, {k.lower(): v for k, v in self.headers.items()})
                self.send_response(200 if taken else 503)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.http = Server(("127.0.0.1", 0), Handler)
        self.http_port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self.grpc.add_generic_rpc_handlers((self,))
        self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        self.grpc.start()

    def service(self, details):
        """grpc.GenericRpcHandler's."""
        for name, row in SIGNALS.items():
            if row[2] == details.method:
                return grpc.unary_unary_rpc_method_handler(self.answer_to(name))
        return None

    def answer_to(self, name):
        def answer(body, context):
            if not self.take("grpc", name, body, dict(context.invocation_metadata())):
                context.abort(grpc.StatusCode.UNAVAILABLE, "told to")
            return b""
        return answer

    def take(self, where, name, body, metadata):
        self.gate.wait(PATIENCE_S)
        with self.lock:
            if self.refuse:
                self.refuse -= 1
                return False
            self.requests.append((where, name, SIGNALS[name][0].FromString(body), metadata))
            return True

    def items(self):
        """Sorted (where, signal, resource's attributes, name, attributes) of all that came."""
        out = []
        with self.lock:
            requests = list(self.requests)
        for where, name, request, _ in requests:
            _, _, _, resources, scopes, members = SIGNALS[name]
            for group in getattr(request, resources):
                for scope in getattr(group, scopes):
                    out += [(where, name, read_attributes(group.resource)) + item_of(name, one)
                            for one in getattr(scope, members)]
        return sorted(out)

    def sizes(self):
        with self.lock:
            return [sum(len(getattr(scope, SIGNALS[name][5])) for group in getattr(request, SIGNALS[name][3])
                        for scope in getattr(group, SIGNALS[name][4])) for _, name, request, _ in self.requests]

    def close(self):
        self.gate.set()
        self.http.shutdown()
        self.http.server_close()
        self.grpc.stop(None)


class Program:
    """A program that runs a configuration: command is what stands before its file."""

    def __init__(self, command, text, sink):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.path = os.path.join(self.folder.name, "collector.yaml")
        while not self.start(command, text, sink):
            pass

    def start(self, command, text, sink):
        """False: somebody else took one of the ports in between."""
        self.ports = dict(zip(("grpc", "http", "health"), harness.free_ports(3)))
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text.replace("GRPC", f"127.0.0.1:{self.ports['grpc']}")
                       .replace("HEALTH", f"127.0.0.1:{self.ports['health']}")
                       .replace("HTTP", f"127.0.0.1:{self.ports['http']}")
                       .replace("SINK_G", f"127.0.0.1:{sink.grpc_port}")
                       .replace("SINK_H", f"http://127.0.0.1:{sink.http_port}")
                       .replace("FOLDER", self.folder.name))
        with open(os.path.join(self.folder.name, "log"), "wb") as log:
            self.process = subprocess.Popen(
                command + [self.path], cwd=self.folder.name,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, OTEL_SDK_DISABLED="true", SCENARIO_HEADER="from-environment"))
        return self.wait_until_it_listens()

    def log(self):
        with open(os.path.join(self.folder.name, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_until_it_listens(self):
        deadline = time.monotonic() + PATIENCE_S
        for port in (self.ports["grpc"], self.ports["http"]):
            while not self.answers(port):
                if self.process.poll() is not None and "Address already in use" in self.log():
                    return False
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)
        return True

    @staticmethod
    def answers(port):
        try:
            harness.connect(port).close()
        except OSError:
            return False
        return True

    def post(self, name, body):
        """The HTTP status."""
        return harness.request(self.ports["http"], "POST", SIGNALS[name][1], body.SerializeToString(),
                               {"Content-Type": "application/x-protobuf"}, timeout=PATIENCE_S)[0]

    def get(self, port, path):
        """The HTTP status."""
        return harness.request(self.ports[port], "GET", path, timeout=PATIENCE_S)[0]

    def call(self, name, body):
        """The gRPC status code."""
        with grpc.insecure_channel(f"127.0.0.1:{self.ports['grpc']}") as channel:
            method = channel.unary_unary(SIGNALS[name][2])
            try:
                method(body.SerializeToString(), timeout=PATIENCE_S)
                return 0
            except grpc.RpcError as error:
                return error.code().value[0]

    def stop(self):
        """The exit code, after all that was taken in is delivered."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


RECEIVERS = """\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: GRPC}
      http: {endpoint: HTTP}
"""

USUAL = RECEIVERS + """\
extensions:
  health_check: {endpoint: HEALTH, path: /health}
processors:
  memory_limiter: {check_interval: 1s, limit_mib: 2000, spike_limit_mib: 400}
  batch: {timeout: 100ms, send_batch_size: 1000}
  attributes/env:
    actions:
      - {key: env, value: prod, action: upsert}
      - {key: secret, action: delete}
  resource:
    attributes: [{key: cluster, value: c1, action: insert}]
  filter/health:
    error_mode: ignore
    traces:
      span: ['attributes["http.route"] == "/health"', 'name == "a.b" or status.code == STATUS_CODE_ERROR']
    logs:
      log_record: ['severity_number < SEVERITY_NUMBER_INFO', 'IsMatch(resource.attributes["team"], "^x")']
exporters:
  otlp/backend:
    endpoint: SINK_G
    tls: {insecure: true}
    headers: {x-from: '${env:SCENARIO_HEADER}', x-else: '${env:SCENARIO_NO_SUCH:-default}'}
    retry_on_failure: {initial_interval: 100ms, max_interval: 1s}
  otlphttp:
    endpoint: SINK_H
    compression: gzip
service:
  extensions: [health_check]
  telemetry: {logs: {level: warn}, metrics: {level: none}}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [memory_limiter, filter/health, attributes/env, batch]
      exporters: [otlp/backend]
    logs:
      receivers: [otlp]
      processors: [memory_limiter, filter/health, resource, batch]
      exporters: [otlphttp, otlp/backend]
"""


def send_usual(program):
    """What each sender was told: metrics are in no pipeline."""
    spans = [span("kept", secret="s", env="dev"), span("a.b"), span("axb"), span("failed", status=2),
             span("checked", **{"http.route": "/health"})]
    records = [record("kept"), record("debugged", severity=5)]
    return [
        program.get("health", "/health"),
        program.get("health", "/else"),
        program.call("traces", message("traces", spans, team="y")),
        program.post("traces", message("traces", [span("over http")])),
        program.post("logs", message("logs", records, team="y")),
        program.call("logs", message("logs", [record("of x")], team="xy")),
        program.post("metrics", message("metrics", [gauge("m")])),
        program.call("metrics", message("metrics", [gauge("m")])),
    ]


TEAM, CLUSTER, PROD = ("team", "y"), ("cluster", "c1"), ("env", "prod")
USUAL_ANSWERS = [200, 404, 0, 200, 200, 0, 404, 12]
USUAL_ITEMS = [
    ("", "logs", (CLUSTER, TEAM), "kept", ()),
    ("grpc", "logs", (CLUSTER, TEAM), "kept", ()),
    ("grpc", "traces", (), "over http", (PROD,)),
    ("grpc", "traces", (TEAM,), "axb", (PROD,)),
    ("grpc", "traces", (TEAM,), "kept", (PROD,)),
]

ROUTED = RECEIVERS + """\
connectors:
  forward:
  routing:
    default_pipelines: [traces/rest]
    error_mode: ignore
    table:
      - {context: resource, condition: 'attributes["tenant"] == "a" or attributes["tenant"] == "b"', pipelines: [traces/ab]}
      - {context: resource, condition: 'attributes["tenant"] == "c"', pipelines: [traces/ab, traces/rest]}
exporters:
  otlphttp/ab: {endpoint: SINK_H/ab, compression: none}
  otlphttp/rest: {endpoint: SINK_H/rest, sending_queue: {enabled: false}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [forward]}
    traces/in: {receivers: [forward], exporters: [routing]}
    traces/ab: {receivers: [routing], exporters: [otlphttp/ab]}
    traces/rest: {receivers: [routing], exporters: [otlphttp/rest]}
"""


def send_routed(program):
    request = message("traces", [span("of a"), span("too")], tenant="a")
    for tenant in "bcd":
        request.MergeFrom(message("traces", [span("of " + tenant)], tenant=tenant))
    request.MergeFrom(message("traces", [span("of none")]))
    return [program.post("traces", request)]


def of(where, name, *tenant):
    return (where, "traces", tuple(("tenant", one) for one in tenant), name, ())


ROUTED_ITEMS = [of("/ab", "of a", "a"), of("/ab", "too", "a"), of("/ab", "of b", "b"), of("/ab", "of c", "c"),
                of("/rest", "of none"), of("/rest", "of c", "c"), of("/rest", "of d", "d")]

SHARED = RECEIVERS + """\
processors:
  batch: {timeout: 200ms, send_batch_size: 10, send_batch_max_size: 10}
exporters:
  otlphttp: {traces_endpoint: SINK_H/own/v1/traces, metrics_endpoint: SINK_H/own/v1/metrics}
  nop:
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces/1: {receivers: [otlp], processors: [batch], exporters: [otlphttp]}
    traces/2: {receivers: [otlp], processors: [batch], exporters: [otlphttp, nop]}
    metrics: {receivers: [otlp], exporters: [otlphttp]}
"""


def send_shared(program):
    return [program.post("traces", message("traces", [span(f"s{i}") for i in range(25)])),
            program.post("metrics", message("metrics", [gauge("m", k=1)]))]


SHARED_ITEMS = ([("/own", "traces", (), f"s{i}", ()) for i in range(25)] * 2
                + [("/own", "metrics", (), "m", (("k", 1),))])

QUEUED = RECEIVERS + """\
exporters:
  otlp:
    endpoint: SINK_G
    tls: {insecure: true}
    retry_on_failure: {initial_interval: 100ms, max_interval: 100ms}
    sending_queue: {queue_size: 10, num_consumers: 2}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp]}
"""


def send_queued(program):
    return [program.post("traces", message("traces", [span("one")])),
            program.post("traces", message("traces", [span("two")]))]


class Case:
    def __init__(self, text, send, answers, items, refuse=0):
        self.text, self.send, self.answers, self.items, self.refuse = text, send, answers, sorted(items), refuse

    def run(self, command, check=None):
        """(answers, items, exit code, log) of the program; check(sink) while it runs."""
        sink = Sink(self.refuse)
        program = None
        try:
            program = Program(command, self.text, sink)
            answers = self.send(program)
            deadline = time.monotonic() + PATIENCE_S
            while len(sink.items()) < len(self.items) and time.monotonic() < deadline:
                time.sleep(0.02)
            if check:
                check(sink)
            code = program.stop()
            return answers, sink.items(), code, program.log()
        finally:
            if program:
                program.close()
            sink.close()


CASES = {
    "usual": Case(USUAL, send_usual, USUAL_ANSWERS, USUAL_ITEMS),
    "routed": Case(ROUTED, send_routed, [200], ROUTED_ITEMS),
    "shared": Case(SHARED, send_shared, [200, 200], SHARED_ITEMS),
    # The senders are answered although the backend refuses the first three requests.
    "queued": Case(QUEUED, send_queued, [200, 200],
                   [("grpc", "traces", (), "one", ()), ("grpc", "traces", (), "two", ())], refuse=3),
}

MINIMAL = """\
receivers: {otlp: {protocols: {grpc: }}}
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""

# Configurations that are right, and such that are wrong, by `otelcol validate` too.
RIGHT = [case.text.replace("GRPC", "localhost:4317").replace("HTTP", "localhost:4318")
         .replace("SINK_G", "localhost:1").replace("HEALTH", "localhost:3").replace("SINK_H", "http://localhost:2")
         .replace("${env:SCENARIO_HEADER}", "x") for case in CASES.values()] + [
    MINIMAL,
    MINIMAL + "processors: {batch: }\n",
    MINIMAL + "processors: {batch: {timeout: 1m30s, send_batch_size: 100, send_batch_max_size: 100}}\n",
    MINIMAL + "processors: {memory_limiter: {check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 20}}\n",
    MINIMAL.replace("grpc: ", "http: {max_request_body_size: 1000000, idle_timeout: 10s, read_header_timeout: 2s}"),
    MINIMAL.replace("debug: ", "debug: {verbosity: detailed}, otlphttp/2: {endpoint: 'https://h', tls: {ca_file: /x}}"),
    MINIMAL.replace("debug: ", "debug: , otlp: {endpoint: 'h:1', retry_on_failure: {enabled: false, "
                    "max_elapsed_time: 1s}}"),
]
WRONG = [
    "receiverz: {}\n" + MINIMAL,
    MINIMAL.partition("service")[0],
    MINIMAL.replace("grpc", "grcp"),
    MINIMAL.replace("grpc: ", "grpc: {endpont: x}"),
    MINIMAL.replace("protocols: {grpc: }", "protocols: {}"),
    MINIMAL.replace("debug: ", "debog: "),
    MINIMAL.replace("debug: ", "logging: "),
    MINIMAL.replace("debug: ", "debug: , otlp: {}"),
    MINIMAL.replace("debug: ", "debug: , otlp: {endpoint: backend}"),
    MINIMAL.replace("debug: ", "debug: , otlphttp: {}"),
    MINIMAL.replace("debug: ", "debug: {verbosity: loud}"),
    MINIMAL.replace("{traces:", "{trace:"),
    MINIMAL.replace("[otlp]", "[otpl]"),
    MINIMAL.replace("[otlp]", "[]"),
    MINIMAL.replace("[debug]", "[]"),
    MINIMAL.replace("exporters: [debug]", "exporters: [debug], processor: []"),
    MINIMAL.replace("exporters: [debug]", "processors: [batch], exporters: [debug]"),
    MINIMAL.replace("exporters: [debug]", "processors: [batch, batch], exporters: [debug]") + "processors: {batch: }\n",
    MINIMAL.replace("{pipelines:", "{extensions: [health_check], pipelines:"),
    MINIMAL + "processors: {batch: {send_batch_size: 10, send_batch_max_size: 5}}\n",
    MINIMAL + "processors: {batch: {timeout: soon}}\n",
    MINIMAL + "processors: {memory_limiter: {limit_mib: 100}}\n",
    MINIMAL + "processors: {memory_limiter: {check_interval: 1s}}\n",
    MINIMAL + "processors: {memory_limiter: {check_interval: 1s, limit_mib: 50, spike_limit_mib: 50}}\n",
    MINIMAL.replace("[debug]", "[forward]") + "connectors: {forward: }\n",
]
