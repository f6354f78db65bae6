# SPDX-License-Identifier: Apache-2.0
"""What a batch was made from, and what was made from it, through the real collector: 10,000 sources
sent in 1,000 requests, one batch of all of them and of 20 that never report, three sinks. The
answer is compared with the generator's own ledger: while everything is gathered only, after kill -9,
in a thousand blocks, after a restart, after another kill -9, and when retention took some blocks."""

import json
import os
import re
import sqlite3
import subprocess

import harness
from harness import Scenario, get_json, get_trace, new_id, new_span, request, send_json
from harness import span_document, wait_for

SOURCES, A_REQUEST, ABSENT, SINKS = 10_000, 10, 20, 3
GATHERED = 200_000  # spans of a block: none is ever full
SMALL = 10
WAIT_S = 240


class Ledger:
    """What the generator says it did."""

    def __init__(self, text):
        self.spans = {"source": [], "absent": [], "batch": [], "sink": []}
        for line in text.splitlines():
            what, trace, span = line.split()
            self.spans[what].append((trace, span))
        self.sources = self.spans["source"]
        self.absent = self.spans["absent"]
        self.batch = self.spans["batch"][0]
        self.sinks = self.spans["sink"]


def id_of(thing):
    return thing["traceId"], thing["spanId"]


class Answer:
    """NDJSON, by the types of its lines."""

    def __init__(self, text):
        lines = [json.loads(line) for line in text.splitlines()]
        self.summary = lines[-1]
        assert self.summary["type"] == "summary", self.summary
        self.edges = [line for line in lines if line["type"] == "edge"]
        self.spans = {id_of(line): line for line in lines if line["type"] == "span"}
        assert len(self.spans) == sum(line["type"] == "span" for line in lines), "a span twice"

    def pairs(self):
        return [(id_of(edge["contributor"]), id_of(edge["result"])) for edge in self.edges]

    def states(self, ids):
        return {self.spans[i]["state"] for i in ids}


class LineageTest(Scenario):

    def setUp(self):
        super().setUp()
        self.ledger = None

    def begin(self, block_spans, retention_bytes=None):
        store = {"block_spans": block_spans}
        if retention_bytes:
            store["retention_bytes"] = retention_bytes
        path = os.path.join(self.folder.name, "graph.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"nodes": {
                "otlp": {"type": "receiver/otlp",
                         "config": {"grpc": "off", "http": "127.0.0.1:0"}},
                "log": {"type": "processor/wal", "config": {"commit_delay": "1ms"}},
                "store": {"type": "exporter/store", "config": store}},
                "connections": [{"from": "otlp", "to": "log"}, {"from": "log", "to": "store"}]},
                file)
        self.start(("--config", path))

    def generate(self):
        done = subprocess.run(
            [os.path.join(harness.BUILD, "tests", "lineage-generator"),
             str(SOURCES), str(A_REQUEST), str(ABSENT), str(SINKS)],
            env=dict(os.environ,
                     OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{self.collector.otlp}",
                     OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"),
            capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.ledger = Ledger(done.stdout)
        self.assertEqual([len(self.ledger.sources), len(self.ledger.absent),
                          len(self.ledger.sinks)], [SOURCES, ABSENT, SINKS])

    def ask(self, span, **parameters):
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        status, headers, body = request(self.collector.api, "GET",
                                        f"/api/flow/v1/lineage/{'/'.join(span)}?{query}",
                                        timeout=120)
        self.assertEqual(status, 200, body[:300])
        self.assertEqual(headers["content-type"], "application/x-ndjson")
        return Answer(body.decode())

    def command(self, *arguments):
        return subprocess.run([harness.program(), "lineage", "--server", self.collector.url(),
                               *arguments],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)

    def check_up(self, answer, n_removed=0):
        """Every edge to the batch, once, and the state of every source."""
        expected = self.ledger.sources + self.ledger.absent
        pairs = [pair for pair in answer.pairs() if pair[1] == self.ledger.batch]
        self.assertEqual(sorted(pairs), sorted((i, self.ledger.batch) for i in expected))
        self.assertEqual(answer.states(self.ledger.absent), {"not_received"})
        self.assertEqual(answer.spans[self.ledger.batch]["state"], "stored")
        self.assertEqual(answer.summary["incomplete"], [])
        self.assertEqual(answer.summary["missing_manifests"], 0)
        self.assertEqual(answer.summary["removed"], n_removed)
        self.assertEqual(answer.summary["not_received"], ABSENT)

    def check_down(self, answer):
        """Every sink, once, by its parent, which is what split the batch."""
        pairs = [pair for pair in answer.pairs() if pair[0] == self.ledger.batch]
        self.assertEqual(sorted(pairs), sorted((self.ledger.batch, i) for i in self.ledger.sinks))
        self.assertEqual(answer.states(self.ledger.sinks), {"stored"})

    def check_from_sources(self):
        """From here and there: the batch, then its sinks, and nothing else."""
        expected = sorted([(self.ledger.batch, i) for i in self.ledger.sinks])
        for source in self.ledger.sources[::SOURCES // 25] + [self.ledger.absent[-1]]:
            answer = self.ask(source, direction="down")
            self.assertEqual(sorted(answer.pairs()),
                             sorted(expected + [(source, self.ledger.batch)]))
            self.assertEqual(answer.spans[self.ledger.batch]["depth"], 1)

    def check_all(self):
        answer = self.ask(self.ledger.batch)
        self.check_up(answer)
        self.check_down(answer)
        self.assertEqual(answer.states(self.ledger.sources), {"stored"})
        self.assertEqual(len(answer.edges), SOURCES + ABSENT + SINKS)
        self.check_from_sources()

    def blocks(self):
        with sqlite3.connect(os.path.join(self.data, "flowtrace.db")) as connection:
            return connection.execute("SELECT count(*), sum(size) FROM blocks").fetchone()

    def test_the_answer_is_the_ledger(self):
        self.begin(GATHERED)
        self.generate()
        self.check_all()
        self.collector.kill()
        self.begin(GATHERED)
        self.check_all()
        self.collector.kill()
        self.begin(SMALL)  # the log is replayed, blocks are made while we ask
        self.check_all()
        self.collector.stop()
        n_blocks, n_bytes = self.blocks()
        self.assertGreaterEqual(n_blocks, SOURCES // A_REQUEST)
        self.begin(SMALL)
        self.check_all()
        self.check_command()
        self.collector.kill()
        self.begin(SMALL)
        self.check_all()
        self.collector.stop()
        self.check_retention(n_bytes)

    def check_command(self):
        batch = "/".join(self.ledger.batch)
        done = self.command(batch, "--direction", "up", "--depth", "1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check_up(Answer(done.stdout))
        done = self.command(batch, "--limit", "100")
        self.assertEqual(done.returncode, 0)
        answer = Answer(done.stdout)
        self.assertEqual((len(answer.edges), answer.summary["incomplete"]), (100, ["limit"]))
        self.assertIn("--limit", done.stderr)
        done = self.command(batch, "--tree")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for trace, span in self.ledger.sources + self.ledger.sinks:
            self.assertEqual(done.stdout.count(f"{trace}/{span}"), 1)
        self.assertEqual(done.stdout.count(" not_received\n"), ABSENT)
        whole = self.command(self.ledger.batch[0])
        self.assertEqual(whole.returncode, 0)
        self.check_up(Answer(whole.stdout))

    def check_retention(self, n_bytes):
        """The oldest blocks go: what was in them is removed, and nothing else is."""
        self.begin(SMALL, retention_bytes=int(n_bytes * 0.7))
        send_json(self.collector.otlp, span_document([new_span() for _ in range(SMALL)]))
        wait_for(lambda: self.ask(self.ledger.batch, direction="up").summary["removed"], "retention removes nothing")
        self.collector.stop()
        removed = None
        for _ in range(2):
            self.begin(SMALL, retention_bytes=int(n_bytes * 0.7))
            answer = self.ask(self.ledger.batch)
            states = [answer.spans[i]["state"] for i in self.ledger.sources]
            n_removed = states.count("removed")
            self.assertEqual(n_removed + states.count("stored"), SOURCES)
            self.assertTrue(SOURCES // 10 < n_removed < SOURCES * 9 // 10, n_removed)
            self.check_up(answer, n_removed)
            self.check_down(answer)
            for i in range(0, SOURCES, SOURCES // 100):
                is_there = len(get_trace(self.collector.api, self.ledger.sources[i][0])) == 1
                self.assertEqual(states[i], "stored" if is_there else "removed")
            gone = self.ledger.sources[states.index("removed")]
            down = self.ask(gone, direction="down")
            self.assertEqual(down.spans[gone]["state"], "removed")
            self.assertEqual(down.spans[self.ledger.batch]["state"], "stored")
            self.assertIn(removed, (None, n_removed))
            removed = n_removed
            self.collector.kill()


class SmallLineageTest(Scenario):

    def link(self, trace, span, relation=None):
        link = {"traceId": trace, "spanId": span}
        if relation:
            link["attributes"] = [{"key": "flow.relation", "value": {"stringValue": relation}}]
        return link

    def ask(self, path):
        status, _, body = request(self.collector.api, "GET", "/api/flow/v1/lineage/" + path)
        self.assertEqual(status, 200, body)
        return Answer(body.decode())

    def refuse(self, path, status, words):
        found, document = get_json(self.collector.api, "/api/flow/v1/lineage/" + path)
        self.assertEqual(found, status)
        self.assertIn(words, document["error"]["message"])

    def test_a_chain_of_links_a_cycle_and_their_depth(self):
        self.start()
        spans = [new_span(f"step {i}") for i in range(5)]
        for i, span in enumerate(spans):  # each is made from the one before, the first from the last
            before = spans[i - 1]
            span["links"] = [self.link(before["traceId"], before["spanId"])]
        send_json(self.collector.otlp, span_document(spans))
        ids = [id_of(span) for span in spans]
        answer = self.ask("/".join(ids[0]) + "?direction=up")
        self.assertEqual(answer.pairs(), [(ids[i - 1], ids[i]) for i in (0, 4, 3, 2, 1)])
        self.assertEqual({edge["relation"] for edge in answer.edges}, {"link"})
        down = self.ask("/".join(ids[0]) + "?direction=down&depth=2")
        self.assertEqual(down.pairs(), [(ids[0], ids[1]), (ids[1], ids[2])])
        self.assertEqual([down.spans[i]["depth"] for i in ids[:3]], [0, 1, 2])
        both = self.ask("/".join(ids[0]))
        self.assertEqual(sorted(both.pairs()), sorted((ids[i - 1], ids[i]) for i in range(5)))
        nothing = self.ask("/".join(ids[0]) + "?depth=0")
        self.assertEqual((nothing.edges, list(nothing.spans)), ([], [ids[0]]))

    def test_the_tree_of_a_way_that_is_long(self):
        """Each span is made from the one before and from the first: near, and far."""
        self.start()
        trace = new_id(16)
        spans = [new_span("step", traceId=trace, spanId=f"{i + 1:016x}") for i in range(20_000)]
        for i, span in enumerate(spans[1:]):
            span["links"] = [self.link(trace, spans[j]["spanId"]) for j in {0, i}]
        send_json(self.collector.otlp, span_document(spans))
        done = subprocess.run([harness.program(), "lineage", f"{trace}/{1:016x}", "--direction",
                               "down", "--tree", "--server", self.collector.url()],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("(goes on)", done.stdout)
        self.assertEqual(set(re.findall(trace + "/([0-9a-f]{16})", done.stdout)),
                         {span["spanId"] for span in spans})

    def test_a_manifest_that_lies_is_named(self):
        self.start()
        batch = new_span("processor/batch")
        lie = new_span("flow.manifest", traceId=batch["traceId"], parentSpanId=batch["spanId"])
        lie["attributes"] = [{"key": "flow.manifest", "value": {"bytesValue": "AQAAAAI="}},
                             {"key": "flow.manifest.count", "value": {"intValue": "3"}}]
        send_json(self.collector.otlp, span_document([batch, lie]))
        status, _, body = request(self.collector.api, "GET",
                                  "/api/flow/v1/lineage/" + "/".join(id_of(batch)))
        self.assertEqual(status, 200)
        lines = [json.loads(line) for line in body.splitlines()]
        self.assertIn({"type": "refused_manifest", "traceId": lie["traceId"],
                       "spanId": lie["spanId"], "reason": "wrong count"}, lines)
        self.assertEqual(lines[-1]["refused_manifests"], 1)
        self.assertEqual(lines[-1]["missing_manifests"], 2)
        self.collector.stop()
        self.assertTrue(any("manifest" in line and "wrong count" in line
                            for line in self.collector.lines), self.collector.lines)

    def test_questions_that_are_refused(self):
        self.start()
        trace, span = new_id(16), new_id(8)
        self.refuse("xyz", 400, "trace id")
        self.refuse(f"{trace}/12", 400, "span id: expected 16 hex digits")
        self.refuse(f"{trace}/{'0' * 16}", 400, "span id")
        self.refuse(f"{trace}?direction=left", 400, "direction: expected up, down or both")
        self.refuse(f"{trace}?depth=1001", 400, "depth: expected a number from 0 to 1000")
        self.refuse(f"{trace}?limit=0", 400, "limit: expected a number from 1 to 1000000")
        self.refuse(trace, 404, "no such span")
        self.refuse(f"{trace}/{span}", 404, "no such span")

    def test_the_command_says_what_to_do(self):
        self.start()
        url = self.collector.url()

        def run(*arguments):
            return subprocess.run([harness.program(), "lineage", *arguments], capture_output=True,
                                  text=True, timeout=60, check=False)
        self.assertIn("--direction", run("--help").stdout)
        self.assertEqual(run().returncode, 2)
        done = run("/12", "--server", url)
        self.assertEqual(done.returncode, 2)
        self.assertIn("expected TRACE or TRACE/SPAN", done.stderr)
        done = run(new_id(16), "--server", url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such span", done.stderr)
        self.collector.stop()
        done = run(new_id(16), "--server", url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("flowtrace serve", done.stderr)


if __name__ == "__main__":
    harness.main()
