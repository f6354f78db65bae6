/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"

#include <string.h>

enum { CHUNK_FIRST = 1024, CHUNK_MAX = 64 * 1024, ALIGNMENT = 8 };

struct ftri_arena_chunk {
    struct ftri_arena_chunk *older;
    size_t size; /* of data */
    max_align_t data[];
};

void ftri_arena_init(struct ftri_arena *self, size_t limit_bytes)
{
    *self = (struct ftri_arena){.limit = limit_bytes};
}

void ftri_arena_deinit(struct ftri_arena *self)
{
    struct ftri_arena_chunk *chunk = self->chunks;
    while (chunk) {
        struct ftri_arena_chunk *older = chunk->older;
        ftri_free(chunk);
        chunk = older;
    }
    *self = (struct ftri_arena){0};
}

void ftri_arena_reset(struct ftri_arena *self)
{
    const size_t limit = self->limit;
    ftri_arena_deinit(self);
    self->limit = limit;
}

static struct ftri_arena_chunk *chunk_new(struct ftri_arena *self, size_t size)
{
    if (size > self->limit || self->n_bytes > self->limit - size)
        return NULL;
    struct ftri_arena_chunk *chunk = ftri_alloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    self->n_bytes += size;
    return chunk;
}

/* A block of its own goes behind the newest chunk, whose free room stays in use. */
static void *alloc_alone(struct ftri_arena *self, size_t size)
{
    struct ftri_arena_chunk *chunk = chunk_new(self, size);
    if (!chunk)
        return NULL;
    if (self->chunks) {
        chunk->older = self->chunks->older;
        self->chunks->older = chunk;
    } else {
        chunk->older = NULL;
        self->chunks = chunk;
        self->next = self->end = (char *)chunk->data + size;
    }
    return chunk->data;
}

static bool grow(struct ftri_arena *self, size_t size)
{
    size_t wanted = self->chunks ? self->chunks->size * 2 : CHUNK_FIRST;
    wanted = ftri_size_max(ftri_size_min(wanted, CHUNK_MAX), size);
    struct ftri_arena_chunk *chunk = chunk_new(self, wanted);
    if (!chunk && wanted > size)
        chunk = chunk_new(self, size);
    if (!chunk)
        return false;
    chunk->older = self->chunks;
    self->chunks = chunk;
    self->next = (char *)chunk->data;
    self->end = self->next + chunk->size;
    return true;
}

void *ftri_arena_alloc(struct ftri_arena *self, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    const size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if ((size_t)(self->end - self->next) < rounded) {
        if (rounded > CHUNK_MAX / 4)
            return alloc_alone(self, rounded);
        if (!grow(self, rounded))
            return NULL;
    }
    void *block = self->next;
    self->next += rounded;
    return block;
}

ftr_str ftri_arena_copy(struct ftri_arena *self, ftr_str text)
{
    char *copy = text.len == SIZE_MAX ? NULL : ftri_arena_alloc(self, text.len + 1);
    if (!copy)
        return (ftr_str){NULL, 0};
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return (ftr_str){copy, text.len};
}
