# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry Collector, built as go.sum locks it, and `flowtrace run` with the same configurations
(tests/scenario/collector_form.py): both have to answer senders and deliver as written there, and both
have to refuse the same ones. `parity.py --build DIR`."""

import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scenario"))
sys.dont_write_bytecode = True

import harness  # noqa: E402


def build(folder):
    """The Collector's program; minutes the first time."""
    program = os.path.join(folder, "otelcol")
    subprocess.run(["go", "build", "-C", HERE, "-p", "2", "-ldflags=-s -w", "-o", program, "."], check=True, timeout=3600)
    return program


def compare_delivery(cases, programs):
    n_wrong = 0
    for name, case in cases.items():
        for title, command in programs.items():
            answers, items, _, log = case.run(command)
            is_right = answers == case.answers and items == case.items
            n_wrong += not is_right
            print(f"{name}: {title}: {len(items)} items, answers {answers}: {'as written' if is_right else 'WRONG'}")
            if not is_right:
                print(f"  expected {case.answers} {case.items}\n  found {items}\n{log}")
    return n_wrong


def is_valid(command, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return subprocess.run(command + [file.name], stdin=subprocess.DEVNULL, check=False, timeout=120,
                              capture_output=True).returncode == 0


def compare_verdicts(texts, expected, validators):
    n_wrong = 0
    for text in texts:
        found = {title: is_valid(command, text) for title, command in validators.items()}
        if set(found.values()) != {expected}:
            n_wrong += 1
            print(f"expected {'valid' if expected else 'invalid'}, found {found}:\n{text}")
    print(f"{len(texts)} configurations that are {'right' if expected else 'wrong'}: {n_wrong} verdicts differ")
    return n_wrong


def main():
    parser = argparse.ArgumentParser(description="The Collector's form against the Collector.")
    parser.add_argument("--build", required=True, help="a build directory")
    harness.BUILD = os.path.abspath(parser.parse_args().build)
    folder = os.path.join(harness.BUILD, "collector")
    os.makedirs(folder, exist_ok=True)
    collector, ours = build(folder), harness.program()
    from collector_form import CASES, RIGHT, WRONG
    n_wrong = compare_delivery(CASES, {"Collector": [collector, "--config"], "flowtrace": [ours, "run"]})
    validators = {"Collector": [collector, "validate", "--config"], "flowtrace": [ours, "validate"]}
    n_wrong += compare_verdicts(RIGHT, True, validators) + compare_verdicts(WRONG, False, validators)
    sys.exit(1 if n_wrong else 0)


main()
