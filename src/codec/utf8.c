/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/utf8.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the valid character at p, 0 if there is none. RFC 3629, section 4: the second byte's
 * range depends on the first. */
static size_t character_size(const uint8_t *p, size_t n_left)
{
    const uint8_t first = p[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || n_left < 2)
        return 0;
    if (first < 0xe0)
        return is_continuation(p[1]) ? 2 : 0;
    const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high || n_left < 3 || !is_continuation(p[2]))
        return 0;
    if (first < 0xf0)
        return 3;
    return n_left >= 4 && is_continuation(p[3]) ? 4 : 0;
}

size_t ftri_utf8_valid_prefix(ftr_str text)
{
    const uint8_t *p = (const uint8_t *)text.data;
    size_t i = 0;
    while (i < text.len) {
        uint64_t word;
        if (i + 8 <= text.len && (memcpy(&word, p + i, 8), (word & 0x8080808080808080u) == 0)) {
            i += 8;
            continue;
        }
        const size_t n = character_size(p + i, text.len - i);
        if (n == 0)
            return i;
        i += n;
    }
    return i;
}

#if defined(__x86_64__)
#define SSSE3 __attribute__((target("ssse3")))

/* What two neighbouring bytes can have wrong, after Keiser and Lemire, "Validating UTF-8 In Less
 * Than One Instruction Per Byte" (2020): each of three half bytes allows some of it; what all three
 * allow is wrong. */
enum {
    TOO_SHORT = 1 << 0, /* a first byte, then no continuation */
    TOO_LONG = 1 << 1,  /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2,
    TOO_LARGE = 1 << 3, /* beyond U+10FFFF: f4 90 and up */
    SURROGATE = 1 << 4,
    OVERLONG_2 = 1 << 5,
    OVERLONG_4 = 1 << 6, /* f0 80; the same bit: f5 80 and up */
    BEYOND = 1 << 6,
    TWO_CONTINUATIONS = 1 << 7, /* wrong unless a first byte of 3 or 4 stands before */
    ANY = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS
};

/* By the upper half of the first byte, by its lower half, by the upper half of the second. */
static const uint8_t first_upper[16] = {TOO_LONG,
                                        TOO_LONG,
                                        TOO_LONG,
                                        TOO_LONG,
                                        TOO_LONG,
                                        TOO_LONG,
                                        TOO_LONG,
                                        TOO_LONG,
                                        TWO_CONTINUATIONS,
                                        TWO_CONTINUATIONS,
                                        TWO_CONTINUATIONS,
                                        TWO_CONTINUATIONS,
                                        TOO_SHORT | OVERLONG_2,
                                        TOO_SHORT,
                                        TOO_SHORT | OVERLONG_3 | SURROGATE,
                                        TOO_SHORT | TOO_LARGE | BEYOND | OVERLONG_4};
static const uint8_t first_lower[16] = {ANY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
                                        ANY | OVERLONG_2,
                                        ANY,
                                        ANY,
                                        ANY | TOO_LARGE,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND | SURROGATE,
                                        ANY | TOO_LARGE | BEYOND,
                                        ANY | TOO_LARGE | BEYOND};
enum { SECOND = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS };
static const uint8_t second_upper[16] = {TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         SECOND | OVERLONG_3 | BEYOND | OVERLONG_4,
                                         SECOND | OVERLONG_3 | TOO_LARGE,
                                         SECOND | SURROGATE | TOO_LARGE,
                                         SECOND | SURROGATE | TOO_LARGE,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT,
                                         TOO_SHORT};

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

SSSE3 static inline __m128i look_up(const uint8_t table[16], __m128i halves)
{
    return _mm_shuffle_epi8(load(table), _mm_and_si128(halves, _mm_set1_epi8(0x0f)));
}

/* Not zero where something is wrong in these 16 bytes or between them and those before. */
SSSE3 static inline __m128i find_wrong(__m128i bytes, __m128i before)
{
    const __m128i first = _mm_alignr_epi8(bytes, before, 15);
    const __m128i pair = _mm_and_si128(
        _mm_and_si128(look_up(first_upper, _mm_srli_epi16(first, 4)), look_up(first_lower, first)),
        look_up(second_upper, _mm_srli_epi16(bytes, 4)));
    /* Top bit: two or three bytes before stands the first of at least three or of four. */
    const __m128i third =
        _mm_subs_epu8(_mm_alignr_epi8(bytes, before, 14), _mm_set1_epi8(0xe0 - 0x80));
    const __m128i fourth =
        _mm_subs_epu8(_mm_alignr_epi8(bytes, before, 13), _mm_set1_epi8(0xf0 - 0x80));
    const __m128i is_inner = _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8((char)0x80));
    return _mm_xor_si128(pair, is_inner);
}

static inline bool is_zero(__m128i bytes)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())) == 0xffff;
}

/* The end is followed by zeros: a character that is cut off shows there. */
SSSE3 static bool is_valid_ssse3(const uint8_t *p, size_t len)
{
    __m128i wrong = _mm_setzero_si128(), before = wrong;
    uint8_t tail[16] = {0};
    for (; len >= 16; p += 16, len -= 16) {
        const __m128i bytes = load(p);
        wrong = _mm_or_si128(wrong, find_wrong(bytes, before));
        before = bytes;
    }
    memcpy(tail, p, len);
    wrong = _mm_or_si128(wrong, find_wrong(load(tail), before));
    return is_zero(wrong);
}

/* The first n of 16 bytes, zeros behind them; all for n above 16, none below 1. */
SSSE3 static inline __m128i cut(__m128i bytes, int n)
{
    const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm_and_si128(bytes, _mm_cmpgt_epi8(_mm_set1_epi8((char)n), places));
}

SSSE3 static bool is_short_valid_ssse3(const uint8_t *p, size_t len)
{
    const __m128i zeros = _mm_setzero_si128();
    const __m128i low = cut(load(p), (int)len), high = cut(load(p + 16), (int)len - 16);
    return is_zero(_mm_or_si128(_mm_or_si128(find_wrong(low, zeros), find_wrong(high, low)),
                                find_wrong(zeros, high)));
}
#endif

bool ftri_utf8_is_valid_wide(ftr_str text)
{
#if defined(__x86_64__)
    if (FTRI_LIKELY(__builtin_cpu_supports("ssse3")))
        return is_valid_ssse3((const uint8_t *)text.data, text.len);
#endif
    return ftri_utf8_valid_prefix(text) == text.len;
}

bool ftri_utf8_is_short_valid_wide(ftr_str text)
{
#if defined(__x86_64__)
    if (FTRI_LIKELY(__builtin_cpu_supports("ssse3")))
        return is_short_valid_ssse3((const uint8_t *)text.data, text.len);
#endif
    return ftri_utf8_valid_prefix(text) == text.len;
}

static const char replacement[] = "\xef\xbf\xbd";
enum { REPLACEMENT_BYTES = 3 };

size_t ftri_utf8_repaired_size(ftr_str text)
{
    size_t size = 0;
    while (text.len) {
        const size_t n = ftri_utf8_valid_prefix(text);
        size += n;
        if (n == text.len)
            break;
        size += REPLACEMENT_BYTES;
        text = (ftr_str){text.data + n + 1, text.len - n - 1};
    }
    return size;
}

void ftri_utf8_repair(ftr_str text, char *ret_text)
{
    while (text.len) {
        const size_t n = ftri_utf8_valid_prefix(text);
        memcpy(ret_text, text.data, n);
        if (n == text.len)
            return;
        memcpy(ret_text + n, replacement, REPLACEMENT_BYTES);
        ret_text += n + REPLACEMENT_BYTES;
        text = (ftr_str){text.data + n + 1, text.len - n - 1};
    }
}
