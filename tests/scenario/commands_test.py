# SPDX-License-Identifier: Apache-2.0
"""The command line: help on every level, wrong usage, trace get and trace query."""

import json
import subprocess
import time

import harness
from harness import Scenario, new_id, new_span, send_json, span_document


class Commands(Scenario):
    def call(self, *arguments):
        return subprocess.run([harness.program(), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)

    def test_help_on_every_level(self):
        top = self.call("--help")
        self.assertEqual(top.returncode, 0)
        for command in ("serve", "run", "validate", "components", "env", "demo", "sink", "trace get",
                        "trace query"):
            self.assertIn(command, top.stdout)
            done = self.call(*command.split(), "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""), command)
            self.assertTrue(done.stdout.startswith(f"usage: flowtrace {command}"))
        self.assertEqual(self.call("trace", "--help").returncode, 0)
        self.assertEqual(self.call("help", "serve").returncode, 0)
        self.assertEqual(self.call("help", "trace", "get").returncode, 0)

    def test_wrong_usage_is_2_and_names_the_nearest(self):
        for arguments, words in [(("srve",), "serve"), (("serve", "--dat", "x"), "--data"),
                                 (("trace", "gte", "1"), "trace get"), (("trace", "get"), "ID"),
                                 (("serve", "--data"), "DIR"), (("run",), "FILE"),
                                 (("components", "exporter/stor"), "exporter/store"),
                                 (("serve", "--http", "0.0.0.0:0"), "--insecure"),
                                 (("sink", "--listen", "0.0.0.0:0"), "--insecure"),
                                 (("trace", "query", "--since", "soon"), "--since")]:
            done = self.call(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.call().returncode, 2)

    def test_no_collector_is_said_so(self):
        done = self.call("trace", "get", "1", "--server", "http://127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("flowtrace serve", done.stderr)

    def test_trace_get_and_query(self):
        collector = self.start()
        trace_id, root_id = new_id(16), new_id(8)
        now = time.time_ns()
        root = new_span("receiver/files/read", traceId=trace_id, spanId=root_id,
                        startTimeUnixNano=str(now), endTimeUnixNano=str(now + 1_500_000_000),
                        events=[{"timeUnixNano": str(now), "name": "control/ack"}])
        child = new_span("exporter/http/deliver", traceId=trace_id, parentSpanId=root_id,
                         startTimeUnixNano=str(now + 1000), endTimeUnixNano=str(now + 2_000_000),
                         status={"code": 2, "message": "the server answered 503\x1b[31m"},
                         attributes=[
                             {"key": "latency.ms", "value": {"doubleValue": 1.25}},
                             {"key": "flow.queue.wait_ms", "value": {"doubleValue": 0.5}}])
        self.assertEqual(send_json(collector.otlp, span_document([child, root], "docs"))[0], 200)
        server = ("--server", collector.url())

        done = self.call("trace", "get", trace_id, *server)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resourceSpans", json.loads(done.stdout))

        done = self.call("trace", "get", trace_id, "--tree", *server)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], f"Trace: {trace_id}")
        for line in lines:
            self.assertLessEqual(len(line), 80, line)
        tree = done.stdout
        self.assertRegex(tree, r"(?m)^└─ \[Span\] receiver/files/read +1\.50 s +- +-$")
        self.assertRegex(tree,
                         r"(?m)^   └─ \[Span\] exporter/http/deliver +2\.00 ms +1\.25 ms +500 us$")
        self.assertIn("Events: control/ack", tree)
        self.assertIn("ERROR: the server answered 503\\x1b[31m", tree)
        self.assertNotIn("\x1b", tree)

        done = self.call("trace", "query", "--service", "docs", "--status", "error", "--since",
                         "1h", *server)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(f["traceId"], f["service"], f["name"], f["spans"], f["errors"],
                           f["durationNs"]) for f in found],
                         [(trace_id, "docs", "receiver/files/read", 2, 1, 1_500_000_000)])
        self.assertEqual(self.call("trace", "query", "--service", "none", *server).stdout, "")
        missing = self.call("trace", "get", new_id(16), *server)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("no span of trace", missing.stderr)


if __name__ == "__main__":
    harness.main()
