#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of docs/collector-configuration.md, as the program describes them; the text before
them is the page's own.

usage: collector_page.py PROGRAM docs/collector-configuration.md   (rewrites the page)
"""

import re
import subprocess
import sys

MARK = "<!-- The tables below are printed by tools/collector_page.py; a test compares the two. -->\n"
REFUSED = re.compile(r"^  (\S+): not supported: (.*)$")
OPTION = re.compile(r"^  (\S+) +(.*)$")
TAIL = re.compile(r"^(.*?)( Required\.| Default (\S+)\.)?( (\S+ to \S+)\.)?( One of: (.*))?$")


def row(line):
    refused = REFUSED.match(line)
    if refused:
        return f"| `{refused.group(1)}` | not supported | | {refused.group(2).replace('|', chr(92) + '|')} |"
    option, rest = OPTION.match(line).groups()
    sentence, fixed, default, _, span, _, choices = TAIL.match(rest).groups()
    default = "required" if fixed == " Required." else default or ""
    return f"| `{option}` | {default} | {span or choices or ''} | {sentence.replace('|', chr(92) + '|')} |"


def tables(program):
    text = subprocess.run([program, "components", "--collector"], stdout=subprocess.PIPE, text=True, timeout=60,
                          check=True).stdout
    lines = []
    for block in re.split(r"\n\n+(?=\S)", text.rstrip()):
        head, _, options = block.partition("\n\n")
        names, sentence = head.split("\n")
        lines += ["", "## " + ", ".join(f"`{name}`" for name in names.split(", ")), "",
                  sentence.strip().rstrip(".") + ".", ""]
        rows = [row(line) for line in options.splitlines()]
        lines += ["| option | default | range | |", "| --- | --- | --- | --- |"] + rows if rows else ["It has no options."]
    return "\n".join(lines) + "\n"


def page(program, old):
    return old.partition(MARK)[0] + MARK + tables(program)


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:
        new = page(sys.argv[1], file.read())
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(new)
