# SPDX-License-Identifier: Apache-2.0
"""An OpenTelemetry SDK against the collector: `run.py --build DIR LANGUAGE`.

Starts DIR/bin/flowtrace, sends over each protocol with and without gzip, and compares what the query
API returns: at once, and again after `kill -9` and a restart on the same data.
"""

import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scenario"))
sys.dont_write_bytecode = True

import harness
from clients import CLIENTS, N_SPANS
from compare import compare

SEND_TIMEOUT_S = 120


def send(client, arguments):
    done = subprocess.run(client.program() + arguments, stdin=subprocess.DEVNULL, check=False, timeout=SEND_TIMEOUT_S)
    if done.returncode != 0:
        print("FAILED: send " + " ".join(arguments), file=sys.stderr)
    return done.returncode == 0


def send_all(client, collector, folder):
    """The files of what was sent; and whether all of it came back."""
    files = []
    is_good = True
    for protocol in client.protocols:
        port = collector.grpc if protocol == "grpc" else collector.otlp
        for compression in ("none", "gzip"):
            files.append(os.path.join(folder, f"sent-{len(files)}.jsonl"))
            print(f"{protocol}, {compression}: ", end="", flush=True)
            is_good &= send(client, [protocol, f"http://127.0.0.1:{port}", compression, str(len(files)), files[-1]])
            is_good = is_good and compare(collector.api, files[-1:], N_SPANS)
    return files, is_good


def run(client, folder):
    """True when all came back, before and after the kill."""
    data = os.path.join(folder, "data")
    collector = harness.Collector(data)
    try:
        files, is_good = send_all(client, collector, folder)
        collector.kill()
        collector = harness.Collector(data)
        print("after kill -9: ", end="", flush=True)
        is_good = compare(collector.api, files, len(files) * N_SPANS) and is_good
    finally:
        status = collector.stop() if collector.is_alive() else collector.reap()
    if status != 0:
        print(f"FAILED: flowtrace serve ended with {status} after SIGTERM", file=sys.stderr)
    return is_good and status == 0


def main():
    parser = argparse.ArgumentParser(description="Interoperation with an OpenTelemetry SDK.")
    parser.add_argument("--build", required=True, help="a build directory")
    parser.add_argument("language", choices=CLIENTS)
    arguments = parser.parse_args()
    harness.BUILD = os.path.abspath(arguments.build)
    if not os.path.exists(harness.program()):
        sys.exit(f"there is no {harness.program()}; build it first")
    client = CLIENTS[arguments.language](harness.BUILD)
    client.install()
    with tempfile.TemporaryDirectory(prefix="flowtrace-interop-") as folder:
        sys.exit(0 if run(client, folder) else 1)


main()
