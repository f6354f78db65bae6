/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the Collector's form is refused, and by which words: file, line and column, the path of
 * the option, why, and what to do. */
#include "collector_form.h"

#include "base/check.h"

#define P(id, config) OTLP DEBUG "processors:\n  " id ": " config "\n" SERVICE
#define X(id, config) OTLP "exporters:\n  debug:\n  " id ": " config "\n" SERVICE
#define R(config) "receivers:\n  otlp: " config "\n" DEBUG SERVICE
#define PIPELINES(text) OTLP DEBUG "service:\n  pipelines:\n    " text "\n"

static const struct {
    const char *text, *error;
} refusals[] = {
    {"receiverz: {}\n" OTLP DEBUG SERVICE,
     "c.yaml:1:1: the Collector's form has no 'receiverz'; did you mean 'receivers'?"},
    {OTLP DEBUG, "c.yaml:1:1: 'service' is required: nothing says which pipelines run"},
    {"receivers: []\n" DEBUG SERVICE,
     "c.yaml:1:12: receivers: expected a mapping of ids to configurations"},
    {R("{}"), "c.yaml:2:9: receivers::otlp: 'protocols' is required"},
    {R("{protocols: {}}"), "c.yaml:2:21: receivers::otlp: protocols: expected grpc, http, or both"},
    {R("{protocols: {grcp: }}"),
     "c.yaml:2:22: receivers::otlp::protocols: there is no option 'grcp'; did you mean 'grpc'?"},
    {R("{protocols: {grpc: {endpont: x}}}"),
     "c.yaml:2:29: receivers::otlp::protocols::grpc: there is no option 'endpont'; did you mean "
     "'endpoint'?"},
    {R("{protocols: {grpc: {tls: {}}}}"),
     "c.yaml:2:29: receivers::otlp::protocols::grpc: 'tls' is not supported: receiver/otlp speaks "
     "no TLS; put a proxy that does in front of it"},
    {R("{protocols: {grpc: {transport: udp}}}"),
     "c.yaml:2:40: receivers::otlp::protocols::grpc: transport: 'udp' is not one of tcp, unix"},
    {R("{protocols: {http: {cors: {}}}}"),
     "c.yaml:2:29: receivers::otlp::protocols::http: 'cors' is not supported: receiver/otlp does "
     "not answer browsers"},
    {R("{protocols: {http: {traces_url_path: /t}}}"),
     "c.yaml:2:46: receivers::otlp: protocols::http: traces_url_path: only /v1/traces is served"},
    {R("{protocols: {http: {max_request_body_size: -1}}}"),
     "c.yaml:2:52: receivers::otlp::protocols::http: max_request_body_size: expected a whole "
     "number, not '-1'"},
    {"receivers:\n  filelog: {include: ['/x/*.log']}\n" DEBUG
     "service: {pipelines: {logs: {receivers: [filelog], exporters: [debug]}}}",
     "c.yaml:2:24: receivers::filelog: include: patterns are not supported; name the files"},
    {"receivers:\n  filelog: {include: [/x], operators: []}\n" DEBUG
     "service: {pipelines: {logs: {receivers: [filelog], exporters: [debug]}}}",
     "c.yaml:2:28: receivers::filelog: 'operators' is not supported: lines become records as they "
     "are"},
    {"receivers: {filelog: {include: [/x]}}\n" DEBUG
     "service: {pipelines: {traces: {receivers: [filelog], exporters: [debug]}}}",
     "c.yaml:3:23: service::pipelines::traces: receivers::filelog makes logs only"},
    {"receivers: {filelog: {include: [/x]}}\nexporters: {otlp: {endpoint: 'h:1'}}\n"
     "service: {pipelines: {logs: {receivers: [filelog], exporters: [otlp]}}}",
     "c.yaml:3:64: service::pipelines::logs: exporters::otlp takes OTLP only, and the lines of "
     "receivers::filelog are none"},
    {"receivers: {jaeger: }\n" DEBUG SERVICE,
     "c.yaml:1:13: receivers::jaeger: the component 'jaeger' is not supported; there are filelog, "
     "otlp"},
    {"receivers:\n  filelog: {include: []}\n" DEBUG
     "service: {pipelines: {logs: {receivers: [filelog], exporters: [debug]}}}",
     "c.yaml:2:22: receivers::filelog: include: name at least one file"},
    {P("bach", ""),
     "c.yaml:4:3: processors::bach: the component 'bach' is not supported; did you mean 'batch'?"},
    {P("tail_sampling", "{}"),
     "c.yaml:4:3: processors::tail_sampling: the component 'tail_sampling' is not supported: there "
     "is no node for it yet"},
    {P("batch/", ""), "c.yaml:4:3: processors: 'batch/' is not a component's id: expected type or "
                      "type/name, at most "
                      "128 bytes, without brackets and quotes"},
    {P("batch", "{timeout: 5}"),
     "c.yaml:4:20: processors::batch: timeout: expected a duration such as 200ms, 5s, 1h or 7d, "
     "not '5'"},
    {P("batch", "{metadata_keys: [x]}"),
     "c.yaml:4:11: processors::batch: 'metadata_keys' is not supported: metadata of requests is "
     "not taken in"},
    {P("batch", "{send_batch_size: 10, send_batch_max_size: 5}"),
     "c.yaml:4:53: processors::batch: send_batch_max_size is less than send_batch_size"},
    {P("memory_limiter", "{limit_mib: 100}"),
     "c.yaml:4:19: processors::memory_limiter: 'check_interval' is required"},
    {P("memory_limiter", "{check_interval: 1s}"),
     "c.yaml:4:19: processors::memory_limiter: 'limit_mib' or 'limit_percentage' is required"},
    {P("memory_limiter", "{check_interval: 1s, limit_mib: 5, spike_limit_mib: 5}"),
     "c.yaml:4:71: processors::memory_limiter: spike_limit_mib is not less than limit_mib"},
    {P("memory_limiter", "{check_interval: 1s, limit_percentage: 101}"),
     "c.yaml:4:58: processors::memory_limiter: limit_percentage: '101' is out of range: 0 to 100"},
    {P("attributes", "{actions: [{key: a, action: hash}]}"),
     "c.yaml:4:43: processors::attributes: actions: action 'hash' is not supported: there are "
     "insert, update, upsert and delete"},
    {P("attributes", "{actions: [{key: a, action: insert, from_attribute: b}]}"),
     "c.yaml:4:51: processors::attributes::actions: 'from_attribute' is not supported: a value is "
     "given in the configuration"},
    {P("attributes", "{include: {}, actions: []}"),
     "c.yaml:4:16: processors::attributes: 'include' is not supported: actions are for every item; "
     "put a filter into a pipeline of its own"},
    {P("filter", "{traces: {spanevent: []}}"),
     "c.yaml:4:21: processors::filter::traces: 'spanevent' is not supported: events stay with "
     "their span"},
    {P("filter", "{traces: {span: ['name == \"a\" and name == \"b\"']}}"),
     "c.yaml:4:29: processors::filter: expected or at 'and name == \"b\"'; conditions are "
     "comparisons with == or != of attributes[\"key\"], resource.attributes[\"key\"], name, "
     "status.code, severity_number < LEVEL and IsMatch, joined by or"},
    {P("filter", "{traces: {span: ['IsMatch(name, \"\\\\d\")']}}"),
     "c.yaml:4:29: processors::filter: '\\d' in a pattern is not supported; write [0-9], "
     "[[:space:]] and the like"},
    {P("filter", "{traces: {span: ['IsMatch(name, \"a[\\\\.]b\")']}}"),
     "c.yaml:4:29: processors::filter: a backslash between [ and ] in a pattern is not supported; "
     "write [.] for a point, and put ] first and - last"},
    {P("filter", "{traces: {span: ['IsMatch(name, \"\\\\<b>\")']}}"),
     "c.yaml:4:29: processors::filter: '\\<' in a pattern is not supported; write [<] for the "
     "character"},
    {P("filter", "{traces: {span: ['IsMatch(name, \"\")']}}"),
     "c.yaml:4:29: processors::filter: IsMatch: an empty pattern fits everything; leave it out"},
    {P("filter", "{metrics: {metric: ['attributes[\"a\"] == 1']}}"),
     "c.yaml:4:32: processors::filter: expected a field at 'attributes[\"a\"] == 1'; conditions "
     "are "
     "comparisons with == or != of attributes[\"key\"], resource.attributes[\"key\"], name, "
     "status.code, severity_number < LEVEL and IsMatch, joined by or"},
    {X("otlp", "{endpoint: backend}"),
     "c.yaml:4:20: exporters::otlp: endpoint: 'backend' has no port; write HOST:PORT, such as "
     "backend:4317"},
    {X("otlp", "{}"), "c.yaml:4:9: exporters::otlp: 'endpoint' is required"},
    {X("otlp", "{endpoint: h:1, tls: {insecure_skip_verify: true}}"),
     "c.yaml:4:31: exporters::otlp::tls: 'insecure_skip_verify' is not supported: certificates are "
     "always verified; name the authority in ca_file"},
    {X("otlp", "{endpoint: h:1, compression: snappy}"),
     "c.yaml:4:38: exporters::otlp: compression: 'snappy' is not supported: there are gzip, zstd "
     "and none"},
    {X("otlp", "{endpoint: h:1, headers: {'a b': c}}"),
     "c.yaml:4:36: exporters::otlp: headers: 'a b' is not the name of a header"},
    {X("otlp", "{endpoint: h:1, sending_queue: {storage: f}}"),
     "c.yaml:4:41: exporters::otlp::sending_queue: 'storage' is not supported: the queue is in "
     "memory"},
    {X("otlp", "{endpoint: h:1, sending_queue: {sizer: bytes}}"),
     "c.yaml:4:48: exporters::otlp::sending_queue: sizer: 'bytes' is not one of requests"},
    {X("otlp", "{endpoint: h:1, retry_on_failure: {max_elapsed_time: 1s}}"),
     "c.yaml:4:62: exporters::otlp: retry_on_failure: max_elapsed_time is less than "
     "initial_interval or max_interval"},
    {X("otlp", "{endpoint: h:1, retry_on_failure: {multiplier: 0.5}}"),
     "c.yaml:4:56: exporters::otlp: retry_on_failure: multiplier is out of range: 1 to 100"},
    {X("otlp", "{endpoint: h:1, retry_on_failure: {randomization_factor: 2}}"),
     "c.yaml:4:66: exporters::otlp: retry_on_failure: randomization_factor is out of range: 0 to "
     "1"},
    {X("otlp", "{endpoint: h:1, tls: {cert_file: /c}}"),
     "c.yaml:4:42: exporters::otlp: tls: cert_file and key_file go together"},
    {X("otlphttp", ""), "c.yaml:4:3: exporters::otlphttp: 'endpoint' is required"},
    {X("otlphttp", "{}"), "c.yaml:4:13: exporters::otlphttp: 'endpoint' is required"},
    {X("file", "{path: /x, rotation: {}}"),
     "c.yaml:4:20: exporters::file: 'rotation' is not supported: leave rotation to a program such "
     "as logrotate (copytruncate)"},
    {X("nop", "{x: 1}"), "c.yaml:4:9: exporters::nop: there is no option 'x'"},
    {X("logging", ""),
     "c.yaml:4:3: exporters::logging: the component 'logging' is not supported: it was renamed; "
     "use debug"},
    {OTLP DEBUG "extensions:\n  pprof:\n" SERVICE,
     "c.yaml:4:3: extensions::pprof: the component 'pprof' is not supported: use a profiler such "
     "as perf"},
    {PIPELINES("trace: {receivers: [otlp], exporters: [debug]}"),
     "c.yaml:5:5: service::pipelines::trace: 'trace' is not a signal: there are traces, metrics "
     "and logs; did you mean 'traces'?"},
    {PIPELINES("traces/: {receivers: [otlp], exporters: [debug]}"),
     "c.yaml:5:5: service::pipelines::traces/: a name is missing"},
    {PIPELINES("traces: {receivers: [otlp], exporters: [debug], processor: []}"),
     "c.yaml:5:53: service::pipelines::traces: there is no option 'processor'; did you mean "
     "'processors'?"},
    {PIPELINES("traces: {receivers: [otlp]}"),
     "c.yaml:5:5: service::pipelines::traces: at least one exporter is required"},
    {PIPELINES("traces: {exporters: [debug]}"),
     "c.yaml:5:5: service::pipelines::traces: at least one receiver is required"},
    {PIPELINES("traces: {receivers: [otpl], exporters: [debug]}"),
     "c.yaml:5:26: service::pipelines::traces: receivers: 'otpl' is not below 'receivers' or "
     "'connectors' of this file; did you mean 'otlp'?"},
    {PIPELINES("traces: {receivers: [otlp], exporters: [{debug: }]}"),
     "c.yaml:5:45: service::pipelines::traces: exporters: expected the id of a component"},
    {PIPELINES("traces:"),
     "c.yaml:5:5: service::pipelines::traces: expected {receivers, processors, exporters}"},
    {PIPELINES("traces: {receivers: [otlp, otlp], exporters: [debug]}"),
     "c.yaml:5:32: service::pipelines::traces: receivers: 'otlp' is there twice"},
    {OTLP DEBUG "service: {pipelines: {}}",
     "c.yaml:3:22: service: pipelines: expected at least one"},
    {OTLP DEBUG "service: {pipelins: {}}",
     "c.yaml:3:11: service: there is no option 'pipelins'; did you mean 'pipelines'?"},
    {OTLP DEBUG "service: {extensions: [x], pipelines: {traces: {receivers: [otlp], exporters: "
                "[debug]}}}",
     "c.yaml:3:24: service::extensions: 'x' is not below 'extensions' of this file"},
    {OTLP DEBUG "extensions: {health_check: {tls: {}}}\n" SERVICE,
     "c.yaml:3:29: extensions::health_check: 'tls' is not supported: receiver/health speaks no "
     "TLS; "
     "put a proxy that does in front of it"},
    {OTLP DEBUG "service: {telemetry: {metrics: {address: 'x:1'}}, pipelines: {traces: {receivers: "
                "[otlp], exporters: [debug]}}}",
     "c.yaml:3:33: service::telemetry::metrics: 'address' is not supported: the figures of the "
     "nodes go into the flow ledger (see `flowtrace loss`)"},
    {OTLP DEBUG "connectors:\n  forward:\nservice: {pipelines: {traces: {receivers: [otlp], "
                "exporters: [debug]}, logs: {receivers: [forward], exporters: [debug]}}}",
     "c.yaml:4:3: connectors::forward: a connector is an exporter of one pipeline and a receiver "
     "of another; this one is no exporter"},
    {OTLP DEBUG "connectors:\n  forward:\nservice: {pipelines: {traces: {receivers: [otlp], "
                "exporters: [forward]}, logs: {receivers: [forward], exporters: [debug]}}}",
     "c.yaml:4:3: connectors::forward: it connects pipelines of several signals; define one for "
     "each signal"},
    {OTLP DEBUG "connectors:\n  routing: {table: [{condition: 'attributes[\"a\"] == 1', pipelines: "
                "[traces/x]}]}\nservice: {pipelines: {traces: {receivers: [otlp], exporters: "
                "[routing]}, traces/y: {receivers: [routing], exporters: [debug]}}}",
     "c.yaml:4:69: connectors::routing: there is no pipeline 'traces/x'"},
    {OTLP DEBUG "connectors:\n  routing: {table: [{condition: 'attributes[\"a\"] == \"\"', "
                "pipelines: [traces/y]}]}\nservice: {pipelines: {traces: {receivers: [otlp], "
                "exporters: [routing]}, traces/y: {receivers: [routing], exporters: [debug]}}}",
     "c.yaml:4:34: connectors::routing: table: comparing with an empty text is not supported; "
     "default_pipelines takes what no entry does"},
    {OTLP DEBUG
     "connectors:\n  routing:\n    table:\n"
     "    - {condition: 'attributes[\"a\"] == 1', pipelines: [traces/x]}\n"
     "    - {condition: 'attributes[\"a\"] == \"1\"', pipelines: [traces/y]}\n"
     "service: {pipelines: {traces: {receivers: [otlp], exporters: [routing]}, traces/x: "
     "{receivers: [routing], exporters: [debug]}, traces/y: {receivers: [routing], "
     "exporters: [debug]}}}",
     "c.yaml:7:20: connectors::routing: table: entries above take all that this one would; remove "
     "it"},
    {OTLP DEBUG "connectors:\n  routing: {table: [{condition: 'attributes[\"a\"] == 1 or "
                "attributes[\"b\"] == 1', pipelines: [traces/y]}]}\nservice: {pipelines: {traces: "
                "{receivers: [otlp], exporters: [routing]}, traces/y: {receivers: [routing], "
                "exporters: [debug]}}}",
     "c.yaml:4:34: connectors::routing: table: one attribute decides for the whole table: 'a', not "
     "'b' here"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(refusals); i++)
        check_refusal(refusals[i].text, refusals[i].error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
