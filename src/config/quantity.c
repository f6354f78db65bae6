/* SPDX-License-Identifier: Apache-2.0 */
#include "config/quantity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first; those without `i` are read but not written. */
static const struct unit byte_units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"TB", UINT64_C(1000000000000)},
    {"GiB", UINT64_C(1) << 30},
    {"GB", UINT64_C(1000000000)},
    {"MiB", UINT64_C(1) << 20},
    {"MB", 1000000},
    {"KiB", 1024},
    {"KB", 1000},
    {"B", 1},
};

static const struct unit time_units[] = {
    {"d", UINT64_C(86400000000000)},
    {"h", UINT64_C(3600000000000)},
    {"m", UINT64_C(60000000000)},
    {"s", UINT64_C(1000000000)},
    {"ms", 1000000},
    {"us", 1000},
    {"ns", 1},
};

struct units {
    const struct unit *items;
    size_t n_items;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Moves *next behind the digits. */
static int read_digits(const char **next, uint64_t *ret_value)
{
    if (!is_digit(**next))
        return -EINVAL;
    uint64_t value = 0;
    for (; is_digit(**next); (*next)++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**next - '0'), &value))
            return -ERANGE;
    *ret_value = value;
    return 0;
}

int quantity_parse_u64(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const int r = read_digits(&text, &value);
    if (r < 0)
        return r;
    if (*text)
        return -EINVAL;
    *ret_value = value;
    return 0;
}

static const struct unit *find_unit(const struct units *units, const char *name, size_t len)
{
    for (size_t i = 0; i < units->n_items; i++)
        if (strlen(units->items[i].name) == len && memcmp(units->items[i].name, name, len) == 0)
            return &units->items[i];
    return NULL;
}

/* The digits behind the point, as a part of one unit: at most nine count. */
static int read_fraction(const char **next, uint64_t *ret_numerator, uint64_t *ret_denominator)
{
    *ret_numerator = 0;
    *ret_denominator = 1;
    if (**next != '.')
        return 0;
    (*next)++;
    if (!is_digit(**next))
        return -EINVAL;
    for (unsigned n = 0; is_digit(**next); (*next)++, n++) {
        if (n >= 9)
            continue;
        *ret_numerator = *ret_numerator * 10 + (uint64_t)(**next - '0');
        *ret_denominator *= 10;
    }
    return 0;
}

/* One number with its unit, added to *sum. `bare` (may be NULL) is the unit of a number without. */
static int read_part(const char **next, const struct units *units, const struct unit *bare,
                     uint64_t *sum)
{
    uint64_t whole = 0, numerator = 0, denominator = 1;
    int r = read_digits(next, &whole);
    if (r == 0)
        r = read_fraction(next, &numerator, &denominator);
    if (r < 0)
        return r;
    const char *name = *next;
    while (**next && !is_digit(**next))
        (*next)++;
    const size_t len = (size_t)(*next - name);
    const struct unit *unit = len ? find_unit(units, name, len) : bare;
    if (!unit)
        return -EINVAL;
    if (__builtin_mul_overflow(whole, unit->factor, &whole) ||
        __builtin_add_overflow(*sum, whole, sum))
        return -ERANGE;
    /* In two parts, so that no product exceeds 64 bits. */
    const uint64_t part = numerator * (unit->factor / denominator) +
                          numerator * (unit->factor % denominator) / denominator;
    return __builtin_add_overflow(*sum, part, sum) ? -ERANGE : 0;
}

static int parse(const char *text, const struct units *units, const struct unit *bare,
                 uint64_t *ret_value)
{
    uint64_t sum = 0;
    do {
        const int r = read_part(&text, units, bare, &sum);
        if (r < 0)
            return r;
    } while (*text);
    *ret_value = sum;
    return 0;
}

int quantity_parse_bytes(const char *text, uint64_t *ret_bytes)
{
    static const struct units units = {byte_units, FTRI_COUNT(byte_units)};
    return parse(text, &units, &byte_units[FTRI_COUNT(byte_units) - 1], ret_bytes);
}

int quantity_parse_duration(const char *text, uint64_t *ret_ns)
{
    static const struct units units = {time_units, FTRI_COUNT(time_units)};
    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    return parse(text, &units, NULL, ret_ns);
}

static void format(uint64_t value, const struct unit *unit, char *ret_text)
{
    snprintf(ret_text, QUANTITY_TEXT_BYTES, "%llu%s", (unsigned long long)(value / unit->factor),
             unit->name);
}

void quantity_format_bytes(uint64_t bytes, char ret_text[QUANTITY_TEXT_BYTES])
{
    size_t i = 0;
    while (byte_units[i].factor > 1 && (!bytes || bytes % byte_units[i].factor))
        i += 2;
    format(bytes, &byte_units[i], ret_text);
}

void quantity_format_duration(uint64_t ns, char ret_text[QUANTITY_TEXT_BYTES])
{
    size_t i = 0;
    while (time_units[i].factor > 1 && (!ns || ns % time_units[i].factor))
        i++;
    format(ns, &time_units[i], ret_text);
}
