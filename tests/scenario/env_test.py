# SPDX-License-Identifier: Apache-2.0
"""`flowtrace env`: what OpenTelemetry's variables come to, by the specification's parse rules."""

import json
import os
import re
import subprocess
import tempfile
import unittest

import harness

OTLP = "OTEL_EXPORTER_OTLP_"


def effective(status=0, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "FLOWTRACE_", "KRISHIV_"))}
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

    def test_metrics(self):
        found, _ = effective()
        self.assertEqual(found["metrics"], {"exporters": [], "exemplarFilter": "trace_based", "series": 2000,
                                            "intervalMs": 60000, "exportTimeoutMs": 30000})
        self.assertNotIn("otlpMetrics", found)
        found, _ = effective(**{OTLP + "ENDPOINT": "http://c:1/base", OTLP + "METRICS_PROTOCOL": "http/json",
                                "OTEL_METRICS_EXEMPLAR_FILTER": "ALWAYS_OFF",
                                "OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_METRIC_EXPORT_TIMEOUT": "soon"})
        self.assertEqual(found["metrics"], {"exporters": ["otlp"], "exemplarFilter": "always_off", "series": 2000,
                                            "intervalMs": 500, "exportTimeoutMs": 30000})
        self.assertEqual(found["otlpMetrics"]["endpoint"], "http://c:1/base/v1/metrics")
        self.assertEqual((found["otlp"]["protocol"], found["otlpMetrics"]["protocol"]),
                         ("http/protobuf", "http/json"))
        self.assertEqual(len(found["warnings"]), 1)
        self.assertIn("OTEL_METRIC_EXPORT_TIMEOUT: ignored", found["warnings"][0])

    def test_the_metrics_exporter_decides_when_it_is_set(self):
        for value, expected, warning in (
                ("none", [], None), ("Console, otlp", ["console", "otlp"], None), ("", ["otlp"], None),
                ("prometheus", [], "ftr_metrics_text"), ("statsd", [], "OTEL_METRICS_EXPORTER: statsd is ignored")):
            found, _ = effective(OTEL_METRICS_EXPORTER=value, **{OTLP + "ENDPOINT": "http://c:1"})
            self.assertEqual(found["metrics"]["exporters"], expected)
            self.assertEqual(len(found["warnings"]), warning is not None, found["warnings"])
            self.assertIn(warning or "", (found["warnings"] or [""])[0])
        found, _ = effective(**{OTLP + "METRICS_ENDPOINT": "http://m:1/x"})
        self.assertEqual((found["exporters"], found["metrics"]["exporters"]), ([], ["otlp"]))
        self.assertEqual(found["otlpMetrics"]["endpoint"], "http://m:1/x")

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
                         ["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_SPAN_LINK_COUNT_LIMIT"])

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

    def test_a_sampler_that_asks_a_server(self):
        for argument, expected, n_warnings in (
                ("", ("http://localhost:14250", 60000, 0.001), 0),
                ("endpoint=https://sampling:14250,pollingIntervalMs=5000,initialSamplingRate=0.25",
                 ("https://sampling:14250", 5000, 0.25), 0),
                ("endpoint=https://sampling:14250,initialSamplingRate=2", ("http://localhost:14250", 60000, 0.001), 1)):
            found, _ = effective(OTEL_TRACES_SAMPLER="jaeger_remote", OTEL_TRACES_SAMPLER_ARG=argument)
            remote = found["remoteSampler"]
            self.assertEqual((remote["endpoint"], remote["pollingIntervalMs"], remote["initialSamplingRate"]), expected)
            self.assertIsNone(found["samplerArgument"])
            self.assertEqual(len(found["warnings"]), n_warnings, found["warnings"])
        self.assertNotIn("remoteSampler", effective()[0])

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
        found, _ = effective(OTEL_EXPORTER_OTLP_ENDPOINTS="x", OTEL_BSP_DELAY="1")
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


# Every variable of the specification's list that concerns traces, with what it comes to: (variable, value,
# where to look in the output, what stands there, the warning's words or None, other variables). An empty value
# counts as unset: each row is tried so, too.
U32 = 2 ** 32 - 1
GRPC_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TO = {"OTEL_TRACES_EXPORTER": "otlp"}
ROWS = [
    ("OTEL_SDK_DISABLED", "true", "disabled", True, None, {}),
    ("OTEL_SDK_DISABLED", "FALSE", "disabled", False, None, {}),
    ("OTEL_SDK_DISABLED", "on", "disabled", False, "taken as false", {}),
    ("OTEL_SERVICE_NAME", "shop", "resource service.name", "shop", None, {}),
    ("OTEL_SERVICE_NAME", "shop", "resource service.name", "shop", None,
     {"OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}),
    ("OTEL_RESOURCE_ATTRIBUTES", "k = a%2Cb , l=", "resource k", "a,b", None, {}),
    ("OTEL_RESOURCE_ATTRIBUTES", "k=%zz", "resource k", None, "ignored", {}),
    ("OTEL_LOG_LEVEL", "ERROR", "logLevel", "error", None, {}),
    ("OTEL_LOG_LEVEL", "none", "logLevel", "none", None, {}),
    ("OTEL_LOG_LEVEL", "loud", "logLevel", "info", "'loud' is ignored", {}),
    ("OTEL_PROPAGATORS", "b3multi, b3multi,XRAY,jaeger", "propagators", ["b3multi", "xray", "jaeger"], None, {}),
    ("OTEL_PROPAGATORS", 8 * "b3," + "jaeger", "propagators", ["b3", "jaeger"], None, {}),
    ("OTEL_PROPAGATORS", "none", "propagators", [], None, {}),
    ("OTEL_PROPAGATORS", "OTtrace,tracecontext", "propagators", ["ottrace", "tracecontext"], None, {}),
    ("OTEL_PROPAGATORS", "b4", "propagators", ["tracecontext", "baggage"], "'b4'", {}),
    ("OTEL_PROPAGATORS", "b4,b3", "propagators", ["b3"], "'b4'", {}),
    ("OTEL_PROPAGATORS", "b3", "propagators", ["b3"], None, {"OTEL_SDK_DISABLED": "true"}),
    ("OTEL_TRACES_SAMPLER", "AlWaYs_oFf", "sampler", "always_off", None, {}),
    ("OTEL_TRACES_SAMPLER", "dice", "sampler", "parentbased_always_on", "no sampler is called 'dice'", {}),
    ("OTEL_TRACES_SAMPLER", "Jaeger_Remote", "sampler", "jaeger_remote", None, {}),
    ("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote", "sampler", "parentbased_jaeger_remote", None,
     {"OTEL_TRACES_SAMPLER_ARG": "endpoint=http://localhost:14250,pollingIntervalMs=5000"}),
    ("OTEL_TRACES_SAMPLER_ARG", "pollingIntervalMs=never", "sampler", "jaeger_remote",
     "OTEL_TRACES_SAMPLER_ARG: ignored: pollingIntervalMs: 'never' is not a whole number",
     {"OTEL_TRACES_SAMPLER": "jaeger_remote"}),
    ("OTEL_TRACES_SAMPLER", "xray", "sampler", "parentbased_always_on", "asks a service", {}),
    ("OTEL_TRACES_SAMPLER_ARG", "0.001", "samplerArgument", 0.001, None,
     {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}),
    ("OTEL_TRACES_SAMPLER_ARG", "0.25x", "samplerArgument", 1, "'0.25x' is not a ratio",
     {"OTEL_TRACES_SAMPLER": "traceidratio"}),
    ("OTEL_TRACES_SAMPLER_ARG", "-0.1", "samplerArgument", 1, "'-0.1' is not a ratio",
     {"OTEL_TRACES_SAMPLER": "traceidratio"}),
    ("OTEL_TRACES_SAMPLER_ARG", "0.5", "sampler", "parentbased_always_on", "OTEL_TRACES_SAMPLER is not set", {}),
    ("OTEL_METRICS_EXPORTER", "CONSOLE,otlp", "metrics exporters", ["console", "otlp"], None, {}),
    ("OTEL_METRICS_EXPORTER", "none", "metrics exporters", [], None,
     {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}),
    ("OTEL_METRICS_EXPORTER", "carrier-pigeon", "metrics exporters", [], "carrier-pigeon is ignored", {}),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "ALWAYS_ON", "metrics exemplarFilter", "always_on", None, {}),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "some", "metrics exemplarFilter", "trace_based", "some", {}),
    ("OTEL_METRIC_EXPORT_INTERVAL", "500", "metrics intervalMs", 500, None, {}),
    ("OTEL_METRIC_EXPORT_INTERVAL", "soon", "metrics intervalMs", 60000, "ignored", {}),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "1000", "metrics exportTimeoutMs", 1000, None, {}),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "-1", "metrics exportTimeoutMs", 30000, "ignored", {}),
    ("OTEL_BSP_SCHEDULE_DELAY", "0", "queue delayMs", 0, None, {}),
    ("OTEL_BSP_SCHEDULE_DELAY", "5000", "queue delayMs", 5000, None, {}),
    ("OTEL_BSP_SCHEDULE_DELAY", "-1", "queue delayMs", 200, "ignored", {}),
    ("OTEL_BSP_SCHEDULE_DELAY", "1.5", "queue delayMs", 200, "ignored", {}),
    ("OTEL_BSP_EXPORT_TIMEOUT", "30000", "queue exportTimeoutMs", 30000, None, {}),
    ("OTEL_BSP_EXPORT_TIMEOUT", "0", "queue exportTimeoutMs", None, None, {}),
    ("OTEL_BSP_EXPORT_TIMEOUT", "-1", "queue exportTimeoutMs", 10000, "ignored", {}),
    ("OTEL_BSP_EXPORT_TIMEOUT", "10s", "queue exportTimeoutMs", 10000, "ignored", {}),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "2048", "queue spans", 2048, None, {}),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "queue spans", None, "from 1", {}),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999999", "queue spans", None, "ignored", {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", "queue batchSpans", 512, None, {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "queue batchSpans", None, "from 1", {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-512", "queue batchSpans", None, "ignored", {}),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "11", "queue batchSpans", 10, "more than OTEL_BSP_MAX_QUEUE_SIZE",
     {"OTEL_BSP_MAX_QUEUE_SIZE": "10"}),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "7", "limits valueLength", 7, None, {}),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0", "limits valueLength", 0, None, {}),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "all", "limits valueLength", None, "ignored", {}),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "9", "limits attributes", 9, None, {}),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "-9", "limits attributes", 128, "ignored", {}),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5", "limits valueLength", 5, None,
     {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "7"}),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0", "limits attributes", 0, None, {"OTEL_ATTRIBUTE_COUNT_LIMIT": "7"}),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "x", "limits attributes", 7, "ignored", {"OTEL_ATTRIBUTE_COUNT_LIMIT": "7"}),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "0", "limits events", 0, None, {}),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many", "limits events", 128, "ignored", {}),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "1", "limits links", 1, None, {}),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", " 1", "limits links", 128, "ignored", {}),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2", "limits attributesPerEvent", 2, None, {}),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "2e3", "limits attributesPerEvent", 128, "ignored", {}),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "3", "limits attributesPerLink", 3, None, {}),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", str(U32 + 1), "limits attributesPerLink", 128, "ignored", {}),
    ("OTEL_TRACES_EXPORTER", "none", "exporters", [], None, {OTLP + "ENDPOINT": "http://c:1"}),
    ("OTEL_TRACES_EXPORTER", "otlp/stdout", "exporters", ["otlp/stdout"], None, {}),
    ("OTEL_TRACES_EXPORTER", " Console , otlp,,OTLP/Stdout", "exporters", ["console", "otlp", "otlp/stdout"], None, {}),
    ("OTEL_TRACES_EXPORTER", "zipkin", "exporters", [], "zipkin is ignored", {}),
    ("OTEL_LOGS_EXPORTER", "otlp", "withoutEffect", ["OTEL_LOGS_EXPORTER"], None, {}),
    (OTLP + "ENDPOINT", "http://c:1/base/", "otlp endpoint", "http://c:1/base/v1/traces", None, {}),
    (OTLP + "ENDPOINT", "unix:///run/otlp", "otlp unixSocket", "/run/otlp", None, {}),
    (OTLP + "TRACES_ENDPOINT", "http://c:1", "otlp endpoint", "http://c:1", None, {OTLP + "ENDPOINT": "http://d"}),
    (OTLP + "PROTOCOL", "GRPC", "otlp endpoint", "http://localhost:4317" + GRPC_PATH, None, TO),
    (OTLP + "PROTOCOL", "thrift", "otlp protocol", "http/protobuf", "ignored", TO),
    (OTLP + "TRACES_PROTOCOL", "http/json", "otlp protocol", "http/json", None, dict(TO, **{OTLP + "PROTOCOL": "grpc"})),
    (OTLP + "INSECURE", "true", "otlp endpoint", "http://c:1" + GRPC_PATH, None,
     {OTLP + "PROTOCOL": "grpc", OTLP + "ENDPOINT": "c:1"}),
    (OTLP + "INSECURE", "1", "otlp endpoint", "https://c:1" + GRPC_PATH, "ignored",
     {OTLP + "PROTOCOL": "grpc", OTLP + "ENDPOINT": "c:1"}),
    (OTLP + "TRACES_INSECURE", "true", "otlp endpoint", "https://c:1" + GRPC_PATH, None,
     {OTLP + "PROTOCOL": "grpc", OTLP + "ENDPOINT": "https://c:1"}),
    (OTLP + "HEADERS", "api-key=a%20b", "otlp headers", {"api-key": "***"}, None, TO),
    (OTLP + "TRACES_HEADERS", "x=1", "otlp headers", {"x": "***"}, None, dict(TO, **{OTLP + "HEADERS": "y=1"})),
    (OTLP + "COMPRESSION", "GZip", "otlp compression", "gzip", None, TO),
    (OTLP + "COMPRESSION", "lz4", "otlp compression", "none", "ignored", TO),
    (OTLP + "TRACES_COMPRESSION", "none", "otlp compression", "none", None, dict(TO, **{OTLP + "COMPRESSION": "gzip"})),
    (OTLP + "TIMEOUT", "2500", "otlp timeoutMs", 2500, None, TO),
    (OTLP + "TIMEOUT", "0", "otlp timeoutMs", None, None, TO),
    (OTLP + "TIMEOUT", "-1", "otlp timeoutMs", 10000, "ignored", TO),
    (OTLP + "TIMEOUT", "10 s", "otlp timeoutMs", 10000, "ignored", TO),
    (OTLP + "TRACES_TIMEOUT", str(2 ** 31 - 1), "otlp timeoutMs", 2 ** 31 - 1, None, dict(TO, **{OTLP + "TIMEOUT": "1"})),
    ("OTEL_CONFIG_FILE", "sdk.yaml", "sampler", "always_off", "configuration files are not supported",
     {"OTEL_TRACES_SAMPLER": "always_off"}),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "sdk.yaml", "sampler", "parentbased_always_on",
     "configuration files are not supported", {}),
    ("OTEL_SEMCONV_STABILITY_OPT_IN", "messaging/dup", "withoutEffect", ["OTEL_SEMCONV_STABILITY_OPT_IN"], None, {}),
    ("FLOWTRACE_CONVENTIONS", "Krishiv", "conventions", "krishiv", None, {}),
    ("FLOWTRACE_CONVENTIONS", "krishv", "conventions", "flowtrace", "did you mean 'krishiv'?", {}),
    ("FLOWTRACE_CONVENTIONS", "otelcol", "conventions", "otelcol", None, {}),
    ("FLOWTRACE_CONVENTIONS", "NumaFlow-1.8", "conventions", "numaflow-1.8", None, {}),
    ("FLOWTRACE_CONVENTIONS", "foundations-5.8", "conventions", "foundations-5.8", None, {}),
    ("FLOWTRACE_CONVENTIONS", " reflow ", "conventions", "reflow", None, {}),
    ("FLOWTRACE_CONVENTIONS", "numaflow-1.9", "conventions", "flowtrace", "did you mean 'numaflow-1.8'?", {}),
    ("KRISHIV_DEPLOYMENT_TARGET", "k8s", "resource deployment.target", "k8s", None, {"FLOWTRACE_CONVENTIONS": "krishiv"}),
]
PEM = [OTLP + middle + file for middle in ("", "TRACES_") for file in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")]


def at(found, path):
    for key in path.split():
        found = found.get(key) if found is not None else None
    return found


class EveryVariable(unittest.TestCase):
    def test_each_row(self):
        for variable, value, path, expected, warning, others in ROWS:
            with self.subTest(variable=variable, value=value):
                found, _ = effective(**dict(others, **{variable: value}))
                self.assertEqual(at(found, path), expected)
                told = [text for text in found["warnings"] if text.startswith(variable + ": ")]
                self.assertEqual(found["warnings"], told)
                self.assertEqual(len(told), 0 if warning is None else 1, told)
                if warning:
                    self.assertIn(warning, told[0])

    def test_each_may_be_empty(self):
        plain, _ = effective()
        plain["resource"].pop("process.pid")
        for variable in sorted({row[0] for row in ROWS} | set(PEM)):
            with self.subTest(variable=variable):
                found, _ = effective(**{variable: ""})
                found["resource"].pop("process.pid")
                self.assertEqual(found, plain)

    def test_the_list_is_whole(self):
        """Of those that the program knows by name: each has a row, but for files, which interop/tls tries."""
        with open(os.path.join(harness.ROOT, "src", "export", "environment.c"), encoding="utf-8") as file:
            text = file.read()
        known = set(re.findall(r'"(OTEL_[A-Z_]+[A-Z])"', text))
        known |= {OTLP + middle + suffix for suffix in re.findall(r'OTLP\("([A-Z_]+)"\)', text)
                  for middle in ("", "TRACES_")}
        self.assertGreater(len(known), 40)
        self.assertEqual(known - {row[0] for row in ROWS} - set(PEM), set())

    def test_a_disabled_library_still_propagates(self):
        """propagators stay active: what `flowtrace env` says of them is what unit/trace/session tries."""
        found, _ = effective(OTEL_SDK_DISABLED="true", OTEL_TRACES_EXPORTER="otlp")
        self.assertEqual((found["exporters"], found["propagators"]), ([], ["tracecontext", "baggage"]))


if __name__ == "__main__":
    harness.main()
