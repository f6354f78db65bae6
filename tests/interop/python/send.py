# SPDX-License-Identifier: Apache-2.0
"""Sends spans with the OpenTelemetry SDK for Python and writes what it sent, one span a line:

    python send.py grpc|http/protobuf URL none|gzip SEED OUTPUT

The lines come from the values that were handed to the SDK, in the form of compare.py; ids are ours,
too. What the SDK does to them on its way, and we therefore expect: a full list of attributes, events or
links loses its oldest; a link goes without its tracestate; flags carry only the remote bits.
"""

import json
import logging
import math
import random
import struct
import sys
import time

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags,
                                 TraceState, set_span_in_context)

N_SPANS = 2000
SPANS_OF_A_TRACE = 20
BATCH = 150
LIMIT = 128
TIMEOUT_S = 90
LONG_TEXT = 10 * 1024
LETTERS = ["a", "ß", "流", "😀", '"', "\\", "\n", "\u0001", " ", "z"]
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
# The kinds as opentelemetry-proto numbers them.
KINDS = [(SpanKind.INTERNAL, 1), (SpanKind.SERVER, 2), (SpanKind.CLIENT, 3), (SpanKind.PRODUCER, 4),
         (SpanKind.CONSUMER, 5)]
REMOTE_STATE = [("vendor", "a:b-1"), ("other@sys", "2")]
STATE_TEXT = "vendor=a:b-1,other@sys=2"


def text(dice, length):
    return "".join(dice.choice(LETTERS) for _ in range(length))


def every_value(dice):
    """One of each kind of value."""
    return {
        "text": text(dice, 1 + dice.randrange(40)), "text.empty": "",
        "text.emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 𝒻𝓁ℴ𝓌 \0 end", "ключ 🔑": "a key beyond ASCII",
        "bool.true": True, "bool.false": False,
        "int": dice.getrandbits(40), "int.zero": 0, "int.negative": -1 - dice.getrandbits(40),
        "int.above.53": 2**53 + 1, "int.largest": 2**63 - 1, "int.smallest": -2**63,
        "double": dice.random(), "double.integral": 3.0, "double.epsilon": 0.1 + 0.2, "double.negative": -1.5e-7,
        "double.largest": sys.float_info.max, "double.lowest": -sys.float_info.max, "double.normal": sys.float_info.min,
        "double.tiny": 5e-324, "double.beyond.int": 2.0**63, "zero": 0.0, "zero.negative": -0.0,
        "nan": math.nan, "infinity": math.inf, "infinity.negative": -math.inf,
        "bytes": bytes(range(256)), "bytes.empty": b"", "none": None,
        "array.empty": [], "array.text": ["a", "", "😀"], "array.int": [1, -1, 2**63 - 1, -2**63],
        "array.double": [0.5, math.nan, -math.inf, 3.0], "array.bool": [True, False],
        "array.mixed": ["1", 1, 1.0, True, None, b"\xff\x00", []], "array.nested": [[1, ["b"]], {"k": [{}]}],
        "map": {"a": 1, "b": {"c": [1.5, {"d": None}]}, "empty": {}, "流": b"\0"}, "map.empty": {},
    }


def sent_value(value):
    if value is None:
        return ["empty"]
    if isinstance(value, str):
        return ["string", value]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["double", "NaN" if math.isnan(value) else struct.pack(">d", value).hex()]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, dict):
        return ["map", sent_attributes(value)]
    return ["array", [sent_value(item) for item in value]]


def sent_attributes(attributes):
    return [[key, sent_value(value)] for key, value in attributes.items()]


def kept(items):
    """What a limit leaves of a list, and how many it drops."""
    return items[-LIMIT:], max(0, len(items) - LIMIT)


class Ids(IdGenerator):
    """Ids of the sender's own, known before the SDK asks for them."""

    def __init__(self, dice):
        self.dice = dice
        self.trace_id = self.span_id = None

    def draw(self):
        self.trace_id, self.span_id = self.dice.getrandbits(128) or 1, self.dice.getrandbits(64) or 1

    def generate_trace_id(self):
        return self.trace_id

    def generate_span_id(self):
        return self.span_id


class Watching(SpanExporter):
    """Hands everything to the real exporter and counts."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.n_spans = self.n_failures = 0

    def export(self, spans):
        self.n_spans += len(spans)
        result = self.exporter.export(spans)
        self.n_failures += result is not SpanExportResult.SUCCESS
        return result

    def shutdown(self):
        """Each of the providers calls it; the exporter is one."""


class Origin:
    """A tracer, and what its resource and scope are on the wire."""

    def __init__(self, provider, resource, scope):
        self.tracer = provider.get_tracer(scope["name"], scope.get("version"), scope.get("schemaUrl"),
                                          scope.get("attributes"))
        self.resource = {"attributes": sent_attributes(resource["attributes"]), "schemaUrl": resource["schemaUrl"]}
        self.scope = {"name": scope["name"], "version": scope.get("version", ""),
                      "attributes": sent_attributes(scope.get("attributes", {})),
                      "schemaUrl": scope.get("schemaUrl", "")}


RESOURCES = [
    {"attributes": {"service.name": "interop-python-first", "ratio": 0.25, "list": ["x", "y"], "host.name": "主机"},
     "schemaUrl": ""},
    {"attributes": {"service.name": "interop-python-second", "big": 2**63 - 1, "is.up": True, "none": ""},
     "schemaUrl": "https://opentelemetry.io/schemas/1.30.0"},
]
SCOPES = [
    {"name": "plain"},
    {"name": "versioned 📦", "version": "1.2.3-β", "schemaUrl": "https://opentelemetry.io/schemas/1.27.0",
     "attributes": {"part": "流", "n": -7, "half": 0.5, "is.on": False}},
]


class Sender:
    def __init__(self, exporter, seed):
        self.dice = random.Random(seed)
        self.ids = Ids(random.Random(self.dice.random()))
        self.exporter = Watching(exporter)
        self.start = time.time_ns() - 60 * 10**9
        self.lines = []
        self.earlier = []  # contexts to link to
        self.providers = []
        self.origins = []
        for resource in RESOURCES:
            provider = TracerProvider(resource=Resource(resource["attributes"], resource["schemaUrl"]),
                                      id_generator=self.ids, shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(self.exporter, max_queue_size=N_SPANS,
                                                           max_export_batch_size=BATCH))
            self.providers.append(provider)
            self.origins += [Origin(provider, resource, scope) for scope in SCOPES]

    def remote_context(self):
        return SpanContext(self.dice.getrandbits(128) or 1, self.dice.getrandbits(64) or 1, True,
                           TraceFlags(TraceFlags.SAMPLED), TraceState(REMOTE_STATE))

    def parent_of(self, n, own):
        """The context of the parent; None for a root."""
        if own:
            return self.dice.choice(own)
        return self.remote_context() if n % 40 == 0 else None

    def attributes(self, n):
        if n % 4 == 0:
            return every_value(self.dice)
        if n % 50 == 1:
            return {"text.long": text(self.dice, LONG_TEXT)}
        return {f"many.{i}": i for i in range(200)} if n % 100 == 2 else {}

    def events(self, n):
        """(name, attributes, time)"""
        count = 130 if n % 100 == 6 else n // 4 % 4
        found = [(f"event {i} ⚡" if i else "", {"i": i, "text": text(self.dice, 9), "none": None, "array": []},
                  self.start + n * 7001 + i) for i in range(count)]
        if n % 100 == 9:
            found.append(("full", {f"many.{i}": str(i) for i in range(LIMIT + 3)}, self.start))
        return found

    def links(self, n):
        """(context, attributes)"""
        found = [(self.remote_context(), {"relation": "remote 🔗", "n": n, "map": {"a": b"\1"}})] if n % 5 == 0 else []
        for _ in range(132 if n % 100 == 7 else n % 3):
            if self.earlier:
                found.append((self.dice.choice(self.earlier), {}))
        return found

    def status(self, n):
        """(status, its code on the wire, its message): only an error has one."""
        if n % 3 == 0:
            return None, 0, ""
        if n % 3 == 1:
            return Status(StatusCode.OK), 1, ""
        return Status(StatusCode.ERROR, f"status {n} 🚦"), 2, f"status {n} 🚦"

    def record(self, n, own):
        """One span, handed to the SDK and written down; its end is for the caller."""
        self.ids.draw()
        parent = self.parent_of(n, own)
        origin = self.dice.choice(self.origins)
        kind, kind_number = KINDS[n % 5]
        name = f"step {n} — {text(self.dice, 5)}" if n % 37 else ""
        attributes, events, links = self.attributes(n), self.events(n), self.links(n)
        status, *sent_status = self.status(n)
        start = self.start + n * 7001
        span = origin.tracer.start_span(
            name, set_span_in_context(NonRecordingSpan(parent)) if parent else None, kind,
            links=[Link(context, more) for context, more in links], start_time=start)
        span.set_attributes(attributes)
        for event in events:
            span.add_event(*event)
        if n % 10 == 3:
            events = events + [self.record_exception(span, start)]
        if status:
            span.set_status(status)
        end = start + 1 + self.dice.randrange(5 * 10**9)
        sent = {"traceId": format(parent.trace_id if parent else self.ids.trace_id, "032x"),
                "spanId": format(self.ids.span_id, "016x"),
                "parentSpanId": format(parent.span_id, "016x") if parent else "",
                "traceState": STATE_TEXT if parent and parent.trace_state else "",
                "flags": self.flags(parent), "name": name, "kind": kind_number, "start": str(start), "end": str(end),
                "status": sent_status, "resource": origin.resource, "scope": origin.scope}
        self.lines.append(dict(sent, **self.sent_lists(attributes, events, links)))
        return span, end

    @staticmethod
    def record_exception(span, at):
        trace = "somewhere\n  流"
        span.record_exception(RangeError("out of range: 流"), {"exception.stacktrace": trace}, at)
        return ("exception", {"exception.type": "__main__.RangeError", "exception.message": "out of range: 流",
                              "exception.stacktrace": trace, "exception.escaped": "False"}, at)

    @staticmethod
    def flags(context):
        return HAS_IS_REMOTE | (IS_REMOTE if context and context.is_remote else 0)

    def sent_lists(self, attributes, events, links):
        attributes, n_attributes = kept(sent_attributes(attributes))
        events, n_events = kept(events)
        links, n_links = kept(links)
        return {"attributes": attributes, "dropped": [n_attributes, n_events, n_links],
                "events": [self.sent_event(*event) for event in events],
                "links": [self.sent_link(*link) for link in links]}

    @staticmethod
    def sent_event(name, attributes, at):
        attributes, n_dropped = kept(sent_attributes(attributes))
        return {"name": name, "time": str(at), "attributes": attributes, "dropped": n_dropped}

    def sent_link(self, context, attributes):
        return {"traceId": format(context.trace_id, "032x"), "spanId": format(context.span_id, "016x"),
                "traceState": "", "flags": self.flags(context), "attributes": sent_attributes(attributes), "dropped": 0}

    def make_trace(self, first):
        own, open_spans = [], []
        for n in range(first, first + SPANS_OF_A_TRACE):
            open_spans.append(self.record(n, own))
            own.append(open_spans[-1][0].get_span_context())
        for span, end in open_spans:
            span.end(end)
        self.earlier += own[:3]

    def send(self):
        """True when every span was exported."""
        for first in range(0, N_SPANS, SPANS_OF_A_TRACE):
            self.make_trace(first)
        for provider in self.providers:
            provider.force_flush(TIMEOUT_S * 1000)
            provider.shutdown()
        self.exporter.exporter.shutdown()
        if self.exporter.n_spans == N_SPANS and self.exporter.n_failures == 0:
            return True
        print(f"send: {self.exporter.n_failures} exports failed, {self.exporter.n_spans} spans exported",
              file=sys.stderr)
        return False


class RangeError(Exception):
    pass


def make_exporter(protocol, url, compression):
    is_gzip = compression == "gzip"
    if protocol == "grpc":
        return GrpcExporter(url, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip if is_gzip else
                            grpc.Compression.NoCompression)
    return HttpExporter(url + "/v1/traces", timeout=TIMEOUT_S, compression=Compression.Gzip if is_gzip else
                        Compression.NoCompression)


def main():
    if len(sys.argv) != 6:
        sys.exit("usage: send.py grpc|http/protobuf URL none|gzip SEED OUTPUT")
    protocol, url, compression, seed, output = sys.argv[1:]
    logging.getLogger("opentelemetry.attributes").setLevel(logging.ERROR)  # a line for each that a limit drops
    sender = Sender(make_exporter(protocol, url, compression), int(seed))
    is_good = sender.send()
    with open(output, "w", encoding="utf-8") as lines:
        for line in sender.lines:
            lines.write(json.dumps(line) + "\n")
    sys.exit(0 if is_good else 1)


main()
