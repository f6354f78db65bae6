#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends one span to a collector over OTLP/gRPC and prints its trace id:

    /usr/bin/python3 examples/send_grpc.py [HOST:PORT]

The request is written by hand, so that nothing but grpcio (Debian: python3-grpcio) is needed; a
program would use an OpenTelemetry SDK, with OTEL_EXPORTER_OTLP_PROTOCOL=grpc."""

import os
import struct
import sys
import time

import grpc

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def time_ns(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def request(trace_id, span_id):
    """ExportTraceServiceRequest of one span of the service "send_grpc"."""
    now = time.time_ns()
    span = (message(1, trace_id) + message(2, span_id) + message(5, b"sent over gRPC")
            + time_ns(7, now - 1_000_000) + time_ns(8, now))
    service = message(1, message(1, b"service.name") + message(2, message(1, b"send_grpc")))
    return message(1, message(1, service) + message(2, message(2, span)))


def main():
    target = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:4317"
    trace_id = os.urandom(16)
    with grpc.insecure_channel(target) as channel:
        export = channel.unary_unary(EXPORT)
        try:
            export(request(trace_id, os.urandom(8)), timeout=10)
        except grpc.RpcError as error:
            sys.exit(f"{target}: {error.code().name}: {error.details()}")
    print(trace_id.hex())


if __name__ == "__main__":
    main()
