/* SPDX-License-Identifier: Apache-2.0
 *
 * The names: the documents' keys, every name explained in the glossary, none twice, and the table
 * in docs/conventions.md row for row. */
#include "flow/names.h"

#include "sampling/policy.h"
#include "sampling/threshold.h"

#include <flowtrace/exporter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char glossary[64 * 1024], conventions[64 * 1024];

static int read_page(const char *path, char *page, size_t size)
{
    FILE *const file = fopen(path, "r");
    if (!file)
        return -1;
    const size_t len = fread(page, 1, size - 1, file);
    fclose(file);
    page[len] = '\0';
    return len > 0 && len < size - 1 ? 0 : -1;
}

static int read_pages(void **state)
{
    (void)state;
    const int rc = read_page(GLOSSARY, glossary, sizeof glossary);
    return rc < 0 ? rc : read_page(CONVENTIONS, conventions, sizeof conventions);
}

static void assert_explained(ftr_str name)
{
    char code[80];
    snprintf(code, sizeof code, "`%.*s`", (int)name.len, name.data);
    if (!strstr(glossary, code))
        fail_msg("docs/glossary.md does not explain %s", code);
}

static ftr_str own(size_t name)
{
    return ftri_name(FTRI_CONVENTION_FLOWTRACE, (enum ftri_name)name);
}

/* Those of an engine are its own to explain. */
static void test_every_name_is_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_N_VISIT_NAMES; i++) {
        assert_true(own(i).len > 0);
        assert_explained(own(i));
    }
}

static void test_every_enumerator_is_explained(void **state)
{
    (void)state;
    for (int reason = FTR_DROP_FILTERED; reason <= FTR_DROP_SHUTDOWN; reason++)
        assert_explained(ftr_str_from(ftr_drop_reason_name((ftr_drop_reason)reason)));
    for (int outcome = FTR_OUTCOME_SUCCESS; outcome <= FTR_OUTCOME_REFUSED; outcome++)
        assert_explained(ftr_str_from(ftr_outcome_name((ftr_outcome)outcome)));
    for (int signal = FTR_SIGNAL_NONE; signal <= FTR_SIGNAL_RECORDS; signal++)
        assert_explained(ftr_str_from(ftr_signal_name((ftr_signal)signal)));
}

static bool is_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static void test_attributes_have_different_keys(void **state)
{
    (void)state;
    for (int k = 0; k < FTRI_N_CONVENTIONS; k++)
        for (size_t i = 0; i <= FTRI_NAME_MANIFEST_DROPPED; i++)
            for (size_t j = 0; j < i; j++)
                assert_false(is_same(ftri_name((enum ftri_convention)k, (enum ftri_name)i),
                                     ftri_name((enum ftri_convention)k, (enum ftri_name)j)));
}

struct expected {
    enum ftri_name name;
    const char *word;
};

static void assert_words(enum ftri_convention convention, const struct expected *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_string_equal(ftri_name(convention, rows[i].name).data, rows[i].word);
}

/* The list in the otel-arrow tracing proposal. */
static void test_the_documents_keys_are_the_default(void **state)
{
    (void)state;
    static const struct expected rows[] = {
        {FTRI_NAME_NODE_ID, "node.id"},         {FTRI_NAME_NODE_TYPE, "node.type"},
        {FTRI_NAME_SIGNAL_TYPE, "signal.type"}, {FTRI_NAME_BATCH_SIZE, "pdata.batch.size"},
        {FTRI_NAME_OUT_PORT, "out.port"},       {FTRI_NAME_STATEFUL, "stateful"},
        {FTRI_NAME_LATENCY_MS, "latency.ms"},   {FTRI_NAME_ERROR, "error"},
    };
    assert_words(FTRI_CONVENTION_FLOWTRACE, rows, FTRI_COUNT(rows));
}

/* otel-arrow, docs/telemetry/tracing-draft-not-for-review.md, "Span" and "Metrics"; below them
 * docs/telemetry/events-guide.md: otelcol.<entity>[.<thing>].<verb>, with the list of verbs; its
 * stages (channel: send), and its event otelcol.node.retry in metrics-guide.md. */
static void test_the_drafts_keys_are_otelcols(void **state)
{
    (void)state;
    static const struct expected rows[] = {
        {FTRI_NAME_NODE_ID, "otelcol.component.id"},
        {FTRI_NAME_NODE_TYPE, "otelcol.component.kind"},
        {FTRI_NAME_SIGNAL_TYPE, "otelcol.signal"},
        {FTRI_NAME_PIPELINE, "otelcol.pipeline.id"},
        {FTRI_NAME_BATCH_SIZE, "pdata.batch.size"},
        {FTRI_NAME_OUT_PORT, "out.port"},
        {FTRI_NAME_STATEFUL, "stateful"},
        {FTRI_NAME_ERROR, "error"},
        {FTRI_NAME_OUTCOME, "otelcol.component.outcome"},
        {FTRI_NAME_RETRY, "otelcol.node.retry"},
        {FTRI_NAME_ACK, "otelcol.node.ack"},
        {FTRI_NAME_NACK, "otelcol.node.nack"},
        {FTRI_NAME_TIMER_TICK, "otelcol.node.timer.tick"},
        {FTRI_NAME_EVENT_DROP, "otelcol.node.drop"},
        {FTRI_NAME_BATCH_FLUSH, "otelcol.node.batch.flush"},
        {FTRI_NAME_EVENT_BACKPRESSURE, "otelcol.channel.backpressure"},
        {FTRI_NAME_EVENT_EMIT, "otelcol.channel.send.complete"},
    };
    assert_words(FTRI_CONVENTION_OTELCOL, rows, FTRI_COUNT(rows));
}

/* "lower-case", "no ids in the name"; and one has our own form, `verb` or `control/verb`, or the
 * guide's. */
static void test_otelcols_events_are_formed_alike(void **state)
{
    (void)state;
    static const enum ftri_name others[] = {FTRI_NAME_EVENT_EMIT, FTRI_NAME_EVENT_DROP,
                                            FTRI_NAME_EVENT_BACKPRESSURE};
    for (size_t i = 0; i < FTRI_N_NAMES - FTRI_N_VISIT_NAMES + FTRI_COUNT(others); i++) {
        const size_t name =
            i < FTRI_COUNT(others) ? others[i] : FTRI_N_VISIT_NAMES + i - FTRI_COUNT(others);
        const ftr_str word = ftri_name(FTRI_CONVENTION_OTELCOL, (enum ftri_name)name);
        const char *const node = "otelcol.node.", *const channel = "otelcol.channel.";
        assert_true(strncmp(word.data, node, strlen(node)) == 0 ||
                    strncmp(word.data, channel, strlen(channel)) == 0);
        assert_int_equal(strspn(word.data, "abcdefghijklmnopqrstuvwxyz_."), word.len);
        assert_true(own(name).len > 0);
    }
}

/* What a numaflow-core of 1.8 has on every span, as far as a visit knows it; the review of the
 * proposal: event "message.dropped" with "drop.reason"; reasons as in its metrics. */
static void test_numaflows_names(void **state)
{
    (void)state;
    static const struct expected rows[] = {
        {FTRI_NAME_NODE_ID, "numaflow.vertex.name"},
        {FTRI_NAME_PIPELINE, "numaflow.pipeline.name"},
        {FTRI_NAME_EVENT_DROP, "message.dropped"},
        {FTRI_NAME_DROP_REASON, "drop.reason"},
    };
    static const struct {
        ftr_drop_reason reason;
        const char *word;
    } reasons[] = {
        {FTR_DROP_BUFFER_FULL, "buffer-full"}, {FTR_DROP_NO_ROUTE, "forwarding-rules-not-met"},
        {FTR_DROP_DUPLICATE, "duplicate"},     {FTR_DROP_LATE, "late-message"},
        {FTR_DROP_FILTERED, "filtered"}, /* ours: it has no word */
        {(ftr_drop_reason)99, "unknown"},
    };
    assert_words(FTRI_CONVENTION_NUMAFLOW, rows, FTRI_COUNT(rows));
    for (size_t i = 0; i < FTRI_COUNT(reasons); i++)
        assert_string_equal(ftri_drop_reason_word(FTRI_CONVENTION_NUMAFLOW, reasons[i].reason).data,
                            reasons[i].word);
    assert_string_equal(ftri_drop_reason_word(FTRI_CONVENTION_OTELCOL, FTR_DROP_LATE).data, "late");
}

/* The attributes of the spans that Reflow's collector exports. */
static void test_reflows_names(void **state)
{
    (void)state;
    static const struct expected rows[] = {
        {FTRI_NAME_NODE_ID, "reflow.actor_id"},
        {FTRI_NAME_PIPELINE, "reflow.flow_id"},
        {FTRI_NAME_OUTCOME, "reflow.event_type"},
        {FTRI_NAME_OUT_PORT, "reflow.port"},
        {FTRI_NAME_SIGNAL_TYPE, "reflow.message.type"},
        {FTRI_NAME_BATCH_BYTES, "reflow.message.size_bytes"},
        {FTRI_NAME_EVENT_EMIT, "MessageSent"},
    };
    assert_words(FTRI_CONVENTION_REFLOW, rows, FTRI_COUNT(rows));
}

/* What lineage is read by is the same whoever's names a process uses. */
static void test_lineage_has_one_language(void **state)
{
    (void)state;
    for (int k = 0; k < FTRI_N_CONVENTIONS; k++) {
        for (int i = FTRI_NAME_RELATION; i <= FTRI_NAME_MANIFEST_DROPPED; i++)
            assert_true(
                is_same(ftri_name((enum ftri_convention)k, (enum ftri_name)i), own((size_t)i)));
        assert_true(is_same(ftri_name((enum ftri_convention)k, FTRI_NAME_SPAN_MANIFEST),
                            own(FTRI_NAME_SPAN_MANIFEST)));
    }
}

static bool is_among(const ftr_str *names, size_t n, const char *wanted)
{
    for (size_t i = 0; i < n; i++)
        if (is_same(names[i], ftr_str_from(wanted)))
            return true;
    return false;
}

static void test_all_names_of_a_thing(void **state)
{
    (void)state;
    ftr_str names[FTR_CONVENTION_NAMES_MAX];
    size_t n = ftr_convention_names(FTR_STR("otelcol.component.id"), names, FTRI_COUNT(names));
    assert_int_equal(n, 4);
    assert_string_equal(names[0].data, "node.id");
    assert_true(is_among(names, n, "numaflow.vertex.name"));
    assert_true(is_among(names, n, "otelcol.component.id"));
    assert_true(is_among(names, n, "reflow.actor_id"));
    assert_int_equal(ftr_convention_names(FTR_STR("latency.ms"), names, 8), 1);
    const ftr_str nobodys = FTR_STR("http.route");
    assert_int_equal(ftr_convention_names(nobodys, names, 8), 1);
    assert_ptr_equal(names[0].data, nobodys.data);
    assert_int_equal(ftr_convention_names(FTR_STR(""), names, 8), 1);
    assert_int_equal(ftr_convention_names(FTR_STR("node.id"), names, 1), 1);
    assert_int_equal(ftr_convention_names(FTR_STR("node.id"), NULL, 0), 0);
    assert_int_equal(ftr_convention_names(nobodys, NULL, 0), 0);
    assert_true((int)FTRI_N_CONVENTIONS <= (int)FTR_CONVENTION_NAMES_MAX);
}

/* A span is kept for its drop, whoever recorded it. */
static void test_the_tail_sampler_knows_drops(void **state)
{
    (void)state;
    const struct ftri_policy policy = {.keeps_drops = true, .threshold = FTRI_THRESHOLD_NEVER};
    for (int k = 0; k < FTRI_N_CONVENTIONS; k++) {
        const ftr_event_data event = {.name =
                                          ftri_name((enum ftri_convention)k, FTRI_NAME_EVENT_DROP)};
        const ftr_attribute reason = {ftri_name((enum ftri_convention)k, FTRI_NAME_DROP_REASON),
                                      ftr_value_str(FTR_STR("late"))};
        const struct ftri_flow_span told = {.events = &event, .n_events = 1};
        const struct ftri_flow_span tagged = {.attributes = &reason, .n_attributes = 1};
        assert_int_equal(ftri_policy_judge(&policy, &told), FTRI_REASON(FTR_TAIL_DROP));
        assert_int_equal(ftri_policy_judge(&policy, &tagged), FTRI_REASON(FTR_TAIL_DROP));
    }
    const ftr_event_data other = {.name = FTR_STR("message.sent")};
    const struct ftri_flow_span span = {.events = &other, .n_events = 1};
    assert_int_equal(ftri_policy_judge(&policy, &span), 0);
}

static void put_cell(char *row, size_t size, ftr_str name, ftr_str unless)
{
    const size_t len = strlen(row);
    if (is_same(name, unless))
        snprintf(row + len, size - len, " |");
    else
        snprintf(row + len, size - len, " `%s` |", name.data);
}

/* The page has a row for each name: ours, and those that differ. */
static void test_the_page_says_the_table(void **state)
{
    (void)state;
    static const enum ftri_convention columns[] = {
        FTRI_CONVENTION_OTELCOL, FTRI_CONVENTION_NUMAFLOW, FTRI_CONVENTION_REFLOW};
    size_t n_rows = 0;
    for (size_t i = 0; i < FTRI_N_NAMES; i++) {
        char row[256];
        snprintf(row, sizeof row, "| `%s` |", own(i).data);
        for (size_t k = 0; k < FTRI_COUNT(columns); k++)
            put_cell(row, sizeof row, ftri_name(columns[k], (enum ftri_name)i), own(i));
        if (!strstr(conventions, row))
            fail_msg("docs/conventions.md lacks this row:\n%s", row);
        assert_true(is_same(ftri_name(FTRI_CONVENTION_FOUNDATIONS, (enum ftri_name)i), own(i)));
        assert_true(is_same(ftri_name(FTRI_CONVENTION_KRISHIV, (enum ftri_name)i), own(i)));
    }
    const char *at = strstr(conventions, "\n## Keys and events");
    assert_non_null(at);
    for (; (at = strstr(at, "\n| `")); at++)
        n_rows++;
    assert_int_equal(n_rows, FTRI_N_NAMES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_is_explained),
        cmocka_unit_test(test_every_enumerator_is_explained),
        cmocka_unit_test(test_attributes_have_different_keys),
        cmocka_unit_test(test_the_documents_keys_are_the_default),
        cmocka_unit_test(test_the_drafts_keys_are_otelcols),
        cmocka_unit_test(test_otelcols_events_are_formed_alike),
        cmocka_unit_test(test_numaflows_names),
        cmocka_unit_test(test_reflows_names),
        cmocka_unit_test(test_lineage_has_one_language),
        cmocka_unit_test(test_all_names_of_a_thing),
        cmocka_unit_test(test_the_tail_sampler_knows_drops),
        cmocka_unit_test(test_the_page_says_the_table),
    };
    return cmocka_run_group_tests(tests, read_pages, NULL);
}
