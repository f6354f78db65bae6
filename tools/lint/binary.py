# SPDX-License-Identifier: Apache-2.0
"""Rules about the libraries that were built: exported symbols, needed libraries."""

import glob
import os
import re
import subprocess

from tree import Finding

# What a library may need: the C library (with its threads), and the loader behind TLS; export also
# what it is there to use. A library that is not named here may need what libflowtrace may.
C_LIBRARY = r"libc\.so\.6|ld-linux[\w\-.]*"
NEEDED = {
    "libflowtrace.so": re.compile(rf"^({C_LIBRARY})$"),
    "libflowtrace-export.so": re.compile(rf"^({C_LIBRARY}|libflowtrace\.so\.\d+|libcurl\.so\.4|libz\.so\.1|libzstd\.so\.1)$"),
}

# What belongs to the program that a library is in: its processes, its end, its signals, its streams.
FORBIDDEN = re.compile(
    r"^(f?exec[lv]\w*|posix_spawnp?|v?fork|_Fork|clone|system|popen|wordexp"
    r"|abort|_?exit|_Exit|quick_exit|kill|killpg|raise|tgkill|pthread_kill|__assert_fail"
    r"|signal|sigaction|sigaltstack|sigprocmask|siginterrupt|setitimer|timer_create|alarm"
    r"|(__)?v?f?printf(_chk)?|puts|putchar|fputs|fputc|fwrite|perror|stdout|stderr)$")


class NotBuilt(Exception):
    """The rule needs something that is not there; it is skipped."""


def output(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)


def libraries(tree):
    found = sorted(glob.glob(os.path.join(tree.build, "lib", "libflowtrace*.so")))
    if not found:
        raise NotBuilt(f"no {tree.build}/lib/libflowtrace*.so")
    return found


def exported(library):
    """The names that a library exports, with their versions as nm writes them."""
    listed = output(["nm", "-D", "--defined-only", "--format=posix", library]).stdout.decode()
    for line in listed.splitlines():
        name, kind = line.split()[:2]
        # An absolute symbol is the version of the others.
        if kind != "A":
            yield name


def exported_symbols(tree):
    """the libraries export ftr_ names only"""
    for library in libraries(tree):
        for name in exported(library):
            if not name.startswith("ftr_"):
                yield Finding(os.path.relpath(library, tree.root), 1, f"exports {name.split('@')[0]}",
                              "make it static, or hidden (do not mark it FTR_API)")


def forbidden_imports(tree):
    """a library starts no process, ends none, leaves signals alone and prints nothing through stdio"""
    for library in libraries(tree):
        listed = output(["nm", "-D", "--undefined-only", "--format=posix", library]).stdout.decode()
        for name in (line.split("@")[0].split()[0] for line in listed.splitlines()):
            if FORBIDDEN.match(name):
                yield Finding(os.path.relpath(library, tree.root), 1, f"calls {name}",
                              "that is the program's: return an error, or count and say it to on_diagnostic")


def symbol_lists(tree):
    """packaging/NAME.symbols lists what the libraries export"""
    built = {os.path.basename(library)[: -len(".so")]: library for library in libraries(tree)}
    lists = {path[len("packaging/") : -len(".symbols")]: path
             for path in tree.paths if path.startswith("packaging/") and path.endswith(".symbols")}
    for name in sorted(lists.keys() - built.keys()):
        yield Finding(lists[name], 1, f"there is no library {name}", "remove the list")
    for name, library in sorted(built.items()):
        path = lists.get(name, f"packaging/{name}.symbols")
        listed = tree.read(path).split("\n")[:-1] if name in lists else []
        yield from compare_symbols(path, listed, sorted(exported(library)))


def compare_symbols(path, listed, symbols):
    for symbol in sorted(set(symbols) - set(listed)):
        yield Finding(path, 1, f"{symbol} is exported, and not listed", "if users shall have it, make symbols")
    for line, symbol in enumerate(listed, 1):
        if symbol not in symbols:
            yield Finding(path, line, f"{symbol} is listed, and not exported",
                          "programs that use it break: bring it back, or make symbols and raise FTR_ABI")
    if listed != sorted(set(listed)):
        yield Finding(path, 1, "not sorted, or a symbol twice", "make symbols")


def write_symbol_lists(tree):
    for library in libraries(tree):
        name = os.path.basename(library)[: -len(".so")]
        with open(os.path.join(tree.root, "packaging", name + ".symbols"), "w", encoding="utf-8") as file:
            file.writelines(symbol + "\n" for symbol in sorted(exported(library)))


def needed_libraries(tree):
    """a library needs the C library only; libflowtrace-export also libflowtrace, libcurl, zlib, libzstd"""
    for library in libraries(tree):
        allowed = NEEDED.get(os.path.basename(library), NEEDED["libflowtrace.so"])
        text = output(["readelf", "-d", library]).stdout.decode()
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text):
            if not allowed.match(name):
                yield Finding(os.path.relpath(library, tree.root), 1, f"needs {name}",
                              "move what needs it to another library, or allow it in NEEDED of binary.py")
