# SPDX-License-Identifier: Apache-2.0
"""Rules about size and form: functions, parameters, nesting, files, format, licence head."""

import os
import re
import subprocess

from tree import Finding

FUNCTION_REFUSED = 80
FUNCTION_SMELL = 40
PARAMETERS_MOST = 6
# Callbacks whose form another project fixes (nghttp2's data source).
FIXED_FORMS = {("src/net/grpc_answer.c", "read_out"), ("tests/torture/otlp_grpc.c", "read_message"),
               ("tests/torture/peer_grpc.c", "read_message")}
NESTING_MOST = 4
FILE_REFUSED = 1000
FILE_SMELL = 500
INDENT = 4
CONTROL = re.compile(r"^( *)(?:\} else )?(?:if|for|while|switch|do)\b")
# Files of these kinds start with the licence line.
LICENSED = (".c", ".h", ".hpp", ".cc", ".py", ".sh", ".js", ".mjs", ".ts", ".go", ".java", ".rs")
FORMATTER = "clang-format-14"


def function_length(tree):
    """a function has at most 80 lines"""
    for file in tree.c_files:
        for function in file.functions():
            n = function.body_end - function.body_start + 1
            if n > FUNCTION_REFUSED:
                yield Finding(file.path, function.line, f"{function.name} has {n} lines, over {FUNCTION_REFUSED}",
                              "give its steps names: one function each, about 20 lines")


def parameters(tree):
    """a function has at most 6 parameters"""
    for file in tree.c_files:
        for function in file.functions():
            is_ours = (file.path, function.name) not in FIXED_FORMS
            if is_ours and function.n_parameters > PARAMETERS_MOST:
                yield Finding(file.path, function.line,
                              f"{function.name} has {function.n_parameters} parameters, over {PARAMETERS_MOST}",
                              "pass a struct of what belongs together")


def nesting(tree):
    """control flow nests at most 4 deep"""
    for file in tree.c_files:
        for function in file.functions():
            for number in range(function.body_start, function.body_end + 1):
                match = CONTROL.match(file.code_lines[number - 1])
                depth = len(match.group(1)) // INDENT if match else 0
                if depth > NESTING_MOST:
                    yield Finding(file.path, number, f"{function.name} nests {depth} deep, over {NESTING_MOST}",
                                  "failure branches first, or a function for the inner part")
                    break


def file_size(tree):
    """a file has at most 1000 lines"""
    for file in tree.c_files:
        if file.n_lines > FILE_REFUSED:
            yield Finding(file.path, file.n_lines, f"{file.n_lines} lines, over {FILE_REFUSED}",
                          "split it by what its parts know")


def notes(tree):
    """What is allowed but a smell; for the summary."""
    long_functions = sum(
        function.body_end - function.body_start + 1 > FUNCTION_SMELL
        for file in tree.c_files
        for function in file.functions()
    )
    yield f"{long_functions} functions have more than {FUNCTION_SMELL} lines"
    for file in tree.c_files:
        if file.n_lines > FILE_SMELL:
            yield f"{file.path} has {file.n_lines} lines, more than {FILE_SMELL}"


def formatted(tree):
    """clang-format-14 has nothing to change"""
    paths = [path for path in tree.paths if path.endswith((".c", ".h", ".hpp", ".cc"))]
    if not paths:
        return
    n_parts = os.cpu_count() or 1
    command = [FORMATTER, "--style=file", "--dry-run", "-Werror", "--ferror-limit=1"]
    running = [
        subprocess.Popen(command + paths[part::n_parts], cwd=tree.root, stderr=subprocess.PIPE)
        for part in range(n_parts)
        if paths[part::n_parts]
    ]
    for process in running:
        text = process.communicate()[1].decode(errors="replace")
        seen = set()
        for path, line in re.findall(r"^([^:\n]+):(\d+):\d+: error:", text, re.MULTILINE):
            if path not in seen:
                seen.add(path)
                yield Finding(path, int(line), "not as clang-format writes it", "make format")


def licence(tree):
    """a source file starts with its SPDX line"""
    for path in tree.paths:
        if path.endswith(LICENSED):
            head = tree.read(path).split("\n", 3)[:3]
            if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head):
                yield Finding(path, 1, "no SPDX line at the top",
                              "start with: SPDX-License-Identifier: Apache-2.0")
