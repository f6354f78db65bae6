/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers out of JSON text and into it. Independent of the locale. Sans-I/O, any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

/* An integer written as a JSON number: 12, -0, 1e3 and 2.50e1 are integers, 1.5 is not. Exact.
 * 0; -EINVAL: no JSON number, or no integer; -ERANGE: does not fit. */
int ftri_json_to_i64(ftr_str text, int64_t *ret_value) FTRI_MUST_CHECK;
int ftri_json_to_u64(ftr_str text, uint64_t *ret_value) FTRI_MUST_CHECK;
/* Correctly rounded; too small is 0 with its sign. 0; -EINVAL: no JSON number; -ERANGE: beyond the
 * largest double. */
int ftri_json_to_f64(ftr_str text, double *ret_value) FTRI_MUST_CHECK;

enum { FTRI_JSON_F64_BYTES = 32 };
/* The fewest digits (up to 17) that read back as the same double; finite only. No NUL. */
size_t ftri_json_format_f64(double value, char ret_text[FTRI_JSON_F64_BYTES]);
