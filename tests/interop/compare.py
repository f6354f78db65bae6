# SPDX-License-Identifier: Apache-2.0
"""Compares what clients say they sent with what the query API returns, span by span, field by field.

A client writes one JSON line for each span, from its own values:

    {"traceId": hex, "spanId": hex, "parentSpanId": hex or "", "traceState": text, "flags": number,
     "name": text, "kind": number, "start": nanoseconds as text, "end": the same,
     "attributes": A, "dropped": [attributes, events, links],
     "events": [{"name", "time", "attributes", "dropped"}],
     "links": [{"traceId", "spanId", "traceState", "flags", "attributes", "dropped"}],
     "status": [code, message],
     "resource": {"attributes", "schemaUrl"},
     "scope": {"name", "version", "attributes", "schemaUrl"}}

A is a list of [key, value], in any order; keys that come twice do count. A value is a list that begins
with its type, so that 1, "1" and 1.5 stay apart and integers keep all their digits: ["empty"],
["string", text], ["bool", true], ["int", decimal text], ["double", bits as 16 hex digits, or "NaN"],
["bytes", hex], ["array", [value...]], ["map", A].
"""

import base64
import json
import math
import struct
import time

import harness

DEADLINE_S = 30
POLL_S = 0.05
MOST_PRINTED = 20


class Number(str):
    """The digits of a number in JSON: text is told from number, and -0 from 0."""


def number_of(value):
    return int(value) if isinstance(value, Number) else value


def double(value):
    """The bits: unlike its text, they tell -0 from 0. The protobuf JSON mapping quotes what JSON lacks."""
    is_quoted = value in ("NaN", "Infinity", "-Infinity")
    if isinstance(value, Number) == is_quoted:
        return f"not a double: {value!r}"
    return "NaN" if math.isnan(float(value)) else struct.pack(">d", float(value)).hex()


VALUES = {
    "stringValue": lambda value: ["string", value],
    "boolValue": lambda value: ["bool", value],
    "intValue": lambda value: ["int written as a number" if isinstance(value, Number) else "int", value],
    "doubleValue": lambda value: ["double", double(value)],
    "bytesValue": lambda value: ["bytes", base64.b64decode(value, validate=True).hex()],
    "arrayValue": lambda value: ["array", [value_of(item) for item in value.get("values", [])]],
    "kvlistValue": lambda value: ["map", attributes_of(value, "values")],
}


def value_of(value):
    """An AnyValue of OTLP JSON."""
    if len(value) != 1:
        return ["several", sorted(value)] if value else ["empty"]
    (kind, content), = value.items()
    return VALUES[kind](content)


def attributes_of(message, key="attributes"):
    return [[item["key"], value_of(item["value"])] for item in message.get(key, [])]


def event_of(event):
    return {"name": event.get("name", ""), "time": event["timeUnixNano"], "attributes": attributes_of(event),
            "dropped": number_of(event.get("droppedAttributesCount", 0))}


def link_of(link):
    return {"traceId": link["traceId"], "spanId": link["spanId"], "traceState": link.get("traceState", ""),
            "flags": number_of(link.get("flags", 0)), "attributes": attributes_of(link),
            "dropped": number_of(link.get("droppedAttributesCount", 0))}


def span_of(span, resource, scope):
    status = span.get("status", {})
    return {
        "traceId": span["traceId"], "spanId": span["spanId"], "parentSpanId": span.get("parentSpanId", ""),
        "traceState": span.get("traceState", ""), "flags": number_of(span.get("flags", 0)),
        "name": span.get("name", ""), "kind": number_of(span.get("kind", 0)),
        "start": span["startTimeUnixNano"], "end": span["endTimeUnixNano"],
        "attributes": attributes_of(span),
        "dropped": [number_of(span.get(f"dropped{what}Count", 0)) for what in ("Attributes", "Events", "Links")],
        "events": [event_of(event) for event in span.get("events", [])],
        "links": [link_of(link) for link in span.get("links", [])],
        "status": [number_of(status.get("code", 0)), status.get("message", "")],
        "resource": resource, "scope": scope,
    }


def spans_of(document):
    for group in document["result"]["resourceSpans"]:
        resource = {"attributes": attributes_of(group.get("resource", {})), "schemaUrl": group.get("schemaUrl", "")}
        for part in group["scopeSpans"]:
            scope = part.get("scope", {})
            scope = {"name": scope.get("name", ""), "version": scope.get("version", ""),
                     "attributes": attributes_of(scope), "schemaUrl": part.get("schemaUrl", "")}
            for span in part["spans"]:
                yield span_of(span, resource, scope)


def fetch(port, trace_id, n_spans, deadline):
    """The spans of a trace as soon as there are so many, or what there is after the deadline."""
    while True:
        status, _, body = harness.request(port, "GET", "/api/v3/traces/" + trace_id)
        found = []
        if status == 200:
            found = list(spans_of(json.loads(body, parse_int=Number, parse_float=Number)))
        if len(found) >= n_spans or time.monotonic() > deadline:
            return found
        time.sleep(POLL_S)


def sorted_attributes(value):
    """The same with its lists of attributes in order."""
    if isinstance(value, list):
        is_map = len(value) == 2 and value[0] == "map"
        return ["map", in_order(value[1])] if is_map else [sorted_attributes(item) for item in value]
    if isinstance(value, dict):
        return {key: in_order(item) if key == "attributes" else sorted_attributes(item) for key, item in value.items()}
    return value


def in_order(attributes):
    return sorted(([key, sorted_attributes(value)] for key, value in attributes), key=json.dumps)


def narrowed(want, got):
    """Of two lists, only what differs."""
    if isinstance(want, list) and isinstance(got, list):
        want, got = [one for one in want if one not in got], [one for one in got if one not in want]
    return json.dumps(want)[:300], json.dumps(got)[:300]


def differences(want, got):
    """A sentence for each field that differs."""
    if want == got:
        return
    want, got = sorted_attributes(want), sorted_attributes(got)
    for key in sorted(want.keys() | got.keys()):
        if want.get(key) != got.get(key):
            sent, found = narrowed(want.get(key), got.get(key))
            yield f"span {want['spanId']} of trace {want['traceId']}: {key}: sent {sent}, came back {found}"


def compare_trace(port, trace_id, wanted, deadline):
    found = fetch(port, trace_id, len(wanted), deadline)
    if len(found) != len(wanted):
        yield f"trace {trace_id}: {len(wanted)} spans sent, {len(found)} came back"
    by_id = {span["spanId"]: span for span in found}
    for span in wanted:
        if span["spanId"] in by_id:
            yield from differences(span, by_id[span["spanId"]])
        else:
            yield f"span {span['spanId']} of trace {trace_id} is missing"


def read_expected(files):
    """{trace id: its spans}"""
    traces = {}
    for path in files:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                span = json.loads(line)
                traces.setdefault(span["traceId"], []).append(span)
    return traces


def compare(port, files, n_spans):
    """True when the files hold so many spans and all came back equal; says on stdout what differs."""
    traces = read_expected(files)
    deadline = time.monotonic() + DEADLINE_S
    problems = [problem for trace_id, wanted in traces.items()
                for problem in compare_trace(port, trace_id, wanted, deadline)]
    n_sent = sum(len(spans) for spans in traces.values())
    if n_sent != n_spans:
        problems.append(f"{n_sent} spans were written down as sent, not {n_spans}")
    for problem in problems[:MOST_PRINTED]:
        print(problem)
    print(f"{n_sent} spans of {len(traces)} traces, {len(problems)} differences", flush=True)
    return not problems
