# SPDX-License-Identifier: Apache-2.0
"""Builds the peers as their lock files say, into <build>/peers. What cannot be built here (there is no
toolchain, the registry does not answer) is left out with a reason, which is no error."""

import collections
import os
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
BUILD_TIMEOUT_S = 1200

# name: of the program peer-<name>; title: with its version; program: where it is; why: it is not.
Peer = collections.namedtuple("Peer", "name title program why")

RUST = {"fastrace": ("fastrace", "fastrace"),
        "otel-rust": ("OTel Rust", "opentelemetry_sdk"),
        "tracing": ("tokio tracing, tracing-opentelemetry", "tracing-opentelemetry")}
GO = {"otel-go": ("OTel Go", "go.opentelemetry.io/otel/sdk")}


def compile_with(tool, arguments, log, environment):
    """None: it is built. Else why not."""
    if not shutil.which(tool):
        return f"{tool} is not in PATH"
    with open(log, "w", encoding="utf-8") as output:
        try:
            done = subprocess.run([tool] + arguments, cwd=HERE, env=environment, stdout=output,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                                  timeout=BUILD_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"{tool} took more than {BUILD_TIMEOUT_S} s"
    return None if done.returncode == 0 else f"it could not be built, see {log}"


def locked_version(path, pattern):
    found = re.search(pattern, (HERE / path).read_text(encoding="utf-8"))
    return found.group(1) if found else ""


def build_rust(folder):
    target = folder / "rust"
    why = compile_with("cargo", ["build", "--release", "--locked", "--quiet", "--manifest-path",
                                 "rust/Cargo.toml", "--target-dir", str(target)],
                       folder / "rust.log", dict(os.environ))
    for name, (title, crate) in RUST.items():
        version = locked_version("rust/Cargo.lock", rf'name = "{crate}"\nversion = "([^"]+)"')
        yield Peer(name, f"{title} {version}", target / "release" / f"peer-{name}", why)


def build_go(folder):
    """Modules and compiled packages in the build directory; no other toolchain is fetched."""
    environment = dict(os.environ, GOFLAGS="-mod=readonly -modcacherw -buildvcs=false", GOTOOLCHAIN="local",
                       GOWORK="off", GOMODCACHE=str(folder / "go" / "modules"), GOCACHE=str(folder / "go" / "cache"))
    program = folder / "peer-otel-go"
    why = compile_with("go", ["build", "-C", "go", "-o", str(program), "."], folder / "go.log", environment)
    for name, (title, module) in GO.items():
        version = locked_version("go/go.mod", rf"{module} v(\S+)")
        yield Peer(name, f"{title} {version}", program, why)


def build_all(build):
    folder = (build / "peers").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return [*build_rust(folder), *build_go(folder)]
