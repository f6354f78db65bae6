# SPDX-License-Identifier: Apache-2.0
"""Rules about what is written: calls that are not for us, and words that do not stay."""

import re
from collections import namedtuple

from includes import read_floors
from tree import Finding

# names: the calls; folders: where the rule holds; allowed: path prefixes that are exempt.
Ban = namedtuple("Ban", "names folders allowed hint")

BANS = [
    Ban("malloc calloc realloc reallocarray free strdup strndup aligned_alloc posix_memalign memalign",
        ("src", "include"), ("src/base/mem.c",), "ask base/mem.h, or the arena of the owner"),
    Ban("pthread_create thrd_create", ("src",), ("src/base/thread.c",), "ask base/thread.h"),
    Ban("asprintf vasprintf alloca", ("src", "include", "tests", "bench", "fuzz"), (),
        "snprintf into a bounded buffer, or base/bytes.h"),
    Ban("sprintf vsprintf strcpy strcat strncpy strncat stpcpy gets strtok", ("src", "include", "tests", "bench",
        "fuzz", "examples"), (), "snprintf or memcpy with a checked length; ftr_str is pointer and length"),
    Ban("atoi atol atoll atof", ("src", "include", "tests", "bench", "fuzz", "examples"), (),
        "strtol and look at the end pointer and errno"),
    Ban("system popen", ("src", "include"), (), "no shell: posix_spawn, or better a library"),
    Ban("abort", ("src", "include"), (), "return the error; asserts are for the impossible"),
    Ban("exit", ("src", "include"), ("src/app/",), "return the error to src/app"),
]
# No file of a floor below the engine writes to the standard streams, but for these.
PRINTING = "printf fprintf vprintf vfprintf dprintf vdprintf puts fputs putchar fputc putc perror"
PRINTING_ALLOWED = ("src/base/log.c", "src/export/stdio")

FORBIDDEN = [
    (re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b(?!\(#\d+\))"), "an open end without an issue number",
     "do it now, or open an issue and name it: (#12)"),
    (re.compile(r"(?<![\w.\-/}])/wor" r"k/"), "a path of somebody's machine", "write it relative to the repository"),
]
RESOLVED = re.compile(r'^\s*"resolved":')


def calls(names):
    return re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\s*\(")


def find_calls(file, pattern):
    for match in pattern.finditer(file.code):
        before = file.code[: match.start()].rstrip(" \t")
        # A declaration or definition of that name has a type before it.
        word = re.search(r"(\w+|\*)$", before)
        if word is None or word.group() in ("return", "else", "do", "case"):
            yield file.code.count("\n", 0, match.start()) + 1, match.group(1)


def banned_calls(tree):
    """calls that are unsafe, or that belong to one place"""
    for ban in BANS:
        pattern = calls(ban.names)
        for file in tree.under(*ban.folders):
            if not file.path.startswith(ban.allowed or ("\0",)):
                for line, name in find_calls(file, pattern):
                    yield Finding(file.path, line, f"{name}() is not used here", ban.hint)


def printing(tree):
    """the floors below the engine print nothing"""
    order, _, _ = read_floors(tree)
    pattern = calls(PRINTING)
    for file in tree.under("src"):
        if order.get(file.folder, 0) < order["engine"] and not file.path.startswith(PRINTING_ALLOWED):
            for line, name in find_calls(file, pattern):
                yield Finding(file.path, line, f"{name}() in a library", "return an error, or count; never print")


def node_recording(tree):
    """nodes make no spans: the engine records visits"""
    pattern = re.compile(r"(?<!\w)(ftr_(?:span|visit)_\w+)\s*\(")
    for file in tree.under("src"):
        if file.folder == "nodes":
            for line, name in find_calls(file, pattern):
                yield Finding(file.path, line, f"{name}() in a node", "the engine records; add a node_event")


def counting(tree):
    """accounts change by statements that have a name of their own, listed in base/fault.c"""
    term = r"(?:account(?:\.|->)\w+|n_held_items|n_returned_items)(?:\[[^\]\n]*\])?"
    bare = re.compile(rf"{term}\s*(?:[-+]?=(?!=)|\+\+|--)|(?:\+\+|--)[\w.>-]*{term}")
    call = re.compile(r'\baccount_(?:add|take|raise)\(\s*"([^"]+)"')
    listed = {name for file in tree.under("src") if file.path == "src/base/fault.c"
              for name in re.findall(r'"(\w+: \w+)"', file.text)}
    seen = set()
    for file in tree.under("src"):
        if file.folder != "engine":
            continue
        for match in bare.finditer(file.code):
            yield Finding(file.path, file.code.count("\n", 0, match.start()) + 1, "a term changes without a name",
                          "account_add, account_take or account_raise of engine/count.h")
        for match in call.finditer(file.text):
            name = match.group(1)
            if name in seen or name not in listed:
                yield Finding(file.path, file.text.count("\n", 0, match.start()) + 1,
                              f'"{name}" is ' + ("used twice" if name in seen else "not listed"),
                              "a name of its own, listed in src/base/fault.c")
            seen.add(name)


def forbidden_words(tree):
    """no open ends, no paths of a machine, no addresses in lock files"""
    for path in tree.paths:
        text = tree.read(path)
        if "\0" in text:
            continue
        is_lock = path.endswith("package-lock.json")
        for number, line in enumerate(text.split("\n"), 1):
            for pattern, what, hint in FORBIDDEN:
                if pattern.search(line):
                    yield Finding(path, number, what, hint)
            if is_lock and RESOLVED.match(line):
                yield Finding(path, number, "the lock file names an address", 'remove the "resolved" lines')
