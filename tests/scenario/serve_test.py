# SPDX-License-Identifier: Apache-2.0
"""flowtrace serve as a user meets it: a span in, the same span out, also after a crash."""

import gzip
import json
import os
import time

import harness
from harness import (Scenario, get_json, get_trace, find_spans, new_id, new_span, protobuf_request,
                     protobuf_span, request, send_json, span_document)


class Serve(Scenario):
    def test_a_json_span_is_readable_at_once_and_after_kill_9(self):
        collector = self.start()
        span = new_span("checkout", attributes=[
            {"key": "n", "value": {"intValue": "9223372036854775807"}},
            {"key": "none", "value": {"arrayValue": {"values": []}}},
            {"key": "face", "value": {"stringValue": "\U0001f600"}}])
        status, headers, body = send_json(collector.otlp, span_document([span]))
        self.assertEqual((status, headers["content-type"], json.loads(body)),
                         (200, "application/json", {}))
        self.check(collector, span)
        collector.kill()
        self.check(self.start(), span)

    def check(self, collector, span):
        found = get_trace(collector.api, span["traceId"])
        self.assertEqual(len(found), 1)
        for key in ("traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                    "attributes"):
            self.assertEqual(found[0][key], span[key], key)

    def test_protobuf_plain_and_gzip(self):
        collector = self.start()
        for encoding in (None, "gzip"):
            trace_id, span_id = os.urandom(16), os.urandom(8)
            now = time.time_ns()
            body = protobuf_request([protobuf_span(trace_id, span_id, "parse", now, now + 5)])
            headers = {"Content-Type": "application/x-protobuf"}
            if encoding:
                body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
            status, answer_headers, answer = request(collector.otlp, "POST", "/v1/traces", body,
                                                     headers)
            self.assertEqual((status, answer), (200, b""))
            self.assertEqual(answer_headers["content-type"], "application/x-protobuf")
            found = get_trace(collector.api, trace_id.hex())
            self.assertEqual([s["spanId"] for s in found], [span_id.hex()])

    def test_an_empty_request_is_accepted(self):
        collector = self.start()
        self.assertEqual(send_json(collector.otlp, {})[0], 200)
        status, _, body = request(collector.otlp, "POST", "/v1/traces", b"",
                                  {"Content-Type": "application/x-protobuf"})
        self.assertEqual((status, body), (200, b""))

    def test_search_by_each_condition(self):
        collector = self.start()
        now = time.time_ns()

        def make(name, service, age_s, took_ms, code):
            start = now - int(age_s * 1e9)
            span = new_span(name, startTimeUnixNano=str(start),
                            endTimeUnixNano=str(start + int(took_ms * 1e6)), status={"code": code})
            self.assertEqual(send_json(collector.otlp, span_document([span], service))[0], 200)
            return span["traceId"]

        quick = make("read", "alpha", 10, 1, 0)
        slow = make("read", "alpha", 60, 500, 0)
        failed = make("write", "alpha", 30, 20, 2)
        other = make("read", "beta", 20, 2, 1)

        def search(**conditions):
            path = "/api/v3/traces?" + "&".join(
                f"query.{key}={value}" for key, value in conditions.items())
            order = []
            for span in find_spans(collector.api, path):
                if span["traceId"] not in order:
                    order.append(span["traceId"])
            return order

        def at(age_s):
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now / 1e9 - age_s))

        self.assertEqual(search(serviceName="alpha"), [quick, failed, slow])
        self.assertEqual(search(service_name="beta"), [other])
        self.assertEqual(search(serviceName="alpha", operationName="write"), [failed])
        self.assertEqual(search(status="error"), [failed])
        self.assertEqual(search(status="ok"), [quick, other, slow])
        self.assertEqual(search(durationMin="100ms"), [slow])
        self.assertEqual(search(durationMax="5ms"), [quick, other])
        self.assertEqual(search(startTimeMin=at(25)), [quick, other])
        self.assertEqual(search(startTimeMax=at(25)), [failed, slow])
        self.assertEqual(search(searchDepth="2"), [quick, other])
        self.assertEqual(search(serviceName="gamma"), [])
        self.assertEqual(get_json(collector.api, "/api/v3/services")[1],
                         {"services": ["alpha", "beta"]})
        self.assertEqual(get_json(collector.api, "/api/v3/operations?service=alpha")[1],
                         {"operations": [{"name": "read", "spanKind": "internal"},
                                         {"name": "write", "spanKind": "internal"}]})

    def test_bad_questions_get_answers_that_help(self):
        collector = self.start()
        for path, status, words in [
                ("/api/v3/traces/xyz", 400, "hex digits"),
                ("/api/v3/traces/" + "0" * 33, 400, "32 hex digits"),
                ("/api/v3/traces/" + new_id(16), 404, "no span of trace"),
                ("/api/v3/traces?query.durationMin=fast", 400, "query.durationMin"),
                ("/api/v3/traces?query.startTimeMin=yesterday", 400, "query.startTimeMin"),
                ("/api/v3/traces?query.searchDepth=0", 400, "query.searchDepth"),
                ("/api/v3/traces?query.status=bad", 400, "query.status"),
                ("/api/v3/operations", 400, "service"),
                ("/nothing", 404, "/api/v3/")]:
            found, document = get_json(collector.api, path)
            self.assertEqual(found, status, path)
            self.assertEqual(document["error"]["httpCode"], status)
            self.assertIn(words, document["error"]["message"])

    def test_another_sites_name_is_refused_on_the_api(self):
        collector = self.start()
        status, _, _ = request(collector.api, "GET", "/api/v3/services",
                               headers={"Host": "evil.example"})
        self.assertEqual(status, 403)

    def test_sigterm_drains_and_keeps_everything(self):
        collector = self.start()
        spans = [new_span(f"step-{i}") for i in range(50)]
        for span in spans:
            self.assertEqual(send_json(collector.otlp, span_document([span]))[0], 200)
        self.assertEqual(collector.stop(), 0)
        collector = self.start()
        for span in spans:
            self.assertEqual(len(get_trace(collector.api, span["traceId"])), 1)

    def test_a_log_smaller_than_a_block_makes_room_by_itself(self):
        graph = os.path.join(self.folder.name, "graph.yaml")
        with open(graph, "w", encoding="utf-8") as file:
            file.write("nodes:\n"
                       "  otlp: {type: receiver/otlp, config: {grpc: 'off', http: '127.0.0.1:0'}}\n"
                       "  log: {type: processor/wal, config: {limit: 1MiB}}\n"
                       "  store: {type: exporter/store}\n"
                       "connections: [{from: otlp, to: log}, {from: log, to: store}]\n")
        collector = self.start(["--config", graph])
        spans = [new_span("x" * (100 << 10)) for _ in range(20)]
        deadline = time.monotonic() + 60
        n_refused = 0
        for span in spans:
            while send_json(collector.otlp, span_document([span]))[0] != 200:
                n_refused += 1
                self.assertLess(time.monotonic(), deadline, "the log stays full")
                time.sleep(0.05)
        self.assertGreater(n_refused, 0)
        for span in spans:
            self.assertEqual(len(get_trace(collector.api, span["traceId"])), 1)

    def test_a_second_process_on_the_same_data_is_refused(self):
        self.start()
        with self.assertRaisesRegex(AssertionError, "did not start.*1"):
            harness.Collector(self.data)


if __name__ == "__main__":
    harness.main()
