/* SPDX-License-Identifier: Apache-2.0
 *
 * gzip, zlib and zstd against bytes of their own programs; round trips, limits and damage. */
#include "base/mem.h"
#include "codec/decoder.h"
#include "codec/gzip.h"
#include "codec/zstd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* printf 'hello hello hello\n' | gzip -n -9 */
static const uint8_t hello[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x5c,
                                0x00, 0x3b, 0x7c, 0x8a, 0xdf, 0x12, 0x00, 0x00, 0x00};
static const char hello_plain[] = "hello hello hello\n";

/* printf 'hello hello hello\n' | zstd -1 */
static const uint8_t hello_zstd[] = {
    0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x48, 0x91, 0x00, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x68,
    0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x0a, 0xa3, 0xaa, 0x74, 0xce};

static int gunzip(struct ftri_view packed, size_t piece, struct ftri_bytes *out, bool *ret_complete)
{
    struct ftri_gunzip *gunzip = ftri_gunzip_new();
    if (!gunzip)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; r == 0 && i < packed.len; i += piece) {
        const size_t n = ftri_size_min(piece, packed.len - i);
        r = ftri_gunzip_feed(gunzip, ftri_view_of(packed.data + i, n), out);
    }
    *ret_complete = ftri_gunzip_is_complete(gunzip);
    ftri_gunzip_free(gunzip);
    return r;
}

static void test_reads_what_gzip_wrote_in_pieces_of_any_size(void **state)
{
    (void)state;
    uint8_t twice[2 * sizeof hello];
    memcpy(twice, hello, sizeof hello);
    memcpy(twice + sizeof hello, hello, sizeof hello);
    for (size_t piece = 1; piece <= sizeof twice; piece++) {
        struct ftri_bytes out;
        bool is_complete;
        ftri_bytes_init(&out, 36);
        assert_int_equal(gunzip(ftri_view_of(twice, sizeof twice), piece, &out, &is_complete), 0);
        assert_true(is_complete);
        assert_int_equal(out.len, 36);
        assert_memory_equal(out.data, hello_plain, 18);
        assert_memory_equal(out.data + 18, hello_plain, 18);
        ftri_bytes_deinit(&out);
    }
}

static void test_a_cut_or_damaged_file_is_not_complete(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof hello; len++) {
        struct ftri_bytes out;
        bool is_complete;
        ftri_bytes_init(&out, 100);
        assert_int_equal(gunzip(ftri_view_of(hello, len), 5, &out, &is_complete), 0);
        assert_false(is_complete);
        ftri_bytes_deinit(&out);
    }
    uint8_t damaged[sizeof hello + 1];
    memcpy(damaged, hello, sizeof hello);
    damaged[sizeof hello - 5] ^= 1; /* the CRC */
    struct ftri_bytes out;
    bool is_complete;
    ftri_bytes_init(&out, 100);
    const struct ftri_view view = ftri_view_of(damaged, sizeof hello);
    assert_int_equal(gunzip(view, 100, &out, &is_complete), -EBADMSG);
    ftri_bytes_reset(&out);
    memcpy(damaged, hello, sizeof hello);
    damaged[sizeof hello] = 'x'; /* something behind the member */
    assert_int_equal(gunzip(ftri_view_of(damaged, sizeof damaged), 100, &out, &is_complete), 0);
    assert_false(is_complete);
    assert_int_equal(gunzip(ftri_view_of("plain text", 10), 10, &out, &is_complete), -EBADMSG);
    ftri_bytes_deinit(&out);
}

static void fill(uint8_t *plain, size_t len)
{
    uint32_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        plain[i] = i % 3 ? (uint8_t)(x >> 24) : 'a';
    }
}

static void test_round_trips_and_the_limit(void **state)
{
    (void)state;
    static uint8_t plain[200000];
    fill(plain, sizeof plain);
    static const size_t lens[] = {0, 1, 1000, 4096, sizeof plain};
    for (size_t i = 0; i < FTRI_COUNT(lens); i++) {
        struct ftri_bytes packed, out;
        bool is_complete;
        ftri_bytes_init(&packed, 1 << 20);
        ftri_bytes_init(&out, lens[i]);
        assert_int_equal(ftri_gzip(ftri_view_of(plain, lens[i]), 6, &packed), 0);
        assert_int_equal(gunzip(ftri_bytes_view(&packed), 777, &out, &is_complete), 0);
        assert_true(is_complete);
        assert_int_equal(out.len, lens[i]);
        if (lens[i])
            assert_memory_equal(out.data, plain, lens[i]);
        ftri_bytes_deinit(&out);
        ftri_bytes_init(&out, lens[i] ? lens[i] - 1 : 0);
        const int r = gunzip(ftri_bytes_view(&packed), 777, &out, &is_complete);
        assert_int_equal(r, lens[i] ? -EMSGSIZE : 0);
        ftri_bytes_deinit(&out);
        ftri_bytes_deinit(&packed);
    }
}

/* 100 MB of zeros in 100 kB: memory stays at the limit. */
static void test_a_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    static uint8_t zeros[1 << 20];
    struct ftri_bytes packed, bomb, out;
    bool is_complete;
    ftri_bytes_init(&packed, 1 << 20);
    ftri_bytes_init(&bomb, 1 << 24);
    ftri_bytes_init(&out, 1 << 16);
    assert_int_equal(ftri_gzip(ftri_view_of(zeros, sizeof zeros), 9, &packed), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(ftri_bytes_append(&bomb, packed.data, packed.len), 0);
    assert_int_equal(gunzip(ftri_bytes_view(&bomb), 1 << 20, &out, &is_complete), -EMSGSIZE);
    assert_true(out.capacity <= 1 << 16);
    ftri_bytes_deinit(&packed);
    ftri_bytes_deinit(&bomb);
    ftri_bytes_deinit(&out);
}

static void test_gzip_refuses_and_leaves_out_alone(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 10);
    assert_int_equal(ftri_gzip(ftri_view_of("abc", 3), 10, &out), -EINVAL);
    assert_int_equal(ftri_gzip(ftri_view_of("abc", 3), 1, &out), -EMSGSIZE);
    assert_int_equal(out.len, 0);
    ftri_bytes_deinit(&out);
}

static void test_every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct ftri_bytes packed, out;
        bool is_complete = false;
        ftri_bytes_init(&packed, 1000);
        ftri_bytes_init(&out, 1000);
        ftri_mem_fail_at(n);
        int r = ftri_gzip(ftri_view_of(hello_plain, 18), 6, &packed);
        if (r == 0)
            r = gunzip(ftri_bytes_view(&packed), 1000, &out, &is_complete);
        const bool is_past_the_end = ftri_mem_requests() < n;
        ftri_mem_fail_at(0);
        assert_int_equal(r, is_past_the_end ? 0 : -ENOMEM);
        ftri_bytes_deinit(&packed);
        ftri_bytes_deinit(&out);
        if (is_past_the_end)
            break;
    }
}

static void test_zstd_reads_the_program_and_itself(void **state)
{
    (void)state;
    static uint8_t plain[200000];
    fill(plain, sizeof plain);
    struct ftri_zstd *zstd = ftri_zstd_new(1);
    assert_non_null(zstd);
    struct ftri_bytes packed, out;
    ftri_bytes_init(&out, 18);
    assert_int_equal(ftri_zstd_decompress(zstd, ftri_view_of(hello_zstd, sizeof hello_zstd), &out),
                     0);
    assert_int_equal(out.len, 18);
    assert_memory_equal(out.data, hello_plain, 18);
    ftri_bytes_deinit(&out);
    static const size_t lens[] = {0, 1, 1000, sizeof plain};
    for (size_t i = 0; i < FTRI_COUNT(lens); i++) {
        ftri_bytes_init(&packed, 1 << 20);
        ftri_bytes_init(&out, lens[i]);
        assert_int_equal(ftri_zstd_compress(zstd, ftri_view_of(plain, lens[i]), &packed), 0);
        assert_int_equal(ftri_zstd_decompress(zstd, ftri_bytes_view(&packed), &out), 0);
        assert_int_equal(out.len, lens[i]);
        if (lens[i])
            assert_memory_equal(out.data, plain, lens[i]);
        ftri_bytes_deinit(&out);
        ftri_bytes_deinit(&packed);
    }
    ftri_zstd_free(zstd);
}

static void test_zstd_refuses_damage_and_excess(void **state)
{
    (void)state;
    struct ftri_zstd *zstd = ftri_zstd_new(3);
    struct ftri_bytes out;
    ftri_bytes_init(&out, 100);
    for (size_t len = 0; len < sizeof hello_zstd; len++) {
        const struct ftri_view cut = ftri_view_of(hello_zstd, len);
        if (ftri_zstd_decompress(zstd, cut, &out) != -EBADMSG)
            fail_msg("cut at %zu", len);
        assert_int_equal(out.len, 0);
    }
    ftri_bytes_deinit(&out);
    ftri_bytes_init(&out, 17);
    const struct ftri_view whole = ftri_view_of(hello_zstd, sizeof hello_zstd);
    assert_int_equal(ftri_zstd_decompress(zstd, whole, &out), -EMSGSIZE);
    assert_int_equal(ftri_zstd_compress(zstd, ftri_view_of(hello, sizeof hello), &out), -EMSGSIZE);
    assert_int_equal(out.len, 0);
    ftri_bytes_deinit(&out);
    ftri_zstd_free(zstd);
    assert_null(ftri_zstd_new(0));
    assert_null(ftri_zstd_new(20));
}

/* zlib.compress(b"hello hello hello\n") of Python. */
static const uint8_t hello_zlib[] = {0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8,
                                     0x40, 0x90, 0x5c, 0x00, 0x40, 0xb5, 0x06, 0x87};

/* Decodes in pieces; 0 only when the content is complete. */
static int decode(enum ftri_coding coding, struct ftri_view packed, size_t piece,
                  struct ftri_bytes *out)
{
    struct ftri_decoder *decoder = ftri_decoder_new(coding);
    if (!decoder)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < packed.len && r == 0; i += piece) {
        const size_t n = packed.len - i < piece ? packed.len - i : piece;
        r = ftri_decoder_feed(decoder, ftri_view_of(packed.data + i, n), out);
    }
    if (r < 0)
        assert_int_equal(ftri_decoder_feed(decoder, ftri_view_of("x", 1), out), r);
    if (r == 0 && !ftri_decoder_is_complete(decoder))
        r = -EBADMSG;
    ftri_decoder_free(decoder);
    return r;
}

static const struct {
    enum ftri_coding coding;
    const uint8_t *packed;
    size_t len;
    bool may_repeat; /* several in a row are one content */
} packed_hellos[] = {
    {FTRI_CODING_GZIP, hello, sizeof hello, true},
    {FTRI_CODING_DEFLATE, hello_zlib, sizeof hello_zlib, false},
    {FTRI_CODING_ZSTD, hello_zstd, sizeof hello_zstd, true},
};

static void test_every_coding_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(packed_hellos); i++) {
        const enum ftri_coding coding = packed_hellos[i].coding;
        const struct ftri_view whole = ftri_view_of(packed_hellos[i].packed, packed_hellos[i].len);
        struct ftri_bytes out;
        for (size_t piece = 1; piece <= whole.len; piece++) {
            ftri_bytes_init(&out, 18);
            assert_int_equal(decode(coding, whole, piece, &out), 0);
            assert_int_equal(out.len, 18);
            assert_memory_equal(out.data, hello_plain, 18);
            ftri_bytes_deinit(&out);
        }
        for (size_t len = 0; len < whole.len; len++) {
            ftri_bytes_init(&out, 100);
            assert_int_equal(decode(coding, ftri_view_of(whole.data, len), 3, &out), -EBADMSG);
            ftri_bytes_deinit(&out);
        }
        ftri_bytes_init(&out, 17);
        assert_int_equal(decode(coding, whole, 4, &out), -EMSGSIZE);
        ftri_bytes_deinit(&out);
        uint8_t twice[200];
        memcpy(twice, whole.data, whole.len);
        memcpy(twice + whole.len, whole.data, whole.len);
        ftri_bytes_init(&out, 100);
        assert_int_equal(decode(coding, ftri_view_of(twice, 2 * whole.len), 7, &out),
                         packed_hellos[i].may_repeat ? 0 : -EBADMSG);
        assert_int_equal(out.len, packed_hellos[i].may_repeat ? 36 : 18);
        ftri_bytes_deinit(&out);
    }
}

static void test_codings_by_name(void **state)
{
    (void)state;
    assert_int_equal(ftri_coding_named((ftr_str){0}), FTRI_CODING_IDENTITY);
    assert_int_equal(ftri_coding_named(FTR_STR("Identity")), FTRI_CODING_IDENTITY);
    assert_int_equal(ftri_coding_named(FTR_STR("GZIP")), FTRI_CODING_GZIP);
    assert_int_equal(ftri_coding_named(FTR_STR("x-gzip")), FTRI_CODING_GZIP);
    assert_int_equal(ftri_coding_named(FTR_STR("deflate")), FTRI_CODING_DEFLATE);
    assert_int_equal(ftri_coding_named(FTR_STR("zstd")), FTRI_CODING_ZSTD);
    assert_int_equal(ftri_coding_named(FTR_STR("br")), FTRI_CODING_UNKNOWN);
    assert_int_equal(ftri_coding_named(FTR_STR("gzip, gzip")), FTRI_CODING_UNKNOWN);
}

/* RFC 8878 3.1.1.1: window = (8 + mantissa) << (7 + exponent); a frame of one raw block, "a". */
static void test_a_zstd_frame_may_not_ask_for_a_large_window(void **state)
{
    (void)state;
    static const struct {
        uint8_t window; /* exponent << 3 | mantissa */
        int result;
    } rows[] = {{0, 0},       /* 1 KiB */
                {13 << 3, 0}, /* 8 MiB */
                {13 << 3 | 1, -EBADMSG},
                {14 << 3, -EBADMSG},      /* 16 MiB */
                {21 << 3, -EBADMSG},      /* 2 GiB */
                {31 << 3 | 7, -EBADMSG}}; /* 3.75 TiB */
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0, rows[i].window, 9, 0, 0, 'a'};
        struct ftri_bytes out;
        ftri_bytes_init(&out, 100);
        assert_int_equal(decode(FTRI_CODING_ZSTD, ftri_view_of(frame, sizeof frame), 1, &out),
                         rows[i].result);
        ftri_bytes_deinit(&out);
        ftri_bytes_init(&out, 100);
        struct ftri_zstd *zstd = ftri_zstd_new(1);
        assert_int_equal(ftri_zstd_decompress(zstd, ftri_view_of(frame, sizeof frame), &out),
                         rows[i].result);
        ftri_zstd_free(zstd);
        ftri_bytes_deinit(&out);
    }
}

/* Magic numbers of libzstd 0.1 to 0.7, the frame otherwise as today's. */
static void test_formats_of_before_1_0_are_refused(void **state)
{
    (void)state;
    for (int version = 0x1e; version <= 0x27; version++) {
        uint8_t packed[sizeof hello_zstd];
        struct ftri_bytes out;
        memcpy(packed, hello_zstd, sizeof packed);
        packed[0] = (uint8_t)version;
        const struct ftri_view view = ftri_view_of(packed, sizeof packed);
        for (size_t piece = 1; piece < sizeof packed; piece++) {
            ftri_bytes_init(&out, 100);
            assert_int_equal(decode(FTRI_CODING_ZSTD, view, piece, &out), -EBADMSG);
            assert_int_equal(out.len, 0);
            ftri_bytes_deinit(&out);
        }
        ftri_bytes_init(&out, 100);
        struct ftri_zstd *zstd = ftri_zstd_new(1);
        assert_int_equal(ftri_zstd_decompress(zstd, view, &out), -EBADMSG);
        ftri_zstd_free(zstd);
        ftri_bytes_deinit(&out);
    }
}

static void test_a_decoder_tells_what_it_holds(void **state)
{
    (void)state;
    static const uint8_t window[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3, 9, 0, 0};
    struct ftri_bytes out;
    ftri_bytes_init(&out, 100);
    struct ftri_decoder *decoder = ftri_decoder_new(FTRI_CODING_ZSTD);
    assert_true(ftri_decoder_bytes(decoder) < (size_t)1 << 20);
    assert_int_equal(ftri_decoder_feed(decoder, ftri_view_of(window, sizeof window), &out), 0);
    assert_true(ftri_decoder_bytes(decoder) >= (size_t)8 << 20);
    ftri_decoder_free(decoder);
    ftri_bytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_gzip_wrote_in_pieces_of_any_size),
        cmocka_unit_test(test_a_cut_or_damaged_file_is_not_complete),
        cmocka_unit_test(test_round_trips_and_the_limit),
        cmocka_unit_test(test_a_bomb_stops_at_the_limit),
        cmocka_unit_test(test_gzip_refuses_and_leaves_out_alone),
        cmocka_unit_test(test_every_failed_allocation_is_an_error),
        cmocka_unit_test(test_zstd_reads_the_program_and_itself),
        cmocka_unit_test(test_zstd_refuses_damage_and_excess),
        cmocka_unit_test(test_every_coding_in_pieces_of_any_size),
        cmocka_unit_test(test_codings_by_name),
        cmocka_unit_test(test_a_zstd_frame_may_not_ask_for_a_large_window),
        cmocka_unit_test(test_formats_of_before_1_0_are_refused),
        cmocka_unit_test(test_a_decoder_tells_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
