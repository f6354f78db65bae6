/* SPDX-License-Identifier: Apache-2.0
 *
 * What a trace looks like. The expected texts were written by hand from the layout in tree_text.h.
 */
#include "base/mem.h"
#include "base/time.h"
#include "codec/utf8.h"
#include "otlp/encode.h"
#include "query/duration.h"
#include "query/tree_text.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <flowtrace/span.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SPANS_MAX = 64, LIMIT = 1 << 20 };

static const uint64_t START_NS = UINT64_C(1767323045) * 1000000000; /* 2026-01-02 03:04:05 */

/* Spans on their way to a text. */
struct picture {
    struct ftri_bytes encoded, resource, request;
    struct ftri_otlp_span spans[SPANS_MAX];
    size_t n_spans;
};

static void picture_init(struct picture *self, ftr_str service)
{
    *self = (struct picture){.n_spans = 0};
    ftri_bytes_init(&self->encoded, LIMIT);
    ftri_bytes_init(&self->resource, LIMIT);
    ftri_bytes_init(&self->request, LIMIT);
    const ftr_attribute name = {FTR_STR("service.name"), ftr_value_str(service)};
    assert_int_equal(ftri_otlp_encode_resource(&name, 1, &self->resource), 0);
}

static void picture_deinit(struct picture *self)
{
    ftri_bytes_deinit(&self->encoded);
    ftri_bytes_deinit(&self->resource);
    ftri_bytes_deinit(&self->request);
}

/* Fills in the ids: spans are numbered from 1, parent 0 is none. */
static void picture_add(struct picture *self, ftr_span_data span, uint8_t number, uint8_t parent)
{
    for (uint8_t i = 0; i < 16; i++)
        span.context.trace_id.bytes[i] = (uint8_t)(i + 1);
    span.context.span_id.bytes[7] = number;
    span.parent_span_id.bytes[7] = parent;
    span.size = sizeof span;
    assert_int_equal(ftri_otlp_encode_span(&span, &self->encoded), 0);
}

static void picture_draw(struct picture *self, const struct tree_text_options *options,
                         struct ftri_bytes *out)
{
    assert_int_equal(ftri_otlp_encode_traces(ftri_bytes_view(&self->resource), FTR_STR("test"),
                                             FTR_STR(""), ftri_bytes_view(&self->encoded),
                                             &self->request),
                     0);
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    assert_int_equal(ftri_otlp_traces_check(ftri_bytes_view(&self->request), &counts, &error), 0);
    struct ftri_otlp_cursor cursor;
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&self->request));
    const struct ftri_otlp_span *span;
    while (ftri_otlp_cursor_next(&cursor, &span)) {
        assert_true(self->n_spans < SPANS_MAX);
        self->spans[self->n_spans++] = *span;
    }
    struct tree tree;
    assert_int_equal(tree_init(&tree, self->spans, self->n_spans), 0);
    assert_int_equal(tree_text_write(&tree, options, out), 0);
    assert_int_equal(ftri_bytes_append_char(out, '\0'), 0);
    tree_deinit(&tree);
}

static void check_text(struct picture *picture, const struct tree_text_options *options,
                       const char *expected)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, LIMIT);
    picture_draw(picture, options, &out);
    assert_string_equal((const char *)out.data, expected);
    ftri_bytes_deinit(&out);
}

#define HEAD_ID "Trace: 0102030405060708090a0b0c0d0e0f10\n"
#define HEAD_FIGURES                                                                               \
    "                                                          took   worked   waited\n"
#define PAD_18 "                  "

static void add_visits(struct picture *picture)
{
    const ftr_attribute received[] = {
        {FTR_STR("node.id"), ftr_value_str(FTR_STR("rcv-1"))},
        {FTR_STR("out.port"), ftr_value_str(FTR_STR("main"))},
        {FTR_STR("out.queue.depth"), ftr_value_i64(3)},
        {FTR_STR("out.queue.capacity"), ftr_value_i64(8)},
        {FTR_STR("latency.ms"), ftr_value_f64(1.1)},
        {FTR_STR("pdata.batch.size"), ftr_value_i64(64)},
        {FTR_STR("channel.queue.depth"), ftr_value_i64(2)},
        {FTR_STR("channel.queue.capacity"), ftr_value_i64(16)},
        {FTR_STR("flow.attempt"), ftr_value_i64(3)},
    };
    const ftr_event_data acks[] = {{.name = FTR_STR("control/ack")},
                                   {.name = FTR_STR("control/ack")}};
    picture_add(picture,
                (ftr_span_data){.name = FTR_STR("receiver/otlp/rcv-1"),
                                .start_time_ns = START_NS,
                                .end_time_ns = START_NS + 201 * FTRI_NS_PER_MS,
                                .attributes = received,
                                .n_attributes = FTRI_COUNT(received),
                                .events = acks,
                                .n_events = 2},
                1, 0);
    const ftr_attribute gathered[] = {{FTR_STR("latency.ms"), ftr_value_f64(0.3)},
                                      {FTR_STR("flow.queue.wait_ms"), ftr_value_f64(2.5)}};
    const ftr_attribute full[] = {{FTR_STR("flush.reason"), ftr_value_str(FTR_STR("full"))},
                                  {FTR_STR("nack.permanent"), ftr_value_bool(false)},
                                  {FTR_STR("retry.delay_ms"), ftr_value_f64(170.06)}};
    const ftr_event_data flushes[] = {
        {.name = FTR_STR("batch_flush"), .attributes = full, .n_attributes = 3},
        {.name = FTR_STR("control/timer_tick")}};
    picture_add(picture,
                (ftr_span_data){.name = FTR_STR("processor/batch/proc-2"),
                                .start_time_ns = START_NS + 1 * FTRI_NS_PER_MS,
                                .end_time_ns = START_NS + 200 * FTRI_NS_PER_MS,
                                .attributes = gathered,
                                .n_attributes = 2,
                                .events = flushes,
                                .n_events = 2},
                2, 1);
    ftr_link_data links[2] = {{.context = {.span_id = {{9}}}}, {.context = {.span_id = {{9}}}}};
    for (uint8_t i = 0; i < 16; i++)
        links[0].context.trace_id.bytes[i] = (uint8_t)(i + 1); /* the same trace */
    links[1].context.trace_id.bytes[0] = 0xff;
    picture_add(picture,
                (ftr_span_data){.name = FTR_STR("exporter/http/exp-1"),
                                .start_time_ns = START_NS + 50 * FTRI_NS_PER_MS,
                                .end_time_ns = START_NS + 60 * FTRI_NS_PER_MS,
                                .links = links,
                                .n_links = 2,
                                .status = FTR_SPAN_ERROR,
                                .status_description = FTR_STR("the server answered 503")},
                3, 2);
    picture_add(picture,
                (ftr_span_data){.name = FTR_STR("processor/route/kinds"),
                                .start_time_ns = START_NS + 2 * FTRI_NS_PER_MS},
                4, 1);
}

static const struct tree_text_options wide = {.columns = 80};

static void test_a_trace_of_visits(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("shop"));
    add_visits(&picture);
    check_text(&picture, &wide,
               HEAD_ID "       shop, 4 spans, 1 error\n"
                       "       2026-01-02 03:04:05 UTC, 201 ms\n"
                       "\n" HEAD_FIGURES "└─ [Span] receiver/otlp/rcv-1" PAD_18 "      "
                       "   201 ms  1.10 ms        -\n"
                       "   Events: control/ack (x2)\n"
                       "   out.port=main, out.queue=3/8, items=64, queue=2/16, attempt=3\n"
                       "   ├─ [Span] processor/batch/proc-2" PAD_18 "   199 ms   300 us  2.50 ms\n"
                       "   │  Events: batch_flush(full, delay_ms=170.1), control/timer_tick\n"
                       "   │  └─ [Span] exporter/http/exp-1" PAD_18 "  10.0 ms        -        -\n"
                       "   │     Links: 1 within the trace, 1 to other traces\n"
                       "   │     ERROR: the server answered 503\n"
                       "   └─ [Span] processor/route/kinds" PAD_18 " "
                       "        -        -        -\n");
    picture_deinit(&picture);
}

/* Keys of other conventions are drawn, or left out, as ours for the same. */
static void test_keys_of_other_conventions(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("shop"));
    static const char *const texts[] = {
        "otelcol.component.id",
        "otelcol.component.kind",
        "otelcol.pipeline.id",
        "otelcol.signal",
        "otelcol.component.outcome",
        "numaflow.vertex.name",
        "numaflow.pipeline.name",
        "reflow.actor_id",
        "reflow.event_type",
        "reflow.message.type",
        "reflow.flow_id",
        "otelcol.signals",
    };
    ftr_attribute attributes[FTRI_COUNT(texts) + 2];
    for (size_t i = 0; i < FTRI_COUNT(texts); i++)
        attributes[i] = (ftr_attribute){ftr_str_from(texts[i]), ftr_value_str(FTR_STR("x"))};
    attributes[FTRI_COUNT(texts)] =
        (ftr_attribute){FTR_STR("reflow.message.size_bytes"), ftr_value_i64(9)};
    attributes[FTRI_COUNT(texts) + 1] =
        (ftr_attribute){FTR_STR("reflow.port"), ftr_value_str(FTR_STR("main"))};
    picture_add(&picture,
                (ftr_span_data){.name = FTR_STR("receiver/otlp/rcv-1"),
                                .start_time_ns = START_NS,
                                .end_time_ns = START_NS + 201 * FTRI_NS_PER_MS,
                                .attributes = attributes,
                                .n_attributes = FTRI_COUNT(attributes)},
                1, 0);
    check_text(&picture, &wide,
               HEAD_ID "       shop, 1 span, 0 errors\n"
                       "       2026-01-02 03:04:05 UTC, 201 ms\n"
                       "\n" HEAD_FIGURES "└─ [Span] receiver/otlp/rcv-1" PAD_18 "      "
                       "   201 ms        -        -\n"
                       "   otelcol.signals=x, reflow.port=main\n");
    picture_deinit(&picture);
}

static void test_the_rest_is_counted(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("shop"));
    add_visits(&picture);
    const struct tree_text_options options = {.columns = 80, .max_spans = 1};
    check_text(&picture, &options,
               HEAD_ID "       shop, 4 spans, 1 error\n"
                       "       2026-01-02 03:04:05 UTC, 201 ms\n"
                       "\n" HEAD_FIGURES "└─ [Span] receiver/otlp/rcv-1" PAD_18 "      "
                       "   201 ms  1.10 ms        -\n"
                       "   Events: control/ack (x2)\n"
                       "   out.port=main, out.queue=3/8, items=64, queue=2/16, attempt=3\n"
                       "... and 3 more spans\n");
    picture_deinit(&picture);
}

/* ESC, NUL, DEL and the one-character CSI (U+009B) of a hostile name; a letter of two bytes stays.
 */
static void test_control_characters_are_shown(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("a\nb"));
    const char value[] = "x\0y";
    const ftr_attribute attribute = {FTR_STR("k\r"), ftr_value_str((ftr_str){value, 3})};
    const ftr_event_data event = {.name = FTR_STR("\x1b]0;t\x07")};
    picture_add(&picture,
                (ftr_span_data){.name = FTR_STR("\x1b[2Jé\x7f\xc2\x9b"),
                                .start_time_ns = START_NS,
                                .end_time_ns = START_NS + 1,
                                .attributes = &attribute,
                                .n_attributes = 1,
                                .events = &event,
                                .n_events = 1},
                1, 0);
    check_text(&picture, &wide,
               HEAD_ID "       a\\x0ab, 1 span, 0 errors\n"
                       "       2026-01-02 03:04:05 UTC, 1 ns\n"
                       "\n" HEAD_FIGURES "└─ [Span] \\x1b[2Jé\\x7f\\x9b" PAD_18 "         "
                       "     1 ns        -        -\n"
                       "   Events: \\x1b]0;t\\x07\n"
                       "   k\\x0d=x\\x00y\n");
    picture_deinit(&picture);
}

static void test_what_is_too_wide_is_cut(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("s"));
    char long_value[300];
    memset(long_value, 'v', sizeof long_value);
    const ftr_attribute attributes[] = {
        {FTR_STR("short"), ftr_value_i64(-1)},
        {FTR_STR("key"), ftr_value_str((ftr_str){long_value, sizeof long_value})},
        {FTR_STR("after"), ftr_value_bool(true)},
    };
    picture_add(&picture,
                (ftr_span_data){
                    /* 43 letters fit exactly into 53 columns; one more does not. */
                    .name = FTR_STR("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"),
                    .start_time_ns = START_NS,
                    .end_time_ns = START_NS + 2 * FTRI_NS_PER_S,
                },
                1, 0);
    picture_add(&picture,
                (ftr_span_data){
                    .name = FTR_STR("abcdefghijklmnopqrstuvwxyzabcdefghijklmnop\xc3\xa9z"),
                    .start_time_ns = START_NS + 1,
                    .end_time_ns = START_NS + 1 + 2 * FTRI_NS_PER_S,
                    .attributes = attributes,
                    .n_attributes = 3,
                },
                2, 0);
    check_text(&picture, &wide,
               HEAD_ID
               "       s, 2 spans, 0 errors\n"
               "       2026-01-02 03:04:05 UTC, 2.00 s\n"
               "\n" HEAD_FIGURES "├─ [Span] abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"
               "   2.00 s        -        -\n"
               "└─ [Span] abcdefghijklmnopqrstuvwxyzabcdefghijklmnop…"
               "   2.00 s        -        -\n"
               "   short=-1,\n"
               "     key=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv…,\n"
               "     after=true\n");
    picture_deinit(&picture);
}

static void test_no_spans_no_text(void **state)
{
    (void)state;
    struct tree tree;
    struct ftri_bytes out;
    ftri_bytes_init(&out, LIMIT);
    assert_int_equal(tree_init(&tree, NULL, 0), 0);
    assert_int_equal(tree_text_write(&tree, &wide, &out), 0);
    assert_int_equal(out.len, 0);
    tree_deinit(&tree);
    ftri_bytes_deinit(&out);
}

/* Fails at the first line with more characters than that. */
static void check_columns(const char *text, size_t columns)
{
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        n = *c == '\n' ? 0 : n + ((*c & 0xc0) != 0x80);
        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
        if (n > columns)
            fail_msg("more than %zu characters: %.200s", columns, c - 60);
    }
}

/* Letters of one to four bytes and control characters. */
static ftr_str random_text(char *room, size_t max_characters, unsigned *seed)
{
    static const char *const characters[] = {"a",  "b", "Z",    "/",  "é",
                                             "漢", "𝄞", "\x1b", "\n", "\xc2\x85"};
    const size_t n = (size_t)rand_r(seed) % (max_characters + 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        const char *c = characters[(size_t)rand_r(seed) % FTRI_COUNT(characters)];
        memcpy(room + len, c, strlen(c));
        len += strlen(c);
    }
    return (ftr_str){room, len};
}

static void add_random_span(struct picture *picture, uint8_t number, unsigned *seed)
{
    char names[8][1024], values[8][1024];
    ftr_attribute attributes[8];
    ftr_event_data events[8];
    const size_t n = (size_t)rand_r(seed) % 9;
    for (size_t i = 0; i < n; i++) {
        attributes[i] = (ftr_attribute){random_text(names[i], 90, seed),
                                        ftr_value_str(random_text(values[i], 200, seed))};
        events[i] = (ftr_event_data){
            .name = random_text(names[i], 90, seed), .attributes = attributes, .n_attributes = i};
    }
    char name[1024], reason[1024];
    picture_add(picture,
                (ftr_span_data){.name = random_text(name, 120, seed),
                                .start_time_ns = (uint64_t)rand_r(seed) << (rand_r(seed) % 33),
                                .end_time_ns = (uint64_t)rand_r(seed) << (rand_r(seed) % 33),
                                .attributes = attributes,
                                .n_attributes = n,
                                .events = events,
                                .n_events = n,
                                .status = (ftr_span_status)(rand_r(seed) % 3),
                                .status_description = random_text(reason, 150, seed)},
                number, rand_r(seed) % 3 ? (uint8_t)(number - 1) : (uint8_t)(rand_r(seed) % 40));
}

static void test_no_line_is_too_long(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 100; seed++) {
        unsigned random = seed;
        struct picture picture;
        char service[1024];
        picture_init(&picture, random_text(service, 120, &random));
        for (uint8_t number = 1; number <= 40; number++)
            add_random_span(&picture, number, &random);
        const size_t columns = seed % 3 == 0 ? 60 : seed % 3 == 1 ? 80 : 200;
        const struct tree_text_options options = {.columns = columns};
        struct ftri_bytes out;
        ftri_bytes_init(&out, LIMIT);
        picture_draw(&picture, &options, &out);
        check_columns((const char *)out.data, columns);
        assert_true(ftri_utf8_is_valid((ftr_str){(const char *)out.data, out.len}));
        ftri_bytes_deinit(&out);
        picture_deinit(&picture);
    }
}

/* A chain of 40, deeper than what can be drawn. */
static void test_forty_levels(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("deep"));
    for (uint8_t number = 1; number <= 40; number++)
        picture_add(&picture,
                    (ftr_span_data){.name = FTR_STR("a name that is cut below"),
                                    .start_time_ns = START_NS + number,
                                    .end_time_ns = UINT64_MAX},
                    number, (uint8_t)(number - 1));
    struct ftri_bytes out;
    ftri_bytes_init(&out, LIMIT);
    picture_draw(&picture, &wide, &out);
    check_columns((const char *)out.data, 80);
    assert_non_null(strstr((const char *)out.data, "a name…"));
    ftri_bytes_deinit(&out);
    picture_deinit(&picture);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {
        {0, "0 ns"},
        {1, "1 ns"},
        {999, "999 ns"},
        {1000, "1.00 us"},
        {1004, "1.00 us"},
        {1005, "1.01 us"},
        {9994, "9.99 us"},
        {9995, "10.0 us"},
        {99949, "99.9 us"},
        {99950, "100 us"},
        {999499, "999 us"},
        {999500, "1.00 ms"},
        {999960, "1.00 ms"},
        {1100000, "1.10 ms"},
        {201000000, "201 ms"},
        {999600000, "1.00 s"},
        {59940000000, "59.9 s"},
        {59960000000, "1.00 min"},
        {90000000000, "1.50 min"},
        {UINT64_C(3600000000000), "1.00 h"},
        {UINT64_C(86399999999999), "1.00 d"},
        {UINT64_MAX, "213504 d"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        char text[16];
        assert_int_equal(duration_format(rows[i].ns, text), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

static void test_short_memory_and_room(void **state)
{
    (void)state;
    struct picture picture;
    picture_init(&picture, FTR_STR("shop"));
    add_visits(&picture);
    struct ftri_bytes out, small;
    ftri_bytes_init(&out, LIMIT);
    ftri_bytes_init(&small, 300);
    picture_draw(&picture, &wide, &out);
    struct tree tree;
    assert_int_equal(tree_init(&tree, picture.spans, picture.n_spans), 0);
    assert_int_equal(tree_text_write(&tree, &wide, &small), -EMSGSIZE);
    ftri_bytes_deinit(&small);
    ftri_bytes_init(&small, LIMIT);
    ftri_mem_fail_at(1);
    assert_int_equal(tree_text_write(&tree, &wide, &small), -ENOMEM);
    ftri_mem_fail_at(0);
    tree_deinit(&tree);
    ftri_bytes_deinit(&small);
    ftri_bytes_deinit(&out);
    picture_deinit(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trace_of_visits),
        cmocka_unit_test(test_keys_of_other_conventions),
        cmocka_unit_test(test_the_rest_is_counted),
        cmocka_unit_test(test_control_characters_are_shown),
        cmocka_unit_test(test_what_is_too_wide_is_cut),
        cmocka_unit_test(test_no_spans_no_text),
        cmocka_unit_test(test_no_line_is_too_long),
        cmocka_unit_test(test_forty_levels),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_short_memory_and_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
