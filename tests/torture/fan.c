/* SPDX-License-Identifier: Apache-2.0
 *
 * Fan-out and fan-in, traced: every batch goes two ways and all meet again in one, so that links
 * become a sample and a manifest names all contributors. What a manifest lacks is counted. */
#include "files.h"
#include "graphs.h"

#include "codec/manifest.h"

#include <flowtrace/flowtrace.h>
#include <unistd.h>

enum { FOLDERS = 7, FILES = 4, INPUTS = 2 * FOLDERS * FILES };
static const uint64_t DEADLINE_NS = UINT64_C(60) * 1000 * 1000 * 1000;

static const char text[] =
    "nodes:\n"
    "  read: {type: receiver/files, config: {paths: [in], max_files: 1}}\n"
    "  left: {type: processor/parse}\n"
    "  right: {type: processor/parse}\n"
    "  gather: {type: processor/batch, config: {max_items: 56, max_delay: 500ms}}\n"
    "  write: {type: exporter/file, config: {path: out}}\n"
    "connections:\n"
    "  - {from: read, to: left}\n"
    "  - {from: read, to: right}\n"
    "  - {from: left, to: gather}\n"
    "  - {from: right, to: gather}\n"
    "  - {from: gather, to: write}\n";

static bool is_text(ftr_str a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

static const ftr_value *attribute(const ftr_span_data *span, const char *key)
{
    for (size_t i = 0; i < span->n_attributes; i++)
        if (is_text(span->attributes[i].key, key))
            return &span->attributes[i].value;
    return NULL;
}

static uint64_t number(const ftr_span_data *span, const char *key)
{
    const ftr_value *value = attribute(span, key);
    return value ? (uint64_t)value->as.i64 : 0;
}

/* Contributors that the manifest spans below this span name. */
static uint64_t count_named(ftr_memory_spans *spans, const ftr_span_data *fan_in)
{
    uint64_t n = 0;
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(spans, i, &span); i++) {
        if (!is_text(span.name, "flow.manifest") ||
            memcmp(&span.parent_span_id, &fan_in->context.span_id, 8) != 0)
            continue;
        const ftr_value *packed = attribute(&span, "flow.manifest");
        EXPECT(packed);
        struct ftri_manifest_reader reader;
        const struct ftri_view view = ftri_view_of(packed->as.str.data, packed->as.str.len);
        EXPECT(ftri_manifest_open(&reader, view) == 0);
        struct ftri_manifest_id id;
        int r;
        while ((r = ftri_manifest_read(&reader, &id)) == 0)
            n++;
        EXPECT(r == FTRI_MANIFEST_END);
    }
    return n;
}

/* Returns how many inputs this span's batch was made of; 0: it is no merged batch. */
static uint64_t check_fan_in(ftr_memory_spans *spans, const ftr_span_data *span)
{
    const uint64_t n_inputs = number(span, "flow.fan_in.count");
    const uint64_t n_dropped = number(span, "flow.manifest.dropped");
    const uint64_t n_named = count_named(spans, span);
    if (n_inputs <= 1)
        return n_inputs;
    EXPECT(n_dropped == 0 || torture_has_struck());
    if (n_named || n_inputs > 52)
        EXPECT_THAT(n_named + n_dropped == n_inputs, "%llu inputs, %llu named, %llu dropped",
                    (unsigned long long)n_inputs, (unsigned long long)n_named,
                    (unsigned long long)n_dropped);
    else
        EXPECT(span->n_links + 1 + n_dropped == n_inputs);
    return n_inputs;
}

static void check_spans(ftr_memory_spans *spans)
{
    ftr_statistics s = {.size = sizeof s};
    ftr_get_statistics(&s);
    const ftr_exporter_statistics *e = &s.exporters[0];
    EXPECT(s.started == s.ended && s.ended == s.recorded + s.lost_journal_full);
    EXPECT(s.recorded == e->delivered + e->lost_queue_full + e->lost_export);
    EXPECT(e->delivered == ftr_memory_spans_count(spans));
    const bool is_whole = s.no_slot == 0 && e->delivered == s.started;
    EXPECT(is_whole || torture_has_struck());
    uint64_t n_inputs = 0;
    ftr_span_data span;
    for (size_t i = 0; is_whole && ftr_memory_spans_get(spans, i, &span); i++)
        n_inputs += check_fan_in(spans, &span);
    EXPECT_THAT(torture_has_struck() || n_inputs == INPUTS, "%llu inputs",
                (unsigned long long)n_inputs);
}

static ftr_memory_spans *start_tracing(void)
{
    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    EXPECT(ftr_init(&config, NULL) == FTR_OK);
    return spans;
}

void torture_run(void)
{
    files_make(FOLDERS, FILES);
    ftr_memory_spans *spans = start_tracing();
    torture_begin();
    struct graph_outcome outcome = graph_run_all(text);
    EXPECT(ftr_flush(DEADLINE_NS) == FTR_OK);
    torture_end();
    graph_check_outcome(&outcome, INPUTS, files_check_lines("out", 2));
    check_spans(spans);
    (void)unlink("out");
    outcome = graph_run_all(text);
    EXPECT_THAT(outcome.status == 0, "%s", outcome.error.text);
    EXPECT(files_check_lines("out", 2) == INPUTS);
    EXPECT(ftr_shutdown(DEADLINE_NS) == FTR_OK);
    ftr_memory_spans_unref(spans);
}
