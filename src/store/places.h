/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of what is asked for may be in which block. In bytes of the caller's. */
#pragma once

#include "base/bytes.h"

/* The n-th of what is asked for may be in this block. */
struct place {
    int64_t id;
    size_t n;
};

int places_add(struct ftri_bytes *places, int64_t id, size_t nth) FTRI_MUST_CHECK;
/* Calls back once for each block, by id, with its places; until a result other than 0. */
typedef int places_visit(void *argument, int64_t id, const struct place *places, size_t n);
int places_each(struct ftri_bytes *places, places_visit *visit, void *argument) FTRI_MUST_CHECK;
