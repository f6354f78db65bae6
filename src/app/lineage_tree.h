/* SPDX-License-Identifier: Apache-2.0
 *
 * An answer of the lineage API, drawn as text: what was asked about, what it was made from, what
 * was made from it. */
#pragma once

#include "base/bytes.h"

/* -EBADMSG: the lines are not an answer. */
int lineage_tree_draw(struct ftri_view lines, struct ftri_bytes *out) FTRI_MUST_CHECK;
