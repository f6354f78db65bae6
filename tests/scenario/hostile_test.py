# SPDX-License-Identifier: Apache-2.0
"""Input made to hurt: deep, absurd and smuggled requests, broken frames, floods, and more connections
than there are descriptors. Each ends with the named answer or with its connection, in bounded
memory, and a good client is served afterwards."""

import json
import os
import resource
import select
import struct
import time

import grpc

import harness
from grpc_test import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING,
                       PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Client, FloodScenario, Raw,
                       call_fields, fields, frame, message, new_request)
from harness import (Scenario, field, get_trace, new_span, protobuf_request, protobuf_span,
                     request, send_json, span_document, varint)

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
MEMORY_MOST = 128 << 20
PUSH_PROMISE = 5
PADDED = 8
SPAN = "resourceSpans[0].scopeSpans[0].spans[0]."


class HostileScenario(Scenario):
    def tearDown(self):
        if self.collector:
            self.assert_well()

    def assert_well(self):
        self.assertTrue(self.collector.is_alive())
        span = new_span()
        self.assertEqual(send_json(self.collector.otlp, span_document([span]))[0], 200)
        self.assertEqual(len(get_trace(self.collector.api, span["traceId"])), 1)
        trace_id, body = new_request()
        client = Client(self.collector.grpc)
        self.assertEqual(client.call(body), b"")
        client.close()
        self.assertEqual(len(get_trace(self.collector.api, trace_id)), 1)


# --- content -------------------------------------------------------------------------------------

def one_span(more):
    return protobuf_request([protobuf_span(b"\1" * 16, b"\2" * 8, "x", 1, 2) + more])


def nested(n_levels, wrap):
    """An AnyValue in n_levels others, built from the inside: prefixes, as nothing follows."""
    heads = []
    size = 3
    for _ in range(n_levels):
        head = wrap(size)
        heads.append(head)
        size += len(head)
    return b"".join(reversed(heads)) + field(1, b"x")


def in_array(size):
    """AnyValue.array_value 5, ArrayValue.values 1."""
    inner = varint(1 << 3 | 2) + varint(size)
    return varint(5 << 3 | 2) + varint(len(inner) + size) + inner


def in_map(size):
    """AnyValue.kvlist_value 6, KeyValueList.values 1, KeyValue.value 2."""
    inner = varint(2 << 3 | 2) + varint(size)
    middle = varint(1 << 3 | 2) + varint(len(inner) + size) + inner
    return varint(6 << 3 | 2) + varint(len(middle) + size) + middle


def attribute(value):
    return field(9, field(1, b"a") + field(2, value))


def json_span(attributes):
    """A document with this text as the attributes of its span."""
    text = json.dumps(span_document([new_span(attributes="HERE")]))
    return text.replace('"HERE"', attributes).encode()


def json_nested(opening, closing):
    return json_span('[{"key":"a","value":' + opening * 10000 + '{"intValue":1}' + closing * 10000
                     + "}]")


CONTENT = [
    ("arrays 10,000 deep", PROTOBUF, lambda: one_span(attribute(nested(10000, in_array))),
     ["nested deeper than 100 levels"]),
    ("maps 10,000 deep", PROTOBUF, lambda: one_span(attribute(nested(10000, in_map))),
     ["nested deeper than 100 levels"]),
    ("arrays 10,000 deep", JSON, lambda: json_nested('{"arrayValue":{"values":[', "]}}"),
     ["64"]),
    ("maps 10,000 deep", JSON,
     lambda: json_nested('{"kvlistValue":{"values":[{"key":"k","value":', "}]}}"), ["64"]),
    ("unknown objects 10,000 deep", JSON, lambda: b'{"x":' * 10000 + b"1" + b"}" * 10000, ["64"]),
    ("a million attributes", PROTOBUF, lambda: one_span(attribute(field(1, b"v")) * 1000000),
     [SPAN + "attributes", "more than the limit of 1024"]),
    ("a million attributes", JSON,
     lambda: json_span("[" + ",".join(['{"key":"a","value":{"intValue":1}}'] * 1000000) + "]"),
     [SPAN + "attributes", "more than the limit of 1024"]),
    ("a million events", PROTOBUF, lambda: one_span(field(11, b"") * 1000000),
     [SPAN + "events", "more than the limit of 8192"]),
    ("a million links", PROTOBUF, lambda: one_span(field(13, b"") * 1000000),
     [SPAN + "links", "more than the limit of 8192"]),
    ("a length of 2^63", PROTOBUF, lambda: b"\x0a" + varint(1 << 63),
     ["length goes beyond the end"]),
    ("a length of 2^64 - 1", PROTOBUF, lambda: b"\x0a" + varint((1 << 64) - 1),
     ["length goes beyond the end"]),
    ("a length of 2^32", PROTOBUF, lambda: b"\x0a" + varint(1 << 32) + b"x",
     ["length goes beyond the end"]),
    ("a length one too long", PROTOBUF, lambda: b"\x0a\x02\x0a", ["length goes beyond the end"]),
    ("a varint of 11 bytes", PROTOBUF, lambda: b"\x0a" + b"\x80" * 10 + b"\1", []),
    ("a varint beyond 64 bits", PROTOBUF, lambda: b"\x0a" + b"\xff" * 9 + b"\x02", []),
    ("an inner length beyond its message", PROTOBUF,
     lambda: field(1, field(2, b"\x12" + varint(1 << 63))), ["scopeSpans"]),
    ("a group", PROTOBUF, lambda: field(1, varint(9 << 3 | 3) + varint(9 << 3 | 4)),
     ["group or unknown wire type"]),
    ("wire type 7", PROTOBUF, lambda: field(1, varint(9 << 3 | 7)), ["wire type"]),
    ("field number 0", PROTOBUF, lambda: b"\x02\x00", ["field number 0"]),
    ("a tag beyond 32 bits", PROTOBUF, lambda: varint(1 << 40 | 2) + b"\0", ["tag"]),
    ("a number of a million digits", JSON,
     lambda: json_span('[{"key":"a","value":{"intValue":' + "9" * 1000000 + "}}]"),
     ["intValue"]),
    ("a million opening brackets", JSON, lambda: b"[" * 1000000, []),
    ("a key of a million quotes", JSON, lambda: b'{"' + b'\\"' * 1000000, []),
]


class Content(HostileScenario):
    def test_every_row(self):
        self.start()
        client = Client(self.collector.grpc, **{"grpc.max_send_message_length": -1})
        self.addCleanup(client.close)
        self.assert_well()
        before = self.collector.reset_peak_memory()
        for what, headers, make, words in CONTENT:
            with self.subTest(what=what, kind=headers["Content-Type"]):
                body = make()
                status, _, text = request(self.collector.otlp, "POST", "/v1/traces", body, headers,
                                          timeout=60)
                self.assertEqual(status, 400, text)
                found = [text.decode(errors="replace")]
                if headers is PROTOBUF:
                    error = client.fail(body, timeout=60)
                    self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
                    found.append(error.details())
                for words_found in found:
                    for word in words:
                        self.assertIn(word, words_found)
        if not harness.is_sanitized():
            self.assertLess(self.collector.peak_memory_bytes() - before, MEMORY_MOST)

    def test_a_million_empty_parts_are_no_spans(self):
        self.start()
        for body in (field(1, b"") * 1000000, field(1, field(2, b"") * 1000000)):
            status, _, text = request(self.collector.otlp, "POST", "/v1/traces", body, PROTOBUF,
                                      timeout=60)
            self.assertEqual(status, 200, text)

    def test_names_are_only_names(self):
        """No name becomes a path, a line of the log or a statement."""
        self.start()
        for name in ("../../../x", "/etc/passwd", "a\nready\n", "\x1b[31mred", "a\0b",
                     "' OR 1=1 --", "%s%n", "x" * 100000, "\u202e", ""):
            span = new_span(name, attributes=[{"key": name, "value": {"stringValue": name}}])
            document = span_document([span], name)
            self.assertEqual(send_json(self.collector.otlp, document)[0], 200)
            found = get_trace(self.collector.api, span["traceId"])
            self.assertEqual([one["name"] for one in found], [name])
        self.assertEqual(os.listdir(self.folder.name), ["data"])
        self.assertEqual(sum(line == "ready" for line in self.collector.lines), 1)


# --- HTTP/1.1 ------------------------------------------------------------------------------------

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HIDDEN = b"POST /v1/traces HTTP/1.1\r\nHost: hidden\r\nContent-Length: 0\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"

# (what, status, bytes); behind each stands a hidden request, which must have no answer
SMUGGLED = [
    ("two Content-Lengths", 400, HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    ("the same twice", 400, HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    ("a list of lengths", 400, HEAD + b"Content-Length: 2, 2\r\n\r\n{}"),
    ("CL and TE", 400, CHUNKED + b"Content-Length: 2\r\n\r\n0\r\n\r\n"),
    ("TE and CL", 400, HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("xchunked", 400, HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunked, identity", 400, HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("chunked twice", 400, CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a tab before chunked's end", 400, HEAD + b"Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n"),
    ("TE in HTTP/1.0", 400, CHUNKED.replace(b"1.1", b"1.0") + b"\r\n0\r\n\r\n"),
    ("a signed length", 400, HEAD + b"Content-Length: +2\r\n\r\n{}"),
    ("a hexadecimal length", 400, HEAD + b"Content-Length: 0x2\r\n\r\n{}"),
    ("a length of 2^64 + 2", 400, HEAD + b"Content-Length: 18446744073709551618\r\n\r\n{}"),
    ("a length of 2^63", 413, HEAD + b"Content-Length: 9223372036854775808\r\n\r\n{}"),
    ("a bare CR", 400, HEAD + b"X: a\rContent-Length: 2\r\n\r\n{}"),
    ("a bare LF", 400, HEAD + b"X: a\nContent-Length: 2\r\n\r\n{}"),
    ("lines that end with LF", 400, HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}"),
    ("a folded line", 400, HEAD + b"X: a\r\n Content-Length: 2\r\n\r\n{}"),
    ("a folded first line", 400, HEAD.replace(b"\r\nHost", b"\r\n Host") + b"\r\n"),
    ("a space before the colon", 400, HEAD + b"Content-Length : 2\r\n\r\n{}"),
    ("NUL in a value", 400, HEAD + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
    ("NUL in a name", 400, HEAD + b"X\0: a\r\nContent-Length: 2\r\n\r\n{}"),
    ("two Hosts", 400, HEAD + b"Host: other\r\nContent-Length: 2\r\n\r\n{}"),
    ("a chunk size of 2^64", 400, CHUNKED + b"\r\n10000000000000000\r\n{}"),
    ("a chunk size of 2^64 - 1", 400, CHUNKED + b"\r\nffffffffffffffff\r\n{}"),
    ("a negative chunk size", 400, CHUNKED + b"\r\n-2\r\n{}"),
    ("a chunk longer than its size", 400, CHUNKED + b"\r\n1\r\n{}\r\n0\r\n\r\n"),
    ("chunk lines that end with LF", 400, CHUNKED + b"\r\n2\n{}\n0\n\n"),
    ("an extension with a bare LF", 400, CHUNKED + b"\r\n2;a\nb\r\n{}\r\n0\r\n\r\n"),
    ("a folded trailer", 400, CHUNKED + b"\r\n2\r\n{}\r\n0\r\n X: a\r\n\r\n"),
    ("HTTP/2's preface", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
]


class Smuggling(HostileScenario):
    def test_every_row(self):
        self.start()
        for what, status, sent in SMUGGLED:
            with self.subTest(what):
                with harness.connect(self.collector.otlp) as peer:
                    peer.sendall(sent + HIDDEN)
                    answer = b""
                    while piece := peer.recv(65536):
                        answer += piece
                self.assertEqual(int(answer[9:12]), status, answer)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
                self.assertIn(b"Connection: close\r\n", answer)


class Descriptors(HostileScenario):
    SPARE = 8

    def cpu_seconds(self):
        with open(f"/proc/{self.collector.process.pid}/stat", encoding="ascii") as file:
            fields_of = file.read().rsplit(")", 1)[1].split()
        return (int(fields_of[11]) + int(fields_of[12])) / os.sysconf("SC_CLK_TCK")

    def test_accepting_waits_for_descriptors_without_spinning(self):
        self.start()
        self.assert_well()
        pid = self.collector.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        n_open = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (n_open + self.SPARE, before[1]))
        peers = [harness.connect(self.collector.otlp) for _ in range(40)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = []
        deadline = time.monotonic() + 30
        while len(answered) < self.SPARE - 2 and time.monotonic() < deadline:
            answered = select.select(peers, [], [], 0.2)[0]
        self.assertGreater(len(answered), 0)
        start = self.cpu_seconds()
        time.sleep(1)  # nothing is asserted to have happened by then
        self.assertLess(self.cpu_seconds() - start, 0.5)
        waiting = [peer for peer in peers if peer not in select.select(peers, [], [], 0)[0]]
        self.assertGreater(len(waiting), 0)
        # Those that were served go; the others get their turn, one after the other.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for peer in peers:
            peer.settimeout(60)
            self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 404 "))


# --- HTTP/2: RFC 9113, RFC 7541 ------------------------------------------------------------------

PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, COMPRESSION_ERROR = 1, 3, 6, 9
CALL = frame(HEADERS, END_HEADERS, 1, call_fields())
U32 = struct.Struct(">I").pack


def setting(number, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", number, value))


def block(content):
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, content)


# (what, frames, the error codes that the RFC lets stand in the GOAWAY)
BROKEN = [
    ("PING on a stream", frame(PING, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    ("a PING of 7 bytes", frame(PING, 0, 0, bytes(7)), {FRAME_SIZE_ERROR}),
    ("SETTINGS on a stream", frame(SETTINGS, 0, 1), {PROTOCOL_ERROR}),
    ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, bytes(5)), {FRAME_SIZE_ERROR}),
    ("an acknowledgement with content", frame(SETTINGS, ACK, 0, bytes(6)), {FRAME_SIZE_ERROR}),
    ("a window of 2^31", setting(4, 1 << 31), {FLOW_CONTROL_ERROR}),
    ("frames of 16383 bytes", setting(5, 16383), {PROTOCOL_ERROR}),
    ("frames of 2^24 bytes", setting(5, 1 << 24), {PROTOCOL_ERROR}),
    ("push 2", setting(2, 2), {PROTOCOL_ERROR}),
    ("a window update of 0", frame(WINDOW_UPDATE, 0, 0, U32(0)), {PROTOCOL_ERROR}),
    ("a window beyond 2^31 - 1", frame(WINDOW_UPDATE, 0, 0, U32(0x7fffffff)) * 2,
     {FLOW_CONTROL_ERROR}),
    ("a window update of 3 bytes", frame(WINDOW_UPDATE, 0, 0, bytes(3)), {FRAME_SIZE_ERROR}),
    ("HEADERS on stream 0", frame(HEADERS, END_HEADERS, 0, call_fields()), {PROTOCOL_ERROR}),
    ("HEADERS on stream 2", frame(HEADERS, END_HEADERS, 2, call_fields()), {PROTOCOL_ERROR}),
    ("DATA on stream 0", frame(DATA, 0, 0, b"x"), {PROTOCOL_ERROR}),
    ("DATA on an idle stream", frame(DATA, 0, 1, b"x"), {PROTOCOL_ERROR}),
    ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, U32(8)), {PROTOCOL_ERROR}),
    ("RST_STREAM of 3 bytes", CALL + frame(RST_STREAM, 0, 1, bytes(3)), {FRAME_SIZE_ERROR}),
    ("RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, U32(8)), {PROTOCOL_ERROR}),
    ("CONTINUATION alone", frame(CONTINUATION, END_HEADERS, 1), {PROTOCOL_ERROR}),
    ("a PING inside a header block", frame(HEADERS, 0, 1, call_fields())
     + frame(PING, 0, 0, bytes(8)), {PROTOCOL_ERROR}),
    ("another stream inside a header block", frame(HEADERS, 0, 1, call_fields())
     + frame(CONTINUATION, END_HEADERS, 3), {PROTOCOL_ERROR}),
    ("padding longer than its frame", CALL + frame(DATA, PADDED, 1, b"\xffx"), {PROTOCOL_ERROR}),
    ("padding of headers longer than its frame", frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff"),
     {PROTOCOL_ERROR}),
    ("a frame of 16385 bytes", CALL + frame(DATA, 0, 1, bytes(16385)), {FRAME_SIZE_ERROR}),
    ("a frame that claims 2^24 - 1 bytes", b"\xff\xff\xff" + CALL[3:], {FRAME_SIZE_ERROR}),
    ("a promise from a client", CALL + frame(PUSH_PROMISE, END_HEADERS, 1, U32(2)),
     {PROTOCOL_ERROR}),
    ("GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    ("a field of index 0", block(b"\x80"), {COMPRESSION_ERROR}),
    ("a field of no index", block(b"\xbf"), {COMPRESSION_ERROR}),
    ("an index beyond 64 bits", block(b"\xff" + b"\xff" * 12), {COMPRESSION_ERROR}),
    ("a text longer than its block", block(b"\0\x7f\xff\xff\xff\x07a"), {COMPRESSION_ERROR}),
    ("a text of 2^63 bytes", block(b"\0\x7f" + varint((1 << 63) - 127)), {COMPRESSION_ERROR}),
    ("a table larger than allowed", block(b"\x3f" + varint(4097 - 31)), {COMPRESSION_ERROR}),
    ("a table size in the middle", block(call_fields() + b"\x20"), {COMPRESSION_ERROR}),
    ("Huffman padding of zeros", block(b"\0\x81\x00\x01a"), {COMPRESSION_ERROR}),
    ("the end of Huffman's strings", block(b"\0\x84\xff\xff\xff\xff\x01a"), {COMPRESSION_ERROR}),
]

# (what, fields of a request that RFC 9113 8 calls malformed: the stream ends, PROTOCOL_ERROR)
MALFORMED = [
    ("no pseudo fields", fields(("content-type", "application/grpc"))),
    ("no path", fields((":method", "POST"), (":scheme", "http"), (":authority", "a"))),
    ("an empty path", call_fields(path="")),
    ("two paths", call_fields((":path", "/x"))),
    ("a pseudo field behind others", fields((":method", "POST"), (":scheme", "http"), ("x", "y"),
                                            (":path", "/x"))),
    ("an unknown pseudo field", fields((":method", "POST"), (":scheme", "http"), (":path", "/x"),
                                       (":protocol-x", "y"))),
    ("a status", fields((":status", "200"))),
    ("an upper-case name", call_fields(("X-Upper", "y"))),
    ("connection", call_fields(("connection", "keep-alive"))),
    ("transfer-encoding", call_fields(("transfer-encoding", "chunked"))),
    ("te that is not trailers", call_fields(("te", "gzip"))),
    ("NUL in a value", call_fields(("x", "a\0b"))),
    ("a line end in a value", call_fields(("x", "a\r\nb: c"))),
    ("a line end in a name", call_fields(("x\r\ny", "a"))),
    ("two content-lengths", call_fields(("content-length", "1"), ("content-length", "2"))),
    ("a signed content-length", call_fields(("content-length", "+5"))),
]


class Frames(HostileScenario):
    def raw(self):
        raw = Raw(self.collector.grpc)
        self.addCleanup(raw.close)
        return raw

    def test_broken_frames_end_the_connection(self):
        self.start()
        for what, frames, codes in BROKEN:
            with self.subTest(what):
                raw = self.raw()
                # First its settings: the acknowledgement must not come in between.
                self.assertEqual(raw.next()[0], SETTINGS)
                raw.send(frames)
                found = None
                try:
                    while True:
                        kind, _, _, payload = raw.next()
                        if kind == GOAWAY:
                            found = int.from_bytes(payload[4:8], "big")
                except (EOFError, ConnectionResetError):
                    pass
                self.assertIn(found, codes)

    def test_malformed_requests_end_the_stream(self):
        self.start()
        for what, content in MALFORMED:
            with self.subTest(what):
                raw = self.raw()
                raw.send(frame(HEADERS, END_HEADERS, 1, content))
                kind = stream = None
                while stream != 1:
                    kind, _, stream, payload = raw.next()
                self.assertEqual((kind, payload), (RST_STREAM, U32(PROTOCOL_ERROR)))
                raw.send(frame(PING, 0, 0, b"12345678"))  # the connection goes on
                while raw.next()[0] != PING:
                    pass

    def test_a_body_that_is_not_its_content_length(self):
        self.start()
        for length, content in (("3", message(b"")), ("6", message(b""))):
            raw = self.raw()
            raw.send(frame(HEADERS, END_HEADERS, 1, call_fields(("content-length", length))),
                     frame(DATA, END_STREAM, 1, content))
            kind = stream = None
            while stream != 1 or kind == WINDOW_UPDATE:
                kind, _, stream, payload = raw.next()
            self.assertEqual((kind, payload), (RST_STREAM, U32(PROTOCOL_ERROR)))


def opened(stream, more=b"", flags=END_HEADERS):
    return frame(HEADERS, flags, stream, call_fields()) + more


def ended(stream):
    return opened(stream, frame(DATA, END_STREAM, stream, message(b"")))


# Resets that the server is made to send (CVE-2025-8671): what each stream does after its call.
INDUCED = [
    ("DATA after the end", lambda i: ended(i) + frame(DATA, 0, i, b"x")),
    ("HEADERS after the end", lambda i: opened(i, flags=END_HEADERS | END_STREAM)
     + opened(i, flags=END_HEADERS | END_STREAM)),
    ("a window beyond 2^31 - 1", lambda i: opened(i, frame(WINDOW_UPDATE, 0, i, U32(0x7fffffff)))),
    ("a window update of 0", lambda i: opened(i, frame(WINDOW_UPDATE, 0, i, U32(0)))),
    ("a PRIORITY of 4 bytes", lambda i: opened(i, frame(PRIORITY, 0, i, bytes(4)))),
    ("a stream that depends on itself", lambda i: opened(i, frame(PRIORITY, 0, i, U32(i) + b"\1"))),
    ("trailers without an end", lambda i: opened(i, frame(HEADERS, END_HEADERS, i, fields(("x", "y"))))),
    ("more than the content-length", lambda i: frame(
        HEADERS, END_HEADERS, i, call_fields(("content-length", "1"))) + frame(DATA, 0, i, b"xy")),
    ("malformed fields", lambda i: frame(HEADERS, END_HEADERS, i, call_fields(("connection", "x")))),
]

# Frames without work, again and again.
NOISE = [
    ("PRIORITY", lambda i: frame(PRIORITY, 0, 2 * i + 1, U32(0) + b"\1")),
    ("acknowledgements of PING", lambda i: frame(PING, ACK, 0, bytes(8))),
    ("window updates of 1", lambda i: frame(WINDOW_UPDATE, 0, 0, U32(1))),
    ("GOAWAY", lambda i: frame(GOAWAY, 0, 0, bytes(8))),
    ("SETTINGS of 30 entries", lambda i: frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 9) * 30)),
    ("SETTINGS of 2,000 entries", lambda i: frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 9) * 2000)),
    ("a table that shrinks and grows", lambda i: frame(SETTINGS, 0, 0, struct.pack(
        ">HI", 1, 0 if i % 2 else 65536))),
    ("unknown frames on streams", lambda i: frame(0xbe, 0xff, 2 * i + 1, b"x" * 100)),
    ("empty CONTINUATION", lambda i: frame(CONTINUATION if i else HEADERS, 0, 1, b"")),
    ("empty names and values", lambda i: frame(
        HEADERS if i % 9 == 0 else CONTINUATION, 0, 1, fields(*[("", "")] * 100))),
    # libnghttp2 reads over frames of streams that were passed by.
    ("HEADERS of a stream passed by", lambda i: opened(3 if i else 5, flags=END_HEADERS | END_STREAM)),
    ("DATA of a stream passed by", lambda i: frame(DATA, 0, 3, b"x") if i else opened(5)),
    ("empty DATA of a stream passed by", lambda i: frame(DATA, 0, 3) if i else opened(5)),
    ("padding without data", lambda i: frame(DATA, PADDED, 1, b"\xff" + bytes(255)) if i
     else opened(1)),
    ("padding of nothing", lambda i: frame(DATA, PADDED, 1, b"\0") if i else opened(1)),
    ("empty calls", lambda i: frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, b"")),
]


class Floods(FloodScenario):
    def test_resets_that_the_server_is_made_to_send(self):
        for what, make in INDUCED:
            with self.subTest(what):
                self.flood(lambda i, make=make: make(2 * i + 1))

    def test_noise(self):
        for what, make in NOISE:
            with self.subTest(what):
                self.flood(make)

    def test_answers_that_are_not_read(self):
        """CVE-2019-9512, -9515, -9517: what the peer makes the server send stays within bounds."""
        self.start(self.configure(grpc="127.0.0.1:0", http="127.0.0.1:0", body_timeout="2s"))
        for what, make in [("PING", lambda i: frame(PING, 0, 0, bytes(8))),
                           ("SETTINGS", lambda i: frame(SETTINGS)),
                           ("calls", lambda i: ended(2 * i + 1)),
                           ("refused calls", lambda i: frame(
                               HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, call_fields(path="/x")))]:
            with self.subTest(what):
                self.flood(make, is_read=False)


if __name__ == "__main__":
    harness.main()
