/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam of sockets: the calls that libcurl makes, in this program's hands. Those of the peers in
 * this process are left alone. */
#pragma once

#include "base/check.h"

/* From now on call number n (1 is the next) fails, once; 0 switches off. */
void sockets_fail_at(uint64_t n);
/* Calls since then. */
uint64_t sockets_count(void);
