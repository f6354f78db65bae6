#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows 1 to 5 and 8 beside other languages' libraries: builds the peers (bench/peers), then asks each
case of ours and of every peer in turn, in one session, and prints one table.

A subject is a process <build>/peers/peer-NAME that answers `run CASE N` with one JSON line: the CPU
ns per span of the recording thread (ns) and of its whole process (process_ns), spans recorded, spans
delivered at the sink. All of them run on one and the same core, one at a time, and log into files. A
burst is flushed, untimed, before the next. Row 8 exports to a sink of its own process, which counts.

Exit 1: ours lost a span, or a subject of ours failed. A peer that loses is shown with the share that
arrived; a peer that is not there is named in the first line, behind INCOMPLETE.
"""
import argparse
import collections
import json
import os
import pathlib
import select
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "peers"))

import build as builder
import table

OURS = "flowtrace"
ANSWER_TIMEOUT_S = 120
FASTRACE, OTEL_RUST, TRACING, OTEL_GO = "fastrace", "otel-rust", "tracing", "otel-go"

# spans: of one burst, which fits the queue of every subject; goals: how many times faster than whom.
Case = collections.namedtuple("Case", "row what case spans goals")
CASES = (
    Case("1", "sampled child, traces of 1000", "trace-1000", 20000,
         {FASTRACE: 1.7, OTEL_RUST: 15, TRACING: 15}),
    Case("1", "sampled child, traces of 10", "trace-10", 20000,
         {FASTRACE: 1.7, OTEL_RUST: 15, TRACING: 15}),
    Case("2", "with 4 attributes of 20 + 20 bytes", "attributes-4", 5000, {FASTRACE: 2.5}),
    Case("2", "with 10 attributes of 20 + 20 bytes", "attributes-10", 5000, {FASTRACE: 2.5}),
    Case("3", "with an event", "event", 5000, {}),
    Case("4", "traces of 10, with their roots", "trace-10", 20000, {FASTRACE: 8}),
    Case("4", "roots alone", "root", 2000, {}),
    Case("5", "unsampled child", "unsampled", 500000, {FASTRACE: 8}),
    Case("5", "off", "off", 500000, {FASTRACE: 8}),
)
EXPORTING = Case("8", "created and exported, OTLP/HTTP, 10 attributes", "attributes-10", 5000,
                 {OTEL_RUST: 25, TRACING: 25})
EXPORTERS = (OTEL_RUST, TRACING, OTEL_GO)


# Subjects share one core; the sink and this program have the others, where there are any.
CORES = os.sched_getaffinity(0)
SUBJECT_CORE = {min(CORES)}
OTHER_CORES = CORES - SUBJECT_CORE or CORES
# Everybody runs with defaults.
SETTINGS_OF_SUBJECTS = ("OTEL_", "FTR_", "GO", "RUST_")


class Failed(Exception):
    """A subject ended, was silent for too long, or said something else."""


class Program:
    """A process that answers each line with a line of JSON."""

    def __init__(self, name, command, log, cores=OTHER_CORES):
        self.name = name
        environment = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS_OF_SUBJECTS)}
        try:
            with open(log, "w", encoding="utf-8") as errors:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1,
                    env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        except OSError as error:
            raise Failed(f"{name}: {error}") from error

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_TIMEOUT_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Failed(f"{self.name}: no answer")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
        except OSError as error:
            raise Failed(f"{self.name}: {error.strerror}") from error
        return self.answer()

    def stop(self):
        """True: it ended by itself, and well."""
        try:
            self.process.stdin.close()
            return self.process.wait(ANSWER_TIMEOUT_S) == 0
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
            return False
        finally:
            self.process.stdout.close()


class Sink(Program):
    """Counts what is exported to it."""

    def __init__(self, folder):
        super().__init__("sink", [str(folder / "sink")], folder / "sink.stderr")
        self.url = f"http://127.0.0.1:{self.answer()['port']}/v1/traces"

    def n_spans(self):
        return self.ask("count")["spans"]


class Subject(Program):
    """One library: what it cost in each turn, and what became of its spans."""

    def __init__(self, name, program, folder, sink=None):
        super().__init__(name, [str(program)] + ([sink.url] if sink else []), folder / f"{name}.stderr", SUBJECT_CORE)
        self.sink = sink
        self.reset()

    def reset(self):
        self.costs = []
        self.n_recorded = 0
        self.n_delivered = 0

    def turn(self, case, spans, bursts):
        """Some bursts of a case; their mean cost."""
        before = self.sink.n_spans() if self.sink else 0
        answers = [self.ask(f"run {case.case} {spans}") for _ in range(bursts)]
        self.n_recorded += sum(answer["recorded"] for answer in answers)
        if self.sink:
            self.n_delivered += self.sink.n_spans() - before
        else:
            self.n_delivered += sum(answer["delivered"] for answer in answers)
        return statistics.mean(answer["process_ns" if self.sink else "ns"] for answer in answers)

    def has_lost(self):
        return self.n_delivered != self.n_recorded

    def loss(self):
        """What is to be said about it in the table."""
        if not self.has_lost():
            return ""
        if self.n_recorded == 0:
            return f", {self.n_delivered} delivered that were not recorded"
        return f", {100 * self.n_delivered / self.n_recorded:.1f} % delivered"


def measure(case, subjects, settings):
    """Asks everybody in turn; who fails is dropped, with its reason."""
    spans = min(case.spans, settings.spans_max)
    failed = {}
    for subject in subjects:
        subject.reset()
    for turn in range(settings.pairs + 1):
        for subject in [subject for subject in subjects if subject.name not in failed]:
            try:
                cost = subject.turn(case, spans, settings.bursts)
            except (Failed, ValueError, KeyError, TypeError) as why:
                failed[subject.name] = str(why)
                continue
            if turn > 0:
                subject.costs.append(cost)
    return failed


def row_of(case, ours, title, peer, goal):
    """Ours beside one peer; None: it is missing."""
    costs = peer.costs if peer else []
    ratios = [cost / own for cost, own in zip(costs, ours.costs)]
    ratio = statistics.median(ratios) if ratios else None
    return {"row": case.row, "name": f"{case.what} / {title}{peer.loss() if peer else ''}", "unit": "ns",
            "value": statistics.median(ours.costs), "baseline": statistics.median(costs) if costs else None,
            "ratio": ratio, "ratio_min": min(ratios, default=None), "ratio_max": max(ratios, default=None),
            "goal": f">= {goal:g} x" if goal else "",
            "holds": ratio >= goal if goal and ratio is not None else None}


class Session:
    """What is measured, what could not be, and whether ours was without fault."""

    def __init__(self, build, peers, settings):
        self.folder = (build / "peers").resolve()
        self.peers = peers
        self.settings = settings
        self.rows = []
        self.missing = {peer.name: f"{peer.title} ({peer.why})" for peer in peers if peer.why}
        self.is_good = True

    def blame(self, why):
        print(why, file=sys.stderr)
        self.is_good = False

    def start(self, peers, sink):
        """By name: ours, and the peers that are there."""
        programs = {OURS: self.folder / f"peer-{OURS}"}
        programs.update((peer.name, peer.program) for peer in peers if peer.name not in self.missing)
        return {name: Subject(name, program, self.folder, sink) for name, program in programs.items()}

    def add(self, case, peers, subjects):
        """The rows of one case. A subject that fails leaves the session."""
        for name, why in measure(case, list(subjects.values()), self.settings).items():
            self.missing[name] = why
            subjects.pop(name).stop()
        ours = subjects.get(OURS)
        if not ours:
            raise Failed(self.missing.pop(OURS))
        if ours.has_lost():
            self.blame(f"{case.what}: ours recorded {ours.n_recorded} spans, {ours.n_delivered} were delivered")
        for peer in peers:
            self.rows.append(row_of(case, ours, peer.title, subjects.get(peer.name), case.goals.get(peer.name)))

    def run(self, cases, peers, sink=None):
        subjects = self.start(peers, sink)
        try:
            for case in cases:
                self.add(case, peers, subjects)
        finally:
            ended_well = {name: subject.stop() for name, subject in subjects.items()}
        if not ended_well[OURS]:
            self.blame(f"{OURS}: it did not end well")

    def run_all(self):
        self.run(CASES, self.peers)
        sink = Sink(self.folder)
        try:
            self.run([EXPORTING], [peer for peer in self.peers if peer.name in EXPORTERS], sink)
        finally:
            sink.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=15, help="measured turns of each subject")
    parser.add_argument("--bursts", type=int, default=10, help="bursts of one turn")
    parser.add_argument("--spans-max", type=int, default=1000000, help="of one burst, a multiple of 1000")
    return parser.parse_args()


def main():
    settings = parse_arguments()
    peers = builder.build_all(settings.build)
    os.sched_setaffinity(0, OTHER_CORES)
    session = Session(settings.build, peers, settings)
    try:
        session.run_all()
    except Failed as why:
        session.blame(why)
    table.publish(session.rows, session.missing.values(), settings.output or settings.build / "bench-peers.json")
    return 0 if session.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
