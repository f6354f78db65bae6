/* SPDX-License-Identifier: Apache-2.0
 *
 * A span and its fragments as one Span message. Sans-I/O. */
#pragma once

#include "base/check.h"

#include <stddef.h>

struct found_span;
struct ftri_bytes;

/* The message of the first with the events of all n, by time; of equal times those of the first
 * come first. An event of a fragment that is the same, byte for byte, as another one is left out.
 * *ret_bytes is the caller's to deinit, also on failure (-ENOMEM). */
int merge_events(const struct found_span *items, size_t n,
                 struct ftri_bytes *ret_bytes) FTRI_MUST_CHECK;
