# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry SDKs that the tests here run: each is installed as its lock file says into
BUILD/interop, once, and its program in the folder of its language is called

    PROGRAM grpc|http/protobuf|http/json URL none|gzip SEED OUTPUT

It sends N_SPANS spans and writes what it sent to OUTPUT, as compare.py wants it; it fails when an
export failed for good. The same seed gives the same values.
"""

import fcntl
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
N_SPANS = 2000
INSTALL_TIMEOUT_S = 500
PROTOBUF = ("grpc", "http/protobuf")


def run(command, **options):
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=INSTALL_TIMEOUT_S, **options)


class Client:
    """One language. `install` needs the network only when one of `locks` changed."""

    protocols = PROTOBUF
    retrying = PROTOBUF  # those over which its exporter tries again
    sources = ()  # what runs in the folder of the build
    locks = ()    # what decides about what is installed there

    def __init__(self, build):
        self.folder = os.path.join(build, "interop", type(self).__name__.lower())
        self.source = os.path.join(HERE, type(self).__name__.lower())

    def install(self):
        """Two tests may do it at once; what is already there and right is not touched."""
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for name in self.sources:
                self.write(name, self.read_source(name))
            wanted = self.runtime() + "".join(hashlib.sha256(self.read_source(name)).hexdigest() for name in self.locks)
            if not self.holds("installed", wanted.encode()):
                self.install_packages()
                self.write("installed", wanted.encode())

    def read_source(self, name):
        with open(os.path.join(self.source, name), "rb") as file:
            return file.read()

    def holds(self, name, content):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return False
        with open(path, "rb") as file:
            return file.read() == content

    def write(self, name, content):
        if not self.holds(name, content):
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(content)

    def runtime(self):
        """What the installed packages depend on besides the locks."""
        return ""

    def install_packages(self):
        raise NotImplementedError

    def program(self):
        raise NotImplementedError


class JavaScript(Client):
    protocols = PROTOBUF + ("http/json",)
    retrying = ("http/protobuf",)
    sources = ("package.json", "package-lock.json", "send.mjs", "values.mjs")
    locks = ("package-lock.json",)

    def install_packages(self):
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=self.folder)

    def program(self):
        return ["node", os.path.join(self.folder, "send.mjs")]


class Python(Client):
    locks = ("requirements.txt",)

    def runtime(self):
        return f"{sys.executable} {sys.version_info.major}.{sys.version_info.minor} "

    def venv(self):
        return os.path.join(self.folder, "venv")

    def install_packages(self):
        run([sys.executable, "-m", "venv", "--clear", self.venv()])
        run([os.path.join(self.venv(), "bin", "pip"), "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--only-binary", ":all:", "-r", os.path.join(self.source, "requirements.txt")])

    def program(self):
        return [os.path.join(self.venv(), "bin", "python"), os.path.join(self.source, "send.py")]


class Go(Client):
    sources = ("go.mod", "go.sum", "send.go", "values.go")
    locks = sources

    def install_packages(self):
        run(["go", "build", "-o", "send", "."], cwd=self.folder, env=self.environment())

    def environment(self):
        """Modules and compiled packages in the build directory; no other toolchain is fetched."""
        return dict(os.environ, GOFLAGS="-mod=readonly -modcacherw -buildvcs=false", GOTOOLCHAIN="local", GOWORK="off",
                    GOMODCACHE=os.path.join(self.folder, "modules"), GOCACHE=os.path.join(self.folder, "cache"))

    def program(self):
        return [os.path.join(self.folder, "send")]


CLIENTS = {cls.__name__.lower(): cls for cls in (JavaScript, Python, Go)}
