#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The example that serves its live spans: JSON by Python's reader, the form of Chrome's trace
events, and the spans that run at that moment."""

import json
import os
import subprocess
import unittest

import harness

STOP_TIMEOUT_S = 60


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


if __name__ == "__main__":
    harness.main()
