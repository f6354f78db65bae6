/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/hex.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool ftri_text_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool ftri_text_is(ftr_str text, const char *wanted)
{
    return ftri_text_same(text, (ftr_str){wanted, strlen(wanted)});
}

bool ftri_text_same_word(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

bool ftri_text_is_token(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        const bool is_letter_or_digit =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_letter_or_digit && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.len > 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

ftr_str ftri_trim(ftr_str text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

bool ftri_text_split(ftr_str *rest, char separator, ftr_str *ret_part)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, separator, rest->len);
    const size_t len = end ? (size_t)(end - rest->data) : rest->len;
    const size_t taken = ftri_size_min(len + 1, rest->len);
    *ret_part = (ftr_str){rest->data, len};
    *rest = (ftr_str){rest->data + taken, rest->len - taken};
    return true;
}

size_t ftri_percent_decode(ftr_str text, char *ret_text, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++, n++) {
        uint8_t byte = (uint8_t)text.data[i];
        if (byte == '%') {
            if (text.len - i < 3 || !ftri_hex_decode(text.data + i + 1, 1, &byte))
                return SIZE_MAX;
            i += 2;
        }
        if (n == room)
            return SIZE_MAX;
        ret_text[n] = (char)byte;
    }
    return n;
}

size_t ftri_percent_encode(ftr_str text, bool (*stays)(char c), char *ret_text, size_t room)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = (uint8_t)text.data[i];
        const bool is_kept = stays(text.data[i]);
        if (room - n < (is_kept ? 1U : 3U))
            return SIZE_MAX;
        if (is_kept) {
            ret_text[n++] = (char)byte;
            continue;
        }
        ret_text[n++] = '%';
        ret_text[n++] = digits[byte >> 4];
        ret_text[n++] = digits[byte & 15];
    }
    return n;
}

bool ftri_text_whole(ftr_str text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (text.data[i] < '0' || text.data[i] > '9' || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

bool ftri_text_decimal(ftr_str text, double *ret_value)
{
    char room[64];
    if (text.len == 0 || text.len >= sizeof room)
        return false;
    memcpy(room, text.data, text.len);
    room[text.len] = '\0';
    if (strspn(room, "0123456789.eE+-") != text.len)
        return false;
    const locale_t plain = newlocale(LC_ALL_MASK, "C", NULL);
    if (!plain)
        return false;
    char *end;
    *ret_value = strtod_l(room, &end, plain);
    freelocale(plain);
    return end == room + text.len;
}
