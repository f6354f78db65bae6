/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of a Span message that a block's columns hold (see block.h). */
#pragma once

#include "store/block.h"

/* Appends the beginning that an encoder writes for these fields. */
int block_prefix_write(const struct block_row *row, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* How many bytes that is. */
size_t block_prefix_size(const struct block_row *row);
