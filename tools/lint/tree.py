# SPDX-License-Identifier: Apache-2.0
"""What the lints look at: the files of a tree, and C files with comments and text blanked.

clang-format has decided the layout of every C file (its lint runs first), so that a function is what
stands between a `{` and a `}` alone in the first column, and indentation tells the nesting.
"""

import os
import re
import subprocess
from collections import namedtuple

Finding = namedtuple("Finding", "path line what hint")
Include = namedtuple("Include", "line name is_quoted")
# first: line of the signature; body: the lines between the braces, [first body line, last].
Function = namedtuple("Function", "name line n_parameters body_start body_end")

C_FOLDERS = ("src", "include", "tests", "bench", "fuzz", "examples", "bindings")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
IGNORED_FOLDERS = {".git", "node_modules", "__pycache__"}


def blank(text):
    """Spaces of the same length; line ends stay."""
    return re.sub(r"[^\n]", " ", text)


def blank_comment(match):
    token = match.group()
    return blank(token) if token[0] == "/" else token


def blank_all(match):
    token = match.group()
    return blank(token) if token[0] == "/" else token[0] + blank(token[1:-1]) + token[-1]


class CFile:
    """One .c or .h file. `code` has comments and the insides of literals blanked."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.code = TOKEN.sub(blank_all, text)
        self.code_lines = self.code.split("\n")
        without_comments = TOKEN.sub(blank_comment, text)
        self.includes = [
            Include(without_comments.count("\n", 0, match.start()) + 1, match.group(2), match.group(1) == '"')
            for match in INCLUDE.finditer(without_comments)
        ]

    @property
    def n_lines(self):
        return len(self.text.splitlines())

    @property
    def folder(self):
        """The folder of src/ that the file is in, or None."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else None

    def functions(self):
        start = None
        for number, line in enumerate(self.code_lines, 1):
            if line.rstrip() == "{":
                start = number
            elif line.rstrip() == "}" and start is not None:
                first = self.signature_line(start)
                name, n_parameters = signature(" ".join(self.code_lines[first - 1 : start - 1]))
                if name:
                    yield Function(name, first, n_parameters, start + 1, number - 1)
                start = None

    def signature_line(self, brace):
        first = brace
        while first > 1:
            line = self.code_lines[first - 2].strip()
            if not line or line[0] == "#" or line[-1] in ";}\\":
                break
            first -= 1
        return first


def signature(text):
    """Name and number of parameters of a function head; (None, 0) when it is none."""
    groups = []
    depth = 0
    for position, char in enumerate(text):
        if char == "(":
            if depth == 0:
                start = position
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                groups.append((start, position))
    for start, end in reversed(groups):
        name = re.search(r"(\w+)\s*$", text[:start])
        if name and name.group(1) != "__attribute__":
            return name.group(1), count_parameters(text[start + 1 : end])
    return None, 0


def count_parameters(text):
    if text.strip() in ("", "void"):
        return 0
    depth = 0
    n = 1
    for char in text:
        depth += (char in "([") - (char in ")]")
        n += char == "," and depth == 0
    return n


class Tree:
    """The files under a root: what git would commit, or everything where there is no git."""

    def __init__(self, root, build=None):
        self.root = root
        self.build = build or os.path.join(root, "build")
        self.paths = sorted(self.list_paths())
        self.c_files = [
            CFile(path, self.read(path))
            for path in self.paths
            if path.endswith((".c", ".h")) and path.split("/")[0] in C_FOLDERS
        ]
        self.by_path = {file.path: file for file in self.c_files}

    def list_paths(self):
        if os.path.exists(os.path.join(self.root, ".git")):
            command = ["git", "-C", self.root, "ls-files", "-z", "-co", "--exclude-standard"]
            listed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            names = {name for name in listed.decode().split("\0") if name}
            return [name for name in names if os.path.isfile(os.path.join(self.root, name))]
        paths = []
        for folder, names, files in os.walk(self.root):
            names[:] = [name for name in names if name not in IGNORED_FOLDERS and not name.startswith("build")]
            paths += [os.path.relpath(os.path.join(folder, file), self.root) for file in files]
        return paths

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def under(self, *folders):
        return [file for file in self.c_files if file.path.split("/")[0] in folders]

    def resolve(self, name):
        """The path of one of our own headers as an include names it, or None."""
        for place in ("src/", "include/"):
            if place + name in self.by_path:
                return place + name
        return None

    def setting_lines(self, name):
        """Lines of a table beside the lints, without comments, split into words."""
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, name), encoding="utf-8") as lines:
            for line in lines:
                words = line.split("#")[0].split()
                if words:
                    yield words
