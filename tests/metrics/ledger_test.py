#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The metrics of a program against the ledger it kept: calls, errors and every bucket are equal.

usage: ledger_test.py --build DIR
"""
import collections
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import harness  # noqa: E402

MODES = ["full", "tail=0", "tail=0.01", "tail=1"]
NAMES = ["read", "parse", 'GET /a"b\\c', "grüße\nzwei", "write"]
STATUSES = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]
SAMPLE = re.compile(r'^traces_span_metrics_(\w+)\{(.*?)\} (\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?: # .*)?$', re.M)
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def run(*words):
    done = subprocess.run([os.path.join(harness.BUILD, "tests", "metrics-ledger"), *words],
                          stdout=subprocess.PIPE, timeout=250, check=True)
    lines, text = done.stdout.decode().split("metrics\n", 1)
    rows = [tuple(map(int, line.split())) for line in lines.splitlines()]
    return [(NAMES[name], STATUSES[status], ns) for name, status, ns in rows], text


def samples(text):
    """{(what, name, status, le or None): value}"""
    found = {}
    for what, labels, value in SAMPLE.findall(text):
        labels = {key: re.sub(r"\\.", lambda escape: ESCAPES[escape[0]], text)
                  for key, text in LABEL.findall(labels)}
        key = (what, labels["span_name"], labels["status_code"], labels.get("le"))
        assert key not in found, key
        found[key] = float(value)
    return found


class Ledger(unittest.TestCase):
    def check(self, mode, buckets, form):
        rows, text = run(mode, buckets, form)
        found = samples(text)
        by_series = collections.defaultdict(list)
        for name, status, ns in rows:
            by_series[name, status].append(ns)
        self.assertEqual(len(by_series), len(NAMES) * len(STATUSES))
        self.assertEqual({key[1:3] for key in found}, set(by_series))
        errors = 0
        for (name, status), durations in by_series.items():
            take = lambda what, le=None: found.pop((what, name, status, le))  # noqa: B023
            self.assertEqual(take("calls_total"), len(durations))
            errors += len(durations) if status == "STATUS_CODE_ERROR" else 0
            self.assertEqual(take("duration_milliseconds_count"), len(durations))
            self.assertEqual(take("duration_milliseconds_sum"), sum(durations) / 1e6)
            bounds = [key[3] for key in found if key[:3] == ("duration_milliseconds_bucket", name, status)]
            self.assertEqual(bounds[-1], "+Inf")
            self.assertEqual(bounds, sorted(bounds, key=float))
            for le in bounds:
                expected = sum(ns / 1e6 <= float(le) for ns in durations)
                self.assertEqual(take("duration_milliseconds_bucket", le), expected, (name, status, le))
            if buckets == "explicit":
                self.assertEqual(len(bounds), 17)
        self.assertEqual(found, {})
        if mode == "tail=0":
            self.assertNotIn("trace_id", text)  # no exemplar: nothing is kept
        elif form == "openmetrics" and mode == "full":
            self.assertIn("trace_id", text)
        self.assertEqual(errors, sum(status == "STATUS_CODE_ERROR" for _, status, _ in rows))

    def test_the_metrics_are_the_ledger(self):
        for mode in MODES:
            for buckets in ("explicit", "exponential"):
                for form in ("prometheus", "openmetrics"):
                    with self.subTest(mode=mode, buckets=buckets, form=form):
                        self.check(mode, buckets, form)


if __name__ == "__main__":
    harness.main()
