# SPDX-License-Identifier: Apache-2.0
"""Jaeger's two query APIs as docs/jaeger-api.md lists them: what Jaeger's UI and Grafana's data
source ask for, and every field that they read."""

import base64
import json
import os
import time
import urllib.parse

import harness
from harness import Scenario, get_json, new_id, new_span, protobuf_request, protobuf_span, request, send_json

US = 1000
MS = 1000 * US
S = 1000 * MS


def resource(service, spans, **attributes):
    return {"resource": {"attributes": [attribute("service.name", service)]
                         + [attribute(k, v) for k, v in attributes.items()]},
            "scopeSpans": [{"scope": {"name": "lib", "version": "1.2"}, "spans": spans}]}


def attribute(key, value):
    return {"key": key, "value": any_value(value)}


def any_value(value):
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return {kinds[type(value)]: value}


def tags_of(tags):
    return {tag["key"]: (tag["type"], tag["value"]) for tag in tags}


class Jaeger(Scenario):
    def setUp(self):
        super().setUp()
        self.collector = self.start()
        self.now = time.time_ns() // S * S

    def send(self, *resources):
        status, _, body = send_json(self.collector.otlp, {"resourceSpans": list(resources)})
        self.assertEqual((status, json.loads(body)), (200, {}))

    def get(self, path, expected=200, **parameters):
        if parameters:
            path += "?" + urllib.parse.urlencode(parameters, doseq=True)
        status, document = get_json(self.collector.api, path)
        self.assertEqual(status, expected, document)
        return document

    def items(self, path, **parameters):
        document = self.get(path, **parameters)
        self.assertEqual(sorted(document), ["data", "errors", "limit", "offset", "total"])
        self.assertIsNone(document["errors"])
        self.assertEqual((document["total"], document["limit"], document["offset"]),
                         (len(document["data"]), 0, 0))
        return document["data"]

    def ids(self, **parameters):
        return [trace["traceID"] for trace in self.items("/api/traces", **parameters)]

    def step(self, name="step", age_s=10, took_us=1500, **fields):
        start = self.now - int(age_s * S)
        return new_span(name, startTimeUnixNano=str(start),
                        endTimeUnixNano=str(start + took_us * US), **fields)

    def refused(self, path, status, words):
        answer = self.get(path, expected=status)
        self.assertEqual(sorted(answer), ["data", "errors", "limit", "offset", "total"])
        self.assertIsNone(answer["data"])
        self.assertEqual(answer["errors"][0]["code"], status)
        self.assertIn(words, answer["errors"][0]["msg"], path)

    # --- one trace, field by field

    def test_every_field_of_a_trace(self):
        other, link = new_id(16), new_id(8)
        root = self.step("GET /\u00e9\U0001f600", kind=2, flags=1, traceState="k=v",
                         status={"code": 2, "message": "boom"},
                         attributes=[attribute("s", "\u6f22"), attribute("b", True),
                                     attribute("i", -5), attribute("big", 2**53),
                                     attribute("f", 1.25), attribute("x", b"\x00\xff"),
                                     attribute("a", [1, "t"])])
        start = int(root["startTimeUnixNano"])
        root["events"] = [{"timeUnixNano": str(start + 7 * US), "name": "retry",
                           "attributes": [attribute("n", 2)]}]
        root["links"] = [{"traceId": other, "spanId": link}]
        child = self.step("query", kind=3, traceId=root["traceId"], parentSpanId=root["spanId"])
        self.send(resource("front", [root], host="h1"), resource("back", [child]))
        [trace] = self.items("/api/traces/" + root["traceId"])
        self.assertEqual(sorted(trace), ["processes", "spans", "traceID", "warnings"])
        self.assertEqual((trace["traceID"], trace["warnings"]), (root["traceId"], None))
        spans = {span["spanID"]: span for span in trace["spans"]}
        span = spans[root["spanId"]]
        self.assertEqual(sorted(span), ["duration", "flags", "logs", "operationName", "processID",
                                        "references", "spanID", "startTime", "tags", "traceID",
                                        "warnings"])
        self.assertEqual((span["traceID"], span["operationName"], span["flags"]),
                         (root["traceId"], root["name"], 1))
        self.assertEqual((span["startTime"], span["duration"]), (start // US, 1500))
        self.assertEqual(tags_of(span["tags"]), {
            "otel.scope.name": ("string", "lib"), "otel.scope.version": ("string", "1.2"),
            "s": ("string", "\u6f22"), "b": ("bool", True), "i": ("int64", -5),
            "big": ("int64", str(2**53)), "f": ("float64", 1.25), "x": ("binary", "AP8="),
            "a": ("string", '[1,"t"]'), "span.kind": ("string", "server"),
            "otel.status_code": ("string", "ERROR"), "error": ("bool", True),
            "otel.status_description": ("string", "boom"), "w3c.tracestate": ("string", "k=v")})
        self.assertEqual(span["logs"], [{"timestamp": start // US + 7, "fields": [
            {"key": "event", "type": "string", "value": "retry"},
            {"key": "n", "type": "int64", "value": 2}]}])
        self.assertEqual(span["references"],
                         [{"refType": "FOLLOWS_FROM", "traceID": other, "spanID": link}])
        self.assertEqual(spans[child["spanId"]]["references"],
                         [{"refType": "CHILD_OF", "traceID": root["traceId"],
                           "spanID": root["spanId"]}])
        process = trace["processes"][span["processID"]]
        self.assertEqual(process, {"serviceName": "front", "tags": [
            {"key": "host", "type": "string", "value": "h1"}]})
        self.assertEqual(
            trace["processes"][spans[child["spanId"]]["processID"]]["serviceName"], "back")
        self.assertEqual(sorted(trace["processes"]), ["p1", "p2"])

    def test_ids_in_the_forms_jaeger_takes(self):
        span = self.step(traceId="00000000000000000000000000abcdef")
        self.send(resource("a", [span]))
        long_id = base64.urlsafe_b64encode(bytes.fromhex(span["traceId"])).decode().rstrip("=")
        for text in ("abcdef", "ABCDEF", "0abcdef", span["traceId"], long_id):
            [trace] = self.items("/api/traces/" + text)
            self.assertEqual(trace["traceID"], span["traceId"])
        [trace] = self.items("/api/traces/abcdef", start="1", end="2", raw="true",
                            prettyPrint="true")
        self.assertEqual(len(trace["spans"]), 1)

    def test_500_spans(self):
        trace_id = new_id(16)
        root = self.step("root", traceId=trace_id)
        spans = [root] + [self.step(f"s{i}", traceId=trace_id, parentSpanId=root["spanId"])
                          for i in range(499)]
        self.send(resource("many", spans))
        [trace] = self.items("/api/traces/" + trace_id)
        self.assertEqual(sorted(s["operationName"] for s in trace["spans"]),
                         sorted(s["name"] for s in spans))
        self.assertEqual(list(trace["processes"]), ["p1"])
        self.assertEqual(len(self.items("/api/services/many/operations")), 500)

    # --- names

    def test_services_and_operations(self):
        first = self.step("get", kind=2)
        self.send(resource("a/b c", [first, self.step("get", kind=3), self.step("idle", kind=0)]),
                  resource("z", [self.step("other", kind=5)]),
                  resource("y", [self.step("get", kind=4, traceId=first["traceId"])]))
        self.assertEqual(self.items("/api/services"), ["a/b c", "y", "z"])
        quoted = urllib.parse.quote("a/b c", safe="")
        self.assertEqual(self.items(f"/api/services/{quoted}/operations"), ["get", "idle"])
        self.assertEqual(self.items("/api/services/none/operations"), [])
        self.assertEqual(self.items("/api/operations", service="a/b c"), [
            {"name": "get", "spanKind": "server"}, {"name": "get", "spanKind": "client"},
            {"name": "idle", "spanKind": ""}])
        self.assertEqual(self.items("/api/operations", service="a/b c", spanKind="server"),
                         [{"name": "get", "spanKind": "server"}])
        v3 = self.get("/api/v3/operations", service="a/b c")
        self.assertEqual(v3, {"operations": [
            {"name": "get", "spanKind": "server"}, {"name": "get", "spanKind": "client"},
            {"name": "idle", "spanKind": "internal"}]})
        for name in ("spanKind", "span_kind"):
            v3 = self.get("/api/v3/operations", **{"service": "z", name: "consumer"})
            self.assertEqual(v3, {"operations": [{"name": "other", "spanKind": "consumer"}]})
        self.assertEqual(self.get("/api/v3/operations", service="z", spanKind="server"),
                         {"operations": []})

    # --- search

    def test_search_by_each_parameter(self):
        old = self.step("read", age_s=7200, took_us=100)
        slow = self.step("read", age_s=60, took_us=500_000)
        new = self.step("write", age_s=5, took_us=2000)
        self.send(resource("svc", [old, slow, new]), resource("else", [self.step()]))
        old, slow, new = (span["traceId"] for span in (old, slow, new))
        self.assertEqual(self.ids(service="svc"), [new, slow, old])
        self.assertEqual(self.ids(service="none"), [])
        self.assertEqual(self.ids(service="svc", operation="read"), [slow, old])
        self.assertEqual(self.ids(service="svc", limit=1), [new])
        self.assertEqual(self.ids(service="svc", limit=2), [new, slow])
        self.assertEqual(self.ids(service="svc", minDuration="2ms"), [new, slow])
        self.assertEqual(self.ids(service="svc", maxDuration="2ms"), [new, old])
        self.assertEqual(self.ids(service="svc", minDuration="1ms", maxDuration="0.1s"), [new])
        self.assertEqual(self.ids(service="svc", lookback="1h"), [new, slow])
        start = (self.now - 60 * S) // US
        self.assertEqual(self.ids(service="svc", start=start, end=start), [slow])
        self.assertEqual(self.ids(service="svc", start=start + 1), [new])
        self.assertEqual(self.ids(service="svc", end=start, lookback="custom"), [slow, old])
        # As Grafana and the UI write it: everything at once, empty ones too.
        self.assertEqual(self.ids(service="svc", operation="", tags="", minDuration="",
                                  maxDuration="", limit=20, lookback="2d", start=start,
                                  end=self.now // US), [new, slow])

    def test_search_by_tags(self):
        start = self.now - 10 * S
        hit = self.step(kind=2, status={"code": 2},
                        attributes=[attribute("http.status_code", 500),
                                    attribute("ok", False), attribute("q", "a:b \u00e9")])
        hit["events"] = [{"timeUnixNano": str(start), "name": "retry",
                          "attributes": [attribute("why", "slow")]}]
        miss = self.step(kind=3, attributes=[attribute("http.status_code", 200)])
        self.send(resource("svc", [hit], host="h1"), resource("svc", [miss], host="h2"))
        hit, miss = hit["traceId"], miss["traceId"]
        for tags, expected in [
                ({"http.status_code": "500"}, [hit]), ({"http.status_code": 500}, [hit]),
                ({"http.status_code": "50"}, []), ({"http.status_code": "200"}, [miss]),
                ({"error": "true"}, [hit]), ({"error": True}, [hit]), ({"error": "false"}, [miss]),
                ({"span.kind": "server"}, [hit]), ({"otel.status_code": "ERROR"}, [hit]),
                ({"ok": "false", "host": "h1"}, [hit]), ({"ok": "false", "host": "h2"}, []),
                ({"event": "retry"}, [hit]), ({"why": "slow"}, [hit]), ({"q": "a:b \u00e9"}, [hit]),
                ({"error": "true", "http.status_code": "200"}, [])]:
            self.assertEqual(self.ids(service="svc", tags=json.dumps(tags)), expected, tags)
            v3 = self.get("/api/v3/trace-summaries", **{"query.attributes": json.dumps(tags)})
            self.assertEqual([s["traceId"] for s in v3["summaries"]], expected, tags)
        self.assertEqual(self.ids(service="svc", tag="http.status_code:500"), [hit])
        self.assertEqual(self.ids(service="svc", tag=["q:a:b \u00e9", "host:h1"]), [hit])
        self.assertEqual(self.ids(service="svc", tag=["q:a:b \u00e9", "host:h2"]), [])
        self.assertEqual(len(self.ids(service="svc", tags='{"otel.scope.name":"lib"}')), 2)
        self.assertEqual(self.ids(service="svc", tags='{"otel.scope.name":"lib"}', limit=1),
                         self.ids(service="svc", limit=1))

    def test_several_ids_at_once(self):
        spans = [self.step(), self.step()]
        self.send(resource("svc", spans))
        ids, gone = [span["traceId"] for span in spans], new_id(16)
        self.assertEqual(self.ids(traceID=ids), ids)
        answer = self.get("/api/traces", traceID=[ids[0], gone])
        self.assertEqual([trace["traceID"] for trace in answer["data"]], ids[:1])
        self.assertEqual(answer["errors"], [{"msg": "trace not found", "traceID": gone}])

    def test_a_trace_too_large_to_answer_says_so(self):
        trace_id, start = os.urandom(16), time.time_ns()
        path = "/api/v3/traces/" + trace_id.hex()
        for n_spans, is_cut in ((100_000, False), (1, True)):
            spans = [protobuf_span(trace_id, os.urandom(8), "x", start, start + 1) for _ in range(n_spans)]
            status, _, body = request(self.collector.otlp, "POST", "/v1/traces", protobuf_request(spans),
                                      {"Content-Type": "application/x-protobuf"}, timeout=100)
            self.assertEqual(status, 200, body)
            status, headers, _ = request(self.collector.api, "HEAD", path, timeout=100)
            self.assertEqual(status, 200)
            self.assertEqual("flowtrace-incomplete" in headers, is_cut)

    def test_errors_are_in_the_envelope(self):
        for path, status, words in [
                ("/api/traces/xyz", 400, "hex digits"),
                ("/api/traces/" + new_id(16), 404, "trace not found"),
                ("/api/traces/" + new_id(16) + "?start=soon", 400, "start"),
                ("/api/traces", 400, "'service' is required"),
                ("/api/traces?traceID=xyz", 400, "traceID"),
                ("/api/traces?service=a&start=soon", 400, "start"),
                ("/api/traces?service=a&end=-1", 400, "end"),
                ("/api/traces?service=a&limit=many", 400, "limit"),
                ("/api/traces?service=a&limit=10001", 400, "limit"),
                ("/api/traces?service=a&minDuration=fast", 400, "minDuration"),
                ("/api/traces?service=a&minDuration=2s&maxDuration=1s", 400, "maxDuration"),
                ("/api/traces?service=a&tag=x", 400, "key:value"),
                ("/api/traces?service=a&tags=x", 400, "'tags'"),
                ("/api/traces?service=a&tags=%7B%22a%22%3A%7B%7D%7D", 400, "'tags'"),
                ("/api/operations", 400, "'service' is required"),
                ("/api/operations?service=a&spanKind=x", 400, "spanKind"),
                ("/api/services/a", 404, "operations"),
                ("/api/dependencies?endTs=x", 400, "endTs"),
                ("/api/dependencies?lookback=1h", 400, "lookback"),
                ("/api/metrics/calls?service=a", 501, "metrics")]:
            self.refused(path, status, words)

    def test_what_cannot_be_decoded_is_not_ignored(self):
        for path in ("/api/traces?service=a&tag=%zz", "/api/v3/traces?query.searchDepth=%2"):
            error = self.get(path, expected=400)["error"]
            self.assertEqual((error["httpCode"], error["message"]),
                             (400, "malformed escape in the query"))

    # --- dependencies

    def test_dependencies(self):
        for age_s in (10, 3600):
            root = self.step("root", age_s=age_s)
            ours = dict(traceId=root["traceId"], age_s=age_s)
            inner = self.step("inner", parentSpanId=root["spanId"], **ours)
            calls = [self.step("call", parentSpanId=inner["spanId"], **ours) for _ in range(2)]
            deep = self.step("deep", parentSpanId=calls[0]["spanId"], **ours)
            orphan = self.step("orphan", parentSpanId=new_id(8), **ours)
            self.send(resource("front", [root, inner]), resource("back", calls + [orphan]),
                      resource("db", [deep]))
        end = self.now // MS

        def links(**parameters):
            return [(link["parent"], link["child"], link["callCount"])
                    for link in self.items("/api/dependencies", **parameters)]

        self.assertEqual(links(endTs=end, lookback=60_000),
                         [("back", "db", 1), ("front", "back", 2)])
        self.assertEqual(links(endTs=end, lookback=7 * 24 * 3600 * 1000),
                         [("back", "db", 2), ("front", "back", 4)])
        self.assertEqual(links(endTs=end - 3_000_000, lookback=60_000), [])
        self.assertEqual(links(), [("back", "db", 2), ("front", "back", 4)])

    # --- v3

    def test_summaries(self):
        root = self.step("root", age_s=10, took_us=9000, kind=2)
        ours = dict(traceId=root["traceId"])
        failed = self.step("call", age_s=9, took_us=1, parentSpanId=root["spanId"],
                           status={"code": 2}, **ours)
        orphan = self.step("orphan", age_s=8, took_us=3, parentSpanId=new_id(8), **ours)
        self.send(resource("front", [root]), resource("back", [failed, orphan]))
        expected = {
            "traceId": root["traceId"], "rootServiceName": "front", "rootOperationName": "root",
            "minStartTimeUnixNano": root["startTimeUnixNano"],
            "maxEndTimeUnixNano": orphan["endTimeUnixNano"],
            "spanCount": 3, "errorSpanCount": 1, "orphanSpanCount": 1,
            "services": [{"name": "back", "spanCount": 2, "errorSpanCount": 1},
                         {"name": "front", "spanCount": 1, "errorSpanCount": 0}]}
        # As the UI of 2026 asks: ISO times with milliseconds, depth, durations, attributes.
        stamp = "%Y-%m-%dT%H:%M:%S.000Z"
        window = {"query.startTimeMin": time.strftime(stamp, time.gmtime(self.now / S - 60)),
                  "query.startTimeMax": time.strftime(stamp, time.gmtime(self.now / S)),
                  "query.searchDepth": "20"}
        answer = self.get("/api/v3/trace-summaries", **{"query.serviceName": "back",
                                                        "query.operationName": "call",
                                                        "query.durationMax": "1ms",
                                                        "query.attributes": '{"error":"true"}'},
                          **window)
        self.assertEqual(answer, {"summaries": [expected]})
        self.assertEqual(self.get("/api/v3/trace-summaries", **{"query.service_name": "none"}),
                         {"summaries": []})

    def test_v3_traces_take_attributes_times_and_both_spellings(self):
        span = self.step("read", attributes=[attribute("n", 7)])
        self.send(resource("svc", [span]), resource("svc", [self.step("read")]))
        for service in ("query.serviceName", "query.service_name"):
            found = harness.find_spans(self.collector.api, "/api/v3/traces?" + urllib.parse.urlencode(
                {service: "svc", "query.attributes": '{"n":"7"}'}))
            self.assertEqual([s["spanId"] for s in found], [span["spanId"]])
        for times in ("start_time=2026-01-01T00:00:00Z&end_time=2026-01-02T00:00:00Z",
                      "startTime=2026-01-01T00:00:00Z"):
            found = harness.find_spans(self.collector.api,
                                       f"/api/v3/traces/{span['traceId']}?{times}")
            self.assertEqual([s["spanId"] for s in found], [span["spanId"]])
        for path, words in [(f"/api/v3/traces/{span['traceId']}?start_time=soon", "startTime"),
                            ("/api/v3/traces?query.attributes=x", "query.attributes"),
                            ("/api/v3/trace-summaries?query.searchDepth=0", "query.searchDepth"),
                            ("/api/v3/operations?service=a&spanKind=x", "spanKind")]:
            error = self.get(path, expected=400)["error"]
            self.assertEqual(error["httpCode"], 400)
            self.assertIn(words, error["message"])

    def test_the_same_after_a_restart(self):
        span = self.step("kept", attributes=[attribute("n", 7)])
        self.send(resource("svc", [span]))
        before = self.items("/api/traces/" + span["traceId"])
        self.collector.stop()
        self.collector = self.start()
        self.assertEqual(self.items("/api/traces/" + span["traceId"]), before)
        self.assertEqual(self.ids(service="svc", tags='{"n":"7"}'), [span["traceId"]])


if __name__ == "__main__":
    harness.main()
