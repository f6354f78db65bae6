# SPDX-License-Identifier: Apache-2.0
"""A broken configuration: file:line:col, the reason, the nearest valid name, exit 2, and nothing was
started. The expected positions are counted by hand in the texts below."""

import os
import subprocess
import tempfile
import unittest

import harness

GOOD = """\
nodes:
  read: {type: receiver/files, config: {paths: [/etc/hostname]}}
  write: {type: exporter/file, config: {path: out.ndjson}}
connections:
  - {from: read, to: write}
"""

# (what, text, exact beginning after "FILE:", words that follow)
TABLE = [
    ("an unknown node type",
     GOOD.replace("exporter/file", "exporter/fil"), "3:17", ["exporter/fil", "exporter/file"]),
    ("an unknown option",
     GOOD.replace("path: out", "pth: out"), "3:41", ["pth", "path"]),
    ("an unknown top-level key",
     GOOD.replace("connections:", "conections:"), "4:1", ["conections", "connections"]),
    ("an unknown node in a connection",
     GOOD.replace("to: write", "to: wirte"), "5:22", ["wirte", "write"]),
    ("an unknown port",
     GOOD.replace("from: read,", "from: 'read[\"ot\"]',"), "5:", ["ot", "out"]),
    ("a wrong type",
     GOOD.replace("paths: [/etc/hostname]", "paths: [/etc/hostname], max_files: many"), "2:",
     ["max_files", "many"]),
    ("a value out of range",
     GOOD.replace("paths: [/etc/hostname]", "paths: [/etc/hostname], max_files: 0"), "2:",
     ["max_files"]),
    ("a missing option",
     GOOD.replace("config: {path: out.ndjson}", "config: {}"), "3:", ["path"]),
    ("conventions of a name that there is not",
     "conventions: otelkol\n" + GOOD, "1:14", ["conventions", "'otelkol'", "did you mean 'otelcol'?"]),
    ("bad YAML", GOOD.replace("  write: {", "  write: }"), "3:", []),
    ("a duplicate key", GOOD.replace("  write:", "  read:"), "3:3", ["read"]),
    ("an alias", GOOD.replace("{path: out.ndjson}", "*x"), "3:", []),
    ("a node that nothing reaches",
     GOOD.replace("connections:", "  lost: {type: exporter/file, config: {path: x}}\nconnections:"),
     "4:", ["lost"]),
    ("a cycle", """\
nodes:
  read: {type: receiver/files, config: {paths: [/etc/hostname]}}
  a: {type: processor/batch}
  b: {type: processor/batch}
connections:
  - {from: read, to: a}
  - {from: a, to: b}
  - {from: b, to: a}
""", "", ["cycle", "a -> b -> a"]),
    ("an address without a port",
     GOOD.replace("receiver/files, config: {paths: [/etc/hostname]}", "receiver/otlp, config: {grpc: localhost}"),
     "2:", ["grpc", "HOST:PORT"]),
    ("a health check's path without a slash",
     GOOD.replace("connections:", "  health: {type: receiver/health, config: {path: x}}\nconnections:"),
     "4:", ["path", "'/'"]),
    ("a Unix socket that is none",
     GOOD.replace("receiver/files, config: {paths: [/etc/hostname]}", "receiver/otlp, config: {unix: '/x'}"),
     "2:", ["unix", "unix:/path"]),
    ("an environment variable that is not set",
     GOOD.replace("out.ndjson", "'${env:NO_SUCH_VARIABLE_HERE}'"), "3:", ["NO_SUCH_VARIABLE_HERE"]),
]


class Configuration(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "graph.yaml")

    def call(self, *arguments):
        return subprocess.run([harness.program(), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False,
                              cwd=self.folder.name)

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_every_row_by_validate_and_by_run(self):
        for what, text, position, words in TABLE:
            for command in ("validate", "run"):
                with self.subTest(what=what, command=command):
                    self.write(text)
                    done = self.call(command, self.path)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertEqual(done.stdout, "")
                    self.assertIn(f"{self.path}:{position}", done.stderr)
                    for word in words:
                        self.assertIn(word, done.stderr)
                    self.assertFalse(os.path.exists(os.path.join(self.folder.name, "out.ndjson")))

    def test_serve_refuses_before_it_makes_anything(self):
        self.write(GOOD.replace("to: write", "to: wirte"))
        data = os.path.join(self.folder.name, "data")
        done = self.call("serve", "--config", self.path, "--data", data)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{self.path}:5:22", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(data, "flowtrace.db")))

    def test_a_good_one_is_valid_and_runs(self):
        self.write(GOOD)
        self.assertEqual(self.call("validate", self.path).returncode, 0)
        done = self.call("run", self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.folder.name, "out.ndjson"), encoding="utf-8") as file:
            self.assertIn('"key":"/etc/hostname"', file.read())

    def test_what_cannot_be_written_is_said_before_it_runs(self):
        self.write(GOOD)
        for option, value in (("--accounts", "/none/accounts"), ("--data", self.path)):
            done = self.call("run", self.path, option, value)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"flowtrace: {option}: ", done.stderr)
            self.assertIn(value, done.stderr)
            self.assertFalse(os.path.exists(os.path.join(self.folder.name, "out.ndjson")))

    def test_run_says_where_it_listens_and_who_is_in_the_way(self):
        self.write(GOOD.replace("receiver/files, config: {paths: [/etc/hostname]}",
                                "receiver/otlp, config: {grpc: '127.0.0.1:0', http: 'localhost:0'}"))
        with subprocess.Popen([harness.program(), "run", self.path], stdin=subprocess.DEVNULL, text=True,
                              cwd=self.folder.name, stderr=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            lines = [process.stderr.readline() for _ in range(2)]
            self.assertRegex(lines[0], r"^otlp/grpc listening on 127\.0\.0\.1:\d+$")
            self.assertRegex(lines[1], r"^otlp/http listening on 127\.0\.0\.1:\d+$")
            done = self.call("run", self.path, "--metrics", lines[1].split()[-1])
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"flowtrace: --metrics: .*choose another address")
            process.terminate()
            process.communicate(timeout=60)

    def test_a_missing_file(self):
        done = self.call("validate", os.path.join(self.folder.name, "nothing.yaml"))
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("nothing.yaml", done.stderr)


if __name__ == "__main__":
    harness.main()
