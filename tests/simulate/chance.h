/* SPDX-License-Identifier: Apache-2.0
 *
 * The only source of chance in a run: the same seed gives the same run on every machine. */
#pragma once

#include "base/check.h"

void chance_begin(uint64_t seed);
/* 0 .. n - 1; n > 0. */
uint64_t chance(uint64_t n);
/* True once in n times. */
bool chance_one_in(uint64_t n);
