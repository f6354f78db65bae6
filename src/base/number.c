/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

bool ftri_number_whole(ftr_str text, uint64_t max, uint64_t *ret_value)
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

bool ftri_number_decimal(ftr_str text, double *ret_value)
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
