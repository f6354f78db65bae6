/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/clock.h"

#include "base/time.h"

#include <stdatomic.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define FIRST_INTERVAL_NS FTRI_NS_PER_MS
#define TOLERANCE_NS INT64_C(2000)

enum { SAMPLE_TRIES = 7, VERSION_MASK = FTRI_CLOCK_CALIBRATIONS - 1 };

/* Products of two 64-bit numbers. */
__extension__ typedef __int128 wide;

/* The three clocks read at (nearly) one moment. */
struct sample {
    uint64_t stamp;
    uint64_t monotonic_ns;
    uint64_t wall_ns;
};

_Atomic uint64_t ftri_clock_word;

struct ftri_calibration ftri_calibrations[FTRI_CLOCK_CALIBRATIONS];
static struct sample first;       /* of this process */
static _Atomic uint32_t n_latest; /* number and source of the version while the clock is real */
static bool is_started;

static uint64_t system_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * FTRI_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t ftri_clock_monotonic_ns(void)
{
    return system_ns(CLOCK_MONOTONIC);
}

uint64_t ftri_clock_passed_slow(void)
{
    return ftri_time_monotonic_ns();
}

uint64_t ftri_clock_stamp_slow(uint32_t version)
{
    return version & FTRI_CLOCK_FAKE ? ftri_time_wall_ns() : system_ns(CLOCK_MONOTONIC);
}

/* CPUID 8000_0007h, EDX bit 8: the counter runs at one rate in every power state. */
static bool has_invariant_counter(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1U << 8)) != 0;
#else
    return false;
#endif
}

/* Of several tries the one that was interrupted least. */
static struct sample take_sample(uint32_t source)
{
    struct sample best = {0};
    uint64_t best_span = UINT64_MAX;
    for (int i = 0; i < SAMPLE_TRIES; i++) {
        const uint64_t before = ftri_clock_stamp(source);
        const uint64_t wall_ns = system_ns(CLOCK_REALTIME);
        const uint64_t after = ftri_clock_stamp(source);
        const uint64_t monotonic_ns = system_ns(CLOCK_MONOTONIC);
        if (after - before >= best_span)
            continue;
        best_span = after - before;
        best = (struct sample){before + best_span / 2, monotonic_ns, wall_ns};
    }
    return best;
}

static void replace_in_word(uint64_t mask, uint64_t bits)
{
    uint64_t word = atomic_load(&ftri_clock_word);
    while (!atomic_compare_exchange_weak(&ftri_clock_word, &word, (word & ~mask) | bits)) {
    }
}

static void set_version(uint32_t version)
{
    replace_in_word(UINT32_MAX, version);
}

void ftri_clock_set_session(uint32_t session)
{
    replace_in_word(~(uint64_t)UINT32_MAX, (uint64_t)session << 32);
}

static void publish(uint32_t version, const struct ftri_calibration *calibration)
{
    struct ftri_calibration *const to = &ftri_calibrations[version & VERSION_MASK];
    const wide one = (wide)1 << (FTRI_CLOCK_INVERSE_BITS + 32);
    *to = *calibration;
    to->ticks_per_ns = (uint64_t)(one / (wide)calibration->ns_per_tick);
    atomic_store(&n_latest, version);
    if (!(ftri_clock_version() & FTRI_CLOCK_FAKE))
        set_version(version);
}

static void follow_fake_clock(bool is_fake)
{
    const uint32_t latest = atomic_load(&n_latest);
    set_version(is_fake ? latest | FTRI_CLOCK_FAKE : latest);
}

/* Falls back to the system's clock: the counter is missing or proved unreliable. */
static void use_system_clock(uint32_t number)
{
    const struct sample now = take_sample(FTRI_CLOCK_SYSTEM);
    const struct ftri_calibration calibration = {now.stamp, now.wall_ns, now.monotonic_ns,
                                                 UINT64_C(1) << 32};
    publish((number & (FTRI_CLOCK_SYSTEM - 1)) | FTRI_CLOCK_SYSTEM, &calibration);
}

static uint64_t rate_since_first(const struct sample *now)
{
    const uint64_t ns = now->monotonic_ns - first.monotonic_ns;
    return (uint64_t)(((wide)ns << 32) / (wide)(now->stamp - first.stamp));
}

static void calibrate_counter(void)
{
    first = take_sample(0);
    const struct timespec pause = {0, (long)FIRST_INTERVAL_NS};
    nanosleep(&pause, NULL);
    const struct sample now = take_sample(0);
    if (now.stamp <= first.stamp || now.monotonic_ns <= first.monotonic_ns) {
        use_system_clock(1);
        return;
    }
    const struct ftri_calibration calibration = {now.stamp, now.wall_ns, now.monotonic_ns,
                                                 rate_since_first(&now)};
    publish(1, &calibration);
}

void ftri_clock_start(void)
{
    if (is_started) {
        ftri_clock_check();
        return;
    }
    is_started = true;
    if (has_invariant_counter())
        calibrate_counter();
    else
        use_system_clock(1);
    ftri_time_watch(follow_fake_clock);
}

uint64_t ftri_clock_wall_ns(uint32_t version, uint64_t stamp)
{
    return version & FTRI_CLOCK_FAKE ? stamp
                                     : ftri_clock_convert(ftri_clock_calibration(version), stamp);
}

static bool is_close(uint64_t rate, uint64_t expected)
{
    const uint64_t difference = rate > expected ? rate - expected : expected - rate;
    return difference <= expected / 100;
}

void ftri_clock_check(void)
{
    const uint32_t version = atomic_load(&n_latest);
    const uint32_t source = version & FTRI_CLOCK_SYSTEM;
    const struct ftri_calibration *last = &ftri_calibrations[version & VERSION_MASK];
    const struct sample now = take_sample(source);
    if (now.stamp <= last->stamp) {
        use_system_clock(version + 1);
        return;
    }
    const int64_t error = (int64_t)(ftri_clock_wall_ns(version, now.stamp) - now.wall_ns);
    if (error >= -TOLERANCE_NS && error <= TOLERANCE_NS)
        return;
    struct ftri_calibration next = {now.stamp, now.wall_ns, now.monotonic_ns, last->ns_per_tick};
    if (source == 0)
        next.ns_per_tick = rate_since_first(&now);
    if (!is_close(next.ns_per_tick, last->ns_per_tick)) {
        use_system_clock(version + 1);
        return;
    }
    publish(source | ((version + 1) & (FTRI_CLOCK_SYSTEM - 1)), &next);
}
