# SPDX-License-Identifier: Apache-2.0
"""What README.md shows is true: its C program compiles without a warning, links with -lflowtrace and
prints its span; its graph is valid, and runs."""

import json
import os
import subprocess
import tempfile
import unittest

import harness


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_in_folder(self, *command, **environment):
        done = subprocess.run(command, cwd=self.folder, env=dict(os.environ, **environment),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_the_program(self):
        libraries = os.path.join(harness.BUILD, "lib")
        sanitize = harness.setting("FTR_SANITIZE")
        self.run_in_folder(
            harness.setting("CMAKE_C_COMPILER") or "cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic",
            "-Werror", *([f"-fsanitize={sanitize}"] if sanitize else []),
            "-I", os.path.join(harness.ROOT, "include"), self.write("program.c", harness.readme_block("c")),
            "-o", "program", "-L", libraries, "-lflowtrace")
        done = self.run_in_folder(os.path.join(self.folder, "program"),
                                  LD_LIBRARY_PATH=libraries)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, lines)
        words = lines[0].split()
        for word in ("parse", "INTERNAL", "rows=42"):
            self.assertIn(word, words)
        self.the_environment_samples_it(libraries)

    def the_environment_samples_it(self, libraries):
        program = os.path.join(self.folder, "program")
        for sampler, argument, n_lines in [("always_off", "", 0), ("traceidratio", "0", 0),
                                           ("parentbased_probability", "1", 1)]:
            done = self.run_in_folder(program, LD_LIBRARY_PATH=libraries, OTEL_TRACES_SAMPLER=sampler,
                                      OTEL_TRACES_SAMPLER_ARG=argument)
            self.assertEqual(len(done.stderr.splitlines()), n_lines, (sampler, done.stderr))
        done = self.run_in_folder(program, LD_LIBRARY_PATH=libraries, OTEL_TRACES_SAMPLER="sometimes")
        warning, span = done.stderr.splitlines()
        self.assertEqual(warning, "flowtrace: OTEL_TRACES_SAMPLER: no sampler is called 'sometimes'; "
                                  "parentbased_always_on is used")
        self.assertIn("parse", span)

    def test_the_graph(self):
        graph = self.write("graph.yaml", harness.readme_block("yaml"))
        done = self.run_in_folder(harness.program(), "validate", graph)
        self.assertEqual(done.stdout, f"{graph} is valid\n")
        self.assertEqual(os.listdir(self.folder), ["graph.yaml"])

        # The same graph over two files of ours.
        documents = os.path.join(self.folder, "documents")
        os.mkdir(documents)
        for name in ("a", "b"):
            self.write(os.path.join("documents", name), name)
        text = harness.readme_block("yaml").replace("/usr/share/doc", documents)
        self.assertIn(documents, text)
        self.run_in_folder(harness.program(), "run", self.write("graph.yaml", text))
        with open(os.path.join(self.folder, "results.ndjson"), encoding="utf-8") as file:
            keys = [json.loads(line)["key"] for line in file]
        self.assertEqual(sorted(keys), [os.path.join(documents, name) for name in ("a", "b")])


if __name__ == "__main__":
    harness.main()
