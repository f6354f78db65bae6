/* SPDX-License-Identifier: Apache-2.0
 *
 * After fork() the child's threads must not repeat the parent's ids: a fork handler raises a
 * process-wide generation, and a thread whose generation is old seeds itself anew. */
#include "base/random.h"

#include "base/thread.h"
#include "base/time.h"

#include <stdatomic.h>
#include <sys/random.h>

struct generator {
    uint64_t state[4];
    uint32_t generation; /* 0: not seeded yet */
};

static _Thread_local struct generator generator;
static _Atomic uint32_t generation = 1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void raise_generation(void)
{
    atomic_fetch_add(&generation, 1);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, raise_generation);
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static __attribute__((noinline)) void seed(struct generator *self, uint32_t now)
{
    FTRI_NOT_CANCELLED; /* getrandom would be a place for it */
    pthread_once(&once, watch_forks);
    const ssize_t n = getrandom(self->state, sizeof self->state, 0);
    if (n != (ssize_t)sizeof self->state) {
        /* No entropy source: time and the thread's own address still tell threads apart. */
        uint64_t mixer = ftri_time_wall_ns() ^ (uint64_t)(uintptr_t)self;
        for (size_t i = 0; i < FTRI_COUNT(self->state); i++)
            self->state[i] = splitmix(&mixer);
    }
    self->state[0] |= 1; /* all-zero is the one forbidden state */
    self->generation = now;
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t ftri_random_u64(void)
{
    struct generator *self = &generator;
    const uint32_t now = atomic_load_explicit(&generation, memory_order_relaxed);
    if (FTRI_UNLIKELY(self->generation != now))
        seed(self, now);
    uint64_t *s = self->state;
    const uint64_t result = rotate(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}
