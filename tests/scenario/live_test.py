#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Live spans: served by an example (JSON by Python's reader, the form of Chrome's trace events, the
spans that run at that moment), and exported by another as pending."""

import json
import os
import subprocess
import time
import unittest

import harness

STOP_TIMEOUT_S = 60


def step(value):
    return {"key": "step", "value": {"stringValue": value}}


class Live(unittest.TestCase):
    def setUp(self):
        self.example = subprocess.Popen([os.path.join(harness.BUILD, "examples", "live_spans"), "0"],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.example.stdout.readline().split(":")[2].split("/")[0])

    def tearDown(self):
        try:
            self.assertEqual(harness.request(self.port, "GET", "/stop")[0], 204)
            self.assertEqual(self.example.wait(STOP_TIMEOUT_S), 0)
        finally:
            if self.example.poll() is None:
                self.example.kill()
                self.example.wait()
            self.example.stdout.close()

    def get_events(self):
        status, headers, body = harness.request(self.port, "GET", "/debug/traces")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        return json.loads(body.decode("utf-8"))

    def test_running_spans_with_any_name(self):
        events = self.get_events()
        *pairs, last = events
        self.assertEqual((last["name"], last["ph"], last["s"]), ("Trace dump requested", "i", "g"))
        begins = {event["name"]: event for event in pairs if event["ph"] == "B"}
        ends = {event["name"]: event for event in pairs if event["ph"] == "E"}
        self.assertEqual(set(begins), {"job", "\"na\u00efve\" step", "GET"})
        self.assertEqual(set(ends), set(begins))
        self.assertEqual(len(pairs), 6)
        for name, begin in begins.items():
            end = ends[name]
            self.assertEqual(begin["id"], end["id"])
            self.assertRegex(begin["id"], "^[0-9a-f]{32}$")
            self.assertEqual((begin["pid"], begin["cat"]), (1, ""))
            self.assertLessEqual(0, begin["ts"])
            self.assertLessEqual(begin["ts"], end["ts"])
        job, step = begins["job"], begins["\"na\u00efve\" step"]
        self.assertEqual((job["id"], job["tid"]), (step["id"], step["tid"]))
        self.assertEqual(step["args"]["parent_span_id"], job["args"]["span_id"])
        self.assertNotEqual(begins["GET"]["id"], job["id"])

    def test_what_ended_is_gone_and_the_rest_goes_on(self):
        first, second = self.get_events(), self.get_events()
        self.assertEqual(len(second), len(first))
        ids = [{event["name"]: event["args"]["span_id"] for event in events[:-1]}
               for events in (first, second)]
        self.assertEqual(ids[0]["job"], ids[1]["job"])
        self.assertNotEqual(ids[0]["GET"], ids[1]["GET"])
        self.assertLessEqual(first[-1]["ts"], second[-1]["ts"])


class Pending(harness.Scenario):
    """The example whose span the collector shows before it ends."""

    def wait_for(self, trace_id, is_as_wanted):
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while True:
            spans = harness.get_trace(self.collector.api, trace_id)
            if spans and is_as_wanted(spans[0]):
                return spans
            self.assertLess(time.monotonic(), deadline, spans)
            time.sleep(0.05)

    def test_a_span_is_there_before_it_ends_and_once_after(self):
        self.start()
        environment = dict(os.environ, OTEL_TRACES_EXPORTER="otlp",
                           OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.collector.otlp}")
        with subprocess.Popen([os.path.join(harness.BUILD, "examples", "pending")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=environment) as example:
            self.addCleanup(example.kill)
            trace_id = example.stdout.readline().strip()
            span, = self.wait_for(trace_id, lambda span: True)
            self.assertEqual((span["name"], span.get("endTimeUnixNano", "0")), ("job", "0"))
            self.assertEqual(span["attributes"], [step("waiting")])
            example.stdin.close()
            self.assertEqual(example.wait(STOP_TIMEOUT_S), 0)
            ended, = self.wait_for(trace_id, lambda span: span.get("endTimeUnixNano", "0") != "0")
        self.assertEqual((ended["spanId"], ended["startTimeUnixNano"]),
                         (span["spanId"], span["startTimeUnixNano"]))
        self.assertGreaterEqual(int(ended["endTimeUnixNano"]), int(ended["startTimeUnixNano"]))
        self.assertEqual(ended["attributes"], [step("done")])


if __name__ == "__main__":
    harness.main()
