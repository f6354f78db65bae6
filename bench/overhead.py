#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Row 23: what `flowtrace run` costs as a traced pipeline, whole: CPU of the process for a batch of 16
that goes through three nodes, at a set rate, its spans exported over HTTP to a process that counts
them. Each share of sampled flows beside the same run untraced, in turn. And what the process weighs
while the collector is down and there is more to keep than its queue holds.

A span that is missing at the sink fails the run. Prints one JSON object a line, as the other programs do.
"""
import argparse
import json
import math
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile

TURNS = 5
BATCH = 16
BATCHES = 25_000
RATE = 50_000  # batches a second
NODES = 3
ACTIONS = 3  # spans of draining and shutting down
SHARES = (0, 0.001, 0.01, 1)
DOWN_TIMES = (1, 4)  # as many batches as in a turn, and longer
GRAPH = """\
pipeline: overhead
nodes:
  make: {type: receiver/generator, config: {count: %d, rate: %d, batch: %d}}
  mark: {type: processor/attributes, config: {actions: [{action: upsert, key: seen, value: true}]}}
  out: {type: exporter/noop}
connections:
  - {from: make, to: mark}
  - {from: mark, to: out}
"""


class Sink:
    def __init__(self, build):
        self.process = subprocess.Popen([str(build / "peers" / "sink")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def n_spans(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["spans"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


class Pipeline:
    def __init__(self, program, directory):
        self.program, self.directory = program, pathlib.Path(directory)

    def run(self, port, n_batches, **settings):
        """(exit status, CPU in us a batch, peak of resident memory in MB)"""
        path = self.directory / "graph.yaml"
        path.write_text(GRAPH % (n_batches * BATCH, RATE * BATCH, BATCH))
        environment = dict(os.environ, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{port}/v1/traces",
                           OTEL_METRICS_EXPORTER="none", **settings)
        with open(os.devnull, "wb") as nowhere:
            process = subprocess.Popen([str(self.program), "run", str(path)], env=environment,
                                       stdin=nowhere, stdout=nowhere, stderr=nowhere)
            _, status, usage = os.wait4(process.pid, 0)
        cpu_us = (usage.ru_utime + usage.ru_stime) * 1e6
        return os.waitstatus_to_exitcode(status), cpu_us / n_batches, usage.ru_maxrss / 1024


UNTRACED = {"FLOWTRACE_MODE": "off"}


def sampling(share):
    return {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(share)}


def check_arrived(share, n_spans):
    """Flows are drawn one by one: within six deviations; all and none are exact."""
    expected = BATCHES * share
    deviation = math.sqrt(BATCHES * share * (1 - share))
    flows = (n_spans - ACTIONS) / NODES
    if abs(flows - expected) > 6 * deviation:
        raise SystemExit(f"overhead.py: {flows} flows arrived of {BATCHES} at {share}")


def one_turn(pipeline, sink):
    """CPU by share; None: untraced."""
    costs = {}
    for share in (None, *SHARES):
        before = sink.n_spans()
        settings = UNTRACED if share is None else sampling(share)
        code, costs[share], _ = pipeline.run(sink.port, BATCHES, **settings)
        if code != 0:
            raise SystemExit(f"overhead.py: the pipeline ended with {code}")
        if share is None:
            assert sink.n_spans() == before
        else:
            check_arrived(share, sink.n_spans() - before)
    return costs


def report(name, unit, values, baselines, limit=None):
    ratios = [value / baseline for value, baseline in zip(values, baselines)]
    value = statistics.median(values)
    print(json.dumps({
        "row": "23", "name": name, "unit": unit, "peer": "", "value": value,
        "baseline": statistics.median(baselines), "ratio": statistics.median(ratios),
        "ratio_min": min(ratios), "ratio_max": max(ratios),
        "goal": f"<= {limit} {unit}" if limit else "",
        "holds": value <= limit if limit else None}), flush=True)


def measure_shares(pipeline, sink):
    one_turn(pipeline, sink)
    turns = [one_turn(pipeline, sink) for _ in range(TURNS)]
    baselines = [turn[None] for turn in turns]
    for share in SHARES:
        report(f"`run`, CPU a batch of {BATCH} through {NODES} nodes, {share:.4g} sampled / untraced",
               "us", [turn[share] for turn in turns], baselines)


def measure_down(pipeline):
    """Nobody listens at the port as long as it is bound."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for times in DOWN_TIMES:
            baseline = pipeline.run(port, BATCHES * times, **UNTRACED)
            code, _, mb = pipeline.run(port, BATCHES * times, **sampling(1))
            if baseline[0] != 0 or code != 1:
                raise SystemExit(f"overhead.py: spans that nobody took ended with {code}")
            report(f"`run`, resident, the collector down, {BATCHES * times * NODES} spans / untraced",
                   "MB", [mb], [baseline[2]], 64)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    build = parser.parse_args().build
    with tempfile.TemporaryDirectory() as directory:
        pipeline = Pipeline(build / "bin" / "flowtrace", directory)
        sink = Sink(build)
        measure_shares(pipeline, sink)
        sink.close()
        measure_down(pipeline)


if __name__ == "__main__":
    main()
