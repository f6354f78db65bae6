/* SPDX-License-Identifier: Apache-2.0 */
#include "wal/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, B.4 gives the checksums as bytes in the order of transmission: least first. */
static void check(const uint8_t *data, size_t len, uint32_t expected)
{
    assert_int_equal(wal_crc32c(0, data, len), expected);
    assert_int_equal(wal_crc32c_portable(0, data, len), expected);
}

static void test_vectors_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t data[32] = {0};
    check(data, sizeof data, 0x8a9136aa);
    memset(data, 0xff, sizeof data);
    check(data, sizeof data, 0x62a8ab43);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    check(data, sizeof data, 0x46dd794e);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(31 - i);
    check(data, sizeof data, 0x113fdb5c);
    const uint8_t read_command[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
    };
    check(read_command, sizeof read_command, 0xd9963a56);
    check((const uint8_t *)"123456789", 9, 0xe3069283); /* the usual check value */
    check(NULL, 0, 0);
}

static uint32_t bit_by_bit(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static void test_any_length_alignment_and_split_agree_with_the_definition(void **state)
{
    (void)state;
    uint8_t data[80];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t start = 0; start < 9; start++)
        for (size_t len = 0; start + len <= sizeof data; len++) {
            check(data + start, len, bit_by_bit(data + start, len));
            const uint32_t first = wal_crc32c(0, data + start, len / 3);
            assert_int_equal(wal_crc32c(first, data + start + len / 3, len - len / 3),
                             bit_by_bit(data + start, len));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_rfc_3720),
        cmocka_unit_test(test_any_length_alignment_and_split_agree_with_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
