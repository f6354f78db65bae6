/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's numbers on disk, little-endian on every machine. */
#pragma once

#include "base/check.h"

static inline void wal_put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static inline void wal_put_u64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t wal_get_u32(const uint8_t *from)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)from[i] << 8 * i;
    return value;
}

static inline uint64_t wal_get_u64(const uint8_t *from)
{
    return wal_get_u32(from) | (uint64_t)wal_get_u32(from + 4) << 32;
}
