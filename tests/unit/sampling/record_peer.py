#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes recorded_peer.h: what OpenTelemetry's SDK for Python decides, for sampler_test.c.

To record anew: `python3 -m venv V && V/bin/pip install opentelemetry-sdk==1.45.2`, then
`V/bin/python record_peer.py`. The ids are those of trace_ids() in sampler_test.c. For each ratio the
header has how many of them are sampled and a hash (FNV-1a, 64 bit) over one byte 0 or 1 for each.
"""

import pathlib

from opentelemetry import trace
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace._sampling_experimental import (composable_parent_threshold,
                                                            composable_traceid_ratio_based, composite_sampler)

MASK = 2**64 - 1
N_IDS = 10000
RATIOS = ["0", "0.0001", "0.001", "0.01", "0.1", "0.25", "0.3", "0.5", "0.6666", "0.99", "1"]
# Exact in 4 hexadecimal digits, so that rounding the threshold changes nothing.
PROBABILITIES = ["0", "0.0625", "0.125", "0.25", "0.5", "0.75", "1"]
RANDOM = "ot=rv:6e6d1a75832a2f"
STATES = [  # tracestate, parent: None, sampled or not; only cases that specification and SDK see alike
    ("", None, "0.25"), ("vendor=1", None, "0.5"), (RANDOM, None, "0.5"), (RANDOM, None, "0.75"),
    ("a=1,ot=rv:ffffffffffffff;x:y,b=2", None, "0.0625"), ("ot=th:8;rv:ffffffffffffff", None, "0.25"),
    ("ot=x:y", None, "1"), ("ot=th:c;x:y,a=1", True, "0.5"), ("ot=th:0", True, "0.5"), ("a=1", True, "0.5"),
    ("ot=th:8;rv:80000000000000", True, "0.5"), ("a=1", False, "0.5"), ("ot=x:y", False, "0.5"),
]
TRACE_ID = 0x0102030405060708_09F0000000000001  # randomness f0000000000001


def splitmix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


def trace_ids():
    state = 1
    for _ in range(N_IDS):
        state, high = splitmix(state)
        state, low = splitmix(state)
        yield high << 64 | low


def judged(sampler):
    """(how many, hash)"""
    count, hashed = 0, 0xCBF29CE484222325
    for trace_id in trace_ids():
        is_sampled = sampler.should_sample(None, trace_id, "s").decision.is_sampled()
        count += is_sampled
        hashed = ((hashed ^ is_sampled) * 0x100000001B3) & MASK
    return count, hashed


def context_of(is_sampled, state):
    if is_sampled is None:
        return None
    parent = trace.SpanContext(TRACE_ID, 1, True, trace.TraceFlags(int(is_sampled)), state)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def marked(text, is_sampled, ratio):
    """(is sampled, tracestate) of a parent-based probability sampler"""
    state = trace.TraceState.from_header([text]) if text else None
    sampler = composite_sampler(composable_parent_threshold(composable_traceid_ratio_based(float(ratio))))
    result = sampler.should_sample(context_of(is_sampled, state), TRACE_ID, "s", trace_state=state)
    return result.decision.is_sampled(), result.trace_state.to_header() if result.trace_state else ""


def rows(name, ratios, make):
    yield f"static const struct {{\n    const char *ratio;\n    unsigned n_sampled;\n    uint64_t hash;\n}} {name}[] = {{"
    for ratio in ratios:
        count, hashed = judged(make(float(ratio)))
        yield f"    {{\"{ratio}\", {count}, UINT64_C(0x{hashed:016x})}},"
    yield "};"


def lines():
    yield "/* SPDX-License-Identifier: Apache-2.0"
    yield " *"
    yield " * Written by record_peer.py; not edited. */"
    yield "/* clang-format off */"
    yield f"enum {{ N_IDS = {N_IDS} }};"
    yield from rows("ratios", RATIOS, sampling.TraceIdRatioBased)
    yield from rows("probabilities", PROBABILITIES, lambda ratio: composite_sampler(composable_traceid_ratio_based(ratio)))
    yield "static const struct {\n    const char *before;\n    bool has_parent, parent_is_sampled;\n    const char *ratio;"
    yield "    bool is_sampled;\n    const char *after;\n} states[] = {"
    for text, parent, ratio in STATES:
        is_sampled, after = marked(text, parent, ratio)
        words = [f"\"{text}\"", parent is not None, bool(parent), f"\"{ratio}\"", is_sampled, f"\"{after}\""]
        yield "    {" + ", ".join(str(word).lower() if isinstance(word, bool) else word for word in words) + "},"
    yield "};"


pathlib.Path(__file__).with_name("recorded_peer.h").write_text("\n".join(lines()) + "\n", encoding="utf-8")
