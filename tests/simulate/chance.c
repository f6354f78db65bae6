/* SPDX-License-Identifier: Apache-2.0 */
#include "chance.h"

static uint64_t state;

/* xorshift64*; the seeds 1, 2, 3 ... are spread first. */
void chance_begin(uint64_t seed)
{
    state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < 8; i++)
        (void)chance(2);
}

uint64_t chance(uint64_t n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return ((state * UINT64_C(2685821657736338717)) >> 16) % n;
}

bool chance_one_in(uint64_t n)
{
    return chance(n) == 0;
}
