/* SPDX-License-Identifier: Apache-2.0
 *
 * Framing and texts of gRPC. Expected values: doc/PROTOCOL-HTTP2.md of gRPC, and by hand. */
#include "net/grpc_frame.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define VIEW(literal) ftri_view_of(literal, sizeof(literal) - 1)

/* Feeds the stream in pieces of `step` bytes; what comes out as "flag:message|", or the error. */
static void read_stream(struct ftri_view stream, size_t step, char *out, size_t size)
{
    struct grpc_reader reader;
    size_t len = 0;
    int r = 0;
    grpc_reader_init(&reader, 8);
    out[0] = '\0';
    for (size_t at = 0; at < stream.len && r >= 0; at += step) {
        struct ftri_view piece =
            ftri_view_of(stream.data + at, ftri_size_min(step, stream.len - at));
        while (piece.len > 0 && r >= 0) {
            r = grpc_reader_take(&reader, &piece);
            if (r == GRPC_READER_MESSAGE)
                len += (size_t)snprintf(out + len, size - len, "%d:%.*s|", reader.is_compressed,
                                        (int)reader.message.len, (const char *)reader.message.data);
        }
    }
    if (r < 0)
        snprintf(out + len, size - len, "%s", r == -EBADMSG ? "bad" : "long");
    else if (grpc_reader_is_inside(&reader))
        snprintf(out + len, size - len, "inside");
    grpc_reader_deinit(&reader);
}

static void test_messages(void **state)
{
    (void)state;
    static const struct {
        struct ftri_view stream;
        const char *wanted;
    } table[] = {
        {{(const uint8_t *)"", 0}, ""},
        {{(const uint8_t *)"\0\0\0\0\0", 5}, "0:|"},
        {{(const uint8_t *)"\0\0\0\0\3abc", 8}, "0:abc|"},
        {{(const uint8_t *)"\1\0\0\0\3abc", 8}, "1:abc|"},
        {{(const uint8_t *)"\0\0\0\0\3abc\0\0\0\0\0\1\0\0\0\1x", 19}, "0:abc|0:|1:x|"},
        {{(const uint8_t *)"\0\0\0\0\10abcdefgh", 13}, "0:abcdefgh|"},
        {{(const uint8_t *)"\0\0\0\0\11", 5}, "long"},
        {{(const uint8_t *)"\0\1\0\0\0", 5}, "long"},
        {{(const uint8_t *)"\0\377\377\377\377", 5}, "long"},
        {{(const uint8_t *)"\2\0\0\0\0", 5}, "bad"},
        {{(const uint8_t *)"\0", 1}, "inside"},
        {{(const uint8_t *)"\0\0\0\0\3ab", 7}, "inside"},
        {{(const uint8_t *)"\0\0\0\0\1a\377\0\0\0\0", 11}, "0:a|bad"},
    };
    for (size_t i = 0; i < FTRI_COUNT(table); i++) {
        for (size_t step = 1; step < 20; step++) {
            char out[64];
            read_stream(table[i].stream, step, out, sizeof out);
            assert_string_equal(out, table[i].wanted);
        }
    }
}

static void test_a_taken_message_keeps_the_limit(void **state)
{
    (void)state;
    struct grpc_reader reader;
    grpc_reader_init(&reader, 4);
    struct ftri_view input = VIEW("\0\0\0\0\2ab\0\0\0\0\5");
    assert_int_equal(grpc_reader_take(&reader, &input), GRPC_READER_MESSAGE);
    assert_int_equal(input.len, 5);
    assert_int_equal(grpc_reader_take(&reader, &input), -EMSGSIZE);
    grpc_reader_deinit(&reader);
}

static void test_memory_short(void **state)
{
    (void)state;
    struct grpc_reader reader;
    grpc_reader_init(&reader, 4);
    struct ftri_view input = VIEW("\0\0\0\0\2ab");
    ftri_mem_fail_at(1);
    assert_int_equal(grpc_reader_take(&reader, &input), -ENOMEM);
    ftri_mem_fail_at(0);
    grpc_reader_deinit(&reader);
}

static void test_put_message(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1000);
    assert_int_equal(grpc_put_message(&out, VIEW("")), 0);
    assert_int_equal(grpc_put_message(&out, VIEW("hello")), 0);
    assert_int_equal(out.len, 15);
    assert_memory_equal(out.data, "\0\0\0\0\0\0\0\0\0\5hello", 15);
    ftri_bytes_reset(&out);
    uint8_t big[700] = {0};
    assert_int_equal(grpc_put_message(&out, ftri_view_of(big, sizeof big)), 0);
    assert_memory_equal(out.data, "\0\0\0\2\274", 5);
    assert_int_equal(grpc_put_message(&out, ftri_view_of(big, sizeof big)), -EMSGSIZE);
    assert_int_equal(out.len, 705);
    ftri_bytes_deinit(&out);
}

static void test_timeouts(void **state)
{
    (void)state;
    static const struct {
        ftr_str text;
        int r;
        uint64_t ns;
    } table[] = {
        {TEXT("1n"), 0, 1},
        {TEXT("1u"), 0, 1000},
        {TEXT("20m"), 0, UINT64_C(20000000)},
        {TEXT("5S"), 0, UINT64_C(5000000000)},
        {TEXT("2M"), 0, UINT64_C(120000000000)},
        {TEXT("1H"), 0, UINT64_C(3600000000000)},
        {TEXT("0S"), 0, 0},
        {TEXT("00000001S"), 0, UINT64_C(1000000000)},
        {TEXT("99999999S"), 0, UINT64_C(99999999000000000)},
        {TEXT("99999999H"), 0, UINT64_MAX},
        {TEXT(""), -EINVAL, 0},
        {TEXT("S"), -EINVAL, 0},
        {TEXT("5"), -EINVAL, 0},
        {TEXT("5s"), -EINVAL, 0},
        {TEXT("5h"), -EINVAL, 0},
        {TEXT("5 S"), -EINVAL, 0},
        {TEXT("-5S"), -EINVAL, 0},
        {TEXT("+5S"), -EINVAL, 0},
        {TEXT("5SS"), -EINVAL, 0},
        {TEXT("1.5S"), -EINVAL, 0},
        {TEXT("100000000S"), -EINVAL, 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(table); i++) {
        uint64_t ns = 0;
        assert_int_equal(grpc_timeout_parse(table[i].text, &ns), table[i].r);
        assert_int_equal(ns, table[i].ns);
    }
}

static void test_percent_encoding(void **state)
{
    (void)state;
    static const struct {
        ftr_str text;
        const char *wanted;
    } table[] = {
        {TEXT(""), ""},
        {TEXT("plain text, ~!"), "plain text, ~!"},
        {TEXT("100%"), "100%25"},
        {TEXT("a\r\nb: c\t"), "a%0D%0Ab: c%09"},
        {TEXT("\303\244\177\0"), "%C3%A4%7F%00"},
        {TEXT("%41"), "%2541"},
    };
    for (size_t i = 0; i < FTRI_COUNT(table); i++) {
        struct ftri_bytes out;
        ftri_bytes_init(&out, 100);
        assert_int_equal(grpc_percent_encode(table[i].text, &out), 0);
        assert_int_equal(out.len, strlen(table[i].wanted));
        if (out.len)
            assert_memory_equal(out.data, table[i].wanted, out.len);
        ftri_bytes_deinit(&out);
    }
}

/* status.proto: code 1, message 2, details 3; any.proto: type_url 1, value 2;
 * error_details.proto: RetryInfo.retry_delay 1; duration.proto: seconds 1, nanos 2. */
static void test_retry_status(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 1000);
    assert_int_equal(grpc_put_retry_status(&out, 14, FTR_STR("busy"), UINT64_C(1000000005)), 0);
    static const char wanted[] = "\x08\x0e"
                                 "\x12\x04"
                                 "busy"
                                 "\x1a\x32"
                                 "\x0a\x28"
                                 "type.googleapis.com/google.rpc.RetryInfo"
                                 "\x12\x06"
                                 "\x0a\x04"
                                 "\x08\x01\x10\x05";
    assert_int_equal(out.len, sizeof wanted - 1);
    assert_memory_equal(out.data, wanted, out.len);
    ftri_bytes_deinit(&out);
}

static void test_content_types(void **state)
{
    (void)state;
    static const struct {
        ftr_str text;
        bool wanted;
    } table[] = {
        {TEXT("application/grpc"), true},
        {TEXT("application/grpc+proto"), true},
        {TEXT("application/grpc;a=b"), true},
        {TEXT("application/grpc+proto;a=b"), true},
        {TEXT("Application/GRPC"), true},
        {TEXT("application/grpc+json"), false},
        {TEXT("application/grpc-web"), false},
        {TEXT("application/grpc+prot"), false},
        {TEXT("application/grpc+protx"), false},
        {TEXT("application/gr"), false},
        {TEXT(""), false},
        {{NULL, 0}, false},
    };
    for (size_t i = 0; i < FTRI_COUNT(table); i++)
        assert_int_equal(grpc_is_content_type(table[i].text), table[i].wanted);
}

/* Four bytes to pass over, then a PING, DATA of stream 2^31 - 1 with the reserved bit, and a head
 * whose payload never comes (RFC 9113 4.1). */
static void test_heads_of_frames(void **state)
{
    (void)state;
    static const char bytes[] = "PRI "
                                "\0\0\x08\x06\x01\0\0\0\0pingping"
                                "\0\0\0\0\x01\xff\xff\xff\xff"
                                "\x01\x02\x03\xee\0\0\0\0\x05xy";
    static const struct grpc_frame_head wanted[] = {
        {8, 6, 0}, {0, 0, INT32_MAX}, {0x010203, 0xee, 5}};
    for (size_t step = 1; step < sizeof bytes; step++) {
        struct grpc_scanner scanner = {.n_left = 4};
        struct grpc_frame_head head;
        size_t n = 0;
        for (size_t at = 0; at < sizeof bytes - 1; at += step) {
            struct ftri_view input =
                ftri_view_of(bytes + at, ftri_size_min(step, sizeof bytes - 1 - at));
            while (grpc_scanner_next(&scanner, &input, &head)) {
                assert_true(n < FTRI_COUNT(wanted));
                assert_int_equal(head.len, wanted[n].len);
                assert_int_equal(head.type, wanted[n].type);
                assert_int_equal(head.stream_id, wanted[n++].stream_id);
            }
            assert_int_equal(input.len, 0);
        }
        assert_int_equal(n, FTRI_COUNT(wanted));
        assert_int_equal(scanner.n_left, 0x010203 - 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_a_taken_message_keeps_the_limit),
        cmocka_unit_test(test_memory_short),
        cmocka_unit_test(test_put_message),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_percent_encoding),
        cmocka_unit_test(test_retry_status),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_heads_of_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
