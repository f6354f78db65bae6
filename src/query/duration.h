/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* "1.23 ms", "4.56 min": three digits and a unit, rounded; at most 8 columns. Returns its length.
 */
int duration_format(uint64_t ns, char ret_text[16]);
