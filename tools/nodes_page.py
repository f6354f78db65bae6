#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints docs/nodes.md: every node type with its options, as the program describes them.

usage: nodes_page.py PROGRAM > docs/nodes.md
"""

import re
import subprocess
import sys

HEAD = """# Nodes

What a graph is made of, by type. `flowtrace components` lists the types, `flowtrace help node TYPE` prints the same options.
This page is printed by `tools/nodes_page.py`; a test compares the two.
"""
OPTION = re.compile(r"^  (\S+) +(.*)$")
TAIL = re.compile(r"^(.*?)( Required\.| Default (\S+)\.)?( (\S+ to \S+)\.)?( One of: (.*))?$")


def call(program, *arguments):
    return subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True, timeout=60,
                          check=True).stdout


def section(name, text):
    lines = text.splitlines()
    yield f"\n## {name}\n"
    yield lines[1].strip() + "\n"
    for line in lines[2:]:
        if line.startswith(("output ports:", "several loops:")):
            yield line[0].upper() + line[1:] + ".\n"
    options = [OPTION.match(line).groups() for line in lines if OPTION.match(line)][1:]
    if not options:
        yield "It has no options."
        return
    yield "| option | default | range | |"
    yield "| --- | --- | --- | --- |"
    for option, rest in options:
        sentence, fixed, default, _, span, _, choices = TAIL.match(rest).groups()
        default = "required" if fixed == " Required." else default or ""
        sentence = sentence.replace("|", "\\|")
        yield f"| `{option}` | {default} | {span or choices or ''} | {sentence} |"


def page(program):
    types = [line.split()[0] for line in call(program, "components").splitlines()]
    lines = [HEAD.rstrip()]
    for name in types:
        lines.extend(section(name, call(program, "help", "node", name)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1]))
