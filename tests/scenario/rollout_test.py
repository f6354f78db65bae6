# SPDX-License-Identifier: Apache-2.0
"""A configuration rolled out: the next generation of a pipeline takes over the address while the one
before drains. Spans tell them apart, and a flow stays in the generation that let it in."""

import json
import os
import subprocess
import threading

import harness
from harness import (Run, Scenario, attributes, get_trace, new_span, program, request, send_json, span_document,
                     wait_for)

TIMEOUT_S = harness.PATIENCE_S
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
        running = Run(os.path.join(self.folder.name, f"{generation}.yaml"), PIPELINE % (generation, port, max_items),
                      "--metrics", "127.0.0.1:0", collector=self.collector, OTEL_METRICS_EXPORTER="none",
                      OTEL_BSP_SCHEDULE_DELAY="100")
        self.addCleanup(running.kill_if_alive)
        return running

    def send(self, port):
        """The answer comes with the batch's."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            send_json(port, span_document([new_span("work")]))[0]), daemon=True)
        thread.start()
        return thread, answers

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
        old = self.run_generation(7, 0, 100)
        port = old.port("otlp/http")
        sender, answers = self.send(port)
        wait_for(lambda: old.metric("flow_node_held_items", "gather") == 1, "the batch does not lie in `gather`")
        ended = []
        ending = threading.Thread(target=lambda: ended.append(old.stop()), daemon=True)
        ending.start()
        wait_for(lambda: self.is_closed(port), "the old one still takes in")
        new = self.run_generation(8, port, 1)
        later, later_answers = self.send(new.port("otlp/http"))
        for thread in (sender, later, ending):
            thread.join(TIMEOUT_S)
        self.assertEqual((answers, later_answers, ended, new.stop()), ([200], [200], [0], 0))
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
                             {generation}, name)
            if name == "receiver/otlp/in":
                self.assertEqual({span["name"] for span in spans}, {
                    "exporter/noop/out", "processor/batch/gather", "receiver/otlp/in"})


if __name__ == "__main__":
    harness.main()
