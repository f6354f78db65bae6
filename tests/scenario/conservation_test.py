# SPDX-License-Identifier: Apache-2.0
"""A graph whose accounts contradict each other says so when it ends, and fails. Every scenario that
stops a collector thereby checks conservation (harness.Collector.reap)."""

import os
import subprocess
import tempfile
import unittest

import harness

GRAPH = """\
nodes:
  read: {type: receiver/files, config: {paths: [in]}}
  gather: {type: processor/batch, config: {max_items: 4, max_delay: 5ms}}
  write: {type: exporter/file, config: {path: out}}
connections:
  - {from: read, to: gather}
  - {from: gather, to: write}
"""
# A statement that the graph passes, and the identity that no longer holds.
SKIPPED = {
    "count_sent: sent": "not sent + taken = received + queued + lost + handed",
    "deliver_data: held": "not received = settled + held",
    "count_emitted: created": "not emitted = forwarded + created",
    "node_ack: absorbed": "not received = settled + held",
}


class Conservation(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.mkdir(os.path.join(self.folder.name, "in"))
        for i in range(10):
            with open(os.path.join(self.folder.name, "in", str(i)), "w", encoding="ascii") as file:
                file.write("text\n")
        with open(os.path.join(self.folder.name, "graph.yaml"), "w", encoding="ascii") as file:
            file.write(GRAPH)

    def run_graph(self, skipped=None):
        environment = dict(os.environ, **({"FTR_FAULT_SKIP": skipped} if skipped else {}))
        return subprocess.run([harness.program(), "run", "graph.yaml"], cwd=self.folder.name, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=100, check=False)

    def test_accounts_balance(self):
        done = self.run_graph()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("balance", done.stderr)

    def test_a_statement_left_out_is_told(self):
        for statement, identity in SKIPPED.items():
            with self.subTest(statement):
                done = self.run_graph(statement)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("the accounts do not balance: ", done.stderr)
                self.assertIn(identity, done.stderr)


if __name__ == "__main__":
    harness.main()
