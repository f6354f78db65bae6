/* SPDX-License-Identifier: Apache-2.0
 *
 * A number is split into its sign, its significant digits and a power of ten:
 *   value = sign * d1 d2 ... dn * 10^exponent
 * Integers are computed from that directly. Doubles of up to 15 digits and small exponents are
 * exact in one operation; the others go through strtod, which rounds correctly. */
#include "codec/json_number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* More digits than any double's exact value has (767); what is cut off becomes one 1. */
    DIGITS_MAX = 800,
    EXACT_DIGITS = 15,
    EXACT_POWER = 22
};

/* Beyond what any text in memory can bring back by its digits. */
static const int64_t exponent_cap = INT64_C(1000000000000000);

struct decimal {
    bool is_negative;
    char digits[DIGITS_MAX + 1]; /* no leading and no trailing zeros; none at all for zero */
    size_t n_digits;
    int64_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void take_digit(struct decimal *self, char c, bool is_behind_point)
{
    if (self->n_digits == 0 && c == '0') {
        self->exponent -= is_behind_point;
        return;
    }
    if (self->n_digits < DIGITS_MAX) {
        self->digits[self->n_digits++] = c;
        self->exponent -= is_behind_point;
        return;
    }
    self->exponent += !is_behind_point;
    if (c != '0' && self->digits[DIGITS_MAX - 1] == '0')
        self->digits[DIGITS_MAX - 1] = '1';
}

static bool take_exponent(struct decimal *self, const char *p, const char *end)
{
    const bool is_negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end)
        return false;
    int64_t value = 0;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        value = value < exponent_cap ? value * 10 + (*p - '0') : value;
    }
    self->exponent += is_negative ? -value : value;
    return true;
}

static void drop_trailing_zeros(struct decimal *self)
{
    while (self->n_digits && self->digits[self->n_digits - 1] == '0') {
        self->n_digits--;
        self->exponent++;
    }
    if (self->n_digits == 0)
        self->exponent = 0;
}

/* False: not a number as RFC 8259 section 6 writes it. */
static bool split(ftr_str text, struct decimal *self)
{
    *self = (struct decimal){0};
    const char *p = text.data;
    const char *const end = p + text.len;
    self->is_negative = p < end && *p == '-';
    p += self->is_negative;
    const char *const whole = p;
    for (; p < end && is_digit(*p); p++)
        take_digit(self, *p, false);
    if (p == whole || (*whole == '0' && p - whole > 1))
        return false;
    if (p < end && *p == '.') {
        const char *const fraction = ++p;
        for (; p < end && is_digit(*p); p++)
            take_digit(self, *p, true);
        if (p == fraction)
            return false;
    }
    if (p < end && (*p | 0x20) != 'e')
        return false;
    if (p < end && !take_exponent(self, p + 1, end))
        return false;
    drop_trailing_zeros(self);
    return true;
}

/* The size without its sign. */
static int magnitude(const struct decimal *self, uint64_t *ret_value)
{
    if (self->exponent < 0)
        return -EINVAL;
    if (self->n_digits + (uint64_t)self->exponent > 20)
        return -ERANGE;
    uint64_t value = 0;
    for (size_t i = 0; i < self->n_digits + (uint64_t)self->exponent; i++) {
        const unsigned digit = i < self->n_digits ? (unsigned)(self->digits[i] - '0') : 0;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

int ftri_json_to_u64(ftr_str text, uint64_t *ret_value)
{
    struct decimal decimal;
    uint64_t value;
    if (!split(text, &decimal))
        return -EINVAL;
    const int r = magnitude(&decimal, &value);
    if (r < 0)
        return r;
    if (decimal.is_negative && value)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

int ftri_json_to_i64(ftr_str text, int64_t *ret_value)
{
    struct decimal decimal;
    uint64_t value;
    if (!split(text, &decimal))
        return -EINVAL;
    const int r = magnitude(&decimal, &value);
    if (r < 0)
        return r;
    if (value > (uint64_t)INT64_MAX + decimal.is_negative)
        return -ERANGE;
    *ret_value = (int64_t)(decimal.is_negative ? 0 - value : value);
    return 0;
}

/* Digits and exponent without a decimal point: no locale changes how strtod reads it. */
static double round_with_strtod(const struct decimal *self)
{
    char text[DIGITS_MAX + 32];
    memcpy(text, self->digits, self->n_digits);
    snprintf(text + self->n_digits, sizeof text - self->n_digits, "e%" PRId64, self->exponent);
    return strtod(text, NULL);
}

static double absolute_f64(const struct decimal *self)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (self->n_digits == 0)
        return 0;
    if (self->n_digits > EXACT_DIGITS || self->exponent > EXACT_POWER ||
        self->exponent < -EXACT_POWER)
        return round_with_strtod(self);
    uint64_t value = 0;
    for (size_t i = 0; i < self->n_digits; i++)
        value = value * 10 + (unsigned)(self->digits[i] - '0');
    return self->exponent < 0 ? (double)value / powers[-self->exponent]
                              : (double)value * powers[self->exponent];
}

int ftri_json_to_f64(ftr_str text, double *ret_value)
{
    struct decimal decimal;
    if (!split(text, &decimal))
        return -EINVAL;
    const double value = absolute_f64(&decimal);
    if (isinf(value))
        return -ERANGE;
    *ret_value = decimal.is_negative ? -value : value;
    return 0;
}

size_t ftri_json_format_f64(double value, char ret_text[FTRI_JSON_F64_BYTES])
{
    /* "-0" would be read as the integer 0 by readers that know integers. */
    if (value == 0 && signbit(value))
        return (size_t)snprintf(ret_text, FTRI_JSON_F64_BYTES, "-0.0");
    for (int n_digits = 15;; n_digits++) {
        const int len = snprintf(ret_text, FTRI_JSON_F64_BYTES, "%.*g", n_digits, value);
        char *const comma = memchr(ret_text, ',', (size_t)len);
        if (comma)
            *comma = '.'; /* the locale's decimal point */
        double back;
        const ftr_str text = {ret_text, (size_t)len};
        if (n_digits == 17 || (ftri_json_to_f64(text, &back) == 0 && back == value))
            return (size_t)len;
    }
}
