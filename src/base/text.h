/* SPDX-License-Identifier: Apache-2.0
 *
 * Small questions about borrowed text. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

bool ftri_text_is(ftr_str text, const char *wanted);
bool ftri_text_same(ftr_str a, ftr_str b);
/* ASCII letters of either case are the same. */
bool ftri_text_same_word(ftr_str a, ftr_str b);
/* A token of HTTP (RFC 9110, 5.6.2). */
bool ftri_text_is_token(ftr_str text);
/* Without the spaces and tabs around it (RFC 9110, 5.5). */
ftr_str ftri_trim(ftr_str text);
/* Takes what stands before the first `separator`, or all of it, off *rest; false: nothing is left.
 * "a," gives "a" and then nothing. */
bool ftri_text_split(ftr_str *rest, char separator, ftr_str *ret_part);

/* The candidate with the smallest edit distance if it is close enough to be meant; else NULL. */
const char *ftri_text_nearest(const char *word, const char *const *candidates, size_t n);

/* Percent-encoding (RFC 3986, 2.1). Both write at most `room` bytes and return the length, or
 * SIZE_MAX when it does not fit, or at a % that no two digits follow. Decoding may be in place. */
size_t ftri_percent_decode(ftr_str text, char *ret_text, size_t room);
/* Bytes for which `stays` holds are copied. */
size_t ftri_percent_encode(ftr_str text, bool (*stays)(char c), char *ret_text, size_t room);

/* Numbers as settings write them, whatever the process's locale is: decimal digits alone, up to
 * max; no text is 0. False leaves *ret_value alone. */
bool ftri_text_whole(ftr_str text, uint64_t max, uint64_t *ret_value) FTRI_MUST_CHECK;
/* "0.25", "2.5E-1"; no names, no hexadecimal digits. */
bool ftri_text_decimal(ftr_str text, double *ret_value) FTRI_MUST_CHECK;
