#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Row 23: how many instructions a hop takes more, with tracing off, than in a program whose engine
never records (FTR_RECORDING_OUT). Counted by callgrind; without it the row has no value."""
import argparse
import json
import pathlib
import shutil
import sys

sys.dont_write_bytecode = True

import callgrind

GOAL = 6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    bench = parser.parse_args().build / "bench"
    row = {"row": "23", "unit": "instructions", "peer": "", "baseline": None, "ratio": None,
           "ratio_min": None, "ratio_max": None, "goal": f"<= {GOAL}", "value": None, "holds": None,
           "name": "a hop more than without recording compiled in, mode off"}
    if shutil.which("valgrind"):
        row["baseline"] = callgrind.per_hop(bench / "hop-bare", "off")
        row["value"] = round(callgrind.per_hop(bench / "bench-hop", "off") - row["baseline"], 1)
        row["holds"] = row["value"] <= GOAL
    print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
