#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our reading of OTLP logs and metrics with Google's protobuf, and the events that we make
of log records with a conversion written here, on random requests.

usage: signals_differential.py TOOL PROTO_DIR [SEED]
"""
import json
import random
import subprocess
import sys
import unittest

from google.protobuf import json_format

from peer import (DOUBLES, INTEGERS, N_RANDOM, SEED, TEXTS, TOOL, Tool, as_tree, base64_to_hex, canonical,
                  convert_ids, hex_to_base64, random_attribute, random_attributes, random_time, random_value)
import logs_pb2 as logs  # compiled by peer
import metrics_pb2 as metrics
import trace_pb2 as traces

RECEIVED_NS = 9  # as the tool has it
NO_SPAN = "(span not received)"


# --- logs ------------------------------------------------------------------------------------------

def random_id(rng, size):
    if rng.random() < 0.7:
        return rng.choice([b"\1" + rng.randbytes(size - 1), rng.randbytes(size - 1) + b"\1"])
    return rng.choice([b"", bytes(size), rng.randbytes(size - 2)])


def random_record(rng, record):
    record.time_unix_nano = random_time(rng)
    record.observed_time_unix_nano = random_time(rng)
    record.severity_number = rng.choice([0, 1, 24, 300])
    record.severity_text = rng.choice(TEXTS)
    if rng.random() < 0.7:
        record.body.SetInParent()
        random_value(rng, record.body, 0)
    random_attributes(rng, record)
    if rng.random() < 0.3:
        record.attributes.add(key="event.name").value.string_value = rng.choice(TEXTS)
    if rng.random() < 0.1:
        random_attribute(rng, record.attributes.add(key="log.record.body"))
    record.flags = rng.choice([0, 1, 2**32 - 1])
    record.trace_id = random_id(rng, 16)
    record.span_id = random_id(rng, 8)
    record.event_name = rng.choice(["", "", "event", "grüße"])


def random_origin(rng, group):
    group.schema_url = rng.choice(["", "https://a/1"])
    if rng.random() < 0.8:
        origin = group.resource if hasattr(group, "resource") else group.scope
        origin.SetInParent()
        random_attributes(rng, origin)


def random_logs(rng):
    request = logs.ExportLogsServiceRequest()
    for _ in range(rng.randrange(3)):
        resource_logs = request.resource_logs.add()
        random_origin(rng, resource_logs)
        for _ in range(rng.randrange(3)):
            scope_logs = resource_logs.scope_logs.add()
            random_origin(rng, scope_logs)
            for _ in range(rng.randrange(4)):
                random_record(rng, scope_logs.log_records.add())
    return request


def records_of(request):
    return [record for resource_logs in request.resource_logs for scope_logs in resource_logs.scope_logs
            for record in scope_logs.log_records]


def name_of(record):
    """(event name, whether an attribute gave it); the first attribute of that key counts."""
    if record.event_name:
        return record.event_name, False
    for attribute in record.attributes:
        if attribute.key == "event.name":
            return attribute.value.string_value, True
    return "", False


def is_event(record):
    return (name_of(record)[0] != "" and len(record.trace_id) == 16 and any(record.trace_id)
            and len(record.span_id) == 8 and any(record.span_id))


def put_fragment(record, spans):
    time = record.time_unix_nano or record.observed_time_unix_nano or RECEIVED_NS
    span = spans.add(trace_id=record.trace_id, span_id=record.span_id, name=NO_SPAN,
                     start_time_unix_nano=time)
    name, is_attribute = name_of(record)
    event = span.events.add(time_unix_nano=time, name=name,
                            dropped_attributes_count=record.dropped_attributes_count)
    event.attributes.extend(attribute for attribute in record.attributes
                            if not (is_attribute and attribute.key == "event.name"))
    own = {attribute.key for attribute in record.attributes}
    if record.severity_number and "log.record.severity_number" not in own:
        event.attributes.add(key="log.record.severity_number").value.int_value = record.severity_number
    if record.severity_text and "log.record.severity_text" not in own:
        event.attributes.add(key="log.record.severity_text").value.string_value = record.severity_text
    if record.body.WhichOneof("value") and "log.record.body" not in own:
        event.attributes.add(key="log.record.body").value.CopyFrom(record.body)


def fragments_of(request):
    out = traces.ExportTraceServiceRequest()
    for resource_logs in request.resource_logs:
        if not any(is_event(r) for s in resource_logs.scope_logs for r in s.log_records):
            continue
        resource_spans = out.resource_spans.add(schema_url=resource_logs.schema_url)
        if resource_logs.HasField("resource"):
            resource_spans.resource.CopyFrom(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            events = [record for record in scope_logs.log_records if is_event(record)]
            if not events:
                continue
            scope_spans = resource_spans.scope_spans.add(schema_url=scope_logs.schema_url)
            if scope_logs.HasField("scope"):
                scope_spans.scope.CopyFrom(scope_logs.scope)
            for record in events:
                put_fragment(record, scope_spans.spans)
    return out


# --- metrics ---------------------------------------------------------------------------------------

def random_double(rng):
    return rng.choice(DOUBLES)


def random_exemplars(rng, point):
    for _ in range(rng.choice([0, 0, 2])):
        exemplar = point.exemplars.add(time_unix_nano=random_time(rng),
                                       trace_id=rng.choice([b"", rng.randbytes(16)]),
                                       span_id=rng.choice([b"", rng.randbytes(8)]))
        random_attribute(rng, exemplar.filtered_attributes.add())
        if rng.random() < 0.5:
            exemplar.as_int = rng.choice(INTEGERS)


def random_point(rng, point):
    for _ in range(rng.randrange(3)):
        random_attribute(rng, point.attributes.add())
    point.start_time_unix_nano = random_time(rng)
    point.time_unix_nano = random_time(rng)
    point.flags = rng.choice([0, 1])


def random_number_point(rng, point):
    random_point(rng, point)
    random_exemplars(rng, point)
    if rng.random() < 0.5:
        point.as_int = rng.choice(INTEGERS)
    else:
        point.as_double = random_double(rng)


def random_histogram_point(rng, point):
    random_point(rng, point)
    random_exemplars(rng, point)
    point.count = random_time(rng)
    point.bucket_counts.extend(random_time(rng) for _ in range(rng.randrange(4)))
    point.explicit_bounds.extend(random_double(rng) for _ in range(rng.randrange(4)))
    if rng.random() < 0.5:
        point.sum, point.min, point.max = (random_double(rng) for _ in range(3))


def random_exponential_point(rng, point):
    random_point(rng, point)
    random_exemplars(rng, point)
    point.scale = rng.choice([0, -1, 20, -2**31, 2**31 - 1])
    point.zero_count = random_time(rng)
    point.positive.offset = rng.choice([0, -5, 2**31 - 1])
    point.positive.bucket_counts.extend(random_time(rng) for _ in range(rng.randrange(4)))
    point.zero_threshold = random_double(rng)


def random_summary_point(rng, point):
    random_point(rng, point)
    point.sum = random_double(rng)
    for _ in range(rng.randrange(3)):
        point.quantile_values.add(quantile=0.5, value=random_double(rng))


POINTS = {"gauge": random_number_point, "sum": random_number_point, "histogram": random_histogram_point,
          "exponential_histogram": random_exponential_point, "summary": random_summary_point}


def random_metrics(rng):
    """(request, number of data points)."""
    request = metrics.ExportMetricsServiceRequest()
    n_points = 0
    for _ in range(rng.randrange(3)):
        resource_metrics = request.resource_metrics.add()
        random_origin(rng, resource_metrics)
        for _ in range(rng.randrange(3)):
            scope_metrics = resource_metrics.scope_metrics.add()
            random_origin(rng, scope_metrics)
            for _ in range(rng.randrange(4)):
                metric = scope_metrics.metrics.add(name=rng.choice(TEXTS), unit="By")
                random_attribute(rng, metric.metadata.add())
                kind = rng.choice(list(POINTS) + [None])
                for _ in range(rng.randrange(4) if kind else 0):
                    POINTS[kind](rng, getattr(metric, kind).data_points.add())
                    n_points += 1
    return request, n_points


# --- the comparisons -------------------------------------------------------------------------------

def json_of(rng, request):
    tree = convert_ids(json_format.MessageToDict(request), base64_to_hex)
    return json.dumps(tree, ensure_ascii=rng.random() < 0.5).encode()


def expected_sample():
    """What otlp_tool.c encodes as metrics-sample."""
    request = metrics.ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    for owner in (resource_metrics.resource,):
        owner.attributes.add(key="text").value.string_value = "grüß"
        owner.attributes.add(key="empty text").value.string_value = ""
    scope = resource_metrics.scope_metrics.add()
    scope.scope.name, scope.scope.version = "scope", "1.2"
    calls = scope.metrics.add(name="calls", description="grüß", unit="{call}")
    calls.sum.aggregation_temporality, calls.sum.is_monotonic = 2, True
    duration = scope.metrics.add(name="duration")
    duration.histogram.aggregation_temporality = 2
    fine = resource_metrics.scope_metrics.add().metrics.add(name="fine", unit="s")
    fine.exponential_histogram.aggregation_temporality = 2
    counts = [3, 0, 2**64 - 1, 128]
    for _ in range(2):
        point = calls.sum.data_points.add(start_time_unix_nano=1, time_unix_nano=2, as_int=7)
        point.attributes.add(key="text").value.string_value = "grüß"
        point.attributes.add(key="empty text").value.string_value = ""
        point.attributes.add(key="broken").value.string_value = "a\ufffd\ufffd\ufffdz"
        point.attributes.add(key="yes").value.bool_value = True
        point.attributes.add(key="no").value.bool_value = False
        point = duration.histogram.data_points.add(
            start_time_unix_nano=1700000000000000000, time_unix_nano=2**64 - 1, count=130, sum=-0.5,
            bucket_counts=counts, explicit_bounds=[0.5, 1, 1e300])
        point.attributes.add(key="text").value.string_value = "grüß"
        first = metrics.Exemplar(time_unix_nano=5, as_double=0.25, span_id=b"\3".ljust(8, b"\0"),
                                 trace_id=b"\1\2".ljust(16, b"\0"))
        point.exemplars.extend([first, metrics.Exemplar(
            time_unix_nano=2**64 - 1, as_double=0, span_id=b"\xee".ljust(8, b"\0"),
            trace_id=b"\xff".ljust(16, b"\0"))])
        point = fine.exponential_histogram.data_points.add(time_unix_nano=3, count=9, sum=1e300, scale=-4,
                                                           zero_count=6, exemplars=[first])
        point.positive.offset = -300
        point.positive.bucket_counts.extend(counts)
    return request


class Signals(unittest.TestCase):
    def test_our_metrics_are_what_protobuf_reads(self):
        sample = subprocess.run([TOOL, "metrics-sample"], stdout=subprocess.PIPE, check=True).stdout
        found = metrics.ExportMetricsServiceRequest.FromString(sample)
        self.assertEqual(canonical(found), canonical(expected_sample()), found)

    def test_metrics_as_json_are_what_protobuf_reads(self):
        rng, tool = random.Random(SEED), self.tool("metrics-to-json")
        requests = [random_metrics(rng)[0] for _ in range(N_RANDOM)]
        requests.append(expected_sample())
        for i, request in enumerate(requests):
            text = self.accepted(tool(request.SerializeToString()))
            tree = convert_ids(json.loads(text), hex_to_base64)
            found = json_format.Parse(json.dumps(tree), metrics.ExportMetricsServiceRequest())
            self.assertEqual(as_tree(found), as_tree(request), f"request {i}")

    def tool(self, mode):
        tool = Tool(mode)
        self.addCleanup(tool.close)
        return tool

    def accepted(self, answer):
        refused, payload = answer
        self.assertFalse(refused, payload)
        return payload

    def test_log_records_are_counted(self):
        rng, tool = random.Random(SEED), self.tool("logs")
        for i in range(N_RANDOM):
            request = random_logs(rng)
            found = int(self.accepted(tool(request.SerializeToString())))
            self.assertEqual(found, len(records_of(request)), f"request {i}")

    def test_data_points_are_counted(self):
        rng, tool = random.Random(SEED), self.tool("metrics")
        n_all = 0
        for i in range(N_RANDOM):
            request, n_points = random_metrics(rng)
            self.assertEqual(int(self.accepted(tool(request.SerializeToString()))), n_points, f"request {i}")
            n_all += n_points
        self.assertGreater(n_all, N_RANDOM)

    def test_logs_from_json(self):
        rng, tool = random.Random(SEED + 1), self.tool("logs-from-json")
        for i in range(N_RANDOM):
            request = random_logs(rng)
            found = logs.ExportLogsServiceRequest.FromString(self.accepted(tool(json_of(rng, request))))
            for record in records_of(request):  # a wrong length says no more than none
                record.trace_id = record.trace_id if len(record.trace_id) == 16 else b""
                record.span_id = record.span_id if len(record.span_id) == 8 else b""
            self.assertEqual(canonical(found), canonical(request), f"request {i}")

    def test_metrics_from_json(self):
        rng, tool = random.Random(SEED + 1), self.tool("metrics-from-json")
        for i in range(N_RANDOM):
            request, _ = random_metrics(rng)
            found = self.accepted(tool(json_of(rng, request)))
            self.assertEqual(canonical(metrics.ExportMetricsServiceRequest.FromString(found)),
                             canonical(request), f"request {i}")

    def check_to_json(self, mode, make, message_type):
        rng, tool = random.Random(SEED + 4), self.tool(mode)
        for i in range(N_RANDOM):
            request = make(rng)
            tree = json.loads(self.accepted(tool(request.SerializeToString())))
            found = json_format.ParseDict(convert_ids(tree, hex_to_base64), message_type())
            for record in records_of(request) if message_type is logs.ExportLogsServiceRequest else ():
                record.trace_id = record.trace_id if len(record.trace_id) == 16 else b""
                record.span_id = record.span_id if len(record.span_id) == 8 else b""
            self.assertEqual(canonical(found), canonical(request), f"request {i}")

    def test_logs_to_json(self):
        self.check_to_json("logs-to-json", random_logs, logs.ExportLogsServiceRequest)

    def test_metrics_to_json(self):
        self.check_to_json("metrics-to-json", lambda rng: random_metrics(rng)[0],
                           metrics.ExportMetricsServiceRequest)

    def test_events_of_log_records(self):
        rng, tool = random.Random(SEED + 2), self.tool("log-events")
        n_events = 0
        for i in range(N_RANDOM):
            request = random_logs(rng)
            found = traces.ExportTraceServiceRequest.FromString(
                self.accepted(tool(request.SerializeToString())))
            self.assertEqual(canonical(found), canonical(fragments_of(request)), f"request {i}")
            n_events += sum(map(is_event, records_of(request)))
        self.assertGreater(n_events, 50)

    def check_damaged(self, mode, make, message_type):
        """What we accept of damaged bytes Google accepts."""
        rng, tool = random.Random(SEED + 3), self.tool(mode)
        n_accepted = 0
        for _ in range(N_RANDOM * 5):
            damaged = bytearray(make(rng).SerializeToString())
            if not damaged or len(damaged) > 5000:
                continue
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            refused, text = tool(bytes(damaged))
            if refused:
                self.assertRegex(text, rb"^[^ ]+: .+")
                continue
            n_accepted += 1
            message_type.FromString(bytes(damaged))
        self.assertGreater(n_accepted, 100)

    def test_damaged_logs(self):
        self.check_damaged("logs", random_logs, logs.ExportLogsServiceRequest)

    def test_damaged_metrics(self):
        self.check_damaged("metrics", lambda rng: random_metrics(rng)[0], metrics.ExportMetricsServiceRequest)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
