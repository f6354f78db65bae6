# SPDX-License-Identifier: Apache-2.0
"""Bad input over OTLP/HTTP, as a table: the right status, an error that names the field and what was
expected, and the daemon alive and well afterwards."""

import gzip
import json
import os
import socket

import harness
from harness import (Scenario, field, get_trace, new_span, protobuf_request, protobuf_span, request,
                     send_json, span_document)

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def changed(**fields):
    """A request whose one span has these fields; None removes one."""
    span = new_span()
    for key, value in fields.items():
        if value is None:
            del span[key]
        else:
            span[key] = value
    return json.dumps(span_document([span])).encode()


def value(content):
    return changed(attributes=[{"key": "a", "value": content}])


SPAN = "resourceSpans[0].scopeSpans[0].spans[0]."


def bad_span(trace_id=b"\1" * 16, span_id=b"\2" * 8, name="x", more=b""):
    return protobuf_request([protobuf_span(trace_id, span_id, name, 1, 2) + more])


# (what it is, headers, body, status, words that the message must have)
TABLE = [
    ("not JSON", JSON, b"{", 400, []),
    ("a list", JSON, b"[]", 400, []),
    ("text after the document", JSON, b"{} x", 400, []),
    ("invalid UTF-8", JSON, b'{"resourceSpans":"\xff"}', 400, []),
    ("a wrong type", JSON, b'{"resourceSpans":{}}', 400, ["resourceSpans"]),
    ("a deep document", JSON, b"[" * 100000, 400, []),
    ("a base64 trace id", JSON, changed(traceId="W47/95gDgQPSabYzgT/GDA=="), 400,
     [SPAN + "traceId", "32 hex digits"]),
    ("a short trace id", JSON, changed(traceId="abcd"), 400, [SPAN + "traceId", "32 hex digits"]),
    ("a trace id of zeros", JSON, changed(traceId="0" * 32), 400, [SPAN + "traceId"]),
    ("no trace id", JSON, changed(traceId=None), 400, [SPAN + "traceId"]),
    ("a short span id", JSON, changed(spanId="12"), 400, [SPAN + "spanId", "16 hex digits"]),
    ("a span id that is a number", JSON, changed(spanId=12), 400, [SPAN + "spanId"]),
    ("no span id", JSON, changed(spanId=None), 400, [SPAN + "spanId"]),
    ("a bad parent", JSON, changed(parentSpanId="zz"), 400, [SPAN + "parentSpanId"]),
    ("an enum by name", JSON, changed(kind="SPAN_KIND_SERVER"), 400, [SPAN + "kind"]),
    ("a negative time", JSON, changed(startTimeUnixNano="-1"), 400, [SPAN + "startTimeUnixNano"]),
    ("a time beyond 64 bits", JSON, changed(endTimeUnixNano="18446744073709551616"), 400,
     [SPAN + "endTimeUnixNano"]),
    ("an integer beyond 64 bits", JSON, value({"intValue": "9223372036854775808"}), 400,
     [SPAN + "attributes[0].value.intValue"]),
    ("bytes that are not base64", JSON, value({"bytesValue": "*"}), 400,
     [SPAN + "attributes[0].value.bytesValue"]),
    ("a boolean that is text", JSON, value({"boolValue": "true"}), 400,
     [SPAN + "attributes[0].value.boolValue"]),
    ("a bad link", JSON, changed(links=[{"traceId": "1", "spanId": "2"}]), 400,
     [SPAN + "links[0].traceId"]),
    ("not protobuf", PROTOBUF, b"\xff\xff\xff\xff", 400, []),
    ("a truncated message", PROTOBUF, bad_span()[:-3], 400, []),
    ("an absurd length", PROTOBUF, b"\x0a\xff\xff\xff\xff\x0f", 400, []),
    ("a varint without end", PROTOBUF, b"\x80" * 11, 400, []),
    ("a short trace id", PROTOBUF, bad_span(trace_id=b"\1" * 12), 400,
     [SPAN + "traceId", "16 bytes", "12"]),
    ("a trace id of zeros", PROTOBUF, bad_span(trace_id=bytes(16)), 400, [SPAN + "traceId"]),
    ("a long span id", PROTOBUF, bad_span(span_id=b"\2" * 9), 400, [SPAN + "spanId", "8 bytes"]),
    ("a wrong wire type", PROTOBUF, field(1, field(2, field(2, b"\x08\x01"))), 400, ["traceId"]),
    ("JSON called protobuf", PROTOBUF, b'{"resourceSpans":[]}', 400, []),
    ("protobuf called JSON", JSON, bad_span(), 400, []),
    ("no content type", {}, b"{}", 415, ["content-type"]),
    ("another content type", {"Content-Type": "text/plain"}, b"{}", 415, ["content-type"]),
    ("an unknown encoding", dict(JSON, **{"Content-Encoding": "br"}), b"{}", 415, []),
    ("not gzip", dict(JSON, **{"Content-Encoding": "gzip"}), b"{}", 400, []),
    ("truncated gzip", dict(JSON, **{"Content-Encoding": "gzip"}), gzip.compress(b"{}")[:-4], 400,
     []),
]


def message_of(headers, body):
    """The text of a google.rpc.Status in either encoding, or the plain body."""
    kind = headers.get("content-type", "")
    if kind.startswith("application/json"):
        return json.loads(body)["message"]
    if kind.startswith("application/x-protobuf"):
        # code = 1 (varint), message = 2 (string)
        assert body[0] == 0x08, body
        assert body[2] == 0x12, body
        length, start = body[3], 4
        if length & 0x80:
            length, start = (length & 0x7f) | body[4] << 7, 5
        return body[start:start + length].decode()
    return body.decode()


class Refusals(Scenario):
    def test_every_row(self):
        collector = self.start()
        for what, headers, body, status, words in TABLE:
            with self.subTest(what=what, encoding=headers.get("Content-Type")):
                found, answer_headers, answer = request(collector.otlp, "POST", "/v1/traces", body,
                                                        headers)
                message = message_of(answer_headers, answer)
                self.assertEqual(found, status, message)
                self.assertTrue(message)
                for word in words:
                    self.assertIn(word, message)
                if status == 400 and headers in (JSON, PROTOBUF):
                    self.assertEqual(answer_headers["content-type"], headers["Content-Type"])
        self.check_alive(collector)

    def check_alive(self, collector):
        self.assertTrue(collector.is_alive())
        span = new_span()
        self.assertEqual(send_json(collector.otlp, span_document([span]))[0], 200)
        self.assertEqual(len(get_trace(collector.api, span["traceId"])), 1)

    def test_methods_and_paths(self):
        collector = self.start()
        self.assertEqual(request(collector.otlp, "GET", "/v1/traces")[0], 405)
        self.assertEqual(request(collector.otlp, "GET", "/v1/traces")[1]["allow"], "POST")
        self.assertEqual(request(collector.otlp, "POST", "/v1/nothing", b"{}", JSON)[0], 404)
        self.assertEqual(request(collector.otlp, "POST", "/v1/traces", b"{}",
                                 {"Content-Type": "Application/JSON; charset=utf-8"})[0], 200)
        self.check_alive(collector)

    def test_a_nan_sent_as_null_is_accepted_and_stored_as_an_empty_value(self):
        collector = self.start()
        span = new_span(attributes=[{"key": "nan", "value": {"doubleValue": None}}])
        self.assertEqual(send_json(collector.otlp, span_document([span]))[0], 200)
        found = get_trace(collector.api, span["traceId"])[0]
        self.assertEqual(found["attributes"], [{"key": "nan", "value": {}}])

    def test_a_body_over_the_limit_is_refused_by_its_length_alone(self):
        collector = self.start()
        with socket.create_connection(("127.0.0.1", collector.otlp), timeout=20) as peer:
            peer.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n"
                         b"Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
            self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 413 "))
        self.check_alive(collector)

    def test_random_bytes_never_hurt(self):
        collector = self.start()
        for size in (1, 10, 100, 1000, 10000):
            for headers in (JSON, PROTOBUF):
                status, _, _ = request(collector.otlp, "POST", "/v1/traces", os.urandom(size),
                                       headers)
                self.assertIn(status, (200, 400))
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", collector.otlp), timeout=20) as peer:
                peer.sendall(os.urandom(200))
        self.check_alive(collector)


if __name__ == "__main__":
    harness.main()
