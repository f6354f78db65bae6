/* SPDX-License-Identifier: Apache-2.0
 *
 * Per-thread xoshiro256** seeded from the kernel once per thread and again after a fork. Unique
 * enough for ids, never for secrets. No system call after the first use in a thread. */
#pragma once

#include "base/check.h"

uint64_t ftri_random_u64(void);
