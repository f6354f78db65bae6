# SPDX-License-Identifier: Apache-2.0
"""Runs the lints: `run.py [--root DIR] [--build DIR] [--write-symbols] [RULE...]`.

Each finding is one line, `file:line: what is wrong; hint: what to do`, under its rule's outcome. The
last line sums up; exit status 1 when a rule has findings. Rules are functions that yield findings;
their first docstring line is the rule. A new rule needs a bad example in tests/lint/.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import binary
import includes
import shape
import words
from tree import Tree

RULES = {
    "format": shape.formatted,
    "licence": shape.licence,
    "floors": includes.floors,
    "cycles": includes.cycles,
    "includes": includes.qualified_includes,
    "include-budget": includes.include_budget,
    "third-party": includes.third_party,
    "function-length": shape.function_length,
    "parameters": shape.parameters,
    "nesting": shape.nesting,
    "file-size": shape.file_size,
    "banned-calls": words.banned_calls,
    "printing": words.printing,
    "node-recording": words.node_recording,
    "counting": words.counting,
    "words": words.forbidden_words,
    "exported-symbols": binary.exported_symbols,
    "forbidden-imports": binary.forbidden_imports,
    "symbol-lists": binary.symbol_lists,
    "needed-libraries": binary.needed_libraries,
}


def run_rule(name, tree):
    """"passed", "FAILED" or "skipped", and the number of findings."""
    try:
        findings = sorted(set(RULES[name](tree)))
    except binary.NotBuilt as why:
        print(f"skipped lint/{name}: {why}")
        return "skipped", 0
    outcome = "FAILED" if findings else "passed"
    print(f"{outcome}  lint/{name}: {RULES[name].__doc__.splitlines()[0]}")
    for finding in findings:
        print(f"  {finding.path}:{finding.line}: {finding.what}; hint: {finding.hint}")
    return outcome, len(findings)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="Runs the lints.")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)), help="the tree to look at")
    parser.add_argument("--build", help="the build directory with the libraries (ROOT/build)")
    parser.add_argument("--write-symbols", action="store_true",
                        help="before that, write packaging/*.symbols from the libraries of the build")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="one of: " + " ".join(RULES))
    arguments = parser.parse_args()
    unknown = [rule for rule in arguments.rules if rule not in RULES]
    if unknown:
        parser.error(f"there is no rule {unknown[0]}; there are: {' '.join(RULES)}")
    tree = Tree(arguments.root, arguments.build)
    if arguments.write_symbols:
        binary.write_symbol_lists(tree)
        tree = Tree(arguments.root, arguments.build)
    outcomes = [run_rule(name, tree) for name in arguments.rules or RULES]
    if not arguments.rules:
        for note in shape.notes(tree):
            print(f"note     {note}")
    counts = {outcome: sum(o == outcome for o, _ in outcomes) for outcome in ("passed", "FAILED", "skipped")}
    print(f"lint: {counts['passed']} rules passed, {counts['FAILED']} failed, {counts['skipped']} skipped; "
          f"{sum(n for _, n in outcomes)} findings in {len(tree.paths)} files")
    sys.exit(1 if counts["FAILED"] else 0)


main()
