/* SPDX-License-Identifier: Apache-2.0
 *
 * Portable: eight bytes a step through eight tables of 256 ("slicing by eight"); tables[k][b] is
 * the checksum of byte b followed by k zero bytes. */
#include "wal/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL_REFLECTED UINT32_C(0x82F63B78)

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL_REFLECTED : 0);
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int k = 1; k < 8; k++)
            tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xff];
}

static uint32_t step_byte(uint32_t crc, uint8_t byte)
{
    return (crc >> 8) ^ tables[0][(crc ^ byte) & 0xff];
}

static uint32_t step_eight(uint32_t crc, const uint8_t *data)
{
    return tables[7][(crc ^ data[0]) & 0xff] ^ tables[6][((crc >> 8) ^ data[1]) & 0xff] ^
           tables[5][((crc >> 16) ^ data[2]) & 0xff] ^ tables[4][((crc >> 24) ^ data[3]) & 0xff] ^
           tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^ tables[0][data[7]];
}

uint32_t wal_crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&tables_once, fill_tables);
    const uint8_t *next = data;
    crc = ~crc;
    for (; len >= 8; len -= 8, next += 8)
        crc = step_eight(crc, next);
    for (; len; len--)
        crc = step_byte(crc, *next++);
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *data,
                                                                 size_t len)
{
    const uint8_t *next = data;
    uint64_t state = (uint32_t)~crc;
    for (; len >= 8; len -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, sizeof word);
        state = _mm_crc32_u64(state, word);
    }
    uint32_t rest = (uint32_t)state;
    for (; len; len--)
        rest = _mm_crc32_u8(rest, *next++);
    return ~rest;
}

uint32_t wal_crc32c(uint32_t crc, const void *data, size_t len)
{
    if (FTRI_UNLIKELY(!__builtin_cpu_supports("sse4.2")))
        return wal_crc32c_portable(crc, data, len);
    return by_instruction(crc, data, len);
}
#else
uint32_t wal_crc32c(uint32_t crc, const void *data, size_t len)
{
    return wal_crc32c_portable(crc, data, len);
}
#endif
