# SPDX-License-Identifier: Apache-2.0
"""Rules about who includes what: floors, cycles, names, budget, headers of other projects."""

import re
import statistics

from tree import Finding

BUDGET_MEDIAN = 8
BUDGET_MOST = 40
SYSTEM_HEADER = re.compile(
    r"^((sys|netinet|arpa|linux|net|asm|sanitizer)/\w+\.h|(assert|ctype|dirent|dlfcn|endian|errno|execinfo|fcntl|fenv|"
    r"float|fts|ftw|getopt|glob|grp|inttypes|langinfo|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|"
    r"semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|"
    r"stdnoreturn|string|strings|syslog|termios|threads|time|ucontext|unistd|wchar|cpuid|immintrin|nmmintrin|"
    r"emmintrin|smmintrin|x86intrin|arm_acle|arm_neon|x86gprintrin)\.h)$"
)


def read_floors(tree):
    floors = {}
    closed = set()
    closed_from = None
    for words in tree.setting_lines("floors.txt"):
        if words[0] == "closed":
            closed = set(words[1 : words.index("from")])
            closed_from = words[-1]
        else:
            floors[words[0]] = int(words[1])
    return floors, closed, floors.get(closed_from, len(floors))


def floors(tree):
    """a folder includes lower floors and itself only"""
    order, closed, closed_from = read_floors(tree)
    for file in tree.under("src"):
        own = file.folder
        if own not in order:
            yield Finding(file.path, 1, f"src/{own} has no floor", "give it one in tools/lint/floors.txt")
            continue
        for include in file.includes:
            other = include.name.split("/")[0]
            if not include.is_quoted or other not in order or other == own:
                continue
            if order[other] > order[own]:
                what = f"{own} (floor {order[own]}) includes {other} (floor {order[other]})"
                hint = "depend downwards: pass a function or a value in, or move the code"
            elif order[other] == order[own]:
                what = f"{own} includes its neighbour {other} on floor {order[own]}"
                hint = "join them on a higher floor, or move the shared part down"
            elif other in closed and order[own] >= closed_from:
                what = f'{own} includes "{include.name}", an internal of the recording library'
                hint = "record through include/flowtrace/ only"
            else:
                continue
            yield Finding(file.path, include.line, what, hint)


def own_includes(tree, file):
    """(Include, path) of our own headers that a file names."""
    for include in file.includes:
        path = tree.resolve(include.name)
        if path:
            yield include, path


def cycles(tree):
    """no header includes itself, over any number of others"""
    done = set()
    reported = set()

    def visit(path, trail):
        if path in trail:
            loop = trail[trail.index(path) :]
            if frozenset(loop) not in reported:
                reported.add(frozenset(loop))
                yield loop
            return
        if path in done:
            return
        for _, other in own_includes(tree, tree.by_path[path]):
            yield from visit(other, trail + [path])
        done.add(path)

    for file in tree.c_files:
        for loop in visit(file.path, []):
            line = next((inc.line for inc, other in own_includes(tree, tree.by_path[loop[0]])
                         if other == loop[1 % len(loop)]), 1)
            yield Finding(loop[0], line, "include cycle: " + " -> ".join(loop + loop[:1]),
                          "forward-declare the struct in one of them")


def qualified_includes(tree):
    """includes name their folder, and a .c includes its own header first"""
    for file in tree.under("src", "include"):
        for include in file.includes:
            if include.is_quoted and "/" not in include.name:
                yield Finding(file.path, include.line, f'"{include.name}" does not say its folder',
                              'write "folder/name.h"')
            elif include.is_quoted and ".." in include.name.split("/"):
                yield Finding(file.path, include.line, f'"{include.name}" climbs',
                              'write "folder/name.h", from src/')
            elif include.is_quoted and tree.resolve(include.name) is None:
                yield Finding(file.path, include.line, f'there is no src/{include.name}',
                              "name a header that exists; <...> is for those of others")
        own = file.path[:-2] + ".h"
        if file.path.endswith(".c") and own in tree.by_path:
            first = file.includes[0] if file.includes else None
            if first is None or tree.resolve(first.name) != own:
                yield Finding(file.path, first.line if first else 1,
                              f"its own header {own} is not the first include",
                              "include it first: that proves that it stands alone")


def include_budget(tree):
    """a .c pulls in a median of 8 of our headers, and never more than 40"""
    reach = {}

    def reached(path):
        if path not in reach:
            reach[path] = set()
            for _, other in own_includes(tree, tree.by_path[path]):
                reach[path] |= {other} | reached(other)
        return reach[path]

    counts = {file.path: len(reached(file.path)) for file in tree.under("src") if file.path.endswith(".c")}
    for path, count in counts.items():
        if count > BUDGET_MOST:
            yield Finding(path, 1, f"pulls in {count} of our headers, over {BUDGET_MOST}",
                          "forward-declare, or split the file")
    if counts and statistics.median(counts.values()) > BUDGET_MEDIAN:
        worst = max(counts, key=counts.get)
        yield Finding(worst, 1, f"the median of headers that a .c pulls in is {statistics.median(counts.values()):g}, "
                      f"over {BUDGET_MEDIAN}; this file has {counts[worst]}",
                      "include less in headers: forward-declare")


def third_party(tree):
    """a header of another project is included by one module only"""
    places = [tuple(words[:2]) for words in tree.setting_lines("thirdparty.txt")]
    users = {}
    for file in tree.under("src", "include", "tests"):
        for include in file.includes:
            if include.is_quoted or include.name.startswith("flowtrace/"):
                continue
            match = next((entry for entry in places if include.name.startswith(entry[0])), None)
            is_test = file.path.startswith("tests/")
            if match is None:
                if not is_test and not SYSTEM_HEADER.match(include.name):
                    yield Finding(file.path, include.line, f"<{include.name}> is nobody's",
                                  "is the dependency agreed on? then add it to tools/lint/thirdparty.txt")
                continue
            prefix, place = match
            if place == "one" and not is_test:
                users.setdefault(prefix, {}).setdefault(file.folder, (file.path, include.line))
            elif place != "one" and not file.path.startswith(place + "/") and (place == "tests" or not is_test):
                yield Finding(file.path, include.line, f"<{include.name}> belongs to {place}",
                              f"ask {place} for what you need")
    for prefix, folders in users.items():
        for folder in sorted(folders)[1:]:
            path, line = folders[folder]
            yield Finding(path, line, f"<{prefix}> is included by {' and '.join(sorted(folders))}",
                          "let one of them offer it to the other")
