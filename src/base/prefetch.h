/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking the memory for what will be changed soon. Any address will do. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { FTRI_CACHE_LINE = 64 };

/* All lines that n_bytes from there on touch. */
static inline void ftri_prefetch_lines(const void *from, size_t n_bytes)
{
    const uintptr_t end = (uintptr_t)from + n_bytes;
    for (uintptr_t line = (uintptr_t)from & ~(uintptr_t)(FTRI_CACHE_LINE - 1); line < end;
         line += FTRI_CACHE_LINE)
        __builtin_prefetch((const void *)line, 1);
}
