/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 and base64. */
#include "codec/base64.h"
#include "codec/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The definition in RFC 3629, section 3, the other way round: a character has one encoding. */
static size_t encode(uint32_t c, char *text)
{
    if (c < 0x80) {
        text[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        text[i] = (char)(0x80 | (c & 63));
    text[0] = (char)(leads[n] | c);
    return n;
}

static void test_every_character_and_no_surrogate(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110400; c++) {
        char text[4];
        const ftr_str str = {text, encode(c, text)};
        const bool is_character = c < 0xd800 || (c > 0xdfff && c < 0x110000);
        if (ftri_utf8_is_valid(str) != is_character)
            fail_msg("U+%04X", c);
        for (size_t cut = 1; cut < str.len; cut++)
            assert_false(ftri_utf8_is_valid((ftr_str){text, cut}));
    }
}

static void test_wrong_bytes_are_found_at_every_place(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\x80",
                                        "\xbf",
                                        "\xc0\xaf",
                                        "\xc1\xbf",
                                        "\xe0\x80\xaf",
                                        "\xe0\x9f\xbf",
                                        "\xed\xa0\x80",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xfe",
                                        "\xff",
                                        "\xc3(",
                                        "\xe2\x82(",
                                        "\xf0\x9f\x98("};
    for (size_t i = 0; i < FTRI_COUNT(wrong); i++)
        for (size_t before = 0; before < 40; before++) {
            char text[64];
            memset(text, 'a', sizeof text);
            memcpy(text + before, wrong[i], strlen(wrong[i]));
            for (size_t len = before + strlen(wrong[i]); len <= sizeof text; len += 7) {
                assert_false(ftri_utf8_is_valid((ftr_str){text, len}));
                assert_int_equal(ftri_utf8_valid_prefix((ftr_str){text, len}), before);
            }
        }
}

/* Expected: the function above, which looks at one character after the other. All first and second
 * bytes, with third and fourth ones that matter, across the places where blocks of 16 meet. */
static void test_blocks_and_characters_agree(void **state)
{
    (void)state;
    static const uint8_t tails[] = {0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc3, 0xe2, 0xf0, 0xff};
    static const size_t places[] = {0, 12, 13, 14, 15, 16, 28};
    enum { TAILS = sizeof tails, FORMS = 65536 * TAILS * TAILS };
    size_t n_wrong = 0;
    for (size_t place = 0; place < FTRI_COUNT(places); place++)
        for (uint32_t form = (uint32_t)place; form < FORMS; form += 3) {
            char text[FTRI_UTF8_SHORT_BYTES + 1];
            memset(text, 'a', sizeof text);
            const uint8_t bytes[] = {(uint8_t)form, (uint8_t)(form >> 8),
                                     tails[(form >> 16) % TAILS], tails[(form >> 16) / TAILS]};
            memcpy(text + places[place], bytes, 4);
            const size_t len = places[place] + 1 + form % 4;
            const ftr_str cut = {text, len}, whole = {text, sizeof text};
            const bool is_cut_valid = ftri_utf8_valid_prefix(cut) == len;
            const bool is_valid = ftri_utf8_valid_prefix(whole) == sizeof text;
            n_wrong += ftri_utf8_is_short_valid(cut) != is_cut_valid;
            n_wrong += ftri_utf8_is_valid(cut) != is_cut_valid;
            n_wrong += ftri_utf8_is_valid(whole) != is_valid;
        }
    assert_int_equal(n_wrong, 0);
}

/* Expected: what Python's bytes.decode("utf-8", "replace") would give for single wrong bytes. */
static void test_repair_keeps_characters_and_replaces_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *repaired;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xff", "\xef\xbf\xbd"},
        {"a\xffz", "a\xef\xbf\xbdz"},
        {"gr\xc3\xbc\xc3", "gr\xc3\xbc\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        char text[64];
        const ftr_str str = {cases[i].text, strlen(cases[i].text)};
        const size_t size = ftri_utf8_repaired_size(str);
        assert_int_equal(size, strlen(cases[i].repaired));
        ftri_utf8_repair(str, text);
        assert_memory_equal(text, cases[i].repaired, size);
    }
}

/* RFC 4648, section 10, and the two digits in which the alphabets differ. */
static void test_base64_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"},
                 {"\xfb\xff", "+/8="}};
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        struct ftri_bytes out;
        ftri_bytes_init(&out, 100);
        const size_t len = strlen(cases[i].plain);
        assert_int_equal(ftri_base64_encode(ftri_view_of(cases[i].plain, len), &out), 0);
        assert_int_equal(out.len, strlen(cases[i].text));
        if (out.len)
            assert_memory_equal(out.data, cases[i].text, out.len);
        ftri_bytes_reset(&out);
        const ftr_str text = {cases[i].text, strlen(cases[i].text)};
        assert_int_equal(ftri_base64_decode(text, &out), 0);
        assert_int_equal(out.len, len);
        if (len)
            assert_memory_equal(out.data, cases[i].plain, len);
        ftri_bytes_deinit(&out);
    }
}

static void test_base64_variants(void **state)
{
    (void)state;
    static const struct {
        const char *text, *plain; /* NULL: refused */
    } cases[] = {{"-_8=", "\xfb\xff"}, {"-_8", "\xfb\xff"}, {"Zg", "f"},      {"Zm8", "fo"},
                 {"Z", NULL},          {"Zg=", NULL},       {"=", NULL},      {"====", NULL},
                 {"Zg==Zg==", NULL},   {"Zm 9v", NULL},     {"Zm9v\n", NULL}, {"Z===", NULL}};
    for (size_t i = 0; i < FTRI_COUNT(cases); i++) {
        struct ftri_bytes out;
        ftri_bytes_init(&out, 100);
        const ftr_str text = {cases[i].text, strlen(cases[i].text)};
        const int r = ftri_base64_decode(text, &out);
        if (r != (cases[i].plain ? 0 : -EBADMSG))
            fail_msg("%s: %d", cases[i].text, r);
        assert_int_equal(out.len, cases[i].plain ? strlen(cases[i].plain) : 0);
        if (out.len)
            assert_memory_equal(out.data, cases[i].plain, out.len);
        ftri_bytes_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character_and_no_surrogate),
        cmocka_unit_test(test_wrong_bytes_are_found_at_every_place),
        cmocka_unit_test(test_blocks_and_characters_agree),
        cmocka_unit_test(test_repair_keeps_characters_and_replaces_bytes),
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
