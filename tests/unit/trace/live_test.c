/* SPDX-License-Identifier: Apache-2.0
 *
 * Live spans: what is listed and when, the Chrome form, readers against writers, short memory. */
#include <flowtrace/live.h>

#include "base/mem.h"
#include "base/time.h"
#include "probe.h"
#include "trace/live.h"
#include "trace/live_check.h"
#include "trace/record.h"

#include <stdio.h>
#include <unistd.h>

enum { SEEN_MAX = 64 };

/* Names and the rest in a line each, sorted. */
struct seen {
    char lines[SEEN_MAX][512];
    size_t n;
};

static bool see(void *argument, const ftr_span_data *span)
{
    struct seen *seen = argument;
    assert_true(seen->n < SEEN_MAX);
    assert_int_equal(span->end_time_ns, 0);
    assert_true(span->start_time_ns > 0);
    char *line = seen->lines[seen->n++];
    int len = snprintf(line, 512, "%.*s/%d", (int)span->name.len, span->name.data, span->kind);
    for (size_t i = 0; i < span->n_attributes; i++)
        len +=
            snprintf(line + len, 512 - (size_t)len, " %.*s=%lld", (int)span->attributes[i].key.len,
                     span->attributes[i].key.data, (long long)span->attributes[i].value.as.i64);
    for (size_t i = 0; i < span->n_events; i++)
        len += snprintf(line + len, 512 - (size_t)len, " !%.*s", (int)span->events[i].name.len,
                        span->events[i].name.data);
    return true;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void assert_live(const char *const *lines, size_t n)
{
    struct seen *seen = calloc(1, sizeof *seen);
    assert_int_equal(ftr_live_spans(see, seen), FTR_OK);
    qsort(seen->lines, seen->n, sizeof seen->lines[0], compare_lines);
    assert_int_equal(seen->n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(seen->lines[i], lines[i]);
    free(seen);
}

static void test_open_spans_are_listed_until_they_end(void **state)
{
    (void)state;
    assert_int_equal(ftr_live_spans(see, NULL), FTR_ERR_STATE);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    assert_live(NULL, 0);
    const ftr_span parse = ftr_span_start(FTR_STR("parse"), FTR_KIND_SERVER, NULL);
    const ftr_span read = ftr_span_start(FTR_STR("read"), FTR_KIND_CLIENT, NULL);
    ftr_span_set_i64(read, FTR_STR("rows"), 1);
    ftr_span_set_i64(read, FTR_STR("rows"), 7);
    ftr_span_event(read, FTR_STR("half"), NULL, 0);
    ftr_span_set_name(parse, FTR_STR("parse all"));
    assert_live((const char *[]){"parse all/2", "read/3 rows=7 !half"}, 2);
    ftr_span_end(parse);
    assert_live((const char *[]){"read/3 rows=7 !half"}, 1);
    ftr_span_end(read);
    assert_live(NULL, 0);
    const ftr_context unsampled = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
    const ftr_span passed_on = ftr_span_start(FTR_STR("none"), FTR_KIND_INTERNAL, &unsampled);
    assert_live(NULL, 0);
    ftr_span_end(passed_on);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

static bool see_big(void *argument, const ftr_span_data *span)
{
    size_t *n_attributes = argument;
    assert_int_equal(span->name.len, 3000);
    for (size_t i = 0; i < span->name.len; i++)
        assert_int_equal(span->name.data[i], 'n');
    *n_attributes = span->n_attributes;
    for (size_t i = 0; i < span->n_attributes; i++) {
        const ftr_value *value = &span->attributes[i].value;
        assert_int_equal(value->as.str.len, 1000);
        for (size_t k = 0; k < 1000; k++)
            assert_int_equal(value->as.str.data[k], 'a' + (int)(i % 26));
    }
    return true;
}

static void test_what_lies_in_pages_is_listed_too(void **state)
{
    (void)state;
    char name[3000];
    memset(name, 'n', sizeof name);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const ftr_span span = ftr_span_start((ftr_str){name, sizeof name}, FTR_KIND_INTERNAL, NULL);
    for (int i = 0; i < 100; i++) {
        char key[8];
        char value[1000];
        snprintf(key, sizeof key, "%d", i);
        memset(value, 'a' + i % 26, sizeof value);
        ftr_span_set_str(span, ftr_str_from(key), (ftr_str){value, sizeof value});
    }
    size_t n_attributes = 0;
    assert_int_equal(ftr_live_spans(see_big, &n_attributes), FTR_OK);
    assert_int_equal(n_attributes, 100);
    ftr_span_end(span);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

static bool stop_at_first(void *argument, const ftr_span_data *span)
{
    (void)span;
    ++*(int *)argument;
    return false;
}

static void test_the_caller_may_stop(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    (void)ftr_span_start(FTR_STR("a"), FTR_KIND_INTERNAL, NULL);
    (void)ftr_span_start(FTR_STR("b"), FTR_KIND_INTERNAL, NULL);
    assert_int_equal(ftr_live_spans(stop_at_first, &n), FTR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

static void test_unfinished_spans_are_reported_at_shutdown(void **state)
{
    (void)state;
    struct seen *seen = calloc(1, sizeof *seen);
    ftr_config config = FTR_CONFIG_INIT;
    config.unfinished = see;
    config.unfinished_argument = seen;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    ftr_span_end(ftr_span_start(FTR_STR("done"), FTR_KIND_INTERNAL, NULL));
    (void)ftr_span_start(FTR_STR("lost"), FTR_KIND_INTERNAL, NULL);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    assert_int_equal(seen->n, 1);
    assert_string_equal(seen->lines[0], "lost/1");
    assert_int_equal(counts().open, 1);
    free(seen);
}

/* ---- pending ---- */

static ftr_memory_spans *start_pending(uint32_t interval_ms)
{
    ftr_memory_spans *spans = ftr_memory_spans_new();
    ftr_exporter *exporter = ftr_memory_exporter_new(spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.batch_delay_ms = 10;
    config.pending_interval_ms = interval_ms;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    return spans;
}

static void wait_for_spans(ftr_memory_spans *spans, size_t n)
{
    for (int i = 0; ftr_memory_spans_count(spans) < n && i < 60000; i++)
        usleep(1000);
    assert_true(ftr_memory_spans_count(spans) >= n);
}

static void assert_accounts_of_pending(uint64_t recorded)
{
    const ftr_statistics statistics = counts();
    const ftr_exporter_statistics *exporter = &statistics.exporters[0];
    assert_int_equal(statistics.recorded, recorded);
    assert_int_equal(statistics.recorded + statistics.pending,
                     exporter->delivered + exporter->rejected + exporter->lost_queue_full +
                         exporter->lost_export + exporter->queued);
}

static void test_pending_spans_are_exported_until_they_end(void **state)
{
    (void)state;
    ftr_memory_spans *spans = start_pending(20);
    const ftr_span span = ftr_span_start(FTR_STR("long"), FTR_KIND_SERVER, NULL);
    ftr_span_set_i64(span, FTR_STR("rows"), 7);
    wait_for_spans(spans, 2);
    ftr_span_data first;
    assert_true(ftr_memory_spans_get(spans, 0, &first));
    assert_int_equal(first.end_time_ns, 0);
    assert_int_equal(first.n_attributes, 1);
    assert_memory_equal(first.name.data, "long", 4);
    ftr_span_end(span);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    ftr_span_data last;
    assert_true(ftr_memory_spans_get(spans, ftr_memory_spans_count(spans) - 1, &last));
    assert_true(last.end_time_ns >= last.start_time_ns);
    assert_int_equal(last.start_time_ns, first.start_time_ns);
    assert_memory_equal(&last.context.span_id, &first.context.span_id, sizeof(ftr_span_id));
    assert_accounts_of_pending(1);
    assert_true(counts().pending >= 2);
    ftr_memory_spans_unref(spans);
}

static void test_shutdown_exports_what_is_open(void **state)
{
    (void)state;
    ftr_memory_spans *spans = start_pending(3600 * 1000);
    ftr_span_end(ftr_span_start(FTR_STR("done"), FTR_KIND_INTERNAL, NULL));
    (void)ftr_span_start(FTR_STR("never"), FTR_KIND_INTERNAL, NULL);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    assert_int_equal(ftr_memory_spans_count(spans), 2);
    ftr_span_data span;
    assert_true(ftr_memory_spans_get(spans, 1, &span));
    assert_memory_equal(span.name.data, "never", 5);
    assert_int_equal(span.end_time_ns, 0);
    assert_int_equal(counts().pending, 1);
    assert_accounts_of_pending(1);
    ftr_memory_spans_unref(spans);
}

static void test_pending_in_otlp_has_no_end(void **state)
{
    (void)state;
    /* opentelemetry.proto.trace.v1.Span: end_time_unix_nano is field 8, fixed64. */
    static const uint8_t no_end[] = {8 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0};
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    config.pending_interval_ms = 3600 * 1000;
    start_with(&config, probe);
    (void)ftr_span_start(FTR_STR("never"), FTR_KIND_INTERNAL, NULL);
    assert_int_equal(ftr_shutdown(30 * SECOND), FTR_OK);
    assert_int_equal(probe->n_spans, 1);
    assert_non_null(memmem(probe->otlp, probe->otlp_len, no_end, sizeof no_end));
    free(probe);
}

/* ---- Chrome ---- */

struct text {
    char data[8192];
    size_t len;
    size_t limit; /* the sink stops there */
};

static bool take(void *argument, const char *piece, size_t len)
{
    struct text *text = argument;
    if (text->len + len > text->limit)
        return false;
    memcpy(text->data + text->len, piece, len);
    text->len += len;
    text->data[text->len] = '\0';
    return true;
}

static ftr_span start_at(const char *name, uint64_t start_ns, const ftr_context *parent)
{
    const ftr_span_options options = {.size = sizeof options,
                                      .name = ftr_str_from(name),
                                      .kind = FTR_KIND_INTERNAL,
                                      .parent = parent,
                                      .start_time_ns = start_ns};
    return ftr_span_start_with(&options);
}

#define EVENT                                                                                      \
    "{\"pid\":1,\"name\":\"caf\xc3\xa9 \\\"q\\\"\\n\xef\xbf\xbd\\\\\",\"cat\":\"\",\"ph\":\"%s\"," \
    "\"ts\":%s,\"tid\":%d,\"id\":\"00000000000000000000000000000102\","                            \
    "\"args\":{\"span_id\":\"%s\",\"parent_span_id\":\"0000000000000003\"}},"

static void test_chrome_form(void **state)
{
    (void)state;
    struct text text = {.limit = sizeof text.data - 1};
    const ftr_context parent = {.span = {.trace_id = {{[14] = 1, [15] = 2}},
                                         .span_id = {{[7] = 3}},
                                         .trace_flags = FTR_TRACE_FLAG_SAMPLED}};
    assert_int_equal(ftr_live_write_chrome(take, &text), FTR_ERR_STATE);
    ftri_time_fake(1000, UINT64_C(1700000000000000000));
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const ftr_span span =
        start_at("caf\xc3\xa9 \"q\"\n\xff\\", UINT64_C(1700000000000002500), &parent);
    ftr_context context = ftr_span_context_of(span);
    char id[17];
    ftr_span_id_format(&context.span.span_id, id);
    ftri_time_fake(1000, UINT64_C(1700000000001000000));
    assert_int_equal(ftr_live_write_chrome(take, &text), FTR_OK);
    char expected[1024];
    char events[2][400];
    snprintf(events[0], sizeof events[0], EVENT, "B", "2.5", 0x02010000, id);
    snprintf(events[1], sizeof events[1], EVENT, "E", "1000", 0x02010000, id);
    snprintf(expected, sizeof expected,
             "[%s%s{\"pid\":1,\"name\":\"Trace dump requested\",\"cat\":\"\",\"ph\":\"i\","
             "\"ts\":1000,\"s\":\"g\"}]\n",
             events[0], events[1]);
    assert_string_equal(text.data, expected);
    ftr_span_end(span);
    text.len = 0;
    assert_int_equal(ftr_live_write_chrome(take, &text), FTR_OK);
    assert_string_equal(text.data, "[{\"pid\":1,\"name\":\"Trace dump requested\",\"cat\":\"\","
                                   "\"ph\":\"i\",\"ts\":1000,\"s\":\"g\"}]\n");
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
    ftri_time_real();
}

static void test_a_sink_that_stops(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    for (int i = 0; i < 3; i++)
        (void)ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    for (size_t limit = 0; limit < 4; limit += 3) {
        struct text text = {.limit = limit};
        assert_int_equal(ftr_live_write_chrome(take, &text), FTR_ERR_IO);
    }
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

/* ---- short memory ---- */

static void test_short_memory_is_told(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const ftr_span span = ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL);
    size_t n_failures = 0;
    for (uint64_t n = 1;; n++) {
        struct text text = {.limit = sizeof text.data - 1};
        ftri_mem_fail_at(n);
        const ftr_status status = ftr_live_write_chrome(take, &text);
        const bool is_over = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        assert_int_equal(text.data[0], '[');
        assert_string_equal(text.data + text.len - 2, "]\n");
        if (is_over) {
            assert_int_equal(status, FTR_OK);
            break;
        }
        assert_int_equal(status, FTR_ERR_MEMORY);
        assert_null(strstr(text.data, "\"B\""));
        n_failures++;
    }
    assert_true(n_failures >= 3);
    ftr_span_end(span);
    assert_int_equal(ftr_shutdown(SECOND), FTR_OK);
}

/* ---- readers against writers ---- */

enum { WRITERS = 3, ROUNDS = 20000 };

static _Atomic int n_writing;

/* All that a span says is the same number; sizes change, so that slots and pages change hands. */
static void *write_spans(void *argument)
{
    const int64_t base = (int64_t)(intptr_t)argument * ROUNDS;
    char value[2000];
    for (int64_t i = base; i < base + ROUNDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%lld", (long long)i);
        const ftr_span span = ftr_span_start(ftr_str_from(name), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_i64(span, FTR_STR("number"), i);
        memset(value, 'a' + (int)(i % 26), sizeof value);
        for (int64_t k = 0; k < i % 8; k++)
            ftr_span_set_str(span, FTR_STR("text"), (ftr_str){value, sizeof value});
        ftr_span_event(span, ftr_str_from(name), NULL, 0);
        ftr_span_end(span);
    }
    atomic_fetch_sub(&n_writing, 1);
    return NULL;
}

static bool is_one_span(const ftr_span_data *span, int64_t number)
{
    for (size_t i = 0; i < span->n_attributes; i++) {
        const ftr_value *value = &span->attributes[i].value;
        if (value->type == FTR_VALUE_I64 && value->as.i64 != number)
            return false;
        for (size_t k = 0; value->type == FTR_VALUE_STR && k < value->as.str.len; k++)
            if (value->as.str.data[k] != 'a' + (int)(number % 26))
                return false;
    }
    for (size_t i = 0; i < span->n_events; i++)
        if (span->events[i].name.len != span->name.len ||
            memcmp(span->events[i].name.data, span->name.data, span->name.len) != 0)
            return false;
    return true;
}

static bool check_span(void *argument, const ftr_span_data *span)
{
    char name[17] = "";
    assert_in_range(span->name.len, 1, 16);
    memcpy(name, span->name.data, span->name.len);
    assert_true(is_one_span(span, strtoll(name, NULL, 10)));
    ++*(size_t *)argument;
    return true;
}

static void test_each_copy_is_of_one_span(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    size_t n_seen = 0;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    atomic_store(&n_writing, WRITERS);
    for (intptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_spans, (void *)i), 0);
    while (atomic_load(&n_writing) > 0)
        assert_int_equal(ftr_live_spans(check_span, &n_seen), FTR_OK);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_live(NULL, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(counts().stale, 0);
    print_message("%zu live spans were read\n", n_seen);
}

/* ---- lengths that are not trusted ---- */

static void test_any_bytes_can_be_checked_and_read(void **state)
{
    (void)state;
    enum { STREAM = 256, ENTRY = 64 };
    uint64_t room[(sizeof(struct ftri_record) + STREAM) / 8];
    uint64_t *scratch = malloc(ftri_record_scratch(STREAM));
    uint32_t seed = 1;
    size_t n_entries = 0;
    for (int i = 0; i < 200000; i++) {
        struct ftri_record *record = (struct ftri_record *)room;
        uint8_t *stream = (uint8_t *)(record + 1);
        *record = (struct ftri_record){.stream_len = STREAM, .name_len = (uint16_t)(i % 3 * 300)};
        for (size_t k = 0; k < STREAM; k++) {
            seed = seed * 1664525 + 1013904223;
            /* Mostly zeros and small numbers: lengths that are nearly right. */
            stream[k] = seed >> 30 ? 0 : (uint8_t)(seed >> 16 & 31);
        }
        for (size_t k = 0; k < STREAM; k += ENTRY) {
            const uint32_t lengths[3] = {ENTRY, stream[k + 8], stream[k + 12]};
            memcpy(stream + k + 4, lengths, i % 64 ? sizeof lengths : 0);
            stream[k] &= 7;
            stream[k + 1] &= 7;
            stream[k + 2] = 0;
        }
        ftr_span_data span;
        ftri_live_check(record);
        (void)ftri_record_read(record, scratch, &span);
        n_entries += span.n_attributes + span.n_events + span.n_links;
    }
    assert_true(n_entries > 1000);
    free(scratch);
}

/* One more than a record can count, as while one of them is replaced: they are not counted as if
 * there were few, which reading would make room for. */
static void test_attributes_beyond_what_can_be_counted(void **state)
{
    (void)state;
    enum { N = UINT16_MAX + 3, SIZE = sizeof(struct ftri_entry) + 8 };
    struct ftri_record *record = calloc(1, sizeof *record + (size_t)N * SIZE);
    record->stream_len = N * SIZE;
    record->bits = FTRI_RECORD_IS_OPEN;
    for (uint32_t i = 0; i < N; i++) {
        uint8_t *at = (uint8_t *)(record + 1) + (size_t)i * SIZE;
        const struct ftri_entry entry = {.type = FTRI_ENTRY_ATTRIBUTE,
                                         .value_type = FTR_VALUE_STR,
                                         .size = SIZE,
                                         .key_len = sizeof i,
                                         .value_len = 0};
        memcpy(at, &entry, sizeof entry);
        memcpy(at + sizeof entry, &i, sizeof i);
    }
    ftri_live_check(record);
    assert_int_equal(record->n_attributes, UINT16_MAX);
    const uint8_t *last = (uint8_t *)(record + 1) + (size_t)(N - 1) * SIZE;
    assert_true(((const struct ftri_entry *)(const void *)last)->is_dead);
    free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_spans_are_listed_until_they_end),
        cmocka_unit_test(test_what_lies_in_pages_is_listed_too),
        cmocka_unit_test(test_the_caller_may_stop),
        cmocka_unit_test(test_unfinished_spans_are_reported_at_shutdown),
        cmocka_unit_test(test_pending_spans_are_exported_until_they_end),
        cmocka_unit_test(test_shutdown_exports_what_is_open),
        cmocka_unit_test(test_pending_in_otlp_has_no_end),
        cmocka_unit_test(test_chrome_form),
        cmocka_unit_test(test_a_sink_that_stops),
        cmocka_unit_test(test_short_memory_is_told),
        cmocka_unit_test(test_each_copy_is_of_one_span),
        cmocka_unit_test(test_any_bytes_can_be_checked_and_read),
        cmocka_unit_test(test_attributes_beyond_what_can_be_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
