# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry SDK for JavaScript against the collector: `run.py --build DIR`.

Starts DIR/bin/flowtrace, sends in each encoding with and without gzip, and compares what the query
API returns: at once, and again after `kill -9` and a restart on the same data. The SDK is installed
as its lock file says into DIR/interop/javascript, once.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
COMBINATIONS = [("proto", "none"), ("proto", "gzip"), ("json", "none"), ("json", "gzip")]
LISTENING = re.compile(r"(?:^|\s)(otlp/http|http) listening on (\S+:\d+)\s*$")
READY_TIMEOUT_S = 30
STEP_TIMEOUT_S = 120


class Collector:
    """A `flowtrace serve` on ports of its own; `address` has them by listener."""

    def __init__(self, program, data):
        self.address = {}
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            [program, "serve", "--data", data, "--otlp-grpc", "127.0.0.1:0",
             "--otlp-http", "127.0.0.1:0", "--http", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        if not self.ready.wait(READY_TIMEOUT_S) or len(self.address) != 2:
            self.stop(signal.SIGKILL)
            sys.exit(f"flowtrace serve named only these listeners: {self.address}")

    def read(self):
        for line in self.process.stderr:
            found = LISTENING.search(line.rstrip())
            if found:
                self.address[found.group(1)] = "http://" + found.group(2)
            else:
                print("flowtrace: " + line, end="", file=sys.stderr)
            if len(self.address) == 2:
                self.ready.set()
        self.ready.set()

    def stop(self, number):
        """Its exit status, after the signal."""
        self.process.send_signal(number)
        try:
            return self.process.wait(STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.reader.join()


def install(folder):
    """The scripts and the SDK, in the build directory; the network only when the lock changed."""
    os.makedirs(folder, exist_ok=True)
    lock = os.path.join(HERE, "package-lock.json")
    stamp = os.path.join(folder, "node_modules", ".installed-lock.json")
    with open(lock, encoding="utf-8") as file:
        wanted = file.read()
    for name in ("package.json", "package-lock.json", "values.mjs", "send.mjs", "check.mjs"):
        shutil.copy(os.path.join(HERE, name), folder)
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder,
                   stdin=subprocess.DEVNULL, check=True, timeout=STEP_TIMEOUT_S)
    shutil.copy(lock, stamp)


def node(folder, *arguments):
    done = subprocess.run(["node", *arguments], cwd=folder, stdin=subprocess.DEVNULL, check=False,
                          timeout=STEP_TIMEOUT_S)
    if done.returncode != 0:
        print("FAILED: node " + " ".join(arguments), file=sys.stderr)
    return done.returncode == 0


def run(program, folder, data):
    """True when all came back, before and after the kill."""
    collector = Collector(program, data)
    status = None
    try:
        files = []
        is_good = True
        for seed, (encoding, compression) in enumerate(COMBINATIONS, 1):
            files.append(os.path.join(data, f"sent-{encoding}-{compression}.jsonl"))
            is_good &= node(folder, "send.mjs", collector.address["otlp/http"], encoding, compression, str(seed),
                            files[-1])
            is_good &= node(folder, "check.mjs", collector.address["http"], files[-1])
        collector.stop(signal.SIGKILL)
        collector = Collector(program, data)
        is_good &= node(folder, "check.mjs", collector.address["http"], *files)
    finally:
        status = collector.stop(signal.SIGTERM) if collector.process.poll() is None else collector.process.returncode
    if status != 0:
        print(f"FAILED: flowtrace serve ended with {status} after SIGTERM", file=sys.stderr)
    return is_good and status == 0


def main():
    parser = argparse.ArgumentParser(description="Interoperation with the OpenTelemetry SDK for JavaScript.")
    parser.add_argument("--build", required=True, help="a build directory")
    build = os.path.abspath(parser.parse_args().build)
    program = os.path.join(build, "bin", "flowtrace")
    if not os.path.exists(program):
        sys.exit(f"there is no {program}; build it first")
    folder = os.path.join(build, "interop", "javascript")
    install(folder)
    with tempfile.TemporaryDirectory(prefix="flowtrace-interop-") as data:
        sys.exit(0 if run(program, folder, data) else 1)


main()
