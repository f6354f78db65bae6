# SPDX-License-Identifier: Apache-2.0
"""A configuration rolled out: the next generation of a pipeline takes over the address while the one
before drains. Spans tell them apart, and a flow stays in the generation that let it in."""

import json
import os
import re
import subprocess
import threading
import time

import audit_test
from audit_test import attributes, wait_for
from harness import (Scenario, free_port, get_trace, new_span, program, request, send_json,
                     span_document)

TIMEOUT_S = audit_test.TIMEOUT_S
PIPELINE = """\
pipeline: rolled
generation: %d
nodes:
  in: {type: receiver/otlp, config: {http: '127.0.0.1:%d', grpc: 'off'}}
  gather: {type: processor/batch, config: {max_items: %d, max_delay: 1h}}
  out: {type: exporter/noop}
connections:
  - {from: in, to: gather}
  - {from: gather, to: out}
"""


class Rollout(Scenario):
    def run_generation(self, generation, port, max_items):
        running = audit_test.Running(
            os.path.join(self.folder.name, f"{generation}.yaml"),
            PIPELINE % (generation, port, max_items), self.collector, "--metrics", "127.0.0.1:0")
        self.addCleanup(running.kill)
        return running

    def send(self, port):
        """The answer comes with the batch's."""
        answers = []

        def post():
            while True:
                try:
                    answers.append(send_json(port, span_document([new_span("work")]))[0])
                    return
                except ConnectionRefusedError:
                    time.sleep(0.02)
        thread = threading.Thread(target=post, daemon=True)
        thread.start()
        return thread, answers

    def is_held(self, running):
        listening = re.search(r"metrics listening on \S*:(\d+)", "\n".join(running.lines))
        if not listening:
            return False
        page = request(int(listening.group(1)), "GET", "/metrics")[2].decode()
        return re.search(r'(?m)^flow_node_held_items\{[^}]*node_id="gather"[^}]*\} 1$', page)

    def is_closed(self, port):
        try:
            request(port, "GET", "/")
        except ConnectionRefusedError:
            return True
        except ConnectionError:  # it closed with this connection waiting
            return False
        return False

    def traces(self, *arguments):
        done = subprocess.run([program(), "trace", "query", "--pipeline", "rolled", *arguments,
                               "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = map(json.loads, done.stdout.splitlines())
        return {row["traceId"]: row["name"] for row in rows}

    def test_a_flow_stays_in_its_generation(self):
        self.start()
        port = free_port()
        old = self.run_generation(7, port, 100)
        sender, answers = self.send(port)
        wait_for(lambda: self.is_held(old), "the batch does not lie in `gather`")
        ended = []
        ending = threading.Thread(target=lambda: ended.append(old.end()), daemon=True)
        ending.start()
        wait_for(lambda: self.is_closed(port), "the old one still takes in")
        new = self.run_generation(8, port, 1)
        later, later_answers = self.send(port)
        for thread in (sender, later, ending):
            thread.join(TIMEOUT_S)
        self.assertEqual((answers, later_answers, ended, new.end()), ([200], [200], [0], 0))
        self.check_generation(7)
        self.check_generation(8)

    def check_generation(self, generation):
        where = ("--attribute", f"flow.generation={generation}")
        names = ["control/drain_ingress", "control/shutdown", "receiver/otlp/in"]
        found = wait_for(lambda: (lambda t: t if len(t) >= len(names) else None)(
            self.traces(*where)), "its traces")
        self.assertEqual(sorted(found.values()), names)
        self.assertEqual(self.traces("--attribute", f"deployment.generation={generation}"), found)
        for trace_id, name in found.items():
            spans = get_trace(self.collector.api, trace_id)
            self.assertEqual({attributes(span).get("flow.generation") for span in spans},
                             {str(generation)}, name)
            if name == "receiver/otlp/in":
                self.assertEqual({span["name"] for span in spans}, {
                    "exporter/noop/out", "processor/batch/gather", "receiver/otlp/in"})


if __name__ == "__main__":
    from harness import main
    main()
