/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include "codec/wire.h"
#include "otlp/encode.h"
#include "otlp/view.h"

#include <flowtrace/exporter.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PAYLOAD_LIMIT_BYTES = 256 << 20 };

uint64_t sample_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t value = *state;
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static void put_number(uint64_t value, uint8_t *bytes)
{
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

void sample_trace_id(uint64_t trace, uint8_t ret_id[16])
{
    uint64_t state = trace;
    put_number(sample_random(&state), ret_id);
    put_number(trace, ret_id + 8);
}

void sample_span_id(uint64_t span, uint8_t ret_id[8])
{
    put_number(span * UINT64_C(0x9e3779b97f4a7c15), ret_id);
}

static ftr_str text_of(const char *text)
{
    return (ftr_str){text, strlen(text)};
}

void sample_encode(const struct sample *sample, struct ftri_bytes *out)
{
    const ftr_attribute attribute = {FTR_STR("note"),
                                     {.type = FTR_VALUE_I64, .as.i64 = sample->note}};
    ftr_span_data data = {
        .size = sizeof data,
        .name = text_of(sample->name),
        .kind = (ftr_span_kind)sample->kind,
        .start_time_ns = sample->start_ns,
        .end_time_ns = sample->end_ns,
        .attributes = &attribute,
        .n_attributes = 1,
        .status = sample->is_error ? FTR_SPAN_ERROR : FTR_SPAN_UNSET,
    };
    sample_trace_id(sample->trace, data.context.trace_id.bytes);
    sample_span_id(sample->span, data.context.span_id.bytes);
    if (sample->parent)
        sample_span_id(sample->parent, data.parent_span_id.bytes);
    struct ftri_bytes field;
    ftri_bytes_init(&field, PAYLOAD_LIMIT_BYTES);
    assert_int_equal(ftri_otlp_encode_span(&data, &field), 0);
    struct ftri_wire_field read;
    size_t next = 0;
    assert_int_equal(ftri_wire_next(ftri_bytes_view(&field), &next, &read), FTRI_WIRE_FIELD);
    assert_int_equal(ftri_bytes_append(out, read.bytes.data, read.bytes.len), 0);
    ftri_bytes_deinit(&field);
}

void sample_put_text(struct ftri_bytes *out, uint32_t number, const char *text)
{
    if (text)
        assert_int_equal(ftri_wire_put_bytes(out, number, ftri_view_of(text, strlen(text))), 0);
}

void sample_put_resource(struct ftri_bytes *out, const char *service)
{
    size_t resource, attribute, value;
    assert_int_equal(ftri_wire_begin(out, 1, &resource), 0);
    assert_int_equal(ftri_wire_begin(out, 1, &attribute), 0);
    sample_put_text(out, 1, "service.name");
    assert_int_equal(ftri_wire_begin(out, 2, &value), 0);
    sample_put_text(out, 1, service);
    assert_int_equal(ftri_wire_end(out, value), 0);
    assert_int_equal(ftri_wire_end(out, attribute), 0);
    assert_int_equal(ftri_wire_end(out, resource), 0);
}

void sample_wrap(const struct sample_place *place, const struct ftri_view *spans, size_t n,
                 struct ftri_bytes *out)
{
    size_t resource_spans, scope_spans, scope;
    assert_int_equal(ftri_wire_begin(out, 1, &resource_spans), 0);
    if (place->service)
        sample_put_resource(out, place->service);
    assert_int_equal(ftri_wire_begin(out, 2, &scope_spans), 0);
    if (place->scope) {
        assert_int_equal(ftri_wire_begin(out, 1, &scope), 0);
        sample_put_text(out, 1, place->scope);
        assert_int_equal(ftri_wire_end(out, scope), 0);
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ftri_wire_put_bytes(out, 2, spans[i]), 0);
    sample_put_text(out, 3, place->scope_url);
    assert_int_equal(ftri_wire_end(out, scope_spans), 0);
    sample_put_text(out, 3, place->resource_url);
    assert_int_equal(ftri_wire_end(out, resource_spans), 0);
}

struct ftri_payload *sample_seal(struct ftri_bytes *bytes)
{
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    if (ftri_otlp_traces_check(ftri_bytes_view(bytes), &counts, &error) < 0)
        fail_msg("%s: %s", error.path, error.reason);
    struct ftri_payload *payload = ftri_payload_new(bytes);
    assert_non_null(payload);
    return payload;
}

/* ResourceSpans of the samples that share the first one's service; returns how many. */
static size_t wrap_run(const struct sample *samples, size_t n, struct ftri_bytes *out)
{
    size_t n_run = 0, resource_spans, scope_spans;
    assert_int_equal(ftri_wire_begin(out, 1, &resource_spans), 0);
    sample_put_resource(out, samples[0].service);
    assert_int_equal(ftri_wire_begin(out, 2, &scope_spans), 0);
    struct ftri_bytes body;
    ftri_bytes_init(&body, PAYLOAD_LIMIT_BYTES);
    for (; n_run < n && strcmp(samples[n_run].service, samples[0].service) == 0; n_run++) {
        ftri_bytes_reset(&body);
        sample_encode(&samples[n_run], &body);
        assert_int_equal(ftri_wire_put_bytes(out, 2, ftri_bytes_view(&body)), 0);
    }
    ftri_bytes_deinit(&body);
    assert_int_equal(ftri_wire_end(out, scope_spans), 0);
    assert_int_equal(ftri_wire_end(out, resource_spans), 0);
    return n_run;
}

struct ftri_payload *sample_payload(const struct sample *samples, size_t n)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, PAYLOAD_LIMIT_BYTES);
    for (size_t i = 0; i < n;)
        i += wrap_run(samples + i, n - i, &out);
    return sample_seal(&out);
}
