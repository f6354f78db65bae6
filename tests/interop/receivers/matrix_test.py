# SPDX-License-Identifier: Apache-2.0
"""Every protocol over every transport in every coding, each against a receiver of others: Python's HTTP server with
Google's protobuf, grpc-go (built here, at locked versions) for gRPC."""

import itertools
import json
import os
import queue
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

from certificates import Authority
from receiver import HERE, PATIENCE_S, HttpReceiver, Sent, harness

sys.path.insert(0, os.path.dirname(HERE))
import clients  # noqa: E402

PREFIX = "OTEL_EXPORTER_OTLP_"
PROTOCOLS = ("grpc", "http/protobuf", "http/json")
TRANSPORTS = ("tcp", "tls", "mtls", "unix")
CODINGS = ("none", "gzip", "zstd")
NAMES = sorted(f"sent {i}" for i in range(60))


class Receiver(clients.Go):
    """grpc-go's server, installed as the clients of the interop tests are."""

    sources = ("go.mod", "go.sum", "receive.go")
    locks = sources

    def __init__(self, build):
        super().__init__(build)
        self.source = os.path.join(HERE, "go")

    def install_packages(self):
        clients.run(["go", "build", "-o", "receive", "."], cwd=self.folder, env=self.environment())


class GoReceiver:
    def __init__(self, program, network, address, files):
        self.process = subprocess.Popen([program, network, address] + files, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self.watchdog.start()
        self.address = json.loads(self.process.stdout.readline())
        self.lines = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.watchdog.cancel()

    def finish(self):
        """What came: names, and whether it was packed on its way."""
        self.stop()
        requests = [self.lines.get() for _ in range(self.lines.qsize())]
        return (sorted(name for request in requests for name in request["names"]),
                all(request["packed"] < request["length"] for request in requests))


class Matrix(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        receiver = Receiver(harness.BUILD)
        receiver.install()
        cls.program = os.path.join(receiver.folder, "receive")
        cls.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.authority = Authority(cls.folder.name, "ours")
        cls.server_key, cls.server_certificate = cls.authority.issue("server")
        cls.client_key, cls.client_certificate = cls.authority.issue("client")

    def tls_context(self, transport):
        if transport not in ("tls", "mtls"):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_certificate, self.server_key)
        if transport == "mtls":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority.path("ca.pem"))
        return context

    def variables(self, transport):
        """What the exporter has to know of the transport."""
        files = {"CERTIFICATE": self.authority.path("ca.pem"), "CLIENT_KEY": self.client_key,
                 "CLIENT_CERTIFICATE": self.client_certificate}
        wanted = {"tls": ["CERTIFICATE"], "mtls": list(files)}.get(transport, [])
        return {PREFIX + name: files[name] for name in wanted}

    def endpoint(self, transport, path, port):
        if transport == "unix":
            return "unix://" + path
        return f"{'http' if transport == 'tcp' else 'https'}://localhost:{port}"

    def send(self, protocol, transport, coding, endpoint):
        sent = Sent(60, dict(self.variables(transport), **{
            PREFIX + "PROTOCOL": protocol, PREFIX + "ENDPOINT": endpoint, PREFIX + "COMPRESSION": coding,
            PREFIX + "TIMEOUT": "60000", "OTEL_BSP_EXPORT_TIMEOUT": "60000"}), shutdown_ms=90000)
        self.assertEqual(sent.accounts, (60, 0, 0), (sent.lines, sent.stderr))

    def over_http(self, protocol, transport, coding, path):
        receiver = HttpReceiver(tls=self.tls_context(transport), path=path if transport == "unix" else None)
        try:
            self.send(protocol, transport, coding,
                      self.endpoint(transport, path, getattr(receiver, "port", None)))
            self.assertEqual(receiver.names(), NAMES)
            self.assertEqual({headers.get("content-encoding", "none") for headers in receiver.headers}, {coding})
        finally:
            receiver.stop()

    def over_grpc(self, transport, coding, path):
        files = [self.server_certificate, self.server_key, self.authority.path("ca.pem")]
        n_files = {"tls": 2, "mtls": 3}.get(transport, 0)
        network = "unix" if transport == "unix" else "tcp"
        receiver = GoReceiver(self.program, network, path if network == "unix" else "127.0.0.1:0", files[:n_files])
        try:
            self.send("grpc", transport, coding, self.endpoint(transport, path, receiver.address.rsplit(":", 1)[-1]))
        finally:
            names, is_packed = receiver.finish()
        self.assertEqual((names, is_packed), (NAMES, coding != "none"))

    def test_every_combination(self):
        for i, (protocol, transport, coding) in enumerate(itertools.product(PROTOCOLS, TRANSPORTS, CODINGS)):
            with self.subTest(f"{protocol} over {transport}, {coding}"):
                path = os.path.join(self.folder.name, f"s{i}")
                if protocol == "grpc":
                    self.over_grpc(transport, coding, path)
                else:
                    self.over_http(protocol, transport, coding, path)

    def test_a_client_without_its_certificate_is_refused(self):
        """So the rows of mtls mean something."""
        receiver = GoReceiver(self.program, "tcp", "127.0.0.1:0",
                              [self.server_certificate, self.server_key, self.authority.path("ca.pem")])
        port = receiver.address.rsplit(":", 1)[-1]
        sent = Sent(60, {PREFIX + "PROTOCOL": "grpc", PREFIX + "ENDPOINT": f"https://localhost:{port}",
                         PREFIX + "CERTIFICATE": self.authority.path("ca.pem"), PREFIX + "TIMEOUT": "1500"})
        self.assertEqual(receiver.finish()[0], [])
        self.assertEqual(sent.accounts, (0, 0, 60), sent.lines)


if __name__ == "__main__":
    harness.main()
