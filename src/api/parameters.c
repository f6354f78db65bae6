/* SPDX-License-Identifier: Apache-2.0 */
#include "api/parameters.h"

#include "base/hex.h"
#include "base/time.h"
#include "codec/base64.h"
#include "config/quantity.h"

#include <string.h>
#include <time.h>

/* Reads exactly n digits; advances. */
static bool digits(ftr_str *text, size_t n, int *ret_value)
{
    if (text->len < n)
        return false;
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        value = value * 10 + (text->data[i] - '0');
    }
    *ret_value = value;
    *text = (ftr_str){text->data + n, text->len - n};
    return true;
}

static bool character(ftr_str *text, char c)
{
    if (text->len == 0 || text->data[0] != c)
        return false;
    *text = (ftr_str){text->data + 1, text->len - 1};
    return true;
}

/* ".678" to nanoseconds; nothing there is 0. More than nine digits are cut. */
static bool fraction(ftr_str *text, uint64_t *ret_ns)
{
    *ret_ns = 0;
    if (!character(text, '.'))
        return true;
    uint64_t unit = FTRI_NS_PER_S / 10;
    size_t n = 0;
    while (text->len && text->data[0] >= '0' && text->data[0] <= '9') {
        *ret_ns += (uint64_t)(text->data[0] - '0') * unit;
        unit /= 10;
        n++;
        *text = (ftr_str){text->data + 1, text->len - 1};
    }
    return n > 0;
}

/* "Z", "+02:00", "-0530" style offsets with the colon. */
static bool zone(ftr_str *text, int64_t *ret_seconds)
{
    *ret_seconds = 0;
    if (character(text, 'Z') || character(text, 'z'))
        return true;
    const bool is_east = character(text, '+');
    int hours, minutes;
    if ((!is_east && !character(text, '-')) || !digits(text, 2, &hours) || !character(text, ':') ||
        !digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (is_east ? 1 : -1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

static bool is_date(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12)
        return false;
    const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day >= 1 && day <= days[month - 1] + (is_leap && month == 2);
}

static bool date_and_time(ftr_str *text, struct tm *ret_tm)
{
    struct tm tm = {0};
    if (!digits(text, 4, &tm.tm_year) || !character(text, '-') || !digits(text, 2, &tm.tm_mon) ||
        !character(text, '-') || !digits(text, 2, &tm.tm_mday))
        return false;
    if (!character(text, 'T') && !character(text, 't') && !character(text, ' '))
        return false;
    if (!digits(text, 2, &tm.tm_hour) || !character(text, ':') || !digits(text, 2, &tm.tm_min) ||
        !character(text, ':') || !digits(text, 2, &tm.tm_sec))
        return false;
    if (!is_date(tm.tm_year, tm.tm_mon, tm.tm_mday) || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60) /* 60: a leap second, counted as the next minute's first */
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_tm = tm;
    return true;
}

bool parameters_time(ftr_str text, uint64_t *ret_ns)
{
    struct tm tm;
    uint64_t nanoseconds;
    int64_t offset;
    if (!date_and_time(&text, &tm) || !fraction(&text, &nanoseconds) || !zone(&text, &offset) ||
        text.len != 0)
        return false;
    const int64_t seconds = (int64_t)timegm(&tm) - offset;
    if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / FTRI_NS_PER_S - 1)
        return false;
    *ret_ns = (uint64_t)seconds * FTRI_NS_PER_S + nanoseconds;
    return true;
}

bool parameters_number(ftr_str text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.len == 0 || text.len > 19)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (number > max)
        return false;
    *ret_number = number;
    return true;
}

enum { DURATION_BYTES = 64 };

/* The two micro signs of Go's "10\xc2\xb5s" and "10\xce\xbcs"; 0: neither is here. */
static size_t micro_sign(ftr_str text, size_t i)
{
    return text.len - i >= 2 && (memcmp(text.data + i, "\xc2\xb5", 2) == 0 ||
                                 memcmp(text.data + i, "\xce\xbc", 2) == 0)
               ? 2
               : 0;
}

static bool is_digit_at(ftr_str text, size_t i)
{
    return i < text.len && text.data[i] >= '0' && text.data[i] <= '9';
}

/* Go may leave out the digits on one side of a point, and writes micro with its sign; quantities do
 * neither. False: too long, or a point too many. */
static bool spell_out(ftr_str text, char ret_spelt[DURATION_BYTES])
{
    size_t len = 0;
    bool has_point = false;
    for (size_t i = 0; i < text.len; i++) {
        const bool is_point = text.data[i] == '.';
        const bool has_before = i > 0 && is_digit_at(text, i - 1);
        const bool has_after = is_digit_at(text, i + 1);
        if (len + 2 >= DURATION_BYTES || text.data[i] == '\0' ||
            (is_point && (has_point || (!has_before && !has_after))))
            return false;
        has_point = is_point || (has_point && is_digit_at(text, i));
        if (is_point && !has_before)
            ret_spelt[len++] = '0';
        if (is_point && !has_after)
            continue;
        const size_t n_micro = micro_sign(text, i);
        ret_spelt[len++] = n_micro ? 'u' : text.data[i];
        i += n_micro ? n_micro - 1 : 0;
    }
    ret_spelt[len] = '\0';
    return true;
}

bool parameters_duration(ftr_str text, uint64_t *ret_ns)
{
    char spelt[DURATION_BYTES];
    uint64_t ns = 0;
    if (!spell_out(text, spelt) || quantity_parse_duration(spelt, &ns) < 0 || ns > INT64_MAX)
        return false;
    *ret_ns = ns;
    return true;
}

static bool read_base64_id(ftr_str text, uint8_t ret_id[16])
{
    uint8_t room[32]; /* enough: a wrong id must not be the same as short memory */
    struct ftri_bytes bytes = {.data = room, .capacity = sizeof room, .limit = sizeof room};
    const bool is_id = ftri_base64_decode(text, &bytes) == 0 && bytes.len == 16;
    if (is_id)
        memcpy(ret_id, bytes.data, bytes.len);
    return is_id;
}

bool parameters_trace_id(ftr_str text, uint8_t ret_id[16], const char **ret_problem)
{
    char padded[32];
    uint8_t id[16];
    if (text.len == 0 || text.len > sizeof padded) {
        *ret_problem = "expected up to 32 hex digits";
        return false;
    }
    memset(padded, '0', sizeof padded);
    memcpy(padded + sizeof padded - text.len, text.data, text.len);
    if (!ftri_hex_decode(padded, sizeof id, id) &&
        (text.len < 22 || text.len > 24 || !read_base64_id(text, id))) {
        *ret_problem = "expected hex digits only";
        return false;
    }
    memcpy(ret_id, id, sizeof id);
    return true;
}
