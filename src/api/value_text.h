/* SPDX-License-Identifier: Apache-2.0
 *
 * Attribute values as text, the way a person types and reads them. Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

/* Appends: a text as it is, true and false, numbers in decimal, bytes in base64, arrays and maps as
 * JSON, nothing for an empty value. On failure out holds a part. */
int value_text(struct ftri_view any_value, struct ftri_bytes *out) FTRI_MUST_CHECK;
