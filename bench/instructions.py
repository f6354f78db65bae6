#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of the recording paths and compares them with bench/instructions.json.

Unlike times these hardly depend on what else the machine does: callgrind counts what the recording
thread executes inside counted() of bench/recording.c, divided by the spans recorded, and the graph's
thread inside that of bench/hop.c, by hops. Exit 1: a
shape needs more than 2 percent more instructions than recorded, or fewer (then --write).
"""
import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True

import callgrind

RECORDED = pathlib.Path(__file__).parent / "instructions.json"
TOLERANCE = 0.02


def count(build, shape):
    """Instructions per span or, of shapes of bench/hop.c, per hop."""
    if shape.startswith("hop-"):
        return callgrind.per_hop(build / "bench" / "bench-hop", shape.removeprefix("hop-"))
    return callgrind.per_span(build / "bench" / "bench-recording", shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--write", action="store_true", help="record what was counted")
    arguments = parser.parse_args()
    recorded = json.loads(RECORDED.read_text())
    counted = {shape: count(arguments.build, shape) for shape in recorded}
    n_off = 0
    for shape, n in counted.items():
        is_off = abs(n - recorded[shape]) > recorded[shape] * TOLERANCE
        n_off += is_off
        print(f"{shape:<18} {n:>8.1f}  recorded {recorded[shape]:>8.1f}" +
              ("  DIFFERS" if is_off else ""))
    if arguments.write:
        RECORDED.write_text(json.dumps(counted, indent=2) + "\n")
        return 0
    return 1 if n_off else 0


if __name__ == "__main__":
    sys.exit(main())
