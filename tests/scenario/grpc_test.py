# SPDX-License-Identifier: Apache-2.0
"""OTLP over gRPC: grpcio, curl and frames made by hand as clients of `flowtrace serve`."""

import gzip
import os
import socket
import struct
import subprocess
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import harness
from harness import Scenario, field, get_trace, protobuf_request, protobuf_span, varint

PACKAGE = "/opentelemetry.proto.collector."
EXPORT = PACKAGE + "trace.v1.TraceService/Export"
FLOOD_LIMIT_S = 5
EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "send_grpc.py")


def new_request(n_spans=1, name="over gRPC"):
    """(trace id, request): all spans in one trace."""
    trace_id = os.urandom(16)
    now = time.time_ns()
    spans = [protobuf_span(trace_id, os.urandom(8), name, now - 1000, now) for _ in range(n_spans)]
    return trace_id.hex(), protobuf_request(spans)


class Client:
    """One channel; bytes in, bytes out."""

    def __init__(self, port, **options):
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)] + list(options.items()))

    def call(self, request, path=EXPORT, **more):
        return self.channel.unary_unary(path)(request, **dict({"timeout": 20}, **more))

    def fail(self, request, path=EXPORT, **more):
        """The error of a call that must fail."""
        try:
            self.call(request, path, **more)
        except grpc.RpcError as error:
            return error
        raise AssertionError("the call was accepted")

    def close(self):
        self.channel.close()


class GrpcScenario(Scenario):
    def connect(self, **options):
        if not self.collector:
            self.start()
        client = Client(self.collector.grpc, **options)
        self.addCleanup(client.close)
        return client

    def assert_code(self, error, code, *words):
        self.assertEqual(error.code(), getattr(grpc.StatusCode, code), error.details())
        for word in words:
            self.assertIn(word, error.details())


class Calls(GrpcScenario):
    def test_an_accepted_span_is_found(self):
        client = self.connect()
        trace_id, request = new_request(3)
        self.assertEqual(client.call(request), b"")
        self.assertEqual(len(get_trace(self.collector.api, trace_id)), 3)

    def test_gzip(self):
        client = self.connect()
        trace_id, request = new_request(100)
        self.assertEqual(client.call(request, compression=grpc.Compression.Gzip), b"")
        self.assertEqual(len(get_trace(self.collector.api, trace_id)), 100)

    def test_an_empty_request_is_accepted(self):
        self.assertEqual(self.connect().call(b""), b"")

    def test_what_is_wrong_is_named(self):
        client = self.connect()
        short = protobuf_request([protobuf_span(b"\1" * 15, b"\2" * 8, "x", 1, 2)])
        self.assert_code(client.fail(short), "INVALID_ARGUMENT",
                         "resourceSpans[0].scopeSpans[0].spans[0].traceId", "16 bytes")
        self.assert_code(client.fail(b"\xff\xff"), "INVALID_ARGUMENT")
        self.assertEqual(client.call(b""), b"")

    def test_unknown_methods(self):
        client = self.connect()
        for path in (PACKAGE + "trace.v1.TraceService/Import", "/x", "/", "//", "/" + "y" * 5000):
            self.assert_code(client.fail(b"", path), "UNIMPLEMENTED")

    def test_big_metadata(self):
        client = self.connect(**{"grpc.max_metadata_size": 1 << 20})
        error = client.fail(b"", metadata=[("x-big", "v" * 20000)])
        self.assert_code(error, "RESOURCE_EXHAUSTED")
        self.assertEqual(client.call(b"", metadata=[("x-some", "v" * 4000), ("x-bin", b"\0\1")]), b"")

    def test_a_message_over_the_limit_is_refused_for_good(self):
        client = self.connect(**{"grpc.max_send_message_length": -1})
        trace_id, good = new_request()
        for request, packed in ((bytes(65 << 20), grpc.Compression.NoCompression),
                                (bytes(65 << 20), grpc.Compression.Gzip)):
            error = client.fail(request, compression=packed, timeout=60)
            self.assert_code(error, "RESOURCE_EXHAUSTED")
            self.assertNotIn("grpc-status-details-bin", dict(error.trailing_metadata()))
        client.call(good)
        self.assertEqual(len(get_trace(self.collector.api, trace_id)), 1)

    def test_fifty_at_once(self):
        client = self.connect()
        requests = [new_request(10) for _ in range(50)]
        export = client.channel.unary_unary(EXPORT)
        calls = [export.future(request, timeout=60) for _, request in requests]
        for call in calls:
            self.assertEqual(call.result(), b"")
        for trace_id, _ in requests:
            self.assertEqual(len(get_trace(self.collector.api, trace_id)), 10)

    def test_many_clients_keep_their_connections(self):
        def work(ids):
            client = Client(self.collector.grpc)
            for _ in range(300):
                trace_id, request = new_request()
                client.call(request)
                ids.append(trace_id)
            client.close()
        self.start()
        lists = [[] for _ in range(4)]
        threads = [threading.Thread(target=work, args=(ids,)) for ids in lists]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([len(ids) for ids in lists], [300] * 4)
        self.assertEqual(len(get_trace(self.collector.api, lists[0][-1])), 1)

    def test_the_example_prints_the_trace_it_sent(self):
        self.start()
        done = subprocess.run([sys.executable, EXAMPLE, f"127.0.0.1:{self.collector.grpc}"],
                              stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        self.assertEqual(len(get_trace(self.collector.api, done.stdout.strip())), 1)


class Services(GrpcScenario):
    def test_healthz(self):
        self.start()
        done = subprocess.run(
            ["curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_code} %{http_version}",
             f"http://127.0.0.1:{self.collector.grpc}/healthz"],
            stdout=subprocess.PIPE, text=True, timeout=30, check=True)
        self.assertEqual(done.stdout, "ok\n 200 2")

    def test_requests_that_are_not_calls(self):
        self.start()
        for arguments, status in [(["-X", "POST"], "415"), (["-H", "content-type: application/grpcx"], "415"),
                                  (["-H", "content-type: application/grpc"], "405")]:
            done = subprocess.run(
                ["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}"]
                + arguments + [f"http://127.0.0.1:{self.collector.grpc}{EXPORT}"],
                stdout=subprocess.PIPE, text=True, timeout=30, check=True)
            self.assertEqual(done.stdout, status, arguments)

    def test_health(self):
        client = self.connect()
        check = "/grpc.health.v1.Health/Check"
        serving = b"\x08\x01"
        self.assertEqual(client.call(b"", check), serving)
        self.assertEqual(client.call(field(1, b"grpc.health.v1.Health"), check), serving)
        self.assertEqual(client.call(field(1, EXPORT[1:-7].encode()), check), serving)
        self.assert_code(client.fail(field(1, b"other"), check), "NOT_FOUND")

    def test_a_watch_is_told_when_the_server_goes(self):
        client = self.connect()
        watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")
        known = watch(field(1, EXPORT[1:-7].encode()), timeout=60)
        unknown = watch(field(1, b"other"), timeout=60)
        self.assertEqual(next(known), b"\x08\x01")
        self.assertEqual(next(unknown), b"\x08\x03")
        self.collector.stop()
        self.assertEqual(next(known), b"\x08\x02")
        with self.assertRaises(grpc.RpcError) as ended:
            next(known)
        self.assert_code(ended.exception, "UNAVAILABLE")

    def test_reflection_lists_the_services_while_the_stream_is_open(self):
        client = self.connect()
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            may_go_on = threading.Event()

            def requests(may_go_on=may_go_on):
                yield field(7, b"*")
                may_go_on.wait(30)
                yield field(4, b"x.Y")
                yield field(3, b"no.proto")

            answers = client.channel.stream_stream(path)(requests(), timeout=60)
            listed = next(answers)
            may_go_on.set()
            self.assertIn(field(1, field(1, EXPORT[1:-7].encode())), listed)
            self.assertIn(field(1, field(1, b"grpc.health.v1.Health")), listed)
            # error_response: error_code 5, NOT_FOUND
            self.assertIn(b"\x08\x05", next(answers))
            self.assertIn(b"\x08\x05", next(answers))
            self.assertEqual(list(answers), [])

    def reflected(self, client, request):
        """The files of the answer to one question, in Google's form."""
        path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        (answer,) = client.channel.stream_stream(path)(iter([request]), timeout=60)
        files = []
        for number, value in harness.fields(answer):
            if number == 4:
                files += [descriptor_pb2.FileDescriptorProto.FromString(file)
                          for _, file in harness.fields(value)]
        return files

    def test_a_client_that_knows_no_schema_sends_a_span(self):
        client = self.connect()
        service = EXPORT[1:-7]
        for symbol in (service, service + ".Export", "opentelemetry.proto.trace.v1.Span.Event",
                       "opentelemetry.proto.common.v1.AnyValue.kvlist_value", "grpc.health.v1.Health"):
            self.assertTrue(self.reflected(client, field(4, symbol.encode())), symbol)
        for symbol in ("opentelemetry.proto", service + ".", service + ".Exp", "opentelemetry.proto.trace.v1", ""):
            self.assertFalse(self.reflected(client, field(4, symbol.encode())), symbol)
        files = self.reflected(client, field(4, service.encode()))
        by_name = self.reflected(client, field(3, files[0].name.encode()))
        self.assertEqual(files, by_name)
        pool = descriptor_pool.DescriptorPool()
        for file in files[1:] + files[:1]:
            pool.Add(file)
        method = pool.FindServiceByName(service).FindMethodByName("Export")
        request = message_factory.MessageFactory(pool).GetPrototype(method.input_type)()
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id, span.name = os.urandom(16), os.urandom(8), "by reflection"
        span.attributes.add(key="n").value.int_value = 7
        self.assertEqual(client.call(request.SerializeToString()), b"")
        (stored,) = get_trace(self.collector.api, span.trace_id.hex())
        self.assertEqual(stored["name"], "by reflection")
        self.assertEqual(stored["attributes"], [{"key": "n", "value": {"intValue": "7"}}])


class Restarts(GrpcScenario):
    def test_acknowledged_spans_survive_a_kill(self):
        acknowledged = []
        for _ in range(3):
            self.start()
            client = Client(self.collector.grpc)
            for _ in range(50):
                trace_id, request = new_request()
                client.call(request)
                acknowledged.append(trace_id)
            client.close()
            self.collector.kill()
        self.start()
        for trace_id in acknowledged:
            self.assertEqual(len(get_trace(self.collector.api, trace_id)), 1, trace_id)

    def test_a_drained_collector_ends_its_connections(self):
        client = self.connect()
        client.call(b"")
        self.assertEqual(self.collector.stop(), 0)
        self.assert_code(client.fail(b"", timeout=2), "UNAVAILABLE")


# --- frames by hand: RFC 9113 4.1, literal header fields of RFC 7541 6.2.2 ---------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields(*pairs):
    """Literal fields, never indexed, of less than 127 bytes."""
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                    for name, value in pairs)


def call_fields(*more, path=EXPORT, method="POST"):
    return fields((":method", method), (":scheme", "http"), (":path", path), (":authority", "a"),
                  ("content-type", "application/grpc"), ("te", "trailers"), *more)


def message(payload, flag=0):
    return bytes([flag]) + struct.pack(">I", len(payload)) + payload


def zstd_of(content):
    """A frame of one raw block (RFC 8878 3.1.1): single segment, content size of 4 bytes."""
    return (b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(content))
            + struct.pack("<I", len(content) << 3 | 1)[:3] + content)


class Raw:
    """A connection that speaks frames."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(PREFACE + frame(SETTINGS))
        self.input = b""

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def read_exactly(self, n):
        while len(self.input) < n:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.input += piece
        piece, self.input = self.input[:n], self.input[n:]
        return piece

    def next(self):
        head = self.read_exactly(9)
        payload = self.read_exactly(int.from_bytes(head[:3], "big"))
        return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7fffffff, payload

    def headers(self, stream):
        """The header blocks of the stream until its last, unread."""
        blocks = []
        while True:
            kind, flags, number, payload = self.next()
            if kind == HEADERS and number == stream:
                blocks.append(payload)
                if flags & END_STREAM:
                    return blocks
            assert kind not in (GOAWAY, RST_STREAM), (kind, payload)

    def close(self):
        self.socket.close()


class WireScenario(GrpcScenario):
    def raw(self):
        if not self.collector:
            self.start()
        raw = Raw(self.collector.grpc)
        self.addCleanup(raw.close)
        return raw


class Wire(WireScenario):
    def status_of(self, frames, raw=None, stream=1):
        """grpc-status of the answer."""
        raw = raw or self.raw()
        raw.send(*frames)
        return Hpack().status(b"".join(raw.headers(stream)))

    def test_wrong_calls(self):
        good = new_request()[1]
        packed = gzip.compress(good)
        begin = frame(HEADERS, END_HEADERS, 1, call_fields())
        zipped = frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-encoding", "gzip")))
        zstd = frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-encoding", "zstd")))
        for what, frames, wanted in [
                ("whole", [begin, frame(DATA, END_STREAM, 1, message(good))], 0),
                ("one byte a frame", [begin] + [frame(DATA, 0, 1, message(good)[i:i + 1])
                                                for i in range(len(message(good)))]
                 + [frame(DATA, END_STREAM, 1)], 0),
                ("gzip", [zipped, frame(DATA, END_STREAM, 1, message(packed, 1))], 0),
                ("flag 0 under gzip", [zipped, frame(DATA, END_STREAM, 1, message(good))], 0),
                ("cut gzip", [zipped, frame(DATA, END_STREAM, 1, message(packed[:-9], 1))], 13),
                ("zstd", [zstd, frame(DATA, END_STREAM, 1, message(zstd_of(good), 1))], 0),
                ("cut zstd", [zstd, frame(DATA, END_STREAM, 1, message(zstd_of(good)[:-1], 1))], 13),
                ("not gzip", [zipped, frame(DATA, END_STREAM, 1, message(good, 1))], 13),
                ("packed without encoding", [begin, frame(DATA, END_STREAM, 1, message(packed, 1))], 13),
                ("flag 2", [begin, frame(DATA, END_STREAM, 1, message(good, 2))], 13),
                ("no message", [frame(HEADERS, END_HEADERS | END_STREAM, 1, call_fields())], 13),
                ("cut", [begin, frame(DATA, END_STREAM, 1, message(good)[:-1])], 13),
                ("two", [begin, frame(DATA, END_STREAM, 1, message(b"") * 2)], 13),
                ("4 GiB", [begin, frame(DATA, 0, 1, b"\0\xff\xff\xff\xff")], 8),
                ("snappy", [frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-encoding", "snappy"))),
                            frame(DATA, END_STREAM, 1, message(good, 1))], 12),
                ("bad timeout", [frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-timeout", "5s")))], 13),
                ("no time", [frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-timeout", "0n")))], 4),
                ("no body in time", [frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-timeout", "50m")))], 4),
                ("enough time", [frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-timeout", "99999999H"))),
                                 frame(DATA, END_STREAM, 1, message(good))], 0)]:
            with self.subTest(what):
                self.assertEqual(self.status_of(frames), wanted)

    def test_a_path_without_its_slash_is_refused(self):
        raw = self.raw()
        raw.send(frame(HEADERS, END_HEADERS, 1, call_fields(path=EXPORT[1:])))
        while True:
            kind, _, stream, payload = raw.next()
            if stream == 1:
                break
        self.assertEqual((kind, payload), (RST_STREAM, struct.pack(">I", 1)))  # PROTOCOL_ERROR

    def test_a_call_given_up_is_forgotten(self):
        raw = self.raw()
        for stream in range(1, 41, 2):
            trace_id, request = new_request()
            raw.send(frame(HEADERS, END_HEADERS, stream, call_fields()),
                     frame(DATA, END_STREAM, stream, message(request)),
                     frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
        _, request = new_request()
        raw.send(frame(HEADERS, END_HEADERS, 101, call_fields()),
                 frame(DATA, END_STREAM, 101, message(request)))
        kinds = []
        while (HEADERS, 101) not in kinds:
            kind, _, stream, _ = raw.next()
            kinds.append((kind, stream))
        self.assertTrue(self.collector.is_alive())


class Hpack:
    """Just enough of RFC 7541: all representations, the Huffman code of what our server's names and
    values are made of."""

    STATIC = 61

    def status(self, block):
        found = None
        self.table = []
        at = 0
        while at < len(block):
            byte = block[at]
            if byte & 0x80:
                index, at = self.number(block, at, 7)
                name, value = self.entry(index)
            elif byte & 0xe0 == 0x20:
                _, at = self.number(block, at, 5)
                continue
            else:
                is_kept = byte & 0xc0 == 0x40
                index, at = self.number(block, at, 6 if is_kept else 4)
                if index:
                    name = self.entry(index)[0]
                else:
                    name, at = self.text(block, at)
                value, at = self.text(block, at)
                if is_kept:
                    self.table.insert(0, (name, value))
            if name == "grpc-status":
                found = int(value)
        return found

    def entry(self, index):
        return self.table[index - 62] if index > self.STATIC else (f"static {index}", "")

    def number(self, block, at, bits):
        most = (1 << bits) - 1
        value = block[at] & most
        at += 1
        if value < most:
            return value, at
        shift = 0
        while True:
            value += (block[at] & 0x7f) << shift
            shift += 7
            at += 1
            if not block[at - 1] & 0x80:
                return value, at

    def text(self, block, at):
        is_huffman = block[at] & 0x80
        size, at = self.number(block, at, 7)
        piece = block[at:at + size]
        return (self.unpack(piece) if is_huffman else piece.decode()), at + size

    # RFC 7541 appendix B, in part; "?" stands for the others.
    CODES = {"00000": "0", "00001": "1", "00010": "2", "00011": "a", "00100": "c", "00101": "e",
             "00110": "i", "00111": "o", "01000": "s", "01001": "t", "010100": " ", "010101": "%",
             "010110": "-", "010111": ".", "011000": "/", "011001": "3", "011010": "4",
             "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9",
             "100000": "=", "100001": "A", "100010": "_", "100011": "b", "100100": "d",
             "100101": "f", "100110": "g", "100111": "h", "101000": "l", "101001": "m",
             "101010": "n", "101011": "p", "101100": "r", "101101": "u", "1011100": ":"}

    def unpack(self, piece):
        bits = "".join(f"{byte:08b}" for byte in piece)
        out = ""
        code = ""
        for bit in bits:
            code += bit
            if code in self.CODES:
                out += self.CODES[code]
                code = ""
            elif len(code) > 12:
                return out + "?"
        return out


class Floods(WireScenario):
    def flood(self, make):
        """Sends what make(i) gives until the peer closes; a client beside it must not notice."""
        client = self.connect()
        client.call(new_request()[1])
        raw = self.raw()
        raw.socket.setblocking(False)
        is_open = True
        pending = b""
        received = b""
        number = 0
        begin = time.monotonic()
        stop = threading.Event()
        results = []

        def work():
            while not stop.is_set():
                start = time.monotonic()
                client.call(new_request()[1])
                results.append(time.monotonic() - start)
        worker = threading.Thread(target=work)
        worker.start()
        try:
            while is_open and time.monotonic() - begin < FLOOD_LIMIT_S:
                try:
                    while len(pending) < 60000:
                        pending += make(number)
                        number += 1
                    pending = pending[raw.socket.send(pending):]
                except BlockingIOError:
                    pass
                except ConnectionError:
                    is_open = False
                try:
                    piece = raw.socket.recv(1 << 20)
                    received += piece
                    is_open = is_open and piece != b""
                except BlockingIOError:
                    pass
                except ConnectionError:
                    is_open = False
            lasted = time.monotonic() - begin
        finally:
            stop.set()
            worker.join()
        self.assertFalse(is_open, f"still open after {number} frames")
        self.assertLess(lasted, FLOOD_LIMIT_S)
        self.assertGreater(len(results), 0)
        self.assertLess(max(results), 2)
        self.assertTrue(self.collector.is_alive())
        return received

    def assert_sent_away(self, received):
        goaways = []
        at = 0
        while at + 9 <= len(received):
            size = int.from_bytes(received[at:at + 3], "big")
            if received[at + 3] == GOAWAY:
                goaways.append(struct.unpack(">I", received[at + 13:at + 17])[0])
            at += 9 + size
        self.assertIn(ENHANCE_YOUR_CALM, goaways)

    def test_rapid_reset(self):
        def make(i):
            return (frame(HEADERS, END_HEADERS, 2 * i + 1, call_fields())
                    + frame(RST_STREAM, 0, 2 * i + 1, struct.pack(">I", 8)))
        self.assert_sent_away(self.flood(make))

    def test_resets_that_the_server_is_made_to_send(self):
        def make(i):
            return (frame(HEADERS, END_HEADERS, 2 * i + 1, call_fields())
                    + frame(WINDOW_UPDATE, 0, 2 * i + 1, struct.pack(">I", 0)))
        self.flood(make)

    def test_continuations(self):
        def make(i):
            if i == 0:
                return frame(HEADERS, 0, 1, call_fields())
            return frame(CONTINUATION, 0, 1, fields(("x", "y" * 100)))
        self.flood(make)

    def test_pings(self):
        self.assert_sent_away(self.flood(lambda i: frame(PING, 0, 0, b"12345678")))

    def test_settings(self):
        self.assert_sent_away(self.flood(lambda i: frame(SETTINGS)))

    def test_empty_data(self):
        def make(i):
            return frame(HEADERS, END_HEADERS, 1, call_fields()) if i == 0 else frame(DATA, 0, 1)
        self.assert_sent_away(self.flood(make))

    def test_unknown_frames(self):
        self.assert_sent_away(self.flood(lambda i: frame(0xee, 0, 0, b"")))

    def test_a_header_bomb(self):
        """One large entry of the dynamic table, then references to it: HPACK's amplification."""
        big = b"\x40\x01x\x7f" + varint(3900 - 127) + b"y" * 3900
        self.flood(lambda i: frame(HEADERS, END_HEADERS, 2 * i + 1, call_fields() + big + b"\xbe" * 10000))

    def test_not_http2(self):
        self.start()
        with socket.create_connection(("127.0.0.1", self.collector.grpc), timeout=10) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while peer.recv(4096):
                pass
        self.assertTrue(self.collector.is_alive())


if __name__ == "__main__":
    harness.main()
