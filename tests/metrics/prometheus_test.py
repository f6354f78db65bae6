#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The text against Prometheus itself: promtool checks it, a server scrapes it and gives back what
it stored, exemplars included; the same of a running graph's own /metrics. Debian's package is
unpacked beside the build, not installed: it would start a service.

usage: prometheus_test.py --build DIR
"""
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "scenario"))
import harness  # noqa: E402
import metrics_test  # noqa: E402

PATIENCE_S = 120
TYPES = {"prometheus": "text/plain; version=0.0.4",
         "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8"}


def unpack():
    """The folder with promtool and prometheus."""
    folder = os.path.join(harness.BUILD, "tests", "prometheus")
    programs = os.path.join(folder, "usr", "bin")
    if not os.path.exists(os.path.join(programs, "promtool")):
        with tempfile.TemporaryDirectory(dir=os.path.join(harness.BUILD, "tests")) as download:
            subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=download, check=True,
                           timeout=240, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            (package,) = os.listdir(download)
            unpacked = os.path.join(download, "unpacked")
            subprocess.run(["dpkg-deb", "-x", os.path.join(download, package), unpacked], check=True,
                           timeout=240)
            os.rename(unpacked, folder)
    return programs


def text_of(form, *words):
    """What the example writes, in the form asked for."""
    program = os.path.join(harness.BUILD, "examples", "metrics")
    return subprocess.run([program, form, *words], stdout=subprocess.PIPE, timeout=60, check=True).stdout


class Target(http.server.BaseHTTPRequestHandler):
    pages = {}

    def do_GET(self):
        form = "openmetrics" if "openmetrics" in self.headers.get("Accept", "") else "prometheus"
        form = self.path[1:] or form
        body = self.pages[form]
        self.send_response(200)
        self.send_header("Content-Type", TYPES[form])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server:
    """Prometheus on a free port; jobs: {name: (port, path)}."""

    def __init__(self, programs, folder, jobs):
        configuration = os.path.join(folder, "prometheus.yml")
        with open(configuration, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [
                {"job_name": name, "metrics_path": path, "honor_timestamps": True,
                 "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for name, (port, path) in jobs.items()]}, file)
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.join(programs, "prometheus"), "--config.file=" + configuration,
             "--storage.tsdb.path=" + os.path.join(folder, "data"), "--web.listen-address=127.0.0.1:0",
             "--enable-feature=exemplar-storage", "--web.console.templates=", "--web.console.libraries="],
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.port = self.wait(self.find_port)

    def wait(self, look):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            found = look()
            if found:
                return found
            time.sleep(0.2)
        self.log.seek(0)
        raise AssertionError(f"Prometheus: {self.process.poll()} {self.log.read()[-2000:]}")

    def find_port(self):
        """It does not say which one port 0 became: of its listening sockets there is one."""
        inodes = set()
        try:
            for name in os.listdir(f"/proc/{self.process.pid}/fd"):
                found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{self.process.pid}/fd/{name}"))
                if found:
                    inodes.add(found[1])
        except FileNotFoundError:
            return None
        with open("/proc/net/tcp", encoding="ascii") as table:
            for row in [line.split() for line in table][1:]:
                if row[3] == "0A" and row[9] in inodes:
                    return int(row[1].split(":")[1], 16)
        return None

    def get(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def query(self, text):
        data = self.get("/api/v1/query", query=text)
        return data["result"] if data else []

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Prometheus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = unpack()

    def promtool(self, text):
        done = subprocess.run([os.path.join(self.programs, "promtool"), "check", "metrics"], input=text,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        return done.returncode, done.stdout.decode()

    def check(self, *words):
        return self.promtool(text_of("prometheus", *words))

    def test_promtool_finds_nothing(self):
        self.assertEqual(self.check("seconds"), (0, ""))

    def test_promtool_would_have_base_units(self):
        """Milliseconds are what dashboards expect: the names are right, and that is all there is."""
        code, remarks = self.check("milliseconds")
        self.assertEqual((code, remarks.splitlines()),
                         (3, ['traces_span_metrics_duration_milliseconds use base unit "seconds" '
                              'instead of "milliseconds"']))

    def test_a_server_scrapes_both_forms(self):
        Target.pages = {form: text_of(form, "seconds") for form in TYPES}
        self.assertTrue(Target.pages["openmetrics"].endswith(b"# EOF\n"))
        target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
        threading.Thread(target=target.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as folder:
            server = Server(self.programs, folder, {form: (target.server_port, "/" + form) for form in TYPES})
            try:
                self.look(server)
            finally:
                server.close()
                target.shutdown()
                target.server_close()

    def look(self, server):
        server.wait(lambda: len(server.query("up == 1")) == len(TYPES))
        for form in TYPES:
            calls = server.wait(lambda: server.query(  # noqa: B023
                f'traces_span_metrics_calls_total{{job="{form}",status_code="STATUS_CODE_ERROR"}}'))
            self.assertEqual([sample["value"][1] for sample in calls], ["1"])
            self.assertEqual(calls[0]["metric"]["span_name"], "GET /orders")
            rpc = server.query(f'krishiv_grpc_call_duration_seconds_count{{job="{form}"}}')
            self.assertEqual({sample["metric"]["path"]: sample["value"][1] for sample in rpc},
                             {"/krishiv.Coordinator/Submit": "3", "/krishiv.Coordinator/Cancel": "1"})
            queue = [server.query(f'shop_queue_{name}{{job="{form}"}}') for name in ("length", "waited_seconds_total")]
            self.assertEqual([sample["value"][1] for samples in queue for sample in samples], ["3", "0.75"])
            info = server.query(f'target_info{{job="{form}"}}')
            self.assertEqual([sample["metric"]["service_name"] for sample in info], ["shop"])
        now = time.time()
        exemplars = server.wait(lambda: server.get("/api/v1/query_exemplars", start=now - 86400, end=now + 3600,
                                                   query="traces_span_metrics_duration_seconds_bucket"))
        for series in exemplars:
            self.assertEqual(series["seriesLabels"]["job"], "openmetrics")
            for exemplar in series["exemplars"]:
                self.assertRegex(exemplar["labels"]["trace_id"], "^[0-9a-f]{32}$")
                self.assertRegex(exemplar["labels"]["span_id"], "^[0-9a-f]{16}$")

    def test_a_server_scrapes_a_graph(self):
        """What it has stored is what the test of /metrics works out by itself."""
        expected = metrics_test.Expected()
        with tempfile.TemporaryDirectory() as folder:
            sink = metrics_test.Sink()
            self.addCleanup(sink.close)
            run = metrics_test.Shop(folder, {"OTEL_METRICS_EXPORTER": "none"}, sink)
            self.addCleanup(run.kill_if_alive)
            for body in expected.bodies:
                run.send(body)
            self.assertEqual(self.promtool(run.page()[1].encode()), (0, ""))
            server = Server(self.programs, folder, {"graph": (run.port("metrics"), "/metrics")})
            try:
                server.wait(lambda: self.stored(server, "flow_node_busy_seconds_total"))
                for name in sorted({name for name, _ in expected.samples if "_control_" not in name}):
                    self.assertEqual(self.stored(server, name), expected_of(expected, name), name)
                kinds = {row["metric"]: row["type"] for row in server.get(
                    "/api/v1/targets/metadata", match_target='{job="graph"}') if row["metric"].startswith("flow_")}
                self.assertEqual(kinds["flow_node_held_items"], "gauge")
                self.assertEqual(kinds["flow_path_duration_seconds"], "histogram")
            finally:
                server.close()
            self.assertEqual(run.stop(), 0, run.lines)

    @staticmethod
    def stored(server, name):
        """{labels: value}"""
        own = ("__name__", "job", "instance")
        return {frozenset((key, float(text) if key == "le" else text) for key, text in sample["metric"].items()
                          if key not in own): float(sample["value"][1]) for sample in server.query(name)}


def expected_of(expected, name):
    return {labels: value for (of, labels), value in expected.samples.items() if of == name}


if __name__ == "__main__":
    harness.main()
