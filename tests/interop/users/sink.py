# SPDX-License-Identifier: Apache-2.0
"""An OTLP endpoint on a Unix socket as the exporter of user spans meets it: Python's HTTP server,
bodies read by OpenTelemetry's own protobuf."""

import http.server
import socketserver
import threading

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

OK = (200, {}, b"")


class Request:
    """One request as it came in."""

    def __init__(self, handler, body):
        self.line = handler.requestline
        self.headers = handler.headers
        self.connection = handler.client_number
        self.message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)

    def spans(self):
        return [span for resource in self.message.resource_spans for scope in resource.scope_spans
                for span in scope.spans]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.client_number = self.server.sink.next_connection()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, answer = self.server.sink.take(Request(self, body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self):
        return "unix"

    def log_message(self, format, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Who hung up is not waited for."""


class Sink:
    """`answer` is called with each request, on a thread of its connection, and gives
    (status, headers, body)."""

    def __init__(self, path, answer=lambda request: OK):
        self.answer = answer
        self.requests = []
        self.n_connections = 0
        self.lock = threading.Lock()
        self.server = Server(path, Handler)
        self.server.sink = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def next_connection(self):
        with self.lock:
            self.n_connections += 1
            return self.n_connections

    def take(self, request):
        with self.lock:
            self.requests.append(request)
        return self.answer(request)

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
