#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our OTLP codec with Google's protobuf, both ways, on fixed and on random requests.

usage: differential.py TOOL PROTO_DIR [SEED]
"""
import copy
import json
import math
import random
import subprocess
import sys
import unittest

from google.protobuf import json_format

from peer import (N_RANDOM, SEED, TEXTS, TOOL, Tool, as_tree, base64_to_hex, canonical, convert_ids,
                  hex_to_base64, random_attributes, random_time)
import trace_pb2 as pb  # compiled by peer


def message_of_json(text):
    tree = convert_ids(json.loads(text), hex_to_base64)
    return json_format.ParseDict(tree, pb.ExportTraceServiceRequest())


def random_span(rng, span):
    span.trace_id = rng.randbytes(15) + b"\x01"
    span.span_id = b"\x01" + rng.randbytes(7)
    span.parent_span_id = rng.choice([b"", b"\x02" + rng.randbytes(7)])
    span.trace_state = rng.choice(["", "a=1,b=2"])
    span.name = rng.choice(TEXTS)
    span.kind = rng.choice([0, 1, 5, 77, -1])
    span.start_time_unix_nano = random_time(rng)
    span.end_time_unix_nano = random_time(rng)
    random_attributes(rng, span)
    for _ in range(rng.randrange(3)):
        event = span.events.add(time_unix_nano=random_time(rng), name=rng.choice(TEXTS))
        random_attributes(rng, event)
    for _ in range(rng.randrange(3)):
        link = span.links.add(trace_id=rng.randbytes(16), span_id=rng.randbytes(8),
                              trace_state=rng.choice(["", "k=v"]), flags=rng.choice([0, 0x301]))
        random_attributes(rng, link)
    span.dropped_events_count = rng.choice([0, 3])
    span.dropped_links_count = rng.choice([0, 300])
    if rng.random() < 0.5:
        span.status.message = rng.choice(TEXTS)
        span.status.code = rng.choice([0, 1, 2])
    span.flags = rng.choice([0, 1, 0x103, 2**32 - 1])


def random_request(rng):
    request = pb.ExportTraceServiceRequest()
    for _ in range(rng.randrange(3)):
        resource_spans = request.resource_spans.add(schema_url=rng.choice(["", "https://a/1"]))
        if rng.random() < 0.8:
            resource_spans.resource.SetInParent()
            random_attributes(rng, resource_spans.resource)
        for _ in range(rng.randrange(3)):
            scope_spans = resource_spans.scope_spans.add(schema_url=rng.choice(["", "https://b"]))
            if rng.random() < 0.8:
                scope_spans.scope.name = rng.choice(TEXTS)
                scope_spans.scope.version = rng.choice(["", "1.0"])
                random_attributes(rng, scope_spans.scope)
            for _ in range(rng.randrange(3)):
                random_span(rng, scope_spans.spans.add())
    return request


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.to_json = Tool("to-json")
        cls.from_json = Tool("from-json")

    @classmethod
    def tearDownClass(cls):
        cls.to_json.close()
        cls.from_json.close()

    def accepted(self, answer):
        refused, payload = answer
        self.assertFalse(refused, payload)
        return payload

    def test_random_requests_to_json(self):
        rng = random.Random(SEED)
        for i in range(N_RANDOM):
            request = random_request(rng)
            text = self.accepted(self.to_json(request.SerializeToString()))
            self.assertEqual(canonical(message_of_json(text)), canonical(request), f"request {i}")

    def test_random_requests_from_json(self):
        rng = random.Random(SEED + 1)
        for i in range(N_RANDOM):
            request = random_request(rng)
            tree = convert_ids(json_format.MessageToDict(request), base64_to_hex)
            text = json.dumps(tree, ensure_ascii=rng.random() < 0.5,
                              indent=rng.choice([None, 2])).encode()
            # Python prints lone non-characters as they are; both sides take them.
            found = pb.ExportTraceServiceRequest.FromString(self.accepted(self.from_json(text)))
            self.assertEqual(canonical(found), canonical(request), f"request {i}")

    def test_what_we_accept_of_damaged_bytes_google_accepts(self):
        rng = random.Random(SEED + 2)
        n_accepted = 0
        for _ in range(N_RANDOM * 5):
            damaged = bytearray(random_request(rng).SerializeToString())
            if not damaged or len(damaged) > 5000:
                continue
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            refused, text = self.to_json(bytes(damaged))
            if refused:
                self.assertRegex(text, rb"^[^ ]+: .+")
                continue
            n_accepted += 1
            message = pb.ExportTraceServiceRequest.FromString(bytes(damaged))
            message.DiscardUnknownFields()
            self.assertEqual(as_tree(message_of_json(text)), as_tree(message), bytes(damaged))
        self.assertGreater(n_accepted, 100)

    def test_json_form(self):
        """OTLP specification, JSON Protobuf Encoding: the exact shape of one span."""
        request = pb.ExportTraceServiceRequest()
        span = request.resource_spans.add().scope_spans.add().spans.add(
            trace_id=bytes.fromhex("5B8EFFF798038103D269B633813FC60C"),
            span_id=bytes.fromhex("EEE19B7EC3C1B174"), name="n", kind=2,
            start_time_unix_nano=1544712660000000000)
        span.attributes.add(key="i").value.int_value = -2**63
        span.attributes.add(key="d").value.double_value = math.nan
        span.attributes.add(key="b").value.bytes_value = b"\xfb\xff"
        span.attributes.add(key="f").value.bool_value = False
        span.attributes.add(key="e").value.SetInParent()
        self.assertEqual(json.loads(self.accepted(self.to_json(request.SerializeToString()))), {
            "resourceSpans": [{"scopeSpans": [{"spans": [{
                "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
                "name": "n", "kind": 2, "startTimeUnixNano": "1544712660000000000",
                "endTimeUnixNano": "0", "attributes": [
                    {"key": "i", "value": {"intValue": "-9223372036854775808"}},
                    {"key": "d", "value": {"doubleValue": "NaN"}},
                    {"key": "b", "value": {"bytesValue": "+/8="}},
                    {"key": "f", "value": {"boolValue": False}},
                    {"key": "e", "value": {}}]}]}]}]})

    def test_encoder_sample(self):
        sample = subprocess.run([TOOL, "sample"], check=True, stdout=subprocess.PIPE).stdout
        found = pb.ExportTraceServiceRequest.FromString(sample)
        self.assertEqual(canonical(found), canonical(expected_sample()))
        self.accepted(self.to_json(sample))


def expected_sample():
    """The literals of otlp_tool.c."""
    request = pb.ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "scope", "1.2"
    attributes = sample_attributes()
    resource_spans.resource.attributes.extend(attributes[:2])
    span = scope_spans.spans.add(
        trace_id=bytes(range(1, 17)), span_id=bytes(range(1, 9)), trace_state="x=y,z=w",
        parent_span_id=b"\0\0\0\0\0\0\0\1", name="full span", kind=5,
        start_time_unix_nano=1700000000000000000, end_time_unix_nano=1700000000000000999,
        attributes=attributes, dropped_attributes_count=1, dropped_events_count=128,
        dropped_links_count=16384, flags=0x303)
    span.status.code, span.status.message = 2, "it broke"
    span.events.add(time_unix_nano=1700000000000000001, name="first")
    span.events.add(time_unix_nano=2**64 - 1, name="second", attributes=attributes,
                    dropped_attributes_count=2**32 - 1)
    span.links.add(trace_id=bytes([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6]),
                   span_id=bytes([8, 7, 6, 5, 4, 3, 2, 1]), trace_state="a=b",
                   attributes=attributes[:1], dropped_attributes_count=200, flags=0x301)
    span.links.add(trace_id=b"\1" + bytes(15), span_id=b"\2" + bytes(7), flags=0x100)
    bare = scope_spans.spans.add(trace_id=b"\xff" + bytes(15), span_id=b"\xee" + bytes(7),
                                 name="bare", flags=0x100)
    bare.status.code = 1
    return request


def sample_attributes():
    owner = pb.Resource()

    def add(key):
        return owner.attributes.add(key=key).value

    add("text").string_value = "grüß"
    add("empty text").string_value = ""
    add("broken").string_value = "a\ufffd\ufffd\ufffdz"
    add("yes").bool_value = True
    add("no").bool_value = False
    add("least").int_value = -2**63
    add("most").int_value = 2**63 - 1
    add("infinite").double_value = math.inf
    add("raw").bytes_value = b"\x00\xff"
    entries = add("map").kvlist_value.values
    items = entries.add(key="inner").value.array_value.values
    items.add().int_value = -1
    items.add().string_value = "two"
    items.add()
    items.add().array_value.SetInParent()
    items.add().double_value = -0.5
    entries.add(key="none").value.kvlist_value.SetInParent()
    add("nothing").SetInParent()
    add("").int_value = 300
    return copy.deepcopy(owner.attributes)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
