/* SPDX-License-Identifier: Apache-2.0
 *
 * Lineage as the store knows it: who contributed to a span, who names it, and what became of one
 * that is not there. The ledger is the test's own: span i of trace i + 1 is contributor i. */
#include "fixture.h"

#include "codec/wire.h"
#include "codec/manifest.h"
#include "store/lineage.h"

#include "base/mem.h"
#include "base/time.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    CONTRIBUTORS = 10000,
    REQUESTS = 1000,
    A_REQUEST = CONTRIBUTORS / REQUESTS,
    BATCH_TRACE = 1000 * 1000,
    BATCH_SPAN = 7,
    FIRST_START_NS = 1000,
    N_LIES = 9
};

static struct store_span_id id_of(uint64_t trace, uint64_t span)
{
    struct store_span_id id;
    sample_trace_id(trace, id.trace_id.bytes);
    sample_span_id(span, id.span_id.bytes);
    return id;
}

static struct store_span_id contributor(uint64_t i)
{
    return id_of(i + 1, i + 1);
}

static int compare_ids(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct store_span_id));
}

static int compare_traces(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(ftr_trace_id));
}

/* --- spans by hand: SpanMessage { 1 trace id, 2 span id, 4 parent, 5 name, 7 start, 8 end,
 *     9 attributes, 13 links } -------------------------------------------------------------- */

static void put(struct ftri_bytes *out, uint32_t number, const void *data, size_t len)
{
    assert_int_equal(ftri_wire_put_bytes(out, number, ftri_view_of(data, len)), 0);
}

static void begin_span(struct ftri_bytes *out, const struct store_span_id *id, uint64_t parent,
                       const char *name)
{
    ftri_bytes_init(out, 1 << 20);
    put(out, 1, &id->trace_id, 16);
    put(out, 2, &id->span_id, 8);
    if (parent) {
        uint8_t parent_id[8];
        sample_span_id(parent, parent_id);
        put(out, 4, parent_id, 8);
    }
    put(out, 5, name, strlen(name));
    assert_int_equal(ftri_wire_put_fixed64(out, 7, FIRST_START_NS), 0);
    assert_int_equal(ftri_wire_put_fixed64(out, 8, FIRST_START_NS + 5), 0);
}

/* KeyValue { 1 key, 2 AnyValue { field of the value } } as field `number`. */
static void put_attribute(struct ftri_bytes *out, uint32_t number, const char *key, uint32_t type,
                          struct ftri_view value)
{
    size_t attribute, any;
    assert_int_equal(ftri_wire_begin(out, number, &attribute), 0);
    put(out, 1, key, strlen(key));
    assert_int_equal(ftri_wire_begin(out, 2, &any), 0);
    put(out, type, value.data, value.len);
    assert_int_equal(ftri_wire_end(out, any), 0);
    assert_int_equal(ftri_wire_end(out, attribute), 0);
}

static void put_link(struct ftri_bytes *out, const struct store_span_id *to, const char *relation)
{
    size_t link;
    assert_int_equal(ftri_wire_begin(out, 13, &link), 0);
    put(out, 1, &to->trace_id, 16);
    put(out, 2, &to->span_id, 8);
    if (relation)
        put_attribute(out, 4, "flow.relation", 1, ftri_view_of(relation, strlen(relation)));
    assert_int_equal(ftri_wire_end(out, link), 0);
}

static void put_manifest(struct ftri_bytes *out, struct ftri_view packed)
{
    put_attribute(out, 9, "flow.manifest", 7, packed);
}

/* Takes the span over. */
static void append_span(struct fixture *f, struct ftri_bytes *span, uint64_t received_ns)
{
    const struct sample_place place = {.service = "batcher"};
    const struct ftri_view view = ftri_bytes_view(span);
    struct ftri_bytes request;
    ftri_bytes_init(&request, 4 << 20);
    sample_wrap(&place, &view, 1, &request);
    fixture_append_payload(f, sample_seal(&request), received_ns);
    ftri_bytes_deinit(span);
}

/* --- the generator ------------------------------------------------------------------------- */

static void append_contributors(struct fixture *f, uint64_t first, size_t n, uint64_t received_ns)
{
    struct sample samples[A_REQUEST];
    for (size_t i = 0; i < n; i++)
        samples[i] =
            (struct sample){first + i + 1,      first + i + 1,          0, "source", "read",
                            FIRST_START_NS + i, FIRST_START_NS + i + 1, 1, false,    0};
    fixture_append(f, samples, n, received_ns);
}

/* The batch span, and below it one manifest span for each packed string. */
static void append_batch_of(struct fixture *f, uint64_t trace, uint64_t first, size_t n,
                            uint64_t received_ns)
{
    struct ftri_manifest manifest;
    struct ftri_bytes span;
    const struct store_span_id batch = id_of(trace, BATCH_SPAN);
    begin_span(&span, &batch, 0, "processor/batch");
    append_span(f, &span, received_ns);
    ftri_manifest_init(&manifest, FTRI_MANIFEST_VISIT_BYTES);
    for (uint64_t i = 0; i < n; i++) {
        const struct store_span_id id = contributor(first + i);
        const struct ftri_manifest_id entry = {id.trace_id, id.span_id};
        ftri_manifest_add(&manifest, &entry);
    }
    const struct ftri_manifest_string *cursor = NULL;
    struct ftri_view packed;
    for (uint64_t i = 0; ftri_manifest_next_string(&manifest, &cursor, &packed); i++) {
        const struct store_span_id id = id_of(trace, 100 + i);
        begin_span(&span, &id, BATCH_SPAN, "flow.manifest");
        put_manifest(&span, packed);
        append_span(f, &span, received_ns);
    }
    ftri_manifest_deinit(&manifest);
}

static void append_batch(struct fixture *f, size_t n, uint64_t received_ns)
{
    append_batch_of(f, BATCH_TRACE, 0, n, received_ns);
}

/* --- questions ----------------------------------------------------------------------------- */

static void read_lineage(struct fixture *f, uint64_t trace, struct store_lineage *lineage)
{
    const struct store_span_id id = id_of(trace, 1);
    store_lineage_init(lineage, 256 << 20);
    assert_int_equal(store_read_lineage(f->store, &id.trace_id, 1, true, lineage), 0);
}

static const struct store_lineage_span *find_span(const struct store_lineage *lineage,
                                                  uint64_t trace, uint64_t span)
{
    const struct store_span_id id = id_of(trace, span);
    return ftri_map_get(&lineage->by_id, (ftr_str){(const char *)&id, sizeof id});
}

/* All that manifests of the batch's trace name, sorted, is exactly the ledger. */
static void check_contributors(struct fixture *f, size_t n)
{
    static struct store_span_id named[CONTRIBUTORS], expected[CONTRIBUTORS];
    struct store_lineage lineage;
    size_t n_named = 0;
    read_lineage(f, BATCH_TRACE, &lineage);
    for (const struct store_lineage_span *span = lineage.first; span; span = span->next) {
        assert_int_equal(span->refusal, STORE_REFUSAL_NONE);
        for (size_t i = 0; i < span->n_contributors; i++) {
            assert_true(span->is_manifest && span->has_parent && n_named < CONTRIBUTORS);
            assert_int_equal(span->contributors[i].relation, STORE_RELATION_MANIFEST);
            named[n_named++] = span->contributors[i].id;
        }
    }
    assert_int_equal(n_named, n);
    for (uint64_t i = 0; i < n; i++)
        expected[i] = contributor(i);
    qsort(expected, n, sizeof *expected, compare_ids);
    qsort(named, n, sizeof *named, compare_ids);
    assert_memory_equal(named, expected, n * sizeof *named);
    store_lineage_deinit(&lineage);
}

static size_t count_results(struct fixture *f, const struct store_span_id *spans, size_t n,
                            const ftr_trace_id *expected)
{
    const struct store_wanted wanted = {spans, n, 0};
    struct ftri_bytes traces;
    ftri_bytes_init(&traces, 1 << 20);
    assert_int_equal(store_find_results(f->store, &wanted, &traces), 0);
    const size_t n_found = traces.len / sizeof(ftr_trace_id);
    if (expected && n_found)
        assert_memory_equal(traces.data, expected, sizeof *expected);
    ftri_bytes_deinit(&traces);
    return n_found;
}

/* Each contributor leads to the batch's trace, alone and all together. */
static void check_results(struct fixture *f, uint64_t first, size_t n, size_t step)
{
    static struct store_span_id all[CONTRIBUTORS];
    const struct store_span_id batch = id_of(BATCH_TRACE, 1);
    for (uint64_t i = 0; i < n; i++)
        all[i] = contributor(first + i);
    for (uint64_t i = 0; i < n; i += step)
        assert_int_equal(count_results(f, &all[i], 1, &batch.trace_id), 1);
    qsort(all, n, sizeof *all, compare_ids);
    assert_int_equal(count_results(f, all, n, &batch.trace_id), 1);
    const struct store_span_id stranger = id_of(5, 6);
    assert_int_equal(count_results(f, &stranger, 1, NULL), 0);
}

static size_t count_stored(struct fixture *f, uint64_t first, size_t n)
{
    static ftr_trace_id traces[CONTRIBUTORS];
    struct store_lineage lineage;
    for (uint64_t i = 0; i < n; i++)
        traces[i] = contributor(first + i).trace_id;
    qsort(traces, n, sizeof *traces, compare_traces);
    store_lineage_init(&lineage, 256 << 20);
    assert_int_equal(store_read_lineage(f->store, traces, n, false, &lineage), 0);
    const size_t n_spans = lineage.n_spans;
    store_lineage_deinit(&lineage);
    return n_spans;
}

static enum store_absence explain(struct fixture *f, struct store_span_id id)
{
    uint8_t absence;
    assert_int_equal(store_explain_absence(f->store, &id, 1, &absence), 0);
    return absence;
}

/* --- tests --------------------------------------------------------------------------------- */

static void check_all(struct fixture *f)
{
    check_contributors(f, CONTRIBUTORS);
    check_results(f, 0, CONTRIBUTORS, 97);
    assert_int_equal(count_stored(f, 0, CONTRIBUTORS), CONTRIBUTORS);
}

static void test_ten_thousand_contributors_in_a_thousand_blocks(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < REQUESTS; i++) {
        append_contributors(f, i * A_REQUEST, A_REQUEST, i + 1);
        fixture_settle(f);
    }
    append_batch(f, CONTRIBUTORS, REQUESTS + 1);
    check_all(f); /* the batch is gathered only */
    fixture_settle(f);
    check_all(f);
    if (!fixture_is_sqlite(f))
        return;
    assert_int_equal(fixture_statistics(f).n_blocks, REQUESTS + 1);
    fixture_close(f);
    fixture_open(f);
    check_all(f);
}

static void test_a_manifest_that_comes_first_is_found_as_well(void **state)
{
    struct fixture *f = *state;
    append_batch(f, 20, 1);
    fixture_settle(f);
    assert_int_equal(explain(f, contributor(3)), STORE_ABSENCE_NEVER);
    check_results(f, 0, 20, 1);
    append_contributors(f, 0, A_REQUEST, 2);
    assert_int_equal(count_stored(f, 0, 20), A_REQUEST);
    check_contributors(f, 20);
}

static void check_links(struct fixture *f)
{
    static const struct {
        uint64_t trace, span;
        enum store_relation relation;
    } expected[] = {{1, 1, STORE_RELATION_FAN_IN},
                    {2, 2, STORE_RELATION_LINK},
                    {50, 3, STORE_RELATION_SPLIT},
                    {4, 4, STORE_RELATION_CONTINUES}};
    struct store_lineage lineage;
    read_lineage(f, 50, &lineage);
    const struct store_lineage_span *span = find_span(&lineage, 50, 9);
    assert_non_null(span);
    assert_int_equal(span->n_contributors, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct store_span_id id = id_of(expected[i].trace, expected[i].span);
        assert_memory_equal(&span->contributors[i].id, &id, sizeof id);
        assert_int_equal(span->contributors[i].relation, expected[i].relation);
    }
    store_lineage_deinit(&lineage);
    const struct store_span_id batch = id_of(50, 1), named = id_of(1, 1), other = id_of(1, 2);
    assert_int_equal(count_results(f, &named, 1, &batch.trace_id), 1);
    /* Another span of a trace that is mentioned. */
    assert_int_equal(count_results(f, &other, 1, NULL), 0);
}

static void test_links_are_edges_with_their_relation(void **state)
{
    struct fixture *f = *state;
    struct ftri_bytes span;
    const struct store_span_id self = id_of(50, 9), first = id_of(1, 1), second = id_of(2, 2),
                               own = id_of(50, 3), last = id_of(4, 4), nobody = {0};
    begin_span(&span, &self, 3, "join");
    put_link(&span, &first, "fan_in");
    put_link(&span, &second, "something else");
    put_link(&span, &nobody, "fan_in");
    put_link(&span, &own, "split");
    put_link(&span, &last, "continues");
    append_span(f, &span, 1);
    check_links(f);
    fixture_settle(f);
    check_links(f);
}

/* What a later version no longer says is not said. */
static void test_of_two_versions_the_winner_names_the_contributors(void **state)
{
    struct fixture *f = *state;
    const struct store_span_id self = id_of(50, 9), old = id_of(1, 1), new = id_of(2, 2);
    struct ftri_bytes span;
    begin_span(&span, &self, 0, "join");
    put_link(&span, &old, NULL);
    append_span(f, &span, 1);
    fixture_settle(f);
    begin_span(&span, &self, 0, "join");
    put_link(&span, &new, NULL);
    append_span(f, &span, 2);
    for (int i = 0; i < 2; i++) {
        struct store_lineage lineage;
        read_lineage(f, 50, &lineage);
        assert_int_equal(lineage.n_spans, 1);
        assert_int_equal(lineage.first->n_contributors, 1);
        assert_memory_equal(&lineage.first->contributors[0].id, &new, sizeof new);
        store_lineage_deinit(&lineage);
        fixture_settle(f);
    }
}

static void test_manifests_that_lie_are_refused_by_name_and_counted(void **state)
{
    struct fixture *f = *state;
    /* version, n_entries, then one entry: nothing in common with the one before */
    uint8_t good[30] = {1, 0, 0, 0, 1, 0};
    memset(good + 6, 7, 24);
    uint8_t changed[N_LIES][31] = {{0}};
    static const struct {
        size_t at, len;
        uint8_t value;
        enum store_refusal refusal;
    } lies[N_LIES] = {
        {0, 30, 1, STORE_REFUSAL_NONE},        {0, 3, 1, STORE_REFUSAL_BAD_LENGTH},
        {0, 30, 2, STORE_REFUSAL_BAD_VERSION}, {3, 30, 9, STORE_REFUSAL_BAD_COUNT},
        {4, 30, 2, STORE_REFUSAL_TRUNCATED},   {0, 29, 1, STORE_REFUSAL_TRUNCATED},
        {5, 30, 255, STORE_REFUSAL_BAD_ENTRY}, {4, 30, 0, STORE_REFUSAL_TRAILING},
        {0, 31, 1, STORE_REFUSAL_TRAILING},
    };
    for (uint64_t i = 0; i < N_LIES; i++) {
        const struct store_span_id id = id_of(BATCH_TRACE, 100 + i);
        struct ftri_bytes span;
        memcpy(changed[i], good, sizeof good);
        changed[i][lies[i].at] = lies[i].value;
        begin_span(&span, &id, BATCH_SPAN, "flow.manifest");
        put_manifest(&span, ftri_view_of(changed[i], lies[i].len));
        append_span(f, &span, i);
    }
    for (int pass = 0; pass < 2; pass++) {
        struct store_lineage lineage;
        read_lineage(f, BATCH_TRACE, &lineage);
        for (uint64_t i = 0; i < N_LIES; i++) {
            const struct store_lineage_span *span = find_span(&lineage, BATCH_TRACE, 100 + i);
            assert_int_equal(span->refusal, lies[i].refusal);
            assert_int_equal(span->n_contributors, lies[i].refusal ? 0 : 1);
        }
        store_lineage_deinit(&lineage);
        fixture_settle(f);
    }
    const struct store_statistics statistics = fixture_statistics(f);
    assert_int_equal(statistics.refused_manifests[STORE_REFUSAL_BAD_LENGTH], 1);
    assert_int_equal(statistics.refused_manifests[STORE_REFUSAL_TRUNCATED], 2);
    assert_int_equal(statistics.refused_manifests[STORE_REFUSAL_TRAILING], 2);
    assert_int_equal(statistics.refused_manifests[STORE_REFUSAL_NONE], 0);
}

static void test_manifests_without_a_parent_or_bytes_or_too_dense(void **state)
{
    struct fixture *f = *state;
    /* Entries of two bytes: another last byte of the trace, the same span id (15 * 9 + 8). */
    uint8_t dense[30 + 2 * 100] = {1, 0, 0, 0, 101, 0};
    memset(dense + 6, 7, 24);
    for (size_t i = 0; i < 100; i++) {
        dense[30 + 2 * i] = 15 * 9 + 8;
        dense[31 + 2 * i] = (uint8_t)(100 + i);
    }
    static const enum store_refusal expected[] = {STORE_REFUSAL_NO_PARENT, STORE_REFUSAL_NO_BYTES,
                                                  STORE_REFUSAL_TOO_DENSE};
    for (uint64_t i = 0; i < 3; i++) {
        const struct store_span_id id = id_of(BATCH_TRACE, 100 + i);
        struct ftri_bytes span;
        begin_span(&span, &id, i == 0 ? 0 : BATCH_SPAN, "flow.manifest");
        if (i != 1)
            put_manifest(&span, ftri_view_of(dense, sizeof dense));
        append_span(f, &span, i);
    }
    struct store_lineage lineage;
    read_lineage(f, BATCH_TRACE, &lineage);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(find_span(&lineage, BATCH_TRACE, 100 + i)->refusal, expected[i]);
    store_lineage_deinit(&lineage);
    const struct store_statistics statistics = fixture_statistics(f);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(statistics.refused_manifests[expected[i]], 1);
}

static void test_the_limit_is_told_and_what_fits_stays(void **state)
{
    struct fixture *f = *state;
    append_batch(f, 1000, 1);
    const struct store_span_id batch = id_of(BATCH_TRACE, 1);
    struct store_lineage lineage;
    store_lineage_init(&lineage, 16 << 10);
    assert_int_equal(store_read_lineage(f->store, &batch.trace_id, 1, true, &lineage), -EMSGSIZE);
    store_lineage_deinit(&lineage);
}

/* --- retention ----------------------------------------------------------------------------- */

/* Reopens with a retention that takes what came before `received_ns` of the wall clock. */
static void test_what_retention_removed_is_told_from_what_never_came(void **state)
{
    struct fixture *f = *state;
    const uint64_t now = ftri_time_wall_ns(), old = now - 3600 * FTRI_NS_PER_S;
    f->options.retention_ns = 0;
    fixture_close(f);
    fixture_open(f);
    for (uint64_t i = 0; i < 10; i++) {
        append_contributors(f, i * A_REQUEST, A_REQUEST, i < 4 ? old : now);
        fixture_settle(f);
    }
    append_batch(f, 120, now);
    fixture_settle(f);
    assert_int_equal(count_stored(f, 0, 120), 100);
    if (fixture_is_sqlite(f)) {
        fixture_close(f);
        f->options.retention_ns = 1800 * FTRI_NS_PER_S;
        fixture_open(f);
        store_flush(f->store);
    } else {
        f->options.retention_ns = 1800 * FTRI_NS_PER_S;
        fixture_close(f);
        fixture_open(f);
        for (uint64_t i = 0; i < 10; i++)
            append_contributors(f, i * A_REQUEST, A_REQUEST, i < 4 ? old : now);
        append_batch(f, 120, now);
    }
    for (int i = 0; i < 2000 && fixture_statistics(f).n_expired_blocks < 4; i++)
        usleep(10000);
    for (int pass = 0; pass < (fixture_is_sqlite(f) ? 2 : 1); pass++) {
        check_contributors(f, 120);
        assert_int_equal(count_stored(f, 0, 120), 60);
        for (uint64_t i = 0; i < 40; i++)
            assert_int_equal(explain(f, contributor(i)), STORE_ABSENCE_REMOVED);
        for (uint64_t i = 100; i < 120; i++)
            assert_int_equal(explain(f, contributor(i)), STORE_ABSENCE_NEVER);
        /* Another span of a trace that was removed never was. */
        assert_int_equal(explain(f, id_of(1, 99)), STORE_ABSENCE_NEVER);
        check_results(f, 40, 60, 1);
        fixture_settle(f);
        if (fixture_is_sqlite(f)) {
            fixture_close(f);
            fixture_open(f);
        }
    }
}

/* The fan-in goes with its block, and its edges with it. */
static void test_edges_go_with_the_block_of_the_fan_in(void **state)
{
    struct fixture *f = *state;
    const uint64_t now = ftri_time_wall_ns(), old = now - 3600 * FTRI_NS_PER_S;
    f->options.retention_ns = 1800 * FTRI_NS_PER_S;
    fixture_close(f);
    fixture_open(f);
    append_batch(f, 20, old);
    fixture_settle(f);
    append_contributors(f, 0, A_REQUEST, now);
    fixture_settle(f);
    for (int i = 0; i < 2000 && fixture_statistics(f).n_expired_blocks == 0; i++)
        usleep(10000);
    check_contributors(f, 0);
    const struct store_span_id first = contributor(0);
    assert_int_equal(count_results(f, &first, 1, NULL), 0);
    assert_int_equal(explain(f, id_of(BATCH_TRACE, BATCH_SPAN)), STORE_ABSENCE_REMOVED);
    assert_int_equal(count_stored(f, 0, A_REQUEST), A_REQUEST);
}

/* Ghosts have a bound: what is beyond it is unknown, never "never received". */
static void test_what_was_forgotten_is_unknown(void **state)
{
    struct fixture *f = *state;
    f->options.retention_bytes = 64 << 10;
    fixture_close(f);
    fixture_open(f);
    for (uint64_t i = 0; i < 3000; i++) {
        append_contributors(f, i * A_REQUEST, A_REQUEST, i + 1);
        if (i % 20 == 0)
            fixture_settle(f);
    }
    fixture_settle(f);
    const enum store_absence oldest = explain(f, contributor(0));
    assert_int_equal(oldest, STORE_ABSENCE_UNKNOWN);
    assert_int_equal(explain(f, id_of(123456, 1)), STORE_ABSENCE_UNKNOWN);
}

static void test_blocks_of_version_1_get_their_mentions(void **state)
{
    struct fixture *f = *state;
    char path[128];
    sqlite3 *connection;
    append_contributors(f, 0, A_REQUEST, 1);
    fixture_settle(f);
    append_batch(f, 20, 2);
    fixture_settle(f);
    fixture_close(f);
    snprintf(path, sizeof path, "%s/flowtrace.db", f->directory);
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    /* As version 1 left it. */
    assert_int_equal(sqlite3_exec(connection,
                                  "ALTER TABLE blocks DROP COLUMN mentions; DROP TABLE ghosts;"
                                  "DROP TABLE ledger; PRAGMA user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(connection);
    fixture_open(f);
    check_contributors(f, 20);
    check_results(f, 0, 20, 1);
    assert_int_equal(fixture_statistics(f).n_corrupt_blocks, 0);
}

/* Each reading fails for want of memory or is complete. True: one failed. */
static bool read_short_of_memory(struct fixture *f)
{
    const struct store_span_id batch = id_of(BATCH_TRACE, 1), first = contributor(0);
    const struct store_wanted wanted = {&first, 1, 0};
    struct store_lineage lineage;
    struct ftri_bytes traces;
    uint8_t absence;
    store_lineage_init(&lineage, 1 << 20);
    const int r = store_read_lineage(f->store, &batch.trace_id, 1, true, &lineage);
    assert_true(r == 0 || r == -ENOMEM || r == -EMSGSIZE);
    assert_true(r < 0 || lineage.n_spans == 2);
    store_lineage_deinit(&lineage);
    ftri_bytes_init(&traces, 1 << 20);
    const int r_results = store_find_results(f->store, &wanted, &traces);
    assert_true(r_results == -ENOMEM || (r_results == 0 && traces.len == 16));
    ftri_bytes_deinit(&traces);
    const int r_absence = store_explain_absence(f->store, &first, 1, &absence);
    assert_true(r_absence == -ENOMEM || (r_absence == 0 && absence == STORE_ABSENCE_NEVER));
    return r < 0 || r_results < 0 || r_absence < 0;
}

static void test_any_request_for_memory_may_fail(void **state)
{
    struct fixture *f = *state;
    append_batch(f, 20, 1);
    for (int pass = 0; pass < 2; pass++) {
        bool has_failed = true;
        for (uint64_t n = 1; has_failed; n++) {
            ftri_mem_fail_at(n);
            has_failed = read_short_of_memory(f);
            ftri_mem_fail_at(0);
        }
        fixture_settle(f);
    }
    assert_false(read_short_of_memory(f));
}

/* --- threads ------------------------------------------------------------------------------- */

enum { N_READERS = 3, ROUNDS = 150 };

struct shared {
    struct store *store;
    _Atomic uint64_t n_rounds; /* rounds 1 to this are in */
    _Atomic bool is_done;
    _Atomic uint64_t n_reads;
};

/* cmocka's asserts belong to the main thread. */
static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "a reader: %s\n", what);
    abort();
}

static void ask_about_round(struct shared *shared, uint64_t round)
{
    const struct store_span_id batch = id_of(BATCH_TRACE + round, 1), absent = id_of(round, 99);
    const struct store_span_id source = contributor(round * A_REQUEST + round % A_REQUEST);
    const struct store_wanted wanted = {&source, 1, 0};
    struct store_lineage lineage;
    struct ftri_bytes traces;
    uint8_t absence;
    size_t n_named = 0;
    ftri_bytes_init(&traces, 1 << 20);
    demand(store_find_results(shared->store, &wanted, &traces) == 0 && traces.len == 16 &&
               memcmp(traces.data, &batch.trace_id, 16) == 0,
           "an edge is missing");
    ftri_bytes_deinit(&traces);
    store_lineage_init(&lineage, 1 << 20);
    demand(store_read_lineage(shared->store, &batch.trace_id, 1, true, &lineage) == 0, "reading");
    for (const struct store_lineage_span *span = lineage.first; span; span = span->next)
        n_named += span->n_contributors;
    demand(lineage.n_spans == 2 && n_named == A_REQUEST, "contributors are missing");
    store_lineage_deinit(&lineage);
    demand(store_explain_absence(shared->store, &absent, 1, &absence) == 0 &&
               absence == STORE_ABSENCE_NEVER,
           "an absence");
}

static void *run_reader(void *argument)
{
    struct shared *shared = argument;
    uint64_t seed = (uint64_t)(uintptr_t)&seed;
    while (!atomic_load(&shared->is_done)) {
        const uint64_t n = atomic_load(&shared->n_rounds);
        if (n == 0)
            continue;
        ask_about_round(shared, 1 + sample_random(&seed) % n);
        ask_about_round(shared, n);
        atomic_fetch_add(&shared->n_reads, 1);
    }
    return NULL;
}

static void test_readers_miss_no_edge_while_blocks_are_made(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->options.block_spans = 16;
    fixture_open(f);
    struct shared shared = {.store = f->store};
    pthread_t readers[N_READERS];
    for (size_t i = 0; i < N_READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, run_reader, &shared), 0);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        append_contributors(f, round * A_REQUEST, A_REQUEST, round);
        append_batch_of(f, BATCH_TRACE + round, round * A_REQUEST, A_REQUEST, round);
        atomic_store(&shared.n_rounds, round);
        if (round % 7 == 0)
            fixture_settle(f);
        fixture_collect(f);
    }
    fixture_settle(f);
    while (atomic_load(&shared.n_reads) < 10)
        sched_yield();
    atomic_store(&shared.is_done, true);
    for (size_t i = 0; i < N_READERS; i++)
        pthread_join(readers[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_ten_thousand_contributors_in_a_thousand_blocks),
        FIXTURE_TEST_ALL(test_a_manifest_that_comes_first_is_found_as_well),
        FIXTURE_TEST_ALL(test_links_are_edges_with_their_relation),
        FIXTURE_TEST_ALL(test_of_two_versions_the_winner_names_the_contributors),
        FIXTURE_TEST_ALL(test_manifests_that_lie_are_refused_by_name_and_counted),
        FIXTURE_TEST_ALL(test_manifests_without_a_parent_or_bytes_or_too_dense),
        FIXTURE_TEST_ALL(test_the_limit_is_told_and_what_fits_stays),
        FIXTURE_TEST_ALL(test_what_retention_removed_is_told_from_what_never_came),
        FIXTURE_TEST_ALL(test_edges_go_with_the_block_of_the_fan_in),
        FIXTURE_TEST_ALL(test_what_was_forgotten_is_unknown),
        FIXTURE_TEST_ALL(test_any_request_for_memory_may_fail),
        FIXTURE_TEST_ALL(test_readers_miss_no_edge_while_blocks_are_made),
        FIXTURE_TEST(test_blocks_of_version_1_get_their_mentions, "sqlite"),
    };
    return cmocka_run_group_tests_name("lineage", tests, NULL, NULL);
}
