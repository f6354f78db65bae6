/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers for the distinct resources of a trace, in the order of their first spans. Borrows the
 * resources' bytes. One thread at a time. */
#pragma once

#include "base/bytes.h"

struct processes;

/* For at most n_max resources. NULL: memory is short. */
struct processes *processes_new(size_t n_max) FTRI_MUST_CHECK;
void processes_free(struct processes *self);
/* 1, 2, ...: the same for the same bytes. -ENOMEM. */
int processes_number(struct processes *self, struct ftri_view resource,
                     size_t *ret_number) FTRI_MUST_CHECK;
size_t processes_count(const struct processes *self);
struct ftri_view processes_resource(const struct processes *self, size_t number);
