# SPDX-License-Identifier: Apache-2.0
"""What the suites here share: otlp-send with an environment, and receivers that we did not write:
a grpcio server and Python's HTTP server, decoding with Google's protobuf."""

import base64
import concurrent.futures
import ctypes
import gzip
import http.server
import json
import os
import resource
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

import grpc
from google.protobuf import json_format

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scenario"))

import harness  # noqa: E402

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
EXPORT_METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PATIENCE_S = 120


def compile_schema():
    """The modules with ExportTraceServiceRequest and ExportMetricsServiceRequest, made by protoc."""
    root = os.path.join(harness.ROOT, "src", "otlp", "schema")
    folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
    files = [os.path.join(path, name) for path, _, names in os.walk(root) for name in names]
    subprocess.run(["protoc", "-I", root, "--python_out=" + folder.name] + files, check=True, timeout=60)
    sys.path.insert(0, folder.name)
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
    compile_schema.folder = folder
    return trace_service_pb2, metrics_service_pb2


service, metrics_service = compile_schema()


class Sent:
    """One run of otlp-send: what it printed, by kind. between: called when it waits."""

    def __init__(self, spans, environment, flush_ms=0, shutdown_ms=30000, words=(), between=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        command = [os.path.join(harness.BUILD, "tests", "otlp-send"), str(spans), str(flush_ms),
                   str(shutdown_ms)] + list(words)
        self.process = subprocess.Popen(command, env=dict(clean, **environment), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        if between:
            out, self.stderr = self.interrupt(between)
        else:
            out, self.stderr = self.process.communicate()
        watchdog.cancel()
        self.code = self.process.wait()
        self.lines = [json.loads(line) for line in out.splitlines()]

    def interrupt(self, between):
        """Its output, with a call while it waits."""
        out = ""
        with self.process.stdout, self.process.stderr:
            for line in self.process.stdout:
                out += line
                if "waiting" in line:
                    break
            between()
            self.process.stdin.close()
            return out + self.process.stdout.read(), self.process.stderr.read()

    def all(self, key):
        return [line for line in self.lines if key in line]

    def one(self, key):
        (found,) = self.all(key)
        return found

    @property
    def diagnostics(self):
        return " | ".join(line["diagnostic"] for line in self.all("diagnostic"))

    @property
    def accounts(self):
        """(delivered, rejected, lost) of the one exporter."""
        line = self.one("exporter")
        return line["delivered"], line["rejected"], line["lost_export"]


def span_names(request):
    return [span.name for resource_spans in request.resource_spans
            for scope in resource_spans.scope_spans for span in scope.spans]


def process_id(request):
    """Of the resource that all spans of otlp-send belong to."""
    (pid,) = [attribute.value.int_value for attribute in request.resource_spans[0].resource.attributes
              if attribute.key == "process.pid"]
    return pid


class Requests:
    """What a receiver got, and what it shall answer: the script's entries in turn, then success.
    Metrics are kept apart, with a script of their own."""

    def __init__(self, script=()):
        self.script = list(script)
        self.metrics = []  # (ExportMetricsServiceRequest, headers)
        self.metrics_script = []
        self.lock = threading.Lock()
        self.requests = []  # ExportTraceServiceRequest
        self.headers = []
        self.times = []

    def take(self, request, headers):
        """The next entry of the script, or None."""
        with self.lock:
            self.requests.append(request)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            return self.script.pop(0) if self.script else None

    def take_metrics(self, request, headers):
        with self.lock:
            self.metrics.append((request, headers))
            return self.metrics_script.pop(0) if self.metrics_script else None

    def names(self):
        return sorted(name for request in self.requests for name in span_names(request))


class GrpcReceiver(Requests):
    """Script entries are functions of the ServicerContext, returning the answer's bytes."""

    def __init__(self, script=(), credentials=None, address=None, options=(), compression=None, port=0):
        super().__init__(script)
        address = address or f"127.0.0.1:{port}"
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=options,
                                  compression=compression)
        self.server.add_generic_rpc_handlers((self,))
        if credentials:
            self.port = self.server.add_secure_port(address, credentials)
        else:
            self.port = self.server.add_insecure_port(address)
        self.server.start()

    def service(self, details):
        handlers = {EXPORT: self.export, EXPORT_METRICS: self.export_metrics}
        handler = handlers.get(details.method)
        return grpc.unary_unary_rpc_method_handler(handler) if handler else None

    def export_metrics(self, data, context):
        request = metrics_service.ExportMetricsServiceRequest.FromString(data)
        entry = self.take_metrics(request, dict(context.invocation_metadata()))
        return entry(context) if entry else b""

    def export(self, data, context):
        headers = dict(context.invocation_metadata())
        headers["peer"] = context.peer()
        headers["time-remaining"] = context.time_remaining()
        entry = self.take(service.ExportTraceServiceRequest.FromString(data), headers)
        return entry(context) if entry else b""

    def stop(self):
        self.server.stop(None).wait()


class HttpHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        elif headers.get("content-encoding") == "zstd":
            body = unpack_zstd(body)
        is_metrics = "metrics" in self.path
        request = (metrics_service.ExportMetricsServiceRequest() if is_metrics
                   else service.ExportTraceServiceRequest())
        if headers["content-type"] == "application/json":
            json_format.Parse(json.dumps(with_base64_ids(json.loads(body))), request)
        else:
            request.ParseFromString(body)
        headers["path"] = self.path
        headers["peer"] = self.client_address
        receiver = self.server.receiver
        entry = (receiver.take_metrics if is_metrics else receiver.take)(request, headers)
        status, more, answer = entry or (200, {}, b"")
        self.send_response(status)
        self.send_header("Content-Type", headers["content-type"])
        self.send_header("Content-Length", str(len(answer)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self):
        return "client"

    def log_message(self, *_):
        pass


def unpack_zstd(packed):
    """By libzstd itself: Python has no module for it."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    library.ZSTD_decompress.restype = ctypes.c_size_t
    size = library.ZSTD_getFrameContentSize(packed, ctypes.c_size_t(len(packed)))
    out = ctypes.create_string_buffer(size)
    found = library.ZSTD_decompress(out, ctypes.c_size_t(size), packed, ctypes.c_size_t(len(packed)))
    assert found == size, (found, size)
    return out.raw


def with_base64_ids(node):
    """OTLP's JSON writes ids in hexadecimal, protobuf's in base64: the one difference."""
    if isinstance(node, list):
        return [with_base64_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: base64.b64encode(bytes.fromhex(value)).decode()
            if key in ("traceId", "spanId", "parentSpanId") else with_base64_ids(value)
            for key, value in node.items()}


class UnixHttpServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class HttpReceiver(Requests):
    """Script entries are (status, headers, body)."""

    def __init__(self, script=(), tls=None, path=None, port=0):
        super().__init__(script)
        if path:
            self.server = UnixHttpServer(path, HttpHandler)
        else:
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), HttpHandler)
            self.port = self.server.server_address[1]
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None
        self.server.receiver = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class RawReceiver:
    """Takes connections and hands each socket to a function, on a thread of its own."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        self.sockets = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(connection)
            threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.sockets:
            connection.close()
        self.thread.join()


def peak_memory_bytes():
    """The largest resident set of all children so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
