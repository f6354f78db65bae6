/* SPDX-License-Identifier: Apache-2.0
 *
 * The clock of spans: stamps that cost one cycle-counter read, turned into Unix time later.
 *
 * A stamp means something only together with the version it was taken under. A version names one
 * calibration (counter value, wall time, nanoseconds per tick); both stamps of a span are taken
 * under the version valid at its start, so a correction in between never changes a duration.
 * Without an invariant cycle counter stamps are CLOCK_MONOTONIC; under base/time's fake clock they
 * are the fake wall time. Stamps: any thread. Calibration: one thread at a time. */
#pragma once

#include "base/check.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum { FTRI_CLOCK_CALIBRATIONS = 4096 };
#define FTRI_CLOCK_SYSTEM UINT32_C(0x40000000) /* stamps are CLOCK_MONOTONIC */
#define FTRI_CLOCK_FAKE UINT32_C(0x80000000)   /* stamps are base/time's wall clock */

/* All that a start has to know: in the low half the version, in the high half the number of the
 * session that records (0: none). */
extern _Atomic uint64_t ftri_clock_word;

static inline uint64_t ftri_clock_word_now(void)
{
    return atomic_load_explicit(&ftri_clock_word, memory_order_relaxed);
}

static inline uint32_t ftri_clock_version(void)
{
    return (uint32_t)ftri_clock_word_now();
}

void ftri_clock_set_session(uint32_t session);

uint64_t ftri_clock_stamp_slow(uint32_t version);

static inline uint64_t ftri_clock_stamp(uint32_t version)
{
#if defined(__x86_64__)
    if (FTRI_LIKELY(version < FTRI_CLOCK_SYSTEM))
        return __rdtsc();
#endif
    return ftri_clock_stamp_slow(version);
}

/* What stamps of one version are turned into Unix time by. */
struct ftri_calibration {
    uint64_t stamp;
    uint64_t wall_ns;
    uint64_t monotonic_ns;
    uint64_t ns_per_tick;  /* fixed point, 32 fractional bits */
    uint64_t ticks_per_ns; /* the inverse, with FTRI_CLOCK_INVERSE_BITS */
};

enum { FTRI_CLOCK_INVERSE_BITS = 56 };

/* By version, modulo their number. */
extern struct ftri_calibration ftri_calibrations[FTRI_CLOCK_CALIBRATIONS];

/* For a version of a real clock; also that of a stamp taken in another thread. */
static inline const struct ftri_calibration *ftri_clock_calibration(uint32_t version)
{
    /* Whoever took the stamp read this version from the word: what is read here is that or later,
     * so that its calibration is there to see. */
    (void)atomic_load_explicit(&ftri_clock_word, memory_order_acquire);
    return &ftri_calibrations[version & (FTRI_CLOCK_CALIBRATIONS - 1)];
}

static inline uint64_t ftri_clock_convert(const struct ftri_calibration *self, uint64_t stamp)
{
    __extension__ typedef __int128 wide; /* a product of two 64-bit numbers */
    const wide ticks = (int64_t)(stamp - self->stamp);
    return self->wall_ns + (uint64_t)(int64_t)((ticks * (wide)(int64_t)self->ns_per_tick) >> 32);
}

uint64_t ftri_clock_passed_slow(void);

/* CLOCK_MONOTONIC in ns, but for microseconds, at the price of a stamp; faked where time is. Never
 * less than before on a thread by more than those microseconds. */
static inline uint64_t ftri_clock_passed_ns(void)
{
    const uint32_t version = ftri_clock_version();
    if (FTRI_UNLIKELY(version >= FTRI_CLOCK_SYSTEM || version == 0))
        return ftri_clock_passed_slow();
    const struct ftri_calibration *self = ftri_clock_calibration(version);
    const uint64_t stamp = ftri_clock_stamp(0);
    __extension__ typedef __int128 wide;
    const wide ticks = (int64_t)(stamp - self->stamp);
    return self->monotonic_ns +
           (uint64_t)(int64_t)((ticks * (wide)(int64_t)self->ns_per_tick) >> 32);
}

/* The stamp of a moment by ftri_clock_passed_ns, for the version of now, which is of the counter.
 */
static inline uint64_t ftri_clock_stamp_of(uint64_t passed_ns)
{
    const struct ftri_calibration *self = ftri_clock_calibration(ftri_clock_version());
    __extension__ typedef __int128 wide;
    const wide ns = (int64_t)(passed_ns - self->monotonic_ns);
    return self->stamp +
           (uint64_t)(int64_t)((ns * (wide)self->ticks_per_ns) >> FTRI_CLOCK_INVERSE_BITS);
}

/* Unix time in ns. After FTRI_CLOCK_CALIBRATIONS later versions an old one gives the time by a
 * newer calibration: off by microseconds, never wild. */
uint64_t ftri_clock_wall_ns(uint32_t version, uint64_t stamp);

/* CLOCK_MONOTONIC, never faked: for deadlines and the worker's own waiting. */
uint64_t ftri_clock_monotonic_ns(void);
/* The first calibration (takes about a millisecond once per process); later calls only resume. */
void ftri_clock_start(void);
/* Compares with the system's clocks and publishes a new version when they disagree by more than
 * 2 microseconds. Cheap; call it about once a second. */
void ftri_clock_check(void);
