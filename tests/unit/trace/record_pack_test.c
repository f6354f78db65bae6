/* SPDX-License-Identifier: Apache-2.0
 *
 * A record that was packed and unpacked says what it said before: random spans, read from the
 * journal while the worker is stopped, compared as OTLP. */
#include "trace/record_pack.h"

#include "context/block.h"
#include "otlp/encode.h"
#include "random_spans.h"
#include "trace/intern.h"
#include "trace/journal.h"
#include "trace/tail.h"
#include "trace/worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <stdlib.h>

#include <cmocka.h>

enum { ROUNDS = 100, RECORD_MOST = 1 << 20, FILLING = 0xa5 };

static uint8_t whole[RECORD_MOST] __attribute__((aligned(8)));
static uint8_t packed[RECORD_MOST * 2];
static uint8_t unpacked[RECORD_MOST] __attribute__((aligned(8)));
static uint8_t scratch[RECORD_MOST * 8] __attribute__((aligned(8)));
static struct ftri_bytes before, after;
static size_t n_records, n_packed_bytes;

static void encode(const uint8_t *bytes, struct ftri_bytes *out)
{
    const struct ftri_record *record = (const struct ftri_record *)(const void *)bytes;
    ftr_span_data span;
    ftri_bytes_reset(out);
    (void)ftri_record_read(record, scratch, &span);
    assert_int_equal(ftri_otlp_encode_span(&span, out), 0);
}

static void compare(void)
{
    struct ftri_record heads[2];
    memcpy(&heads[0], whole, sizeof heads[0]);
    memcpy(&heads[1], unpacked, sizeof heads[1]);
    assert_memory_equal(&heads[0], &heads[1], sizeof heads[0]);
    encode(whole, &before);
    encode(unpacked, &after);
    assert_int_equal(before.len, after.len);
    assert_memory_equal(before.data, after.data, before.len);
}

/* It stays within its room, and nothing of what lies behind it matters. */
static void check(const struct ftri_record *record)
{
    assert_in_range(ftri_record_copy_size(record), sizeof *record, RECORD_MOST);
    ftri_record_copy(record, whole);
    const struct ftri_record *copy = (const struct ftri_record *)(const void *)whole;
    const size_t room = ftri_record_pack_room(copy->size);
    memset(packed, FILLING, room + FTRI_PACK_BEHIND + 1);
    const size_t len = ftri_record_pack(copy, packed);
    assert_in_range(len, 1, room);
    assert_int_equal(packed[room + FTRI_PACK_BEHIND], FILLING);
    memset(packed + len, FILLING, FTRI_PACK_BEHIND);
    memset(unpacked, FILLING, copy->size + FTRI_PACK_BEHIND + 1);
    ftri_record_unpack(ftri_view_of(packed, len), &record->trace_id, unpacked);
    assert_int_equal(unpacked[copy->size + FTRI_PACK_BEHIND], FILLING);
    n_records++;
    n_packed_bytes += len;
    compare();
}

static void check_journal(void)
{
    struct ftri_thread *thread = atomic_load(&ftri_threads[0]);
    const uint64_t head = atomic_load(&thread->journal_head);
    uint64_t position = atomic_load(&thread->journal_tail);
    for (const struct ftri_record *record; (record = ftri_journal_read(thread, head, &position));) {
        check(record);
        ftri_context_block_unref(record->block);
    }
    ftri_journal_consume(thread, position);
}

static void start(void)
{
    ftr_config config = FTR_CONFIG_INIT;
    config.journal_bytes = (size_t)8 << 20;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    ftri_worker_stop(0);
    ftri_bytes_init(&before, RECORD_MOST * 4);
    ftri_bytes_init(&after, RECORD_MOST * 4);
    n_records = n_packed_bytes = 0;
}

static void stop(void)
{
    static const struct ftri_tail_settings none; /* in FTR_MODE_FULL it is not looked at */
    assert_int_equal(ftri_worker_start(NULL, 0, &none), 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    ftri_bytes_deinit(&before);
    ftri_bytes_deinit(&after);
}

static void test_random_spans(void **unused)
{
    (void)unused;
    make_places();
    start();
    for (int round = 0; round < ROUNDS; round++) {
        record_random_trace();
        check_journal();
    }
    assert_int_equal(n_records, ROUNDS * TRACE_SPANS);
    stop();
}

/* Values of every length that are set at once, and numbers of every length. */
static void test_values(void **unused)
{
    (void)unused;
    static const ftr_str names[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    static char text[300];
    memset(text, 't', sizeof text);
    ftr_keys keys = {0, 3, names};
    start();
    for (unsigned i = 0; i < sizeof text; i++) {
        const int64_t number = (int64_t)(UINT64_MAX >> (i % 64));
        const ftr_value values[] = {ftr_value_str((ftr_str){text, i}), ftr_value_i64(number),
                                    ftr_value_f64((double)i)};
        const ftr_span span = ftr_span_start(FTR_STR("n"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_values(span, &keys, values);
        ftr_span_end_at(span, UINT64_C(1) << (i % 63)); /* lasted for longer than 32 bits say */
        const ftr_span named = ftr_span_start((ftr_str){text, i}, FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(named, FTR_STR("key"), (ftr_str){text, i});
        ftr_span_set_str(named, (ftr_str){text, i}, FTR_STR("value"));
        ftr_span_set_str(named, FTR_STR("key"), (ftr_str){text, i / 2}); /* slack, or a dead one */
        ftr_span_set_str(named, FTR_STR("key"), (ftr_str){text, sizeof text});
        ftr_span_end(named);
    }
    check_journal();
    assert_int_equal(n_records, 2 * sizeof text);
    stop();
}

/* What an ordinary span takes: this head has 40 bytes, the entry 4, each value 1 more. */
static void test_an_ordinary_span(void **unused)
{
    (void)unused;
    static const ftr_str names[] = {{"flow.node", 9}, {"flow.port", 9}, {"flow.batch.items", 16}};
    static ftr_call_site site = {.kind = FTR_KIND_INTERNAL, .name = {"visit", 5}};
    ftr_keys keys = {0, 3, names};
    const ftr_value values[] = {ftr_value_str(FTR_STR("decode")), ftr_value_str(FTR_STR("out")),
                                ftr_value_i64(300)};
    start();
    for (size_t i = 0; i < 3; i++) { /* the first one has its name: the place is not known yet */
        n_packed_bytes = 0;
        const ftr_span span = ftr_span_start_site(&site, NULL);
        ftr_span_end_values(span, &keys, values);
        check_journal();
    }
    assert_int_equal(n_packed_bytes, 40 + 4 + (1 + 6) + (1 + 3) + (1 + 2));
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_spans),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_an_ordinary_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
