# SPDX-License-Identifier: Apache-2.0
"""Actions on a running pipeline, as a user makes them, and what the collector then says of them:
`flowtrace trace query --name 'control/*'`; and the pipeline's tracing mode switched while it runs."""

import json
import os
import re
import signal
import subprocess
import threading

import harness
from harness import (Run, Scenario, attributes, get_trace, new_span, program, send_json, span_document,
                     wait_for)

TIMEOUT_S = harness.PATIENCE_S
PIPELINE = """\
pipeline: audited
tracing: %s
nodes:
  in: {type: receiver/otlp, config: {http: '127.0.0.1:0', grpc: 'off'}}
  gather: {type: processor/batch, config: {max_items: %d, max_delay: 1h}}
  out: {type: exporter/noop}
  more: {type: receiver/generator, config: {rate: 20}}
  memory: {type: processor/memory_limiter, config: {limit: 16MiB, spike: 16777215}}
  nothing: {type: exporter/noop}
connections:
  - {from: in, to: gather}
  - {from: gather, to: out}
  - {from: more, to: memory}
  - {from: memory, to: nothing}
"""
COUNTING = """\
pipeline: counting
tracing: %s
nodes:
  make: {type: receiver/generator, config: {signal: records, rate: 2000, batch: 5}}
  gather: {type: processor/batch, config: {max_items: 20, max_delay: 50ms}}
  out: {type: exporter/noop}
connections:
  - {from: make, to: gather}
  - {from: gather, to: out}
"""


class Running(Run):
    """Whose file changes while it runs."""

    def reload(self, graph, answer):
        """Until the log says what came of it."""
        seen = len(self.lines)
        self.write(graph)
        self.process.send_signal(signal.SIGHUP)
        return wait_for(lambda: [line for line in self.lines[seen:] if re.search(answer, line)],
                        (answer, self.lines))


class Audit(Scenario):
    def run_graph(self, graph, **environment):
        settings = {"OTEL_METRICS_EXPORTER": "none", "OTEL_SERVICE_NAME": "audited",
                    "OTEL_BSP_SCHEDULE_DELAY": "100"}
        running = Running(os.path.join(self.folder.name, "graph.yaml"), graph, "--metrics", "127.0.0.1:0",
                          collector=self.collector, **settings, **environment)
        self.addCleanup(running.kill_if_alive)
        return running

    def wait_for_more(self, running):
        """Until another flow has begun, in whatever mode."""
        before = running.metric("flow_node_departures_total", "make")
        wait_for(lambda: running.metric("flow_node_departures_total", "make") > before, running.lines)

    def rows(self, *arguments):
        done = subprocess.run([program(), "trace", "query", *arguments, "--limit", "1000",
                               "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def spans_of(self, row):
        """Root first."""
        found = get_trace(self.collector.api, row["traceId"])
        self.assertEqual(len(found), row["spans"])
        return sorted(found, key=lambda span: bool(span.get("parentSpanId")))

    def send(self, port):
        """Answered when the pipeline ends."""
        def post():
            self.answers.append(send_json(port, span_document([new_span("work")]))[0])
        self.answers = []
        thread = threading.Thread(target=post, daemon=True)
        thread.start()
        return thread

    def test_each_action_is_listed_with_its_result(self):
        self.start()
        graph = PIPELINE % ("full", 100)
        running = self.run_graph(graph)
        sender = self.send(running.port("otlp/http"))
        wait_for(lambda: running.metric("flow_node_held_items", "gather") == 1, running.lines)
        running.reload(PIPELINE % ("tail", 100), "change: tracing: full to tail")
        running.reload(PIPELINE % ("tail", 101), "graph.yaml:5:55: `nodes` cannot change")
        running.reload(graph + "trasing: off\n", "trasing.*did you mean 'tracing'")
        wait_for(lambda: any("batches are refused" in line for line in running.lines), "memory")
        self.assertEqual(running.stop(), 0, running.lines)
        sender.join(TIMEOUT_S)
        self.assertEqual(self.answers, [200])
        rows = wait_for(lambda: (lambda found: found if len(found) == 6 else None)(
            self.rows("--name", "control/*")), "the audit trail")
        trail = [(row["name"], row["outcome"]) for row in reversed(rows)]
        # What the batch node holds the receiver owes an answer for: it waits for the shutdown.
        self.assertEqual(trail[-2:], [("control/drain_ingress", "failure"),
                                      ("control/shutdown", "success")])
        self.assertEqual(sorted(trail[:-2]), [
            ("control/config", "failure"), ("control/config", "failure"),
            ("control/config", "success"), ("control/memory_pressure_changed", "success")])
        self.assertEqual({row["service"] for row in rows}, {"audited"})
        self.check_details(rows)
        self.check_patterns(rows)

    def check_details(self, rows):
        by_name = {}
        for row in rows:
            by_name.setdefault(row["name"], []).append(self.spans_of(row))
        for row in rows:
            root = self.spans_of(row)[0]
            self.assertEqual(attributes(root)["flow.pipeline"], "audited")
        shutdown = by_name["control/shutdown"][0]
        at_gather = next(span for span in shutdown if attributes(span).get("node.id") == "gather")
        self.assertEqual(at_gather["parentSpanId"], shutdown[0]["spanId"])
        # The batch that lay there: its visit is of the trace of the receiver's.
        self.assertEqual(attributes(at_gather)["flow.touched"], 1)
        linked = at_gather["links"][0]
        touched = next(span for span in get_trace(self.collector.api, linked["traceId"])
                       if span["spanId"] == linked["spanId"])
        self.assertEqual(touched["name"], "processor/batch/gather")
        self.assertIn("control/shutdown", [event["name"] for event in touched["events"]])
        drained = by_name["control/drain_ingress"][0]
        self.assertEqual({attributes(span).get("node.id") for span in drained},
                         {None, "in", "more"})
        memory = attributes(by_name["control/memory_pressure_changed"][0][0])
        self.assertEqual((memory["memory.pressure"], memory["memory.reported_by"],
                          memory["memory.allowed_bytes"]), ("high", "memory", 1))
        self.assertGreater(memory["memory.used_bytes"], 1)
        config = [attributes(spans[0]) for spans in by_name["control/config"]]
        self.assertEqual({entry["config.change"] for entry in config},
                         {"tracing: full to tail", "none"})
        taken = next(entry for entry in config if entry["flow.outcome"] == "success")
        self.assertGreaterEqual(taken["flow.touched"], 1)  # what the batch node holds
        errors = sorted(entry["error"] for entry in config if "error" in entry)
        self.assertIn("did you mean 'tracing'", errors[0])  # line 15
        self.assertIn("`nodes` cannot change", errors[1])  # line 5

    def check_patterns(self, rows):
        ids = {row["traceId"] for row in rows}
        for pattern, n in (("control/*", 6), ("*/conf*g", 3), ("control/shutdown", 1),
                           ("contro\\*", 0), ("Control/*", 0), ("control/*down*", 1)):
            found = self.rows("--name", pattern)
            self.assertEqual(len(found), n, pattern)
            self.assertLessEqual({row["traceId"] for row in found}, ids)
        # The same when the collector was started again, from its blocks.
        self.assertEqual(self.collector.stop(), 0)
        self.start()
        self.assertEqual({row["traceId"] for row in self.rows("--name", "control/*")}, ids)
        self.assertEqual(self.rows("--name", "control/*", "--service", "other"), [])

    def test_an_unknown_mode_is_refused_with_its_place(self):
        self.start()
        running = self.run_graph(COUNTING % "most")
        self.assertEqual(running.end(), 2)
        self.assertRegex("\n".join(running.lines), r"graph.yaml:2:10: .*tracing.*off, full")

    def loss(self, name):
        done = subprocess.run([program(), "loss", name, "--json", "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            return None
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_switching_loses_nothing_that_was_counted(self):
        self.start()
        modes = ["tail", "full", "off", "process", "tail", "full"]
        running = self.run_graph(COUNTING % "full", FLOWTRACE_TAIL_SHARE="0")
        before = "full"
        for mode in modes:
            self.wait_for_more(running)
            running.reload(COUNTING % mode, f"tracing: {before} to {mode}")
            before = mode
        self.assertEqual(running.stop(), 0, running.lines)
        self.check_ledger(running)
        actions = self.rows("--name", "control/config")
        self.assertEqual([row["outcome"] for row in actions], ["success"] * len(modes))

    def check_ledger(self, running):
        nodes = {entry["node"]: entry for entry in running.accounts() if "node" in entry}
        lines = wait_for(lambda: self.loss("counting"), "no ledger")
        told = {line["node"]: line for line in lines if line["kind"] == "node"}
        self.assertEqual(set(told), {"make", "gather", "out"})
        for name, line in told.items():
            for key, counted in (("received", "in"), ("forwarded", "forwarded"), ("emitted", "out"),
                                 ("absorbed", "absorbed"), ("created", "created")):
                self.assertEqual(line[key], nodes[name][counted], (name, key))
            self.assertTrue(line["settled"])
        self.assertEqual(told["make"]["created"], told["out"]["absorbed"])
        self.assertGreater(told["make"]["created"], 0)

    def test_a_pipeline_that_is_off_leaves_neither_spans_nor_a_ledger(self):
        self.start()
        running = self.run_graph(COUNTING % "off")
        self.wait_for_more(running)
        self.assertEqual(running.stop(), 0, running.lines)
        names = {row["name"] for row in self.rows()}
        self.assertLessEqual(names, {"control/drain_ingress", "control/shutdown"})
        self.assertEqual(len(self.rows("--name", "control/*")), 2)
        self.assertIsNone(self.loss("counting"))


if __name__ == "__main__":
    harness.main()
