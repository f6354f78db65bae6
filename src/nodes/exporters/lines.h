/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as NDJSON: one object a record, `key` first, then its attributes, `value` if it has one.
 */
#pragma once

#include "base/check.h"

struct ftri_bytes;
struct records;

/* Appends one line a record. -ENOMEM, -EMSGSIZE: out is as it was. */
int lines_write(const struct records *records, struct ftri_bytes *out) FTRI_MUST_CHECK;
