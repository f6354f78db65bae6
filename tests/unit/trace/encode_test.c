/* SPDX-License-Identifier: Apache-2.0
 *
 * Records that are encoded by copying give the bytes that the encoder of spans gives, which is
 * compared with protobuf elsewhere: two exporters get the same random spans, one of them as bytes.
 */
#include "base/bytes.h"
#include "otlp/encode.h"
#include "random_spans.h"
#include "trace/encode.h"

#include <flowtrace/flowtrace.h>

#include <setjmp.h>
#include <stdarg.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 300 };

static struct ftri_bytes from_records; /* whole messages */
static struct ftri_bytes from_spans;   /* the spans' bytes alone */

static void take_message(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    assert_int_equal(ftri_bytes_append(&from_records, batch->otlp, batch->otlp_len), 0);
    ret_result->n_delivered = batch->n_spans;
}

static void take_spans(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                       ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    for (size_t i = 0; i < batch->n_spans; i++)
        assert_int_equal(ftri_otlp_encode_span(&batch->spans[i], &from_spans), 0);
    ret_result->n_delivered = batch->n_spans;
}

static const ftr_exporter_class classes[] = {
    {.size = sizeof(ftr_exporter_class),
     .name = "bytes",
     .form = FTR_EXPORT_OTLP,
     .export_batch = take_message},
    {.size = sizeof(ftr_exporter_class),
     .name = "spans",
     .form = FTR_EXPORT_SPANS,
     .export_batch = take_spans},
};

static void start(void)
{
    ftr_exporter *exporters[] = {ftr_exporter_new(&classes[0], NULL),
                                 ftr_exporter_new(&classes[1], NULL)};
    ftr_config config = FTR_CONFIG_INIT;
    config.exporters = exporters;
    config.n_exporters = 2;
    config.batch_bytes = (size_t)64 << 20; /* one batch a flush */
    config.batch_delay_ms = 60000;
    ftri_bytes_init(&from_records, (size_t)64 << 20);
    ftri_bytes_init(&from_spans, (size_t)64 << 20);
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK)
        fail_msg("%s", error.text);
}

static void stop(void)
{
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    ftri_bytes_deinit(&from_records);
    ftri_bytes_deinit(&from_spans);
}

/* A message ends with its spans. */
static void compare(void)
{
    assert_int_equal(ftr_flush(5 * SECOND), FTR_OK);
    assert_true(from_records.len > from_spans.len);
    const uint8_t *spans = from_records.data + from_records.len - from_spans.len;
    assert_memory_equal(spans, from_spans.data, from_spans.len);
    ftri_bytes_reset(&from_records);
    ftri_bytes_reset(&from_spans);
}

static void test_random_spans(void **unused)
{
    (void)unused;
    make_places();
    start();
    for (int round = 0; round < ROUNDS; round++) {
        record_random_trace();
        compare();
    }
    stop();
}

/* All lengths around those where a length takes a byte more. */
static void test_lengths(void **unused)
{
    (void)unused;
    static char text[20000];
    memset(text, 't', sizeof text);
    static const ftr_str names[] = {{"a", 1}, {"b", 1}};
    ftr_keys keys = {0, 2, names};
    start();
    for (size_t len = 0; len < 300; len++) {
        const ftr_span span = ftr_span_start((ftr_str){text, len}, FTR_KIND_INTERNAL, NULL);
        ftr_span_end(span);
        const ftr_span one = ftr_span_start(FTR_STR("n"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(one, FTR_STR("key"), (ftr_str){text, len});
        ftr_span_end(one);
        const ftr_span both = ftr_span_start(FTR_STR("n"), FTR_KIND_INTERNAL, NULL);
        const ftr_value values[] = {ftr_value_str((ftr_str){text, len}),
                                    ftr_value_i64(1 << (len % 31))};
        ftr_span_set_values(both, &keys, values);
        ftr_span_end(both);
    }
    compare();
    for (size_t len = 11000; len < 17000; len += 97) {
        const ftr_span span = ftr_span_start(FTR_STR("n"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(span, FTR_STR("key"), (ftr_str){text, len});
        ftr_span_end(span);
    }
    compare();
    stop();
}

/* A kind that is none is a number as any: it does not spoil the message. */
static void test_kinds_that_are_none(void **unused)
{
    (void)unused;
    start();
    for (int kind = 0; kind < 256; kind++)
        ftr_span_end(ftr_span_start(FTR_STR("n"), (ftr_span_kind)kind, NULL));
    compare();
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_spans),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_kinds_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
