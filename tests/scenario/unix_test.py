# SPDX-License-Identifier: Apache-2.0
"""OTLP over Unix sockets: curl and grpcio as clients, and what happens to the socket's file."""

import json
import os
import pwd
import socket
import stat
import subprocess
import time

import grpc

import harness
from harness import (DidNotStart, Scenario, get_trace, new_span, protobuf_request, protobuf_span,
                     span_document)

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
POST = (b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}")
OFF = ("--otlp-grpc", "off", "--otlp-http", "off")


def address_of(name):
    """What Python's socket module wants: the path, or the abstract name behind a NUL."""
    return "\0" + name[1:] if name.startswith("@") else name


class UnixScenario(Scenario):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder.name, "otlp.sock")
        self.others = []

    def refused(self, data, arguments, code=1):
        """The lines of a collector that must not start."""
        with self.assertRaises(DidNotStart) as caught:
            other = harness.Collector(data, arguments)
            other.kill()
        self.assertEqual(caught.exception.code, code, caught.exception)
        return str(caught.exception)

    def assert_answers(self, name=None):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(address_of(name or self.path))
            peer.sendall(POST)
            self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 200 "))

    def curl(self, span, *more):
        done = subprocess.run(
            ["curl", "-sS", "-w", "%{http_code}", "-H", "content-type: application/json",
             "--data-binary", json.dumps(span_document([span])), *more,
             "http://localhost/v1/traces"],
            stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        self.assertEqual(done.stdout, "{}200")


class Clients(UnixScenario):
    def test_curl_sends_over_a_path_and_over_tcp(self):
        self.start(("--otlp-grpc", "off", "--otlp-http", "127.0.0.1:0", "--otlp-unix", self.path))
        spans = [new_span(), new_span()]
        self.curl(spans[0], "--unix-socket", self.path)
        self.assertEqual(harness.send_json(self.collector.otlp, span_document([spans[1]]))[0], 200)
        for span in spans:
            self.assertEqual(len(get_trace(self.collector.api, span["traceId"])), 1)
        self.assertIn(f"otlp/http listening on unix:{self.path}", self.collector.lines)

    def test_curl_sends_to_an_abstract_name(self):
        name = f"flowtrace-{os.getpid()}-{time.monotonic_ns()}"
        self.start(OFF + ("--otlp-unix", "@" + name))
        span = new_span()
        self.curl(span, "--abstract-unix-socket", name)
        self.assertEqual(len(get_trace(self.collector.api, span["traceId"])), 1)
        self.assertIn(f"otlp/http listening on unix:@{name}", self.collector.lines)

    def test_grpc_over_a_path_and_an_abstract_name(self):
        for listen, target in [(f"unix:{self.path}", f"unix:{self.path}"),
                               (f"unix://{self.path}", f"unix://{self.path}"),
                               ("unix:@ftr-%d" % os.getpid(), "unix-abstract:ftr-%d" % os.getpid())]:
            with self.subTest(listen=listen):
                self.start(("--otlp-grpc", listen, "--otlp-http", "off"))
                trace_id = os.urandom(16)
                now = time.time_ns()
                request = protobuf_request([protobuf_span(trace_id, os.urandom(8), "u", now, now)])
                with grpc.insecure_channel(target) as channel:
                    self.assertEqual(channel.unary_unary(EXPORT)(request, timeout=30), b"")
                self.assertEqual(len(get_trace(self.collector.api, trace_id.hex())), 1)
                self.assertEqual(self.collector.stop(), 0)
                self.assertFalse(os.path.exists(self.path))


class Files(UnixScenario):
    def test_the_file_has_mode_0660_and_goes_with_the_collector(self):
        self.start(OFF + ("--otlp-unix", self.path))
        found = os.stat(self.path)
        self.assertTrue(stat.S_ISSOCK(found.st_mode))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o660)
        self.assertEqual(self.collector.stop(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_mode_and_owner_are_options(self):
        own = pwd.getpwuid(os.getuid())
        self.start(self.configure(grpc="off", http="off", unix="unix:" + self.path,
                                  socket_mode="0604",
                                  socket_owner=f"{own.pw_name}:{own.pw_gid}"))
        found = os.stat(self.path)
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o604)
        self.assertEqual((found.st_uid, found.st_gid), (own.pw_uid, own.pw_gid))

    def test_another_owner_is_given(self):
        if os.getuid() != 0:
            self.skipTest("only root may give a file away")
        nobody = pwd.getpwnam("nobody")
        self.start(self.configure(grpc="unix:" + self.path, http="off",
                                  socket_owner=f"nobody:{nobody.pw_gid}"))
        found = os.stat(self.path)
        self.assertEqual((found.st_uid, found.st_gid), (nobody.pw_uid, nobody.pw_gid))

    def test_a_second_collector_refuses_and_names_the_first(self):
        first = self.start(OFF + ("--otlp-unix", self.path))
        text = self.refused(self.data + "2", OFF + ("--otlp-unix", self.path))
        self.assertIn(self.path, text)
        self.assertIn(f"process {first.process.pid} listens there already", text)
        self.assert_answers()
        self.assertEqual(first.stop(), 0)

    def test_a_second_collector_on_an_abstract_name_refuses(self):
        name = f"@flowtrace-{os.getpid()}-{time.monotonic_ns()}"
        self.start(OFF + ("--otlp-unix", name))
        text = self.refused(self.data + "2", OFF + ("--otlp-unix", name))
        self.assertIn(name, text)
        self.assertIn("Address already in use", text)
        self.assert_answers(name)

    def test_a_socket_left_by_a_kill_is_replaced(self):
        self.start(OFF + ("--otlp-unix", self.path))
        self.collector.kill()
        self.assertTrue(os.path.exists(self.path))
        self.start(OFF + ("--otlp-unix", self.path))
        self.assert_answers()

    def test_what_is_not_a_socket_is_left_alone(self):
        target = os.path.join(self.folder.name, "target")
        makers = {"a file": lambda: self.write(self.path),
                  "a folder": lambda: os.mkdir(self.path),
                  "a pipe": lambda: os.mkfifo(self.path),
                  "a link": lambda: os.symlink(target, self.path),
                  "a link to a dead socket": lambda: self.link_to_dead_socket(target)}
        for what, make in makers.items():
            with self.subTest(what):
                make()
                before = os.lstat(self.path)
                text = self.refused(self.data, OFF + ("--otlp-unix", self.path))
                self.assertIn("is not a socket; it was left alone", text)
                after = os.lstat(self.path)
                self.assertEqual((before.st_ino, before.st_mode), (after.st_ino, after.st_mode))
                if stat.S_ISDIR(after.st_mode):
                    os.rmdir(self.path)
                else:
                    os.unlink(self.path)

    @staticmethod
    def write(path):
        with open(path, "w", encoding="ascii") as file:
            file.write("precious")

    def link_to_dead_socket(self, target):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(target)
        os.symlink(target, self.path)

    def test_a_file_that_took_our_place_stays(self):
        self.start(OFF + ("--otlp-unix", self.path))
        os.unlink(self.path)
        self.write(self.path)
        self.assertEqual(self.collector.stop(), 0)
        with open(self.path, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")

    def test_addresses_that_are_none_are_refused_with_their_place(self):
        for address, word in (("127.0.0.1:0", "127.0.0.1:0"), ("unix:relative", "unix:/path"),
                              ("unix:/" + "x" * 120, "longer than 107")):
            with self.subTest(address=address):
                text = self.refused(self.data, self.configure(grpc="off", http="off", unix=address), 2)
                self.assertRegex(text, r"graph\.yaml:1:\d+: receiver/otlp 'otlp': unix: ")
                self.assertIn(word, text)

    def test_wrong_options_are_named(self):
        for options, words in [
                ({"unix": "unix:" + self.path, "socket_mode": "0888"}, ["socket_mode", "octal"]),
                ({"unix": "unix:" + self.path, "socket_mode": "07777"}, ["socket_mode", "octal"]),
                ({"unix": "unix:" + self.path, "socket_owner": "no-such-user"},
                 ["socket_owner", "no-such-user"]),
                ({"unix": "unix:" + self.path, "socket_owner": ":no-such-group"},
                 ["socket_owner", "no-such-group"]),
                ({"unix": "unix:" + self.path, "socket_users": ["no-such-user"]},
                 ["socket_users", "no-such-user"]),
                ({"unix": "unix:/no/such/folder/socket"}, ["/no/such/folder/socket"])]:
            with self.subTest(options=options):
                text = self.refused(self.data, self.configure(grpc="off", http="off", **options))
                for word in words:
                    self.assertIn(word, text)
                self.assertFalse(os.path.exists(self.path))


class Users(UnixScenario):
    def test_a_user_who_is_not_listed_is_sent_away(self):
        other = os.getuid() + 1
        self.start(self.configure(grpc="off", http="off", unix="unix:" + self.path,
                                  socket_users=[str(other)]))
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(20)
                peer.connect(self.path)
                try:
                    peer.sendall(POST)
                    self.assertEqual(peer.recv(4096), b"")
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assertTrue(self.collector.is_alive())
        self.assertEqual(self.collector.stop(), 0)
        told = [line for line in self.collector.lines if "may not connect" in line]
        self.assertIn(f"user {os.getuid()} may not connect (1 refused so far)", told[0])
        self.assertIn(self.path, told[0])
        self.assertEqual(len(told), 2)  # the first and the second, then the fourth

    def test_a_user_who_is_listed_is_served(self):
        self.start(self.configure(grpc="off", http="off", unix="unix:" + self.path,
                                  socket_users=[str(os.getuid() + 1), str(os.getuid())]))
        self.assert_answers()


if __name__ == "__main__":
    harness.main()
