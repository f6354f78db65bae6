# SPDX-License-Identifier: Apache-2.0
"""Every lint finds what it is there to find: a small bad tree per rule, and one good tree for all.

A case is a rule, the files of a tree, and the places (file:line) that the rule must report, no more
and no fewer. Words that the lints refuse are put together here, so that this file passes them.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = os.path.join(ROOT, "tools", "lint", "run.py")
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
OPEN_END = "TO" + "DO"

GOOD = {
    "include/flowtrace/types.h": SPDX + "#include <stddef.h>\n\nint ftr_one(size_t n);\n",
    "src/base/one.h": SPDX + "#pragma once\n\n#include <flowtrace/types.h>\n\nint one(int n, ...);\n",
    "src/base/one.c": SPDX + '#include "base/one.h"\n\n#include <stdio.h>\n\n'
    "/* malloc(1) and printf(2) in a comment, and below in text */\n"
    "int one(int n, ...)\n{\n    const char *text = \"malloc(1); {\";\n"
    "    for (int i = 0; i < n; i++) {\n        if (text[i])\n            return i;\n    }\n"
    "    return 0;\n}\n",
    "src/engine/two.c": SPDX + '#include "base/one.h"\n#include <flowtrace/types.h>\n\nint two;\n',
    "notes.md": f"{OPEN_END}(#7): an open end with its issue.\n",
}


def function(name, n_lines, head="void"):
    return f"int {name}({head})\n{{\n" + "    one();\n" * (n_lines - 1) + "    return 0;\n}\n"


def nested(depth):
    lines = ["    " * i + "if (a)" for i in range(1, depth + 1)]
    return "int deep(int a)\n{\n" + "\n".join(lines) + "\n" + "    " * (depth + 1) + "a++;\n    return a;\n}\n"


CASES = [
    ("format", {"src/base/a.c": SPDX + "int  a ;\n"}, ["src/base/a.c:2"]),
    ("licence", {"src/base/a.c": "int a;\n", "tools/b.py": "print()\n", "c.md": "text\n"},
     ["src/base/a.c:1", "tools/b.py:1"]),
    ("floors: upwards", {"src/codec/a.h": '#include "net/b.h"\n', "src/net/b.h": '#include "codec/c.h"\n'},
     ["src/codec/a.h:1"]),
    ("floors: neighbour", {"src/engine/a.c": '\n#include "store/b.h"\n'}, ["src/engine/a.c:2"]),
    ("floors: own folder, lower floors", {"src/net/a.c": '#include "net/b.h"\n#include "base/c.h"\n'}, []),
    ("floors: unknown folder", {"src/odd/a.c": "int a;\n"}, ["src/odd/a.c:1"]),
    ("floors: internals of the library",
     {f"src/{user}/a.c": f'#include "{used}/b.h"\n'
      for user, used in [("engine", "trace"), ("nodes", "model"), ("api", "context"), ("app", "flow"),
                         ("nodes/exporters", "export")]},
     ["src/api/a.c:1", "src/app/a.c:1", "src/engine/a.c:1", "src/nodes/a.c:1"]),
    ("cycles", {"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '\n#include "base/c.h"\n',
                "src/base/c.h": '#include "base/b.h"\n'}, ["src/base/b.h:2"]),
    ("cycles: a diamond is none", {"src/base/a.h": '#include "base/b.h"\n#include "base/c.h"\n',
                                   "src/base/b.h": '#include "base/d.h"\n', "src/base/d.h": "",
                                   "src/base/c.h": '#include "base/d.h"\n'}, []),
    ("includes: no folder", {"src/base/a.c": '#include "b.h"\n', "src/base/b.h": ""}, ["src/base/a.c:1"]),
    ("includes: climbing", {"src/base/a.c": '#include "../base/b.h"\n', "src/base/b.h": ""}, ["src/base/a.c:1"]),
    ("includes: missing", {"src/base/a.c": '#include "base/none.h"\n'}, ["src/base/a.c:1"]),
    ("includes: own header first", {"src/base/a.c": '#include <stdio.h>\n#include "base/a.h"\n',
                                    "src/base/a.h": ""}, ["src/base/a.c:1"]),
    ("include-budget: most",
     {"src/base/a.c": "".join(f'#include "base/h{i}.h"\n' for i in range(41)),
      **{f"src/base/h{i}.h": "" for i in range(41)}, "src/base/b.c": "", "src/base/c.c": ""},
     ["src/base/a.c:1"]),
    ("include-budget: median, counted transitively",
     {"src/base/a.c": '#include "base/h0.h"\n',
      **{f"src/base/h{i}.h": f'#include "base/h{i + 1}.h"\n' for i in range(8)}, "src/base/h8.h": ""},
     ["src/base/a.c:1"]),
    ("third-party: another's", {"src/api/a.c": "#include <sqlite3.h>\n", "src/store/b.c": "#include <sqlite3.h>\n"},
     ["src/api/a.c:1"]),
    ("third-party: only in tests", {"src/api/a.c": "#include <cmocka.h>\n", "tests/b.c": "#include <cmocka.h>\n"},
     ["src/api/a.c:1"]),
    ("third-party: one place", {"src/api/a.c": "#include <openssl/sha.h>\n", "src/net/b.c": "#include <openssl/x.h>\n"},
     ["src/net/b.c:1"]),
    ("third-party: unknown", {"src/api/a.c": "#include <stdio.h>\n#include <sys/uio.h>\n#include <odd.h>\n"},
     ["src/api/a.c:3"]),
    ("function-length", {"src/base/a.c": function("ok", 80) + "\nstatic " + function("too_long", 81)},
     ["src/base/a.c:85"]),
    ("parameters", {"src/base/a.c": function("ok", 1, "int (*a)(int, int), int b, int c, int d, int e, int f")
                    + function("bad", 1, "int a, int b, int c,\n        int d, int e, int f, int g")},
     ["src/base/a.c:5"]),
    ("nesting", {"src/base/a.c": nested(4) + "\n", "src/base/b.c": nested(5)}, ["src/base/b.c:7"]),
    ("file-size", {"src/base/a.c": "int a;\n" * 1001, "src/base/b.c": "int b;\n" * 1000}, ["src/base/a.c:1001"]),
    ("banned-calls", {
        "src/base/a.c": "void *a = malloc(1);\nint b = x.free(1) + y->exit(2) + my_free(1);\nvoid free(void *);\n",
        "src/base/mem.c": "void *a = malloc(1);\n", "src/app/main.c": "void f(void) { exit(1); }\n",
        "src/api/b.c": "void f(void) { exit(1); }\n\nvoid g(void) { return free(a); }\n",
        "tests/c.c": "void *a = malloc(1);\nint b = atoi(x);\n"},
     ["src/api/b.c:1", "src/api/b.c:3", "src/base/a.c:1", "tests/c.c:2"]),
    ("banned-calls: each", {"src/base/a.c": "".join(
        f"int v{i} = {name}(x);\n" for i, name in enumerate(
            "malloc calloc realloc free strdup asprintf sprintf vsprintf strcpy strcat strncpy strtok atoi atol "
            "gets alloca system popen abort exit pthread_create".split()))}, [f"src/base/a.c:{n}" for n in range(1, 22)]),
    ("printing", {"src/otlp/a.c": "void f(void) { printf(1); }\nint b = snprintf(2);\n",
                  "src/export/stdio.c": "void f(void) { fputs(1); }\n", "src/api/b.c": "void f(void) { puts(1); }\n"},
     ["src/otlp/a.c:1"]),
    ("node-recording", {"src/nodes/processors/a.c": "int a = ftr_span_start(x);\n\nint b = ftr_visit_end(y);\n"
                        "int c = ftr_context_current();\n", "src/engine/b.c": "int a = ftr_visit_end(x);\n"},
     ["src/nodes/processors/a.c:1", "src/nodes/processors/a.c:3"]),
    ("counting", {"src/base/fault.c": 'const char *names[] = {"f: sent", "f: lost"};\n',
                  "src/engine/a.c": 'account_add("f: sent", &a->account.sent, 1);\naccount_add("f: sent", &b.account.sent, 1);\n'
                                    'account_take("f: held", &b.account.held, 1);\na->account.lost += 2;\n'
                                    'if (a->account.lost == 2)\n    --self->account.dropped[0];\n',
                  "src/store/b.c": "a->account.lost += 2;\n"},
     ["src/engine/a.c:2", "src/engine/a.c:3", "src/engine/a.c:4", "src/engine/a.c:6"]),
    ("words: open ends", {"a.md": f"one\n{OPEN_END}: two\n{OPEN_END}(#12): three\nmkstemp " + 6 * "X" + "\n"}, ["a.md:2"]),
    ("words: paths", {"a.sh": "cd /wor" + "k/main\ncd src/wor" + "k/main\n"}, ["a.sh:1"]),
    ("words: addresses", {"ui/package-lock.json": '{\n  "resolved": "there"\n}\n'}, ["ui/package-lock.json:2"]),
]


def findings(root, rules):
    """The places that the rules report, and the exit status."""
    done = subprocess.run([sys.executable, RUN, "--root", root] + rules, stdout=subprocess.PIPE, check=False,
                          stdin=subprocess.DEVNULL)
    text = done.stdout.decode()
    return sorted(set(re.findall(r"^  (\S+:\d+): .*; hint: ", text, re.MULTILINE))), done.returncode, text


class LintTest(unittest.TestCase):
    maxDiff = None

    def in_tree(self, files, rules):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            with open(os.path.join(ROOT, ".clang-format"), encoding="utf-8") as style:
                with open(os.path.join(root, ".clang-format"), "w", encoding="utf-8") as copy:
                    copy.write(style.read())
            return findings(root, rules)

    def test_bad_trees(self):
        for title, files, expected in CASES:
            with self.subTest(title):
                places, status, text = self.in_tree(files, [title.split(":")[0]])
                self.assertEqual(places, sorted(expected), text)
                self.assertEqual(status, 1 if expected else 0)

    def test_good_tree(self):
        places, status, text = self.in_tree(GOOD, [])
        self.assertEqual(places, [], text)
        self.assertEqual(status, 0)
        self.assertIn("4 skipped; 0 findings", text)

    def test_every_rule_has_a_case(self):
        done = subprocess.run([sys.executable, RUN, "no-such-rule"], stderr=subprocess.PIPE, check=False)
        rules = set(done.stderr.decode().split("there are: ")[1].split())
        cases = {title.split(":")[0] for title, _, _ in CASES} | {"exported-symbols", "forbidden-imports", "needed-libraries", "symbol-lists"}
        self.assertEqual(rules, cases)


class LibraryTest(unittest.TestCase):
    """The rules about libraries, on libraries made here."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        os.makedirs(os.path.join(self.root, "build", "lib"))
        os.makedirs(os.path.join(self.root, "packaging"))

    def write(self, path, text):
        path = os.path.join(self.root, path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def link(self, source, *options, name="libflowtrace"):
        subprocess.run(["cc", "-shared", "-fPIC", "-Wl,--no-as-needed", "-o",
                        os.path.join(self.root, "build", "lib", name + ".so"), "-x", "c", "-", *options],
                       input=source.encode(), check=True)

    def link_versioned(self, source):
        self.link(source, "-Wl,--version-script=" + self.write("versions.map", "V_1 { global: ftr_*; local: *; };\n"))

    def test_bad_library(self):
        self.link("int ftr_a;\nint ftri_b;\nvoid c(void) {}\n", "-lm")
        _, status, text = findings(self.root, ["exported-symbols", "needed-libraries"])
        self.assertEqual(status, 1)
        self.assertIn("exports ftri_b;", text)
        self.assertIn("exports c;", text)
        self.assertIn("needs libm.so.6;", text)
        self.assertNotIn("exports ftr_a;", text)

    def test_good_library(self):
        self.link_versioned("int ftr_a, hidden;\nstatic __thread int b;\nint ftr_c(void) { return ++b; }\n")
        places, status, text = findings(self.root, ["exported-symbols", "needed-libraries"])
        self.assertEqual((places, status), ([], 0), text)

    def test_calls_that_are_the_programs(self):
        self.link("#include <signal.h>\n#include <stdlib.h>\n#include <stdio.h>\n#include <unistd.h>\n"
                  "void ftr_a(char **p) { signal(2, SIG_IGN); execvp(*p, p); perror(*p); fork(); abort(); }\n"
                  "int ftr_b(char *p) { sigset_t s; sigfillset(&s); return snprintf(p, 1, \"%d\", getpid()) + write(2, p, 1); }\n")
        _, status, text = findings(self.root, ["forbidden-imports"])
        self.assertEqual(status, 1)
        for name in ("signal", "abort", "execvp", "perror", "fork"):
            self.assertIn(f"calls {name};", text)
        self.assertEqual(text.count(" calls "), 5, text)

    def test_export_library_needs_its_own(self):
        self.link("int ftr_a;\n", "-lz", "-lm", name="libflowtrace-export")
        _, status, text = findings(self.root, ["needed-libraries"])
        self.assertEqual(status, 1)
        self.assertIn("needs libm.so.6;", text)
        self.assertNotIn("needs libz", text)

    def test_symbol_list(self):
        self.link_versioned("int ftr_b;\nint ftr_a(void) { return ftr_b; }\n")
        self.write("packaging/libflowtrace.symbols", "ftr_a@@V_1\nftr_b@@V_1\n")
        places, status, text = findings(self.root, ["symbol-lists"])
        self.assertEqual((places, status), ([], 0), text)

    def test_symbol_list_differs(self):
        self.link_versioned("int ftr_new, ftr_stays;\n")
        self.link("int ftr_unlisted;\n", name="libflowtrace-export")
        self.write("packaging/libflowtrace.symbols", "ftr_stays@@V_1\nftr_gone@@V_1\n")
        self.write("packaging/libother.symbols", "ftr_a\n")
        places, status, text = findings(self.root, ["symbol-lists"])
        self.assertEqual(status, 1)
        for what in ("libflowtrace.symbols:1: ftr_new@@V_1 is exported, and not listed; hint: if users shall have it, make symbols",
                     "libflowtrace.symbols:2: ftr_gone@@V_1 is listed, and not exported; hint: ",
                     "libflowtrace.symbols:1: not sorted",
                     "libflowtrace-export.symbols:1: ftr_unlisted is exported, and not listed",
                     "libother.symbols:1: there is no library libother"):
            self.assertIn("  packaging/" + what, text)
        self.assertNotIn("ftr_stays", text)
        self.assertEqual(len(places), 4, text)

    def test_symbol_list_is_written(self):
        self.link_versioned("int ftr_b, ftr_a;\n")
        places, status, text = findings(self.root, ["--write-symbols", "symbol-lists"])
        self.assertEqual((places, status), ([], 0), text)
        with open(os.path.join(self.root, "packaging", "libflowtrace.symbols"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "ftr_a@@V_1\nftr_b@@V_1\n")


if __name__ == "__main__":
    unittest.main()
