/* SPDX-License-Identifier: Apache-2.0
 *
 * malloc behind a counter that tests can set to fail the n-th request. */
#include "base/mem.h"

#include "base/nth_call.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct ftri_nth_call requests;

static bool request_fails(void)
{
    return ftri_nth_call_fails(&requests);
}

void *ftri_alloc(size_t size)
{
    return request_fails() ? NULL : malloc(size ? size : 1);
}

void *ftri_zalloc(size_t size)
{
    return request_fails() ? NULL : calloc(1, size ? size : 1);
}

void *ftri_alloc_array(size_t n, size_t size)
{
    return request_fails() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *ftri_realloc(void *block, size_t size)
{
    return request_fails() ? NULL : realloc(block, size ? size : 1);
}

void *ftri_alloc_lines(size_t size)
{
    if (request_fails() || size > SIZE_MAX - 63)
        return NULL;
    const size_t rounded = (size + 63) & ~(size_t)63;
    void *block = aligned_alloc(64, rounded ? rounded : 64);
    if (block)
        memset(block, 0, rounded);
    return block;
}

void *ftri_alloc_huge(size_t size)
{
    const size_t page = (size_t)2 << 20;
    const size_t unit = size < page ? 64 : page;
    if (request_fails() || size > SIZE_MAX - page)
        return NULL;
    void *block;
    if (posix_memalign(&block, unit, size ? size : unit) != 0)
        return NULL;
    if (size >= page)
        (void)madvise(block, size & ~(page - 1), MADV_HUGEPAGE);
    return block;
}

char *ftri_strndup(const char *text, size_t len)
{
    char *copy = ftri_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void ftri_free(void *block)
{
    free(block);
}

void ftri_mem_fail_at(uint64_t n)
{
    ftri_nth_call_set(&requests, n);
}

uint64_t ftri_mem_requests(void)
{
    return atomic_load(&requests.n_calls);
}
