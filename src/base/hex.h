/* SPDX-License-Identifier: Apache-2.0
 *
 * Lower-case hexadecimal. Sans-I/O, any thread. */
#pragma once

#include "base/check.h"

/* Writes 2 * n characters, no NUL. */
void ftri_hex_encode(const uint8_t *bytes, size_t n, char *ret_text);
/* Reads 2 * n digits of any case; false (output unspecified) at any other character. */
bool ftri_hex_decode(const char *text, size_t n, uint8_t *ret_bytes) FTRI_MUST_CHECK;
/* Lower case only, as W3C trace context demands. */
bool ftri_hex_decode_lower(const char *text, size_t n, uint8_t *ret_bytes) FTRI_MUST_CHECK;
