/* SPDX-License-Identifier: Apache-2.0
 *
 * How much memory there is, for limits that are a share of it. */
#pragma once

#include <stdint.h>

/* The least limit of the control groups that a file such as /proc/self/cgroup names, and of those
 * above them, below the place where they are mounted. UINT64_MAX: there is none. */
uint64_t collector_group_bytes(const char *groups, const char *mount);
/* The control group's limit if there is one that is less than what the machine has. */
uint64_t collector_memory_bytes(void);
