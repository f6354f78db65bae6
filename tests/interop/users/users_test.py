# SPDX-License-Identifier: Apache-2.0
"""The exporter of user spans on the wire (docs/user-tracing.md): what its requests are, one for each
routing; what becomes of spans when the endpoint refuses, is busy, hangs or is not there."""

import os
import subprocess
import tempfile
import threading
import unittest

import install

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from sink import OK, Sink

INBOUND = "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01"
ONE = '{"zoneId":7,"accountId":42}'
TWO = '{"zoneId":8,"accountId":43}'
HEADER = "cf-trace-config"
LONG_MS = 120000


class Program:
    """tests/user-send, by its lines."""

    def __init__(self, path, *options):
        self.process = subprocess.Popen(
            [os.path.join(install.BUILD, "tests", "user-send"), path, *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def say(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def trace(self, name, routing, *inbound):
        """A root and its end."""
        traceparent = self.say("root", name, routing, *inbound)
        self.say("end")
        return traceparent

    def statistics(self):
        pairs = (word.split("=") for word in self.say("statistics").split())
        return {name: int(value) for name, value in pairs}

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(120)
        self.errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class Users(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ftr-users-")
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "otlp.sock")

    def sink(self, answer=lambda request: OK):
        sink = Sink(self.path, answer)
        self.addCleanup(sink.stop)
        return sink

    def held_sink(self):
        """(sink, event): nobody is answered before the event is set."""
        may_answer = threading.Event()

        def answer(request):
            may_answer.wait(LONG_MS / 1000)
            return OK

        sink = self.sink(answer)
        self.addCleanup(may_answer.set)
        return sink, may_answer

    def program(self, *options):
        program = Program(self.path, *options)
        self.addCleanup(self.assert_ends_well, program)
        return program

    def assert_ends_well(self, program):
        self.assertEqual(program.stop(), 0, program.errors)

    def recorded(self, program, n):
        """The accounts, when the library has looked at so many spans; nobody is answered."""
        while True:
            self.assertEqual(program.say("flush", 100), "timeout")
            counts = program.statistics()
            if counts["recorded"] >= n:
                return counts

    def assert_balanced(self, counts):
        self.assertEqual(counts["recorded"], sum(counts[name] for name in (
            "delivered", "rejected", "lost_queue_full", "lost_export", "queued", "lost_no_routing")))


class Requests(Users):
    def test_a_request_is_what_foundations_sends(self):
        sink = self.sink()
        program = self.program()
        traceparent = program.say("root", "GET /", ONE, INBOUND)
        program.say("set", "path", "/")
        below = program.say("dual", "lookup")
        program.say("end")
        program.say("end")
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual(len(sink.requests), 1)
        request = sink.requests[0]
        self.assertEqual(request.line, "POST /v1/traces HTTP/1.1")
        self.assertEqual(request.headers.get_all("Host"), ["localhost"])
        self.assertEqual(request.headers.get_all("Content-Type"), ["application/x-protobuf"])
        self.assertEqual(request.headers.get_all(HEADER), [ONE])
        self.assertNotIn("Expect", request.headers)
        self.assertNotIn("Transfer-Encoding", request.headers)
        lookup, root = request.spans()
        self.assertEqual((root.name, lookup.name), ("GET /", "lookup"))
        self.assertEqual(root.trace_id.hex(), "11223344556677889900aabbccddeeff")
        self.assertEqual(root.parent_span_id.hex(), "a1b2c3d4e5f60718")
        self.assertEqual(traceparent, f"{INBOUND[:36]}{root.span_id.hex()}-01")
        self.assertEqual(below, f"{INBOUND[:36]}{lookup.span_id.hex()}-01")
        self.assertEqual(lookup.trace_id, root.trace_id)
        self.assertEqual(lookup.parent_span_id, root.span_id)
        self.assertEqual(root.flags & 0xff, 1)
        self.assertEqual([(one.key, one.value.string_value) for one in root.attributes],
                         [("path", "/")])
        resource = request.message.resource_spans[0].resource
        self.assertIn(("service.name", "edge"),
                      [(one.key, one.value.string_value) for one in resource.attributes])
        counts = program.statistics()
        self.assertEqual((counts["delivered"], counts["system"]), (2, 1))

    def test_one_request_for_each_routing_of_a_batch(self):
        sink = self.sink()
        program = self.program()
        for i in range(6):
            program.trace(f"one {i}", ONE)
            program.trace(f"two {i}", TWO)
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        seen = {}
        for request in sink.requests:
            seen.setdefault(request.headers[HEADER], []).extend(
                span.name for span in request.spans())
        self.assertEqual(seen, {ONE: [f"one {i}" for i in range(6)],
                                TWO: [f"two {i}" for i in range(6)]})

    def test_the_header_has_the_name_that_is_set(self):
        sink = self.sink()
        program = self.program("header", "X-Tenant")
        program.trace("root", "tenant-a")
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual(sink.requests[0].headers["x-tenant"], "tenant-a")
        self.assertNotIn(HEADER, sink.requests[0].headers)

    def test_connections_are_used_again(self):
        sink = self.sink()
        program = self.program()
        for i in range(5):
            program.trace("root", ONE)
            program.trace("root", TWO)
            self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual(len(sink.requests), 10)
        self.assertEqual({request.connection for request in sink.requests}, {1})

    def test_a_batch_has_no_more_spans_than_set(self):
        sink = self.sink()
        program = self.program("batch", 100)
        program.say("root", "root", ONE)
        program.say("spans", 1000)
        program.say("end")
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        sizes = [len(request.spans()) for request in sink.requests]
        self.assertEqual(sum(sizes), 1001)
        self.assertLessEqual(max(sizes), 100)

    def test_a_text_that_is_no_header_starts_nothing(self):
        sink = self.sink()
        program = self.program()
        self.assertEqual(program.trace("root", "a\rX-Injected: 1"), "none")
        self.assertEqual(program.trace("root", "caf\u00e9"), "none")
        self.assertEqual(program.trace("root", "x" * 4097), "none")
        self.assertNotEqual(program.trace("root", "x" * 4096), "none")
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual(len(sink.requests), 1)
        self.assertEqual(program.statistics()["roots_refused"], 3)


class Refusals(Users):
    def test_what_is_refused_delays_nobody_else(self):
        sink = self.sink(lambda request: (400, {}, b"") if request.headers[HEADER] == ONE else OK)
        program = self.program()
        for _ in range(3):
            program.trace("root", ONE)
            program.trace("root", TWO)
            self.assertEqual(program.say("flush", LONG_MS), "ok")
        counts = program.statistics()
        self.assertEqual((counts["delivered"], counts["lost_export"]), (3, 3))
        self.assert_balanced(counts)
        self.assertEqual(len(sink.requests), 6)

    def test_what_may_pass_is_tried_again(self):
        for status in (429, 502, 503, 504):
            with self.subTest(status):
                answers = [(status, {"Retry-After": "0"}, b""), (status, {}, b"")]
                sink = Sink(self.path, lambda request: answers.pop(0) if answers else OK)
                program = Program(self.path, "timeout", LONG_MS)
                program.trace("root", ONE)
                self.assertEqual(program.say("flush", LONG_MS), "ok")
                counts = program.statistics()
                self.assertEqual((counts["delivered"], counts["lost_export"]), (1, 0))
                self.assertEqual(len(sink.requests), 3)
                self.assertEqual({request.headers[HEADER] for request in sink.requests}, {ONE})
                self.assertEqual(program.stop(), 0, program.errors)
                sink.stop()
                os.unlink(self.path)

    def test_tries_end_with_the_deadline(self):
        sink = self.sink(lambda request: (503, {}, b""))
        program = self.program("timeout", 4000)
        program.trace("root", ONE)
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        counts = program.statistics()
        self.assertEqual((counts["delivered"], counts["lost_export"]), (0, 1))
        self.assertGreaterEqual(len(sink.requests), 1)
        self.assert_balanced(counts)

    def test_partial_success_is_counted(self):
        answer = trace_service_pb2.ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 4
        answer.partial_success.error_message = "quota"
        self.sink(lambda request: (200, {"Content-Type": "application/x-protobuf"},
                                   answer.SerializeToString()))
        program = self.program()
        program.say("root", "root", ONE)
        program.say("spans", 9)
        program.say("end")
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        counts = program.statistics()
        self.assertEqual((counts["delivered"], counts["rejected"]), (6, 4))
        self.assert_balanced(counts)

    def test_an_endpoint_that_comes_later_gets_all(self):
        program = self.program("timeout", LONG_MS)
        program.trace("root", ONE)
        self.assertEqual(program.say("flush", 1), "timeout")
        sink = self.sink()
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual(program.statistics()["delivered"], 1)
        self.assertEqual(len(sink.requests), 1)

    def test_a_full_queue_drops_the_newest(self):
        """5 spans, room for 3."""
        sink, may_answer = self.held_sink()
        program = self.program("queue", 3, "timeout", LONG_MS)
        for i in range(5):
            program.trace(str(i), ONE)
        counts = self.recorded(program, 5)
        self.assertEqual((counts["recorded"], counts["lost_queue_full"], counts["queued"]), (5, 2, 3))
        may_answer.set()
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual(sorted(span.name for request in sink.requests for span in request.spans()),
                         ["0", "1", "2"])

    def test_a_queue_has_a_bound_of_bytes(self):
        sink, may_answer = self.held_sink()
        program = self.program("bytes", 20000, "timeout", LONG_MS)
        program.say("root", "root", ONE)
        program.say("spans", 2000)
        program.say("end")
        counts = self.recorded(program, 2001)
        self.assertGreater(counts["lost_queue_full"], 1000)
        self.assertGreater(counts["queued"], 100)
        self.assert_balanced(counts)
        may_answer.set()
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        counts = program.statistics()
        self.assertEqual(sum(len(request.spans()) for request in sink.requests), counts["delivered"])
        self.assert_balanced(counts)

    def test_tasks_send_at_the_same_time(self):
        """Nobody is answered before all four are there."""
        together = threading.Barrier(4)

        def answer(request):
            together.wait(LONG_MS / 1000)
            return OK

        sink = self.sink(answer)
        program = self.program("tasks", 4, "timeout", LONG_MS)
        for i in range(4):
            program.trace("root", f"customer {i}")
        self.assertEqual(program.say("flush", LONG_MS), "ok")
        self.assertEqual({request.headers[HEADER] for request in sink.requests},
                         {f"customer {i}" for i in range(4)})
        self.assertEqual(len({request.connection for request in sink.requests}), 4)

    def test_all_tasks_have_one_queue_bound(self):
        _, may_answer = self.held_sink()
        program = self.program("queue", 6, "tasks", 3, "timeout", LONG_MS)
        for i in range(10):
            program.trace("root", f"customer {i}")
        counts = self.recorded(program, 10)
        self.assertEqual((counts["recorded"], counts["lost_queue_full"], counts["queued"]), (10, 4, 6))
        may_answer.set()
        self.assertEqual(program.say("flush", LONG_MS), "ok")

    def test_shutdown_sends_what_waits(self):
        sink = self.sink()
        program = self.program()
        program.say("root", "root", ONE)
        program.say("spans", 2000)
        program.say("end")
        self.assertEqual(program.say("shutdown", LONG_MS), "ok")
        sizes = [len(request.spans()) for request in sink.requests]
        self.assertEqual(sum(sizes), 2001)
        self.assertLessEqual(max(sizes), 512)
        self.assertEqual(program.statistics()["delivered"], 2001)

    def test_shutdown_does_not_wait_for_who_hangs(self):
        self.held_sink()
        program = self.program("timeout", LONG_MS)
        program.trace("root", ONE)
        program.trace("root", TWO)
        self.assertIn(program.say("shutdown", 300), ("ok", "timeout"))
        counts = program.statistics()
        self.assertEqual(counts["delivered"], 0)
        self.assertEqual(counts["lost_export"] + counts["queued"], 2)


class Settings(unittest.TestCase):
    def refused(self, path, *options):
        program = Program(path, *options)
        self.assertEqual(program.stop(), 2)
        return program.errors

    def test_what_is_missing_or_wrong_is_named(self):
        self.assertIn("user.socket_path: missing", self.refused(""))
        self.assertIn("user.socket_path: longer than 107", self.refused("/" + "x" * 107))
        for elsewhere in ("localhost:4317", "http://localhost:4318", "grpc://localhost"):
            self.assertIn("user.socket_path: expected the path of a Unix socket", self.refused(elsewhere))
            self.assertIn("gRPC and TCP are not offered", self.refused(elsewhere))
        self.assertIn("user.routing_header: empty", self.refused("/tmp/x", "header", ""))
        self.assertIn("user.routing_header: not a header's name", self.refused("/tmp/x", "header", "a b"))
        self.assertIn("user.tasks: more than 8", self.refused("/tmp/x", "tasks", 9))


if __name__ == "__main__":
    unittest.main(verbosity=2)
