#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark programs of a build, prints one table and writes it as JSON.

Every program in <build>/bench, and every script below, prints one JSON object per line: row, name,
value, unit, baseline, ratio, goal, holds; besides the extremes of the ratio and the peer that is the
baseline. null: there is none (of holds: there is no goal; of value: it is not built yet). A table
without its peers says INCOMPLETE in its first line; peers of other languages are peers.py's. Exit 0:
all programs ran and lost nothing; whether the goals hold is the table's say.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import table

PEERS = ("protobuf C++", "protobuf-c")
SCRIPTS = ("serve.py", "hop_instructions.py", "overhead.py")


def run(command):
    """The rows of one program; None: it failed. What it says to us goes to a file while it measures."""
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
        errors.seek(0)
        sys.stderr.write(errors.read())
    if done.returncode != 0:
        print(f"{' '.join(map(str, command))}: failed with {done.returncode}", file=sys.stderr)
        return None
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    programs = sorted((arguments.build / "bench").glob("bench-*"))
    here = pathlib.Path(__file__).parent
    commands = [[program] for program in programs if program.is_file()]
    commands += [[sys.executable, here / name, "--build", arguments.build] for name in SCRIPTS]
    results = [run(command) for command in commands]
    rows = sorted((row for result in results if result for row in result),
                  key=lambda row: int(row["row"]))
    measured = [row.get("peer") or "" for row in rows]
    missing = [name for name in PEERS if not any(name in peer for peer in measured)]
    table.publish(rows, missing, arguments.output or arguments.build / "bench.json")
    return 0 if programs and all(result is not None for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
