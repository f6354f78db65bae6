/* SPDX-License-Identifier: Apache-2.0
 *
 * Values in paths and query strings, as Jaeger's APIs write them. */
#pragma once

#include "base/bytes.h"

/* RFC 3339 ("2026-01-02T03:04:05.678Z", offsets allowed) to Unix nanoseconds; digits beyond the
 * ninth of a fraction are cut. False also for days that no month has and times before 1970. */
bool parameters_time(ftr_str text, uint64_t *ret_ns) FTRI_MUST_CHECK;
/* As Go's time.ParseDuration, without signs: "1.5s", ".5s", "200ms", "10us", "1h", also a sum:
 * "1m30s"; and "7d". At most 2^63 - 1 ns. */
bool parameters_duration(ftr_str text, uint64_t *ret_ns) FTRI_MUST_CHECK;
/* Decimal, no sign. */
bool parameters_number(ftr_str text, uint64_t max, uint64_t *ret_number) FTRI_MUST_CHECK;
/* A trace id as Jaeger takes it: up to 32 hex digits (leading zeros may be left out), or its 16
 * bytes in base64 of either alphabet. False with what is wrong. */
bool parameters_trace_id(ftr_str text, uint8_t ret_id[16],
                         const char **ret_problem) FTRI_MUST_CHECK;
