# SPDX-License-Identifier: Apache-2.0
"""Servers that mean no good: huge answers, bombs, silence, resets, frames that no server sends.
Whatever they do, memory stays bounded, every span has its outcome, and the shutdown keeps its
deadline."""

import gzip
import socket
import struct
import threading
import time
import unittest

import grpc

from receiver import GrpcReceiver, RawReceiver, Sent, harness, peak_memory_bytes

PREFIX = "OTEL_EXPORTER_OTLP_"
SHUTDOWN_MS = 1000
# Well above 1.1 s for a slow machine, well below the 50 s of the exporter's own timeout.
SHUTDOWN_LIMIT_MS = 20000
MEMORY_LIMIT_BYTES = 150 << 20


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            raise OSError("closed")
        head += piece


def flood(connection):
    """1 GiB."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        connection.sendall(bytes(1 << 20))


def flood_in_chunks(connection):
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")


def bomb(connection):
    read_head(connection)
    body = gzip.compress(bytes(256 << 20), 9)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
                       % len(body) + body)
    connection.recv(1)


def endless_head(connection):
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"x" * 8000 + b"\r\n")


def hundreds(connection):
    """Interim answers without end."""
    read_head(connection)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def silence(connection):
    while connection.recv(65536):
        pass


def drip(connection):
    """A byte now and then, so that something always comes."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def reset(connection):
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def garbage(connection):
    connection.recv(10)
    connection.sendall(b"\0\xff" * 5000)
    connection.close()


# --- HTTP/2 by hand: RFC 9113 4.1, literal header fields of RFC 7541 6.2.2 -----------------------

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


SETTINGS = frame(4, 0, 0) + frame(4, 1, 0)
ANSWER_HEAD = frame(1, 4, 1, b"\x88" + literal(b"content-type", b"application/grpc"))


def http2(after):
    """Greets, then does `after` once the request's head has come."""
    def serve(connection):
        connection.recv(65536)
        connection.sendall(SETTINGS)
        after(connection)
        silence(connection)
    return serve


def flood_frames(connection):
    connection.sendall(ANSWER_HEAD)
    # A message of 4 GiB; the windows that the client opens are all that bounds it.
    connection.sendall(frame(0, 0, 1, b"\0\xff\xff\xff\xff"))
    while True:
        connection.sendall(frame(0, 0, 1, bytes(16384)))


def flood_pings(connection):
    while True:
        connection.sendall(frame(6, 0, 0, bytes(8)) * 100)


def endless_continuation(connection):
    connection.sendall(frame(1, 0, 1, b"\x88"))
    while True:
        connection.sendall(frame(9, 0, 1, literal(b"x", b"y" * 100) * 100))


def reset_stream(connection):
    connection.sendall(ANSWER_HEAD + frame(3, 0, 1, struct.pack(">I", 2)))


def go_away(connection):
    connection.sendall(frame(7, 0, 0, struct.pack(">II", 0, 11)))


def forward(source, target):
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
    except OSError:
        pass  # one of them has gone


def first_hangs(port):
    """The first connection greets and is silent for ever; each later one leads to the port."""
    seen = []

    def serve(connection):
        seen.append(connection)
        if len(seen) == 1:
            http2(silence)(connection)
            return
        with socket.create_connection(("127.0.0.1", port)) as other:
            threading.Thread(target=forward, args=(other, connection), daemon=True).start()
            forward(connection, other)
    return serve


def closes_at_once(port, n_connections):
    """The first connections that get an answer are closed right behind it."""
    answered = []

    def serve(connection):
        with socket.create_connection(("127.0.0.1", port)) as other:
            threading.Thread(target=forward, args=(connection, other), daemon=True).start()
            answer = b""
            while piece := other.recv(65536):
                connection.sendall(piece)
                answer += piece
                if b"grpc-status" in answer and len(answered) < n_connections:
                    answered.append(connection)
                    break
        connection.shutdown(socket.SHUT_WR)
    return serve


HTTP_PASSING = [silence, drip, reset, garbage, endless_head, hundreds]
HTTP_FINAL = [flood, flood_in_chunks, bomb]
GRPC_ANY = [silence, reset, garbage, http2(silence), http2(flood_frames), http2(flood_pings),
            http2(endless_continuation), http2(reset_stream), http2(go_away)]


class Hostile(unittest.TestCase):
    def send(self, protocol, receiver, shutdown_ms):
        environment = {PREFIX + "PROTOCOL": protocol,
                       PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}",
                       PREFIX + "TIMEOUT": "50000", "OTEL_BSP_EXPORT_TIMEOUT": "50000"}
        return Sent(20, environment, shutdown_ms=shutdown_ms)

    def assert_bounded(self, protocol, receiver, shutdown_ms=SHUTDOWN_MS):
        sent = self.send(protocol, receiver, shutdown_ms)
        self.assertEqual(sent.code, 0, (sent.lines, sent.stderr))
        self.assertLess(sent.one("shutdown")["ms"], SHUTDOWN_LIMIT_MS + shutdown_ms)
        delivered, rejected, lost = sent.accounts
        self.assertEqual((delivered, rejected), (0, 0), sent.lines)
        self.assertEqual(lost + sent.one("exporter")["queued"], 20)
        if not harness.setting("FTR_SANITIZE"):
            self.assertLess(peak_memory_bytes(), MEMORY_LIMIT_BYTES)
        return sent

    def receive(self, serve):
        receiver = RawReceiver(serve)
        self.addCleanup(receiver.stop)
        return receiver

    def test_http_answers_beyond_the_limit_are_final(self):
        for serve in HTTP_FINAL:
            with self.subTest(serve.__name__):
                sent = self.assert_bounded("http/protobuf", self.receive(serve), 40000)
                self.assertEqual(sent.one("exporter")["queued"], 0)
                self.assertIn("the answer is larger than 4 MiB", sent.diagnostics)

    def test_http_servers_that_never_answer_well(self):
        for serve in HTTP_PASSING:
            with self.subTest(serve.__name__):
                self.assert_bounded("http/protobuf", self.receive(serve))

    def test_grpc(self):
        for i, serve in enumerate(GRPC_ANY):
            with self.subTest(i):
                self.assert_bounded("grpc", self.receive(serve))

    def test_grpc_answers_beyond_the_limit_are_final(self):
        for compression in (None, grpc.Compression.Gzip):
            receiver = GrpcReceiver([lambda _: bytes(64 << 20)], compression=compression,
                                    options=[("grpc.max_send_message_length", -1)])
            self.addCleanup(receiver.stop)
            sent = self.assert_bounded("grpc", receiver, 40000)
            self.assertEqual(len(receiver.requests), 1)
            self.assertIn("the answer is larger than 4 MiB", sent.diagnostics)

    def test_a_connection_on_which_nothing_comes_any_more_is_left(self):
        good = GrpcReceiver()
        self.addCleanup(good.stop)
        receiver = self.receive(first_hangs(good.port))
        sent = Sent(50, {PREFIX + "PROTOCOL": "grpc", PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}",
                         PREFIX + "TIMEOUT": "5000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}, shutdown_ms=90000)
        self.assertEqual(sent.accounts, (40, 0, 10), sent.lines)

    def test_a_connection_that_is_closed_right_behind_the_answer(self):
        """libcurl 7.88 then loses the trailers now and then; the batch comes again."""
        good = GrpcReceiver()
        self.addCleanup(good.stop)
        receiver = self.receive(closes_at_once(good.port, 3))
        sent = Sent(50, {PREFIX + "PROTOCOL": "grpc", PREFIX + "ENDPOINT": f"http://127.0.0.1:{receiver.port}",
                         PREFIX + "TIMEOUT": "50000", "OTEL_BSP_EXPORT_TIMEOUT": "50000",
                         "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}, shutdown_ms=90000)
        self.assertEqual(sent.accounts, (50, 0, 0), sent.lines)
        self.assertEqual(set(good.names()), {f"sent {i}" for i in range(50)})

    def test_a_grpc_handler_that_never_returns(self):
        receiver = GrpcReceiver([lambda context: time.sleep(5) or b""])
        self.addCleanup(receiver.stop)
        self.assert_bounded("grpc", receiver)


if __name__ == "__main__":
    harness.main()
