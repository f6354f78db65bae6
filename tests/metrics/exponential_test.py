#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Exponential histograms against the OpenTelemetry data model in decimal arithmetic: a value above 0
is in bucket ceil(log2(value) * 2^scale) - 1.

usage: exponential_test.py TOOL
"""
import collections
import decimal
import functools
import math
import random
import subprocess
import sys
import unittest

TOOL = sys.argv.pop(1)
SIZE, FINEST = 160, 10
decimal.getcontext().prec = 50
LN2 = decimal.Decimal(2).ln()


@functools.lru_cache(maxsize=None)
def log2_of(value):
    mantissa, exponent = math.frexp(value)
    if mantissa == 0.5:  # a power of two: its logarithm is whole
        return decimal.Decimal(exponent - 1)
    return decimal.Decimal(2 * mantissa).ln() / LN2 + exponent - 1


def index_of(value, scale):
    return math.ceil(log2_of(value) * decimal.Decimal(2) ** scale) - 1


def expected(values):
    """(scale, zeros, {index: count}) of the finest scale at which 160 buckets are enough."""
    zeros = sum(value == 0 for value in values)
    positive = [value for value in values if value > 0]
    for scale in range(FINEST, -12, -1):
        indexes = [index_of(value, scale) for value in positive]
        if not indexes or max(indexes) - min(indexes) < SIZE:
            return scale, zeros, dict(collections.Counter(indexes))
    raise AssertionError("no scale is coarse enough")


class Tool:
    def __init__(self):
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")

    def ask(self, line):
        self.say(line)
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def histogram(self):
        scale, zeros, offset, *counts = map(int, self.ask("show"))
        return scale, zeros, {offset + i: count for i, count in enumerate(counts) if count}

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


def odd_values(rng):
    """Doubles next to the bounds of all scales, powers of two, the ends of what there is."""
    yield from (5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308)
    for exponent in (-1074, -1023, -1022, -1, 0, 1, 52, 1023):
        power = math.ldexp(1.0, exponent)
        yield from (power, math.nextafter(power, 0), math.nextafter(power, math.inf))
    for k in range(1024):
        bound = float(decimal.Decimal(2) ** (decimal.Decimal(k) / 1024))
        for value in (math.nextafter(bound, 0), bound, math.nextafter(bound, 4)):
            yield math.ldexp(value, rng.choice([0, 1, -30, 20, 1000, -1000]))
    for _ in range(500):
        yield math.ldexp(1 + rng.random(), rng.randrange(-1060, 1023))


class Exponential(unittest.TestCase):
    def setUp(self):
        self.tool = Tool()
        self.addCleanup(self.tool.close)

    def test_indexes_are_exact(self):
        rng = random.Random(1)
        for value in odd_values(rng):
            if value == 0 or math.isinf(value):
                continue
            scale = rng.choice([10, 10, 10, 9, 3, 0, -1, -4])
            index, upper = self.tool.ask(f"index {value.hex()} {scale}")
            self.assertEqual(int(index), index_of(value, scale), (value.hex(), scale))
            upper = float.fromhex(upper)
            if math.isfinite(upper):
                above = math.nextafter(upper, math.inf)
                self.assertEqual(index_of(upper, scale), int(index), (value.hex(), scale))
                if math.isfinite(above):
                    self.assertGreater(index_of(above, scale), int(index), (value.hex(), scale))
            else:
                self.assertEqual(index_of(sys.float_info.max, scale), int(index))

    def values(self, rng, n):
        low = rng.choice([-1000, -20, -3, 0])
        return [rng.choice([0.0, math.ldexp(1 + rng.random(), low + rng.randrange(rng.choice([1, 4, 30, 900])))])
                if rng.random() < 0.2 else math.ldexp(1 + rng.random(), low) for _ in range(n)]

    def test_counts_stand_at_any_scale(self):
        rng = random.Random(2)
        for _ in range(60):
            values = self.values(rng, rng.choice([1, 2, 50, 400]))
            self.tool.say("new")
            for value in values:
                self.tool.say(f"add {value.hex()} 1")
            self.assertEqual(self.tool.histogram(), expected(values))

    def test_the_whole_range_of_doubles(self):
        values = [5e-324, 1.0, 0.0, sys.float_info.max]
        for value in values:
            self.tool.say(f"add {value.hex()} 3")
        scale, zeros, counts = expected(values)
        self.assertEqual(self.tool.histogram(), (scale, 3 * zeros, {i: 3 * n for i, n in counts.items()}))
        self.assertEqual(scale, -4)  # 2^-1074 to 2^1024: 2098 octaves in 160 buckets

    def test_merging_is_counting_together(self):
        rng = random.Random(3)
        for _ in range(60):
            mine, theirs = self.values(rng, rng.choice([0, 1, 30])), self.values(rng, rng.choice([0, 1, 30]))
            self.tool.say("new")
            for value in mine:
                self.tool.say(f"add {value.hex()} 1")
            self.tool.say("merge " + " ".join(value.hex() for value in theirs))
            self.assertEqual(self.tool.histogram(), expected(mine + theirs))


if __name__ == "__main__":
    unittest.main(verbosity=2)
