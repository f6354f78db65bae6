# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the tests of one make target, and closes with `N passed, N failed, N skipped`.

A run is one build directory with a selection of its ctest tests by label. A build that fails counts
as one failed test of its run and does not keep the other runs from happening. A skip that
tests/skips.txt does not name counts as failed. Standard library only; called by the Makefile.
"""

import glob
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Labels whose tests are run by their own targets only.
LONG_LABELS = ["torture", "simulate", "isolation", "crash", "sampling", "long"]
DEFAULT_TIMEOUT_S = "300"
PARALLEL = "2"


def any_of(labels):
    """The ctest expression that matches exactly these labels."""
    return "^(" + "|".join(labels) + ")$"


EVERYTHING = ["-LE", any_of(["once"] + LONG_LABELS)]
ONCE = ["-L", "^once$", "-LE", any_of(LONG_LABELS)]

# target: [(preset, ctest selection, build only what is selected)]
TARGETS = {
    "test": [
        ("release", ONCE, False),
        ("test", EVERYTHING, False),
        ("asan", EVERYTHING, False),
        ("tsan", ["-L", "^tsan$", "-LE", any_of(LONG_LABELS)], True),
    ],
    "fuzz": [("fuzz", ["-L", "^fuzz$"], True)],
    "torture": [("asan", ["-L", "^torture$"], True), ("tsan", ["-L", "^torture$"], True)],
    "simulate": [("asan", ["-L", "^simulate$", "-V"], True)],
    "isolation": [("test", ["-L", "^isolation$", "-V"], True)],
    "crash": [("test", ["-L", "^crash$"], False)],
    "sampling": [("release", ["-L", "^sampling$", "-V"], False)],
}


class Totals:
    """What has been counted so far, and the names behind the bad part of it."""

    def __init__(self):
        self.passed = 0
        self.failures = []
        self.skips = []

    def fail(self, name):
        self.failures.append(name)


def say(text):
    print(text, flush=True)


def run(arguments, **options):
    return subprocess.run(arguments, cwd=ROOT, stdin=subprocess.DEVNULL, check=False, **options)


def build_dir(preset):
    return os.path.join(ROOT, "build" if preset == "release" else "build-" + preset)


def read_skips():
    """Names in tests/skips.txt; a line without a reason is not a permission."""
    names = set()
    with open(os.path.join(ROOT, "tests", "skips.txt"), encoding="utf-8") as lines:
        for line in lines:
            match = re.match(r"((?:\w+: )?\S+)\s+\S", line.split("#")[0])
            if match:
                names.add(match.group(1))
    return names


def configure(preset):
    done = run(["cmake", "--preset", preset], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        say(done.stdout.decode(errors="replace"))
    return done.returncode == 0


def selected_programs(preset, selection):
    """Build targets of the selected tests: their programs, as ninja names them."""
    directory = build_dir(preset)
    done = run(["ninja", "-C", directory, "-t", "targets", "all"], stdout=subprocess.PIPE)
    known = {line.split(":")[0] for line in done.stdout.decode().splitlines()}
    listed = run(["ctest", "--test-dir", directory, "-N", "-V"] + selection,
                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    words = set(re.findall(r'"?(%s/[^\s"]+)' % re.escape(directory), listed))
    return sorted({os.path.relpath(word, directory) for word in words} & known)


def build(preset, selection, selected_only):
    """True when it worked; None when there is nothing to build and so nothing to run."""
    command = ["cmake", "--build", build_dir(preset)]
    if selected_only:
        programs = selected_programs(preset, selection)
        if not programs:
            return None
        command += ["--target"] + programs
    else:
        command += ["--", "-k", "0"]
    done = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        say(done.stdout.decode(errors="replace"))
    return done.returncode == 0


def is_skipped(case):
    return case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None


def count(report, preset, built, totals, allowed):
    """Adds the cases of a JUnit report of ctest to the totals."""
    why = "and tests/skips.txt does not say why" if built else "the build failed"
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{preset}: {case.get('name')}"
        if is_skipped(case) and name in allowed:
            totals.skips.append(name)
        elif is_skipped(case):
            totals.fail(f"{name} (did not run, {why})")
        elif case.get("status") == "run":
            totals.passed += 1
        else:
            totals.fail(name)


def without_aslr(preset):
    """gcc 12's ThreadSanitizer refuses the address layout of newer kernels; where it may, it goes without."""
    command = ["setarch", "-R"]
    if preset != "tsan" or run(command + ["true"], stderr=subprocess.DEVNULL).returncode != 0:
        return []
    return command


def run_fuzzers(directory, totals):
    """Each fuzz target on its corpus, for FTR_FUZZ_SECONDS; beyond what its ordinary test does."""
    seconds = os.environ.get("FTR_FUZZ_SECONDS", "60")
    for program in sorted(glob.glob(os.path.join(directory, "tests", "fuzz-*"))):
        name = os.path.basename(program)
        if not os.access(program, os.X_OK) or not os.path.isfile(program) or name.endswith(".crash"):
            continue
        corpus = os.path.join(ROOT, "fuzz", "corpus", name[len("fuzz-"):])
        say(f"== {name}: {seconds} s")
        done = subprocess.run([program, f"-max_total_time={seconds}", corpus], cwd=directory,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            totals.passed += 1
        else:
            totals.fail(f"{name} (exit status {done.returncode}; the input is in {directory}/{name}.crash)")


def run_preset(preset, selection, selected_only, totals, allowed):
    started = time.monotonic()
    say(f"== {preset}: building")
    if not configure(preset):
        totals.fail(f"{preset}: cmake")
        return
    built = build(preset, selection, selected_only)
    if built is None:
        say(f"== {preset}: no test has the label")
        return
    if not built:
        totals.fail(f"{preset}: build")
    say(f"== {preset}: testing (built in {time.monotonic() - started:.0f} s)")
    started = time.monotonic()
    if preset == "fuzz":
        run_fuzzers(build_dir(preset), totals)
        return
    report = os.path.join(build_dir(preset), "tests.xml")
    if os.path.exists(report):
        os.remove(report)
    run(without_aslr(preset) + ["ctest", "--test-dir", build_dir(preset), "-j", PARALLEL, "--timeout",
         DEFAULT_TIMEOUT_S, "--output-on-failure", "--no-tests=ignore", "--output-junit", report] + selection)
    if os.path.exists(report):
        count(report, preset, built, totals, allowed)
    elif built:
        totals.fail(f"{preset}: ctest wrote no report")
    say(f"== {preset}: done in {time.monotonic() - started:.0f} s")


def run_lints(totals, allowed):
    say("== lint")
    command = [sys.executable, os.path.join(ROOT, "tools", "lint", "run.py"), "--build", build_dir("release")]
    done = run(command, stdout=subprocess.PIPE)
    text = done.stdout.decode(errors="replace")
    say(text.rstrip())
    outcomes = re.findall(r"^(passed|FAILED|skipped) +(lint/[\w-]+)", text, re.MULTILINE)
    if not outcomes:
        totals.fail("lint: it did not run")
    for outcome, name in outcomes:
        if outcome == "passed":
            totals.passed += 1
        elif outcome == "skipped" and name in allowed:
            totals.skips.append(name)
        else:
            totals.fail(name)


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in TARGETS:
        sys.exit("usage: run_tests.py " + "|".join(TARGETS))
    target = sys.argv[1]
    totals = Totals()
    allowed = read_skips()
    for preset, selection, selected_only in TARGETS[target]:
        run_preset(preset, selection, selected_only, totals, allowed)
        if target == "test" and preset == "release":
            run_lints(totals, allowed)
    for name in totals.skips:
        say(f"skipped: {name}")
    for name in totals.failures:
        say(f"FAILED:  {name}")
    if totals.passed == 0 and not totals.failures:
        totals.fail("nothing ran")
        say(f"FAILED:  no test of `{target}` exists")
    say(f"{totals.passed} passed, {len(totals.failures)} failed, {len(totals.skips)} skipped")
    sys.exit(1 if totals.failures else 0)


main()
