#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What W3C Trace Context, levels 1 and 2, demands of a service that takes part in a trace, asked of
w3c-service over the wire: requests are bytes, and what arrives at the called side is compared."""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import unittest

import harness

# Not sleeps: how long a test waits for an answer before it gives up, on a slow machine, too.
ANSWER_TIMEOUT_S = 90

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"
FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
SAMPLED, RANDOM = 1, 2


class Called(http.server.BaseHTTPRequestHandler):
    """The side that is called: keeps the fields of each call."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.calls.append((self.path, self.headers, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Context:
    """What one call carried."""

    def __init__(self, headers):
        parents = headers.get_all("traceparent", [])
        assert len(parents) == 1, parents
        found = FORM.fullmatch(parents[0])
        assert found, parents
        self.trace, self.parent = found.group(1, 2)
        self.flags = int(found.group(3), 16)
        self.states = headers.get_all("tracestate", [])
        self.baggage = headers.get_all("baggage", [])

    @property
    def state(self):
        return ",".join(self.states) if self.states else None


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


class W3c(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = subprocess.Popen(
            [os.path.join(harness.BUILD, "tests", "w3c-service"), "0"], stdout=subprocess.PIPE,
            text=True)
        cls.port = int(cls.service.stdout.readline().rsplit(":", 1)[1])
        cls.called = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Called)
        cls.called.lock = threading.Lock()
        cls.called.calls = []
        cls.thread = threading.Thread(target=cls.called.serve_forever, daemon=True)
        cls.thread.start()

    @classmethod
    def tearDownClass(cls):
        cls.called.shutdown()
        cls.thread.join()
        cls.called.server_close()
        cls.service.send_signal(signal.SIGTERM)
        code = cls.service.wait(ANSWER_TIMEOUT_S)
        cls.service.stdout.close()
        assert code == 0, code

    def send(self, fields, calls):
        """The answer's status and body."""
        body = json.dumps(calls).encode()
        head = [b"POST /test HTTP/1.1", b"Host: x", b"Connection: close",
                b"Content-Length: %d" % len(body)]
        head += [as_bytes(name) + b": " + as_bytes(value) for name, value in fields]
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_TIMEOUT_S) as connection:
            connection.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def ask(self, fields, n_calls=1):
        """The contexts that the called side saw."""
        self.called.calls.clear()
        url = f"http://127.0.0.1:{self.called.server_address[1]}/called"
        status, body = self.send(fields, [{"url": url, "arguments": []}] * n_calls)
        self.assertEqual(status, 200, body)
        self.assertEqual([result["status"] for result in json.loads(body)], [204] * n_calls, body)
        return [Context(headers) for _, headers, _ in self.called.calls]

    def ask_parent(self, *parents):
        return self.ask([("traceparent", parent) for parent in parents])[0]

    def ask_state(self, *states):
        return self.ask([("traceparent", GOOD)] + [("tracestate", state) for state in states])[0]

    def assert_restarted(self, context):
        self.assertNotEqual(context.trace, TRACE)
        self.assertNotEqual(int(context.trace, 16), 0)
        self.assertNotEqual(int(context.parent, 16), 0)
        self.assertNotEqual(context.parent, PARENT)

    def assert_continued(self, context):
        self.assertEqual(context.trace, TRACE)
        self.assertNotEqual(int(context.parent, 16), 0)
        self.assertNotEqual(context.parent, PARENT)


class Service(W3c):
    def test_arguments_arrive_and_calls_keep_their_order(self):
        self.called.calls.clear()
        base = f"http://127.0.0.1:{self.called.server_address[1]}"
        status, _ = self.send([], [{"url": base + "/1", "arguments": [{"url": "x", "arguments": []}]},
                                   {"url": base + "/2"}, {"url": base + "/3", "arguments": None}])
        self.assertEqual(status, 200)
        self.assertEqual([path for path, _, _ in self.called.calls], ["/1", "/2", "/3"])
        self.assertEqual([json.loads(body) for _, _, body in self.called.calls],
                         [[{"url": "x", "arguments": []}], [], None])

    def test_what_cannot_be_called_is_told(self):
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))
        self.addCleanup(closed.close)
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        status, body = self.send([], [{"url": url, "arguments": []}])
        self.assertEqual(status, 200)
        self.assertEqual([(result["url"], result["status"], bool(result["error"]))
                          for result in json.loads(body)], [(url, 0, True)])

    def test_other_bodies_are_refused(self):
        for body in ({}, [1], [{}], [{"url": 1}], [{"url": "x\0y"}], [{"url": "x"}] * 257):
            with self.subTest(body=str(body)[:40]):
                self.assertEqual(self.send([], body)[0], 400)


class Traceparent(W3c):
    def test_a_new_trace_without_one(self):
        first, second, third = self.ask([], 3)
        self.assert_restarted(first)
        self.assertEqual({first.trace}, {second.trace, third.trace})
        self.assertEqual(len({first.parent, second.parent, third.parent}), 3)
        self.assertTrue(first.flags & RANDOM, "level 2: new ids are random, and say so")
        self.assertIsNone(first.state)
        self.assertNotEqual(self.ask([])[0].trace, first.trace)

    def test_each_call_has_a_parent_id_of_its_own(self):
        contexts = self.ask([("traceparent", GOOD)], 3)
        for context in contexts:
            self.assert_continued(context)
        self.assertEqual(len({context.parent for context in contexts}), 3)

    def test_flags(self):
        """Sampled and random stay as they came, the reserved ones are cleared."""
        for flags in (0, 1, 2, 3, 0x04, 0x81, 0xfc, 0xff):
            with self.subTest(flags=flags):
                context = self.ask_parent(f"00-{TRACE}-{PARENT}-{flags:02x}")
                self.assert_continued(context)
                self.assertEqual(context.flags, flags & (SAMPLED | RANDOM))

    def test_names_have_no_case(self):
        for name in ("traceparent", "Traceparent", "TRACEPARENT", "tRaCePaReNt"):
            with self.subTest(name=name):
                self.assert_continued(self.ask([(name, GOOD)])[0])
        for name in ("trace-parent", "trace_parent", "xtraceparent", "traceparents", "traceparen"):
            with self.subTest(name=name):
                self.assert_restarted(self.ask([(name, GOOD)])[0])

    def test_white_space_around_it_is_not_part_of_it(self):
        for value in (f" {GOOD}", f"\t{GOOD}", f"{GOOD} ", f"{GOOD}\t \t", f" \t{GOOD}\t "):
            with self.subTest(value=value):
                self.assert_continued(self.ask_parent(value))

    def test_later_versions_are_read_and_answered_in_ours(self):
        for version in ("01", "09", "0a", "cc", "fe"):
            for rest in ("", "-", "-what-comes-later", "-" + "z" * 4000):
                with self.subTest(version=version, rest=rest[:9]):
                    context = self.ask_parent(f"{version}-{TRACE}-{PARENT}-01{rest}")
                    self.assert_continued(context)
                    self.assertEqual(context.flags & SAMPLED, SAMPLED)

    def test_what_is_malformed_restarts_the_trace(self):
        bad = {
            "empty": "", "one dash": "-", "dashes only": "-" * 55, "no version": GOOD[3:],
            "version ff": "ff" + GOOD[2:], "version ff, longer": f"ff{GOOD[2:]}-x",
            "version in capitals": "CC" + GOOD[2:], "version not hexadecimal": "0g" + GOOD[2:],
            "version with a dot": ".0" + GOOD[2:], "version too short": "0" + GOOD[2:],
            "version too long": "000" + GOOD[2:],
            "version 00 with more": GOOD + "-00", "version 00 with a dash": GOOD + "-",
            "version 00 with a character": GOOD + "0", "version 00 with a dot": GOOD + ".",
            "later version without a dash": f"cc{GOOD[2:]}.x",
            "later version, three digits of flags": f"cc{GOOD[2:]}0",
            "later version, too short": f"cc{GOOD[2:-1]}",
            "trace-id zero": f"00-{'0' * 32}-{PARENT}-01",
            "trace-id in capitals": f"00-{TRACE.upper()}-{PARENT}-01",
            "trace-id not hexadecimal, first": f"00-g{TRACE[1:]}-{PARENT}-01",
            "trace-id not hexadecimal, last": f"00-{TRACE[:-1]}.-{PARENT}-01",
            "trace-id too short": f"00-{TRACE[1:]}-{PARENT}-01",
            "trace-id too long": f"00-0{TRACE}-{PARENT}-01",
            "parent-id zero": f"00-{TRACE}-{'0' * 16}-01",
            "parent-id in capitals": f"00-{TRACE}-{PARENT.upper()}-01",
            "parent-id not hexadecimal, first": f"00-{TRACE}-z{PARENT[1:]}-01",
            "parent-id not hexadecimal, last": f"00-{TRACE}-{PARENT[:-1]}z-01",
            "parent-id too short": f"00-{TRACE}-{PARENT[1:]}-01",
            "parent-id too long": f"00-{TRACE}-{PARENT}0-01",
            "flags in capitals": f"00-{TRACE}-{PARENT}-0A",
            "flags not hexadecimal": f"00-{TRACE}-{PARENT}-0x",
            "flags too short": f"00-{TRACE}-{PARENT}-1",
            "flags too long": f"00-{TRACE}-{PARENT}-001", "no flags": f"00-{TRACE}-{PARENT}",
            "no flags, a dash": f"00-{TRACE}-{PARENT}-",
            "underscores": GOOD.replace("-", "_"), "spaces inside": GOOD.replace("-", " "),
            "two in one field": f"{GOOD},{GOOD}", "in quotes": f'"{GOOD}"',
            "beyond ASCII": GOOD[:20].encode() + b"\xc3\xa9" + GOOD[22:].encode(),
        }
        for what, value in bad.items():
            with self.subTest(what=what):
                context = self.ask([("traceparent", value), ("tracestate", "a=1")])[0]
                self.assert_restarted(context)
                self.assertIsNone(context.state, "not looked at")

    def test_two_of_them_are_none(self):
        other = GOOD.replace("0af7", "1bf7")
        self.assert_restarted(self.ask_parent(GOOD, GOOD))
        context = self.ask_parent(GOOD, other)
        self.assert_restarted(context)
        self.assertNotEqual(context.trace, other[3:35])
        self.assert_restarted(self.ask([("traceparent", GOOD), ("TraceParent", GOOD)])[0])


class Tracestate(W3c):
    def assert_state(self, expected, *states):
        context = self.ask_state(*states)
        self.assert_continued(context)
        self.assertEqual(context.state, expected)
        self.assertLessEqual(len(context.states), 1)

    def test_it_goes_with_its_traceparent_only(self):
        self.assert_state("a=1,b=2", "a=1,b=2")
        self.assertIsNone(self.ask([("tracestate", "a=1")])[0].state)

    def test_also_of_a_later_version_and_without_sampling(self):
        for parent in (f"cc-{TRACE}-{PARENT}-01-more", f"00-{TRACE}-{PARENT}-00"):
            with self.subTest(parent=parent):
                self.assertEqual(
                    self.ask([("traceparent", parent), ("tracestate", "a=1")])[0].state, "a=1")

    def test_names_have_no_case(self):
        for name in ("TraceState", "TRACESTATE"):
            self.assertEqual(self.ask([("traceparent", GOOD), (name, "a=1")])[0].state, "a=1")
        for name in ("trace-state", "tracestates"):
            self.assertIsNone(self.ask([("traceparent", GOOD), (name, "a=1")])[0].state)

    def test_several_fields_are_one_list_in_their_order(self):
        self.assert_state("z=1,y=2,x=3,w=4", "z=1,y=2", "x=3", "w=4")
        self.assert_state("a=1,b=2", "", "a=1", "", "b=2", "")
        fields = [("tracestate", "a=1"), ("traceparent", GOOD), ("x-other", "c=3"),
                  ("TraceState", "b=2")]
        self.assertEqual(self.ask(fields)[0].state, "a=1,b=2")

    def test_empty_members_and_white_space(self):
        for states in (["a=1,,b=2"], [",a=1,b=2,"], ["a=1 \t,\t b=2"], [" a=1,b=2\t"],
                       ["a=1", " , ", "b=2"], ["a=1, ,\t,b=2"]):
            with self.subTest(states=states):
                self.assert_state("a=1,b=2", *states)
        for states in ([""], [" "], [","], [" , \t,"], ["", ""]):
            with self.subTest(states=states):
                self.assert_state(None, *states)

    def test_values_keep_leading_spaces_and_lose_trailing_ones(self):
        self.assert_state("a=  x,b=y z", "a=  x ,b=y z  ")

    def test_of_a_repeated_key_the_first_is_kept(self):
        self.assert_state("a=1,b=2", "a=1,b=2,a=3")
        self.assert_state("a=1", "a=1", "a=2")

    def test_keys(self):
        good = ["a", "z", "0", "9", "a@b", "0@b", "a@", "a@@b", "a@b@c", "a_-*/@0", "k" * 256,
                "t" * 241 + "@" + "v" * 14]
        for key in good:
            with self.subTest(key=key):
                self.assert_state(f"{key}=1,b=2", f"{key}=1,b=2")
        for key in ("", " ", "a b", "a\tb", "_a", "-a", "*a", "/a", "@a", "A", "aB", "k" * 257,
                    "a ", "\u00e9"):
            with self.subTest(key=key):
                self.assert_state(None, f"x=1,{key}=1,b=2")

    def test_every_character_of_a_key(self):
        allowed = set("abcdefghijklmnopqrstuvwxyz0123456789_-*/@")
        for code in range(0x21, 0x7f):
            char = chr(code)
            if char in ",=":
                continue
            with self.subTest(char=char):
                member = f"k{char}k=1"
                self.assert_state(member if char in allowed else None, member)

    def test_every_character_of_a_value(self):
        for code in range(0x20, 0x7f):
            char = chr(code)
            if char in ",=":
                continue
            with self.subTest(char=char):
                self.assert_state(f"k=v{char}v", f"k=v{char}v")
        for value in (b"v=v", b"=", b"", b" ", b"v\tv", b"v\x80v", b"v\xffv", b"\xc3\xa9"):
            with self.subTest(value=value):
                self.assert_state(None, b"a=1,k=" + value)

    def test_length_of_a_value(self):
        self.assert_state("k=" + "v" * 256, "k=" + "v" * 256)
        self.assert_state(None, "a=1,k=" + "v" * 257)

    def test_number_of_members(self):
        members = [f"k{i:02}={i}" for i in range(33)]
        self.assert_state(",".join(members[:32]), *members[:32])
        self.assert_state(",".join(members[:32]), ",".join(members[:32]))
        self.assert_state(None, *members)
        self.assert_state(None, ",".join(members))

    def test_512_characters_travel(self):
        state = ",".join(f"m{i}=" + "v" * 60 for i in range(8)) + "v"  # 8 * 63 + 7 + 1
        self.assertEqual(len(state), 512)
        self.assert_state(state, state)

    def test_beyond_4096_long_members_go_first_from_the_end(self):
        short = [f"m{i:02}=" + "v" * 121 for i in range(28)]  # 28 * 125 + 27 = 3527
        long = [f"l{i}=" + "v" * 197 for i in range(4)]       # 200 each: more than 128
        state = ",".join(long[:2] + short[:20] + [long[2]] + short[20:] + [long[3]])
        self.assertEqual(len(state), 4331)
        self.assert_state(",".join(long[:2] + short), state)  # 4130 without the last, then 3929

    def test_beyond_4096_short_members_go_from_the_end(self):
        members = [f"m{i:02}=" + "v" * 124 for i in range(32)]  # 32 * 128 + 31 = 4127
        self.assert_state(",".join(members[:31]), ",".join(members))

    def test_what_is_malformed_is_dropped_alone(self):
        for state in ("a", "=", "=1", "a=", "a==1", "a=1;b=2=3", "a=1,b", "a=1,=2", "a=1,b=2=3",
                      "\"a=1\""):
            with self.subTest(state=state):
                self.assert_state(None, state)


class Hostile(W3c):
    """Each costs bounded time, loses what the specifications say, and harms nobody after it."""

    def tearDown(self):
        self.assert_continued(self.ask_parent(GOOD))

    def test_ten_thousand_baggage_fields(self):
        fields = [("baggage", f"key{i}=value{i}") for i in range(10000)]
        context = self.ask([("traceparent", GOOD)] + fields)[0]
        self.assert_continued(context)
        self.assertEqual(context.baggage, [",".join(value for _, value in fields[:64])])

    def test_a_baggage_field_of_many_megabytes(self):
        value = ",".join(f"key{i}={'v' * 1000}" for i in range(4000))
        context = self.ask([("traceparent", GOOD), ("baggage", value)])[0]
        self.assert_continued(context)
        self.assertEqual(context.baggage, [",".join(value.split(",")[:8])])

    def test_a_tracestate_of_8_mib(self):
        for state in ("a=" + "v" * (8 << 20), "a=1," * (2 << 20), " " * (8 << 20) + "a=1",
                      "," * (8 << 20)):
            with self.subTest(state=state[:8]):
                context = self.ask_state(state)
                self.assert_continued(context)
                self.assertIn(context.state, (None, "a=1"))
                self.assertTrue(context.state is None or state.startswith(" "),
                                "white space around a field is not part of it")

    def test_ten_thousand_tracestate_fields(self):
        for state in ("", "a=1"):
            with self.subTest(state=state):
                context = self.ask_state(*[state] * 10000)
                self.assert_continued(context)
                self.assertIsNone(context.state)

    def test_ten_thousand_traceparents(self):
        self.assert_restarted(self.ask_parent(*[GOOD] * 10000))

    def test_nul_cr_and_lf_are_refused_before_anybody_reads_them(self):
        url = f"http://127.0.0.1:{self.called.server_address[1]}/called"
        for name in ("traceparent", "tracestate", "baggage"):
            for char in (b"\0", b"\r", b"\n", b"\rx: y", b"\nx: y"):
                with self.subTest(name=name, char=char):
                    self.called.calls.clear()
                    value = GOOD.encode()[:10] + char + GOOD.encode()[10:]
                    status, _ = self.send([(name, value)], [{"url": url, "arguments": []}])
                    self.assertEqual((status, self.called.calls), (400, []))

    def test_encoded_line_ends_stay_encoded(self):
        context = self.ask([("traceparent", GOOD), ("baggage", "k=a%0d%0aX-Evil:%201%00b")])[0]
        self.assertEqual([value.lower() for value in context.baggage], ["k=a%0d%0ax-evil:%201%00b"])

    def test_more_fields_than_anybody_reads(self):
        self.assertEqual(self.send([("x", "y")] * 30000, [])[0], 431)


if __name__ == "__main__":
    harness.main()
