/* SPDX-License-Identifier: Apache-2.0
 *
 * The one allocator seam. Everything in the project that needs heap memory asks here (a lint
 * refuses malloc and friends elsewhere), so that a test can make the n-th request fail.
 * Thread-safe. Out of memory is an ordinary error: NULL is returned, nothing aborts. */
#pragma once

#include "base/check.h"

void *ftri_alloc(size_t size) FTRI_MUST_CHECK;
void *ftri_zalloc(size_t size) FTRI_MUST_CHECK;
/* n * size with overflow refused (NULL). Zeroed. */
void *ftri_alloc_array(size_t n, size_t size) FTRI_MUST_CHECK;
/* On failure the old block is untouched and still owned by the caller. */
void *ftri_realloc(void *block, size_t size) FTRI_MUST_CHECK;
/* Aligned to 64 bytes, zeroed; release with ftri_free. */
void *ftri_alloc_lines(size_t size) FTRI_MUST_CHECK;
/* The same for what is used all over: the system is asked for huge pages. Not zeroed. */
void *ftri_alloc_huge(size_t size) FTRI_MUST_CHECK;
/* NUL-terminated copy. */
char *ftri_strndup(const char *text, size_t len) FTRI_MUST_CHECK;
void ftri_free(void *block);

/* Tests: from now on request number n (1 is the next) fails, once; 0 switches off. */
void ftri_mem_fail_at(uint64_t n);
/* Requests since the last ftri_mem_fail_at. */
uint64_t ftri_mem_requests(void);

/* For FTRI_CLEANUP on a pointer variable. */
static inline void ftri_freep(void *pointer)
{
    void **block = pointer;
    ftri_free(*block);
}
