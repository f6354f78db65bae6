/* SPDX-License-Identifier: Apache-2.0
 *
 * store_search against a filter over all spans, written from the contract alone. Half of the spans
 * come in two versions, mostly in different payloads and so in different blocks. */
#include "fixture.h"

#include "base/mem.h"

#include <errno.h>
#include <fnmatch.h>

enum { N_SPANS = 20 * 1000, N_TRACES = 3000, PAYLOAD_SPANS = 97 };

static const char *const services[] = {"shop", "bank", "mail", "shop-2"};
static const char *const names[] = {"GET /", "POST /", "query", "", "render", "send", "store/*"};
static const char *const patterns[] = {"*",       "GET*",     "*T /",  "*e*e*",     "store/*",
                                       "nay/*",   "*/*",      "q*y",   "store/\\*", "\\*",
                                       "render*", "**send**", "P*/*/*"};

/* What is left of each span: the model. */
struct model {
    struct sample *spans;
    size_t n;
};

static struct sample random_span(uint64_t *seed, uint64_t span)
{
    const uint64_t start = 1000000 + sample_random(seed) % 500000;
    const uint64_t duration =
        sample_random(seed) % 4 ? sample_random(seed) % 2000 : sample_random(seed) % 200000;
    return (struct sample){
        /* Most traces lie in one block, some reach into the next, few are everywhere. */
        .trace = 1 + (sample_random(seed) % 50
                          ? (span * (N_TRACES - 100) / N_SPANS + sample_random(seed) % 100)
                          : sample_random(seed) % N_TRACES),
        .span = span,
        .parent = sample_random(seed) % 3 ? 1 + sample_random(seed) % N_SPANS : 0,
        .service = services[sample_random(seed) % FTRI_COUNT(services)],
        .name = names[sample_random(seed) % FTRI_COUNT(names)],
        .start_ns = start,
        .end_ns = sample_random(seed) % 20 ? start + duration : 0,
        .kind = (uint32_t)(sample_random(seed) % 6),
        .is_error = sample_random(seed) % 50 == 0,
    };
}

/* An earlier version of a span that is finished later. */
static struct sample earlier_version(const struct sample *span, uint64_t *seed)
{
    struct sample earlier = *span;
    earlier.end_ns = 0;
    earlier.name = names[sample_random(seed) % FTRI_COUNT(names)];
    earlier.start_ns = span->start_ns + (sample_random(seed) % 2 ? 70000 : 0);
    earlier.is_error = sample_random(seed) % 10 == 0;
    earlier.note = 1;
    return earlier;
}

/* Appends the earlier versions first; the last payloads stay unsettled. */
static void append_all(struct fixture *f, struct model *model)
{
    uint64_t seed = 42;
    struct sample *stream = calloc(2 * N_SPANS, sizeof *stream);
    model->spans = calloc(N_SPANS, sizeof *model->spans);
    assert_true(stream && model->spans);
    size_t n = 0;
    for (uint64_t i = 0; i < N_SPANS; i++) {
        const struct sample span = random_span(&seed, i + 1);
        model->spans[model->n++] = span;
        stream[n++] = span;
        if (span.end_ns == 0 || sample_random(&seed) % 2)
            continue;
        /* Somewhere before, not far in most cases. */
        const size_t reach = sample_random(&seed) % 100 ? ftri_size_min(n, 700) : n;
        const size_t at = n - 1 - sample_random(&seed) % reach;
        stream[n++] = stream[at];
        stream[at] = earlier_version(&span, &seed);
    }
    for (size_t i = 0; i < n; i += PAYLOAD_SPANS) {
        fixture_append(f, stream + i, ftri_size_min(PAYLOAD_SPANS, n - i), 1 + i);
        if (i / PAYLOAD_SPANS % 50 == 0 && i < n - n / 8)
            fixture_settle(f);
    }
    free(stream);
}

static bool is_text(ftr_str wanted, const char *found)
{
    return wanted.len == 0 ||
           (wanted.len == strlen(found) && memcmp(wanted.data, found, wanted.len) == 0);
}

/* The patterns are none of those that fnmatch(3) reads otherwise. */
static bool is_name(ftr_str wanted, const char *name)
{
    char pattern[64];
    snprintf(pattern, sizeof pattern, "%.*s", (int)wanted.len, wanted.data ? wanted.data : "");
    return wanted.len == 0 || fnmatch(pattern, name, 0) == 0;
}

static bool is_match(const struct store_query *query, const struct sample *span)
{
    const bool has_duration_condition = query->duration_min_ns || query->duration_max_ns;
    const uint64_t duration = span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
    if (has_duration_condition && span->end_ns == 0)
        return false; /* an unfinished span has no duration */
    return is_text(query->service, span->service) && is_name(query->name, span->name) &&
           (query->status == STORE_STATUS_ANY ||
            span->is_error == (query->status == STORE_STATUS_ERROR)) &&
           span->start_ns >= query->start_min_ns &&
           (!query->start_max_ns || span->start_ns <= query->start_max_ns) &&
           duration >= query->duration_min_ns &&
           (!query->duration_max_ns || duration <= query->duration_max_ns);
}

struct expected {
    uint8_t trace_id[16];
    uint64_t start_ns;
};

static int compare_expected(const void *left, const void *right)
{
    const struct expected *a = left, *b = right;
    if (a->start_ns != b->start_ns)
        return a->start_ns > b->start_ns ? -1 : 1;
    return memcmp(a->trace_id, b->trace_id, 16);
}

static size_t filter(const struct model *model, const struct store_query *query,
                     struct expected *expected)
{
    static uint64_t newest[N_TRACES + 1];
    memset(newest, 0, sizeof newest);
    for (size_t i = 0; i < model->n; i++) {
        const struct sample *span = &model->spans[i];
        if (is_match(query, span) && span->start_ns > newest[span->trace])
            newest[span->trace] = span->start_ns;
    }
    size_t n = 0;
    for (uint64_t trace = 1; trace <= N_TRACES; trace++) {
        if (!newest[trace])
            continue;
        sample_trace_id(trace, expected[n].trace_id);
        expected[n++].start_ns = newest[trace];
    }
    qsort(expected, n, sizeof *expected, compare_expected);
    return ftri_size_min(n, query->limit);
}

static void check_query(struct fixture *f, const struct model *model,
                        const struct store_query *query)
{
    static struct expected expected[N_TRACES];
    const size_t n_expected = filter(model, query, expected);
    struct store_match *matches = NULL;
    size_t n = 0;
    assert_int_equal(store_search(f->store, query, &matches, &n), 0);
    assert_int_equal(n, n_expected);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(matches[i].start_ns, expected[i].start_ns);
        assert_memory_equal(matches[i].trace_id, expected[i].trace_id, 16);
    }
    ftri_free(matches);
}

/* Every combination of conditions that are set or not, each with drawn values. */
static struct store_query random_query(unsigned conditions, uint64_t *seed)
{
    static const size_t limits[] = {1, 2, 20, 500, 10 * 1000};
    struct store_query query = {.limit = limits[sample_random(seed) % FTRI_COUNT(limits)]};
    const char *service = services[sample_random(seed) % FTRI_COUNT(services)];
    const char *name = sample_random(seed) % 2
                           ? names[sample_random(seed) % FTRI_COUNT(names)]
                           : patterns[sample_random(seed) % FTRI_COUNT(patterns)];
    if (conditions & 1)
        query.service = (ftr_str){service, strlen(service)};
    if (conditions & 2)
        query.name = (ftr_str){name, strlen(name)};
    if (conditions & 4)
        query.status = sample_random(seed) % 2 ? STORE_STATUS_ERROR : STORE_STATUS_OK;
    if (conditions & 8)
        query.start_min_ns = 1000000 + sample_random(seed) % 500000;
    if (conditions & 16)
        query.start_max_ns = 1000000 + sample_random(seed) % 500000;
    if (conditions & 32)
        query.duration_min_ns = sample_random(seed) % 20000;
    if (conditions & 64)
        query.duration_max_ns = 1 + sample_random(seed) % 20000;
    return query;
}

static void test_every_combination_of_conditions(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->options.block_spans = 1024;
    fixture_open(f);
    struct model model = {0};
    append_all(f, &model);
    uint64_t seed = 7;
    for (int round = 0; round < 2; round++) {
        for (unsigned conditions = 0; conditions < 128; conditions++) {
            const struct store_query query = random_query(conditions, &seed);
            check_query(f, &model, &query);
        }
        fixture_settle(f);
    }
    free(model.spans);
}

static void test_the_ends_of_a_range_belong_to_it(void **state)
{
    struct fixture *f = *state;
    const struct sample samples[] = {{1, 1, 0, "s", "n", 100, 150, 0, false, 0},
                                     {2, 1, 0, "s", "n", 200, 250, 0, false, 0},
                                     {3, 1, 0, "s", "n", 300, 290, 0, false, 0},
                                     {4, 1, 0, "s", "n", 400, 0, 0, false, 0}};
    static const struct {
        struct store_query query;
        size_t n;
    } cases[] = {
        {{.start_min_ns = 200, .limit = 9}, 3},
        {{.start_min_ns = 201, .limit = 9}, 2},
        {{.start_max_ns = 200, .limit = 9}, 2},
        {{.start_max_ns = 199, .limit = 9}, 1},
        {{.duration_min_ns = 50, .limit = 9}, 2},
        {{.duration_min_ns = 51, .limit = 9}, 0},
        {{.duration_max_ns = 50, .limit = 9}, 3}, /* an end before the start: no time passed */
        {{.duration_max_ns = 49, .limit = 9}, 1},
        {{.status = STORE_STATUS_OK, .limit = 9}, 4},
        {{.status = STORE_STATUS_ERROR, .limit = 9}, 0},
    };
    fixture_append(f, samples, 4, 1);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
            struct store_match *matches = NULL;
            size_t n = 99;
            assert_int_equal(store_search(f->store, &cases[i].query, &matches, &n), 0);
            assert_int_equal(n, cases[i].n);
            ftri_free(matches);
        }
        fixture_settle(f);
    }
}

static void test_equal_starts_are_ordered_by_trace_id(void **state)
{
    struct fixture *f = *state;
    struct sample samples[60];
    for (uint64_t i = 0; i < 60; i++)
        samples[i] = (struct sample){i + 1, 1, 0, "s", "n", 500, 501, 0, false, 0};
    for (size_t i = 0; i < 60; i += 20) {
        fixture_append(f, samples + i, 20, i);
        if (i < 40)
            fixture_settle(f);
    }
    const struct model model = {samples, 60};
    for (size_t limit = 1; limit < 70; limit += 7)
        check_query(f, &model, &(struct store_query){.limit = limit});
}

static void test_a_limit_out_of_range_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_match *matches = NULL;
    size_t n = 0;
    const struct store_query none = {.limit = 0}, many = {.limit = 10 * 1000 + 1};
    assert_int_equal(store_search(f->store, &none, &matches, &n), -EINVAL);
    assert_int_equal(store_search(f->store, &many, &matches, &n), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_every_combination_of_conditions),
        FIXTURE_TEST_ALL(test_the_ends_of_a_range_belong_to_it),
        FIXTURE_TEST_ALL(test_equal_starts_are_ordered_by_trace_id),
        FIXTURE_TEST_ALL(test_a_limit_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
