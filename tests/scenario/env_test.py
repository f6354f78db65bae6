# SPDX-License-Identifier: Apache-2.0
"""`flowtrace env`: what OpenTelemetry's variables come to, by the specification's parse rules."""

import json
import os
import subprocess
import tempfile
import unittest

import harness

OTLP = "OTEL_EXPORTER_OTLP_"


def effective(status=0, **variables):
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(("OTEL_", "FLOWTRACE_MODE", "FLOWTRACE_TAIL"))}
    done = subprocess.run([harness.program(), "env"], env=dict(clean, **variables), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status and done.stderr == "", (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout), done.stdout


class Env(unittest.TestCase):
    def test_nothing_set_exports_nothing(self):
        found, _ = effective()
        self.assertEqual(found["exporters"], [])
        self.assertNotIn("otlp", found)
        self.assertEqual(found["warnings"], [])
        self.assertEqual(found["resource"]["service.name"], "unknown_service:flowtrace")
        self.assertEqual(found["propagators"], ["tracecontext", "baggage"])
        self.assertEqual(found["limits"], {"attributes": 128, "events": 128, "links": 128,
                                           "attributesPerEvent": 128, "attributesPerLink": 128,
                                           "valueLength": None})
        self.assertFalse(found["disabled"])

    def test_empty_counts_as_unset(self):
        found, _ = effective(**{OTLP + "ENDPOINT": "", "OTEL_TRACES_EXPORTER": "", "OTEL_SDK_DISABLED": "",
                                "OTEL_PROPAGATORS": "", "OTEL_UNHEARD_OF": ""})
        self.assertEqual((found["exporters"], found["warnings"]), ([], []))

    def test_an_endpoint_exports_by_otlp(self):
        found, _ = effective(**{OTLP + "ENDPOINT": "http://c:1/base", OTLP + "TIMEOUT": "250"})
        self.assertEqual(found["exporters"], ["otlp"])
        self.assertEqual(found["otlp"], {
            "protocol": "http/protobuf", "endpoint": "http://c:1/base/v1/traces", "unixSocket": None,
            "headers": {}, "compression": "none", "timeoutMs": 250, "certificate": None,
            "clientCertificate": None, "clientKey": None})

    def test_the_exporter_variable_decides_when_it_is_set(self):
        for value, expected in (("otlp", ["otlp"]), ("console,OTLP", ["console", "otlp"]), ("none", [])):
            found, _ = effective(OTEL_TRACES_EXPORTER=value, **{OTLP + "ENDPOINT": "http://c:1"})
            self.assertEqual((found["exporters"], found["warnings"]), (expected, []))
        found, _ = effective(OTEL_TRACES_EXPORTER="zipkin")
        self.assertEqual(found["exporters"], [])
        self.assertIn("OTEL_TRACES_EXPORTER: zipkin", found["warnings"][0])

    def test_defaults_of_grpc(self):
        found, _ = effective(OTEL_TRACES_EXPORTER="otlp", **{OTLP + "PROTOCOL": "GRPC"})
        self.assertEqual(found["otlp"]["protocol"], "grpc")
        self.assertTrue(found["otlp"]["endpoint"].startswith("http://localhost:4317/"))

    def test_secrets_are_masked(self):
        found, text = effective(**{OTLP + "TRACES_ENDPOINT": "https://me:hidden1@c:1/x?token=hidden2",
                                   OTLP + "HEADERS": "api-key=hidden3,x=hidden4"})
        self.assertNotIn("hidden", text)
        self.assertEqual(found["otlp"]["headers"], {"api-key": "***", "x": "***"})
        self.assertEqual(found["otlp"]["endpoint"], "https://***@c:1/x?***")

    def test_booleans(self):
        for value, expected, n_warnings in (("true", True, 0), ("TRUE", True, 0), ("false", False, 0),
                                            ("1", False, 1), ("yes", False, 1)):
            found, _ = effective(OTEL_SDK_DISABLED=value, **{OTLP + "ENDPOINT": "http://c:1"})
            self.assertEqual((found["disabled"], len(found["warnings"])), (expected, n_warnings), value)
            self.assertEqual(found["exporters"], [] if expected else ["otlp"])

    def test_numbers(self):
        found, _ = effective(OTEL_BSP_SCHEDULE_DELAY="70", OTEL_BSP_MAX_QUEUE_SIZE="10",
                             OTEL_BSP_MAX_EXPORT_BATCH_SIZE="500", OTEL_BSP_EXPORT_TIMEOUT="soon",
                             OTEL_ATTRIBUTE_COUNT_LIMIT="7", OTEL_SPAN_LINK_COUNT_LIMIT="-1",
                             OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="99")
        self.assertEqual(found["queue"]["delayMs"], 70)
        self.assertEqual((found["queue"]["spans"], found["queue"]["batchSpans"]), (10, 10))
        self.assertEqual(found["queue"]["exportTimeoutMs"], 10000)
        self.assertEqual((found["limits"]["attributes"], found["limits"]["links"]), (7, 128))
        self.assertEqual(found["limits"]["valueLength"], 99)
        self.assertEqual(sorted(text.split(":")[0] for text in found["warnings"]),
                         ["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_SPAN_LINK_COUNT_LIMIT"])

    def test_resource(self):
        found, _ = effective(OTEL_RESOURCE_ATTRIBUTES="service.name=a,k=v%20w", OTEL_SERVICE_NAME="b")
        self.assertEqual((found["resource"]["service.name"], found["resource"]["k"]), ("b", "v w"))
        found, _ = effective(OTEL_RESOURCE_ATTRIBUTES="k=v,novalue")
        self.assertNotIn("k", found["resource"])
        self.assertIn("OTEL_RESOURCE_ATTRIBUTES: ignored", found["warnings"][0])

    def test_propagators(self):
        found, _ = effective(OTEL_PROPAGATORS="b3, baggage,b3,morse")
        self.assertEqual(found["propagators"], ["b3", "baggage"])
        self.assertIn("OTEL_PROPAGATORS: no propagator is called 'morse'", found["warnings"][0])

    def test_sampler(self):
        for name, argument, expected, n_warnings in (
                ("", "", ("parentbased_always_on", None), 0), ("ALWAYS_OFF", "", ("always_off", None), 0),
                ("traceidratio", "0.25", ("traceidratio", 0.25), 0), ("traceidratio", "0", ("traceidratio", 0), 0),
                ("traceidratio", "2", ("traceidratio", 1), 1), ("coin", "", ("parentbased_always_on", None), 1),
                ("parentbased_ratelimiting", "7", ("parentbased_ratelimiting", 7), 0)):
            found, _ = effective(OTEL_TRACES_SAMPLER=name, OTEL_TRACES_SAMPLER_ARG=argument)
            self.assertEqual((found["sampler"], found["samplerArgument"]), expected)
            self.assertEqual(len(found["warnings"]), n_warnings, name)

    def test_modes_and_tail_sampling(self):
        found, _ = effective()
        self.assertEqual(found["mode"], "full")
        self.assertEqual(found["tail"]["maxAgeMs"], 60000)
        self.assertAlmostEqual(found["tail"]["share"], 0.01, delta=1e-6)
        found, _ = effective(FLOWTRACE_MODE="TAIL", FLOWTRACE_TAIL_SHARE="0.5", FLOWTRACE_TAIL_DROPS="false",
                             FLOWTRACE_TAIL_ATTRIBUTES="debug,tier=gold", FLOWTRACE_TAIL_LATENCY_MS="250",
                             FLOWTRACE_TAIL_MAX_AGE_MS="1000", FLOWTRACE_TAIL_BUDGET_BYTES="1048576")
        self.assertEqual((found["mode"], found["warnings"]), ("tail", []))
        self.assertEqual(found["tail"], {
            "errors": True, "drops": False, "latencyMs": 250, "share": 0.5, "maxAgeMs": 1000, "budgetBytes": 1048576,
            "attributes": [{"key": "debug", "value": None}, {"key": "tier", "value": "gold"}]})
        found, _ = effective(FLOWTRACE_MODE="on", FLOWTRACE_TAIL_SHARES="1", FLOWTRACE_DATA="/elsewhere")
        self.assertEqual(found["mode"], "full")
        self.assertEqual(sorted(text.split(":")[0] for text in found["warnings"]),
                         ["FLOWTRACE_MODE", "FLOWTRACE_TAIL_SHARES"])

    def test_variables_that_nobody_reads_are_named(self):
        found, _ = effective(OTEL_EXPORTER_OTLP_ENDPOINTS="x", OTEL_CONFIG_FILE="x.yaml")
        self.assertEqual(len(found["warnings"]), 2)
        self.assertTrue(any(text.endswith(f"did you mean {OTLP}ENDPOINT?") for text in found["warnings"]))

    def test_what_stops_a_program_is_an_error(self):
        with tempfile.NamedTemporaryFile() as garbage:
            for variables, named in (({OTLP + "ENDPOINT": "c:1"}, OTLP + "ENDPOINT: "),
                                     ({OTLP + "ENDPOINT": "http://c", OTLP + "CERTIFICATE": garbage.name},
                                      f"{OTLP}CERTIFICATE: {garbage.name}: "),
                                     ({OTLP + "ENDPOINT": "http://c", OTLP + "HEADERS": "a"}, OTLP + "HEADERS: ")):
                found, _ = effective(1, **variables)
                self.assertTrue(found["error"].startswith(named), found)


if __name__ == "__main__":
    harness.main()
