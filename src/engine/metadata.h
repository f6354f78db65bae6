/* SPDX-License-Identifier: Apache-2.0
 *
 * What came with a batch beside its payload: fields with a name and a value, such as headers of the
 * request. Sealed bytes that every batch made of this one shares (base/payload.h); a batch that was
 * merged of several has them only when all had the same.
 *
 *     { u16 length, u16 length, name, value } *     little endian; names lower case, each once
 *
 * In these bytes they are also written to the log, and read from it: metadata_check is for bytes
 * that come from elsewhere. */
#pragma once

#include "base/payload.h"

enum { METADATA_FIELDS_MAX = 16, METADATA_BYTES_MAX = 32 << 10 };

/* Appends a field. -EMSGSIZE: the name or the value is longer than 65,535 bytes, or there are too
 * many bytes; -ENOMEM. */
int metadata_add(struct ftri_bytes *self, ftr_str name, ftr_str value) FTRI_MUST_CHECK;
/* Whether the bytes are such fields. */
bool metadata_check(struct ftri_view bytes) FTRI_MUST_CHECK;

/* The value of this name, borrowed; .data NULL: there is none. self: NULL is fine. */
ftr_str metadata_get(const struct ftri_payload *self, ftr_str name);
/* The same fields in the same order. Both may be NULL. */
bool metadata_is_same(const struct ftri_payload *a, const struct ftri_payload *b);
