/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/verdicts.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum { LINE_BYTES = FTRI_VERDICTS_PER_LINE * sizeof(uint64_t) };

#define VERDICT UINT64_C(255)

int ftri_verdicts_init(struct ftri_verdicts *self, size_t n_bytes)
{
    self->n_lines = 1;
    while (self->n_lines * 2 * LINE_BYTES <= n_bytes)
        self->n_lines *= 2;
    self->lines = ftri_alloc_huge(self->n_lines * LINE_BYTES);
    if (!self->lines)
        return -ENOMEM;
    memset(self->lines, 0, self->n_lines * LINE_BYTES);
    return 0;
}

void ftri_verdicts_deinit(struct ftri_verdicts *self)
{
    ftri_free(self->lines);
    *self = (struct ftri_verdicts){0};
}

static uint64_t *line_of(const struct ftri_verdicts *self, uint64_t hash)
{
    return self->lines + (hash >> 8 & (self->n_lines - 1)) * FTRI_VERDICTS_PER_LINE;
}

void ftri_verdicts_expect(const struct ftri_verdicts *self, uint64_t hash)
{
    __builtin_prefetch(line_of(self, hash), 1);
}

/* Where it is in its line, or where it would be pushed out. */
static size_t place_in(const uint64_t *line, uint64_t hash)
{
    size_t i = 0;
    while (i < FTRI_VERDICTS_PER_LINE - 1 && line[i] != 0 && ((line[i] ^ hash) & ~VERDICT) != 0)
        i++;
    return i;
}

static void move_to_front(uint64_t *line, size_t i, uint64_t entry)
{
    memmove(line + 1, line, i * sizeof *line);
    line[0] = entry;
}

uint8_t ftri_verdicts_get(struct ftri_verdicts *self, uint64_t hash)
{
    uint64_t *line = line_of(self, hash);
    const size_t i = place_in(line, hash);
    const uint64_t entry = line[i];
    if (entry == 0 || ((entry ^ hash) & ~VERDICT) != 0)
        return 0;
    move_to_front(line, i, entry);
    return (uint8_t)entry;
}

uint8_t ftri_verdicts_put(struct ftri_verdicts *self, uint64_t hash, uint8_t verdict)
{
    uint64_t *line = line_of(self, hash);
    const size_t i = place_in(line, hash);
    const uint64_t old = line[i];
    const bool is_other = ((old ^ hash) & ~VERDICT) != 0;
    move_to_front(line, i, (hash & ~VERDICT) | verdict);
    return is_other ? (uint8_t)old : 0;
}
