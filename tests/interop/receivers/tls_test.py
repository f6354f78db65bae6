# SPDX-License-Identifier: Apache-2.0
"""TLS and mTLS of the OTLP exporter, by its environment variables, with certificates of openssl."""

import os
import ssl
import tempfile
import unittest

import grpc

from certificates import Authority
from receiver import GrpcReceiver, HttpReceiver, Sent, harness

PREFIX = "OTEL_EXPORTER_OTLP_"
PROTOCOLS = ("http/protobuf", "http/json", "grpc")


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        cls.ours = Authority(cls.folder.name, "ours")
        cls.other = Authority(cls.folder.name, "other")
        cls.ours.issue("server")
        cls.ours.issue("late", is_expired=True)
        cls.client_key, cls.client_certificate = cls.ours.issue("client")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def receive(self, protocol, name="server", wants_client=False):
        if protocol == "grpc":
            credentials = grpc.ssl_server_credentials(
                [(self.ours.read(name + ".key"), self.ours.read(name + ".pem"))],
                self.ours.read("ca.pem") if wants_client else None, wants_client)
            receiver = GrpcReceiver(credentials=credentials)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.ours.path(name + ".pem"), self.ours.path(name + ".key"))
            if wants_client:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.ours.path("ca.pem"))
            receiver = HttpReceiver(tls=context)
        self.addCleanup(receiver.stop)
        return receiver

    def send(self, protocol, receiver, scheme="https://", **variables):
        environment = {PREFIX + "PROTOCOL": protocol,
                       PREFIX + "ENDPOINT": f"{scheme}localhost:{receiver.port}",
                       PREFIX + "TIMEOUT": "60000", "OTEL_BSP_EXPORT_TIMEOUT": "60000"}
        environment.update({PREFIX + name: value for name, value in variables.items()})
        return Sent(30, environment, shutdown_ms=90000)

    def assert_delivered(self, sent, receiver):
        self.assertEqual(sent.accounts, (30, 0, 0), (sent.lines, sent.stderr))
        self.assertEqual(len(receiver.names()), 30)

    def assert_lost(self, sent, receiver, *words):
        self.assertEqual(sent.accounts, (0, 0, 30), (sent.lines, sent.stderr))
        self.assertEqual(receiver.requests, [])
        for word in words:
            self.assertIn(word, sent.diagnostics)

    def test_the_right_authority(self):
        for protocol in PROTOCOLS:
            receiver = self.receive(protocol)
            sent = self.send(protocol, receiver, CERTIFICATE=self.ours.path("ca.pem"))
            self.assert_delivered(sent, receiver)

    def test_many_batches_use_one_connection(self):
        for protocol in PROTOCOLS:
            receiver = self.receive(protocol)
            sent = Sent(30, {PREFIX + "PROTOCOL": protocol, PREFIX + "ENDPOINT": f"https://localhost:{receiver.port}",
                             PREFIX + "CERTIFICATE": self.ours.path("ca.pem"), PREFIX + "TIMEOUT": "60000",
                             "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}, shutdown_ms=90000)
            self.assert_delivered(sent, receiver)
            self.assertEqual(len(receiver.requests), 3)
            self.assertEqual(len({headers["peer"] for headers in receiver.headers}), 1)

    def test_grpc_without_a_scheme_is_tls(self):
        for variables in ({}, {"INSECURE": "false"}):
            receiver = self.receive("grpc")
            sent = self.send("grpc", receiver, scheme="", CERTIFICATE=self.ours.path("ca.pem"), **variables)
            self.assert_delivered(sent, receiver)

    def test_a_wrong_authority_is_final_and_named(self):
        for protocol in PROTOCOLS:
            receiver = self.receive(protocol)
            wrong = self.other.path("ca.pem")
            sent = self.send(protocol, receiver, CERTIFICATE=wrong)
            self.assert_lost(sent, receiver, "certificate", PREFIX + "CERTIFICATE: " + wrong)

    def test_the_systems_authorities_do_not_know_ours(self):
        receiver = self.receive("http/protobuf")
        self.assert_lost(self.send("http/protobuf", receiver), receiver, "certificate")

    def test_an_expired_certificate(self):
        for protocol in PROTOCOLS:
            receiver = self.receive(protocol, "late")
            sent = self.send(protocol, receiver, CERTIFICATE=self.ours.path("ca.pem"))
            self.assert_lost(sent, receiver, "certificate has expired")

    def test_a_client_certificate(self):
        for protocol in PROTOCOLS:
            receiver = self.receive(protocol, wants_client=True)
            sent = self.send(protocol, receiver, CERTIFICATE=self.ours.path("ca.pem"),
                             CLIENT_KEY=self.client_key, CLIENT_CERTIFICATE=self.client_certificate)
            self.assert_delivered(sent, receiver)

    def test_without_the_client_certificate_nothing_arrives(self):
        for protocol in PROTOCOLS:
            receiver = self.receive(protocol, wants_client=True)
            sent = self.send(protocol, receiver, CERTIFICATE=self.ours.path("ca.pem"), TIMEOUT="1500")
            self.assert_lost(sent, receiver, "no time is left")

    def test_a_key_that_does_not_belong_to_the_certificate(self):
        receiver = self.receive("http/protobuf", wants_client=True)
        sent = self.send("http/protobuf", receiver, CERTIFICATE=self.ours.path("ca.pem"),
                         CLIENT_KEY=self.ours.path("server.key"), CLIENT_CERTIFICATE=self.client_certificate)
        self.assert_lost(sent, receiver, PREFIX + "CLIENT_KEY: " + self.ours.path("server.key"))

    def test_grpc_needs_a_server_that_offers_http2(self):
        receiver = self.receive("http/protobuf")
        sent = self.send("grpc", receiver, CERTIFICATE=self.ours.path("ca.pem"))
        self.assertEqual(sent.accounts, (0, 0, 30), sent.lines)
        self.assertIn("the server does not speak HTTP/2", sent.diagnostics)

    def test_files_that_cannot_be_used_are_an_error_at_once(self):
        garbage = os.path.join(self.folder.name, "garbage")
        with open(garbage, "wb") as file:
            file.write(os.urandom(3000))
        cut = os.path.join(self.folder.name, "cut")
        with open(cut, "wb") as file:
            file.write(self.ours.read("ca.pem")[:200])
        receiver = self.receive("http/protobuf")
        for variables, name, path in (
                ({"CERTIFICATE": garbage}, "CERTIFICATE", garbage),
                ({"CERTIFICATE": cut}, "CERTIFICATE", cut),
                ({"CERTIFICATE": "/no/such/file"}, "CERTIFICATE", "/no/such/file"),
                ({"CERTIFICATE": self.client_key}, "CERTIFICATE", self.client_key),
                ({"TRACES_CERTIFICATE": garbage}, "TRACES_CERTIFICATE", garbage),
                ({"CLIENT_CERTIFICATE": garbage, "CLIENT_KEY": self.client_key}, "CLIENT_CERTIFICATE", garbage),
                ({"CLIENT_CERTIFICATE": self.client_certificate, "CLIENT_KEY": garbage}, "CLIENT_KEY", garbage),
                ({"CLIENT_KEY": self.client_key}, "CLIENT_KEY", "")):
            sent = self.send("http/protobuf", receiver, **variables)
            self.assertEqual(sent.code, 1)
            self.assertTrue(sent.one("error")["error"].startswith(PREFIX + name + ": " + path), sent.lines)


if __name__ == "__main__":
    harness.main()
