# SPDX-License-Identifier: Apache-2.0
"""Compressed requests over OTLP/HTTP and OTLP/gRPC: every coding is read, an unknown one is refused
with the list of those that are, and no bomb takes more memory than the limit allows."""

import gzip
import json
import os
import select
import struct
import time
import zlib

import grpc

import harness
from grpc_test import (DATA, END_HEADERS, END_STREAM, EXPORT, HEADERS, Hpack, Raw, call_fields,
                       frame, message, new_request, zstd_of)
from harness import (Scenario, get_trace, new_span, protobuf_request, protobuf_span, request,
                     send_json, span_document)

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
CODINGS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress,
           "zstd": zstd_of}
GROWTH_MOST = 128 << 20
BOMB_BYTES = 10 << 30


def repeated(head, wbits):
    """10 GiB of zeros: blocks of one deflate stream that know nothing of each other."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    assert first.startswith(head)
    return first + again * (BOMB_BYTES // (1 << 20) - 1)


def zstd_rle(n_blocks, window=0x68, is_ended=True):
    """A frame without its size (RFC 8878 3.1.1): a window of 8 MiB, blocks of 128 KiB of zeros."""
    block = struct.pack("<I", (128 << 10) << 3 | 1 << 1)[:3] + b"\0"
    last = struct.pack("<I", 1 << 3 | 1)[:3] + b"\0" if is_ended else b""
    return b"\x28\xb5\x2f\xfd\0" + bytes([window]) + block * n_blocks + last


BOMBS = {"gzip": lambda: repeated(b"\x1f\x8b", 31), "deflate": lambda: repeated(b"\x78", 15),
         "zstd": lambda: zstd_rle(BOMB_BYTES // (128 << 10))}


class EncodingScenario(Scenario):
    def assert_well(self):
        self.assertTrue(self.collector.is_alive())
        span = new_span()
        self.assertEqual(send_json(self.collector.otlp, span_document([span]))[0], 200)
        self.assertEqual(len(get_trace(self.collector.api, span["traceId"])), 1)

    def assert_grew_little(self, before):
        """AddressSanitizer keeps what was freed, so that only the plain build can be measured."""
        if not harness.is_sanitized():
            self.assertLess(self.collector.peak_memory_bytes() - before, GROWTH_MOST)


class Http(EncodingScenario):
    def post(self, body, coding, kind=PROTOBUF):
        return request(self.collector.otlp, "POST", "/v1/traces", body,
                       dict(kind, **{"Content-Encoding": coding}), timeout=60)

    def test_every_coding_is_read(self):
        self.start()
        for coding, pack in CODINGS.items():
            with self.subTest(coding):
                trace_id = os.urandom(16)
                body = protobuf_request([protobuf_span(trace_id, os.urandom(8), "x", 1, 2)])
                self.assertEqual(self.post(pack(body), coding)[0], 200)
                span = new_span()
                body = json.dumps(span_document([span])).encode()
                self.assertEqual(self.post(pack(body), coding.upper(), JSON)[0], 200)
                for found in (trace_id.hex(), span["traceId"]):
                    self.assertEqual(len(get_trace(self.collector.api, found)), 1)
        self.assertEqual(self.post(b"{}", "identity", JSON)[0], 200)

    def test_other_codings_are_refused_with_the_list(self):
        self.start()
        for coding in ("br", "snappy", "lz4", "compress", "gzip, gzip", "identity, gzip", "gzipx"):
            with self.subTest(coding):
                status, headers, body = self.post(b"{}", coding, JSON)
                self.assertEqual(status, 415)
                self.assertEqual(headers["accept-encoding"], "gzip, deflate, zstd")
                self.assertIn(b"Content-Encoding", body)
        # What is wrong here is the type: no list of codings.
        status, headers, _ = request(self.collector.otlp, "POST", "/v1/traces", b"{}",
                                     {"Content-Type": "text/plain"})
        self.assertEqual((status, "accept-encoding" in headers), (415, False))
        self.assert_well()

    def test_damaged_bodies_are_refused(self):
        self.start()
        for coding, pack in CODINGS.items():
            packed = pack(b'{"resourceSpans":[]}')
            for what, body in [("plain", b'{"resourceSpans":[]}'), ("cut", packed[:-1]),
                               ("only a head", packed[:2]), ("garbage behind", packed + b"\1")]:
                with self.subTest(coding=coding, what=what):
                    status, _, text = self.post(body, coding, JSON)
                    self.assertEqual(status, 400, text)
        self.assert_well()

    def test_bombs_of_ten_gigabytes(self):
        self.start()
        self.assert_well()
        for coding, make in BOMBS.items():
            bomb = make()
            for kind in (PROTOBUF, JSON):
                with self.subTest(coding=coding, kind=kind):
                    before = self.collector.reset_peak_memory()
                    self.assertEqual(self.post(bomb, coding, kind)[0], 413)
                    self.assert_grew_little(before)
                    self.assert_well()

    def test_a_zstd_frame_cannot_ask_for_gigabytes(self):
        self.start()
        self.assert_well()
        # 16 MiB, 2 GiB and 3.75 TiB of window; 2^63 bytes of content in a single segment.
        frames = [zstd_rle(8, window) for window in (0x70, 0xa8, 0xff)]
        frames.append(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 63) + zstd_rle(8)[6:])
        for body in frames:
            before = self.collector.reset_peak_memory()
            status, _, text = self.post(body, "zstd")
            self.assertEqual(status, 400, text)
            self.assertIn(b"window is too large", text)
            self.assert_grew_little(before)
        self.assertEqual(self.post(zstd_of(b""), "zstd")[0], 200)
        self.assert_well()

    def test_windows_of_many_open_requests_are_counted(self):
        """Each holds a window of 8 MiB; the memory for bodies, 256 MiB, is for 31 of them."""
        self.start()
        head = (b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Encoding: zstd\r\nContent-Length: 100000\r\n\r\n")
        before = self.collector.reset_peak_memory()
        peers = [harness.connect(self.collector.otlp) for _ in range(48)]
        for peer in peers:
            self.addCleanup(peer.close)
            peer.sendall(head + zstd_rle(1, is_ended=False))
        waiting = list(peers)
        deadline = time.monotonic() + 60
        while len(waiting) > 31:
            self.assertLess(time.monotonic(), deadline, f"{len(waiting)} hold a window")
            for peer in select.select(waiting, [], [], 1)[0]:
                answer = peer.recv(4096)
                self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
                self.assertIn(b"memory for bodies is used up", answer)
                waiting.remove(peer)
        self.assertGreater(len(waiting), 16)
        if not harness.is_sanitized():
            self.assertLess(self.collector.peak_memory_bytes() - before, 2 * (256 << 20))
        for peer in peers:
            peer.close()
        self.assert_well()


class Grpc(EncodingScenario):
    def answer(self, coding, packed):
        """(grpc-status, header blocks) of one call with a compressed message."""
        raw = Raw(self.collector.grpc)
        self.addCleanup(raw.close)
        raw.send(frame(HEADERS, END_HEADERS, 1, call_fields(("grpc-encoding", coding))))
        raw.send_data(1, message(packed, 1))
        raw.send(frame(DATA, END_STREAM, 1))
        block = b"".join(raw.headers(1))
        return Hpack().status(block), block

    def test_every_coding_is_read(self):
        self.start()
        for coding, pack in CODINGS.items():
            with self.subTest(coding):
                trace_id, body = new_request()
                self.assertEqual(self.answer(coding, pack(body))[0], 0)
                self.assertEqual(len(get_trace(self.collector.api, trace_id)), 1)

    def test_deflate_of_another_implementation(self):
        self.start()
        trace_id, body = new_request(50)
        with grpc.insecure_channel(f"127.0.0.1:{self.collector.grpc}") as channel:
            call = channel.unary_unary(EXPORT)
            self.assertEqual(call(body, timeout=30, compression=grpc.Compression.Deflate), b"")
        self.assertEqual(len(get_trace(self.collector.api, trace_id)), 50)

    def test_an_unknown_coding_is_unimplemented_with_the_list(self):
        self.start()
        status, block = self.answer("br", b"x")
        self.assertEqual(status, 12)
        self.assertEqual(Hpack().value(block, "grpc-accept-encoding"), "identity,gzip,deflate,zstd")

    def test_bombs_of_ten_gigabytes(self):
        self.start()
        self.assert_well()
        for coding, make in BOMBS.items():
            with self.subTest(coding):
                bomb = make()
                before = self.collector.reset_peak_memory()
                status, block = self.answer(coding, bomb)
                self.assertEqual(status, 8)  # RESOURCE_EXHAUSTED; with RetryInfo it would come again
                self.assertIsNone(Hpack().value(block, "grpc-status-details-bin"))
                self.assert_grew_little(before)
                self.assert_well()

    def test_a_zstd_frame_cannot_ask_for_gigabytes(self):
        self.start()
        for window in (0x70, 0xa8, 0xff):
            before = self.collector.reset_peak_memory()
            self.assertEqual(self.answer("zstd", zstd_rle(8, window))[0], 13)
            self.assert_grew_little(before)
        self.assert_well()


if __name__ == "__main__":
    harness.main()
