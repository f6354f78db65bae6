/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 (RFC 3629): shortest forms only, no surrogates, nothing beyond U+10FFFF.
 * Sans-I/O, any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* The length of the longest valid beginning. */
size_t ftri_utf8_valid_prefix(ftr_str text);
/* True when no byte has its top bit set. */
static inline bool ftri_utf8_is_ascii(ftr_str text)
{
    const char *p = text.data;
    uint64_t all = 0;
    uint64_t word;
    uint32_t half;
#if defined(__SSE2__)
    if (text.len >= 16) {
        const __m128i *last = (const __m128i *)(const void *)(p + text.len - 16);
        __m128i top_bits = _mm_loadu_si128(last);
        for (size_t i = 0; i + 16 <= text.len; i += 16)
            top_bits =
                _mm_or_si128(top_bits, _mm_loadu_si128((const __m128i *)(const void *)(p + i)));
        return _mm_movemask_epi8(top_bits) == 0;
    }
#endif
    if (text.len >= 8) {
        for (size_t i = 0; i + 8 <= text.len; i += 8) {
            memcpy(&word, p + i, 8);
            all |= word;
        }
        memcpy(&word, p + text.len - 8, 8);
        return ((all | word) & 0x8080808080808080u) == 0;
    }
    if (text.len >= 4) {
        memcpy(&half, p, 4);
        all = half;
        memcpy(&half, p + text.len - 4, 4);
        return ((all | half) & 0x80808080u) == 0;
    }
    for (size_t i = 0; i < text.len; i++)
        all |= (uint8_t)p[i];
    return (all & 0x80) == 0;
}

/* ftri_utf8_is_valid for text that is not ASCII. */
bool ftri_utf8_is_valid_wide(ftr_str text);

static inline bool ftri_utf8_is_valid(ftr_str text)
{
    return FTRI_LIKELY(ftri_utf8_is_ascii(text)) || ftri_utf8_is_valid_wide(text);
}

enum { FTRI_UTF8_SHORT_BYTES = 32 };

/* The two without a branch on the length: for texts of up to FTRI_UTF8_SHORT_BYTES where so many
 * may be read, whatever the text's length. */
bool ftri_utf8_is_short_valid_wide(ftr_str text);

static inline bool ftri_utf8_is_short_valid(ftr_str text)
{
#if defined(__SSE2__)
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)text.data);
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(text.data + 16));
    const uint64_t top_bits =
        (uint32_t)_mm_movemask_epi8(low) | (uint64_t)(uint32_t)_mm_movemask_epi8(high) << 16;
    if (FTRI_LIKELY((top_bits & ((UINT64_C(1) << text.len) - 1)) == 0))
        return true;
    return ftri_utf8_is_short_valid_wide(text);
#else
    return ftri_utf8_is_valid(text);
#endif
}

/* The text with each byte that belongs to no valid character replaced by U+FFFD: how long it is,
 * and the writing of it (exactly that many bytes). */
size_t ftri_utf8_repaired_size(ftr_str text);
void ftri_utf8_repair(ftr_str text, char *ret_text);
