/* SPDX-License-Identifier: Apache-2.0
 *
 * Which contributors of a fan-in are shown as links: at most 50 of any number, chosen while they
 * stream by, with no look ahead and no randomness.
 *
 * The n-th offer has index n - 1. After N offers the kept indices are
 *   first:  0 .. 9
 *   middle: 10, 10 + stride, 10 + 2 stride, ... below N - 10
 *   last:   N - 10 .. N - 1
 * where stride is the smallest power of two that leaves at most 30 in the middle. So
 *   - up to 50 offers all are kept;
 *   - neighbours in the middle are exactly `stride` apart;
 *   - memory does not depend on N, and the same offers in the same order give the same choice.
 *
 * How: a new offer enters the ring of the last 10. What falls out of the ring joins the middle when
 * its index lies on the stride, else it is forgotten. When the middle would hold a 31st, the stride
 * doubles and every other one of the middle is forgotten; the newcomer, at 10 + 30 strides, lies on
 * the doubled stride too.
 *
 * The reservoir numbers places only; the owner keeps the things themselves in an array of
 * FTRI_RESERVOIR_CAP, and overwrites place p when an offer is told p. A thing never moves.
 * Plain value, no allocation, one thread at a time. */
#pragma once

#include "base/check.h"

enum {
    FTRI_RESERVOIR_FIRST = 10,
    FTRI_RESERVOIR_MIDDLE = 30,
    FTRI_RESERVOIR_LAST = 10,
    FTRI_RESERVOIR_CAP = FTRI_RESERVOIR_FIRST + FTRI_RESERVOIR_MIDDLE + FTRI_RESERVOIR_LAST
};

struct ftri_reservoir {
    uint64_t n_offers; /* all, kept or not */
    uint64_t stride;
    uint8_t n_middle;
    uint8_t n_last;
    uint8_t oldest; /* of the ring */
    uint8_t n_free;
    uint8_t middle[FTRI_RESERVOIR_MIDDLE]; /* places, by index */
    uint8_t last[FTRI_RESERVOIR_LAST];     /* places, a ring */
    uint8_t free[FTRI_RESERVOIR_CAP];      /* places, a stack */
};

struct ftri_reservoir_kept {
    uint64_t index;
    uint8_t place;
};

void ftri_reservoir_init(struct ftri_reservoir *self);
/* The place of the newest; what was there before is no longer kept. */
uint8_t ftri_reservoir_offer(struct ftri_reservoir *self);
/* What is kept, by rising index; returns how many. */
size_t ftri_reservoir_list(const struct ftri_reservoir *self,
                           struct ftri_reservoir_kept ret_kept[FTRI_RESERVOIR_CAP]);
