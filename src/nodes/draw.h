/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers that a seed decides, for nodes that make things up: SplitMix64 (Steele, Lea and Flood,
 * 2014). Never for ids of real spans. */
#pragma once

#include <stdint.h>

static inline uint64_t draw_u64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* From 0 to just below 1. */
static inline double draw_f64(uint64_t *state)
{
    return (double)(draw_u64(state) >> 11) * 0x1p-53;
}
