/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as settings write them. Any thread, whatever the process's locale is. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

/* Decimal digits alone, up to max; no text is 0. False leaves *ret_value alone. */
bool ftri_number_whole(ftr_str text, uint64_t max, uint64_t *ret_value) FTRI_MUST_CHECK;
/* "0.25", "2.5E-1"; no names, no hexadecimal digits. */
bool ftri_number_decimal(ftr_str text, double *ret_value) FTRI_MUST_CHECK;
