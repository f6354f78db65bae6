# SPDX-License-Identifier: Apache-2.0
"""Every limit of receiver/otlp: set low and exceeded, over HTTP and gRPC. The answer is the one that
docs/limits.md names, and the next good request is answered."""

import json
import os
import re
import select
import socket
import struct
import subprocess
import time

import grpc

import harness
from grpc_test import (DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE,
                       RST_STREAM, SETTINGS, Client, Hpack, Raw, call_fields, frame, message)
from harness import (Scenario, field, new_span, protobuf_request, protobuf_span, request,
                     send_json, span_document)

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "limits.md")
HEAD = (b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
ROW = re.compile(r"^\| `(\w+)` \| (\S+) \| (\S+ to \S+) \|", re.MULTILINE)
PRINTED = re.compile(r"^  (\w+) .* Default (\S+)\. (\S+ to \S+)\.$", re.MULTILINE)
DEADLINE_S = 60
SPAN = "resourceSpans[0].scopeSpans[0].spans[0]."


def printed_limits():
    """What the program says: name -> (default, range)."""
    done = subprocess.run([harness.program(), "help", "node", "receiver/otlp"],
                          stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return {name: (default, span) for name, default, span in PRINTED.findall(done.stdout)}


def attribute(value):
    return field(1, b"a") + field(2, value)


def nested(n_levels):
    """A value of arrays in arrays; a level is an AnyValue."""
    value = field(1, b"x")
    for _ in range(n_levels - 1):
        value = field(5, field(1, value))
    return value


def nested_json(n_levels):
    value = {"stringValue": "x"}
    for _ in range(n_levels - 1):
        value = {"arrayValue": {"values": [value]}}
    return value


def one_span(more):
    return protobuf_request([protobuf_span(b"\1" * 16, b"\2" * 8, "x", 1, 2) + more])


class Page(Scenario):
    def test_the_page_says_what_the_program_says(self):
        with open(PAGE, encoding="utf-8") as file:
            written = {name: (default, span) for name, default, span in ROW.findall(file.read())}
        self.assertEqual(written, printed_limits())
        self.assertGreaterEqual(len(written), 21)

    def test_every_limit_has_a_test(self):
        for name in printed_limits():
            self.assertTrue(hasattr(Limits, "test_" + name), name)


class LimitScenario(Scenario):
    def limit(self, **options):
        """A collector with these options."""
        return self.start(self.configure(grpc="127.0.0.1:0", http="127.0.0.1:0", **options))

    def tearDown(self):
        if self.collector:
            self.assert_well()

    def assert_well(self):
        self.assertTrue(self.collector.is_alive())
        self.wait_until(lambda: send_json(self.collector.otlp, span_document([new_span()]))[0]
                        == 200)
        self.wait_until(lambda: self.grpc_status(one_span(b"")) == 0)

    def wait_until(self, is_so):
        """What was refused before may need a moment to be gone."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.holds(is_so):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    @staticmethod
    def holds(is_so):
        try:
            return is_so()
        except (EOFError, ConnectionError):  # a short timeout under test may hit us, too
            return False

    def peer(self):
        peer = harness.connect(self.collector.otlp, DEADLINE_S)
        self.addCleanup(peer.close)
        return peer

    def raw(self):
        raw = Raw(self.collector.grpc)
        raw.socket.settimeout(DEADLINE_S)
        self.addCleanup(raw.close)
        return raw

    def answer_to(self, *pieces, peer=None):
        """Status and all of the answer, until the server closes."""
        peer = peer or self.peer()
        for piece in pieces:
            peer.sendall(piece)
        answer = b""
        try:
            while piece := peer.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return int(answer[9:12]), answer

    def post(self, body, kind="application/x-protobuf"):
        return request(self.collector.otlp, "POST", "/v1/traces", body, {"Content-Type": kind})

    def grpc_status(self, body, *more):
        raw = self.raw()
        try:
            raw.send(frame(HEADERS, END_HEADERS, 1, call_fields(*more)))
            raw.send_data(1, message(body))
            raw.send(frame(DATA, END_STREAM, 1))
            return Hpack().status(b"".join(raw.headers(1)))
        finally:
            raw.close()

    def details_of(self, raw, stream):
        """(grpc-status, whether there is RetryInfo)"""
        block = b"".join(raw.headers(stream))
        return (Hpack().status(block),
                Hpack().value(block, "grpc-status-details-bin") is not None)

    def goaway(self, raw):
        """Its error code; what comes before is read over."""
        while True:
            kind, _, _, payload = raw.next()
            if kind == GOAWAY:
                return int.from_bytes(payload[4:8], "big")

    def refused_content(self, body, document, *words):
        """The same over HTTP as protobuf and as JSON, and over gRPC."""
        status, _, text = self.post(body)
        self.assertEqual(status, 400, text)
        json_status, _, json_text = self.post(json.dumps(document).encode(), "application/json")
        self.assertEqual(json_status, 400, json_text)
        client = Client(self.collector.grpc)
        self.addCleanup(client.close)
        error = client.fail(body)
        self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        for word in words:
            for found in (text.decode(errors="replace"), json_text.decode(), error.details()):
                self.assertIn(word, found)


class Limits(LimitScenario):
    def test_max_body(self):
        self.limit(max_body="2KiB")
        self.assertEqual(self.post(one_span(field(9, attribute(field(1, b"x" * 3000)))))[0], 413)
        status, answer = self.answer_to(HEAD + b"Transfer-Encoding: chunked\r\n\r\nbb8\r\n"
                                        + b"x" * 3000)
        self.assertEqual(status, 413, answer)
        self.assertEqual(self.grpc_status(bytes(3000)), 8)
        # A bound is two bytes of JSON, but nine of protobuf.
        points = [{"explicitBounds": [0] * 900}]
        document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"histogram": {
            "dataPoints": points}}]}]}]}
        status, _, text = request(self.collector.otlp, "POST", "/v1/metrics",
                                  json.dumps(document, separators=(",", ":")).encode(),
                                  {"Content-Type": "application/json"})
        self.assertEqual(status, 400, text)
        self.assertIn("larger than the limit", text.decode())

    def test_max_message(self):
        self.limit(max_message="2KiB")
        self.assertEqual(self.grpc_status(bytes(3000)), 8)
        self.assertEqual(self.post(one_span(field(9, attribute(field(1, b"x" * 3000)))))[0], 200)

    def test_max_bodies(self):
        self.limit(max_bodies="96KiB")
        part = HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 40000
        peers = [self.peer(), self.peer()]
        for peer in peers:
            peer.sendall(part)
        # Whichever comes second is refused.
        refused = select.select(peers, [], [], DEADLINE_S)[0]
        status, answer = self.answer_to(peer=refused[0])
        self.assertEqual(status, 503, answer)
        self.assertIn(b"Retry-After: 2\r\n", answer)
        for peer in peers:
            peer.close()
        first = self.raw()
        first.send(frame(HEADERS, END_HEADERS, 1, call_fields()))
        first.send_data(1, message(bytes(60000))[:40000])
        second = self.raw()
        second.send(frame(HEADERS, END_HEADERS, 1, call_fields()))
        second.send_data(1, message(bytes(60000))[:40000])
        raw = self.who_is_refused(first, second)
        self.assertEqual(self.details_of(raw, 1), (14, True))
        first.close()
        second.close()

    def who_is_refused(self, *raws):
        while True:
            for raw in raws:
                if raw.poll(0.05) == HEADERS:
                    return raw

    def test_max_connection_bodies(self):
        self.limit(max_connection_bodies="96KiB")
        raw = self.raw()
        for stream in (1, 3):
            raw.send(frame(HEADERS, END_HEADERS, stream, call_fields()))
            raw.send_data(stream, message(bytes(60000))[:40000])
        self.assertEqual(self.details_of(raw, 3), (14, True))
        self.assertEqual(self.grpc_status(one_span(b"")), 0)  # another connection has its own
        raw.close()

    def test_max_connections(self):
        self.limit(max_connections=2)
        get = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
        peers = [self.peer() for _ in range(3)]
        for peer in peers[:2]:
            peer.sendall(get)
            self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 404 "))
        peers[2].sendall(get)
        self.assertEqual(select.select([peers[2]], [], [], 0.5)[0], [])
        peers[0].close()
        self.assertTrue(peers[2].recv(4096).startswith(b"HTTP/1.1 404 "))
        for peer in peers:
            peer.close()
        raws = [self.raw() for _ in range(3)]
        for raw in raws[:2]:
            self.assertEqual(raw.next()[0], SETTINGS)
        self.assertEqual(select.select([raws[2].socket], [], [], 0.5)[0], [])
        raws[0].close()
        self.assertEqual(raws[2].next()[0], SETTINGS)
        for raw in raws:
            raw.close()

    def test_max_connections_per_ip(self):
        self.limit(max_connections_per_ip=2)
        for port, hello in [(self.collector.otlp, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
                            (self.collector.grpc, PREFACE + frame(SETTINGS))]:
            held = [self.dial(port, "127.0.0.1") for _ in range(2)]
            for peer in held:
                peer.sendall(hello)
                self.assertTrue(peer.recv(4096))
            third = self.dial(port, "127.0.0.1")
            self.assertEqual(self.rest_of(third), b"")
            other = self.dial(port, "127.0.0.2")
            other.sendall(hello)
            self.assertTrue(other.recv(4096))
            for peer in held + [other]:
                peer.close()
        self.wait_until(lambda: len([line for line in self.collector.lines
                                     if "127.0.0.1 has 2 connections" in line]) >= 2)
        told = [line for line in self.collector.lines if "max_connections_per_ip" in line]
        self.assertIn(f"127.0.0.1:{self.collector.otlp}", told[0])

    def dial(self, port, source):
        peer = socket.create_connection(("127.0.0.1", port), DEADLINE_S, (source, 0))
        self.addCleanup(peer.close)
        return peer

    def rest_of(self, peer):
        try:
            return peer.recv(4096)
        except ConnectionResetError:
            return b""

    def test_max_header_bytes(self):
        self.limit(max_header_bytes="1KiB")
        self.assertEqual(self.answer_to(HEAD + b"X: " + b"y" * 1100 + b"\r\n\r\n")[0], 431)
        long = [(f"x-{i}", "y" * 120) for i in range(10)]
        self.assertEqual(self.grpc_status(one_span(b""), *long), 8)

    def test_max_headers(self):
        self.limit(max_headers=8)
        many = b"".join(b"X-%d: 1\r\n" % i for i in range(7))
        self.assertEqual(self.answer_to(HEAD + many + b"\r\n")[0], 431)
        self.assertEqual(self.grpc_status(one_span(b""), *[("x", "1")] * 2), 0)
        self.assertEqual(self.grpc_status(one_span(b""), *[("x", "1")] * 3), 8)

    def test_max_target(self):
        self.limit(max_target="64B")
        self.assertEqual(self.answer_to(b"GET /" + b"x" * 64 + b" HTTP/1.1\r\nHost: a\r\n\r\n")[0],
                         414)

    def test_header_timeout(self):
        self.limit(header_timeout="300ms")
        peer = self.peer()
        peer.sendall(b"POST /v1/traces HTTP/1.1\r\n")
        status, answer = self.answer_to(peer=peer)
        self.assertEqual(status, 408, answer)
        # Drips do not help: it is for the whole head.
        status, answer = self.drip(self.peer(), HEAD, b"X")
        self.assertEqual(status, 408, answer)
        silent = harness.connect(self.collector.grpc, DEADLINE_S)
        self.addCleanup(silent.close)
        silent.sendall(PREFACE[:10])
        while silent.recv(4096):
            pass
        raw = self.raw()
        self.assertEqual(raw.next()[0], SETTINGS)  # nothing may come between parts of a block
        raw.send(frame(HEADERS, 0, 1, call_fields()))
        self.assertEqual(self.goaway(raw), 11)

    def drip(self, peer, head, byte):
        """Sends a byte every 50 ms until there is an answer; it and its status."""
        peer.sendall(head)
        deadline = time.monotonic() + DEADLINE_S
        while not select.select([peer], [], [], 0.05)[0]:
            self.assertLess(time.monotonic(), deadline, "bytes dripped one by one hold it open")
            peer.sendall(byte)
        return self.answer_to(peer=peer)

    def test_body_timeout(self):
        self.limit(body_timeout="300ms")
        status, answer = self.answer_to(HEAD + b"Content-Length: 9\r\n\r\n{")
        self.assertEqual(status, 408, answer)
        raw = self.raw()
        raw.send(frame(HEADERS, END_HEADERS, 1, call_fields()))
        self.assertEqual(Hpack().status(b"".join(raw.headers(1))), 4)

    def test_min_body_rate(self):
        self.limit(body_timeout="500ms", min_body_rate="1MiB")
        status, answer = self.drip(self.peer(), HEAD + b"Content-Length: 9999\r\n\r\n", b" ")
        self.assertEqual(status, 408, answer)
        status, answer = self.drip(self.peer(), HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
                                   b"1\r\n \r\n")
        self.assertEqual(status, 408, answer)
        raw = self.raw()
        raw.send(frame(HEADERS, END_HEADERS, 1, call_fields()), frame(DATA, 0, 1, b"\0\0\0\4\0"))
        deadline = time.monotonic() + DEADLINE_S
        while raw.poll(0.05) != HEADERS:
            self.assertLess(time.monotonic(), deadline, "bytes dripped one by one hold it open")
            raw.send(frame(DATA, 0, 1, b"\0"))
        self.assertEqual(Hpack().status(b"".join(raw.headers(1))), 4)

    def test_a_slow_request_that_keeps_the_rate_is_taken(self):
        self.limit(body_timeout="3s", min_body_rate="100B")
        peer = self.peer()
        body = b" " * 1998 + b"{}"
        peer.sendall(HEAD + b"Content-Length: 2000\r\n\r\n")
        for start in range(0, len(body), 100):
            peer.sendall(body[start:start + 100])
            time.sleep(0.2)  # 4 s, longer than the timeout
        self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 200 "))

    def test_idle_timeout(self):
        self.limit(idle_timeout="300ms")
        self.assertEqual(self.peer().recv(4096), b"")
        self.assertEqual(self.goaway(self.raw()), 0)

    def test_max_streams(self):
        self.limit(max_streams=2)
        raw = self.raw()
        kind, _, _, payload = raw.next()
        self.assertEqual(kind, SETTINGS)
        self.assertEqual(dict(struct.iter_unpack(">HI", payload))[3], 2)
        raw.send(*[frame(HEADERS, END_HEADERS, stream, call_fields()) for stream in (1, 3, 5)])
        self.assertEqual(self.goaway(raw), 1)

    def reset(self, stream):
        return (frame(HEADERS, END_HEADERS, stream, call_fields())
                + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))

    def ping(self, raw):
        """Waits until the peer has read all before it; False: it has sent us away."""
        raw.send(frame(PING, 0, 0, b"12345678"))
        while True:
            kind, _, _, _ = raw.next()
            if kind in (PING, GOAWAY):
                return kind == PING

    def test_max_resets(self):
        self.limit(max_resets=5, max_resets_per_s=1)
        raw = self.raw()
        raw.send(*[self.reset(2 * i + 1) for i in range(200)])
        self.assertEqual(self.goaway(raw), 11)

    def test_max_resets_per_s(self):
        self.limit(max_resets=5, max_resets_per_s=1000000)
        raw = self.raw()
        for i in range(100):
            raw.send(self.reset(2 * i + 1))
            self.assertTrue(self.ping(raw), i)

    def test_max_control_frames(self):
        self.limit(max_control_frames=10, max_control_frames_per_s=1)
        raw = self.raw()
        raw.send(*[frame(PING, 0, 0, b"12345678")] * 200)
        self.assertEqual(self.goaway(raw), 11)

    def test_max_control_frames_per_s(self):
        self.limit(max_control_frames=10, max_control_frames_per_s=1000000)
        raw = self.raw()
        for i in range(300):
            self.assertTrue(self.ping(raw), i)

    def test_max_depth(self):
        self.limit(max_depth=3)
        for levels in (1, 3):
            self.assertEqual(self.post(one_span(field(9, attribute(nested(levels)))))[0], 200)
        document = span_document([new_span(attributes=[{"key": "a", "value": nested_json(4)}])])
        self.refused_content(one_span(field(9, attribute(nested(4)))), document,
                             SPAN + "attributes[0].value", "nested deeper than 3 levels")
        record = [{"body": nested_json(4)}]
        self.refused_log(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": record}]}]}),
                         "nested deeper than 3 levels")

    def refuse_third(self, option, number, part, document, name):
        self.limit(**{option: 2})
        self.assertEqual(self.post(one_span(field(number, part) * 2))[0], 200)
        self.refused_content(one_span(field(number, part) * 3),
                             span_document([new_span(**{name: [document] * 3})]),
                             SPAN + name + ": more than the limit of 2")

    def test_max_attributes(self):
        value = {"key": "a", "value": {"stringValue": "x"}}
        self.refuse_third("max_attributes", 9, attribute(nested(1)), value, "attributes")
        three = field(1, attribute(nested(1))) * 3
        self.refused_content(field(1, field(1, three)), {"resourceSpans": [
            {"resource": {"attributes": [value] * 3}}]}, "resourceSpans[0].resource.attributes: more")
        self.refused_content(one_span(field(11, field(3, attribute(nested(1))) * 3)),
                             span_document([new_span(events=[{"attributes": [value] * 3}])]),
                             SPAN + "events[0].attributes: more")
        record = [{"attributes": [value] * 3}]
        self.refused_log(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": record}]}]}),
                         "logRecords[0].attributes: more than the limit of 2")

    def refused_log(self, document, word):
        status, _, text = request(self.collector.otlp, "POST", "/v1/logs", document.encode(),
                                  {"Content-Type": "application/json"})
        self.assertEqual(status, 400, text)
        self.assertIn(word, text.decode())

    def test_max_events(self):
        self.refuse_third("max_events", 11, field(2, b"e"), {"name": "e"}, "events")

    def test_max_links(self):
        self.refuse_third("max_links", 13, field(1, b"\1" * 16) + field(2, b"\2" * 8),
                          {"traceId": "01" * 16, "spanId": "02" * 8}, "links")


if __name__ == "__main__":
    harness.main()
