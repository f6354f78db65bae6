# SPDX-License-Identifier: Apache-2.0
"""Runs a test of this folder where OpenTelemetry's protobuf is: `install.py --build DIR TEST`."""

import argparse
import os
import sys

BUILD = os.environ.get("FTR_USERS_BUILD")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, ".."))
    from clients import CLIENTS  # pylint: disable=import-outside-toplevel
    parser = argparse.ArgumentParser(description="Installs what a test needs and becomes it.")
    parser.add_argument("--build", required=True, help="a build directory")
    parser.add_argument("test")
    arguments = parser.parse_args()
    build = os.path.abspath(arguments.build)
    python = CLIENTS["python"](build)
    python.install()
    os.environ["FTR_USERS_BUILD"] = build
    interpreter = python.program()[0]
    os.execv(interpreter, [interpreter, os.path.join(here, arguments.test + "_test.py")])


if __name__ == "__main__":
    main()
