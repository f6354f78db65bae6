# SPDX-License-Identifier: Apache-2.0
"""`flowtrace run` and `serve` with configurations in the OpenTelemetry Collector's form: what reaches
the backends, what senders are told, and what is said of configurations that are wrong."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))
import collector_page  # noqa: E402
from collector_form import CASES, PATIENCE_S, RECEIVERS, RIGHT, WRONG, Program, Sink, message, span

PAGE = os.path.join(harness.ROOT, "docs", "collector-configuration.md")


class Delivery(unittest.TestCase):
    maxDiff = None

    def run_case(self, name, check=None):
        case = CASES[name]
        answers, items, code, log = case.run([harness.program(), "run"], check)
        self.assertEqual(answers, case.answers, log)
        self.assertEqual(items, case.items, log)
        self.assertEqual(code, 0, log)
        return log

    def test_a_usual_configuration(self):
        def check(sink):
            metadata = [metadata for where, _, _, metadata in sink.requests if where == "grpc"]
            self.assertTrue(metadata)
            for one in metadata:
                self.assertEqual((one["x-from"], one["x-else"]), ("from-environment", "default"))
        self.run_case("usual", check)

    def test_connectors(self):
        self.run_case("routed")

    def test_pipelines_that_share_receiver_processor_and_exporter(self):
        def check(sink):
            self.assertLessEqual(max(sink.sizes()), 10)
        self.run_case("shared", check)

    def test_a_queue_answers_before_the_backend_does(self):
        self.run_case("queued")


class Page(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        with open(PAGE, encoding="utf-8") as file:
            self.text = file.read()

    def test_the_page_says_what_the_program_says(self):
        self.assertEqual(self.text, collector_page.page(harness.program(), self.text),
                         "print it anew with tools/collector_page.py")

    def test_the_example_is_valid(self):
        example = re.search(r"^```yaml\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL).group(1)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(example)
            file.flush()
            done = subprocess.run([harness.program(), "validate", file.name], stdin=subprocess.DEVNULL,
                                  check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "collector.yaml")

    def call(self, command, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        return subprocess.run([harness.program(), command, self.path], stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True, timeout=60)

    def test_verdicts(self):
        for text in RIGHT:
            done = self.call("validate", text)
            self.assertEqual(done.returncode, 0, text + done.stderr)
        for text in WRONG:
            done = self.call("validate", text)
            self.assertEqual(done.returncode, 2, text)
            self.assertRegex(done.stderr, rf"^flowtrace: {self.path}:\d+:\d+: ", text)

    def test_validate_accepts_and_names_what_is_unused(self):
        done = self.call("validate", RECEIVERS.replace("GRPC", "localhost:4317").replace("HTTP", "localhost:4318")
                         + "processors: {batch: }\nexporters: {debug: }\n"
                         "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{self.path}:6:14: processors::batch is in no pipeline", done.stderr)

    def test_validate_refuses_with_place_path_and_suggestion(self):
        done = self.call("validate", "receivers:\n  otlp:\n    protocols:\n      grpc:\n        endpont: x\n"
                         "exporters: {debug: }\n"
                         "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, f"flowtrace: {self.path}:5:9: receivers::otlp::protocols::grpc: there is no "
                                      "option 'endpont'; did you mean 'endpoint'?\n")

    def test_a_value_that_only_the_node_can_judge(self):
        done = self.call("validate", "receivers: {otlp: {protocols: {grpc: }}}\nexporters:\n  otlphttp:\n"
                         "    endpoint: ftp://x\n"
                         "service: {pipelines: {traces: {receivers: [otlp], exporters: [otlphttp]}}}\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{self.path}:3:3: exporter/otlp 'exporters::otlphttp': endpoint: expected a URL", done.stderr)

    def test_run_refuses_an_address_that_others_can_reach(self):
        done = self.call("run", "receivers: {otlp: {protocols: {grpc: {endpoint: ':0'}}}}\nexporters: {nop: }\n"
                         "service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("0.0.0.0:0", done.stderr)
        self.assertIn("--insecure", done.stderr)

    def test_a_share_of_the_machines_memory(self):
        done = self.call("validate", "receivers: {otlp: {protocols: {grpc: }}}\nexporters: {nop: }\nprocessors:\n"
                         "  memory_limiter: {check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 25}\n"
                         "service: {pipelines: {traces: {receivers: [otlp], processors: [memory_limiter], "
                         "exporters: [nop]}}}\n")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_health_until_the_end(self):
        """While a shutdown waits for the backend the answer is 503."""
        sink = Sink()
        self.addCleanup(sink.close)
        sink.gate.clear()
        program = Program([harness.program(), "run"], CASES["usual"].text, sink)
        self.addCleanup(program.close)
        self.assertEqual(program.get("health", "/health"), 200)
        self.assertEqual(program.post("traces", message("traces", [span("s")])), 200)
        program.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: program.get("health", "/health") != 200, program.log())
        self.assertEqual(program.get("health", "/health"), 503)
        sink.gate.set()
        self.assertEqual(program.process.wait(PATIENCE_S), 0, program.log())
        self.assertEqual(len(sink.items()), 1)

    def test_lines_of_a_file(self):
        log = os.path.join(self.folder.name, "app.log")
        out = os.path.join(self.folder.name, "out.json")
        with open(log, "w", encoding="utf-8") as file:
            file.write("one\ntwo\n")
        sink = Sink()
        self.addCleanup(sink.close)
        program = Program([harness.program(), "run"], RECEIVERS +
                          f"  filelog: {{include: [{log}], start_at: beginning}}\n"
                          f"exporters: {{file: {{path: {out}}}, nop: }}\n"
                          "service:\n  pipelines:\n    logs: {receivers: [filelog], exporters: [file]}\n"
                          "    traces: {receivers: [otlp], exporters: [nop]}\n", sink)
        self.addCleanup(program.close)
        self.assertEqual(program.post("traces", message("traces", [span("s")])), 200)
        self.assertEqual(program.stop(), 0, program.log())
        with open(out, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual(len(lines), 2, lines)

    def follow(self, until):
        """Runs self.path; its stderr goes to a file, whose text `until` gets until it is content."""
        with open(os.path.join(self.folder.name, "stderr"), "w", encoding="utf-8") as errors:
            process = subprocess.Popen([harness.program(), "run", self.path], stdin=subprocess.DEVNULL,
                                       stderr=errors, cwd=self.folder.name)
            self.addCleanup(process.kill)
            harness.wait_for(lambda: until(self.text_of("stderr")), "the lines did not come")
            process.terminate()
            self.assertEqual(process.wait(PATIENCE_S), 0)
        return self.text_of("stderr")

    def text_of(self, name):
        with open(os.path.join(self.folder.name, name), encoding="utf-8") as file:
            return file.read()

    def values(self):
        """What the exporter has written; it makes its file when it starts."""
        if not os.path.exists(os.path.join(self.folder.name, "out.json")):
            return []
        return [json.loads(line)["value"] for line in self.text_of("out.json").split("\n")[:-1]]

    def test_a_file_that_comes_later_and_is_read_once(self):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("receivers: {filelog/app: {include: [app.log], start_at: beginning, poll_interval: 5ms}}\n"
                       "exporters: {file: {path: out.json, append: true}}\n"
                       "service: {pipelines: {logs: {receivers: [filelog/app], exporters: [file]}}}\n")

        def has_one(text):
            log = os.path.join(self.folder.name, "app.log")
            if "app.log: No such file" in text and not os.path.exists(log):
                with open(log, "w", encoding="utf-8") as file:
                    file.write("one\n")
            return self.values()
        text = self.follow(has_one)
        self.assertEqual(text.count("No such file"), 1, text)
        self.assertEqual(self.values(), ["one"])

        with open(os.path.join(self.folder.name, "app.log"), "a", encoding="utf-8") as file:
            file.write("two\n")
        self.follow(lambda text: len(self.values()) > 1)
        self.assertEqual(self.values(), ["one", "two"])


if __name__ == "__main__":
    harness.main()
