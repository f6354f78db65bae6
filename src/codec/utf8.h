/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 (RFC 3629): shortest forms only, no surrogates, nothing beyond U+10FFFF.
 * Sans-I/O, any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

#include <string.h>

/* The length of the longest valid beginning. */
size_t ftri_utf8_valid_prefix(ftr_str text);
/* True when no byte has its top bit set. */
static inline bool ftri_utf8_is_ascii(ftr_str text)
{
    const char *p = text.data;
    uint64_t all = 0;
    uint64_t word;
    uint32_t half;
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

static inline bool ftri_utf8_is_valid(ftr_str text)
{
    return FTRI_LIKELY(ftri_utf8_is_ascii(text)) || ftri_utf8_valid_prefix(text) == text.len;
}

/* The text with each byte that belongs to no valid character replaced by U+FFFD: how long it is,
 * and the writing of it (exactly that many bytes). */
size_t ftri_utf8_repaired_size(ftr_str text);
void ftri_utf8_repair(ftr_str text, char *ret_text);
