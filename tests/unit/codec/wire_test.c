/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/wire.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 150 is the example of protobuf.dev, "Encoding"; the others are worked out by hand. */
static const struct {
    uint64_t value;
    const char *bytes;
    size_t len;
} varints[] = {
    {0, "\x00", 1},
    {1, "\x01", 1},
    {127, "\x7f", 1},
    {128, "\x80\x01", 2},
    {150, "\x96\x01", 2},
    {16383, "\xff\x7f", 2},
    {16384, "\x80\x80\x01", 3},
    {UINT32_MAX, "\xff\xff\xff\xff\x0f", 5},
    {INT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
    {UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
};

static void test_varints_as_the_specification_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(varints); i++) {
        struct ftri_bytes out;
        ftri_bytes_init(&out, 100);
        assert_int_equal(ftri_wire_put_varint(&out, 1, varints[i].value), 0);
        assert_int_equal(out.len, 1 + varints[i].len);
        assert_int_equal(out.data[0], 0x08);
        assert_memory_equal(out.data + 1, varints[i].bytes, varints[i].len);
        assert_int_equal(ftri_wire_varint_size(varints[i].value), varints[i].len);

        uint8_t room[10];
        uint8_t *const first = ftri_wire_back_varint(room + 10, varints[i].value);
        assert_int_equal(room + 10 - first, varints[i].len);
        assert_memory_equal(first, varints[i].bytes, varints[i].len);

        struct ftri_wire_field field;
        size_t next = 0;
        assert_int_equal(ftri_wire_next(ftri_bytes_view(&out), &next, &field), FTRI_WIRE_FIELD);
        assert_true(field.value == varints[i].value);
        assert_int_equal(ftri_wire_next(ftri_bytes_view(&out), &next, &field), FTRI_WIRE_END);
        ftri_bytes_deinit(&out);
    }
}

/* By definition: a byte for each begun seven bits. */
static void test_sizes_at_every_bit(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t least = (uint64_t)1 << bit;
        assert_int_equal(ftri_wire_varint_size(least), bit / 7 + 1);
        assert_int_equal(ftri_wire_varint_size(least | (least - 1)), bit / 7 + 1);
    }
}

static void test_malformed_fields_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
        {"\x08", 1},                                              /* no value */
        {"\x08\x80", 2},                                          /* varint cut off */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},     /* 65 bits */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* 11 bytes */
        {"\x09\x01\x02\x03\x04\x05\x06\x07", 8},                  /* 7 of 8 bytes */
        {"\x0d\x01\x02\x03", 4},                                  /* 3 of 4 bytes */
        {"\x0a\x02x", 3},                                         /* length beyond the end */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},     /* length 2^64 - 1 */
        {"\x0b", 1},                                              /* group begins */
        {"\x0c", 1},                                              /* group ends */
        {"\x0e\x00", 2},                                          /* type 6 */
        {"\x0f\x00", 2},                                          /* type 7 */
        {"\x00\x00", 2},                                          /* field number 0 */
        {"\x80\x80\x80\x80\x10\x00", 6},                          /* field number 2^29 */
    };
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++) {
        struct ftri_wire_field field;
        size_t next = 0;
        const int r = ftri_wire_next(ftri_view_of(wrong[i].bytes, wrong[i].len), &next, &field);
        if (r != -EBADMSG)
            fail_msg("case %zu: %d", i, r);
        assert_int_equal(next, 0);
    }
}

/* Message { 3: Message { 1: text } } with a text that makes the lengths take 1, 2 and 3 bytes. */
static void test_begin_and_end_put_the_length_in(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 'x', sizeof text);
    static const size_t lens[] = {0, 1, 125, 126, 127, 128, 16379, 16380, 16381, 20000};
    for (size_t i = 0; i < FTRI_COUNT(lens); i++) {
        struct ftri_bytes out;
        ftri_bytes_init(&out, 1 << 20);
        size_t mark;
        assert_int_equal(ftri_bytes_append(&out, "before", 6), 0);
        assert_int_equal(ftri_wire_begin(&out, 3, &mark), 0);
        assert_int_equal(ftri_wire_put_bytes(&out, 1, ftri_view_of(text, lens[i])), 0);
        assert_int_equal(ftri_wire_end(&out, mark), 0);
        assert_memory_equal(out.data, "before", 6);
        struct ftri_wire_field outer, inner;
        size_t next = 6, inner_next = 0;
        assert_int_equal(ftri_wire_next(ftri_bytes_view(&out), &next, &outer), FTRI_WIRE_FIELD);
        assert_int_equal(next, out.len);
        assert_int_equal(outer.number, 3);
        assert_int_equal(ftri_wire_next(outer.bytes, &inner_next, &inner), FTRI_WIRE_FIELD);
        assert_int_equal(inner.bytes.len, lens[i]);
        assert_int_equal(inner_next, outer.bytes.len);
        ftri_bytes_deinit(&out);
    }
}

static void test_fixed_fields_are_little_endian(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 100);
    assert_int_equal(ftri_wire_put_fixed64(&out, 7, 0x0102030405060708), 0);
    assert_int_equal(ftri_wire_put_fixed32(&out, 16, 0x01020304), 0);
    static const char expected[] = "\x39\x08\x07\x06\x05\x04\x03\x02\x01\x85\x01\x04\x03\x02\x01";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.len);
    uint8_t room[15];
    uint8_t *first = ftri_wire_back_fixed32(room + 15, 16, 0x01020304);
    first = ftri_wire_back_fixed64(first, 7, 0x0102030405060708);
    assert_ptr_equal(first, room);
    assert_memory_equal(room, expected, 15);
    ftri_bytes_deinit(&out);
}

static void test_failed_writes_leave_what_was_there(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 20);
    char text[20] = {0};
    assert_int_equal(ftri_wire_put_bytes(&out, 1, ftri_view_of(text, 20)), -EMSGSIZE);
    assert_int_equal(out.len, 0);
    ftri_mem_fail_at(1);
    ftri_bytes_deinit(&out);
    ftri_bytes_init(&out, 20);
    assert_int_equal(ftri_wire_put_bytes(&out, 1, ftri_view_of(text, 3)), -ENOMEM);
    ftri_mem_fail_at(0);
    assert_int_equal(out.len, 0);
    ftri_bytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints_as_the_specification_writes_them),
        cmocka_unit_test(test_sizes_at_every_bit),
        cmocka_unit_test(test_malformed_fields_are_refused),
        cmocka_unit_test(test_begin_and_end_put_the_length_in),
        cmocka_unit_test(test_fixed_fields_are_little_endian),
        cmocka_unit_test(test_failed_writes_leave_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
