/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's contract (src/store/store.h) on every backend: appending, settling, one version of
 * each span, bytes as they were received, names, retention. */
#include "fixture.h"

#include "base/time.h"
#include "codec/wire.h"

enum place { SAME_PAYLOAD, TWO_PAYLOADS, GATHERED_AND_BLOCK, TWO_BLOCKS, N_PLACES };

static const uint64_t DAY_NS = 24 * 3600 * FTRI_NS_PER_S;

static void test_what_was_appended_is_visible_before_it_is_settled(void **state)
{
    struct fixture *f = *state;
    const struct sample samples[] = {
        {1, 10, 0, "shop", "GET /", 1000, 3000, 2, false, 1},
        {1, 11, 10, "shop", "query", 1500, 2000, 3, true, 2},
        {2, 20, 0, "bank", "pay", 5000, 5001, 1, false, 3},
    };
    fixture_append(f, samples, 3, 1);
    fixture_check_trace(f, 1, samples, 2);
    fixture_check_trace(f, 2, samples + 2, 1);
    fixture_check_trace(f, 3, NULL, 0);
    fixture_settle(f);
    fixture_check_trace(f, 1, samples, 2);
    fixture_check_trace(f, 2, samples + 2, 1);
    fixture_check_trace(f, 3, NULL, 0);
    const struct store_statistics statistics = fixture_statistics(f);
    assert_int_equal(statistics.n_appended_spans, 3);
    assert_int_equal(statistics.n_gathered_spans + statistics.n_block_spans, 3);
    assert_int_equal(statistics.n_errors, 0);
}

static void test_every_token_comes_back_exactly_once(void **state)
{
    struct fixture *f = *state;
    struct sample samples[7];
    uint64_t n_spans = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        const size_t n = i % 8; /* also none at all */
        for (size_t j = 0; j < n; j++)
            samples[j] =
                (struct sample){i + 1, j + 1, 0, "s", "n", 1000 + i, 2000 + i, 0, false, 0};
        fixture_append(f, samples, n, i);
        n_spans += n;
        if (i % 5 == 0)
            fixture_collect(f);
    }
    fixture_settle(f);
    assert_int_equal(f->n_settled, 3000);
    struct store_settled none;
    assert_int_equal(store_collect(f->store, &none, 1), 0);
    const struct store_statistics statistics = fixture_statistics(f);
    assert_int_equal(statistics.n_appended_spans, n_spans);
    assert_int_equal(statistics.n_gathered_spans + statistics.n_block_spans, n_spans);
}

/* Two versions of one span, each with a neighbour that has only one. */
static void append_versions(struct fixture *f, enum place place, const struct sample *first,
                            const struct sample *second, const uint64_t received[2])
{
    const struct sample both[] = {*first, *second};
    if (place == SAME_PAYLOAD) {
        fixture_append(f, both, 2, received[0]);
        return;
    }
    fixture_append(f, first, 1, received[0]);
    if (place != TWO_PAYLOADS)
        fixture_settle(f);
    fixture_append(f, second, 1, received[1]);
    if (place == TWO_BLOCKS)
        fixture_settle(f);
}

static void check_winner(struct fixture *f, uint64_t trace, const struct sample *winner)
{
    fixture_check_trace(f, trace, winner, 1);
    struct store_match *matches = NULL;
    size_t n = 0;
    const struct store_query query = {.service = FTR_STR("s"),
                                      .start_min_ns = trace * 10,
                                      .start_max_ns = trace * 10,
                                      .limit = 9};
    assert_int_equal(store_search(f->store, &query, &matches, &n), 0);
    assert_int_equal(n, 1);
    free(matches);
}

static void test_one_version_of_each_span_is_left(void **state)
{
    struct fixture *f = *state;
    uint64_t trace = 1;
    for (enum place place = 0; place < N_PLACES; place++) {
        for (unsigned i = 0; i < 8; i++, trace++) {
            const bool is_first_finished = i & 1, is_second_finished = i & 2;
            /* In one payload there is one time of receiving. */
            const bool is_first_later = (i & 4) && place != SAME_PAYLOAD;
            const uint64_t received[] = {is_first_later ? 200 : 100, is_first_later ? 100 : 200};
            const uint64_t start = trace * 10;
            const struct sample versions[] = {
                {trace, 7, 0, "s", "n", start, is_first_finished ? start + 1 : 0, 1, false, 1},
                {trace, 7, 0, "s", "n", start, is_second_finished ? start + 2 : 0, 1, false, 2},
            };
            const size_t winner =
                is_first_finished != is_second_finished ? is_second_finished : !is_first_later;
            append_versions(f, place, &versions[0], &versions[1], received);
            check_winner(f, trace, &versions[winner]);
            fixture_settle(f);
            check_winner(f, trace, &versions[winner]);
        }
    }
}

static void test_equal_times_of_receiving_leave_the_later_appended(void **state)
{
    struct fixture *f = *state;
    for (enum place place = 0; place < N_PLACES; place++) {
        const uint64_t trace = place + 1, received[] = {50, 50};
        const struct sample versions[] = {
            {trace, 7, 0, "s", "n", trace * 10, trace * 10 + 5, 1, false, 1},
            {trace, 7, 0, "s", "n", trace * 10, trace * 10 + 3, 1, false, 2},
        };
        append_versions(f, place, &versions[0], &versions[1], received);
        check_winner(f, trace, &versions[1]);
        fixture_settle(f);
        check_winner(f, trace, &versions[1]);
    }
}

/* A version that matches is beaten by one elsewhere that does not. */
static void test_a_beaten_version_does_not_match(void **state)
{
    struct fixture *f = *state;
    for (enum place place = 0; place < N_PLACES; place++) {
        const uint64_t trace = place + 1, received[] = {1, 2};
        const struct sample unfinished = {trace, 7, 0, "s", "before", 100, 0, 1, false, 1};
        const struct sample finished = {trace, 7, 0, "s", "after", 100, 200, 1, false, 2};
        append_versions(f, place, &unfinished, &finished, received);
    }
    const struct store_query before = {.name = FTR_STR("before"), .limit = 10};
    const struct store_query after = {.name = FTR_STR("after"), .limit = 10};
    struct store_match *matches = NULL;
    size_t n = 9;
    assert_int_equal(store_search(f->store, &before, &matches, &n), 0);
    assert_int_equal(n, 0);
    free(matches);
    assert_int_equal(store_search(f->store, &after, &matches, &n), 0);
    assert_int_equal(n, N_PLACES);
    free(matches);
}

/* --- bytes as they were received ----------------------------------------------------------- */

struct field {
    uint32_t number;
    enum ftri_wire_type type;
    uint64_t value;
    const char *bytes;
    size_t len;
};

enum { FIELDS_MAX = 12, N_SHAPES = 14 };

#define ID "\x5a\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
#define TRACE_FIELD                                                                                \
    {                                                                                              \
        1, FTRI_WIRE_BYTES, 0, ID "\x0f", 16                                                       \
    }
#define SPAN_FIELD(n)                                                                              \
    {                                                                                              \
        2, FTRI_WIRE_BYTES, 0, "abcdefg" n, 8                                                      \
    }
#define NAME_FIELD(name)                                                                           \
    {                                                                                              \
        5, FTRI_WIRE_BYTES, 0, name, sizeof name - 1                                               \
    }
#define KIND_FIELD(kind)                                                                           \
    {                                                                                              \
        6, FTRI_WIRE_VARINT, kind                                                                  \
    }
#define START_FIELD(time)                                                                          \
    {                                                                                              \
        7, FTRI_WIRE_FIXED64, time                                                                 \
    }
#define END_FIELD(time)                                                                            \
    {                                                                                              \
        8, FTRI_WIRE_FIXED64, time                                                                 \
    }
#define ATTRIBUTE_FIELD                                                                            \
    {                                                                                              \
        9, FTRI_WIRE_BYTES, 0, "\x0a\x01k\x12\x02\x18\x05", 7                                      \
    }

/* Span messages of field lists: the order of encoders, other orders, what is rare. */
static const struct field shapes[N_SHAPES][FIELDS_MAX] = {
    {TRACE_FIELD, SPAN_FIELD("0"), NAME_FIELD("a"), KIND_FIELD(1), START_FIELD(5), END_FIELD(9)},
    {END_FIELD(9), START_FIELD(5), KIND_FIELD(2), NAME_FIELD("b"), SPAN_FIELD("1"), TRACE_FIELD},
    {TRACE_FIELD,
     SPAN_FIELD("2"),
     {3, FTRI_WIRE_BYTES, 0, "vendor=1", 8},
     {4, FTRI_WIRE_BYTES, 0, "abcdefg0", 8},
     NAME_FIELD("c"),
     START_FIELD(6),
     END_FIELD(7),
     {16, FTRI_WIRE_FIXED32, 0x301}},
    {TRACE_FIELD,
     SPAN_FIELD("3"),
     NAME_FIELD("unknown"),
     START_FIELD(6),
     END_FIELD(7),
     {99, FTRI_WIRE_BYTES, 0, "later", 5},
     {1000, FTRI_WIRE_VARINT, 7}},
    {TRACE_FIELD, SPAN_FIELD("4"), NAME_FIELD("unfinished"), KIND_FIELD(3), START_FIELD(1000)},
    {TRACE_FIELD, SPAN_FIELD("5"), NAME_FIELD("ends early"), START_FIELD(1000), END_FIELD(10)},
    {TRACE_FIELD, SPAN_FIELD("6"), NAME_FIELD("kind 0"), KIND_FIELD(0), START_FIELD(1),
     END_FIELD(2)},
    {TRACE_FIELD, SPAN_FIELD("7"), NAME_FIELD("kind 9"), KIND_FIELD(9), START_FIELD(1),
     END_FIELD(2)},
    {TRACE_FIELD, SPAN_FIELD("8"), NAME_FIELD("kind -1"), KIND_FIELD(UINT64_MAX), START_FIELD(1)},
    {TRACE_FIELD, SPAN_FIELD("9")},
    {TRACE_FIELD,
     SPAN_FIELD("A"),
     {4, FTRI_WIRE_BYTES, 0, "", 0},
     NAME_FIELD(""),
     START_FIELD(0),
     END_FIELD(0)},
    {TRACE_FIELD,
     SPAN_FIELD("B"),
     {4, FTRI_WIRE_BYTES, 0, "abcdefg0", 8},
     NAME_FIELD("d"),
     KIND_FIELD(7),
     START_FIELD(UINT64_MAX),
     END_FIELD(UINT64_MAX - 1),
     ATTRIBUTE_FIELD},
    {TRACE_FIELD,
     SPAN_FIELD("C"),
     {4, FTRI_WIRE_BYTES, 0, "no row 1", 8},
     NAME_FIELD("first"),
     START_FIELD(3),
     END_FIELD(4),
     NAME_FIELD("last"),
     {15, FTRI_WIRE_BYTES, 0, "\x18\x02", 2}},
    {TRACE_FIELD,
     SPAN_FIELD("D"),
     {4, FTRI_WIRE_BYTES, 0, "abcdefgD", 8},
     NAME_FIELD("own parent"),
     KIND_FIELD(5),
     START_FIELD(1),
     END_FIELD(UINT64_MAX),
     ATTRIBUTE_FIELD,
     ATTRIBUTE_FIELD},
};

static void write_shape(const struct field *fields, struct ftri_bytes *out)
{
    for (size_t i = 0; i < FIELDS_MAX && fields[i].number; i++) {
        const struct field *field = &fields[i];
        int r = 0;
        if (field->type == FTRI_WIRE_VARINT)
            r = ftri_wire_put_varint(out, field->number, field->value);
        else if (field->type == FTRI_WIRE_FIXED64)
            r = ftri_wire_put_fixed64(out, field->number, field->value);
        else if (field->type == FTRI_WIRE_FIXED32)
            r = ftri_wire_put_fixed32(out, field->number, (uint32_t)field->value);
        else
            r = ftri_wire_put_bytes(out, field->number, ftri_view_of(field->bytes, field->len));
        assert_int_equal(r, 0);
    }
}

static const struct sample_place places[] = {{"shop", "library", "https://r", "https://s"},
                                             {NULL, NULL, NULL, NULL},
                                             {"bank", NULL, NULL, ""}};

static void append_shapes(struct fixture *f)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1 << 20);
    for (size_t i = 0; i < N_SHAPES; i++) {
        struct ftri_bytes body;
        ftri_bytes_init(&body, 1 << 16);
        write_shape(shapes[i], &body);
        const struct ftri_view view = ftri_bytes_view(&body);
        sample_wrap(&places[i % FTRI_COUNT(places)], &view, 1, &out);
        ftri_bytes_deinit(&body);
    }
    fixture_append_payload(f, sample_seal(&out), 1);
}

static void check_text(struct ftri_view found, const char *expected)
{
    const size_t len = expected ? strlen(expected) : 0;
    assert_int_equal(found.len, len);
    if (len)
        assert_memory_equal(found.data, expected, len);
}

static void check_shape(const struct store_result *result, size_t shape)
{
    struct ftri_bytes body;
    ftri_bytes_init(&body, 1 << 16);
    write_shape(shapes[shape], &body);
    size_t n = 0;
    for (size_t i = 0; i < result->n_spans; i++) {
        const struct ftri_otlp_span *span = &result->spans[i];
        if (span->bytes.len != body.len || memcmp(span->bytes.data, body.data, body.len) != 0)
            continue;
        const struct sample_place *place = &places[shape % FTRI_COUNT(places)];
        check_text(ftri_view_of(span->resource_schema_url.data, span->resource_schema_url.len),
                   place->resource_url);
        check_text(ftri_view_of(span->scope_schema_url.data, span->scope_schema_url.len),
                   place->scope_url);
        const ftr_str service = ftri_otlp_service_name(span->resource);
        check_text(ftri_view_of(service.data, service.len),
                   place->service ? place->service : "unknown_service");
        assert_int_equal(span->scope.len, place->scope ? 2 + strlen(place->scope) : 0);
        n++;
    }
    assert_int_equal(n, 1);
    ftri_bytes_deinit(&body);
}

static void check_shapes(struct fixture *f)
{
    struct store_result result;
    assert_int_equal(store_get_trace(f->store, (const uint8_t *)ID "\x0f", &result), 0);
    assert_int_equal(result.n_spans, N_SHAPES);
    for (size_t i = 0; i < N_SHAPES; i++)
        check_shape(&result, i);
    store_result_deinit(&result);
}

static void test_bytes_are_as_they_were_received(void **state)
{
    struct fixture *f = *state;
    append_shapes(f);
    check_shapes(f);
    fixture_settle(f);
    check_shapes(f);
    fixture_check_names(f, "", "bank\nshop\nunknown_service\n");
    fixture_check_names(f, "bank", "c\nd\nends early\nkind -1\n");
}

/* --- names, limits, retention -------------------------------------------------------------- */

static void test_names_are_sorted_and_each_once(void **state)
{
    struct fixture *f = *state;
    fixture_check_names(f, "", "");
    const struct sample samples[] = {
        {1, 1, 0, "b", "z", 1, 2, 0, false, 0},  {1, 2, 0, "b", "", 1, 2, 0, false, 0},
        {1, 3, 0, "a", "zz", 1, 2, 0, false, 0}, {2, 1, 0, "b", "z", 1, 2, 0, false, 0},
        {2, 2, 0, "ab", "y", 1, 2, 0, false, 0},
    };
    fixture_append(f, samples, 3, 1);
    fixture_settle(f);
    fixture_append(f, samples + 3, 2, 2);
    for (int i = 0; i < 2; i++) {
        fixture_check_names(f, "", "a\nab\nb\n");
        fixture_check_names(f, "b", "\nz\n");
        fixture_check_names(f, "a", "zz\n");
        fixture_check_names(f, "none", "");
        fixture_settle(f);
    }
}

static void test_a_trace_beyond_the_limit_is_truncated_to_the_earliest(void **state)
{
    struct fixture *f = *state;
    enum { N = 100 * 1000 + 100, AT_ONCE = 10010 };
    struct sample *samples = calloc(AT_ONCE, sizeof *samples);
    assert_non_null(samples);
    for (uint64_t i = 0; i < N; i += AT_ONCE) {
        for (uint64_t j = 0; j < AT_ONCE; j++) {
            const uint64_t start = N - (i + j);
            samples[j] = (struct sample){5, i + j + 1, 0, "s", "n", start, start + 1, 0, false, 0};
        }
        fixture_append(f, samples, AT_ONCE, i);
    }
    free(samples);
    for (int i = 0; i < 2; i++) {
        struct store_result result;
        fixture_get(f, 5, &result);
        assert_true(result.is_truncated);
        assert_int_equal(result.n_spans, 100 * 1000);
        for (uint64_t j = 0; j < result.n_spans; j += 777)
            assert_int_equal(result.spans[j].start_time_ns, j + 1);
        store_result_deinit(&result);
        fixture_settle(f);
    }
}

/* Retention is looked after behind each settling: the next one waits for it. */
static void settle_one_more(struct fixture *f, uint64_t trace, uint64_t received_ns)
{
    const struct sample sample = {trace, 1, 0, "s", "n", 1, 2, 0, false, 0};
    fixture_append(f, &sample, 1, received_ns);
    fixture_settle(f);
}

static void test_retention_by_age(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->options.retention_ns = 7 * DAY_NS;
    ftri_time_fake(1, 100 * DAY_NS);
    fixture_open(f);
    const struct sample samples[] = {{1, 1, 0, "s", "n", 1, 2, 0, false, 0},
                                     {2, 1, 0, "s", "n", 1, 2, 0, false, 0}};
    fixture_append(f, &samples[0], 1, 99 * DAY_NS);
    fixture_settle(f);
    fixture_append(f, &samples[1], 1, 100 * DAY_NS);
    fixture_settle(f);
    ftri_time_fake(1, 106 * DAY_NS);
    settle_one_more(f, 3, 106 * DAY_NS);
    settle_one_more(f, 4, 106 * DAY_NS);
    fixture_check_trace(f, 1, &samples[0], 1);
    ftri_time_fake(1, 106 * DAY_NS + 1);
    settle_one_more(f, 5, 106 * DAY_NS);
    settle_one_more(f, 6, 106 * DAY_NS);
    fixture_check_trace(f, 1, NULL, 0);
    fixture_check_trace(f, 2, &samples[1], 1);
    assert_int_equal(fixture_statistics(f).n_expired_blocks, 1);
    assert_int_equal(fixture_statistics(f).n_errors, 0);
}

static void test_retention_by_bytes(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->options.retention_bytes = 64 << 10;
    fixture_open(f);
    struct sample samples[100];
    uint64_t seed = 3;
    enum { N_APPENDS = 400 };
    for (uint64_t i = 1; i <= N_APPENDS; i++) {
        for (uint64_t j = 0; j < 100; j++)
            samples[j] =
                (struct sample){i * 1000 + j, sample_random(&seed), 0, "s", "n", i, i + 1, 0,
                                false,        (uint32_t)seed};
        fixture_append(f, samples, 100, i);
        fixture_settle(f);
    }
    settle_one_more(f, 7, N_APPENDS + 1);
    const struct store_statistics statistics = fixture_statistics(f);
    assert_true(statistics.n_expired_blocks > 0);
    /* What was gathered or written last is only looked at behind the next settling. */
    assert_true(statistics.n_bytes < 2 * f->options.retention_bytes);
    assert_true(statistics.n_bytes > f->options.retention_bytes / 4);
    fixture_check_trace(f, 1000, NULL, 0);
    fixture_check_trace(f, N_APPENDS * 1000 + 99, &samples[99], 1);
    assert_int_equal(statistics.n_errors, 0);
}

static void test_open_refuses_an_unknown_type(void **state)
{
    (void)state;
    struct store_options options;
    store_options_default(&options, "paper");
    struct store *store = NULL;
    struct ftri_error error;
    assert_true(store_open(&options, &store, &error) < 0);
    assert_non_null(strstr(error.text, "paper"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST_ALL(test_what_was_appended_is_visible_before_it_is_settled),
        FIXTURE_TEST_ALL(test_every_token_comes_back_exactly_once),
        FIXTURE_TEST_ALL(test_one_version_of_each_span_is_left),
        FIXTURE_TEST_ALL(test_equal_times_of_receiving_leave_the_later_appended),
        FIXTURE_TEST_ALL(test_a_beaten_version_does_not_match),
        FIXTURE_TEST_ALL(test_bytes_are_as_they_were_received),
        FIXTURE_TEST_ALL(test_names_are_sorted_and_each_once),
        FIXTURE_TEST_ALL(test_a_trace_beyond_the_limit_is_truncated_to_the_earliest),
        FIXTURE_TEST_ALL(test_retention_by_age),
        FIXTURE_TEST_ALL(test_retention_by_bytes),
        cmocka_unit_test(test_open_refuses_an_unknown_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
