/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/threshold.h"

#include <endian.h>
#include <string.h>

enum { PRECISION = 4, PRECISION_MOST = 12, MANTISSA_BITS = 52 };

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* How often a ratio between 0 and 1 can be doubled until it is 1/2 or more. */
static int n_halvings(double ratio)
{
    enum { EXPONENT_OF_HALF = 1022 };
    return EXPONENT_OF_HALF - (int)(bits_of(ratio) >> MANTISSA_BITS);
}

/* Each f at the front of a small ratio's threshold is a digit more: it says nothing. */
static int n_digits(double ratio)
{
    const int wanted = PRECISION + n_halvings(ratio) / 4;
    return wanted < PRECISION_MOST ? wanted : PRECISION_MOST;
}

/* 1 + the share that is rejected lies between 1 and 2, so its mantissa is that share, and half of
 * the last digit that is kept makes cutting off the others a rounding. */
uint64_t ftri_threshold_of(double ratio)
{
    static const double least = 1.0 / (double)FTRI_THRESHOLD_NEVER;
    if (!(ratio >= least))
        return FTRI_THRESHOLD_NEVER;
    if (ratio >= 1.0)
        return 0;
    const int digits = n_digits(ratio);
    const double shifted = 2.0 - ratio + 0.5 / (double)(UINT64_C(1) << (4 * digits));
    const uint64_t mantissa =
        (shifted >= 2.0 ? UINT64_MAX : bits_of(shifted)) & ((UINT64_C(1) << MANTISSA_BITS) - 1);
    const int n_cut = MANTISSA_BITS - 4 * digits;
    return (mantissa >> n_cut) << (n_cut + 4);
}

size_t ftri_threshold_format(uint64_t threshold, char ret_text[FTRI_THRESHOLD_DIGITS])
{
    size_t len = 0;
    for (uint64_t rest = threshold; len == 0 || rest != 0;
         rest = rest << 4 & (FTRI_THRESHOLD_NEVER - 1))
        ret_text[len++] = "0123456789abcdef"[rest >> 52 & 15];
    return len;
}

static bool read_digits(ftr_str text, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret_value = value;
    return true;
}

bool ftri_threshold_parse(ftr_str text, uint64_t *ret_threshold)
{
    uint64_t value;
    if (text.len == 0 || text.len > FTRI_THRESHOLD_DIGITS || !read_digits(text, &value))
        return false;
    *ret_threshold = value << (4 * (FTRI_THRESHOLD_DIGITS - text.len));
    return true;
}

bool ftri_randomness_parse(ftr_str text, uint64_t *ret_randomness)
{
    return text.len == FTRI_THRESHOLD_DIGITS && read_digits(text, ret_randomness);
}

static uint64_t last_8_bytes(const ftr_trace_id *id)
{
    uint64_t value;
    memcpy(&value, id->bytes + sizeof id->bytes - sizeof value, sizeof value);
    return be64toh(value);
}

uint64_t ftri_randomness_of(const ftr_trace_id *id)
{
    return last_8_bytes(id) & (FTRI_THRESHOLD_NEVER - 1);
}

uint64_t ftri_ratio_bound(double ratio)
{
    static const uint64_t all = UINT64_C(1) << 63;
    if (!(ratio > 0.0))
        return 0;
    return ratio >= 1.0 ? all : (uint64_t)(ratio * (double)all);
}

bool ftri_ratio_takes(uint64_t bound, const ftr_trace_id *id)
{
    return last_8_bytes(id) >> 1 < bound;
}
