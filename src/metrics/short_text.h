/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing and comparing texts that are mostly shorter than 33 bytes: names, values of attributes.
 * Words that overlap stand for the bytes between, so that there is no loop and no call. */
#pragma once

#include "base/map.h"

#include <string.h>

__extension__ typedef unsigned __int128 ftri_short_product;

static inline uint64_t ftri_short_mix(uint64_t a, uint64_t b)
{
    const ftri_short_product product = (ftri_short_product)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t ftri_short_load8(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* Up to 8 bytes, all of them. */
static inline uint64_t ftri_short_load(const char *bytes, size_t len)
{
    uint32_t first, last;
    if (len == 8)
        return ftri_short_load8(bytes);
    if (len >= 4) {
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + len - 4, 4);
        return (uint64_t)first << 32 | last;
    }
    if (len == 0)
        return 0;
    return (uint64_t)(uint8_t)bytes[0] << 16 | (uint64_t)(uint8_t)bytes[len / 2] << 8 |
           (uint8_t)bytes[len - 1];
}

/* Under a seed that nobody knows, as ftri_hash. */
static inline uint64_t ftri_short_hash(uint64_t seed, ftr_str text)
{
    const uint64_t key1 = UINT64_C(0xe7037ed1a0b428db), key2 = UINT64_C(0x8ebc6af09c88c6e3);
    const char *const data = text.data;
    const size_t len = text.len;
    seed ^= len * UINT64_C(0x9e3779b97f4a7c15);
    if (len <= 8)
        return ftri_short_mix(ftri_short_load(data, len) ^ key1, seed ^ key2);
    if (len <= 16)
        return ftri_short_mix(ftri_short_load8(data) ^ key1,
                              ftri_short_load8(data + len - 8) ^ seed);
    if (len <= 32)
        return ftri_short_mix(ftri_short_load8(data) ^ key1, ftri_short_load8(data + 8) ^ seed) ^
               ftri_short_mix(ftri_short_load8(data + len - 16) ^ key2,
                              ftri_short_load8(data + len - 8) ^ seed);
    return ftri_hash(seed, data, len);
}

static inline bool ftri_short_same(ftr_str a, ftr_str b)
{
    const size_t len = a.len;
    if (len != b.len)
        return false;
    if (len <= 8)
        return ftri_short_load(a.data, len) == ftri_short_load(b.data, len);
    if (len > 32)
        return memcmp(a.data, b.data, len) == 0;
    uint64_t difference = (ftri_short_load8(a.data) ^ ftri_short_load8(b.data)) |
                          (ftri_short_load8(a.data + len - 8) ^ ftri_short_load8(b.data + len - 8));
    if (len > 16)
        difference |= (ftri_short_load8(a.data + 8) ^ ftri_short_load8(b.data + 8)) |
                      (ftri_short_load8(a.data + len - 16) ^ ftri_short_load8(b.data + len - 16));
    return difference == 0;
}
