#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Row 14: what `flowtrace serve` weighs before anybody uses it: resident memory when idle, time from
exec to its `ready` line, size of the stripped program.

Beside it, in turn, an empty program linked to the same libraries: what they cost alone. Its line is
printed as soon as main begins. Prints one JSON object a line, as the other programs do.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

RUNS = 15
IDLE_S = 1.0


def start(arguments):
    """The process at its `ready` line, and the milliseconds until then."""
    begin = time.monotonic()
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.strip() == "ready":
            return process, (time.monotonic() - begin) * 1000
    raise SystemExit(f"{arguments[0]}: ended with {process.wait()} before it was ready")


def stop(process):
    process.stdin.close()
    process.terminate()
    process.stderr.read()
    process.wait(30)


def resident_mb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def serve_arguments(program, directory):
    return [str(program), "serve", "--data", directory, "--otlp-grpc", "127.0.0.1:0",
            "--otlp-http", "127.0.0.1:0", "--http", "127.0.0.1:0"]


def stripped_mb(program):
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, str(program)], check=True)
        return os.path.getsize(stripped.name) / 1e6


def measure_starts(program, empty):
    """(ms of ours, ms of the empty program) of each pair."""
    pairs = []
    for _ in range(RUNS):
        process, empty_ms = start([str(empty)])
        stop(process)
        with tempfile.TemporaryDirectory() as directory:
            process, ms = start(serve_arguments(program, directory))
            stop(process)
        pairs.append((ms, empty_ms))
    return pairs


def measure_idle(program, empty):
    process, _ = start([str(empty)])
    empty_mb = resident_mb(process)
    stop(process)
    with tempfile.TemporaryDirectory() as directory:
        process, _ = start(serve_arguments(program, directory))
        time.sleep(IDLE_S)
        mb = resident_mb(process)
        stop(process)
    return mb, empty_mb


def report(name, unit, value, baseline, ratios, limit):
    print(json.dumps({
        "row": "14", "name": name, "unit": unit, "peer": "", "value": value, "baseline": baseline,
        "ratio": statistics.median(ratios) if ratios else None,
        "ratio_min": min(ratios) if ratios else None, "ratio_max": max(ratios) if ratios else None,
        "goal": f"<= {limit} {unit}", "holds": value <= limit}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    build = parser.parse_args().build
    program, empty = build / "bin" / "flowtrace", build / "bench" / "empty"
    mb, empty_mb = measure_idle(program, empty)
    report("idle `serve`, resident / empty program, same libraries", "MB", mb, empty_mb,
           [mb / empty_mb], 10)
    pairs = measure_starts(program, empty)
    report("exec to `ready` / empty program, same libraries", "ms",
           statistics.median(ms for ms, _ in pairs), statistics.median(ms for _, ms in pairs),
           [ms / empty_ms for ms, empty_ms in pairs], 15)
    report("stripped program", "MB", stripped_mb(program), None, [], 3)


if __name__ == "__main__":
    main()
