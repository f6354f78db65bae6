# SPDX-License-Identifier: Apache-2.0
"""Rules that ask the compiler and the linker: public headers, exported symbols, needed libraries."""

import glob
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tree import Finding

STANDARDS = [("C11", ["cc", "-x", "c", "-std=c11"]), ("C++17", ["c++", "-x", "c++", "-std=c++17"])]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
# What the recording library may need: the C library (with its threads), and the loader behind TLS.
NEEDED = re.compile(r"^(libc\.so\.6|ld-linux[\w\-.]*)$")


class NotBuilt(Exception):
    """The rule needs something that is not there; it is skipped."""


def output(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)


def public_headers(tree):
    """each public header compiles alone as C11 and as C++17"""
    include = os.path.join(tree.root, "include")

    def compile_alone(job):
        path, (standard, command) = job
        source = f"#include <{os.path.relpath(path, 'include')}>\nextern int nothing;\n"
        done = output(command + WARNINGS + ["-I", include, "-"], input=source.encode())
        return path, standard, done.returncode, done.stderr.decode(errors="replace")

    headers = [path for path in tree.paths if path.startswith("include/") and path.endswith(".h")]
    jobs = [(path, standard) for path in headers for standard in STANDARDS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, standard, code, text in pool.map(compile_alone, jobs):
            if code != 0:
                place = re.search(r"include/(\S+?):(\d+):\d+: (?:fatal )?error: (.*)", text)
                where = ("include/" + place.group(1), int(place.group(2))) if place else (path, 1)
                why = place.group(3) if place else text.strip().split("\n")[0]
                yield Finding(*where, f"alone, as {standard}: {why}", "include what its declarations need")


def libraries(tree):
    found = sorted(glob.glob(os.path.join(tree.build, "lib", "libflowtrace*.so")))
    if not found:
        raise NotBuilt(f"no {tree.build}/lib/libflowtrace*.so")
    return found


def exported_symbols(tree):
    """the libraries export ftr_ names only"""
    for library in libraries(tree):
        listed = output(["nm", "-D", "--defined-only", "--format=posix", library]).stdout.decode()
        for line in listed.splitlines():
            name, kind = line.split()[:2]
            # An absolute symbol is the version of the others.
            if kind != "A" and not name.startswith("ftr_"):
                name = name.split("@")[0]
                yield Finding(os.path.relpath(library, tree.root), 1, f"exports {name}",
                              "make it static, or hidden (do not mark it FTR_API)")


def needed_libraries(tree):
    """libflowtrace needs the C library only"""
    for library in libraries(tree):
        if os.path.basename(library) != "libflowtrace.so":
            continue
        text = output(["readelf", "-d", library]).stdout.decode()
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text):
            if not NEEDED.match(name):
                yield Finding(os.path.relpath(library, tree.root), 1, f"needs {name}",
                              "move what needs it to libflowtrace-export")
