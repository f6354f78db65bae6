#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark programs of a build, prints one table and writes it as JSON.

Every program in <build>/bench, and every script below, prints one JSON object per line: row, name,
value, unit, baseline, ratio, goal, holds; besides the extremes of the ratio and the peer that is the
baseline. null: there is none (of holds: there is no goal; of value: it is not built yet). A table
without its peers says INCOMPLETE in its first line. Exit 0: all programs ran and lost nothing;
whether the goals hold is the table's say.
"""
import argparse
import json
import pathlib
import subprocess
import sys

FIELDS = ("row", "name", "value", "unit", "baseline", "ratio", "goal", "holds")
PEERS = ("fastrace", "opentelemetry_sdk", "protobuf C++", "protobuf-c")
SCRIPTS = ("serve.py",)


def run(command):
    """The rows of one program; None: it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        print(f"{' '.join(map(str, command))}: failed with {done.returncode}", file=sys.stderr)
        return None
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def number(value, unit=""):
    if value is None:
        return "-"
    return f"{value:.2f} {unit}".rstrip()


def span_of(row):
    if row.get("ratio_min") is None or row["ratio_min"] == row["ratio_max"]:
        return ""
    return f"{row['ratio_min']:.2f}-{row['ratio_max']:.2f}"


def table(rows):
    verdicts = {True: "yes", False: "NO", None: ""}
    lines = [("row", "what", "value", "baseline", "ratio", "min-max", "goal", "holds")]
    for row in rows:
        lines.append((row["row"], row["name"], number(row["value"], row["unit"]),
                      number(row["baseline"], row["unit"]), number(row["ratio"]), span_of(row),
                      row["goal"], verdicts[row["holds"]]))
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
    here = pathlib.Path(__file__).parent
    commands = [[program] for program in programs + peers if program.is_file()]
    commands += [[sys.executable, here / name, "--build", arguments.build] for name in SCRIPTS]
    results = [run(command) for command in commands]
    rows = sorted((row for result in results if result for row in result),
                  key=lambda row: int(row["row"]))
    measured = [row.get("peer") or "" for row in rows] + [peer.name for peer in peers]
    missing = [name for name in PEERS if not any(name in peer for peer in measured)]
    if missing:
        print("INCOMPLETE: not measured here: " + ", ".join(missing))
    print("\n".join(table(rows)))
    output = arguments.output or arguments.build / "bench.json"
    output.write_text(json.dumps([{field: row[field] for field in FIELDS} for row in rows],
                                 indent=2) + "\n")
    return 0 if programs and all(result is not None for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
