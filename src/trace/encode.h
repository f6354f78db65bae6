/* SPDX-License-Identifier: Apache-2.0
 *
 * From a record to OTLP bytes in one pass, by copying: the names and keys of call sites are there
 * as bytes already (intern.h). For spans that have a name, times, a status and attributes of
 * scalars and texts; the others are read (record.h) and encoded by otlp/encode.h, which would give
 * the same bytes for these. One thread at a time. */
#pragma once

#include "base/bytes.h"
#include "trace/record.h"

/* Bytes behind a record that are read with it, whatever is there. */
enum { FTRI_ENCODE_BEHIND = 32 };

/* Outcome: not in this way. */
enum { FTRI_ENCODE_NOT_SIMPLE = 1 };

/* Appends the element of ScopeSpans.spans. 0, FTRI_ENCODE_NOT_SIMPLE, -ENOMEM or -EMSGSIZE, the
 * latter three with nothing appended. */
int ftri_encode_record(const struct ftri_record *record, struct ftri_bytes *out) FTRI_MUST_CHECK;
