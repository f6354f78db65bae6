# SPDX-License-Identifier: Apache-2.0
"""The main job, compared with counts made without our code: files by find, bytes by du, hashes by
sha256sum, drops by another find, deliveries by the server's own log. Every number matches."""

import json
import os
import random
import subprocess
import tempfile
import time
import unittest

import harness

DOCUMENTS = "/usr/share/doc"
PACKAGE_LOG = "/var/log/dpkg.log"
TINY_BYTES = 64
HASHES = 200
LIMIT_S = 60


def output(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True,
                          timeout=120).stdout


def places():
    return [DOCUMENTS] + ([PACKAGE_LOG] if os.path.exists(PACKAGE_LOG) else [])


def count_files(*conditions):
    return output("find", *places(), "-type", "f", *conditions, "-printf", "x").count(b"x")


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="flowtrace-")
        cls.data = cls.folder.name
        cls.accounts = os.path.join(cls.data, "accounts.ndjson")
        start = time.monotonic()
        cls.done = subprocess.run(
            [harness.program(), "demo", "--data", cls.data, "--accounts", cls.accounts],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S * 2,
            check=False)
        cls.took_s = time.monotonic() - start
        cls.nodes, cls.edges = {}, []
        if os.path.exists(cls.accounts):
            with open(cls.accounts, encoding="utf-8") as lines:
                for line in lines:
                    entry = json.loads(line)
                    if "node" in entry:
                        cls.nodes[entry["node"]] = entry
                    else:
                        cls.edges.append(entry)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def read_lines(self, name):
        with open(os.path.join(self.data, name), encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def test_it_ends_well_within_its_time(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertLess(self.took_s, LIMIT_S)

    def test_files_and_bytes(self):
        n_files = count_files()
        self.assertEqual(self.nodes["read"]["out"], n_files)
        self.assertEqual(self.nodes["kinds"]["in"], n_files)
        self.assertEqual(self.nodes["kinds"]["out"], n_files)
        # du counts a file with several names once; so the list of names goes to it one by one.
        listing = output("find", *places(), "-type", "f", "-print0")
        du = subprocess.run(["du", "-bcl", "--files0-from=-"], input=listing, capture_output=True,
                            check=True, timeout=120).stdout
        total = int(du.splitlines()[-1].split()[0])
        self.assertEqual(self.nodes["read"]["bytes_out"], total)

    def test_kinds(self):
        compressed = ["-name", "*.gz"]
        log = ["-name", "*.log"]
        image = ["(", "-name", "*.png", "-o", "-name", "*.jpg", "-o", "-name", "*.gif", "-o",
                 "-name", "*.ico", ")"]
        self.assertEqual(self.nodes["parse_compressed"]["in"], count_files(*compressed))
        self.assertEqual(self.nodes["parse_log"]["in"], count_files(*log))
        self.assertEqual(self.nodes["parse_image"]["in"], count_files(*image))
        self.assertEqual(self.nodes["parse_plain"]["in"],
                         count_files("-not", *compressed, "-not", *log, "-not", *image))

    def test_drops(self):
        n_tiny = count_files("-size", f"-{TINY_BYTES}c")
        self.assertEqual(self.nodes["drop_tiny"]["dropped"],
                         {"filtered": n_tiny} if n_tiny else {})
        self.assertEqual(self.nodes["drop_tiny"]["out"], count_files() - n_tiny)

    def test_results_and_hashes(self):
        results = self.read_lines("results.ndjson")
        keys = [entry["key"] for entry in results]
        expected = output("find", *places(), "-type", "f", "-not", "-size", f"-{TINY_BYTES}c",
                          "-print0").decode().split("\0")[:-1]
        self.assertEqual(sorted(keys), sorted(expected))
        self.assertEqual(self.nodes["write"]["in"], len(keys))
        sample = random.sample(results, min(HASHES, len(results)))
        lines = output("sha256sum", "--zero", "--", *[e["key"] for e in sample]).decode()
        sums = dict(reversed(line.split("  ", 1)) for line in lines.split("\0")[:-1])
        for entry in sample:
            self.assertEqual(entry["sha256"], sums[entry["key"]], entry["key"])
            self.assertEqual(entry["size"], os.path.getsize(entry["key"]))

    def test_deliveries_by_the_servers_own_log(self):
        log = self.read_lines("deliveries.ndjson")
        taken = [entry for entry in log if entry["status"] == 200]
        refused = [entry for entry in log if entry["status"] == 503]
        n_results = len(self.read_lines("results.ndjson"))
        self.assertEqual(sum(entry["lines"] for entry in taken), n_results)
        self.assertEqual(self.nodes["retry"]["retried"], len(refused))
        self.assertGreater(len(refused), 0, "the server refused nothing: no retry was seen")
        self.assertEqual(self.nodes["deliver"]["visits"], len(log))
        self.assertEqual(self.nodes["deliver"]["in"], sum(entry["lines"] for entry in log))
        self.assertEqual(self.nodes["deliver"]["failed"], sum(e["lines"] for e in refused))

    def test_every_edge_balances(self):
        self.assertGreater(len(self.edges), 0)
        for edge in self.edges:
            self.assertEqual(edge["sent"], edge["received"], edge)
            self.assertEqual((edge["queued"], edge["lost"]), (0, 0), edge)
        for node in self.nodes.values():
            self.assertEqual(node["held"], 0, node)

    def test_the_tree_shows_the_flow(self):
        text = self.done.stdout
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80 if "http" not in line and "/" not in line else 200)
        for words in ("Trace: ", "[Span] receiver/files/read", "[Span] processor/route/kinds",
                      "[Span] processor/batch/gather", "[Span] exporter/file/write",
                      "[Span] exporter/http/deliver", "batch_flush", "export_success",
                      "control/ack", "took", "worked", "waited"):
            self.assertIn(words, text)

    def test_the_table_and_where_to_look_next(self):
        text = self.done.stdout
        for node in self.nodes:
            self.assertRegex(text, rf"(?m)^{node} ")
        self.assertIn("look next", text)
        self.assertIn(" trace get ", text)

    def test_no_process_is_left(self):
        found = subprocess.run(["pgrep", "-f", self.data], capture_output=True, check=False)
        self.assertEqual(found.stdout, b"")


if __name__ == "__main__":
    harness.main()
