# SPDX-License-Identifier: Apache-2.0
"""What callgrind counts within the function `counted` of a benchmark program."""

import json
import re
import subprocess
import sys


def collect(command):
    """Instructions, and what the program printed as JSON."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--toggle-collect=counted", *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f"{' '.join(map(str, command))}: failed with {done.returncode}\n{done.stderr}")
    return int(collected.group(1)), json.loads(done.stdout.splitlines()[0])


def per_span(program, shape):
    n, said = collect([program, shape])
    return round(n / said["spans"], 1)


def per_hop(program, way):
    """Of a hop more on the way of a batch: see bench/hop.c."""
    of_short, said = collect([program, way, "short"])
    of_long, _ = collect([program, way, "long"])
    return round((of_long - of_short) / (said["batches"] * said["hops"]), 1)
