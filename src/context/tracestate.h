/* SPDX-License-Identifier: Apache-2.0
 *
 * The tracestate header (W3C Trace Context level 2, section 3.3): up to 32 members key=value.
 * Sans-I/O, any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum { FTRI_TRACESTATE_MAX = 4096, FTRI_TRACESTATE_MEMBERS = 32 };

/* Checks a header and writes its normal form: no empty members, no spaces around commas, the first
 * of members with the same key. Longer than FTRI_TRACESTATE_MAX: members of more than 128
 * characters go first, then those at the end (section 3.3.1.5). False: malformed, or more than 32
 * members. */
bool ftri_tracestate_read(ftr_str header, char ret_text[FTRI_TRACESTATE_MAX],
                          size_t *ret_len) FTRI_MUST_CHECK;

/* In a list in normal form: the value of a key; .data NULL: there is no such member. */
ftr_str ftri_tracestate_find(ftr_str list, ftr_str key);
/* Writes such a list with this member in front and without an older one of its key; an empty value
 * only takes the member away. What is too much then goes at the end, as above. Returns the length.
 * Section 3.5. */
size_t ftri_tracestate_put(ftr_str list, ftr_str key, ftr_str value,
                           char ret_text[FTRI_TRACESTATE_MAX]);
