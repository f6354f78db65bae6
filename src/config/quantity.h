/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes and times as people write them: "64MiB", "1.5GB", "4096"; "200ms", "1h30m", "7d".
 * A quantity is one or more numbers with a unit each; a number may have a decimal fraction. Exact
 * in integers: what is left below one byte or nanosecond is cut. */
#pragma once

#include "base/check.h"

enum { QUANTITY_TEXT_BYTES = 32 };

/* Only digits. -EINVAL: something else; -ERANGE: over 64 bits. */
int quantity_parse_u64(const char *text, uint64_t *ret_value) FTRI_MUST_CHECK;
/* B, KB, MB, GB, TB (1000), KiB, MiB, GiB, TiB (1024); no unit: bytes. */
int quantity_parse_bytes(const char *text, uint64_t *ret_bytes) FTRI_MUST_CHECK;
/* ns, us, ms, s, m, h, d; only 0 may stand without. */
int quantity_parse_duration(const char *text, uint64_t *ret_ns) FTRI_MUST_CHECK;
/* In the largest unit that divides the value. */
void quantity_format_bytes(uint64_t bytes, char ret_text[QUANTITY_TEXT_BYTES]);
void quantity_format_duration(uint64_t ns, char ret_text[QUANTITY_TEXT_BYTES]);
