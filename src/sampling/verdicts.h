/* SPDX-License-Identifier: Apache-2.0
 *
 * What was decided about flows whose spans may still come: a byte for a hash, in lines of eight, of
 * which the one that was asked for last is the last to be forgotten. Two hashes that agree in 56
 * bits are taken for one. One thread at a time. */
#pragma once

#include "base/check.h"

enum { FTRI_VERDICTS_PER_LINE = 8 };

struct ftri_verdicts {
    uint64_t *lines; /* FTRI_VERDICTS_PER_LINE entries each: hash & ~255 | verdict; 0: free */
    uint64_t n_lines;
};

/* At most so many bytes, at least one line. 0 or -ENOMEM. */
int ftri_verdicts_init(struct ftri_verdicts *self, size_t n_bytes) FTRI_MUST_CHECK;
void ftri_verdicts_deinit(struct ftri_verdicts *self);
/* Asks the memory for it. */
void ftri_verdicts_expect(const struct ftri_verdicts *self, uint64_t hash);
/* 0: none is known. */
uint8_t ftri_verdicts_get(struct ftri_verdicts *self, uint64_t hash);
/* Remembers or replaces one that is not 0; returns the one that is forgotten for it, or 0. */
uint8_t ftri_verdicts_put(struct ftri_verdicts *self, uint64_t hash, uint8_t verdict);
