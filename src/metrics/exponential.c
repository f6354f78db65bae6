/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/exponential.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

enum { N_BOUNDS = 1 << FTRI_EXPONENTIAL_SCALE_MAX, MANTISSA_BITS = 52 };
#define ONE (UINT64_C(1) << MANTISSA_BITS)

/* Of one octave, as mantissas of 53 bits: the first one above 2^(k / N_BOUNDS); and how many of
 * these are not above the first mantissa of each of N_BOUNDS equal parts. */
static uint64_t first_above[N_BOUNDS];
static uint16_t n_below[N_BOUNDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* 2^(1/2), 2^(1/4), ... 2^(1/1024), times 2^127, rounded down: upper and lower half. */
static const uint64_t roots[FTRI_EXPONENTIAL_SCALE_MAX][2] = {
    {UINT64_C(0xb504f333f9de6484), UINT64_C(0x597d89b3754abe9f)},
    {UINT64_C(0x9837f0518db8a96f), UINT64_C(0x46ad23182e42f6f6)},
    {UINT64_C(0x8b95c1e3ea8bd6e6), UINT64_C(0xfbe4628758a53c90)},
    {UINT64_C(0x85aac367cc487b14), UINT64_C(0xc5c95b8c2154c1b2)},
    {UINT64_C(0x82cd8698ac2ba1d7), UINT64_C(0x3e2a475b46520bff)},
    {UINT64_C(0x8164d1f3bc030773), UINT64_C(0x7be56527bd14def4)},
    {UINT64_C(0x80b1ed4fd999ab6c), UINT64_C(0x25335719b6e6fd20)},
    {UINT64_C(0x8058d7d2d5e5f6b0), UINT64_C(0x94d589f608ee4aa2)},
    {UINT64_C(0x802c6436d0e04f50), UINT64_C(0xff8ce94a6797b3ce)},
    {UINT64_C(0x8016302f17467628), UINT64_C(0x3690dfe44d11d008)},
};

/* a * b / 2^127, both at least 2^127 and their product below 2^255; less than 4 too small. */
static wide multiply(wide a, wide b)
{
    const uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a;
    const uint64_t b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    const wide middle =
        ((wide)a0 * b0 >> 64) + (uint64_t)((wide)a1 * b0) + (uint64_t)((wide)a0 * b1);
    const wide high =
        (wide)a1 * b1 + ((wide)a1 * b0 >> 64) + ((wide)a0 * b1 >> 64) + (middle >> 64);
    return high << 1;
}

/* 2^(k / N_BOUNDS) for k above 0 is irrational: no mantissa equals it. */
static void fill_tables(void)
{
    for (unsigned k = 0; k < N_BOUNDS; k++) {
        wide power = (wide)1 << 127;
        for (unsigned bit = 0; bit < FTRI_EXPONENTIAL_SCALE_MAX; bit++)
            if (k >> (FTRI_EXPONENTIAL_SCALE_MAX - 1 - bit) & 1)
                power = multiply(power, (wide)roots[bit][0] << 64 | roots[bit][1]);
        first_above[k] = (uint64_t)(power >> (127 - MANTISSA_BITS)) + 1;
    }
    for (unsigned part = 0, k = 0; part < N_BOUNDS; part++) {
        const uint64_t first =
            ONE + ((uint64_t)part << (MANTISSA_BITS - FTRI_EXPONENTIAL_SCALE_MAX));
        while (k < N_BOUNDS && first_above[k] <= first)
            k++;
        n_below[part] = (uint16_t)k;
    }
}

void ftri_exponential_init(struct ftri_exponential *self)
{
    pthread_once(&once, fill_tables);
    memset(self, 0, sizeof *self);
    self->scale = FTRI_EXPONENTIAL_SCALE_MAX;
}

/* value = *ret_mantissa * 2^(result - MANTISSA_BITS). */
static int split(double value, uint64_t *ret_mantissa)
{
    int exponent = 0;
    if (value < 0x1p-1022) { /* subnormal */
        value *= 0x1p54;
        exponent = -54;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *ret_mantissa = (bits & (ONE - 1)) | ONE;
    return exponent + (int)(bits >> MANTISSA_BITS) - 1023;
}

static int32_t finest_index(double value)
{
    uint64_t mantissa;
    const int exponent = split(value, &mantissa);
    unsigned k = n_below[(mantissa - ONE) >> (MANTISSA_BITS - FTRI_EXPONENTIAL_SCALE_MAX)];
    while (k < N_BOUNDS && first_above[k] <= mantissa)
        k++;
    return exponent * N_BOUNDS + (int)k - 1;
}

int32_t ftri_exponential_index(double value, int32_t scale)
{
    pthread_once(&once, fill_tables);
    return finest_index(value) >> (FTRI_EXPONENTIAL_SCALE_MAX - scale);
}

double ftri_exponential_upper(int32_t index, int32_t scale)
{
    pthread_once(&once, fill_tables);
    const int64_t bound = ((int64_t)index + 1) * (1 << (FTRI_EXPONENTIAL_SCALE_MAX - scale));
    const int64_t octave = bound >> FTRI_EXPONENTIAL_SCALE_MAX;
    const unsigned k = (unsigned)(bound & (N_BOUNDS - 1));
    if (octave > 1023)
        return INFINITY;
    uint64_t mantissa = first_above[k] - 1;
    if (octave < -1022) /* subnormal: fewer digits, none of them rounded up */
        mantissa = octave < -1074 ? 0 : mantissa >> (-1022 - octave) << (-1022 - octave);
    return ldexp((double)mantissa, (int)octave - MANTISSA_BITS);
}

/* Buckets that become one add up. */
static void coarsen(struct ftri_exponential *self, int shift)
{
    const int32_t offset = self->offset >> shift;
    for (uint32_t i = 0; i < self->n_counts && shift > 0; i++) {
        const uint64_t count = self->counts[i];
        self->counts[i] = 0;
        self->counts[((self->offset + (int32_t)i) >> shift) - offset] += count;
    }
    if (self->n_counts > 0)
        self->n_counts =
            (uint32_t)(((self->offset + (int32_t)self->n_counts - 1) >> shift) - offset) + 1;
    self->offset = offset;
    self->scale -= shift;
}

/* The buckets from low to high, of the histogram's scale: all there afterwards, if need be at a
 * coarser one. Returns by how much. */
static int make_room(struct ftri_exponential *self, int32_t low, int32_t high)
{
    int shift = 0;
    if (self->n_counts > 0) {
        const int32_t last = self->offset + (int32_t)self->n_counts - 1;
        low = low < self->offset ? low : self->offset;
        high = high > last ? high : last;
    }
    while ((high >> shift) - (low >> shift) >= FTRI_EXPONENTIAL_BUCKETS)
        shift++;
    coarsen(self, shift);
    low >>= shift;
    high >>= shift;
    if (self->n_counts > 0 && low < self->offset) {
        const size_t n = (size_t)(self->offset - low);
        memmove(self->counts + n, self->counts, self->n_counts * sizeof self->counts[0]);
        memset(self->counts, 0, n * sizeof self->counts[0]);
    }
    self->offset = low;
    self->n_counts = (uint32_t)(high - low) + 1;
    return shift;
}

void ftri_exponential_add(struct ftri_exponential *self, double value, uint64_t n)
{
    if (value == 0) {
        self->zero_count += n;
        return;
    }
    int32_t index = finest_index(value) >> (FTRI_EXPONENTIAL_SCALE_MAX - self->scale);
    const bool has_bucket = index >= self->offset && index - self->offset < (int32_t)self->n_counts;
    if (FTRI_UNLIKELY(!has_bucket))
        index >>= make_room(self, index, index);
    self->counts[index - self->offset] += n;
}

void ftri_exponential_merge(struct ftri_exponential *self, const struct ftri_exponential *other)
{
    self->zero_count += other->zero_count;
    if (other->n_counts == 0)
        return;
    if (self->scale > other->scale)
        coarsen(self, self->scale - other->scale);
    const int shift = other->scale - self->scale;
    const int32_t last = other->offset + (int32_t)other->n_counts - 1;
    const int more = make_room(self, other->offset >> shift, last >> shift);
    for (uint32_t i = 0; i < other->n_counts; i++)
        self->counts[((other->offset + (int32_t)i) >> (shift + more)) - self->offset] +=
            other->counts[i];
}

uint64_t ftri_exponential_count(const struct ftri_exponential *self)
{
    uint64_t count = self->zero_count;
    for (uint32_t i = 0; i < self->n_counts; i++)
        count += self->counts[i];
    return count;
}
