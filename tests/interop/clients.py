# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry SDKs that the tests here run: each is installed as its lock file says into
BUILD/interop, once, and its program in the folder of its language is called

    PROGRAM grpc|http/protobuf|http/json URL none|gzip SEED OUTPUT

It sends N_SPANS spans and writes what it sent to OUTPUT, as compare.py wants it; it fails when an
export failed for good. The same seed gives the same values.
"""

import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
N_SPANS = 2000
INSTALL_TIMEOUT_S = 500
PROTOBUF = ("grpc", "http/protobuf")


def run(command, **options):
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=INSTALL_TIMEOUT_S, **options)


class Client:
    """One language. `install` needs the network only when its lock changed."""

    protocols = PROTOBUF
    sources = ()
    lock = None

    def __init__(self, build):
        self.folder = os.path.join(build, "interop", type(self).__name__.lower())
        self.source = os.path.join(HERE, type(self).__name__.lower())

    def install(self):
        stamp = os.path.join(self.folder, "installed")
        with open(os.path.join(self.source, self.lock), "rb") as file:
            wanted = f"{self.runtime()} {hashlib.sha256(file.read()).hexdigest()}\n"
        self.copy_sources()
        if not is_written(stamp, wanted):
            self.install_packages()
            with open(stamp, "w", encoding="utf-8") as file:
                file.write(wanted)

    def copy_sources(self):
        os.makedirs(self.folder, exist_ok=True)
        for name in self.sources:
            shutil.copy(os.path.join(self.source, name), self.folder)

    def runtime(self):
        """What the installed packages depend on besides the lock."""
        return ""


def is_written(path, text):
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        return file.read() == text


class JavaScript(Client):
    protocols = PROTOBUF + ("http/json",)
    sources = ("package.json", "package-lock.json", "send.mjs", "values.mjs")
    lock = "package-lock.json"

    def install_packages(self):
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=self.folder)

    def program(self):
        return ["node", os.path.join(self.folder, "send.mjs")]


class Python(Client):
    lock = "requirements.txt"

    def runtime(self):
        return f"{sys.executable} {sys.version_info.major}.{sys.version_info.minor}"

    def venv(self):
        return os.path.join(self.folder, "venv")

    def install_packages(self):
        run([sys.executable, "-m", "venv", "--clear", self.venv()])
        run([os.path.join(self.venv(), "bin", "pip"), "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--only-binary", ":all:", "-r", os.path.join(self.source, self.lock)])

    def program(self):
        return [os.path.join(self.venv(), "bin", "python"), os.path.join(self.source, "send.py")]


class Go(Client):
    """The modules are those of go.sum; `go build` itself sees what is there and what changed."""

    sources = ("go.mod", "go.sum", "send.go", "values.go")

    def install(self):
        self.copy_sources()
        run(["go", "build", "-o", "send", "."], cwd=self.folder, env=self.environment())

    def environment(self):
        """Modules and compiled packages in the build directory; no other toolchain is fetched."""
        return dict(os.environ, GOFLAGS="-mod=readonly -modcacherw -buildvcs=false", GOTOOLCHAIN="local", GOWORK="off",
                    GOMODCACHE=os.path.join(self.folder, "modules"), GOCACHE=os.path.join(self.folder, "cache"))

    def program(self):
        return [os.path.join(self.folder, "send")]


CLIENTS = {cls.__name__.lower(): cls for cls in (JavaScript, Python, Go)}
