# SPDX-License-Identifier: Apache-2.0
"""The sampler jaeger_remote follows the OpenTelemetry Collector's extension jaegerremotesampling: each kind of
strategy, one that changes, a server that goes away and comes back. `strategies_test.py --build DIR`."""

import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
for folder in ("..", os.path.join("..", "receivers"), os.path.join("..", "..", "scenario")):
    sys.path.insert(0, os.path.join(HERE, folder))

import clients  # noqa: E402
import harness  # noqa: E402
from certificates import Authority  # noqa: E402

PATIENCE_S = 120
SKIPPED = 77
SAMPLED = "00-0102030405060708090a0b0c0d0e0f10-00f067aa0ba902b7-01"
UNSAMPLED = SAMPLED[:-1] + "0"


class Server(clients.Go):
    sources = ("go.mod", "go.sum", "main.go")
    locks = sources

    def __init__(self, build):
        super().__init__(build)
        self.folder = os.path.join(build, "interop", "sampling")
        self.source = os.path.join(HERE, "go")

    def install_packages(self):
        clients.run(["go", "build", "-p", "2", "-ldflags=-s -w", "-o", "strategies", "."], cwd=self.folder,
                    env=self.environment())

    def lacks(self):
        """Why it cannot be built here; empty: it can."""
        with open(os.path.join(self.source, "go.mod"), encoding="ascii") as file:
            wanted = re.search(r"^go (\d+)\.(\d+)", file.read(), re.MULTILINE).groups()
        try:
            version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True,
                                     timeout=60).stdout
        except FileNotFoundError:
            return "there is no go"
        found = re.search(r"go(\d+)\.(\d+)", version)
        is_right = found and tuple(map(int, found.groups())) >= tuple(map(int, wanted))
        return "" if is_right else f"Go {'.'.join(wanted)} is needed, found {version.strip() or 'none'}"


class Running:
    """The server with a file, on one port as long as that can be had again."""

    def __init__(self, program, folder, strategy, tls=()):
        self.command, self.tls = program, list(tls)
        self.path = os.path.join(folder, "strategies.json")
        self.process = None
        self.write(strategy)
        for _ in range(20):
            self.port = harness.free_ports(1)[0]
            if self.start():
                return
        raise RuntimeError("no port stayed free")

    def write(self, strategy):
        """In one step: the server may read at any time."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            json.dump(strategy, file)
        os.replace(self.path + ".new", self.path)

    def start(self):
        self.process = subprocess.Popen([self.command, f"127.0.0.1:{self.port}", self.path] + self.tls,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        if self.process.stdout.readline() == "serving\n":
            return True
        self.stop()
        return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


class Asked:
    """tests/sampling-ask, with an environment."""

    def __init__(self, argument, sampler="jaeger_remote"):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment.update(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
        self.process = subprocess.Popen([os.path.join(harness.BUILD, "tests", "sampling-ask")], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(4 * PATIENCE_S, self.process.kill)
        self.watchdog.start()
        self.answers = queue.SimpleQueue()
        self.diagnostics = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            found = json.loads(line)
            if "diagnostic" in found:
                self.diagnostics.append(found["diagnostic"])
            else:
                self.answers.put(found)

    def say(self, word, name, n):
        self.process.stdin.write(f"{word} {name} {n}\n")
        self.process.stdin.flush()
        return self.answers.get(timeout=PATIENCE_S)

    def roots(self, name, n):
        """[(trace id, whether it is taken)]"""
        return self.say("roots", name, n)["roots"]

    def n_taken(self, name, n):
        return sum(is_taken for _, is_taken in self.roots(name, n))

    def n_taken_in(self, seconds):
        end = time.monotonic() + seconds
        n = 0
        while time.monotonic() < end:
            n += self.n_taken("any", 100)
        return n

    def until(self, holds):
        harness.wait_for(lambda: holds(self), self.diagnostics)

    def stop(self):
        self.process.stdin.close()
        last = self.answers.get(timeout=PATIENCE_S)
        code = self.process.wait(PATIENCE_S)
        self.reader.join()
        self.process.stdout.close()
        self.watchdog.cancel()
        return code, last


def probabilistic(ratio, **operations):
    """The file for the service checkout; others have a ratio of 0.5."""
    service = {"service": "checkout", "type": "probabilistic", "param": ratio}
    if operations:
        service["operation_strategies"] = [{"operation": name, "type": "probabilistic", "param": param}
                                           for name, param in operations.items()]
    return {"default_strategy": {"type": "probabilistic", "param": 0.5}, "service_strategies": [service]}


def rate_limiting(rate):
    return {"default_strategy": {"type": "probabilistic", "param": 0.5},
            "service_strategies": [{"service": "checkout", "type": "ratelimiting", "param": rate}]}


def is_below(ratio, trace_id):
    """TraceIDRatioBased of OpenTelemetry's SDK for Go."""
    return int(trace_id[16:], 16) >> 1 < int(ratio * 2**63)


class Strategies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        server = Server(harness.BUILD)
        server.install()
        cls.program = os.path.join(server.folder, "strategies")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, strategy, tls=()):
        server = Running(self.program, self.folder, strategy, tls)
        self.addCleanup(server.stop)
        return server

    def ask(self, server, initial, sampler="jaeger_remote", scheme="http", interval_ms=50):
        asked = Asked(f"endpoint={scheme}://localhost:{server.port},pollingIntervalMs={interval_ms},"
                      f"initialSamplingRate={initial}", sampler)
        self.addCleanup(self.stop, asked)
        return asked

    def stop(self, asked):
        self.assertEqual(asked.stop(), (0, {"shutdown": 0}))

    def assert_ratio(self, asked, name, ratio, n=2000):
        roots = asked.roots(name, n)
        self.assertEqual(roots, [[trace_id, is_below(ratio, trace_id)] for trace_id, _ in roots])

    def test_all_none_and_half(self):
        server = self.serve(probabilistic(1))
        asked = self.ask(server, initial=0)
        asked.until(lambda asked: asked.n_taken("any", 10) == 10)
        self.assertEqual(asked.n_taken("any", 1000), 1000)
        server.write(probabilistic(0))
        asked.until(lambda asked: asked.n_taken("any", 10) == 0)
        self.assertEqual(asked.n_taken("any", 1000), 0)
        server.write(probabilistic(0.5))
        asked.until(lambda asked: asked.n_taken("any", 10) > 0)
        self.assert_ratio(asked, "any", 0.5)
        self.assertEqual(asked.diagnostics, [])

    def test_by_operation(self):
        server = self.serve(probabilistic(0.25, pay=1, ping=0, look=0.5))
        asked = self.ask(server, initial=0)
        asked.until(lambda asked: asked.n_taken("pay", 10) == 10)
        self.assertEqual(asked.n_taken("pay", 1000), 1000)
        self.assertEqual(asked.n_taken("ping", 1000), 0)
        self.assert_ratio(asked, "look", 0.5)
        self.assert_ratio(asked, "another", 0.25)
        server.write(probabilistic(0.25, pay=0, ping=1))
        asked.until(lambda asked: asked.n_taken("ping", 10) == 10)
        self.assertEqual(asked.n_taken("pay", 1000), 0)
        self.assert_ratio(asked, "look", 0.25)

    def test_so_many_a_second(self):
        server = self.serve(rate_limiting(3))
        asked = self.ask(server, initial=0)
        asked.until(lambda asked: asked.n_taken("any", 1) == 1)
        begin = time.monotonic()
        n_taken = asked.n_taken_in(2.5)
        n_periods = int(time.monotonic() - begin) + 2  # at most so many begin or end in that time
        self.assertGreaterEqual(n_taken, 3)
        self.assertLessEqual(n_taken, 3 * n_periods)
        server.write(rate_limiting(0))
        asked.until(lambda asked: asked.n_taken_in(1.5) == 0)

    def test_parents(self):
        server = self.serve(probabilistic(1))
        asked = self.ask(server, initial=0, sampler="parentbased_jaeger_remote")
        asked.until(lambda asked: asked.n_taken("any", 10) == 10)
        self.assertEqual(asked.say("below", UNSAMPLED, 20), {"below": 0})
        server.write(probabilistic(0))
        asked.until(lambda asked: asked.n_taken("any", 10) == 0)
        self.assertEqual(asked.say("below", SAMPLED, 20), {"below": 20})
        alone = self.ask(server, initial=1)
        alone.until(lambda asked: asked.n_taken("any", 10) == 0)
        self.assertEqual(alone.say("below", SAMPLED, 20), {"below": 0})

    def test_a_server_that_goes_and_comes_back(self):
        server = self.serve(probabilistic(1))
        asked = self.ask(server, initial=0)
        asked.until(lambda asked: asked.n_taken("any", 10) == 10)
        server.stop()
        asked.until(lambda asked: asked.diagnostics)
        for _ in range(20):
            self.assertEqual(asked.n_taken("any", 50), 50)
            time.sleep(0.05)
        self.assertEqual(len(asked.diagnostics), 1, asked.diagnostics)
        self.assertRegex(asked.diagnostics[0],
                         rf"^jaeger_remote: http://localhost:{server.port}: .*; its last strategy holds$")
        server.write(probabilistic(0))
        harness.wait_for(server.start, "its port is taken")
        asked.until(lambda asked: asked.n_taken("any", 10) == 0)
        self.assertEqual(asked.diagnostics[1:], [f"jaeger_remote: http://localhost:{server.port}: answers again, and "
                                                 "its strategy holds"])

    def test_a_server_that_is_not_there(self):
        server = self.serve(probabilistic(0))
        server.stop()
        asked = self.ask(server, initial=1)
        asked.until(lambda asked: asked.diagnostics)
        self.assertIn("initialSamplingRate holds", asked.diagnostics[0])
        self.assertEqual(asked.n_taken("any", 100), 100)

    def test_a_forked_child_keeps_the_last_strategy(self):
        if harness.setting("FTR_SANITIZE"):
            self.skipTest("a sanitizer's own locks may be held in a child that is forked beside a busy thread")
        server = self.serve(probabilistic(1))
        asked = self.ask(server, initial=0, interval_ms=1)
        asked.until(lambda asked: asked.n_taken("any", 10) == 10)
        for _ in range(10):
            self.assertEqual(asked.say("fork", "any", 100), {"child": 0})
        self.assertEqual(asked.n_taken("any", 100), 100)

    def test_a_certificate_of_nobody_we_trust(self):
        authority = Authority(self.folder, "theirs")
        key, certificate = authority.issue("server")
        server = self.serve(probabilistic(1), tls=(certificate, key))
        asked = self.ask(server, initial=0, scheme="https", interval_ms=60000)
        asked.until(lambda asked: asked.diagnostics)
        self.assertRegex(asked.diagnostics[0], "(?i)certificate")
        self.assertEqual(asked.n_taken("any", 100), 0)

    def test_a_wrong_argument_counts_as_none(self):
        asked = Asked("initialSamplingRate=2")
        self.addCleanup(self.stop, asked)
        asked.until(lambda asked: asked.diagnostics)
        self.assertEqual(asked.diagnostics[0], "OTEL_TRACES_SAMPLER_ARG: ignored: initialSamplingRate: '2' is not a "
                                               "ratio between 0 and 1")


if __name__ == "__main__":
    reason = Server("").lacks()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    harness.main()
