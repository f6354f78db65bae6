# SPDX-License-Identifier: Apache-2.0
"""examples/user-tracing before an endpoint of user spans: two customers, one request that nobody
asked to trace, and one that asks without being the proxy. Prints what each destination received."""

import http.client
import os
import subprocess
import tempfile
import unittest

import install

from sink import Sink

ONE = '{"zoneId":7,"accountId":42}'
TWO = '{"zoneId":8,"accountId":43}'
INBOUND = "00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-00"
KEY = "s3cret"
NOBODY = "none"


class Service:
    def __init__(self, path):
        self.process = subprocess.Popen(
            [os.path.join(install.BUILD, "examples", "user-tracing"), path, KEY],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def get(self, path, control=None, key=KEY):
        """The user's traceparent as the service would pass it on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-Proxy-Key": key}
        if control:
            headers["User-Tracing"] = control
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.getheader("X-User-Traceparent")

    def stop(self):
        """The operator's spans, a line each."""
        _, operators = self.process.communicate(timeout=120)
        return self.process.returncode, operators.splitlines()


def tree_of(spans, parent, depth=0):
    lines = []
    for span in sorted((one for one in spans if one.parent_span_id == parent),
                       key=lambda one: one.start_time_unix_nano):
        values = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
        lines.append("  " * depth + span.name + "".join(f" {key}={value}" for key, value in values.items()))
        lines += tree_of(spans, span.span_id, depth + 1)
    return lines


class TwoCustomers(unittest.TestCase):
    def run_service(self):
        with tempfile.TemporaryDirectory(prefix="ftr-users-") as folder:
            path = os.path.join(folder, "otlp.sock")
            sink = Sink(path)
            service = Service(path)
            try:
                given = [service.get("/one/a", f"{INBOUND}; {ONE}"),
                         service.get("/two/bc", f"-; {TWO}"),
                         service.get("/nobody"),
                         service.get("/one/d", f"-; {ONE}"),
                         service.get("/stolen", f"-; {TWO}", key="guessed"),
                         service.get("/broken", f"-; {TWO}\x7f")]
            finally:
                code, operators = service.stop()
                sink.stop()
        self.assertEqual(code, 0, operators)
        return given, operators, sink.requests

    def test_each_destination_receives_its_own(self):
        given, operators, requests = self.run_service()
        self.assertEqual(given[2], NOBODY)
        self.assertEqual(given[4:], [NOBODY, NOBODY])
        self.assertTrue(given[0].startswith(INBOUND[:36]))
        self.assertTrue(given[0].endswith("-01"))
        received = {}
        for request in requests:
            self.assertEqual(request.line, "POST /v1/traces HTTP/1.1")
            received.setdefault(request.headers["cf-trace-config"], []).extend(request.spans())
        traces = {}
        for destination, spans in sorted(received.items()):
            print(f"\n{destination} received", flush=True)
            for trace_id in dict.fromkeys(span.trace_id for span in spans):
                own = [span for span in spans if span.trace_id == trace_id]
                known = {span.span_id for span in own}
                root = next(span for span in own if span.parent_span_id not in known)
                lines = tree_of(own, root.parent_span_id)
                traces.setdefault(destination, []).append((trace_id.hex(), root.parent_span_id.hex(), lines))
                print(f"  {trace_id.hex()}\n    " + "\n    ".join(lines), flush=True)
        expected = {
            ONE: [("11223344556677889900aabbccddeeff", "a1b2c3d4e5f60718",
                   ["request", "  look_up path=/one/a rows=6", "    cache"]),
                  (given[3][3:35], "", ["request", "  look_up path=/one/d rows=6", "    cache"])],
            TWO: [(given[1][3:35], "", ["request", "  look_up path=/two/bc rows=7", "    cache"])]}
        self.assertEqual(traces, expected)
        # The operator has a request and a look-up of each, and nothing that is a customer's.
        self.assertEqual(sum(" request" in line for line in operators), 6)
        self.assertEqual(sum(" look_up" in line and "shard=" in line for line in operators), 6)
        for line in operators:
            for secret in ("path=", "cache", "zoneId", "1122334455667788"):
                self.assertNotIn(secret, line)


if __name__ == "__main__":
    unittest.main(verbosity=2)
