/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/utf8.h"

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
