/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: documents and graphs that are good, and some with each kind of fault. The verdict
 * on a text is the same as ever, with the same words, or memory was short: never another one. */
#include "torture.h"

#include "app/pipeline.h"
#include "base/error.h"
#include "config/document.h"
#include "files.h"

#include <errno.h>

#define NODES                                                                                      \
    "nodes:\n"                                                                                     \
    "  read: {type: receiver/files, config: {paths: [a, '${env:TORTURE_PATH:-b}', \"c\\n\"]}}\n"
#define CONNECTIONS                                                                                \
    "  gather: {type: processor/batch, config: {max_items: 10, max_delay: 1m30s}}\n"               \
    "  route: {type: processor/route, config: {routes: {logs: [.log]}, otherwise: rest}}\n"        \
    "  write: {type: exporter/file, config: {path: $$out}}\n"                                      \
    "connections:\n"                                                                               \
    "  - {from: read, to: gather}\n"                                                               \
    "  - {from: gather, to: route}\n"                                                              \
    "  - {from: 'route[\"logs\"]', to: write}\n"                                                   \
    "  - {from: 'route[\"rest\"]', to: write}\n"

/* In the OpenTelemetry Collector's form. */
#define COLLECTOR(processors, exporters)                                                           \
    "receivers: {otlp: {protocols: {grpc: , http: }}}\n"                                           \
    "extensions: {health_check: {response_body: {healthy: up}}}\n"                                 \
    "connectors:\n"                                                                                \
    "  routing: {default_pipelines: [traces/b], table: [{condition: 'attributes[\"a\"] == 1', "    \
    "pipelines: [traces/a]}]}\n"                                                                   \
    "processors:\n"                                                                                \
    "  resource/unused: {attributes: [{key: a, value: b, action: upsert}]}\n"                      \
    "  filter: {traces: {span: ['name == \"a.b\" or attributes[\"a\"] == 1']}}\n" processors       \
    "exporters:\n"                                                                                 \
    "  otlp: {endpoint: 'h:1', headers: {a: b}, sending_queue: {batch: {min_size: 5}}}\n"          \
    "  debug:\n" exporters "service:\n"                                                            \
    "  extensions: [health_check]\n"                                                               \
    "  pipelines:\n"                                                                               \
    "    traces: {receivers: [otlp], processors: [filter], exporters: [routing]}\n"                \
    "    traces/a: {receivers: [routing], exporters: [otlp]}\n"                                    \
    "    traces/b: {receivers: [routing], exporters: [debug]}\n"                                   \
    "    logs: {receivers: [otlp], exporters: [otlp, debug]}\n"

static const struct {
    const char *text;
    const char *fault; /* in the error; NULL: there is none */
} cases[] = {
    {NODES CONNECTIONS, NULL},
    {"pipeline: a\nchannel_capacity: 7\n" NODES CONNECTIONS, NULL},
    {"", "graph: empty"},
    {"nodes: {\n", "graph:"},
    {NODES "  read: {}\n" CONNECTIONS, "graph:3:3: "},
    {"a: &x 1\n", "anchor"},
    {NODES "  more: {type: processor/batc}\n" CONNECTIONS, "did you mean 'processor/batch'"},
    {NODES "  more: {type: processor/batch, config: {max_itens: 1}}\n" CONNECTIONS,
     "did you mean 'max_items'"},
    {NODES "  more: {type: processor/batch, config: {max_items: 0}}\n" CONNECTIONS, "graph:3:"},
    {NODES "  more: {type: processor/batch, config: {max_delay: soon}}\n" CONNECTIONS, "graph:3:"},
    {NODES "  more: {type: exporter/file, config: {}}\n" CONNECTIONS, "path"},
    {NODES "  more: {type: exporter/file, config: {path: '${env:TORTURE_UNSET}'}}\n" CONNECTIONS,
     "TORTURE_UNSET"},
    {NODES "  more: {type: processor/batch}\n" CONNECTIONS, "more"},
    {NODES CONNECTIONS "  - {from: gather, to: reed}\n", "did you mean 'read'"},
    {NODES CONNECTIONS "  - {from: 'route[\"log\"]', to: write}\n", "did you mean"},
    {NODES CONNECTIONS "  - {from: route, to: gather}\n", "graph:"},
    {COLLECTOR("  batch:\n", "  nop:\n"), NULL},
    {COLLECTOR("  bach:\n", ""), "graph:8:3: processors::bach: "},
    {COLLECTOR("  batch: {timeut: 1s}\n", ""), "did you mean 'timeout'"},
    {COLLECTOR("", "  otlphttp: {endpoint: 'http://h', tls: {insecure_skip_verify: true}}\n"),
     "exporters::otlphttp::tls: 'insecure_skip_verify' is not supported"},
    {COLLECTOR("", "") "    logs/x: {receivers: [otlp], exporters: [otpl]}\n",
     "did you mean 'otlp'"},
};

struct verdict {
    int r;
    struct ftri_error error;
};

static struct verdict expected[FTRI_COUNT(cases)];

static struct verdict judge(const char *text)
{
    struct verdict verdict = {.error = {{0}}};
    struct pipeline pipeline;
    verdict.r = pipeline_open_text(&pipeline, ftr_str_from(text), "graph", NULL, &verdict.error);
    if (verdict.r == 0)
        pipeline_close(&pipeline);
    return verdict;
}

static struct verdict judge_file(const char *path)
{
    struct verdict verdict = {.error = {{0}}};
    struct config_document *document = NULL;
    verdict.r = config_load(path, &document, &verdict.error);
    if (verdict.r == 0)
        config_free(document);
    return verdict;
}

static bool is_short_of_memory(const struct verdict *verdict)
{
    return verdict->r == torture_errno() && verdict->error.text[0];
}

static void prepare(void)
{
    setenv("TORTURE_PATH", "some/where", 1);
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        expected[i] = judge(cases[i].text);
        EXPECT_THAT(expected[i].r == (cases[i].fault ? -EINVAL : 0) &&
                        strstr(expected[i].error.text, cases[i].fault ? cases[i].fault : ""),
                    "case %zu: %d: %s", i, expected[i].r, expected[i].error.text);
    }
    files_write("good.yaml", cases[0].text, strlen(cases[0].text));
}

/* One failed call costs one verdict. */
void torture_run(void)
{
    size_t n_short = 0;
    prepare();
    torture_begin();
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        const struct verdict verdict = judge(cases[i].text);
        const bool is_short = is_short_of_memory(&verdict);
        n_short += is_short;
        EXPECT_THAT(is_short || (verdict.r == expected[i].r &&
                                 strcmp(verdict.error.text, expected[i].error.text) == 0),
                    "case %zu: %d: %s", i, verdict.r, verdict.error.text);
    }
    const struct verdict there = judge_file("good.yaml");
    const struct verdict absent = judge_file("none.yaml");
    n_short += is_short_of_memory(&there) + is_short_of_memory(&absent);
    EXPECT_THAT(there.r == 0 || is_short_of_memory(&there), "%s", there.error.text);
    EXPECT_THAT(absent.r == -ENOENT || is_short_of_memory(&absent), "%s", absent.error.text);
    torture_end();
    EXPECT_THAT(n_short <= (torture_has_struck() ? 1 : 0), "%zu", n_short);
}
