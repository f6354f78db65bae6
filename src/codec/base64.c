/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/base64.h"

#include <errno.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int ftri_base64_encode(struct ftri_view bytes, struct ftri_bytes *out)
{
    const int r = ftri_bytes_reserve(out, (bytes.len + 2) / 3 * 4);
    if (r < 0)
        return r;
    uint8_t *p = out->data + out->len;
    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t n = ftri_size_min(bytes.len - i, 3);
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= n > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= n > 2 ? bytes.data[i + 2] : 0;
        *p++ = (uint8_t)digits[group >> 18];
        *p++ = (uint8_t)digits[group >> 12 & 63];
        *p++ = n > 1 ? (uint8_t)digits[group >> 6 & 63] : '=';
        *p++ = n > 2 ? (uint8_t)digits[group & 63] : '=';
    }
    out->len = bytes.len ? (size_t)(p - out->data) : out->len;
    return 0;
}

/* -1 where c is no digit. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

static ftr_str without_padding(ftr_str text)
{
    if (text.len % 4 != 0)
        return text;
    for (int i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++)
        text.len--;
    return text;
}

int ftri_base64_decode(ftr_str text, struct ftri_bytes *out)
{
    text = without_padding(text);
    if (text.len % 4 == 1)
        return -EBADMSG;
    if (text.len == 0)
        return 0;
    const int r = ftri_bytes_reserve(out, text.len / 4 * 3 + 2);
    if (r < 0)
        return r;
    uint8_t *p = out->data + out->len;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        const int value = digit_value(text.data[i]);
        if (value < 0)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            *p++ = (uint8_t)(bits >> n_bits);
        }
    }
    out->len = (size_t)(p - out->data);
    return 0;
}
