#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark programs of a build, prints one table and writes it as JSON.

Every program in <build>/bench prints one JSON object per line: row, name, value, unit, baseline,
ratio, goal, holds (and the extremes of the ratio). A table without its peers says INCOMPLETE in its
first line. Exit 0: all programs ran and lost nothing; whether the goals hold is the table's say.
"""
import argparse
import json
import pathlib
import subprocess
import sys

FIELDS = ("row", "name", "value", "unit", "baseline", "ratio", "goal", "holds")
PEERS = ("fastrace", "opentelemetry_sdk")


def run(program):
    """The rows of one program; None: it failed."""
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(f"{program.name}: failed with {done.returncode}", file=sys.stderr)
        return None
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def span_of(row):
    if "ratio_min" not in row:
        return ""
    return f"{row['ratio_min']:.2f}-{row['ratio_max']:.2f}"


def table(rows):
    lines = [("row", "what", "value", "baseline", "ratio", "min-max", "goal", "holds")]
    for row in rows:
        lines.append((row["row"], row["name"], f"{row['value']:.2f} {row['unit']}",
                      f"{row['baseline']:.2f} {row['unit']}", f"{row['ratio']:.2f}", span_of(row),
                      row["goal"], "yes" if row["holds"] else "NO"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
            for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--peers", action="store_true", help="with the peers that are built")
    arguments = parser.parse_args()
    programs = sorted((arguments.build / "bench").glob("bench-*"))
    peers = sorted((arguments.build / "bench").glob("peer-*")) if arguments.peers else []
    results = [run(program) for program in programs + peers if program.is_file()]
    rows = sorted((row for result in results if result for row in result),
                  key=lambda row: int(row["row"]))
    missing = [name for name in PEERS if not any(name in peer.name for peer in peers)]
    if missing:
        print("INCOMPLETE: not measured here: " + ", ".join(missing))
    print("\n".join(table(rows)))
    output = arguments.output or arguments.build / "bench.json"
    output.write_text(json.dumps([{field: row[field] for field in FIELDS} for row in rows],
                                 indent=2) + "\n")
    return 0 if programs and all(result is not None for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
