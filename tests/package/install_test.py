# SPDX-License-Identifier: Apache-2.0
"""`make install` into a folder of its own, and users' programs built on what it put there, as
README.md says: by pkg-config and find_package, shared and static, in C11 and C++17; then all of it
again after the folder was moved. Each program runs, and its span is looked for."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "scenario"))

import harness

COMMAND_TIMEOUT_S = 300
ARRIVAL_TIMEOUT_S = 60
WARNINGS = "-Wall -Wextra -Wpedantic -Werror"
Language = namedtuple("Language", "name suffix compiler standard")
LANGUAGES = [Language("C", ".c", "cc", "11"), Language("CXX", ".cc", "c++", "17")]
# A row of the README's table.
Link = namedtuple("Link", "package target components")


def links():
    rows = re.findall(r"^\|[^|]*\.(?:so|a)`[^|]*\| `([\w-]+)` \| `(flowtrace::[\w-]+)`(?:, with `([^`]+)`)? \|$",
                      harness.readme(), re.MULTILINE)
    assert len(rows) == 4, rows
    return [Link(*row) for row in rows]


def is_static(link):
    return link.package.endswith("-static")


def is_export(link):
    return "export" in link.package


def version():
    return harness.setting("CMAKE_PROJECT_VERSION")


def environment(**more):
    """This process's, without what would find another Flowtrace, or speak to an outer make."""
    foreign = ("MAKE", "MFLAGS", "DESTDIR", "PREFIX", "PKG_CONFIG", "CMAKE_", "LD_LIBRARY_PATH", "OTEL_")
    return dict({name: value for name, value in os.environ.items() if not name.startswith(foreign)}, **more)


def attempt(*command, folder, **variables):
    return subprocess.run(command, cwd=folder, env=environment(**variables), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)


def make_install(prefix, *variables):
    """The recipe of `make install` alone; what it needs is built, as this test runs."""
    done = attempt("make", "-o", "build", "install", "PREFIX=" + prefix, *variables, folder=harness.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(place, file), folder)
                  for place, _, files in os.walk(folder) for file in files)


def dynamic(path, kind):
    """The values of one kind of entry in a file's dynamic section."""
    text = subprocess.run(["readelf", "-d", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    return sorted(re.findall(rf"\({kind}\).*\[(.*)\]", text))


def symbols(path):
    """What a library's archive defines for others, once for each member that does."""
    text = subprocess.run(["nm", "-g", "--defined-only", "--format=posix", path], stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    return [line.split()[0] for line in text.splitlines() if len(line.split()) >= 2]


class Installed(unittest.TestCase):
    """What is installed, where it was installed to."""

    moved_to = None

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        cls.addClassCleanup(folder.cleanup)
        cls.scratch = folder.name
        cls.first_prefix = cls.prefix = os.path.join(cls.scratch, "prefix")
        make_install(cls.prefix)
        if cls.moved_to:
            cls.prefix = os.path.join(cls.scratch, cls.moved_to)
            os.renames(cls.first_prefix, cls.prefix)
        cls.libraries = os.path.join(cls.prefix, harness.setting("CMAKE_INSTALL_LIBDIR"))
        cls.packages = os.path.join(cls.libraries, "pkgconfig")

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.scratch)

    # --- Helpers -----------------------------------------------------------------------------------

    def run_in_folder(self, *command, **variables):
        done = attempt(*command, folder=self.folder, **variables)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def write_program(self, link, language):
        """hello.c, or hello.cc: the README's program, or the one that sends."""
        text = harness.readme_block("c")
        if is_export(link):
            with open(os.path.join(HERE, "send.c"), encoding="utf-8") as file:
                text = file.read()
        self.write("hello" + language.suffix, text)

    def pkg_config(self, *arguments):
        return self.run_in_folder("pkg-config", *arguments, PKG_CONFIG_PATH=self.packages).stdout.strip()

    def compile(self, link, language, options="", query=""):
        """By the README's line, with this link and language in the place of its own."""
        line = harness.readme_block("sh").strip()
        self.assertRegex(line, r"^cc hello\.c .* flowtrace\) -o hello$")
        line = line.replace("hello.c", "hello" + language.suffix).replace(" flowtrace)", f" {query} {link.package})")
        standard = ("c" if language.name == "C" else "c++") + language.standard
        line = re.sub(r"^cc", f"{language.compiler} -std={standard} {WARNINGS} {options}", line)
        self.run_in_folder("sh", "-c", line, PKG_CONFIG_PATH=self.packages)
        return os.path.join(self.folder, "hello")

    def configure(self, text, *arguments):
        self.write("CMakeLists.txt", text)
        return attempt("cmake", "-G", "Ninja", "-S", ".", "-B", "out", "-DCMAKE_PREFIX_PATH=" + self.prefix,
                       *arguments, folder=self.folder)

    def project(self, link=None, language=LANGUAGES[0]):
        """The README's CMakeLists.txt, with this link and language in the place of its own."""
        text = harness.readme_block("cmake")
        link = link or Link("flowtrace", "flowtrace::flowtrace", "")
        for old, new in ((" C)", f" {language.name})"), ("hello.c", "hello" + language.suffix),
                         (" flowtrace::flowtrace", " " + link.target),
                         (" REQUIRED", f" REQUIRED {link.components}")):
            self.assertEqual(text.count(old), 1, (old, text))
            text = text.replace(old, new)
        return text

    def build(self, link, language):
        name = language.name
        done = self.configure(self.project(link, language), f"-DCMAKE_{name}_FLAGS={WARNINGS}",
                              f"-DCMAKE_{name}_STANDARD={language.standard}", f"-DCMAKE_{name}_EXTENSIONS=OFF")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.run_in_folder("cmake", "--build", "out")
        return os.path.join(self.folder, "out", "hello")

    def check_linked(self, program, link):
        ours = [name for name in dynamic(program, "NEEDED") if "flowtrace" in name]
        if is_static(link):
            self.assertEqual(ours, [])
        else:
            wanted = ["libflowtrace-export.so.0"] if is_export(link) else []
            self.assertEqual(ours, wanted + ["libflowtrace.so.0"])

    def check_hello(self, program, **variables):
        lines = self.run_in_folder(program, **variables).stderr.splitlines()
        self.assertEqual(len(lines), 1, lines)
        for word in ("parse", "INTERNAL", "rows=42"):
            self.assertIn(word, lines[0].split())

    def start_collector(self):
        """The installed one."""
        collector = harness.Collector(os.path.join(self.folder, "data"),
                                      executable=os.path.join(self.prefix, "bin", "flowtrace"))
        self.addCleanup(collector.stop)
        return collector

    def check_send(self, collector, program, **variables):
        endpoint = f"http://127.0.0.1:{collector.otlp}"
        trace_id = self.run_in_folder(program, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **variables).stdout.strip()
        self.assertRegex(trace_id, "^[0-9a-f]{32}$")
        deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
        spans = []
        while not spans and time.monotonic() < deadline:
            spans = harness.get_trace(collector.api, trace_id)
            time.sleep(0 if spans else 0.05)
        self.assertEqual([span["name"] for span in spans], ["send"])

    def check_programs(self, make, **variables):
        """Each link in each language: made, linked as it says, run, its span seen."""
        collector = self.start_collector()
        for link in links():
            for language in LANGUAGES:
                with self.subTest(link=link.package, language=language.name):
                    self.folder = tempfile.mkdtemp(dir=self.scratch)
                    self.write_program(link, language)
                    program = make(link, language)
                    self.check_linked(program, link)
                    found = {} if is_static(link) else variables
                    if is_export(link):
                        self.check_send(collector, program, **found)
                    else:
                        self.check_hello(program, **found)

    # --- Tests -------------------------------------------------------------------------------------

    def test_pkg_config(self):
        self.check_programs(self.compile, LD_LIBRARY_PATH=self.libraries)

    def test_find_package(self):
        self.check_programs(self.build)

    def test_static_altogether(self):
        """With the C library's archive, too."""
        for package in ("flowtrace", "flowtrace-static"):
            with self.subTest(package):
                link = Link(package, "", "")
                self.write_program(link, LANGUAGES[0])
                program = self.compile(link, LANGUAGES[0], "-static", "--static")
                self.assertEqual(dynamic(program, "NEEDED"), [])
                self.check_hello(program)

    def test_nothing_names_a_place(self):
        """Neither where it was built nor where it was first installed, nor what is not installed."""
        texts = [path for path in files_below(self.libraries) if path.endswith((".pc", ".cmake"))]
        self.assertEqual(len(texts), 10, texts)
        for path in texts:
            with open(os.path.join(self.libraries, path), encoding="utf-8") as file:
                text = file.read()
            for word in (harness.ROOT, harness.BUILD, self.first_prefix, "floor_", "ftr_flags", "PkgConfig::"):
                self.assertNotIn(word, text, path)
        for library, runpath in (("libflowtrace.so", []), ("libflowtrace-export.so", ["$ORIGIN"])):
            self.assertEqual(dynamic(os.path.join(self.libraries, library), "RUNPATH"), runpath)

    def test_export_is_loaded_by_its_path(self):
        """As a binding would: libflowtrace is found beside it."""
        library = os.path.join(self.libraries, "libflowtrace-export.so")
        self.run_in_folder(sys.executable, "-c",
                           f"import ctypes; ctypes.CDLL({library!r}).ftr_otlp_exporter_new")


class Moved(Installed):
    """The same after the tree went elsewhere, and nothing is left where it was."""

    moved_to = "some/other/place"


class Package(Installed):
    """What the files say, and how they refuse; once is enough."""

    test_pkg_config = test_find_package = test_static_altogether = None
    test_nothing_names_a_place = test_export_is_loaded_by_its_path = None

    def expected_files(self):
        library = os.path.relpath(self.libraries, self.prefix)
        headers = [os.path.basename(path) for path in glob.glob(os.path.join(harness.ROOT, "include/flowtrace/*.h"))]
        self.assertIn("flowtrace.h", headers)
        names = {"bin/flowtrace", "share/doc/flowtrace/LICENSE"} | {"include/flowtrace/" + name for name in headers}
        for name in ("flowtrace", "flowtrace-export"):
            names |= {f"{library}/lib{name}{end}" for end in (".a", ".so", ".so.0", ".so." + version())}
            names |= {f"{library}/pkgconfig/{name}{end}.pc" for end in ("", "-static")}
        config = harness.setting("CMAKE_BUILD_TYPE").lower()
        names |= {f"{library}/cmake/flowtrace/flowtrace-{end}.cmake" for end in (
            "config", "config-version", "targets", "targets-" + config, "export-static-targets",
            "export-static-targets-" + config)}
        return sorted(names)

    def test_files(self):
        self.assertEqual(files_below(self.prefix), self.expected_files())

    def test_destdir(self):
        stage = os.path.join(self.folder, "stage")
        prefix = os.path.join(self.folder, "root", "opt")
        make_install(prefix, "DESTDIR=" + stage)
        self.assertEqual(files_below(stage + prefix), self.expected_files())
        self.assertFalse(os.path.exists(prefix))

    def test_names_and_needs_of_the_libraries(self):
        path = os.path.join(self.libraries, "libflowtrace.so")
        self.assertEqual(dynamic(path, "SONAME"), ["libflowtrace.so.0"])
        self.assertEqual(set(dynamic(path, "NEEDED")) - {"ld-linux-x86-64.so.2"}, {"libc.so.6"})
        path = os.path.join(self.libraries, "libflowtrace-export.so")
        self.assertEqual(dynamic(path, "SONAME"), ["libflowtrace-export.so.0"])
        self.assertEqual(set(dynamic(path, "NEEDED")) - {"ld-linux-x86-64.so.2"},
                         {"libflowtrace.so.0", "libcurl.so.4", "libz.so.1", "libzstd.so.1", "libc.so.6"})

    def test_the_libraries_start_no_program_and_end_none(self):
        """Nor do they touch the host's signals, but for the masks of their own threads."""
        for library in ("libflowtrace.so", "libflowtrace-export.so"):
            text = subprocess.run(["nm", "-D", "--undefined-only", "--format=posix", os.path.join(self.libraries, library)],
                                  stdout=subprocess.PIPE, check=True).stdout.decode()
            needed = {line.split()[0].split("@")[0] for line in text.splitlines()}
            self.assertIn("pthread_mutex_lock", needed)
            self.assertEqual({name for name in needed if re.match(
                r"(exec|posix_spawn|popen|system|v?fork$|_?exit$|abort|quick_exit|sigaction|signal|sigprocmask|raise|kill)",
                name)}, set())

    def test_archives_share_a_namespace(self):
        defined = [name for archive in ("libflowtrace.a", "libflowtrace-export.a")
                   for name in symbols(os.path.join(self.libraries, archive))]
        self.assertIn("ftr_init", defined)
        self.assertIn("ftr_otlp_exporter_new", defined)
        self.assertEqual([name for name in defined if not re.match(r"ftri?_", name)], [])
        self.assertEqual(sorted(name for name in set(defined) if defined.count(name) > 1), [])

    def test_versions(self):
        for link in links():
            self.assertEqual(self.pkg_config("--modversion", link.package), version())
        self.write("hello.c", harness.readme_block("c"))
        for wanted, is_found in ((version(), True), ("0.0", False), ("0.99", False), ("1.0", False)):
            done = self.configure(self.project().replace(" 0.1 ", f" {wanted} "))
            self.assertEqual(done.returncode == 0, is_found, f"{wanted}: {done.stderr}")

    def test_static_link_flags(self):
        """What a link with the archives needs, by pkg-config alone."""
        def libraries(*arguments):
            return [word for word in self.pkg_config("--libs", *arguments).split() if word[:2] in ("-l", "-p")]

        self.assertEqual(libraries("--static", "flowtrace"), ["-lflowtrace", "-pthread"])
        self.assertEqual(sorted(libraries("--static", "flowtrace-export")),
                         ["-lcurl", "-lflowtrace", "-lflowtrace-export", "-lz", "-lzstd", "-pthread"])
        self.assertEqual(sorted(libraries("flowtrace-export-static")), ["-lcurl", "-lz", "-lzstd", "-pthread"])

    def test_without_the_files_of_libcurl(self):
        """Its user links the shared libraries, or the archive of libflowtrace, and is told about the rest."""
        alone = {"PKG_CONFIG_LIBDIR": self.packages}
        for package in ("flowtrace", "flowtrace-static", "flowtrace-export"):
            self.run_in_folder("pkg-config", "--cflags", "--libs", package, **alone)
        refused = attempt("pkg-config", "--libs", "flowtrace-export-static", folder=self.folder, **alone)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("libcurl", refused.stderr)

        self.write("hello.c", harness.readme_block("c"))
        without = "-DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON"
        for link in links():
            done = self.configure(self.project(link), without)
            if link.components:
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("component export-static needs the headers and libraries of libcurl",
                              " ".join(done.stderr.split()))
            else:
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_unknown_component(self):
        done = self.configure(self.project().replace(" REQUIRED", " REQUIRED COMPONENTS statics"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no component statics; there is: export-static", " ".join(done.stderr.split()))


if __name__ == "__main__":
    harness.main()
