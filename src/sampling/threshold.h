/* SPDX-License-Identifier: Apache-2.0
 *
 * Ratios as the integers that a trace is compared with. Any thread.
 *
 * Consistent probability sampling (OpenTelemetry, "TraceState: Probability Sampling"): of the 2^56
 * values of a trace's randomness those below the threshold are rejected. As text a threshold is its
 * 14 hexadecimal digits without the zeros at their end. TraceIdRatioBased is older and compares the
 * trace id in its own way; the two do not agree about a trace. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum { FTRI_THRESHOLD_DIGITS = 14 };

/* Above every randomness: nothing is sampled. Not a threshold that is written. */
#define FTRI_THRESHOLD_NEVER (UINT64_C(1) << 56)

/* Ratios below 2^-56 give FTRI_THRESHOLD_NEVER. Rounded to 4 digits that say something, as the
 * specification recommends: the text stays short. */
uint64_t ftri_threshold_of(double ratio);
/* Returns the length. */
size_t ftri_threshold_format(uint64_t threshold, char ret_text[FTRI_THRESHOLD_DIGITS]);
/* 1 to 14 lower-case digits. */
bool ftri_threshold_parse(ftr_str text, uint64_t *ret_threshold) FTRI_MUST_CHECK;
/* 14 lower-case digits. */
bool ftri_randomness_parse(ftr_str text, uint64_t *ret_randomness) FTRI_MUST_CHECK;
/* The last 7 bytes of the id. */
uint64_t ftri_randomness_of(const ftr_trace_id *id);

/* TraceIdRatioBased as in the SDKs for Go and Rust: sampled when the id's last 8 bytes, shifted
 * right by one, lie below ratio * 2^63. */
uint64_t ftri_ratio_bound(double ratio);
bool ftri_ratio_takes(uint64_t bound, const ftr_trace_id *id);
