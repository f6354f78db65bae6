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
        self.assertEqual(self.call("help", "node").stdout, self.call("components").stdout)
        self.assertEqual(self.call("help", "node", "processor/batch").stdout,
                         self.call("components", "processor/batch").stdout)

    def test_wrong_usage_is_2_and_names_the_nearest(self):
        for arguments, words in [(("srve",), "serve"), (("serve", "--dat", "x"), "--data"),
                                 (("trace", "gte", "1"), "trace get"), (("trace", "get"), "ID"),
                                 (("serve", "--data"), "DIR"), (("run",), "FILE"),
                                 (("components", "exporter/stor"), "exporter/store"),
                                 (("serve", "--http", "0.0.0.0:0"), "--insecure"),
                                 (("sink", "--listen", "0.0.0.0:0"), "--insecure"),
                                 (("trace", "query", "--since", "soon"), "--since soon"),
                                 (("trace", "query", "--until", "2026-02-30T00:00:00Z"), "--until"),
                                 (("trace", "query", "--attribute", "late"), "KEY=VALUE"),
                                 (("trace", "query", "--attribute", "=late"), "KEY=VALUE"),
                                 (("trace", "query", *["--attribute=a=b"] * 17), "--attribute")]:
            done = self.call(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.call().returncode, 2)

    def test_words_that_are_no_option_are_named_as_they_were_given(self):
        for arguments, words in [(("run", "-v"), "unknown option '-v'"),
                                 (("run", "--dta=/x", "f"), "unknown option '--dta'; did you mean '--data'?"),
                                 (("trace", "gte", "1"), "unknown command 'trace gte'"),
                                 (("trace", "absent"), "unknown command 'trace absent'")]:
            done = self.call(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(words, done.stderr)
        done = self.call("run", "--", "-v")
        self.assertEqual(done.returncode, 1)
        self.assertIn("flowtrace: -v: No such file", done.stderr)
        self.assertEqual(self.call("help", "help").stdout, self.call("--help").stdout)

    def test_components_of_the_collectors_form_by_type(self):
        done = self.call("components", "--collector", "otlp")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("receivers::otlp\n", done.stdout)
        self.assertIn("exporters::otlp, exporters::otlp_grpc\n", done.stdout)
        self.assertNotIn("processors::", done.stdout)
        self.assertIn("pipelines", self.call("components", "--collector", "service").stdout)
        done = self.call("components", "--collector", "optl")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("'optl'", done.stderr)

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

    def query(self, collector, *arguments):
        """(ids of the traces found, newest first; what was said beside)"""
        done = self.call("trace", "query", "--server", collector.url(), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line)["traceId"] for line in done.stdout.splitlines()], done.stderr

    def visit(self, hours_ago, name, node, pipeline, event=None, **fields):
        start = time.time_ns() - hours_ago * 3600 * 10**9
        events = [] if event is None else [dict(event, timeUnixNano=str(start))]
        attributes = [{"key": key, "value": {"stringValue": value}}
                      for key, value in (("node.id", node), ("flow.pipeline", pipeline))]
        return new_span(name, traceId=new_id(16), startTimeUnixNano=str(start),
                        endTimeUnixNano=str(start + 1000), events=events, attributes=attributes,
                        **fields)

    def test_query_by_node_pipeline_attribute_and_time(self):
        collector = self.start()
        late = {"name": "flow.drop", "attributes": [
            {"key": "drop.reason", "value": {"stringValue": "late"}},
            {"key": "drop.items", "value": {"intValue": "3"}}]}
        spans = [self.visit(1, "processor/window/sum", "sum", "orders", late),
                 self.visit(3, "exporter/http/out", "out", "orders", status={"code": 2}),
                 self.visit(5, "processor/window/sum", "sum", "bills = \"x\"")]
        spans[2]["attributes"].append({"key": "message.id", "value": {"stringValue": "a=b\\c"}})
        self.assertEqual(send_json(collector.otlp, span_document(spans))[0], 200)
        first, second, third = (span["traceId"] for span in spans)
        middle = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2 * 3600))
        for arguments, expected in [
                ((), [first, second, third]),
                (("--node", "sum"), [first, third]),
                (("--pipeline", "orders"), [first, second]),
                (("--pipeline", "orders", "--node", "sum"), [first]),
                (("--pipeline", 'bills = "x"'), [third]),
                (("--attribute", "drop.reason=late", "--attribute", "drop.items=3"), [first]),
                (("--attribute", "drop.reason=late", "--attribute", "drop.items=4"), []),
                (("--attribute", "event=flow.drop"), [first]),
                (("--attribute", "otelcol.component.id=out"), [second]),
                (("--attribute=message.id=a=b\\c",), [third]),
                (("--attribute", "message.id="), []),
                (("--status", "error", "--pipeline", "orders"), [second]),
                (("--until", "2h"), [second, third]),
                (("--since", "4h", "--until", "2h"), [second]),
                (("--since", middle), [first]),
                (("--until", middle), [second, third]),
                (("--until", "0"), [first, second, third])]:
            self.assertEqual(self.query(collector, *arguments), (expected, ""), arguments)

    def test_a_query_that_a_bound_cut_says_so(self):
        collector = self.start()
        spans = [new_span(traceId=new_id(16)) for _ in range(10_050)]  # docs/jaeger-api.md: 10,000
        self.assertEqual(send_json(collector.otlp, span_document(spans))[0], 200)
        found, said = self.query(collector, "--attribute", "no.such=1")
        self.assertEqual(found, [])
        self.assertIn("incomplete: only the newest traces were searched", said)
        self.assertEqual(self.query(collector, "--limit", "1")[1], "")


if __name__ == "__main__":
    harness.main()
