/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's form turned into ours. What is expected is what the Collector's documentation
 * says of each option and its default (opentelemetry-collector and -contrib: README.md of each
 * component, config/configgrpc, confighttp, configtls, configretry, exporter/exporterhelper), in
 * the words of docs/nodes.md. */
#include "collector_form.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void put(const char *text)
{
    assert_int_equal(ftri_bytes_append_str(&it.text, ftr_str_from(text)), 0);
}

/* {key: value, list: [a, b]} */
static void put_value(const struct config_value *value)
{
    const bool is_list = config_kind(value) == CONFIG_SEQUENCE;
    if (config_kind(value) == CONFIG_SCALAR) {
        put(config_text(value));
        return;
    }
    put(is_list ? "[" : "{");
    for (size_t i = 0; i < config_size(value); i++) {
        put(i ? ", " : "");
        put(is_list ? "" : config_text(config_key(value, i)));
        put(is_list ? "" : ": ");
        put_value(config_item(value, i));
    }
    put(is_list ? "]" : "}");
}

/* A line a node: id type {...}; then a line a connection: from > to. */
static const char *printed(void)
{
    const struct config_value *nodes = config_get(it.root, "nodes");
    const struct config_value *connections = config_get(it.root, "connections");
    for (size_t i = 0; i < config_size(nodes); i++) {
        const struct config_value *node = config_value_at(nodes, i);
        const struct config_value *config = config_get(node, "config");
        put(config_text(config_key(nodes, i)));
        put(" ");
        put(config_text(config_get(node, "type")));
        put(config ? " " : "");
        if (config)
            put_value(config);
        put("\n");
    }
    for (size_t i = 0; i < config_size(connections); i++) {
        put(config_text(config_get(config_item(connections, i), "from")));
        put(" > ");
        put(config_text(config_get(config_item(connections, i), "to")));
        put("\n");
    }
    assert_int_equal(ftri_bytes_append_char(&it.text, '\0'), 0);
    return (const char *)it.text.data;
}

static void check_graph(const char *text, const char *expected)
{
    if (translate(text) < 0)
        fail_msg("%s", it.error.text);
    assert_string_equal(printed(), expected);
    assert_int_equal(it.warnings.len, 0);
    leave();
}

static void check_line(const char *text, const char *line)
{
    if (translate(text) < 0)
        fail_msg("%s\nof:\n%s", it.error.text, text);
    if (!strstr(printed(), line))
        fail_msg("expected\n%s\nin:\n%s", line, (const char *)it.text.data);
    leave();
}

static void test_a_usual_configuration(void **state)
{
    (void)state;
    check_graph("receivers:\n"
                "  otlp: {protocols: {grpc: , http: }}\n"
                "processors:\n"
                "  memory_limiter: {check_interval: 1s, limit_mib: 512}\n"
                "  batch:\n"
                "exporters:\n"
                "  otlp: {endpoint: 'tempo:4317', tls: {insecure: true}}\n"
                "service:\n"
                "  pipelines:\n"
                "    traces:\n"
                "      receivers: [otlp]\n"
                "      processors: [memory_limiter, batch]\n"
                "      exporters: [otlp]\n",
                "receivers::otlp receiver/otlp {grpc: localhost:4317, max_message: 4MiB, "
                "max_streams: 100, http: localhost:4318, max_body: 20971520, header_timeout: "
                "60000000000ns, body_timeout: 30000000000ns, idle_timeout: 60000000000ns, signals: "
                "[traces]}\n"
                "exporters::otlp::sending_queue processor/retry {initial_delay: 5000000000ns, "
                "max_delay: 30000000000ns, max_elapsed: 300000000000ns, multiplier: 1.5, jitter: "
                "0.5, max_held: 1000, acknowledge: held}\n"
                "exporters::otlp exporter/otlp {protocol: grpc, endpoint: tempo:4317, compression: "
                "gzip, timeout: 5000000000ns, insecure: true, certificate: , client_certificate: , "
                "client_key: , max_in_flight: 10}\n"
                "traces::memory_limiter processor/memory_limiter {limit: 536870912, spike: 0, "
                "interval: 1000000000ns}\n"
                "traces::batch processor/batch {max_items: 8192, max_delay: 200000000ns}\n"
                "exporters::otlp::sending_queue > exporters::otlp\n"
                "traces::memory_limiter > traces::batch\n"
                "receivers::otlp[\"traces\"] > traces::memory_limiter\n"
                "traces::batch > exporters::otlp::sending_queue\n");
}

/* A receiver of two pipelines is there once, so is an exporter; a processor twice. */
static void test_what_pipelines_share(void **state)
{
    (void)state;
    check_graph(
        "receivers: {otlp/a: {protocols: {grpc: {endpoint: '127.0.0.1:1'}}}}\n"
        "processors: {attributes/x: {actions: [{action: delete, key: k}]}}\n"
        "exporters: {debug: , nop/all: }\n"
        "service:\n"
        "  pipelines:\n"
        "    traces: {receivers: [otlp/a], processors: [attributes/x], exporters: [debug]}\n"
        "    traces/2: {receivers: [otlp/a], processors: [attributes/x], exporters: "
        "[nop/all, debug]}\n"
        "    metrics: {receivers: [otlp/a], exporters: [nop/all, debug]}\n"
        "  telemetry: {logs: {level: DEBUG}, metrics: {level: detailed}}\n",
        "receivers::otlp/a receiver/otlp {grpc: 127.0.0.1:1, max_message: 4MiB, "
        "max_streams: 100, http: off, signals: [traces, metrics]}\n"
        "exporters::debug exporter/stdout\n"
        "exporters::nop/all exporter/noop\n"
        "traces::attributes/x processor/attributes {actions: [{action: delete, key: k, at: "
        "item}]}\n"
        "traces/2::attributes/x processor/attributes {actions: [{action: delete, key: k, "
        "at: item}]}\n"
        "receivers::otlp/a[\"traces\"] > traces::attributes/x\n"
        "traces::attributes/x > exporters::debug\n"
        "receivers::otlp/a[\"traces\"] > traces/2::attributes/x\n"
        "traces/2::attributes/x > exporters::nop/all\n"
        "traces/2::attributes/x > exporters::debug\n"
        "receivers::otlp/a[\"metrics\"] > exporters::nop/all\n"
        "receivers::otlp/a[\"metrics\"] > exporters::debug\n");
}

static void test_connectors(void **state)
{
    (void)state;
    check_graph(
        OTLP DEBUG
        "connectors:\n"
        "  forward/on: {}\n"
        "  routing:\n"
        "    default_pipelines: [traces/rest]\n"
        "    error_mode: ignore\n"
        "    table:\n"
        "      - {context: resource, condition: 'attributes[\"tenant\"] == \"a\" or "
        "resource.attributes[\"tenant\"] == \"b\"', pipelines: [traces/ab]}\n"
        "      - {statement: 'route() where attributes[\"tenant\"] == 7', pipelines: [traces/ab, "
        "traces/rest]}\n"
        "service:\n"
        "  pipelines:\n"
        "    traces: {receivers: [otlp], exporters: [forward/on]}\n"
        "    traces/in: {receivers: [forward/on], exporters: [routing]}\n"
        "    traces/ab: {receivers: [routing], exporters: [debug]}\n"
        "    traces/rest: {receivers: [routing], exporters: [debug]}\n",
        "receivers::otlp receiver/otlp {grpc: localhost:4317, max_message: 4MiB, max_streams: "
        "100, http: off, signals: [traces]}\n"
        "exporters::debug exporter/stdout\n"
        "connectors::forward/on processor/forward\n"
        "connectors::routing processor/route {otherwise: traces/rest, attribute: "
        "tenant, routes: {traces/ab: [a, b], traces/ab, traces/rest: [7]}}\n"
        "receivers::otlp[\"traces\"] > connectors::forward/on\n"
        "connectors::forward/on > connectors::routing\n"
        "connectors::routing[\"traces/ab\"] > exporters::debug\n"
        "connectors::routing[\"traces/ab, traces/rest\"] > exporters::debug\n"
        "connectors::routing[\"traces/ab, traces/rest\"] > exporters::debug\n"
        "connectors::routing[\"traces/rest\"] > exporters::debug\n");
}

/* One option each, in a configuration with everything else as it is. */
static void check_receiver(const char *protocols, const char *line)
{
    char text[1024];
    snprintf(text, sizeof text, "receivers: {otlp: {protocols: {%s}}}\n" DEBUG SERVICE, protocols);
    check_line(text, line);
}

static void test_options_of_the_otlp_receiver(void **state)
{
    (void)state;
    check_receiver("grpc: {endpoint: ':4317'}", "{grpc: 0.0.0.0:4317, ");
    check_receiver("grpc: {endpoint: '[::1]:1'}", "{grpc: [::1]:1, ");
    check_receiver("grpc: {endpoint: /run/x.sock, transport: unix}", "{grpc: unix:/run/x.sock, ");
    check_receiver("grpc: {max_recv_msg_size_mib: 16}", "max_message: 16MiB, ");
    check_receiver("grpc: {max_recv_msg_size_mib: 0}", "max_message: 4MiB, ");
    check_receiver("grpc: {max_concurrent_streams: 7}", "max_streams: 7, ");
    check_receiver("grpc: {read_buffer_size: 1, write_buffer_size: 2, include_metadata: true}",
                   "max_streams: 100, ");
    check_receiver("http: {endpoint: '0.0.0.0:80'}", "{grpc: off, http: 0.0.0.0:80, ");
    check_receiver("http: {max_request_body_size: 5000}", "max_body: 5000, ");
    check_receiver("http: {read_header_timeout: 2s}", "header_timeout: 2000000000ns, ");
    check_receiver("http: {write_timeout: 1m30s}", "body_timeout: 90000000000ns, ");
    check_receiver("http: {idle_timeout: 5s}", "idle_timeout: 5000000000ns, ");
    check_receiver("http: {traces_url_path: /v1/traces}", "http: localhost:4318, ");
}

static void check_processor(const char *id, const char *config, const char *line)
{
    char text[1024];
    snprintf(text, sizeof text,
             OTLP DEBUG "processors: {%s: %s}\nservice: {pipelines: {traces: {receivers: [otlp], "
                        "processors: [%s], exporters: [debug]}}}\n",
             id, config, id);
    check_line(text, line);
}

static void test_options_of_processors(void **state)
{
    (void)state;
    check_processor("batch/b", "{send_batch_size: 10, timeout: 1s}",
                    "traces::batch/b processor/batch {max_items: 10, max_delay: 1000000000ns}\n");
    check_processor("batch", "{timeout: 0s}", "{max_items: 1, max_delay: 1000000ns}\n");
    check_processor("batch", "{send_batch_size: 0}", "{max_items: 1, max_delay: 1000000ns}\n");
    check_processor("batch", "{send_batch_size: 8, send_batch_max_size: 9}",
                    "{max_items: 8, max_delay: 200000000ns, split: 9}\n");
    check_processor("memory_limiter",
                    "{check_interval: 500ms, limit_mib: 100, spike_limit_mib: 30, "
                    "min_gc_interval_when_soft_limited: 1s}",
                    "{limit: 104857600, spike: 31457280, interval: 500000000ns}\n");
    check_processor("attributes",
                    "{actions: [{key: a, value: '1', action: upsert}, {key: b, action: delete}]}",
                    "{actions: [{key: a, value: 1, action: upsert, at: item}, {key: b, action: "
                    "delete, at: item}]}\n");
    check_processor("resource", "{attributes: [{key: env, value: prod, action: insert}]}",
                    "processor/attributes {actions: [{key: env, value: prod, action: insert, at: "
                    "resource}]}\n");
}

static void check_filter(const char *condition, const char *line)
{
    char config[512];
    snprintf(config, sizeof config, "{traces: {span: ['%s']}}", condition);
    check_processor("filter", config, line);
}

#define FILTER "traces::filter processor/filter "

static void test_conditions_of_the_filter(void **state)
{
    (void)state;
    check_filter("attributes[\"a\"] == \"b\"",
                 FILTER "{attribute: a, at: item, required: true, values: [b], drop: matching}\n");
    check_filter("span.attributes[\"a\"] != -12",
                 FILTER "{attribute: a, at: item, required: true, values: [-12], drop: others}\n");
    check_filter("resource.attributes[\"a\"] == true", FILTER
                 "{attribute: a, at: resource, required: true, values: [true], drop: matching}\n");
    check_filter("IsMatch(attributes[\"u\"], \"^/x\\\\.[0-9]+\")",
                 FILTER "{attribute: u, at: item, required: true, matches: ^/x\\.[0-9]+, drop: "
                        "matching}\n");
    check_filter("IsMatch(name, \"a[].[:alpha:]^]\\\\[b[^]/]\")",
                 FILTER "{name: a[].[:alpha:]^]\\[b[^]/], drop: matching}\n");
    check_filter("name == \"a.b(c)\"", FILTER "{name: ^a\\.b\\(c\\)$, drop: matching}\n");
    check_filter("span.name != \"x\"", FILTER "{name: ^x$, drop: others}\n");
    check_filter("IsMatch(name, \"^GET \")", FILTER "{name: ^GET , drop: matching}\n");
    check_filter("status.code == STATUS_CODE_ERROR", FILTER "{status: error, drop: matching}\n");
    check_filter("status.code != 1", FILTER "{status: ok, drop: others}\n");
    check_filter("name == \"x\" or status.code == 2",
                 FILTER "{name: ^x$, drop: matching}\n"
                        "traces::filter::2 processor/filter {status: error, drop: matching}\n");
}

static void check_refused_filter(const char *condition, const char *words)
{
    char text[1024];
    snprintf(text, sizeof text,
             OTLP DEBUG
             "processors: {filter: {traces: {span: ['%s']}}}\nservice: {pipelines: "
             "{traces: {receivers: [otlp], processors: [filter], exporters: [debug]}}}\n",
             condition);
    if (translate(text) == 0)
        fail_msg("expected a refusal: %s", condition);
    assert_non_null(strstr(it.error.text, words));
    leave();
}

/* What just fits, and one more. */
static void test_bounds_of_conditions(void **state)
{
    (void)state;
    char text[257], condition[300], line[400];
    memset(text, 'x', sizeof text);
    snprintf(condition, sizeof condition, "attributes[\"a\"] == \"%.255s\"", text);
    snprintf(line, sizeof line, "values: [%.255s]", text);
    check_filter(condition, line);
    snprintf(condition, sizeof condition, "attributes[\"a\"] == \"%.256s\"", text);
    check_refused_filter(condition, "a text is longer than 255 bytes");
    snprintf(condition, sizeof condition, "attributes[\"%.256s\"] == 1", text);
    check_refused_filter(condition, "a text is longer than 255 bytes");
    check_filter("attributes[\"a\"] == -1234567890123456789", "values: [-1234567890123456789]");
    check_refused_filter("attributes[\"a\"] == 123456789012345678901", "a whole number");
    check_refused_filter("attributes[\"a\"] == -", "a whole number");
    check_refused_filter("attributes[\"a\"] == 1.5", "a whole number");
}

static void test_conditions_of_other_signals(void **state)
{
    (void)state;
    static const char config[] = OTLP DEBUG
        "processors:\n"
        "  filter:\n"
        "    error_mode: ignore\n"
        "    metrics: {metric: ['metric.name == \"m\"'], datapoint: ['attributes[\"d\"] == 1']}\n"
        "    logs: {log_record: ['severity_number < SEVERITY_NUMBER_WARN']}\n"
        "service:\n"
        "  pipelines:\n"
        "    traces: {receivers: [otlp], processors: [filter], exporters: [debug]}\n"
        "    logs: {receivers: [otlp], processors: [filter], exporters: [debug]}\n"
        "    metrics: {receivers: [otlp], processors: [filter], exporters: [debug]}\n";
    check_line(config, "exporters::debug exporter/stdout\n"
                       "logs::filter processor/filter {min_severity: warn, drop: others}\n"
                       "metrics::filter processor/filter {name: ^m$, drop: matching}\n"
                       "metrics::filter::2 processor/filter {attribute: d, at: item, required: "
                       "true, values: [1], drop: matching}\n"
                       "receivers::otlp[\"traces\"] > exporters::debug\n");
}

static void check_exporter(const char *id, const char *config, const char *line)
{
    char text[1024];
    snprintf(text, sizeof text,
             OTLP "exporters: {%s: %s}\nservice: {pipelines: {traces: {receivers: [otlp], "
                  "exporters: [%s]}}}\n",
             id, config, id);
    check_line(text, line);
}

static void test_options_of_the_otlp_exporters(void **state)
{
    (void)state;
    check_exporter("otlp_grpc/x", "{endpoint: 'https://h:1'}",
                   "exporters::otlp_grpc/x exporter/otlp {protocol: grpc, endpoint: https://h:1, ");
    check_exporter("otlp", "{endpoint: 'dns:///h:1'}", "endpoint: h:1, ");
    check_exporter("otlp", "{endpoint: 'h:1', timeout: 9s, wait_for_ready: true}",
                   "timeout: 9000000000ns, insecure: false, ");
    check_exporter("otlphttp", "{endpoint: 'http://h:1/p'}",
                   "exporters::otlphttp exporter/otlp {protocol: http/protobuf, endpoint: "
                   "http://h:1/p, compression: gzip, timeout: 30000000000ns, ");
    check_exporter("otlp_http", "{traces_endpoint: 'http://h:1/p', encoding: json}",
                   "{protocol: http/json, traces_endpoint: http://h:1/p, ");
    check_exporter("otlphttp", "{endpoint: 'http://h:1', compression: none}",
                   "compression: none, ");
    check_exporter("otlphttp", "{endpoint: 'http://h:1', compression: zstd}",
                   "compression: zstd, ");
    check_exporter("otlphttp",
                   "{endpoint: 'https://h', tls: {ca_file: a, cert_file: b, key_file: c}}",
                   "insecure: false, certificate: a, client_certificate: b, client_key: c, ");
    check_exporter("otlp", "{endpoint: 'h:1', headers: {authorization: 'Bearer a,b', x-n: 5}}",
                   "headers: authorization=Bearer%20a%2Cb,x-n=5, max_in_flight: 10}\n");
}

static void test_queues_and_retries(void **state)
{
    (void)state;
#define END "{endpoint: 'h:1', "
    check_exporter("otlp", END "sending_queue: {num_consumers: 3, queue_size: 7}}",
                   "max_held: 7, acknowledge: held}\n");
    check_exporter("otlp", END "sending_queue: {num_consumers: 3}}", "max_in_flight: 3}\n");
    check_exporter("otlp", END "sending_queue: {wait_for_result: true, block_on_overflow: true}}",
                   "acknowledge: delivered}\n");
    check_exporter("otlp", END "sending_queue: {enabled: false}}",
                   "exporters::otlp::retry_on_failure processor/retry {initial_delay: "
                   "5000000000ns, max_delay: 30000000000ns, max_elapsed: 300000000000ns, "
                   "multiplier: 1.5, jitter: 0.5, max_held: 1000, acknowledge: delivered}\n");
    check_exporter("otlp", END "retry_on_failure: {enabled: false}}", "max_elapsed: 0s, ");
    check_exporter("otlp", END "retry_on_failure: {enabled: false, max_elapsed_time: 1s}}",
                   "max_elapsed: 0s, ");
    check_exporter("otlp",
                   END "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}",
                   "receivers::otlp[\"traces\"] > exporters::otlp\n");
    check_exporter("otlp",
                   END "retry_on_failure: {initial_interval: 1s, max_interval: 2s, "
                       "max_elapsed_time: 0s, multiplier: 2, randomization_factor: 0}}",
                   "{initial_delay: 1000000000ns, max_delay: 2000000000ns, max_elapsed: 36500d, "
                   "multiplier: 2, jitter: 0, ");
    check_exporter("otlp",
                   END "sending_queue: {batch: {flush_timeout: 1s, min_size: 5, max_size: 6}}}",
                   "exporters::otlp::sending_queue::batch processor/batch {max_items: 5, "
                   "max_delay: 1000000000ns, split: 6}\n");
#undef END
}

static void test_options_of_other_exporters(void **state)
{
    (void)state;
    check_exporter("file", "{path: /x}", "exporter/file {path: /x, truncate: true}\n");
    check_exporter("file", "{path: /x, append: true, format: json, flush_interval: 1s}",
                   "exporter/file {path: /x, truncate: false}\n");
    check_exporter("debug", "{verbosity: detailed, sampling_initial: 5, sampling_thereafter: 200}",
                   "exporters::debug exporter/stdout\n");
    check_exporter("nop", "", "exporters::nop exporter/noop\n");
}

static void test_lines_of_files(void **state)
{
    (void)state;
    check_graph("receivers: {filelog: {include: [/a.log, /b.log], start_at: beginning}}\n" DEBUG
                "service: {pipelines: {logs: {receivers: [filelog], exporters: [debug]}}}\n",
                "receivers::filelog receiver/file {paths: [/a.log, /b.log], from: start, format: "
                "text, poll_interval: 200000000ns, max_line: 1048576}\n"
                "exporters::debug exporter/stdout\n"
                "receivers::filelog > exporters::debug\n");
}

static void test_extensions(void **state)
{
    (void)state;
    check_graph(
        OTLP DEBUG "extensions: {health_check: , health_check/2: {endpoint: ':7', path: /h, "
                   "response_body: {healthy: up, unhealthy: down}}}\n"
                   "service:\n  extensions: [health_check, health_check/2]\n"
                   "  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}\n",
        "receivers::otlp receiver/otlp {grpc: localhost:4317, max_message: 4MiB, "
        "max_streams: 100, http: off, signals: [traces]}\n"
        "exporters::debug exporter/stdout\n"
        "extensions::health_check receiver/health {address: localhost:13133, path: /}\n"
        "extensions::health_check/2 receiver/health {address: 0.0.0.0:7, path: /h, healthy: "
        "up, unhealthy: down}\n"
        "receivers::otlp[\"traces\"] > exporters::debug\n");
    assert_int_equal(translate(OTLP DEBUG "extensions: {health_check: }\n" SERVICE), 0);
    assert_int_equal(ftri_bytes_append_char(&it.warnings, '\0'), 0);
    assert_string_equal((const char *)it.warnings.data,
                        "c.yaml:3:14: extensions::health_check is not in service::extensions\n");
    assert_null(strstr(printed(), "health"));
    leave();
}

static void test_the_environment(void **state)
{
    (void)state;
    setenv("COLLECTOR_TEST_ENDPOINT", "127.0.0.1:7", 1);
    check_receiver("grpc: {endpoint: '${env:COLLECTOR_TEST_ENDPOINT}'}", "{grpc: 127.0.0.1:7, ");
    check_receiver("grpc: {endpoint: '${COLLECTOR_TEST_ENDPOINT}'}", "{grpc: 127.0.0.1:7, ");
    check_receiver("grpc: {endpoint: '${COLLECTOR_TEST_NO:-[::1]:8}'}", "{grpc: [::1]:8, ");
    unsetenv("COLLECTOR_TEST_ENDPOINT");
}

static void test_what_is_unused_is_checked_and_told(void **state)
{
    (void)state;
    assert_int_equal(translate(OTLP DEBUG "processors:\n  batch/x: {timeout: 1s}\n" SERVICE), 0);
    assert_int_equal(ftri_bytes_append_char(&it.warnings, '\0'), 0);
    assert_string_equal((const char *)it.warnings.data,
                        "c.yaml:4:3: processors::batch/x is in no pipeline\n");
    assert_null(strstr(printed(), "batch"));
    leave();
    check_refusal(OTLP DEBUG "processors:\n  batch/x: {timeut: 1s}\n" SERVICE,
                  "c.yaml:4:13: processors::batch/x: there is no option 'timeut'; did you mean "
                  "'timeout'?");
}

static void test_which_form_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_collector;
    } cases[] = {
        {"service: {}", true},
        {"receivers: {}", true},
        {"exporters: {}", true},
        {"nodes: {}", false},
        {"{nodes: {}, service: }", false},
        {"pipeline: x", false},
        {"{connections: [], exporters: {}}", false},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        struct config_document *document;
        struct ftri_error error;
        assert_int_equal(config_parse(ftr_str_from(cases[i].text), "f", &document, &error), 0);
        assert_int_equal(collector_form_is(document), cases[i].is_collector);
        config_free(document);
    }
}

/* Large enough for a good number of chunks. */
static void write_many(struct ftri_bytes *text)
{
    int r = ftri_bytes_append_str(text, FTR_STR("receivers: {otlp: {protocols: {grpc: }}}\n"
                                                "exporters: {otlp: {endpoint: 'h:1'}}\n"
                                                "processors: {batch: }\nservice:\n  pipelines:\n"));
    for (int i = 0; r == 0 && i < 100; i++)
        r = ftri_bytes_printf(text,
                              "    traces/%d: {receivers: [otlp], processors: [batch], exporters: "
                              "[otlp]}\n",
                              i);
    assert_int_equal(r, 0);
}

static void test_short_memory_is_an_error(void **state)
{
    (void)state;
    struct ftri_bytes text;
    ftri_bytes_init(&text, 1 << 16);
    size_t n_refused = 0;
    write_many(&text);
    for (uint64_t n = 1;; n++) {
        struct config_document *document = NULL;
        const struct config_value *root = NULL;
        struct ftri_error error = {{0}};
        assert_int_equal(
            config_parse(ftri_view_str(ftri_bytes_view(&text)), "f.yaml", &document, &error), 0);
        const struct collector_form form = {.document = document};
        ftri_mem_fail_at(n);
        const int r = collector_form_read(&form, &root, &error);
        const bool is_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        config_free(document);
        if (r != 0) { /* else the arena did with a smaller chunk */
            assert_int_equal(r, -ENOMEM);
            assert_true(is_failed);
            assert_non_null(strstr(error.text, "memory is short"));
            n_refused++;
        }
        if (!is_failed) {
            assert_true(n_refused >= 3);
            break;
        }
    }
    ftri_bytes_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_usual_configuration),
        cmocka_unit_test(test_what_pipelines_share),
        cmocka_unit_test(test_connectors),
        cmocka_unit_test(test_options_of_the_otlp_receiver),
        cmocka_unit_test(test_options_of_processors),
        cmocka_unit_test(test_conditions_of_the_filter),
        cmocka_unit_test(test_bounds_of_conditions),
        cmocka_unit_test(test_conditions_of_other_signals),
        cmocka_unit_test(test_options_of_the_otlp_exporters),
        cmocka_unit_test(test_queues_and_retries),
        cmocka_unit_test(test_options_of_other_exporters),
        cmocka_unit_test(test_lines_of_files),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_the_environment),
        cmocka_unit_test(test_what_is_unused_is_checked_and_told),
        cmocka_unit_test(test_which_form_it_is),
        cmocka_unit_test(test_short_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
