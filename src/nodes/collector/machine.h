/* SPDX-License-Identifier: Apache-2.0
 *
 * How much memory there is, for limits that are a share of it. */
#pragma once

#include <stdint.h>

/* The control group's limit if there is one that is less than what the machine has. */
uint64_t collector_memory_bytes(void);
