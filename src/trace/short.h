/* SPDX-License-Identifier: Apache-2.0
 *
 * What starting and ending a span share: the shape of a span that is nothing but copied, and moving
 * it in words. */
#pragma once

#include "trace/record.h"

#include <string.h>

/* Everything that start writes and end copies goes in whole 8-byte words at 8-byte places: a load
 * that spans two recent stores would have to wait until both have left the store buffer. */
static inline uint64_t ftri_load_word(const void *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline void ftri_store_word(void *to, uint64_t word)
{
    memcpy(to, &word, sizeof word);
}

/* A span that needs nothing but copying: on the cycle counter, with a name of 1 to 16 bytes or that
 * of a call site, and nothing else. The first word of its record, size and stream_len, is
 * FTRI_SHORT or FTRI_SHORT_OF_SITE; other open spans have a size of 0. */
#define FTRI_SHORT_SIZE (sizeof(struct ftri_record) + 16)
#define FTRI_SHORT (FTRI_SHORT_SIZE | UINT64_C(16) << 32)
#define FTRI_SHORT_OF_SITE ((uint64_t)sizeof(struct ftri_record))
