# SPDX-License-Identifier: Apache-2.0
"""What the comparisons with Google's protobuf share: the messages compiled into a folder that goes
away, our tool as a process, random attributes. Arguments of the program: TOOL PROTO_DIR [SEED]."""
import base64
import json
import math
import random
import re
import struct
import subprocess
import sys
import tempfile

from google.protobuf import json_format

TOOL, PROTO_DIR = sys.argv[1], sys.argv[2]
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
N_RANDOM = 400

folder = tempfile.TemporaryDirectory()
subprocess.run(["protoc", "-I", PROTO_DIR, "--python_out", folder.name, "trace.proto",
                "logs.proto", "metrics.proto"], check=True)
sys.path.insert(0, folder.name)
ID_FIELDS = ("traceId", "spanId", "parentSpanId")


class Tool:
    """The tool as a process that answers one frame with one frame."""

    def __init__(self, mode):
        self.process = subprocess.Popen([TOOL, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, payload):
        self.process.stdin.write(struct.pack("<I", len(payload)) + payload)
        self.process.stdin.flush()
        refused, length = struct.unpack("<BI", self.process.stdout.read(5))
        return bool(refused), self.process.stdout.read(length)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


def convert_ids(node, convert):
    """A copy of a JSON tree whose id members went through `convert`."""
    if isinstance(node, list):
        return [convert_ids(item, convert) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: convert(value) if name in ID_FIELDS else convert_ids(value, convert)
            for name, value in node.items()}


def hex_to_base64(text):
    assert re.fullmatch("[0-9a-f]*", text), text
    return base64.b64encode(bytes.fromhex(text)).decode()


def base64_to_hex(text):
    return base64.b64decode(text).hex()


def canonical(message):
    """Bytes that are equal exactly when the messages are, NaN included."""
    return message.SerializeToString(deterministic=True)


def as_tree(message):
    """Text that is equal when the messages are; all NaN are one, whatever their payload."""
    return json.dumps(json_format.MessageToDict(message), sort_keys=True)


TEXTS = ["", "a", "service.name", "grüße", "日本語", "\U0001f600", "\x00\x01\x1f\x7f", "\"\\/\b\f\n\r\t",
         "x" * 127, "y" * 128, "é" * 9000, "\u2028\ufffe\uffff"]
INTEGERS = [0, 1, -1, 127, 128, 2**31, -2**31, 2**53 + 1, 2**63 - 1, -2**63]
DOUBLES = [0.0, -0.0, 0.1, 1e300, 5e-324, -1.5, math.pi, 1.7976931348623157e308, 1e22, 123456789.0,
           math.nan, math.inf, -math.inf]


def random_value(rng, value, depth):
    kinds = ["string_value", "bool_value", "int_value", "double_value", "bytes_value", None]
    if depth < 6:
        kinds += ["array_value", "kvlist_value"]
    kind = rng.choice(kinds)
    if kind == "string_value":
        value.string_value = rng.choice(TEXTS)
    elif kind == "bool_value":
        value.bool_value = rng.random() < 0.5
    elif kind == "int_value":
        value.int_value = rng.choice(INTEGERS + [rng.getrandbits(64) - 2**63])
    elif kind == "double_value":
        bits = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        value.double_value = rng.choice(DOUBLES + [0.0 if math.isnan(bits) else bits])
    elif kind == "bytes_value":
        value.bytes_value = rng.randbytes(rng.randrange(6))
    elif kind == "array_value":
        value.array_value.SetInParent()
        for _ in range(rng.randrange(4)):
            random_value(rng, value.array_value.values.add(), depth + 1)
    elif kind == "kvlist_value":
        value.kvlist_value.SetInParent()
        for _ in range(rng.randrange(4)):
            random_attribute(rng, value.kvlist_value.values.add(), depth + 1)


def random_attribute(rng, attribute, depth=0):
    attribute.key = rng.choice(TEXTS)
    attribute.value.SetInParent()
    random_value(rng, attribute.value, depth)


def random_attributes(rng, owner):
    for _ in range(rng.choice([0, 1, 4, 20])):
        random_attribute(rng, owner.attributes.add())
    owner.dropped_attributes_count = rng.choice([0, 0, 1, 2**32 - 1])


def random_time(rng):
    return rng.choice([0, 1, 1700000000123456789, 2**64 - 1])
