/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy of a record with one text attribute more, which replaces one of the same key. */
#pragma once

#include "base/bytes.h"

struct ftri_record;

/* record: without a context block. *out is overwritten with the copy. 0, -ENOMEM, or -EMSGSIZE: it
 * has no room for an attribute more. */
int ftri_record_with_text(const struct ftri_record *record, ftr_str key, ftr_str value,
                          struct ftri_bytes *out) FTRI_MUST_CHECK;
