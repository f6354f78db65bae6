/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

void ftri_hex_encode(const uint8_t *bytes, size_t n, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* -1 where c is no digit. */
static int digit_value(char c, char letter_a)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= letter_a && c <= letter_a + 5)
        return c - letter_a + 10;
    return -1;
}

static int digit_any(char c)
{
    const int lower = digit_value(c, 'a');
    return lower >= 0 ? lower : digit_value(c, 'A');
}

bool ftri_hex_decode(const char *text, size_t n, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < n; i++) {
        const int high = digit_any(text[2 * i]);
        const int low = digit_any(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool ftri_hex_decode_lower(const char *text, size_t n, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < 2 * n; i++)
        if (digit_value(text[i], 'a') < 0)
            return false;
    return ftri_hex_decode(text, n, ret_bytes);
}
