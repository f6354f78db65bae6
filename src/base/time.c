/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic bool is_fake;
static _Atomic uint64_t fake_monotonic_ns;
static _Atomic uint64_t fake_wall_ns;
static void (*_Atomic watcher)(bool now_fake);

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * FTRI_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t ftri_time_monotonic_ns(void)
{
    if (FTRI_UNLIKELY(atomic_load_explicit(&is_fake, memory_order_relaxed)))
        return atomic_load(&fake_monotonic_ns);
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t ftri_time_wall_ns(void)
{
    if (FTRI_UNLIKELY(atomic_load_explicit(&is_fake, memory_order_relaxed)))
        return atomic_load(&fake_wall_ns);
    return read_clock(CLOCK_REALTIME);
}

static void set_fake(bool now_fake)
{
    atomic_store(&is_fake, now_fake);
    void (*changed)(bool) = atomic_load(&watcher);
    if (changed)
        changed(now_fake);
}

void ftri_time_fake(uint64_t monotonic_ns, uint64_t wall_ns)
{
    atomic_store(&fake_monotonic_ns, monotonic_ns);
    atomic_store(&fake_wall_ns, wall_ns);
    set_fake(true);
}

void ftri_time_real(void)
{
    set_fake(false);
}

void ftri_time_watch(void (*changed)(bool now_fake))
{
    atomic_store(&watcher, changed);
    changed(atomic_load(&is_fake));
}
