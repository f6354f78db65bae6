/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 (RFC 4648). Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

/* Appends the standard alphabet with padding. */
int ftri_base64_encode(struct ftri_view bytes, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Appends the bytes behind a text in the standard or the URL-safe alphabet (or both), padded or
 * not. -EBADMSG (out as it was): another character, white space included, or an impossible
 * length. Bits of the last digit that no byte uses are ignored. */
int ftri_base64_decode(ftr_str text, struct ftri_bytes *out) FTRI_MUST_CHECK;
