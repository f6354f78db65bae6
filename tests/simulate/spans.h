/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run recorded: a span for each visit, below the right one, with the right outcome; and
 * nothing that is neither counted nor ended. */
#pragma once

#include <stddef.h>

void spans_begin(void);
/* After the graph's end; returns how many there are. */
size_t spans_check(void);
